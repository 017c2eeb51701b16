"""What is said: to rooms and people, once, and what becomes of it later."""

from typing import Any

import pytest

from asyncchat.core.messages import TOLD_EVERYONE
from asyncchat.vocabulary import commands, events, queries, records
from asyncchat.vocabulary.commands import Delete, Edit, React, Read, Say, Typing
from asyncchat.vocabulary.terms import Code
from tests.core.driver import Client, World

# --- to a room ------------------------------------------------------------------------------------------------------


def test_a_message_is_told_to_all_in_the_room_in_one_order(world: World) -> None:
    alice, bob, carol = world.guest("alice"), world.guest("bob"), world.guest("carol", "#elsewhere")
    other = world.again(alice)
    alice.forget()
    for client, text in ((alice, "one"), (bob, "two")):
        client.start(Say(id=text, to="＃LOBBY", text=text, kind="action", nonce=text))
    world.flush()
    assert [event.text for event in alice.heard(events.Said)] == ["one", "two"]
    assert alice.told == bob.heard(events.Said) == other.told
    assert alice.told[0] == events.Said(
        seq=world.last_seq - 1, time="2023-11-14T22:13:20.000Z", sender="alice", to="#lobby", text="one",
        kind="action", nonce="one",
    )  # fmt: skip
    assert carol.told == []


def test_the_reply_names_the_place_of_the_message(world: World) -> None:
    alice = world.guest("alice")
    assert alice.say("#lobby") == events.Ok(id=1, code=Code.OK, seq=world.last_seq)


@pytest.mark.parametrize(
    "command", [Typing(id=1, to="#lobby"), commands.Away(id=1, text="tea"), commands.Leave(id=1, room="#lobby")]
)
def test_what_passes_has_no_place_to_be_named(world: World, command: commands.Command) -> None:
    alice, _ = world.guest("alice"), world.guest("bob")
    assert alice.do(command) == events.Ok(id=1, code=Code.OK)


@pytest.mark.parametrize("text", ["", " ", "\n\t \u3000"])
def test_nothing_is_no_message(world: World, text: str) -> None:
    assert world.guest("alice").say("#lobby", text).code == Code.MALFORMED


def test_a_message_has_a_length_in_bytes() -> None:
    alice = World(limits={"text": 8}).guest("alice")
    assert [alice.say("#lobby", text).code for text in ("12345678", "123456789", "äöüß", "äöüß!")] == [
        200, 413, 200, 413,
    ]  # fmt: skip
    assert World(limits={"text": 0}).guest("alice").say("#lobby", "x" * 100_000).code == Code.OK


def test_an_answer_is_to_a_message_that_may_be_gone_but_not_to_one_that_never_was(world: World) -> None:
    alice = world.guest("alice")
    asked = alice.say("#lobby", "tea?").seq
    alice.do(Delete(id=1, seq=asked))
    answer = Say(id=1, to="#lobby", text="yes", reply_to=asked, nonce="n")
    assert alice.code(answer) == Code.OK
    assert alice.heard(events.Said)[-1].reply_to == asked
    never = world.last_seq + 1
    assert alice.do(Say(id=1, to="#lobby", text="what?", reply_to=never, nonce="m")) == events.Error(
        id=1, code=Code.NOT_FOUND, text=f"no such message: {never}"
    )
    assert alice.code(Say(id=1, to="#lobby", text="what?", nonce="m")) == Code.OK, "the nonce is free still"


def test_only_members_speak(world: World) -> None:
    alice, _ = world.guest("alice"), world.guest("bob", "#tea")
    assert alice.say("#tea").code == Code.FORBIDDEN
    assert alice.say("#nowhere").code == Code.NOT_FOUND
    assert alice.say("#no where").code == Code.NOT_FOUND


def test_what_somebody_typed_is_told_back_in_part_only(world: World) -> None:
    alice = world.guest("alice")
    for to in ("#" + "x" * 60_000, "y" * 60_000):
        assert len(alice.say(to).text) < 120


def test_names_longer_than_todays_limit_are_found_still() -> None:
    world = World(limits={"name": 0, "room_name": 0})
    long = "x" * 300
    world.guest(long, "#" + long)
    alice = world.guest("alice")
    assert alice.say(long).code == Code.OK
    assert alice.code(commands.Join(id=1, room="#" + long)) == Code.OK
    world.set(World(limits={"name": 4, "room_name": 4}).settings)
    assert world.guest("bob").say("alice").code == Code.OK


