"""What is said: messages, edits, deletions, reactions, typing, and how far everyone has read."""

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any

from asyncchat.core import permissions
from asyncchat.core.outcomes import Append, Ask, Effect, Outcome, Tell, done
from asyncchat.core.people import Person
from asyncchat.core.session import Session
from asyncchat.core.state import ChatState, sessions_of
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.names import is_room
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.queries import FindMessage, FindNonces, StoredMessage
from asyncchat.vocabulary.records import NOBODY
from asyncchat.vocabulary.terms import Code, normal_reaction, rfc3339

TOLD_EVERYONE = 100
"""Members up to which typing and read markers are told to a whole room; in larger ones they would be the traffic."""

ALL_NONCES = 2**31
"""Nonces that are read from storage where their number has no limit."""


# --- commands -------------------------------------------------------------------------------------------------------


def say(state: ChatState, session: Session, person: Person, command: commands.Say, now: int) -> Outcome:
    """A message, to a room or to a person."""
    if command.nonce is not None and person.id != NOBODY:
        # First of all: what was said once is said, though the room or the person may be gone when it is sent again.
        nonces, in_flight = person.nonces, state.in_flight.nonces
        if nonces is None or command.nonce in nonces or (person.id, command.nonce) in in_flight:
            return _say_again(state, session, person, command, now)
    state.check_text(command.text)
    if command.reply_to is not None and command.reply_to > state.seq:
        # One that was there and is gone may be answered still; to look for it would cost a reading.
        raise Refused(Code.NOT_FOUND, f"no such message: {command.reply_to}")
    code = Code.OK
    room_id = peer_id = NOBODY
    if is_room(command.to):
        room = permissions.room_to_speak_in(state, session, person, command.to, now)
        room_id, name = room.id, room.name
    else:
        peer = state.person(command.to)
        peer_id, name = peer.id, peer.name
        if not peer.sessions:
            code = Code.ACCEPTED
    message = records.Message(
        time=now,
        author=person.id,
        name=person.name,
        to=name,
        text=command.text,
        room=room_id,
        peer=peer_id,
        kind=command.kind,
        reply_to=command.reply_to,
        nonce=command.nonce,
    )
    return Append((message,), code)


def _say_again(state: ChatState, session: Session, person: Person, command: commands.Say, now: int) -> Outcome:
    """A message whose nonce is known, or may be."""
    assert command.nonce is not None

    def again(_: Sequence[int]) -> Outcome:
        return say(state, session, person, command, now)

    if (person.id, command.nonce) in state.in_flight.nonces or state.in_flight.recalls[person.id]:
        # The first, or what tells of it, is on its way through the log. Behind the barrier it has come or failed.
        return Append((records.Barrier(time=now),), then=again)
    if person.nonces is None:
        upto = state.seq

        def recalled(nonces: dict[str, int]) -> Outcome:
            return Append((records.NoncesRecalled(time=now, person=person.id, nonces=nonces, upto=upto),), then=again)

        return Ask(FindNonces(person.id, state.limits.nonces or ALL_NONCES), recalled)
    seq = person.nonces[command.nonce]
    return done(seq=seq)


def edit(state: ChatState, session: Session, person: Person, command: commands.Edit, now: int) -> Outcome:
    """Another text for one's own message."""
    state.check_text(command.text)

    def found(message: StoredMessage | None) -> Outcome:
        message = permissions.check_message(state, person, message, command.seq)
        if message.author != person.id:
            raise Refused(Code.FORBIDDEN, "only its author edits a message")
        permissions.check_change(state, session, person, message, now)
        change = records.MessageEdited(target=message.seq, text=command.text, **_change(person, message, now))
        return Append((change,))

    return Ask(FindMessage(command.seq), found)


