"""What a room is: its topic, its options, who is invited, and who has which role."""

from collections.abc import Collection, Sequence

from asyncchat.core import permissions
from asyncchat.core.credentials import check_password, check_secure
from asyncchat.core.outcomes import Append, Ask, Effect, Outcome, Reply, Tell, Together
from asyncchat.core.people import Person
from asyncchat.core.rooms import Room
from asyncchat.core.session import Session
from asyncchat.core.state import ChatState
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.names import name_key
from asyncchat.vocabulary.queries import HashPassword
from asyncchat.vocabulary.records import NOBODY
from asyncchat.vocabulary.terms import Code, Role, rfc3339


def topic(state: ChatState, session: Session, person: Person, command: commands.Topic, now: int) -> Outcome:
    """Set or ask for a room's topic."""
    room = permissions.readable_room(state, person, command.room)
    if command.text is None:
        return Reply((events.Ok(code=Code.OK, text=room.topic),))
    permissions.check_topic(state, session, person, room, now)
    text = state.check_line(command.text, "a topic") or ""
    return Append((records.TopicSet(time=now, room=room.id, to=room.name, by=person.id, name=person.name, text=text),))


def invite(state: ChatState, session: Session, person: Person, command: commands.Invite, now: int) -> Outcome:
    """Tell a person of a room. An operator also lets them in for the time when not everybody may enter."""
    room = permissions.visible_room(state, person, command.room)
    permissions.check_invite(state, person, room)
    guest = state.person(command.name)
    if guest in room.members:
        raise Refused(Code.CONFLICT, f"{guest.name} is in {room.name} already")
    if room.bans.match(now, person=guest.id, key=guest.key, address=""):
        raise Refused(Code.CONFLICT, f"{guest.name} is banned from {room.name}: lift the ban first")
    if not permissions.lets_in(state, person, room):
        return Append((records.PersonInvited(time=now, room=room.id, person=guest.id, by=person.id),))
    limit = state.limits.invited
    full = f"{room.name} has {limit} people invited already: put somebody out first"
    in_the_way = _in_the_way(state, room, room.by_operators, guest, limit, full)
    forgotten = [uninvited(room, gone, person.id, now) for gone in in_the_way]
    return Append((*forgotten, records.InviteSet(time=now, room=room.id, person=guest.id, by=person.id)))


def _in_the_way(state: ChatState, room: Room, there: Collection[int], one: Person, limit: int, full: str) -> list[int]:
    """Who is to be forgotten for one more person: nobody, or where there are so many, the guests who have gone.

    No owner is. Raises `Refused` 403, with the text *full*, when that does not help.
    """
    if not limit or len(there) < limit or one.id in there:
        return []
    gone = [id for id in there if id not in state.people.by_id and id not in room.owners]
    if len(there) - len(gone) >= limit:
        raise Refused(Code.FORBIDDEN, full)
    return gone


def set_role(state: ChatState, session: Session, person: Person, command: commands.SetRole, now: int) -> Outcome:
    """Give a person a role that is at most one's own."""
    room = permissions.visible_room(state, person, command.room)
    permissions.check_right(state, person, room, "role")
    target = state.person(command.name)
    permissions.check_role(state, person, target, room, command.role)
    put: list[records.Record] = []
    if command.role is not Role.MEMBER:
        limit = state.limits.roles
        full = f"{room.name} has {limit} people with a role already: make one a member first"
        put += [
            records.RoleSet(time=now, room=room.id, person=gone, role=Role.MEMBER, by=person.id)
            for gone in _in_the_way(state, room, room.roles, target, limit, full)
        ]
    put.append(records.RoleSet(time=now, room=room.id, person=target.id, role=command.role, by=person.id))
    if room.closed and target in room.members and target.id not in room.invited:
        put.append(admission(room, target.id, now))  # it may have been the role that let them in
    return Append(tuple(put))


def set_room(state: ChatState, session: Session, person: Person, command: commands.SetRoom, now: int) -> Outcome:
    """Change a room's options."""
    room = permissions.visible_room(state, person, command.room)
    permissions.check_right(state, person, room, "set")

    def changed(password: str | None) -> Outcome:
        options = records.RoomSet(
            time=now,
            room=room.id,
            by=person.id,
            private=command.private,
            moderated=command.moderated,
            topic_locked=command.topic_locked,
            retention=command.retention,
            password=password,
        )
        if password is None and (room.closed or not options.private):
            return Append((options,))
        was_closed = room.closed
        # Not before it is in force: until then people come and go.
        return Append((options,), then=lambda _: _admit_members(room, options, was_closed))

    if command.password:
        check_secure(state, session)
        check_password(command.password, shortest=1)
        return Ask(HashPassword(command.password), changed)
    return changed(command.password)


def destroy(state: ChatState, session: Session, person: Person, command: commands.Destroy, now: int) -> Outcome:
    """Remove a room with its history, once that is confirmed."""
    room = permissions.visible_room(state, person, command.room)
    permissions.check_right(state, person, room, "destroy")
    if room.key == state.default_room.key:
        raise Refused(Code.CONFLICT, f"{room.name} is the server's own room: everybody comes in there")
    if command.confirm is None or name_key(command.confirm) != room.key:
        raise Refused(
            Code.MALFORMED, f"{room.name} and all that was said there would be gone for good: confirm by its name"
        )
    reason = state.check_line(command.reason, "a reason")
    return Append((records.RoomDropped(time=now, room=room.id, by=person.name, reason=reason),))