# --- to a person ----------------------------------------------------------------------------------------------------


def test_a_direct_message_goes_to_all_sessions_of_both(world: World) -> None:
    alice, bob, carol = world.guest("alice"), world.guest("bob"), world.guest("carol")
    alices, bobs = world.again(alice), world.again(bob)
    for client in (alice, bob):
        client.forget()
    assert alice.say("BOB", "psst").code == Code.OK
    (said,) = alice.told
    assert isinstance(said, events.Said)
    assert (said.sender, said.to) == ("alice", "bob")
    assert alice.told == bob.told == alices.told == bobs.told
    assert not carol.heard(events.Said)


def test_to_somebody_who_is_offline_it_is_kept(world: World) -> None:
    alice, bob, carol = world.guest("alice"), world.registered("bob"), world.guest("carol")
    bob.vanish()
    carol.vanish()
    assert alice.say("bob").code == Code.ACCEPTED
    assert alice.say("carol").code == Code.ACCEPTED, "a guest who is waited for"
    world.wait(61)
    assert alice.say("bob").code == Code.ACCEPTED
    assert alice.say("carol") == events.Error(id=1, code=Code.GONE, text="carol has left")
    assert alice.say("dora") == events.Error(id=1, code=Code.NOT_FOUND, text="no such user: dora")


def test_a_name_that_was_had_again_and_given_up_is_nobodys(world: World) -> None:
    alice = world.guest("alice")
    world.guest("bob").quit()
    assert alice.say("bob").code == Code.GONE
    world.guest("bob").do(commands.Nick(name="rob"))
    assert alice.say("bob").code == Code.NOT_FOUND


def test_to_oneself_it_is_a_note(world: World) -> None:
    alice = world.guest("alice")
    assert alice.say("alice", "milk").code == Code.OK
    assert [event.text for event in alice.heard(events.Said)] == ["milk"]


