"""Any number of people do anything in any order, with a log that may lag, a disk that may be full, and restarts.

What is looked for is named in the invariants; and at the end of each run all leave, and the state must be what storage
gives back. Two more chats follow the same log, without sessions of their own: they stay equal to the one that people
talk to, so that any of them could take over.
"""

from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from asyncchat.core.expiry import EMPTY_ROOM_SECONDS
from asyncchat.core.numbered_set import NumberedSet
from asyncchat.core.outcomes import Tell
from asyncchat.core.permissions import sees
from asyncchat.core.rooms import Room
from asyncchat.core.rules import Chat
from asyncchat.core.session import Phase, Session
from asyncchat.storage.store import Store
from asyncchat.vocabulary import commands as c
from asyncchat.vocabulary import events
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.names import parse_room_name
from asyncchat.vocabulary.records import AdministratorSet, Record
from asyncchat.vocabulary.terms import Role
from tests.core.driver import Client, Ticket, World

NAMES = ("ann", "bob", "carol", "dora", "Bob")
ROOMS = ("#a", "#b", "#A", "#lobby")
MOST = 6
"""Connections at a time: enough for two of one person, and for strangers."""

TALK = tuple(each for each in c.Command.__args__ if each.pipelined)
KEPT = events.KeptEvent.__args__

names = st.sampled_from(NAMES)
rooms = st.sampled_from(ROOMS)
places = st.sampled_from(NAMES + ROOMS)
wishes = st.none() | st.lists(rooms, max_size=3)
some_seconds = st.sampled_from((None, 0, 5, 600))
seqs = st.integers(1, 60)
rarely = st.sampled_from((False, False, False, True))
maybe = st.sampled_from((None, True, False))
numbers = st.integers(0, MOST)

room_commands = st.one_of(
    st.builds(c.Join, room=rooms, password=st.sampled_from((None, "word", "wrong"))),
    st.builds(c.Leave, room=rooms),
    st.builds(c.Destroy, room=rooms, confirm=rooms),
    st.builds(c.Topic, room=rooms, text=st.sampled_from((None, "", "tea"))),
    st.builds(
        c.SetRoom, room=rooms, private=maybe, moderated=maybe, topic_locked=maybe,
        password=st.sampled_from((None, "", "word")),
    ),
)  # fmt: skip
orders = st.one_of(
    st.builds(c.Kick, room=rooms, name=names),
    st.builds(c.Ban, room=st.none() | rooms, who=names, seconds=some_seconds),
    st.builds(c.Unban, room=st.none() | rooms, who=names),
    st.builds(c.Mute, room=rooms, name=names, seconds=some_seconds),
    st.builds(c.Purge, room=rooms, name=names, seconds=st.just(600)),
    st.builds(c.SetRole, room=rooms, name=names, role=st.sampled_from(Role)),
    st.builds(c.Invite, room=rooms, name=names),
)
own_commands = st.one_of(
    st.builds(c.Nick, name=names),
    st.builds(c.Away, text=st.sampled_from((None, "tea"))),
    st.builds(c.Register, password=st.sampled_from((None, "long enough"))),
    st.builds(
        c.Passwd, old=st.sampled_from((None, "long enough")), new=st.sampled_from(("long enough", "another one"))
    ),
)
questions = st.one_of(
    st.builds(c.Who, room=st.none() | rooms),
    st.builds(c.Whois, name=names),
    st.builds(c.Rooms),
    st.builds(c.Bans, room=st.none() | rooms),
    st.builds(c.History, to=places),
    st.builds(c.Sync, after=st.integers(0, 60)),
    st.builds(c.Search, text=st.just("hi")),
    st.builds(c.Ping),
)
nonces = st.sampled_from((None, "n1", "n2", "n3"))
talk = st.one_of(
    st.builds(c.Say, to=places, text=st.just("hi"), nonce=nonces, reply_to=st.none() | seqs),
    st.builds(c.Say, to=st.just("#a"), text=st.just("hi"), nonce=nonces),
    st.builds(c.Edit, seq=seqs, text=st.just("ho")),
    st.builds(c.Delete, seq=seqs),
    st.builds(c.React, seq=seqs, reaction=st.just("👍"), remove=st.booleans()),
    st.builds(c.Typing, to=places),
    st.builds(c.Read, to=places, seq=seqs),
)


