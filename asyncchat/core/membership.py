"""Opening rooms, entering and leaving them."""

from collections.abc import Callable, Iterator, Sequence

from asyncchat.core import permissions
from asyncchat.core.credentials import check_attempt, judge
from asyncchat.core.outcomes import Append, Ask, Effect, Outcome, Reply, Tell, Together, done
from asyncchat.core.people import Person
from asyncchat.core.room_settings import uninvited
from asyncchat.core.rooms import Room
from asyncchat.core.session import Session
from asyncchat.core.state import ChatState, echoed
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.names import RoomName
from asyncchat.vocabulary.queries import VerifyPassword
from asyncchat.vocabulary.terms import Code, Role


def join(state: ChatState, session: Session, person: Person, command: commands.Join, now: int) -> Outcome:
    """Enter a room, and found it if there is none of that name."""
    name = _room_name(state, person, command.room)
    _check_one_more(state, person, name)
    if command.password is not None:
        check_attempt(state, session, now)
    if name.key in state.rooms.by_key:
        return _join(state, session, person, command, name, now, Code.OK)
    if not permissions.founds(state, session, person):
        return _no_room(state, session, command, name, now)
    _check_room_for_one(state)
    _check_founding(state, session, person, now)
    created = records.RoomCreated(time=now, name=name.text, key=name.key, founder=person.id)

    def founded(seqs: Sequence[int]) -> Outcome:
        mine = seqs[0] in state.rooms.by_id
        return _join(state, session, person, command, name, now, Code.CREATED if mine else Code.OK)

    return Append((created,), then=founded)


def _no_room(state: ChatState, session: Session, command: commands.Join, name: RoomName, now: int) -> Outcome:
    """As if there were a private room that does not admit them: the same words, after the same time."""
    wrong = permissions.cannot_be_joined(name.text)
    if command.password is None:
        raise wrong

    def verified(_: bool) -> Outcome:
        judge(state, session, now, name.key, False, wrong)
        raise wrong

    return Ask(VerifyPassword(state.no_password, command.password), verified)


def _join(
    state: ChatState, session: Session, person: Person, command: commands.Join, name: RoomName, now: int, code: Code
) -> Outcome:
    """Enter a room that exists."""
    room = state.room(name.text)
    if person in room.members:
        return Reply((events.Ok(code=Code.OK, text=f"you are in {room.name} already"),))
    try:
        needs_password = permissions.check_join(state, session, person, room, name.text, now)
    except Refused:
        if command.password is None or not room.private:
            raise
        # A private room without a password must not answer sooner than one that has one.
        needs_password = True
    if not needs_password:
        return _enter(state, session, person, command, room, now, code)
    wrong = permissions.cannot_be_joined(name.text)
    if command.password is None:
        raise wrong if room.private else Refused(Code.FORBIDDEN, f"{room.name} has a password")
    if not room.private:
        wrong = Refused(Code.WRONG_PASSWORD, f"{room.name}: wrong password")

    def verified(fits: bool) -> Outcome:
        judge(state, session, now, room.key, fits and room.password == stored, wrong)
        by_password = permissions.check_join(state, session, person, room, name.text, now)
        return _enter(state, session, person, command, room, now, code, password=stored if by_password else None)

    stored = room.password
    return Ask(VerifyPassword(stored or state.no_password, command.password), verified)


def _enter(
    state: ChatState,
    session: Session,
    person: Person,
    command: commands.Join,
    room: Room,
    now: int,
    code: Code,
    *,
    password: str | None = None,
) -> Outcome:
    """Go in; *password* is the hash of the room's, if that is what lets them in."""
    put: list[records.Record] = []
    if password is not None:
        # It is said once: clients that come back by themselves, after a restart or a while, do not have it any more.
        put += _forgotten(state, room, person, now)
        put.append(
            records.InviteSet(
                time=now, room=room.id, person=person.id, by=person.id, by_password=True, password=password
            )
        )
    put.append(records.PersonJoined(time=now, person=person.id, room=room.id, address=session.address))

    def entered(_: Sequence[int]) -> Outcome:
        if person in room.members:
            return done(code)
        # A ban, another password or another option was ahead in the log, or the end of the room: what is so now counts.
        return join(state, session, person, command, now)

    return Append(tuple(put), then=entered)


REMEMBERED = 1_000
"""People that a room remembers to have said its password; beyond it, guests who have gone have to say it anew."""


