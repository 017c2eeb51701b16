"""Moderation: kick, ban, mute, and cleaning up after somebody."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec import structs

from asyncchat.core import permissions
from asyncchat.core.bans import Bans, any_in, is_meant_as_address, parse_network
from asyncchat.core.numbered_set import first_page, page_length
from asyncchat.core.outcomes import Append, Ask, Disconnect, Effect, Outcome, Reply, Tell
from asyncchat.core.people import Person
from asyncchat.core.room_settings import uninvited
from asyncchat.core.rooms import Room
from asyncchat.core.session import Phase, Session
from asyncchat.core.state import ChatState, echoed
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.queries import FindRecent
from asyncchat.vocabulary.records import NOBODY
from asyncchat.vocabulary.terms import Code, Role, rfc3339

KICK_SECONDS = 60
"""Seconds of a ban that is to put somebody off the server and no more: without one their program is back at once."""

PURGE_AT_ONCE = 10_000
"""Messages that one `purge` deletes; more need a second one."""


@dataclass(frozen=True, slots=True)
class _Target:
    """Whom a ban is to be on; ``who``: what people call that."""

    who: str
    person: Person | None = None
    key: str = ""
    address: str = ""

    def is_hit(self, ban: records.BanSet) -> bool:
        """Is it this target that the ban is on?"""
        if self.address:
            return ban.address == self.address
        ids_fit = self.person is not None and ban.person == self.person.id
        return ids_fit or ban.key == self.key or (not ban.address and ban.who == self.who)


def _target(state: ChatState, who: str) -> _Target:
    """An IP address or network; a person who is known now; or else a name. Raises `Refused` 400 if it is none."""
    address = parse_network(who)
    if address:
        return _Target(address, address=address)
    name = state.any_user_name(who)
    person = state.people.by_key.get(name.key)
    return _Target(person.name if person is not None else name.text, person, name.key)


def _new_target(state: ChatState, who: str) -> _Target:
    """As `_target`, for a new ban: a mistyped address is refused (400), and not taken for a name that nobody has."""
    if not parse_network(who) and is_meant_as_address(who) and state.people.by_key.get(who) is None:
        raise Refused(Code.MALFORMED, f"no such address: {echoed(who)}")
    return _target(state, who)


def _ban(target: _Target, room: int, by: str, now: int, seconds: int | None, reason: str | None) -> records.BanSet:
    """The record of a ban. Whose name is theirs for good is banned by id alone: the ban is on the person."""
    person = target.person
    return records.BanSet(
        time=now,
        room=room,
        by=by,
        who=target.who,
        person=person.id if person is not None else NOBODY,
        key="" if person is not None and person.registered else target.key,
        address=target.address,
        until=now + seconds * 1000 if seconds is not None else None,
        reason=reason,
    )


def _check_one_more(state: ChatState, room: Room, ban: records.BanSet) -> None:
    """Raise `Refused` 403 in a room that has as many bans and mutes as allowed, unless this one replaces another."""
    limit = state.limits.bans
    if limit and room.bans.others(ban, ban.time) >= limit:
        raise Refused(Code.FORBIDDEN, f"{room.name} has {limit} bans and mutes already: lift one first")


# --- commands -------------------------------------------------------------------------------------------------------


def kick(state: ChatState, session: Session, person: Person, command: commands.Kick, now: int) -> Outcome:
    """Put a person out of a room; an invitation of theirs is void with it."""
    room, target = _against(state, person, command.room, command.name, "kick")
    if target not in room.members:
        raise Refused(Code.NOT_FOUND, f"{target.name} is not in {room.name}")
    reason = state.check_line(command.reason, "a reason")
    return Append(tuple(_shown_out(room, target, person, now, reason)))


def _shown_out(room: Room, target: Person, by: Person, now: int, reason: str | None) -> list[records.Record]:
    """Out, and not let in again without a word: whoever was, or is just being, admitted for good is so no longer."""
    return [uninvited(room, target.id, by.id, now), _out(room, target, by, now, reason)]


def _out(room: Room, target: Person, by: Person, now: int, reason: str | None) -> records.Record:
    return records.PersonLeft(time=now, person=target.id, room=room.id, reason=reason, by=by.name)


def ban(state: ChatState, session: Session, person: Person, command: commands.Ban, now: int) -> Outcome:
    """Keep a person, a name or an address out of a room, or off the server."""
    if command.seconds == 0:
        raise Refused(Code.MALFORMED, "a ban lasts a second at least; without seconds it is for ever")
    reason = state.check_line(command.reason, "a reason")
    if command.room is None:
        return _ban_from_server(state, person, command, now, reason)
    room = permissions.visible_room(state, person, command.room)
    permissions.check_right(state, person, room, "ban")
    target = _new_target(state, command.who)
    banned = target.person
    wanted = _ban(target, room.id, person.name, now, command.seconds, reason)
    _check_one_more(state, room, wanted)
    put: list[records.Record] = [wanted]
    if banned is not None:
        permissions.check_over(state, person, banned, room)
        if room.role(banned) is not Role.MEMBER:  # who has a role is let in
            put.append(records.RoleSet(time=now, room=room.id, person=banned.id, role=Role.MEMBER, by=person.id))
        # Though they are neither invited nor in: they may be on the way in.
        put += _shown_out(room, banned, person, now, reason)
    if not target.address:
        return Append(tuple(put))

    def in_force(_: Sequence[int]) -> Outcome:
        # From now on nobody comes in from that address: those who are in by now are all, and there may be none.
        return Append((*_all_from(state, room, target, person, now, reason), records.Barrier(time=now)))

    return Append(tuple(put), then=in_force)


def _all_from(
    state: ChatState, room: Room, target: _Target, by: Person, now: int, reason: str | None
) -> Iterable[records.Record]:
    """Those in the room whom a ban of an address puts out: they are below the one who bans."""
    mine = permissions.role(state, by, room).rank
    for member in room.members:
        addresses = (session.address for session in member.sessions)
        if permissions.role(state, member, room).rank < mine and any_in(addresses, target.address):
            yield from _shown_out(room, member, by, now, reason)


def _ban_from_server(state: ChatState, person: Person, command: commands.Ban, now: int, reason: str | None) -> Outcome:
    permissions.check_administrator(state, person)
    target = _new_target(state, command.who)
    if target.person is not None and state.is_administrator(target.person):
        raise Refused(Code.FORBIDDEN, f"{target.person.name} is an administrator")
    return Append((_ban(target, NOBODY, person.name, now, command.seconds, reason),))


def unban(state: ChatState, session: Session, person: Person, command: commands.Unban, now: int) -> Outcome:
    """Lift the bans on a person, a name or an address."""
    room, bans = _bans(state, person, command.room, "unban")
    target = _target(state, command.who)
    lifted = _lifted(bans, target, person.name, now, mute=False)
    if not lifted:
        where = room.name if room is not None else "this server"
        raise Refused(Code.NOT_FOUND, f"{target.who} is not banned from {where}")
    return Append(lifted)


def _lifted(bans: Bans, target: _Target, by: str, now: int, *, mute: bool) -> tuple[records.Record, ...]:
    return tuple(
        records.BanLifted(
            time=now, room=ban.room, by=by, person=ban.person, key=ban.key, address=ban.address, mute=mute
        )
        for ban in bans.active(now)
        if ban.mute is mute and target.is_hit(ban)
    )


def bans(state: ChatState, session: Session, person: Person, command: commands.Bans, now: int) -> Outcome:
    """A page of the bans and mutes in force."""
    room, bans = _bans(state, person, command.room, "bans")
    entries = ((number, _line(ban) if ban is not None else None) for number, ban in bans.after(command.after, now))
    listed, complete, next = first_page(entries, page_length(command.limit, state.limits.page))
    name = room.name if room is not None else None
    return Reply((events.BanList(room=name, bans=listed, complete=complete, next=next),))


def _line(ban: records.BanSet) -> events.Ban:
    until = rfc3339(ban.until) if ban.until is not None else None
    return events.Ban(who=ban.who, mute=ban.mute, until=until, by=ban.by, reason=ban.reason)


def mute(state: ChatState, session: Session, person: Person, command: commands.Mute, now: int) -> Outcome:
    """A person may listen but not speak; 0 seconds lifts it."""
    room, target = _against(state, person, command.room, command.name, "mute")
    muted = _Target(target.name, target, target.key)
    if command.seconds == 0:
        lifted = _lifted(room.bans, muted, person.name, now, mute=True)
        if not lifted:
            raise Refused(Code.NOT_FOUND, f"{target.name} is not muted in {room.name}")
        return Append(lifted)
    if permissions.role(state, target, room).rank >= Role.OPERATOR.rank:
        raise Refused(Code.CONFLICT, f"{target.name} keeps order in {room.name}: give them another role first")
    reason = state.check_line(command.reason, "a reason")
    put = structs.replace(_ban(muted, room.id, person.name, now, command.seconds, reason), mute=True)
    _check_one_more(state, room, put)
    return Append((put,))


def purge(state: ChatState, session: Session, person: Person, command: commands.Purge, now: int) -> Outcome:
    """Delete what a person said in a room lately, under whatever name; they may have left meanwhile."""
    room = permissions.visible_room(state, person, command.room)
    permissions.check_right(state, person, room, "purge")
    name = state.any_user_name(command.name)
    author = state.people.by_key.get(name.key)
    since = now - command.seconds * 1000
    query = FindRecent(room.id, name.text, since, PURGE_AT_ONCE, person=author.id if author is not None else NOBODY)

    def found(targets: list[int]) -> Outcome:
        if not targets:
            raise Refused(Code.NOT_FOUND, f"nothing of {name.text} in {room.name} in that time")
        gone = records.MessagesDeleted(
            time=now, by=person.id, name=person.name, to=room.name, room=room.id, targets=targets
        )
        return Append((gone,))

    return Ask(query, found)


def _against(state: ChatState, person: Person, room_name: str, name: str, command: str) -> tuple[Room, Person]:
    room = permissions.visible_room(state, person, room_name)
    permissions.check_right(state, person, room, command)
    target = state.person(name)
    permissions.check_over(state, person, target, room)
    return room, target


def _bans(state: ChatState, person: Person, room_name: str | None, command: str) -> tuple[Room | None, Bans]:
    if room_name is None:
        permissions.check_administrator(state, person)
        return None, state.bans
    room = permissions.visible_room(state, person, room_name)
    permissions.check_right(state, person, room, command)
    return room, room.bans


# --- facts ----------------------------------------------------------------------------------------------------------


def ban_set(state: ChatState, seq: int, record: records.BanSet, origin: Session | None) -> Sequence[Effect]:
    """A ban or mute is in force."""
    if record.room == records.NOBODY:
        state.bans.add(record, seq)
        return _off_the_server(state, record)
    room = state.rooms.by_id.get(record.room)
    if room is None:
        return ()
    room.bans.add(record, seq)
    return _told_mute(state, room, record, True, origin)


def ban_lifted(state: ChatState, seq: int, record: records.BanLifted, origin: Session | None) -> Sequence[Effect]:
    """A ban or mute is no more."""
    if record.room == records.NOBODY:
        state.bans.lift(record)
        return ()
    room = state.rooms.by_id.get(record.room)
    if room is None:
        return ()
    room.bans.lift(record)
    return _told_mute(state, room, record, False, origin)


def _told_mute(
    state: ChatState,
    room: Room,
    record: records.BanSet | records.BanLifted,
    active: bool,
    origin: Session | None,
) -> Sequence[Effect]:
    target = state.people.by_id.get(record.person)
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


def _off_the_server(state: ChatState, ban: records.BanSet) -> Sequence[Effect]:
    """End the sessions that a ban is on. What they have sent already counts no more."""
    hit = [session for session in state.sessions if _is_off(state, session, ban)]
    if not hit:
        return ()
    for session in hit:
        session.phase = Phase.EXPELLED
    seconds = (ban.until - ban.time) // 1000 if ban.until is not None else None
    kicked = seconds is not None and seconds <= KICK_SECONDS
    told = f"put off this server for {seconds} seconds" if kicked else "banned from this server"
    reason = f"{told}: {ban.reason}" if ban.reason else told
    return (Disconnect(hit, events.Bye(code=Code.FORBIDDEN, reason=reason), reason="kicked" if kicked else "banned"),)


def _is_off(state: ChatState, session: Session, ban: records.BanSet) -> bool:
    person = session.person
    if person is None or state.is_administrator(person):
        return False
    return person.id == ban.person or person.key == ban.key or any_in((session.address,), ban.address)


def announced(state: ChatState, seq: int, record: records.Announced, origin: Session | None) -> Sequence[Effect]:
    """The server says something to all, or to one."""
    person = state.people.by_id.get(record.person)
    to = state.sessions if record.person == records.NOBODY else person.sessions if person is not None else {}
    return (Tell(events.Notice(text=record.text), to, None),)
