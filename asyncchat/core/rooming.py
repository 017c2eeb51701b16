"""Rooms: opening them, entering and leaving, their topic, options, invitations and roles."""

from collections.abc import Callable, Sequence

from asyncchat.core import permissions
from asyncchat.core.house import House
from asyncchat.core.outcomes import Append, Ask, Effect, Outcome, Reply, Tell
from asyncchat.core.people import Person
from asyncchat.core.rooms import Room
from asyncchat.core.session import Session
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.names import RoomName
from asyncchat.vocabulary.queries import HashPassword, VerifyPassword
from asyncchat.vocabulary.terms import Code, Role, rfc3339

# --- entering and leaving -------------------------------------------------------------------------------------------


def join(house: House, session: Session, person: Person, command: commands.Join, now: int) -> Outcome:
    """Enter a room, and found it if there is none of that name."""
    name = house.room_name(command.room)
    room = house.rooms.by_key.get(name.key)
    check_room_for(house, person, name)
    if room is None:
        _check_new_room(house, 1)
        created = records.RoomCreated(time=now, name=name.text, key=name.key, founder=person.id)

        def founded(seqs: Sequence[int]) -> Outcome:
            mine = house.rooms.by_key[name.key].id == seqs[0]
            return join_room(house, session, person, command, now, Code.CREATED if mine else Code.OK)

        return Append((created,), then=founded)
    return join_room(house, session, person, command, now, Code.OK)


def join_room(house: House, session: Session, person: Person, command: commands.Join, now: int, code: Code) -> Outcome:
    """Enter a room that exists."""
    room = house.room(command.room)
    if person in room.members:
        return Reply((events.Ok(id=command.id, code=Code.OK, text=f"you are in {room.name} already"),))
    entered = Append((records.PersonJoined(time=now, person=person.id, room=room.id),), code)
    if not permissions.check_join(house, session, person, room, now):
        return entered
    house.wrong_passwords.check(session.address, now)
    wrong = Refused(Code.FORBIDDEN, f"{room.name} cannot be joined")
    if command.password is None or room.password is None:
        raise wrong if room.private else Refused(Code.FORBIDDEN, f"{room.name} has a password")

    def verified(fits: bool) -> Outcome:
        if not fits:
            house.wrong_passwords.count(session.address, now)
            raise wrong if room.private else Refused(Code.WRONG_PASSWORD, f"{room.name}: wrong password")
        return entered

    return Ask(VerifyPassword(room.password, command.password), verified)


def check_room_for(house: House, person: Person, name: RoomName) -> None:
    """Raise `Refused` 403 for one who is in as many rooms as allowed."""
    limit = house.limits.rooms
    known = house.rooms.by_key.get(name.key)
    if limit and len(person.rooms) >= limit and (known is None or person not in known.members):
        raise Refused(Code.FORBIDDEN, f"you are in {limit} rooms already: leave one first")


def _check_new_room(house: House, count: int) -> None:
    limit = house.limits.rooms_in_all
    if limit and len(house.rooms) + count > limit:
        raise Refused(Code.FORBIDDEN, f"this server has {limit} rooms already")


def open_rooms(
    house: House,
    session: Session,
    person: Person,
    texts: Sequence[str],
    now: int,
    then: Callable[[Sequence[int], Sequence[str]], Outcome],
) -> Outcome:
    """Found those of these rooms that do not exist; go on with the ids of all that may be entered, and what hinders."""
    problems: list[str] = []
    names: dict[str, RoomName] = {}
    for text in texts:
        try:
            name = house.room_name(text)
            names.setdefault(name.key, name)
        except Refused as error:
            problems.append(f"{text}: {error.text}")
    limit = house.limits.rooms
    beyond = list(names)[limit:] if limit else []
    problems += [f"{names.pop(key).text}: more than {limit} rooms" for key in beyond]
    missing = [
        records.RoomCreated(time=now, name=name.text, key=key, founder=person.id)
        for key, name in names.items()
        if key not in house.rooms.by_key
    ]
    if missing:
        _check_new_room(house, len(missing))

    def founded(_: Sequence[int]) -> Outcome:
        enterable = []
        for key in names:
            room = house.rooms.by_key[key]
            try:
                if person not in room.members and permissions.check_join(house, session, person, room, now):
                    raise Refused(Code.FORBIDDEN, f"{room.name} has a password: join it by itself")
                enterable.append(room.id)
            except Refused as error:
                problems.append(error.text)
        return then(enterable, problems)

    return Append(tuple(missing), then=founded) if missing else founded(())


def leave(house: House, session: Session, person: Person, command: commands.Leave, now: int) -> Outcome:
    """Leave a room."""
    room = permissions.visible_room(house, person, command.room)
    if person not in room.members:
        raise Refused(Code.CONFLICT, f"you are not in {room.name}")
    reason = house.check_line(command.reason, "a reason")
    return Append((records.PersonLeft(time=now, person=person.id, room=room.id, reason=reason),))


# --- what a room is -------------------------------------------------------------------------------------------------


def topic(house: House, session: Session, person: Person, command: commands.Topic, now: int) -> Outcome:
    """Set or ask for a room's topic."""
    room = permissions.readable_room(house, person, command.room)
    if command.text is None:
        return Reply((events.Ok(id=command.id, code=Code.OK, text=room.topic),))
    permissions.check_topic(house, person, room)
    text = house.check_line(command.text, "a topic") or ""
    return Append((records.TopicSet(time=now, room=room.id, to=room.name, by=person.id, name=person.name, text=text),))