def _forgotten(state: ChatState, room: Room, by: Person, now: int) -> Iterator[records.InviteSet]:
    if len(room.invited) < REMEMBERED:
        return
    for id, by_password in room.invited.items():
        if by_password and id not in state.people.by_id:
            yield uninvited(room, id, by.id, now)


def _room_name(state: ChatState, person: Person, text: str) -> RoomName:
    """Parse the name of a room that may be new; raises `Refused` 400.

    One that is there, and is no secret to this person, may be longer than today's limit.
    """
    try:
        return state.room_name(text)
    except Refused as refused:
        try:
            room = permissions.visible_room(state, person, text)
        except Refused:
            raise refused from None
        return RoomName(room.name, room.key)


def _check_one_more(state: ChatState, person: Person, name: RoomName) -> None:
    """Raise `Refused` 403 for one who is in as many rooms as allowed."""
    limit = state.limits.rooms
    known = state.rooms.by_key.get(name.key)
    if limit and len(person.rooms) >= limit and (known is None or person not in known.members):
        raise Refused(Code.FORBIDDEN, f"you are in {limit} rooms already: leave one first")


def _check_room_for_one(state: ChatState, opening: int = 0) -> None:
    """Raise `Refused` 403 when the server has as many rooms as allowed; *opening* are on the way."""
    limit = state.limits.rooms_in_all
    if limit and len(state.rooms) + opening >= limit:
        raise Refused(Code.FORBIDDEN, f"this server has {limit} rooms already")


def _check_founding(state: ChatState, session: Session, person: Person, now: int, opening: int = 0) -> None:
    """Raise `Refused` for one (403) or an address (429) that has founded as many rooms as allowed."""
    limit = state.limits.rooms_founded
    if limit and person.id != records.NOBODY and state.rooms.founded_by(person.id) + opening >= limit:
        raise Refused(Code.FORBIDDEN, f"you have founded {limit} rooms already")
    state.foundings.check(session.address, state.limits.rooms_per_address, "new rooms", now, opening + 1)


def leave(state: ChatState, session: Session, person: Person, command: commands.Leave, now: int) -> Outcome:
    """Leave a room."""
    room = permissions.visible_room(state, person, command.room)
    if person not in room.members:
        raise Refused(Code.CONFLICT, f"you are not in {room.name}")
    reason = state.check_line(command.reason, "a reason")
    if not permissions.has_voice(state, person, room, now):
        reason = None
    return Append((records.PersonLeft(time=now, person=person.id, room=room.id, reason=reason),))


# --- several at once, at login --------------------------------------------------------------------------------------

Opened = Callable[[Sequence[int], Sequence[str]], Outcome]
"""How a login goes on: with the ids of the rooms that may be entered, and with what hinders at others."""


def open_rooms(
    state: ChatState, session: Session, person: Person, texts: Sequence[str], now: int, then: Opened
) -> Outcome:
    """Found those of these rooms that do not exist, and go on. Nothing that hinders one keeps out of the others."""
    founds = permissions.founds(state, session, person) and person not in state.people.passing
    names, problems = _wanted(state, session, person, texts, now, founds=founds)
    missing = [
        records.RoomCreated(time=now, name=name.text, key=key, founder=person.id)
        for key, name in names.items()
        if founds and key not in state.rooms.by_key
    ]

    def founded(_: Sequence[int]) -> Outcome:
        ids, hindered = _enterable(state, session, person, names, now)
        return then(ids, problems + hindered)

    return Append(tuple(missing), then=founded) if missing else founded(())


def _wanted(
    state: ChatState, session: Session, person: Person, texts: Sequence[str], now: int, *, founds: bool
) -> tuple[dict[str, RoomName], list[str]]:
    """The rooms that these texts name, by key, as far as there may be so many; and what is wrong with the others."""
    names: dict[str, RoomName] = {}
    problems: list[str] = []
    fresh = opening = 0
    for text in texts:
        try:
            name = _room_name(state, person, text)
            known = state.rooms.by_key.get(name.key)
            if name.key in names or (known is not None and person in known.members):
                names.setdefault(name.key, name)
                continue
            limit = state.limits.rooms
            if limit and len(person.rooms) + fresh >= limit:
                raise Refused(Code.FORBIDDEN, f"you are in {limit} rooms already")
            if known is None and founds:
                _check_room_for_one(state, opening)
                _check_founding(state, session, person, now, opening)
                opening += 1
            fresh += 1
            names[name.key] = name
        except Refused as error:
            problems.append(f"{echoed(text)}: {error.text}")
        if len(problems) >= PROBLEMS_TOLD:
            break
    return names, problems