def _admit_members(room: Room, options: records.RoomSet, was_closed: bool) -> Outcome:
    """Say for good who may come back, and who may not, when a room has closed or has another password.

    To be in a room is forgotten with a restart: a room that closes admits its members, lest they are locked out.
    Another password counts for all whom the one before let in, unless they are in the room.
    """
    present = {member.id for member in room.members}
    admitted = [] if was_closed or not room.closed else [id for id in present if id not in room.invited]
    told_before = [id for id, by_password in room.invited.items() if by_password and id not in present]
    put = [admission(room, id, options.time) for id in admitted]
    if options.password is not None:
        put += [uninvited(room, id, options.by, options.time) for id in told_before]

    def stays(_: Sequence[int]) -> Outcome:
        # Put out, or gone, while that was on its way through the log.
        present = {member.id for member in room.members}
        gone = [uninvited(room, id, options.by, options.time) for id in admitted if id not in present]
        return Append((*gone, records.Barrier(time=options.time)))

    return Append((*put, records.Barrier(time=options.time)), then=stays)


def admission(room: Room, person: int, now: int) -> records.InviteSet:
    """Somebody (an id) who is in a closed room, or was as it closed, may enter it for good."""
    return records.InviteSet(time=now, room=room.id, person=person, by=person)


def uninvited(room: Room, person: int, by: int, now: int) -> records.InviteSet:
    """A person may enter the room no longer, if they might, or are just being let in; both are ids."""
    return records.InviteSet(time=now, room=room.id, person=person, by=by, active=False)


# --- facts ----------------------------------------------------------------------------------------------------------


def topic_set(state: ChatState, seq: int, record: records.TopicSet, origin: Session | None) -> Sequence[Effect]:
    """A room has another topic."""
    room = state.rooms.by_id.get(record.room)
    if room is None:
        return ()
    room.topic = record.text
    event = events.TopicChanged(
        seq=seq, time=rfc3339(record.time), sender=record.name, room=room.name, text=record.text
    )
    return (Tell(event, room.audience, origin),)


def room_set(state: ChatState, seq: int, record: records.RoomSet, origin: Session | None) -> Sequence[Effect]:
    """A room has other options."""
    room = state.rooms.by_id.get(record.room)
    if room is None:
        return ()
    room.set(record)
    event = events.RoomChanged(
        sender=_name_of(state, record.by),
        room=room.name,
        private=room.private,
        moderated=room.moderated,
        topic_locked=room.topic_locked,
        retention=room.retention,
        password=room.password is not None,
    )
    return (Tell(event, room.audience, origin),)


def invite_set(state: ChatState, seq: int, record: records.InviteSet, origin: Session | None) -> Sequence[Effect]:
    """A person may enter, and is told, unless they are in or have found the way themselves."""
    room = state.rooms.by_id.get(record.room)
    if room is None or permissions.is_void(room, record):
        return ()
    room.by_operators.discard(record.person)
    if not record.active:
        room.invited.pop(record.person, None)
        return ()
    room.invited[record.person] = record.by_password
    if record.by == record.person:
        return ()
    if record.by != NOBODY:
        room.by_operators.add(record.person)
    return _told_of(state, room, record, origin)


def person_invited(
    state: ChatState, seq: int, record: records.PersonInvited, origin: Session | None
) -> Sequence[Effect]:
    """A person is told of a room."""
    room = state.rooms.by_id.get(record.room)
    return () if room is None else _told_of(state, room, record, origin)


def _told_of(
    state: ChatState, room: Room, record: records.InviteSet | records.PersonInvited, origin: Session | None
) -> Sequence[Effect]:
    guest = state.people.by_id.get(record.person)
    if guest is None or guest in room.members:
        return ()
    event = events.Invited(sender=_name_of(state, record.by), name=guest.name, room=room.name)
    return (Tell(event, guest.sessions, origin),)


def role_set(state: ChatState, seq: int, record: records.RoleSet, origin: Session | None) -> Sequence[Effect]:
    """A person has another role in a room. They are told even if they are not in it, if they may know of it."""
    room = state.rooms.by_id.get(record.room)
    if room is None:
        return ()
    was_owned = state.is_owned(room)
    state.rooms.set_role(room, record.person, record.role)
    if was_owned and not state.is_owned(room) and not _is_by_administrator(state, record):
        # Two owners laid down their role at the same moment, each leaving the room to the other.
        state.rooms.orphaned[room] = None
    person = state.people.by_id.get(record.person)
    if person is None:
        return ()
    event = events.RoleChanged(sender=_name_of(state, record.by), name=person.name, room=room.name, role=record.role)
    to: Collection[Session] = room.audience
    if person not in room.members and permissions.sees(state, person, room):
        to = Together(room.audience, person.sessions)
    return (Tell(event, to, origin),)


def people_forgotten(
    state: ChatState, seq: int, record: records.PeopleForgotten, origin: Session | None
) -> Sequence[Effect]:
    """Guests are known no more: neither are their roles and invitations."""
    gone = set(record.people) - state.people.by_id.keys()
    for room in state.rooms:  # once, for all of them: both may be thousands
        for person in gone.intersection(room.roles):
            state.rooms.set_role(room, person, Role.MEMBER)
        for person in gone.intersection(room.invited):
            del room.invited[person]
        room.by_operators -= gone & room.by_operators
    return ()


def _is_by_administrator(state: ChatState, record: records.RoleSet) -> bool:
    """Was it the operator (nobody), or an administrator? They may leave a room without an owner."""
    by = state.people.by_id.get(record.by)
    return by is None or state.is_administrator(by)


def _name_of(state: ChatState, id: int) -> str:
    """Who did it; the server itself where it was nobody, or somebody who has gone."""
    person = state.people.by_id.get(id)
    return person.name if person is not None else state.server_name
