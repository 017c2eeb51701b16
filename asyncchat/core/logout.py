"""Presence: away and back, goodbyes, lost connections, and names that are free again."""

from collections.abc import Sequence

from msgspec import structs

from asyncchat.core import permissions
from asyncchat.core.outcomes import NOTHING, Append, Close, Effect, Outcome, Tell, done
from asyncchat.core.people import Person
from asyncchat.core.session import Phase, Session
from asyncchat.core.state import ChatState, neighbours
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.terms import Code, State


def away(state: ChatState, session: Session, person: Person, command: commands.Away, now: int) -> Outcome:
    """Be away, or back."""
    text = state.check_line(command.text, "an away text") or None
    if text == person.away:
        return done()
    return Append((records.PresenceSet(time=now, person=person.id, away=text),))


def presence_set(state: ChatState, seq: int, record: records.PresenceSet, origin: Session | None) -> Sequence[Effect]:
    """A person is away, back, or offline."""
    person = state.people.by_id.get(record.person)
    if person is None:
        return ()
    if not record.offline:
        person.away = record.away
    elif person.sessions or person.told_offline:
        return ()
    else:
        person.told_offline = True
    return tell_presence(state, person, origin, record.time)


def tell_presence(state: ChatState, person: Person, origin: Session | None, now: int) -> Sequence[Tell]:
    """Tell all who share a room with a person how they are, and why they are away where they may speak."""
    silent = events.Presence(name=person.name, state=person.state)
    if person.state is not State.AWAY:
        return (Tell(silent, neighbours(person), origin),)
    event = structs.replace(silent, text=person.away)
    heard_in = [room for room in person.rooms.values() if permissions.has_voice(state, person, room, now)]
    if len(heard_in) == len(person.rooms):
        return (Tell(event, neighbours(person), origin),)
    told = dict(person.sessions)
    for room in heard_in:
        told.update(room.audience)
    others = [session for session in neighbours(person) if session not in told]
    return Tell(event, told, origin), Tell(silent, others, origin)


def quit_(state: ChatState, session: Session, person: Person | None, command: commands.Quit, now: int) -> Outcome:
    """Goodbye: the session ends, and with the person's last one they leave for good."""
    reason = state.check_line(command.reason, "a reason")
    bye = events.Bye(code=Code.OK, reason=reason or "goodbye")
    if person is not None and not all(
        permissions.has_voice(state, person, room, now) for room in person.rooms.values()
    ):
        reason = None  # it is told in all of them
    return detach(state, session, now, quit=True, reason=reason, last=Close((bye,)))


def detach(
    state: ChatState,
    session: Session,
    now: int,
    *,
    quit: bool,
    reason: str | None,
    received: int | None = None,
    last: Outcome = NOTHING,
) -> Outcome:
    """A session ends, said or not. Whoever said goodbye, or cannot come back as the same person, leaves at once."""
    person = session.person
    if person is None or person.id == records.NOBODY:  # nobody was there, or the operator
        return last

    def detached(_: Sequence[int]) -> Outcome:
        if person.sessions or state.people.by_id.get(person.id) is not person:
            return last
        assert person.seen is not None  # set when the last session ended, which may be some records ago
        farewell: list[records.Record] = []
        if person not in state.people.passing:
            farewell.append(records.Seen(time=now, person=person.id, upto=person.seen))
        if quit:
            farewell += departure(state, person, now, reason)
        if not farewell:
            return last
        return Append(tuple(farewell), then=lambda _: last, not_stored=lambda: last)

    over = records.SessionClosed(
        time=now,
        person=person.id,
        session=session.key,
        node=session.node,
        quit=quit,
        reason=reason,
        received=received,
    )
    return Append((over,), then=detached)


def departure(state: ChatState, person: Person, now: int, reason: str | None) -> list[records.Record]:
    """The records by which a person who has no session any more leaves; a guest's name is free then."""
    gone: list[records.Record] = [records.PersonGone(time=now, person=person.id, reason=reason)]
    if not person.registered and person not in state.people.passing:
        gone.append(records.NameReleased(time=now, person=person.id))
    return gone


# --- facts ----------------------------------------------------------------------------------------------------------


def session_closed(
    state: ChatState, seq: int, record: records.SessionClosed, origin: Session | None
) -> Sequence[Effect]:
    """A session is over."""
    person = state.people.by_id.get(record.person)
    if origin is None:
        origin = state.elsewhere.pop((record.node, record.session), None)
    if origin is None or person is None:
        return ()
    origin.phase = Phase.OVER
    person.sessions.pop(origin, None)
    state.sessions.pop(origin, None)
    for room in person.rooms.values():
        room.audience.pop(origin, None)
    if not person.sessions:
        state.people.online.remove(person)
        person.seen = seq if record.received is None else min(record.received, seq)
        state.people.wait_for(person, record.time)
    return ()


def seen(state: ChatState, seq: int, record: records.Seen, origin: Session | None) -> Sequence[Effect]:
    """What storage keeps of `Person.seen`; it is news at a start only: a session may have come and gone meanwhile."""
    person = state.people.by_id.get(record.person)
    if person is not None and not person.sessions and record.upto > (person.seen or 0):
        person.seen = record.upto
    return ()


def person_gone(state: ChatState, seq: int, record: records.PersonGone, origin: Session | None) -> Sequence[Effect]:
    """A person is not waited for any more; one who came back meanwhile stays."""
    person = state.people.by_id.get(record.person)
    if person is None or person.sessions:
        return ()
    told: list[Effect] = []
    for room in list(person.rooms.values()):
        state.rooms.leave(room, person, record.time)
        told.append(Tell(events.Left(name=person.name, room=room.name, reason=record.reason), room.audience, origin))
    person.nonces = None  # all are through the log, and storage knows them
    person.away = None  # who comes back another day is here
    if person in state.people.passing:
        state.people.forget(person)
    return told


def name_released(state: ChatState, seq: int, record: records.NameReleased, origin: Session | None) -> Sequence[Effect]:
    """A guest has gone. One who is coming back is waited for anew, so that this is not sent after them."""
    person = state.people.by_id.get(record.person)
    if person is None or person.registered:
        return ()
    if person.sessions:  # a goodbye, and another session that was on its way in
        state.people.reclaimed[person] = None
        return ()
    for room in list(person.rooms.values()):
        state.rooms.leave(room, person, record.time)
    state.people.forget(person)
    for room in state.rooms.owned_by(person.id):
        state.rooms.orphaned[room] = None
    return ()
