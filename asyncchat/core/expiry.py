"""Periodic upkeep: the records that are due because time has passed, or because of earlier records.

`overdue` is asked about once a second. A record that could not be kept becomes due again, see `failed`.

A room's owner who was a guest and has gone hands the room over: to the operator who was made so first, else to the
member who has been there longest. In an empty room that waits for the next to come. Who wants to keep a room registers.
The server's own rooms (the default room) are nobody's.
"""

from itertools import takewhile

from asyncchat.core import unkept_guests
from asyncchat.core.logout import departure
from asyncchat.core.people import Person
from asyncchat.core.rooms import Room
from asyncchat.core.state import ChatState
from asyncchat.vocabulary import records
from asyncchat.vocabulary.terms import Role

EMPTY_ROOM_SECONDS = 60
"""How long a room in which nothing was said stays when it is empty: somebody may be on the way in."""


def overdue(state: ChatState, now: int) -> list[records.Record]:
    """The records that are due."""
    _follow_clock(state, now)
    return [
        *_goings(state, now),
        *_returns(state, now),
        *_reclaims(state, now),
        *unkept_guests.due(state, now),
        *_inheritances(state, now),
        *_drops(state, now),
    ]


def clock_stepped(state: ChatState, step: int) -> None:
    """Move with the clock what this process waits for: those who guess, who are banned, who may come back.

    What storage keeps of a ban stays as it was: after a restart its end is the one that was told.
    """
    for waits in (state.wrong_passwords, state.foundings, state.registrations, state.bans):
        waits.shift(step)
    for room in state.rooms:
        room.bans.shift(step)
    for person in state.people:
        if person.gone_at is not None:
            person.gone_at += step
        if person.spoke_at is not None:
            person.spoke_at += step
    for room in state.rooms.empty:
        state.rooms.empty[room] += step


def failed(state: ChatState, record: records.Record) -> None:
    """A record did not get into the log; what was due is due still."""
    state.in_flight.returned(record, failed=True)
    match record:
        case records.Message(nonce=str(nonce), author=author):
            state.in_flight.nonces.discard((author, nonce))
        case records.PersonCreated():
            unkept_guests.failed(state, record)
        case records.NameReleased(time=time, person=id):
            person = state.people.by_id.get(id)
            if person is not None and not person.sessions:
                state.people.wait_for(person, time)
        case records.NameTaken(person=id, name=name):
            person = state.people.by_id.get(id)
            if person is not None and person.name == name:
                state.people.reclaimed[person] = None
        case records.Seen(person=id, upto=0):
            person = state.people.by_id.get(id)
            if person is not None:
                state.people.returned[person] = None
        case records.RoleSet(room=id, by=records.NOBODY) if id in state.rooms.by_id:
            state.rooms.orphaned[state.rooms.by_id[id]] = None
        case records.RoomDropped(time=time, room=id) if id in state.rooms.by_id:
            state.rooms.expect(state.rooms.by_id[id], time)
        case _:
            pass


def _follow_clock(state: ChatState, now: int) -> None:
    """Where the clock was set back, what began later than now begins now; else all would wait until it has caught up.

    Those stand first, for they have waited longest.
    """
    for person in state.people.waiting:
        if person.gone_at is None or person.gone_at <= now:
            break
        person.gone_at = now
    for room in list(takewhile(lambda room: state.rooms.empty[room] > now, state.rooms.empty)):
        state.rooms.empty[room] = now


def _goings(state: ChatState, now: int) -> list[records.Record]:
    """People without a session are offline after some seconds, and gone later."""
    offline, hold = state.limits.offline_seconds * 1000, state.limits.hold_seconds * 1000
    due: list[records.Record] = []
    gone: list[Person] = []
    for person in state.people.waiting:
        since = now - (person.gone_at or now)
        if state.in_flight.arrivals[person.id]:
            continue
        if hold and since >= hold:
            gone.append(person)
        elif not offline or since < offline:
            break
        elif not person.told_offline:
            due.append(records.PresenceSet(time=now, person=person.id, offline=True))
    for person in gone:
        del state.people.waiting[person]
        due += departure(state, person, now, "connection lost")
    return due


def _returns(state: ChatState, now: int) -> list[records.Record]:
    """People who came online: if the server dies now, they have been sent what happened until then."""
    returned, state.people.returned = state.people.returned, {}
    return [
        records.Seen(time=now, person=person.id, upto=0)
        for person in returned
        if person.sessions and person not in state.people.passing
    ]


def _reclaims(state: ChatState, now: int) -> list[records.Record]:
    """Names that were released too late, when their guests were back: they are taken anew."""
    reclaimed, state.people.reclaimed = state.people.reclaimed, {}
    return [
        records.NameTaken(time=now, person=person.id, name=person.name, key=person.key)
        for person in reclaimed
        if person.id in state.people.by_id
    ]


def _inheritances(state: ChatState, now: int) -> list[records.Record]:
    orphaned, state.rooms.orphaned = state.rooms.orphaned, {}
    due: list[records.Record] = []
    for room in orphaned:
        heir = _heir(state, room) if not state.is_owned(room) else None
        if heir is not None:
            due.append(records.RoleSet(time=now, room=room.id, person=heir.id, role=Role.OWNER))
            due += [
                records.RoleSet(time=now, room=room.id, person=owner, role=Role.MEMBER) for owner in sorted(room.owners)
            ]
    return due


def _heir(state: ChatState, room: Room) -> Person | None:
    for id, role in room.roles.items():
        if role is Role.OPERATOR and id in state.people.by_id:
            return state.people.by_id[id]
    return next(iter(room.members), None)


def _drops(state: ChatState, now: int) -> list[records.Record]:
    due: list[records.Record] = []
    long_empty = takewhile(lambda item: now - item[1] >= EMPTY_ROOM_SECONDS * 1000, state.rooms.empty.items())
    for room, _ in list(long_empty):
        if state.in_flight.joins[room.id]:
            continue
        del state.rooms.empty[room]
        if _is_for_nothing(state, room):
            due.append(records.RoomDropped(time=now, room=room.id))
    return due


def _is_for_nothing(state: ChatState, room: Room) -> bool:
    """Nobody is in it, nothing was said in it, and nobody who is registered has to do with it."""
    if room.members or room.spoken or room.founder == records.NOBODY or room.key == state.default_room.key:
        return False
    known = (state.people.by_id.get(id) for id in room.roles)
    return not any(person is not None and person.registered for person in known)