PROBLEMS_TOLD = 20
"""What hinders at login is told for so many rooms; a client that goes on after that does not read it."""


def _enterable(
    state: ChatState, session: Session, person: Person, names: dict[str, RoomName], now: int
) -> tuple[list[int], list[str]]:
    ids: list[int] = []
    problems: list[str] = []
    for key, name in names.items():
        room = state.rooms.by_key.get(key)
        if room is None:
            # Dropped just now, if they may open rooms: nothing to tell.
            if not permissions.founds(state, session, person) or person in state.people.passing:
                problems.append(permissions.cannot_be_joined(name.text).text)
            continue
        try:
            if person not in room.members and permissions.check_join(state, session, person, room, name.text, now):
                raise (
                    permissions.cannot_be_joined(name.text)
                    if room.private
                    else Refused(Code.FORBIDDEN, f"{room.name} has a password: join it by itself")
                )
        except Refused as error:
            problems.append(error.text)
        else:
            ids.append(room.id)
    return ids, problems


def shut_out(state: ChatState, session: Session, person: Person, now: int) -> tuple[records.Record, ...]:
    """Out of the rooms where a ban is on the address that somebody comes back from; they may have been away for it."""
    bans = ((room, permissions.ban_on(state, person, room, session.address, now)) for room in person.rooms.values())
    return tuple(
        records.PersonLeft(time=now, person=person.id, room=room.id, reason=ban.reason, by=ban.by)
        for room, ban in bans
        if ban is not None
    )


def kept_out(state: ChatState, person: Person, ids: Sequence[int]) -> list[str]:
    """What hinders at those rooms that could be entered (these ids), but not any more when it came to that."""
    rooms = (state.rooms.by_id.get(id) for id in ids)
    return [
        permissions.cannot_be_joined(room.name).text
        for room in rooms
        if room is not None and person not in room.members
    ]


# --- facts ----------------------------------------------------------------------------------------------------------


def room_created(state: ChatState, seq: int, record: records.RoomCreated, origin: Session | None) -> Sequence[Effect]:
    """A room exists. Of two who create it at the same moment the second finds the first one's."""
    if record.key not in state.rooms.by_key:
        room = Room(seq, record.name, record.key, record.founder)
        room.spoken = record.spoken
        state.rooms.add(room, record.time)
        if record.founder:
            state.rooms.set_role(room, record.founder, Role.OWNER)
    return ()


def room_dropped(state: ChatState, seq: int, record: records.RoomDropped, origin: Session | None) -> Sequence[Effect]:
    """A room is no more; all who are in it are told once."""
    room = state.rooms.by_id.get(record.room)
    if room is None:
        return ()
    to = dict(room.audience)
    for person in list(room.members):
        state.rooms.leave(room, person, record.time)
    state.rooms.remove(room)
    event = events.Destroyed(sender=record.by or state.server_name, room=room.name, reason=record.reason)
    return (Tell(event, to, origin),) if to else ()


def person_joined(state: ChatState, seq: int, record: records.PersonJoined, origin: Session | None) -> Sequence[Effect]:
    """A person is in a room, unless a fact that was ahead of this one keeps them out."""
    person, room = state.people.by_id.get(record.person), state.rooms.by_id.get(record.room)
    if person is None or room is None or person in room.members:
        return ()
    if not permissions.admits(state, person, room, record.address, record.time):
        return ()
    state.rooms.enter(room, person, seq)
    if room.owners and not state.is_owned(room):
        state.rooms.orphaned[room] = None
    return (Tell(events.Joined(name=person.name, room=room.name, role=room.role(person)), room.audience, origin),)


def person_left(state: ChatState, seq: int, record: records.PersonLeft, origin: Session | None) -> Sequence[Effect]:
    """A person is no longer in a room."""
    person, room = state.people.by_id.get(record.person), state.rooms.by_id.get(record.room)
    if person is None or room is None or person not in room.members:
        return ()
    state.rooms.leave(room, person, record.time)
    event: events.Event = events.Left(name=person.name, room=room.name, reason=record.reason)
    if record.by is not None:
        event = events.Kicked(sender=record.by, name=person.name, room=room.name, reason=record.reason)
    return (Tell(event, Together(room.audience, person.sessions), origin),)