class Watched(World):
    """A server that looks at everything it tells, with two others behind its log."""

    def __init__(self, **settings: Any) -> None:
        self.followers: list[Chat] = []
        super().__init__(**settings)

    def _restore(self, arrived: int | None = None) -> None:
        self.followers = [self.new_chat(), self.new_chat()]
        for chat in self.followers:
            chat.restore(self.facts(), seq=self.last_seq, arrived=arrived, now=self.now)
        super()._restore(arrived)

    def _apply(self, record: Record, ticket: Ticket | None) -> None:
        super()._apply(record, ticket)
        for chat in self.followers:
            with suppress(Refused):
                chat.apply(self.last_seq, record, None)

    def on_tell(self, tell: Tell) -> None:
        event = tell.event
        to = list(tell.to)
        assert len(to) == len(set(to)), "told twice"
        for session in to:
            assert session in self.state.sessions, "told to somebody who has gone"
        if isinstance(event, KEPT):
            for session in to:
                assert event.seq > session.peer.highest, "out of order"
                session.peer.highest = event.seq
        room = self._room_of(event)
        if room is not None and room.private:
            assert set(to) <= set(room.audience) | self._concerned(event), f"{event} left {room.name}"

    def _room_of(self, event: Any) -> Room | None:
        name = str(getattr(event, "room", None) or getattr(event, "to", ""))
        return self.state.rooms.by_key.get(parse_room_name(name).key) if name.startswith("#") else None

    def _concerned(self, event: Any) -> set[Session]:
        """Those whom an event is about may hear it outside of the room: who has left, is invited, or may come in.

        An administrator who reads there from outside is told of their own marker.
        """
        if isinstance(event, events.ReadMarker):
            return {
                session for session in self.state.sessions if session.person and session.person.name == event.sender
            }
        named = next((person for person in self.state.people if person.name == getattr(event, "name", None)), None)
        if named is None or not isinstance(event, events.Left | events.Kicked | events.Invited | events.RoleChanged):
            return set()
        room = self._room_of(event)
        if isinstance(event, events.RoleChanged) and room is not None and not sees(self.state, named, room):
            return set()
        return set(named.sessions)