def delete(state: ChatState, session: Session, person: Person, command: commands.Delete, now: int) -> Outcome:
    """One's own message, or as the room's operator anyone's, is gone."""

    def found(message: StoredMessage | None) -> Outcome:
        message = permissions.check_message(state, person, message, command.seq)
        permissions.check_delete(state, person, message)
        change = records.MessagesDeleted(targets=[message.seq], **_change(person, message, now))
        return Append((change,))

    return Ask(FindMessage(command.seq), found)


def react(state: ChatState, session: Session, person: Person, command: commands.React, now: int) -> Outcome:
    """A reaction on a message; one that is there already, or is not there to be taken off, is no news."""
    reaction = normal_reaction(command.reaction)
    if not reaction or printable(reaction) != reaction or any(map(str.isspace, reaction)):
        raise Refused(Code.MALFORMED, "a reaction is an emoji or a word")

    def found(message: StoredMessage | None) -> Outcome:
        message = permissions.check_message(state, person, message, command.seq)
        permissions.check_change(state, session, person, message, now)
        if state.in_flight.changes.has_reacted(message, reaction, person.id) is not command.remove:
            return done()
        most, there = state.limits.reactions, state.in_flight.changes.reactions(message)
        if most and len(there) >= most and reaction not in there and not command.remove:
            raise Refused(Code.FORBIDDEN, f"this message has {most} different reactions already")
        in_all = state.limits.reactions_in_all
        if in_all and state.in_flight.changes.count(message) >= in_all and not command.remove:
            raise Refused(Code.FORBIDDEN, f"this message has {in_all} reactions already")
        change = records.MessageReacted(
            target=message.seq,
            reaction=reaction,
            remove=command.remove,
            **_change(person, message, now),
        )
        return Append((change,))

    return Ask(FindMessage(command.seq, person.id), found)


def typing(state: ChatState, session: Session, person: Person, command: commands.Typing, now: int) -> Outcome:
    """Typing, or no longer. Who may not speak is not announced as typing either."""
    if is_room(command.to):
        room = permissions.room_to_speak_in(state, session, person, command.to, now)
        if len(room.members) > TOLD_EVERYONE:
            return done()
        record = records.PersonTyping(time=now, person=person.id, to=room.name, room=room.id, active=command.active)
    else:
        peer = state.person(command.to)
        record = records.PersonTyping(time=now, person=person.id, to=peer.name, peer=peer.id, active=command.active)
    return Append((record,))


def read(state: ChatState, session: Session, person: Person, command: commands.Read, now: int) -> Outcome:
    """How far a person has read a room or a conversation; it only moves on."""
    upto = min(command.seq, state.seq)
    room = peer = NOBODY
    if is_room(command.to):
        place = permissions.readable_room(state, person, command.to)
        room = place.id
        if not place.spoken:
            return done()
    else:
        peer = state.person(command.to).id
    if person.markers.get(room or peer, 0) >= upto:
        return done()
    return Append((records.MarkerSet(time=now, person=person.id, upto=upto, room=room, peer=peer),))


def _change(person: Person, message: StoredMessage, now: int) -> dict[str, Any]:
    return {
        "time": now,
        "by": person.id,
        "name": person.name,
        "to": message.to,
        "room": message.room,
        "author": message.author,
        "peer": message.peer,
    }


# --- facts ----------------------------------------------------------------------------------------------------------


def message_said(state: ChatState, seq: int, record: records.Message, origin: Session | None) -> Sequence[Effect]:
    """A message is kept: tell it. If its reader has just gone, they find it when they come back by token."""
    to: Collection[Session]
    room = state.rooms.by_id.get(record.room)
    if room is not None:
        room.spoken = True
        to = room.audience
    else:
        # Of a room that has just been dropped the author alone is left, who must hear what is in the log.
        to = _audience(state, NOBODY, record.author, record.peer)
    author = state.people.by_id.get(record.author)
    if author is not None:
        author.spoke_at = record.time
        if record.nonce is not None:
            _remember(author, record.nonce, seq, state.limits.nonces)
    event = events.Said(
        seq=seq,
        time=rfc3339(record.time),
        sender=record.name,
        to=record.to,
        text=record.text,
        kind=record.kind,
        reply_to=record.reply_to,
        nonce=record.nonce,
    )
    return (Tell(event, to, origin),)


