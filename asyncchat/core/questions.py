"""Questions: who and what is here, what is known of a person, and what was said."""

from datetime import datetime

from asyncchat.core import permissions
from asyncchat.core.numbered_set import first_page, page_length
from asyncchat.core.outcomes import Ask, Outcome, Reply
from asyncchat.core.people import Person
from asyncchat.core.rooms import Room
from asyncchat.core.session import Session
from asyncchat.core.state import ChatState, echoed
from asyncchat.vocabulary import commands, events, queries
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.names import is_room
from asyncchat.vocabulary.terms import Code, State, from_rfc3339, rfc3339


def rooms(state: ChatState, session: Session, person: Person, command: commands.Rooms, now: int) -> Outcome:
    """A page of the rooms that the asker may know of."""
    entries = ((number, _room(state, person, room)) for number, room in state.rooms.listed.after(command.after))
    listed, complete, next = first_page(entries, page_length(command.limit, state.limits.page))
    return Reply((events.RoomList(rooms=listed, complete=complete, next=next),))


def _room(state: ChatState, person: Person, room: Room) -> events.Room | None:
    if not permissions.sees(state, person, room):
        return None
    return events.Room(
        name=room.name,
        members=len(room.members),
        topic=room.topic if permissions.reads(state, person, room) else "",
        private=room.private,
        moderated=room.moderated,
        password=room.password is not None,
    )


def who(state: ChatState, session: Session, person: Person, command: commands.Who, now: int) -> Outcome:
    """A page of the members of a room, or of everybody who is online. The topic is on the first one only."""
    room = permissions.readable_room(state, person, command.room) if command.room is not None else None
    people = room.members if room is not None else state.people.online
    entries = ((number, _member(other, room)) for number, other in people.after(command.after))
    listed, complete, next = first_page(entries, page_length(command.limit, state.limits.page))
    name = room.name if room is not None else None
    topic = room.topic if room is not None and command.after is None else ""
    page = events.Members(room=name, topic=topic, members=listed, complete=complete, next=next)
    return Reply((page,))


def _member(person: Person, room: Room | None) -> events.Member:
    state = person.state
    away = person.away if state is State.AWAY else None
    if room is None:
        return events.Member(name=person.name, state=state, registered=person.registered, away=away)
    return events.Member(
        name=person.name,
        state=state,
        role=room.role(person),
        registered=person.registered,
        away=away,
        read=person.markers.get(room.id),
    )


def whois(state: ChatState, session: Session, person: Person, command: commands.Whois, now: int) -> Outcome:
    """What the asker may know of a person."""
    other = state.person(command.name)
    shared = [
        room.name
        for room in other.rooms.values()
        if permissions.sees(state, person, room) and permissions.reads(state, person, room)
    ]
    first = next(iter(other.sessions), None)
    full = other is person or state.is_administrator(person)
    user = events.User(
        name=other.name,
        state=other.state,
        registered=other.registered,
        administrator=state.is_administrator(other),
        away=other.away if other.state is State.AWAY else None,
        rooms=shared,
        sessions=len(other.sessions),
        idle=max(0, now - other.spoke_at) // 1000 if other.spoke_at is not None else None,  # the clock may be set back
        since=rfc3339(first.since) if first is not None else None,
        address=first.address if full and first is not None else None,
    )
    return Reply((user,))


# --- the past -------------------------------------------------------------------------------------------------------


def history(state: ChatState, session: Session, person: Person, command: commands.History, now: int) -> Outcome:
    """A page of a room or of a conversation."""
    if command.before is not None and command.after is not None:
        raise Refused(Code.MALFORMED, "history goes before a seq or after one, not both")
    place, name = _place(state, person, command.to)
    limit = page_length(command.limit, state.limits.page)
    query = queries.FindPage(place, limit, before=command.before, after=command.after)
    return Ask(query, lambda page: _reply(page, name))


def sync(state: ChatState, session: Session, person: Person, command: commands.Sync, now: int) -> Outcome:
    """All that the person may see and was told of: their rooms, and their conversations."""
    query = queries.FindSince(
        person.id,
        tuple(person.rooms),
        after=command.after,
        until=min(command.until, state.seq) if command.until is not None else state.seq,
        limit=page_length(command.limit, state.limits.sync),
    )
    return Ask(query, lambda page: _reply(page, None))


def search(state: ChatState, session: Session, person: Person, command: commands.Search, now: int) -> Outcome:
    """Messages by their words, in all that the asker may read."""
    if not command.text.strip():
        raise Refused(Code.MALFORMED, "search for what?")
    name = None
    if command.to is not None:
        place, name = _place(state, person, command.to)
        rooms_read: tuple[int, ...] = (place.room,) if place.room else ()
        direct = not place.room
    else:
        place = None
        rooms_read = tuple(room.id for room in state.rooms if room.spoken and permissions.reads(state, person, room))
        direct = True
    query = queries.FindText(
        person.id,
        rooms_read,
        command.text,
        page_length(command.limit, state.limits.page),
        direct=direct,
        place=place,
        author=command.sender,
        since=_time(command.since),
        until=_time(command.until),
        before=command.before,
        seconds=state.limits.search_seconds,
    )
    return Ask(query, lambda page: _reply(page, name))


def _place(state: ChatState, person: Person, to: str) -> tuple[queries.Place, str]:
    if is_room(to):
        room = permissions.readable_room(state, person, to)
        return queries.Place(room=room.id), room.name
    other = state.person(to)
    return queries.Place(one=person.id, other=other.id), other.name


def _time(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment: datetime = from_rfc3339(text)
    except ValueError:
        raise Refused(Code.MALFORMED, f"no such time: {echoed(text)}") from None
    if moment.tzinfo is None:
        raise Refused(Code.MALFORMED, f"a time needs its offset from UTC, as in 2026-01-02T03:04:05Z: {echoed(text)}")
    return int(moment.timestamp() * 1000)


def _reply(page: queries.Page, to: str | None) -> Reply:
    return Reply((events.History(to=to, events=page.events, complete=page.complete, next=page.next),))