class Visitor(Client):
    """A client that remembers its tickets and how far it was told."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.highest = 0
        self.tickets: list[Ticket] = []


class ChatMachine(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.world = Watched(limits={"rooms": 3, "sessions": 3, "nonces": 2, "wrong_passwords": 0})
        self.visitors: list[Visitor] = []
        self.tokens: list[str] = []
        self.tickets: list[Ticket] = []
        self.ids = iter(range(1, 10**9))

    def visitor(self, number: int) -> Visitor:
        return self.visitors[number % len(self.visitors)]

    def give(self, visitor: Visitor, command: c.Command, lag: bool = False) -> None:
        """What a connection does: all commands but talk wait for those before; with *lag* the log does not move on."""
        if not isinstance(command, TALK) and any(ticket.replies is None for ticket in visitor.tickets):
            self.world.flush()
        if visitor.session.phase is Phase.OVER:
            return
        ticket = visitor.start(structs.replace(command, id=next(self.ids)))
        visitor.tickets = [each for each in visitor.tickets if each.replies is None]
        visitor.tickets.append(ticket)
        self.tickets.append(ticket)
        if not lag:
            self.flush()

    # --- what may happen --------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        for name in ("ann", "bob", "carol"):
            self._come(c.Hello(name=name, rooms=["#a", "#b"]), False)
            self.give(self.visitors[-1], c.Say(to="#a", text="hi"))
        self.give(self.visitors[0], c.Register(password="long enough"))
        self.give(self.visitors[1], c.Say(to="ann", text="hi"))

    @rule(name=names, wanted=wishes, password=st.none() | st.just("long enough"), lag=rarely)
    def come(self, name: str, wanted: list[str] | None, password: str | None, lag: bool) -> None:
        self._come(c.Hello(name=name, rooms=wanted, password=password), lag)

    @precondition(lambda self: self.tokens)
    @rule(number=st.integers(0, 20), name=st.none() | names, wanted=wishes, lag=rarely)
    def come_by_token(self, number: int, name: str | None, wanted: list[str] | None, lag: bool) -> None:
        self._come(c.Hello(name=name, token=self.tokens[-1 - number % len(self.tokens)], rooms=wanted), lag)

    def _come(self, hello: c.Hello, lag: bool) -> None:
        if len(self.visitors) >= MOST:
            self.flush()
        if len(self.visitors) >= MOST:
            self._go(self.visitors[0])
        visitor = Visitor(self.world)
        self.visitors.append(visitor)
        self.give(visitor, hello, lag)

    @precondition(lambda self: self.visitors)
    @rule(number=numbers, command=talk, lag=st.booleans())
    def talk(self, number: int, command: c.Command, lag: bool) -> None:
        said = [seq for seq, _ in self.world.memory.messages()]
        if isinstance(command, c.Edit | c.Delete | c.React) and said:
            command = structs.replace(command, seq=said[-1 - command.seq % len(said)])
        self.give(self.visitor(number), command, lag)

    @precondition(lambda self: self.visitors)
    @rule(number=numbers, command=room_commands, lag=rarely)
    def do_in_a_room(self, number: int, command: c.Command, lag: bool) -> None:
        self.give(self.visitor(number), command, lag)

    @precondition(lambda self: self.visitors)
    @rule(number=numbers, command=orders, lag=rarely)
    def keep_order(self, number: int, command: c.Command, lag: bool) -> None:
        self.give(self.visitor(number), command, lag)

    @precondition(lambda self: self.visitors)
    @rule(number=numbers, command=own_commands | questions, lag=rarely)
    def do_for_oneself(self, number: int, command: c.Command, lag: bool) -> None:
        self.give(self.visitor(number), command, lag)

    @precondition(lambda self: len(self.visitors) > 1)
    @rule(number=numbers, how=st.sampled_from(("quit", "vanish", "vanish for good")))
    def go(self, number: int, how: str) -> None:
        visitor = self.visitor(number)
        if how == "quit":
            self.visitors.remove(visitor)
            self.give(visitor, c.Quit(), True)
        else:
            visitor.session.resumable = how == "vanish"
            self._go(visitor)

    def _go(self, visitor: Visitor) -> None:
        self.visitors.remove(visitor)
        if any(ticket.replies is None for ticket in visitor.tickets):
            self.world.flush()
        self.world.drop(visitor)

    @precondition(lambda self: self.visitors)
    @rule(number=numbers)
    def make_administrator(self, number: int) -> None:
        person = self.visitor(number).session.person
        if person is not None and person.registered:
            self.world.append(AdministratorSet(time=self.world.now, person=person.id))

    @rule(what=st.sampled_from(("nothing", "nothing", "the disk is full", "a kill")))
    def catch_up(self, what: str) -> None:
        if what == "the disk is full":
            self.world.fail()
        self.flush()
        if what == "a kill":
            self.visitors.clear()
            self.world.restart()

    @rule(seconds=st.sampled_from((1, 1, 11, 62)))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds)
        self.flush()

    def flush(self) -> None:
        self.world.flush()
        unanswered = [ticket.command for ticket in self.tickets if ticket.replies is None]
        assert unanswered == [], "never answered"
        for ticket in self.tickets:
            self._check_replies(ticket)
        self.tickets.clear()
        self.visitors = [visitor for visitor in self.visitors if visitor.session.phase is Phase.IN]

    def _check_replies(self, ticket: Ticket) -> None:
        assert ticket.replies is not None
        assert ticket.command is not None
        results = [reply for reply in ticket.replies if isinstance(reply, events.Result | events.Bye)]
        assert len(results) == 1, f"{ticket.command} was answered by {ticket.replies}"
        for reply in results:
            if isinstance(reply, events.Bye):
                assert isinstance(ticket.command, c.Quit)
                continue
            assert reply.id == ticket.command.id
            if isinstance(reply, events.Welcome | events.Ok) and reply.token is not None:
                self.tokens.append(reply.token)

    # --- what must hold ---------------------------------------------------------------------------------------------

    @invariant()
    def chats_behind_one_log_are_equal(self) -> None:
        one, *others = (live_state(chat, self.world.now) for chat in (self.world.chat, *self.world.followers))
        for other in others:
            assert other == one

    @invariant()
    def names_are_held_once(self) -> None:
        people = self.world.state.people
        assert {person.key: person for person in people} == people.by_key
        assert len(people.by_key) == len(people.by_id)
        assert all(id == person.id for id, person in people.by_id.items())

    @invariant()
    def whoever_is_here_can_be_found(self) -> None:
        state = self.world.state
        for session in state.sessions:
            person = session.person
            assert person is not None
            assert session in person.sessions
            assert state.person(person.name) is person
        assert set(state.sessions) == {session for person in state.people for session in person.sessions}

    @invariant()
    def an_audience_is_the_sessions_of_the_members(self) -> None:
        state = self.world.state
        for room in state.rooms:
            assert set(room.audience) == {session for person in room.members for session in person.sessions}
            assert all(person.rooms[room.id] is room for person in room.members)
            assert all(state.people.by_id[person.id] is person for person in room.members)
        for person in state.people:
            assert all(person in room.members for room in person.rooms.values())

    @invariant()
    def lists_hold_what_is_there_each_with_its_own_number(self) -> None:
        state = self.world.state
        assert set(state.people.online) == {person for person in state.people if person.sessions}
        assert list(state.rooms.listed) == list(state.rooms)
        lists: list[NumberedSet[Any]] = [state.people.online, state.rooms.listed, *(r.members for r in state.rooms)]
        for numbered in lists:
            found = list(numbered.after(None))
            assert found == [(number, item) for item, number in numbered.items()]
            assert [number for number, _ in found] == sorted({number for number, _ in found})

    @invariant()
    def guests_are_here_or_waited_for(self) -> None:
        people = self.world.state.people
        for person in people:
            assert not (person.sessions and person in people.waiting)
            if not person.registered and not person.sessions:
                assert person in people.waiting
        assert all(people.by_id.get(person.id) is person for person in people.waiting)

    @invariant()
    def owners_are_those_with_the_role(self) -> None:
        rooms = self.world.state.rooms
        for room in rooms:
            assert room.owners == {id for id, role in room.roles.items() if role is Role.OWNER}
            assert all(room in rooms.owned_by(owner) for owner in room.owners)
        assert all(room.id in rooms.by_id for room in (*rooms.empty, *rooms.orphaned))
        assert not any(room.members for room in rooms.empty)

    @invariant()
    def limits_are_kept(self) -> None:
        for person in self.world.state.people:
            assert len(person.sessions) <= 3
            if person.nonces is not None:
                assert len([seq for seq in person.nonces.values() if seq]) <= 3

    def teardown(self) -> None:
        self.flush()
        self._storage_gives_back_the_same()
        self._a_fold_gives_the_same()
        self._nothing_is_left_when_all_have_gone()

    def _storage_gives_back_the_same(self) -> None:
        world = self.world
        store = Store.open(":memory:")
        try:
            store.write(world.memory.facts)  # type: ignore[arg-type]
            chat = world.new_chat()
            chat.restore(store.load(world.now), seq=world.last_seq, now=world.now)
        finally:
            store.close()
        assert lasting(chat, world.now) == lasting(world.chat, world.now)

    def _a_fold_gives_the_same(self) -> None:
        world = self.world
        chat = world.new_chat()
        chat.restore(world.memory.current(), seq=world.last_seq, now=world.now)
        assert lasting(chat, world.now, markers=False) == lasting(world.chat, world.now, markers=False)

    def _nothing_is_left_when_all_have_gone(self) -> None:
        for visitor in self.visitors:
            self.world.drop(visitor)
        self.world.wait(62 + EMPTY_ROOM_SECONDS)
        state = self.world.state
        assert all(person.registered for person in state.people)
        for left in (state.sessions, state.people.waiting, state.people.returned):
            assert not left
        for rooms_left in (state.rooms.empty, state.rooms.orphaned):
            assert not rooms_left
        assert all(person.nonces is None and not person.rooms for person in state.people)
        for room in state.rooms:
            assert not room.members
            assert not room.audience
            assert room.spoken or room.key == "#lobby" or any(person.id in room.roles for person in state.people)


def lasting(chat: Chat, now: int, *, markers: bool = True) -> dict[str, Any]:
    """All that must outlast a restart."""
    state = chat.state
    return {
        "people": {
            person.id: (
                person.name,
                person.key,
                person.registered,
                person.administrator,
                person.password,
                person.markers if markers else None,
            )
            for person in state.people
        },
        "rooms": {
            room.id: (
                (room.name, room.key, room.founder, room.spoken, room.topic),
                (room.private, room.moderated, room.topic_locked, room.retention, room.password),
                dict(sorted(room.roles.items())),
                (room.invited, room.by_operators),
                bans(room.bans, now),
            )
            for room in state.rooms
        },
        "bans": bans(state.bans, now),
        "invitations": state.used_invitations,
    }


def live_state(chat: Chat, now: int) -> dict[str, Any]:
    """All that records make, also what ends with the process."""
    state = chat.state
    return {
        **lasting(chat, now),
        "seq": state.seq,
        "server": state.server_name,
        "administrators": state.administrators,
        "sessions": {(session.node, session.key, session.address) for session in state.sessions},
        "here": {
            person.id: (
                [(session.node, session.key, session.seen) for session in person.sessions],
                list(person.rooms),
                (person.away, person.told_offline, person.seen, person.spoke_at, person.as_guest),
                person in state.people.passing,
            )
            for person in state.people
        },
        "in": {
            room.id: (
                [person.id for person in room.members],
                {(session.node, session.key) for session in room.audience},
                list(room.roles),
                list(room.invited),
            )
            for room in state.rooms
        },
        "names": {key: person.id for key, person in state.people.by_key.items()},
    }


def bans(of: Any, now: int) -> set[Any]:
    return {(ban.person, ban.key, ban.address, ban.mute, ban.until, ban.who, ban.by) for ban in of.active(now)}


TestChat = ChatMachine.TestCase
TestChat.settings = settings(
    max_examples=30, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