def nonces_recalled(
    state: ChatState, seq: int, record: records.NoncesRecalled, origin: Session | None
) -> Sequence[Effect]:
    """What a person said lately is known, unless they said more since storage was asked."""
    person = state.people.by_id.get(record.person)
    if person is not None and person.nonces is None and person.unremembered <= record.upto:
        person.nonces = dict(record.nonces)
    return ()


def message_edited(
    state: ChatState, seq: int, record: records.MessageEdited, origin: Session | None
) -> Sequence[Effect]:
    """A message has another text."""
    event = events.Edited(
        seq=seq,
        time=rfc3339(record.time),
        sender=record.name,
        to=record.to,
        target=record.target,
        text=record.text,
    )
    return (Tell(event, _audience(state, record.room, record.author, record.peer), origin),)


def messages_deleted(
    state: ChatState, seq: int, record: records.MessagesDeleted, origin: Session | None
) -> Sequence[Effect]:
    """Messages are gone."""
    event = events.Deleted(seq=seq, time=rfc3339(record.time), sender=record.name, to=record.to, targets=record.targets)
    return (Tell(event, _audience(state, record.room, record.author, record.peer), origin),)


def message_reacted(
    state: ChatState, seq: int, record: records.MessageReacted, origin: Session | None
) -> Sequence[Effect]:
    """A reaction was put or taken off."""
    event = events.Reacted(
        seq=seq,
        time=rfc3339(record.time),
        sender=record.name,
        to=record.to,
        target=record.target,
        reaction=record.reaction,
        remove=record.remove,
    )
    return (Tell(event, _audience(state, record.room, record.author, record.peer), origin),)


def person_typing(state: ChatState, seq: int, record: records.PersonTyping, origin: Session | None) -> Sequence[Effect]:
    """Somebody is typing: told to all but themselves."""
    person = state.people.by_id.get(record.person)
    if person is None:
        return ()
    event = events.Typing(sender=person.name, to=record.to, active=record.active)
    audience = _audience(state, record.room, NOBODY, record.peer)
    return (Tell(event, [session for session in audience if session.person is not person], origin),)


def marker_set(state: ChatState, seq: int, record: records.MarkerSet, origin: Session | None) -> Sequence[Effect]:
    """A person has read on: told to their own sessions, and to those who read the same, unless that is a crowd."""
    person = state.people.by_id.get(record.person)
    if person is None:
        return ()
    place = record.room or record.peer
    upto = person.markers[place] = max(record.upto, person.markers.get(place, 0))
    room, peer = state.rooms.by_id.get(record.room), state.people.by_id.get(record.peer)
    to: Collection[Session] = person.sessions
    if room is not None:
        name = room.name
        if person in room.members and len(room.members) <= TOLD_EVERYONE:
            to = room.audience
    elif peer is not None:
        name, to = peer.name, sessions_of((person, peer))
    else:
        return ()
    return (Tell(events.ReadMarker(sender=person.name, to=name, seq=upto), to, origin),)


def _audience(state: ChatState, room_id: int, one: int, other: int) -> Collection[Session]:
    if room_id:
        room = state.rooms.by_id.get(room_id)
        return room.audience if room is not None else ()
    people = (state.people.by_id.get(one), state.people.by_id.get(other))
    return sessions_of(person for person in people if person is not None)


def _remember(person: Person, nonce: str, seq: int, limit: int) -> None:
    nonces = person.nonces
    if nonces is None:
        person.unremembered = seq
        return
    nonces[nonce] = seq
    spare = limit // 8
    if limit and len(nonces) > limit + spare:
        # Many at a time: to find a dict's first key is to walk over all that were deleted before it.
        for oldest in list(islice(nonces, spare + 1)):
            del nonces[oldest]
