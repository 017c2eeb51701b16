"""Order in the house: kick, ban, mute, and cleaning up after somebody."""

from collections.abc import Sequence
from ipaddress import ip_network

from asyncchat.core import permissions
from asyncchat.core.house import House
from asyncchat.core.outcomes import Append, Ask, Effect, Outcome, Part, Reply, Tell
from asyncchat.core.people import Person
from asyncchat.core.rooms import Bans, Room, in_network
from asyncchat.core.session import Session
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.queries import FindRecent
from asyncchat.vocabulary.terms import Code, rfc3339

PURGE_AT_ONCE = 10_000
"""Messages that one `purge` deletes; more need a second one."""


# --- commands -------------------------------------------------------------------------------------------------------


def kick(house: House, session: Session, person: Person, command: commands.Kick, now: int) -> Outcome:
    """Put a person out of a room; an invitation of theirs is void with it."""
    room, target = _against(house, person, command.room, command.name, "kick")
    if target not in room.members:
        raise Refused(Code.NOT_FOUND, f"{target.name} is not in {room.name}")
    reason = house.check_line(command.reason, "a reason")
    return Append(_out(room, target, person, now, reason))


def _out(room: Room, target: Person, by: Person, now: int, reason: str | None) -> tuple[records.Record, ...]:
    left = records.PersonLeft(time=now, person=target.id, room=room.id, reason=reason, by=by.name)
    if target.id not in room.invited:
        return (left,)
    void = records.InviteSet(time=now, room=room.id, person=target.id, by=by.id, active=False)
    return (void, left)


def ban(house: House, session: Session, person: Person, command: commands.Ban, now: int) -> Outcome:
    """Keep a person, a name or an address out of a room, or off the server."""
    until = now + command.seconds * 1000 if command.seconds else None
    reason = house.check_line(command.reason, "a reason")
    room = None
    if command.room is None:
        permissions.check_administrator(house, person)
    else:
        room = permissions.visible_room(house, person, command.room)
        permissions.check_right(house, person, room, "ban")
    target, key, address = _whom(house, command.who)
    if target is not None:
        if room is not None:
            permissions.check_over(house, person, target, room)
        elif house.is_administrator(target):
            raise Refused(Code.FORBIDDEN, f"{target.name} is an administrator")
    put = records.BanSet(
        time=now,
        room=room.id if room is not None else records.NOBODY,
        by=person.name,
        who=command.who,
        person=target.id if target is not None else records.NOBODY,
        key=key,
        address=address,
        until=until,
        reason=reason,
    )
    if room is None:
        return Append((put,))
    out = [
        record
        for member in room.members
        if (member is target or _from(member, address))
        and permissions.role(house, member, room).rank < permissions.role(house, person, room).rank
        for record in _out(room, member, person, now, reason)
    ]
    return Append((put, *out))


def unban(house: House, session: Session, person: Person, command: commands.Unban, now: int) -> Outcome:
    """Lift a ban."""
    room, bans = _bans(house, person, command.room, "unban")
    target, key, address = _whom(house, command.who)
    for present in bans.active(now):
        same = (
            (present.person and target is not None and present.person == target.id)
            or (present.key and present.key == key)
            or (present.address and present.address == address)
            or present.who == command.who
        )
        if same and not present.mute:
            return Append((_lifted(present, person.name, now),))
    where = room.name if room is not None else "this server"
    raise Refused(Code.NOT_FOUND, f"{command.who} is not banned from {where}")


def bans(house: House, session: Session, person: Person, command: commands.Bans, now: int) -> Outcome:
    """The bans and mutes in force."""
    room, active = _bans(house, person, command.room, "bans")
    lines = [
        events.Ban(
            who=ban.who,
            mute=ban.mute,
            until=rfc3339(ban.until) if ban.until is not None else None,
            by=ban.by,
            reason=ban.reason,
        )
        for ban in active.active(now)
    ]
    return Reply((events.BanList(id=command.id, room=room.name if room is not None else None, bans=lines),))


def mute(house: House, session: Session, person: Person, command: commands.Mute, now: int) -> Outcome:
    """A person may listen but not speak; 0 seconds lifts it."""
    room, target = _against(house, person, command.room, command.name, "mute")
    if command.seconds == 0:
        for present in room.bans.active(now):
            if present.mute and present.person == target.id:
                return Append((_lifted(present, person.name, now),))
        raise Refused(Code.NOT_FOUND, f"{target.name} is not muted in {room.name}")
    put = records.BanSet(
        time=now,
        room=room.id,
        by=person.name,
        who=target.name,
        person=target.id,
        mute=True,
        until=now + command.seconds * 1000 if command.seconds is not None else None,
        reason=house.check_line(command.reason, "a reason"),
    )
    return Append((put,))


