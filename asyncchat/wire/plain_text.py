"""Events and results as lines of text for people. Raw text: `safe` makes it bytes that may be shown."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.terms import Code, Role, State

CONTINUED = "    "
"""Stands before all but the first line of a message, so that no message can forge a line of somebody else."""

HINT = "* /help lists the commands, exit leaves"

DONE: dict[type, str] = {
    commands.Ban: "banned",
    commands.Unban: "the ban is lifted",
    commands.Invite: "invited",
    commands.Passwd: "your password is changed",
    commands.Register: "your name is yours now",
}
"""The words for commands of whose success no event tells."""

_ROLES = {Role.MEMBER: "a member", Role.VOICE: "a voice", Role.OPERATOR: "an operator", Role.OWNER: "an owner"}


@lru_cache(maxsize=64)
def safe(lines: tuple[str, ...], newline: str) -> bytes:
    """The lines as they may be shown on a terminal. It is remembered: most who hear a message read the same of it."""
    return "".join([printable(line) + newline for line in lines]).encode()


def said(event: events.Said, own: str, here: str | None) -> list[str]:
    """A message as it is read by ``own``, whose lines go to ``here``."""
    first, *more = event.text.splitlines() or [""]
    if event.deleted:
        first = "(deleted)"
    if event.reply_to is not None:
        first = f"(to ^{event.reply_to}) {first}"
    if event.edited is not None:
        first += " (edited)"
    for reaction, names in (event.reactions or {}).items():
        first += f" [{reaction} {len(names)}]"
    return [_attributed(event, own, here) + first, *(CONTINUED + line for line in more)]


def _attributed(event: events.Said, own: str, here: str | None) -> str:
    if event.to.startswith("#"):
        room = _at(event.to, here)
        match event.kind:
            case "action":
                return f"{room}* {event.sender} "
            case "notice":
                return f"{room}-{event.sender}- "
        return f"{room}{event.sender}: "
    whom = f"[to {event.to}] " if event.sender == own else f"[{event.sender}] "
    return f"{whom}* {event.sender} " if event.kind == "action" else whom


def _at(room: str, here: str | None) -> str:
    return "" if room == here else f"{room} "


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def moment(time: str) -> str:
    """An RFC 3339 time in short: ``2026-01-02 12:34 UTC``."""
    return f"{time[:10]} {time[11:16]} UTC"


# --- what happened ----------------------------------------------------------------------------------------------------


def happened(event: events.Event, here: str | None) -> list[str]:
    """An event that is no message, as one line; nothing for what is not told to people."""
    sentence = _SENTENCES.get(type(event))
    if sentence is None:
        return []
    place = str(getattr(event, "room", None) or getattr(event, "to", ""))
    room = _at(place, here) if place.startswith("#") else ""
    return [f"{room}* {sentence(event)}"]


def _presence(event: events.Presence) -> str:
    match event.state:
        case State.ONLINE:
            return f"{event.name} is back"
        case State.AWAY:
            return f"{event.name} is away{_because(event.text)}"
        case State.OFFLINE:
            return f"{event.name} is offline"


def _topic(event: events.TopicChanged) -> str:
    if not event.text:
        return f"{event.sender} cleared the topic"
    return f"{event.sender} set the topic: {event.text}"


def _muted(event: events.Muted) -> str:
    if not event.active:
        return f"{event.sender} lets {event.name} speak again"
    until = f" until {moment(event.until)}" if event.until else ""
    return f"{event.sender} muted {event.name}{until}{_because(event.reason)}"


def _options(event: events.RoomChanged) -> str:
    options = [
        "private" if event.private else "public",
        *(["moderated"] if event.moderated else []),
        *(["topic locked"] if event.topic_locked else []),
        *([f"messages kept {event.retention} days"] if event.retention else []),
        *(["with a password"] if event.password else []),
    ]
    return f"{event.sender} changed {event.room}, which is {', '.join(options)}"


def _deleted(event: events.Deleted) -> str:
    count = len(event.targets)
    return f"{event.sender} deleted {'a message' if count == 1 else f'{count} messages'}"


def _reacted(event: events.Reacted) -> str:
    if event.remove:
        return f"{event.sender} took {event.reaction} off ^{event.target}"
    return f"{event.sender} reacted with {event.reaction} to ^{event.target}"


def _gap(event: events.Gap) -> str:
    return f"up to {event.until - event.after} messages were skipped; /history shows them"


def _bye(event: events.Bye) -> str:
    again = f"; come back in {event.reconnect:.0f} s" if event.reconnect else ""
    return "goodbye" if event.code == Code.OK else f"goodbye: {event.reason}{again}"


_SENTENCES: dict[type, Callable[[Any], str]] = {
    events.Edited: lambda event: f"{event.sender} changed ^{event.target}: {' '.join(event.text.split())}",
    events.Deleted: _deleted,
    events.Reacted: _reacted,
    events.Joined: lambda event: f"{event.name} joined",
    events.Left: lambda event: f"{event.name} left{_because(event.reason)}",
    events.Renamed: lambda event: f"{event.name} is now {event.to}",
    events.Presence: _presence,
    events.TopicChanged: _topic,
    events.Invited: lambda event: f"{event.sender} invites you: /join {event.room}",
    events.Kicked: lambda event: f"{event.sender} put {event.name} out{_because(event.reason)}",
    events.RoleChanged: lambda event: f"{event.sender} made {event.name} {_ROLES[event.role]}",
    events.Muted: _muted,
    events.RoomChanged: _options,
    events.Destroyed: lambda event: f"{event.sender} removed {event.room}{_because(event.reason)}",
    events.Gap: _gap,
    events.Notice: lambda event: f"{event.text}",
    events.Bye: _bye,
}


# --- what was asked for -----------------------------------------------------------------------------------------------


def rooms(result: events.RoomList) -> list[str]:
    """A page of the list of rooms, a line each."""
    if not result.rooms and result.complete:
        return ["* there are no rooms"]
    width = max((len(room.name) for room in result.rooms), default=0)
    return [*(_room(room, width) for room in result.rooms), *_more(result, "/rooms")]


def _more(result: events.RoomList | events.Members | events.BanList, command: str) -> list[str]:
    """How to go on, if there is more of a list."""
    return [] if result.complete else [f"* there is more: {command} after {result.next}"]


def _room(room: events.Room, width: int) -> str:
    flags = [flag for flag in ("private", "moderated", "password") if getattr(room, flag)]
    about = [_count(room.members, "person", "people"), *flags, *([room.topic] if room.topic else [])]
    return f"  {room.name:<{width}}  {', '.join(about)}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def members(result: events.Members, most: int | None = None) -> list[str]:
    """Who is there, in one line; of more than ``most`` the rest is counted."""
    shown = result.members[:most]
    listed = ", ".join(map(_member, shown))
    rest = len(result.members) - len(shown)
    more = f" and {'' if result.complete else 'at least '}{rest} more" if rest else ""
    topic = [f"* topic of {result.room}: {result.topic}"] if result.topic else []
    people = f"* in {result.room}: {listed}{more}" if result.room else f"* online: {listed}{more}"
    return [*topic, people, *(_more(result, f"/who {result.room or '*'}") if not rest else [])]


def _member(member: events.Member) -> str:
    about: list[str] = []
    if member.role is not None and member.role is not Role.MEMBER:
        about.append(member.role)
    if member.state is State.AWAY:
        about.append(f"away{_because(member.away)}")
    elif member.state is State.OFFLINE:
        about.append("offline")
    return f"{member.name} ({', '.join(about)})" if about else member.name


def user(result: events.User) -> list[str]:
    """What is known of a person, in one line."""
    about = [f"{result.state}{_because(result.away)}"]
    about.append("registered" if result.registered else "a guest")
    if result.administrator:
        about.append("administrator")
    if result.rooms:
        about.append(f"in {', '.join(result.rooms)}")
    if result.sessions > 1:
        about.append(f"{result.sessions} sessions")
    if result.since is not None:
        about.append(f"here since {moment(result.since)}")
    if result.idle is not None:
        about.append(f"silent for {_ago(result.idle)}")
    if result.address:
        about.append(f"from {result.address}")
    return [f"* {result.name}: {'; '.join(about)}"]


def _ago(seconds: int) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


def bans(result: events.BanList) -> list[str]:
    """A page of the bans and mutes, a line each."""
    if not result.bans and result.complete:
        return [f"* nobody is banned from {result.room or 'this server'}"]
    return [*map(_ban, result.bans), *_more(result, f"/bans {result.room or '*'}")]


def _ban(ban: events.Ban) -> str:
    until = f" until {moment(ban.until)}" if ban.until else ""
    by = f", by {ban.by}" if ban.by else ""
    return f"  {ban.who}: {'muted' if ban.mute else 'banned'}{until}{by}{_because(ban.reason)}"


def accounts(result: events.AccountList) -> list[str]:
    """The accounts, a line each."""
    width = max((len(account.name) for account in result.accounts), default=0)
    return [f"{account.name:<{width}}  {', '.join(_rights(account))}" for account in result.accounts]


def _rights(account: events.Account) -> list[str]:
    return [*(["administrator"] if account.administrator else []), "password" if account.password else "token only"]


def stats(result: events.Stats) -> list[str]:
    """The server in numbers."""
    memory = f", {result.memory / 1e6:.1f} MB of memory" if result.memory is not None else ""
    return [
        f"* asyncchat {result.version}, up for {_ago(result.uptime)}{memory}",
        f"* connections: {result.connections}, sessions: {result.sessions}, people online: {result.people},"
        f" registered: {result.registered}, rooms: {result.rooms}, records: {result.seq}",
        f"* listening on {', '.join(result.listening)}",
    ]


def page(kept: Sequence[events.KeptEvent], own: str, here: str | None, *, numbered: bool) -> list[str]:
    """A page of the past with its times, and a line wherever a new day begins; *numbered* with each ``seq``."""
    lines: list[str] = []
    day = ""
    for event in kept:
        if event.time[:10] != day:
            day = event.time[:10]
            lines.append(f"--- {day} (times are UTC) ---")
        number = f"^{event.seq} " if numbered else ""
        first, *more = _past(event, own, here)
        lines += [f"[{event.time[11:16]}] {number}{first}", *more]
    return lines


def _past(event: events.KeptEvent, own: str, here: str | None) -> Iterable[str]:
    return said(event, own, here) if isinstance(event, events.Said) else happened(event, here)
