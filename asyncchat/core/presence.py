"""Whether people can be expected to read: away, back, offline."""

from collections.abc import Sequence

from msgspec import structs

from asyncchat.core import permissions
from asyncchat.core.outcomes import Append, Effect, Outcome, Tell, done
from asyncchat.core.people import Person
from asyncchat.core.session import Session
from asyncchat.core.state import ChatState, neighbours
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.terms import State


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