def purge(house: House, session: Session, person: Person, command: commands.Purge, now: int) -> Outcome:
    """Delete what a person said in a room lately; they may have left meanwhile."""
    room = permissions.visible_room(house, person, command.room)
    permissions.check_right(house, person, room, "purge")
    query = FindRecent(room.id, command.name, now - command.seconds * 1000, PURGE_AT_ONCE)

    def found(targets: list[int]) -> Outcome:
        if not targets:
            raise Refused(Code.NOT_FOUND, f"nothing of {command.name} in {room.name} in that time")
        gone = records.MessagesDeleted(
            time=now, by=person.id, name=person.name, to=room.name, room=room.id, targets=targets
        )
        return Append((gone,))

    return Ask(query, found)


def _against(house: House, person: Person, room_name: str, name: str, command: str) -> tuple[Room, Person]:
    room = permissions.visible_room(house, person, room_name)
    permissions.check_right(house, person, room, command)
    target = house.people.find(name)
    permissions.check_over(house, person, target, room)
    return room, target


def _bans(house: House, person: Person, room_name: str | None, command: str) -> tuple[Room | None, Bans]:
    if room_name is None:
        permissions.check_administrator(house, person)
        return None, house.bans
    room = permissions.visible_room(house, person, room_name)
    permissions.check_right(house, person, room, command)
    return room, room.bans


def _whom(house: House, who: str) -> tuple[Person | None, str, str]:
    """Who is meant: a person who is known now, else a name's key; or an IP address or network."""
    try:
        return None, "", str(ip_network(who, strict=False))
    except ValueError:
        name = house.user_name(who)
    person = house.people.by_key.get(name.key)
    return (person, "", "") if person is not None else (None, name.key, "")


def _from(person: Person, network: str) -> bool:
    return network != "" and any(in_network(session.address, network) for session in person.sessions)


def _lifted(ban: records.BanSet, by: str, now: int) -> records.BanLifted:
    return records.BanLifted(
        time=now, room=ban.room, by=by, person=ban.person, key=ban.key, address=ban.address, mute=ban.mute
    )


# --- facts ----------------------------------------------------------------------------------------------------------


def ban_set(house: House, seq: int, record: records.BanSet, origin: Session | None) -> Sequence[Effect]:
    """A ban or mute is in force."""
    if record.room == records.NOBODY:
        house.bans.add(record)
        return _off_the_server(house, record)
    room = house.rooms.by_id.get(record.room)
    if room is None:
        return ()
    room.bans.add(record)
    return _told_mute(house, room, record, True, origin)


def ban_lifted(house: House, seq: int, record: records.BanLifted, origin: Session | None) -> Sequence[Effect]:
    """A ban or mute is no more."""
    if record.room == records.NOBODY:
        house.bans.lift(record)
        return ()
    room = house.rooms.by_id.get(record.room)
    if room is None:
        return ()
    room.bans.lift(record)
    return _told_mute(house, room, record, False, origin)


def _told_mute(
    house: House,
    room: Room,
    record: records.BanSet | records.BanLifted,
    active: bool,
    origin: Session | None,
) -> Sequence[Effect]:
    target = house.people.by_id.get(record.person)
    if not record.mute or target is None:
        return ()
    until = record.until if isinstance(record, records.BanSet) else None
    event = events.Muted(
        sender=record.by,
        name=target.name,
        room=room.name,
        active=active,
        until=rfc3339(until) if until is not None else None,
        reason=record.reason if isinstance(record, records.BanSet) else None,
    )
    return (Tell(event, room.audience, origin),)


def _off_the_server(house: House, ban: records.BanSet) -> Sequence[Effect]:
    hit = [
        session
        for session in house.sessions
        if session.person is not None
        and not house.is_administrator(session.person)
        and (
            session.person.id == ban.person
            or (ban.key and session.person.key == ban.key)
            or _from(session.person, ban.address)
        )
    ]
    if not hit:
        return ()
    reason = f"banned from this server: {ban.reason}" if ban.reason else "banned from this server"
    return (Part(hit, events.Bye(code=Code.FORBIDDEN, reason=reason), reason="banned"),)


def announced(house: House, seq: int, record: records.Announced, origin: Session | None) -> Sequence[Effect]:
    """The server says something to all, or to one."""
    person = house.people.by_id.get(record.person)
    to = house.sessions if record.person == records.NOBODY else person.sessions if person is not None else {}
    return (Tell(events.Notice(text=record.text), to, None),)