def invite(house: House, session: Session, person: Person, command: commands.Invite, now: int) -> Outcome:
    """Let a person into a room and tell them; into a private room only operators invite."""
    room = permissions.visible_room(house, person, command.room)
    if person not in room.members:
        raise Refused(Code.FORBIDDEN, f"{room.name}: join first")
    if room.private or room.password is not None:
        permissions.check_right(house, person, room, "invite")
    guest = house.people.find(command.name)
    if guest in room.members:
        raise Refused(Code.CONFLICT, f"{guest.name} is in {room.name} already")
    return Append((records.InviteSet(time=now, room=room.id, person=guest.id, by=person.id),))


def set_role(house: House, session: Session, person: Person, command: commands.SetRole, now: int) -> Outcome:
    """Give a person a role that is at most one's own."""
    room = permissions.visible_room(house, person, command.room)
    permissions.check_right(house, person, room, "role")
    target = house.people.find(command.name)
    permissions.check_over(house, person, target, room)
    if command.role.rank > permissions.role(house, person, room).rank:
        raise Refused(Code.FORBIDDEN, f"{room.name}: {command.role} is above your own role")
    return Append((records.RoleSet(time=now, room=room.id, person=target.id, role=command.role, by=person.id),))


def set_room(house: House, session: Session, person: Person, command: commands.SetRoom, now: int) -> Outcome:
    """Change a room's options."""
    room = permissions.visible_room(house, person, command.room)
    permissions.check_right(house, person, room, "set")

    def changed(password: str | None) -> Outcome:
        options = records.RoomSet(
            time=now,
            room=room.id,
            by=person.id,
            private=_either(command.private, room.private),
            moderated=_either(command.moderated, room.moderated),
            topic_locked=_either(command.topic_locked, room.topic_locked),
            retention=room.retention if command.retention is None else command.retention,
            password=password,
        )
        return Append((options,))

    if command.password:
        house.check_secure(session)
        return Ask(HashPassword(command.password), changed)
    return changed(room.password if command.password is None else None)


def _either(wanted: bool | None, present: bool) -> bool:
    return present if wanted is None else wanted


# --- facts ----------------------------------------------------------------------------------------------------------


def room_created(house: House, seq: int, record: records.RoomCreated, origin: Session | None) -> Sequence[Effect]:
    """A room exists. Of two who create it at the same moment the second finds the first one's."""
    if record.key not in house.rooms.by_key:
        room = Room(seq, record.name, record.key)
        if record.founder:
            room.roles[record.founder] = Role.OWNER
        house.rooms.add(room)
    return ()


def person_joined(house: House, seq: int, record: records.PersonJoined, origin: Session | None) -> Sequence[Effect]:
    """A person is in a room."""
    person, room = house.people.by_id.get(record.person), house.rooms.by_id.get(record.room)
    if person is None or room is None or person in room.members:
        return ()
    room.enter(person)
    return (Tell(events.Joined(name=person.name, room=room.name, role=room.role(person)), room.audience, origin),)


def person_left(house: House, seq: int, record: records.PersonLeft, origin: Session | None) -> Sequence[Effect]:
    """A person is no longer in a room; one who came back while the record was on its way stays."""
    person, room = house.people.by_id.get(record.person), house.rooms.by_id.get(record.room)
    if person is None or room is None or person not in room.members:
        return ()
    if record.by is None and person.sessions and origin not in person.sessions:
        return ()
    event: events.Event = events.Left(name=person.name, room=room.name, reason=record.reason)
    if record.by is not None:
        event = events.Kicked(sender=record.by, name=person.name, room=room.name, reason=record.reason)
    told = Tell(event, dict(room.audience), origin)
    room.leave(person)
    return (told,)


def topic_set(house: House, seq: int, record: records.TopicSet, origin: Session | None) -> Sequence[Effect]:
    """A room has another topic."""
    room = house.rooms.by_id.get(record.room)
    if room is None:
        return ()
    room.topic = record.text
    event = events.TopicChanged(
        seq=seq, time=rfc3339(record.time), sender=record.name, room=room.name, text=record.text
    )
    return (Tell(event, room.audience, origin),)


def room_set(house: House, seq: int, record: records.RoomSet, origin: Session | None) -> Sequence[Effect]:
    """A room has other options."""
    room = house.rooms.by_id.get(record.room)
    if room is None:
        return ()
    room.set(record)
    by = house.people.by_id.get(record.by)
    event = events.RoomChanged(
        sender=by.name if by is not None else house.settings.name,
        room=room.name,
        private=room.private,
        moderated=room.moderated,
        topic_locked=room.topic_locked,
        retention=room.retention,
        password=room.password is not None,
    )
    return (Tell(event, room.audience, origin),)


def invite_set(house: House, seq: int, record: records.InviteSet, origin: Session | None) -> Sequence[Effect]:
    """A person may enter, and is told."""
    room, guest = house.rooms.by_id.get(record.room), house.people.by_id.get(record.person)
    if room is None:
        return ()
    if not record.active:
        room.invited.discard(record.person)
        return ()
    room.invited.add(record.person)
    if guest is None:
        return ()
    by = house.people.by_id.get(record.by)
    event = events.Invited(sender=by.name if by is not None else house.settings.name, name=guest.name, room=room.name)
    return (Tell(event, guest.sessions, origin),)


def role_set(house: House, seq: int, record: records.RoleSet, origin: Session | None) -> Sequence[Effect]:
    """A person has another role in a room."""
    room = house.rooms.by_id.get(record.room)
    if room is None:
        return ()
    if record.role is Role.MEMBER:
        room.roles.pop(record.person, None)
    else:
        room.roles[record.person] = record.role
    person, by = house.people.by_id.get(record.person), house.people.by_id.get(record.by)
    if person is None:
        return ()
    event = events.RoleChanged(
        sender=by.name if by is not None else house.settings.name,
        name=person.name,
        room=room.name,
        role=record.role,
    )
    return (Tell(event, {**room.audience, **person.sessions}, origin),)