def test_the_next_of_a_name_does_not_get_the_last_ones_letters(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    alice.say("bob", "secret")
    bob.quit()
    next_bob = world.guest("bob")
    alice.say("bob", "hello")
    history = next_bob.do(commands.History(to="alice"))
    assert [event.text for event in history.events] == ["hello"]
    assert [event.text for event in next_bob.do(commands.Search(text="e")).events] == ["hello"]
    assert [event.text for event in next_bob.do(commands.Sync(after=0)).events] == ["hello"]


def test_a_message_to_one_who_goes_at_that_moment_waits_for_them(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    bob.vanish()
    world.pending.append((records.NameReleased(time=world.now, person=bob.person.id), None))
    ticket = alice.start(Say(id=1, to="bob", text="hi", nonce="n"))
    world.flush()
    (said,) = alice.heard(events.Said)
    assert ticket.replies == (events.Ok(id=1, code=Code.ACCEPTED, seq=said.seq),)
    assert alice.say("bob", nonce="n").seq == said.seq, "it is in the log: again it is the same one"
    client = world.client()
    back = client.start(commands.Hello(id=1, token=bob.token))
    world.flush()
    assert back.replies is not None
    assert said in back.replies


def test_a_message_to_a_room_that_is_dropped_at_that_moment_is_told_to_its_author(world: World) -> None:
    alice = world.guest("alice", "#tea")
    world.pending.append((records.RoomDropped(time=world.now, room=world.room("#tea").id), None))
    ticket = alice.start(Say(id=1, to="#tea", text="hi", nonce="n"))
    world.flush()
    (said,) = alice.heard(events.Said)
    assert ticket.replies == (events.Ok(id=1, code=Code.OK, seq=said.seq),)
    assert alice.say("#tea", nonce="n").seq == said.seq


# --- once -----------------------------------------------------------------------------------------------------------


def test_the_same_nonce_is_the_same_message(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    first = alice.say("#lobby", nonce="n")
    assert alice.say("#lobby", nonce="n") == first
    assert world.again(alice).say("#lobby", nonce="n") == first
    assert bob.say("#lobby", nonce="n").seq != first.seq, "another's"
    assert len(bob.heard(events.Said)) == 2


def test_a_nonce_in_flight_waits_for_the_first_one(world: World) -> None:
    alice = world.guest("alice")
    tickets = [alice.start(Say(id=number, to="#lobby", text="hi", nonce="n")) for number in range(3)]
    assert [ticket.replies for ticket in tickets] == [None, None, None]
    world.flush()
    (said,) = alice.heard(events.Said)
    assert [ticket.replies for ticket in tickets] == [
        (events.Ok(id=number, code=Code.OK, seq=said.seq),) for number in range(3)
    ]


def test_a_nonce_whose_message_was_not_stored_is_said_by_the_next(world: World) -> None:
    alice = world.guest("alice")
    first = alice.start(Say(id=1, to="#lobby", text="hi", nonce="n"))
    second = alice.start(Say(id=2, to="#lobby", text="hi", nonce="n"))
    batch, world.pending = world.pending, world.pending[:1]
    world.fail()
    assert first.replies is not None
    assert first.replies[0].code == Code.NOT_STORED  # type: ignore[union-attr]
    world.pending = batch[1:]
    world.flush()
    assert second.replies == (events.Ok(id=2, code=Code.OK, seq=world.last_seq),)
    assert len(alice.heard(events.Said)) == 1


def test_nonces_are_known_after_a_restart_and_read_when_one_is_needed(world: World) -> None:
    alice = world.guest("alice")
    first = alice.say("#lobby", nonce="n")
    world.restart()
    again = world.again(alice)
    assert again.person.nonces is None
    assert again.say("#lobby").seq > first.seq
    assert not [query for query in world.memory.asked if isinstance(query, queries.FindNonces)]
    assert again.say("#lobby", nonce="n") == first


def test_two_sessions_that_need_the_nonces_at_once_say_it_once(world: World) -> None:
    alice = world.guest("alice")
    world.restart()
    one, two = world.again(alice), world.again(alice)
    outcomes = [
        (client, world.chat.handle(client.session, Say(id=1, to="#lobby", text="hi", nonce="n"), world.now))
        for client in (one, two)
    ]
    for client, outcome in outcomes:
        world.carry(client, outcome)
    world.flush()
    assert len(one.heard(events.Said)) == 1


def test_a_message_that_was_said_is_said_though_its_place_is_gone(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    direct, there = alice.say("bob", nonce="1"), alice.say("#lobby", nonce="2")
    bob.quit()
    alice.do(commands.Leave(room="#lobby"))
    assert alice.say("bob", nonce="1") == direct
    assert alice.say("#lobby", nonce="2") == there


def test_a_refused_message_uses_up_no_nonce(world: World) -> None:
    alice = world.guest("alice")
    assert alice.say("#nowhere", nonce="n").code == Code.NOT_FOUND
    assert alice.say("#lobby", nonce="n").code == Code.OK


def test_so_many_nonces_are_remembered() -> None:
    world = World(limits={"nonces": 3})
    alice = world.guest("alice")
    seqs = [alice.say("#lobby", nonce=str(number)).seq for number in range(5)]
    assert alice.person.nonces == {"2": seqs[2], "3": seqs[3], "4": seqs[4]}
    assert alice.say("#lobby", nonce="1").seq > seqs[4]


# --- changes --------------------------------------------------------------------------------------------------------


def said(client: Client, to: str = "#lobby", text: str = "hi") -> int:
    seq: int = client.say(to, text).seq
    return seq


def test_an_edit_is_the_authors_own(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    seq = said(alice)
    assert bob.code(Edit(id=1, seq=seq, text="no")) == Code.FORBIDDEN
    assert alice.code(Edit(id=1, seq=seq, text=" ")) == Code.MALFORMED
    assert alice.code(Edit(id=1, seq=seq, text="ho")) == Code.OK
    assert bob.heard(events.Edited) == [
        events.Edited(
            seq=world.last_seq, time="2023-11-14T22:13:20.000Z", sender="alice", to="#lobby", target=seq, text="ho"
        )
    ]


def test_a_deletion_is_the_authors_or_an_operators(world: World) -> None:
    ann, bob, carol = (world.guest(name, "#tea") for name in ("ann", "bob", "carol"))
    first, second = said(bob, "#tea"), said(bob, "#tea")
    assert carol.code(Delete(id=1, seq=first)) == Code.FORBIDDEN
    assert bob.code(Delete(id=1, seq=first)) == Code.OK
    assert ann.code(Delete(id=1, seq=second)) == Code.OK
    assert [(event.sender, event.targets) for event in carol.heard(events.Deleted)] == [
        ("bob", [first]),
        ("ann", [second]),
    ]
    for command in (Delete(id=1, seq=first), Edit(id=1, seq=first, text="x"), React(id=1, seq=first, reaction="x")):
        assert bob.code(command) == Code.NOT_FOUND, "it is gone"


def test_direct_messages_are_changed_by_those_two_alone(world: World) -> None:
    root = world.administrator()
    alice, bob = world.guest("alice"), world.guest("bob")
    seq = said(alice, "bob")
    assert root.code(Delete(id=1, seq=seq)) == Code.NOT_FOUND, "not even an administrator reads letters"
    assert root.code(React(id=1, seq=seq, reaction="👀")) == Code.NOT_FOUND
    assert bob.code(Delete(id=1, seq=seq)) == Code.FORBIDDEN
    assert bob.code(React(id=1, seq=seq, reaction="👍")) == Code.OK
    assert alice.heard(events.Reacted) == bob.heard(events.Reacted)
    assert alice.code(Edit(id=1, seq=seq, text="x")) == Code.OK
    assert not root.heard(events.Edited)


@pytest.mark.parametrize("reaction", ["👍", "❤️", "👩‍💻", "❤️‍🔥", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "+1", "да", "⭐"])
def test_a_reaction_is_an_emoji_or_a_word(world: World, reaction: str) -> None:
    alice = world.guest("alice")
    seq = said(alice)
    assert alice.code(React(id=1, seq=seq, reaction=reaction)) == Code.OK
    assert alice.code(React(id=1, seq=seq, reaction=reaction, remove=True)) == Code.OK
    assert [(event.reaction, event.remove) for event in alice.heard(events.Reacted)] == [
        (reaction.replace("\ufe0f", ""), False),
        (reaction.replace("\ufe0f", ""), True),
    ]


@pytest.mark.parametrize("reaction", ["a b", "\x1b[31m", "\u202e", "\u200b", "a\nb", "\u3000"])
def test_what_could_do_harm_is_no_reaction(world: World, reaction: str) -> None:
    alice = world.guest("alice")
    assert alice.code(React(id=1, seq=said(alice), reaction=reaction)) == Code.MALFORMED


def test_a_message_has_so_many_reactions() -> None:
    world = World(limits={"reactions": 2})
    alice, bob = world.guest("alice"), world.guest("bob")
    seq = said(alice)
    assert [alice.code(React(id=1, seq=seq, reaction=reaction)) for reaction in "abc"] == [200, 200, Code.FORBIDDEN]
    assert bob.code(React(id=1, seq=seq, reaction="a")) == Code.OK, "not a new one"
    assert alice.code(React(id=1, seq=seq, reaction="b", remove=True)) == Code.OK
    assert bob.code(React(id=1, seq=seq, reaction="c")) == Code.OK, "there is room again"
    assert alice.code(React(id=1, seq=said(alice), reaction="z")) == Code.OK, "each message has its own"


def test_who_may_not_speak_may_not_change_what_was_said(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea")
    seq = said(bob, "#tea")
    ann.do(commands.Mute(room="#tea", name="bob"))
    assert bob.code(Edit(id=1, seq=seq, text="x")) == Code.FORBIDDEN
    assert bob.code(React(id=1, seq=seq, reaction="x")) == Code.FORBIDDEN
    assert bob.code(Delete(id=1, seq=seq)) == Code.OK, "to take it back is allowed"
    ann.do(commands.Mute(room="#tea", name="bob", seconds=0))
    seq = said(bob, "#tea")
    bob.do(commands.Leave(room="#tea"))
    assert bob.code(Edit(id=1, seq=seq, text="x")) == Code.FORBIDDEN
    assert bob.code(Edit(id=1, seq=999, text="x")) == Code.NOT_FOUND


# --- typing and reading ---------------------------------------------------------------------------------------------


def test_typing_is_told_to_the_others(world: World) -> None:
    alice, bob, carol = world.guest("alice"), world.guest("bob"), world.guest("carol")
    alice.forget()
    other = world.again(alice)
    assert alice.code(Typing(id=1, to="#lobby")) == Code.OK
    assert alice.code(Typing(id=1, to="bob", active=False)) == Code.OK
    assert bob.heard(events.Typing) == [
        events.Typing(sender="alice", to="#lobby"),
        events.Typing(sender="alice", to="bob", active=False),
    ]
    assert carol.heard(events.Typing) == [events.Typing(sender="alice", to="#lobby")]
    assert not alice.heard(events.Typing)
    assert not other.heard(events.Typing)


def test_in_a_crowd_typing_is_told_to_nobody_and_answered_all_the_same(world: World) -> None:
    crowd = [world.guest(f"guest{number}") for number in range(TOLD_EVERYONE + 1)]
    assert crowd[0].do(Typing(id=1, to="#lobby")) == events.Ok(id=1, code=Code.OK)
    assert crowd[0].do(Typing(to="#lobby")) is None
    assert not crowd[1].heard(events.Typing)


def test_a_marker_only_moves_on(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    seqs = [said(bob) for _ in range(3)]
    alice.forget()
    for seq in (seqs[1], seqs[0], seqs[1]):
        assert alice.code(Read(id=1, to="#lobby", seq=seq)) == Code.OK
    marker = events.ReadMarker(sender="alice", to="#lobby", seq=seqs[1])
    assert alice.told == bob.heard(events.ReadMarker) == [marker]
    assert alice.code(Read(id=1, to="#lobby", seq=2**62)) == Code.OK
    members = bob.do(commands.Who(room="#lobby")).members
    assert [(member.name, member.read) for member in members] == [("alice", seqs[2] + 1), ("bob", None)]


def test_a_marker_of_a_conversation_is_told_to_both(world: World) -> None:
    alice, bob, carol = world.guest("alice"), world.guest("bob"), world.guest("carol")
    seqs = [said(bob, "alice") for _ in range(2)]
    for seq in (seqs[1], seqs[0]):
        assert alice.code(Read(id=1, to="bob", seq=seq)) == Code.OK
    marker = events.ReadMarker(sender="alice", to="bob", seq=seqs[1])
    assert alice.heard(events.ReadMarker) == bob.heard(events.ReadMarker) == [marker]
    assert not carol.heard(events.ReadMarker)


def test_a_marker_is_the_persons_and_comes_back_with_them(world: World) -> None:
    alice, bob = world.guest("alice"), world.registered("bob")
    seq = said(bob)
    for client in (alice, bob):
        client.do(Read(to="#lobby", seq=seq))

    def markers() -> dict[str, int | None]:
        return {member.name: member.read for member in world.guest("carol").do(commands.Who(room="#lobby")).members}

    alice.quit()
    assert world.client().login("alice").code == Code.ACCEPTED
    assert markers() == {"alice": None, "bob": seq, "carol": None}, "the next alice has read nothing"
    world.restart()
    world.wait(61)
    again = world.client()
    assert again.login("alice2", token=alice.token).code == Code.ACCEPTED
    world.again(bob)
    assert markers() == {"alice2": seq, "bob": seq, "carol": None}


def test_a_marker_in_a_room_where_nothing_was_said_is_none(world: World) -> None:
    alice = world.guest("alice", "#tea")
    before = world.last_seq
    assert alice.code(Read(id=1, to="#tea", seq=before)) == Code.OK
    assert world.last_seq == before


def test_in_a_crowd_a_marker_is_told_to_oneself(world: World) -> None:
    crowd = [world.guest(f"guest{number}") for number in range(TOLD_EVERYONE + 1)]
    seq = said(crowd[0])
    assert crowd[0].code(Read(id=1, to="#lobby", seq=seq)) == Code.OK
    assert crowd[0].heard(events.ReadMarker)
    assert not crowd[1].heard(events.ReadMarker)


def test_who_is_not_in_a_room_reads_it_for_themselves(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob", "#tea")
    seq = said(bob, "#tea")
    assert alice.code(Read(id=1, to="#tea", seq=seq)) == Code.OK
    assert alice.heard(events.ReadMarker)
    assert not bob.heard(events.ReadMarker)


@pytest.mark.parametrize(
    "command",
    [
        lambda to: Typing(id=1, to=to),
        lambda to: Read(id=1, to=to, seq=1),
        lambda to: Say(id=1, to=to, text="hi"),
        lambda to: commands.History(id=1, to=to),
    ],
)
def test_nobody_is_answered_alike_everywhere(world: World, command: Any) -> None:
    alice = world.guest("alice")
    world.guest("bob").quit()
    assert [alice.code(command(to)) for to in ("carol", "bob", "#nowhere")] == [404, 410, 404]


# --- the past -------------------------------------------------------------------------------------------------------


def test_history_is_asked_for_one_way(world: World) -> None:
    alice = world.guest("alice")
    assert alice.code(commands.History(id=1, to="#lobby", before=5, after=1)) == Code.MALFORMED
    seqs = [said(alice) for _ in range(5)]
    page = alice.do(commands.History(id=1, to="#LOBBY", limit=2))
    assert ([event.seq for event in page.events], page.to, page.complete) == (seqs[3:], "#lobby", False)


def test_pages_have_a_length() -> None:
    world = World(limits={"page": 2, "sync": 3})
    alice = world.guest("alice")
    for _ in range(5):
        said(alice)
    assert len(alice.do(commands.History(to="#lobby", limit=100)).events) == 2
    assert len(alice.do(commands.Search(text="h", limit=100)).events) == 2
    assert len(alice.do(commands.Sync(after=0, limit=100)).events) == 3
    assert len(alice.do(commands.Sync(after=0)).events) == 3
    world.set(World(limits={"page": 0}).settings)
    alice.do(commands.History(to="#lobby", limit=2**63))
    (asked,) = [query for query in world.memory.asked[-1:] if isinstance(query, queries.FindPage)]
    assert asked.limit < 2**31


def test_sync_covers_the_rooms_one_is_in_and_ones_conversations(world: World) -> None:
    alice, bob = world.guest("alice", "#a", "#b"), world.guest("bob", "#a", "#b", "#c")
    for to in ("#a", "#b", "#c", "alice"):
        said(bob, to, to)
    alice.do(commands.Leave(room="#b"))
    assert [event.text for event in alice.do(commands.Sync(after=0)).events] == ["#a", "alice"]
    until = world.last_seq
    said(bob, "#a", "late")
    assert len(alice.do(commands.Sync(after=0, until=until)).events) == 2
    assert len(alice.do(commands.Sync(after=0, until=2**62)).events) == 3


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"text": " "}, 400),
        ({"text": "x", "since": "yesterday"}, 400),
        ({"text": "x", "since": "2026-01-02T03:04:05"}, 400),
        ({"text": "x", "until": "y" * 60_000}, 400),
        ({"text": "x", "since": "0001-01-01T00:00:00+23:59", "until": "9999-12-31T23:59:59-23:59"}, 200),
        ({"text": "x", "to": "#nowhere"}, 404),
        ({"text": "x", "to": "nobody_"}, 404),
    ],
)
def test_a_search_is_checked(world: World, fields: dict[str, Any], code: int) -> None:
    reply = world.guest("alice").do(commands.Search(id=1, **fields))
    assert getattr(reply, "code", 200) == code
    assert len(getattr(reply, "text", "")) < 200


def test_nobody_is_silent_since_later_than_now() -> None:
    world = World()
    alice = world.guest("alice")
    alice.say("#lobby")
    world.now -= 7_200_000  # the clock is set back
    assert alice.do(commands.Whois(name="alice")).idle == 0


@pytest.mark.parametrize(("one", "other"), [("\u2764", "\u2764\ufe0f"), ("\u00e9", "e\u0301")])
def test_a_reaction_is_the_same_however_it_is_written(world: World, one: str, other: str) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    seq = said(alice)
    assert alice.code(React(id=1, seq=seq, reaction=one)) == Code.OK
    assert bob.code(React(id=1, seq=seq, reaction=other)) == Code.OK
    assert len({event.reaction for event in alice.heard(events.Reacted)}) == 1
    alice.forget()
    assert alice.code(React(id=1, seq=seq, reaction=other)) == Code.OK
    assert alice.heard(events.Reacted) == [], "it is there already"
    assert alice.code(React(id=1, seq=seq, reaction=other, remove=True)) == Code.OK
    assert [event.remove for event in alice.heard(events.Reacted)] == [True]


def test_a_reaction_of_nothing_is_none(world: World) -> None:
    alice = world.guest("alice")
    assert alice.code(React(id=1, seq=said(alice), reaction="\ufe0f")) == Code.MALFORMED


def test_a_message_has_so_many_reactions_in_all() -> None:
    world = World(limits={"reactions_in_all": 3})
    people = [world.guest(f"guest{number}") for number in range(4)]
    seq = said(people[0])
    assert [one.code(React(id=1, seq=seq, reaction="+1")) for one in people] == [200, 200, 200, Code.FORBIDDEN]
    assert people[0].code(React(id=1, seq=seq, reaction="+1", remove=True)) == Code.OK
    assert people[3].code(React(id=1, seq=seq, reaction="+1")) == Code.OK
