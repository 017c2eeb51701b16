"""Events and results as safe lines of text: for the terminal, in colour, and for pipes, one line each."""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, tzinfo
from typing import assert_never

from asyncchat import Code, Resumed, Role, State, events
from asyncchat.console.wrap import INDENT
from asyncchat.events import Event, Result
from asyncchat.vocabulary.mentions import mention_spans
from asyncchat.vocabulary.names import is_room, name_key
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.terms import from_rfc3339

_RESET = "\x1b[0m"

_STYLES = {
    "dim": "2",
    "bold": "1",
    "time": "2",
    "place": "36",
    "error": "31",
    "notice": "33",
    "mention": "1;7",
    "day": "2",
    "pending": "2;3",
}

_PEOPLE = (31, 32, 33, 34, 35, 36, 91, 92, 94, 95, 96, 130, 136, 166, 172, 208)
"""Colours for people: the terminal's own first, then some of the 256 that read well on dark and on light."""


def place_of(event: Event, me: str) -> str | None:
    """The room, or the person on the other side, that an event belongs to; None if it is no place's."""
    match event:
        case (
            events.Said()
            | events.Edited()
            | events.Deleted()
            | events.Reacted()
            | events.ReadMarker()
            | events.Typing()
        ):
            if is_room(event.to):
                return event.to
            return event.to if same(event.sender, me) else event.sender
        case (
            events.Joined() | events.Left() | events.TopicChanged() | events.Kicked()
            | events.RoleChanged() | events.Muted() | events.RoomChanged() | events.Destroyed()
        ):  # fmt: skip
            return event.room
        case events.Renamed() | events.Presence() | events.Invited():
            return None
        case events.Gap() | events.Ping() | events.Notice() | events.Bye():
            return None
        case _:
            assert_never(event)


def label_of(place: str) -> str:
    """A place as it is shown, safe for a terminal: a person has an ``@``, as a room has its ``#``."""
    return printable(place if is_room(place) else f"@{place}")


def same(one: str, other: str) -> bool:
    """Are these one name?"""
    return one == other or name_key(one) == name_key(other)


class Painter:
    """Puts colours around texts; with ``colour`` false it leaves them as they are."""

    def __init__(self, *, colour: bool) -> None:
        self.colour = colour

    def style(self, style: str, text: str) -> str:
        """The text in one of the styles above. The text must be safe for a terminal already."""
        return f"\x1b[{_STYLES[style]}m{text}{_RESET}" if self.colour and text else text

    def person(self, key: str, text: str) -> str:
        """The text in the colour of a person: always the same, on every machine, whatever the name's case."""
        if not self.colour:
            return text
        return f"\x1b[{_code(person_colour(key))}m{text}{_RESET}"


def person_colour(name: str) -> int:
    """A person's colour, by name: an SGR colour (below 100) or one of the 256."""
    key = name_key(name).encode("utf-8", "surrogatepass")
    return _PEOPLE[hashlib.sha256(key).digest()[0] % len(_PEOPLE)]


def _code(colour: int) -> str:
    return str(colour) if colour < 100 else f"38;5;{colour}"


class Renderer:
    """Makes lines of events, for one reader. ``me`` is the reader's name, and may change.

    *zone*: the time zone of the times shown (None: this machine's). *full_time*: with the date and seconds, for logs.
    """

    def __init__(self, me: str, painter: Painter, *, zone: tzinfo | None = None, full_time: bool = False) -> None:
        self.painter = painter
        self._zone = zone
        self._full_time = full_time
        self.me = me

    def line(
        self,
        event: Event | Resumed,
        when: datetime,
        *,
        place: str | None = None,
        numbered: bool = False,
        multiline: bool = True,
    ) -> str | None:
        """The event as a line, or None if it is not for people.

        *place* is put before it, and with *numbered* its number, by which commands know it. With *multiline* a text's
        own newlines stay, indented; otherwise they are shown as signs.
        """
        text = self._resumed(event) if isinstance(event, Resumed) else self._text(event, multiline)
        if text is None:
            return None
        if place is not None:
            text = f"{self.painter.style('place', label_of(place))} {text}"
        if numbered and isinstance(event, events.Kept):
            text = f"{self._dim(f'^{event.seq}')} {text}"
        return f"{self.painter.style('time', self._time(when))} {text}"

    def day(self, when: datetime) -> date:
        """The day on which this is, for the reader."""
        return when.astimezone(self._zone).date()

    def day_line(self, day: date) -> str:
        """The line that begins a day."""
        return self.painter.style("day", f"──── {day:%A}, {day.day} {day:%B %Y} ────")

    def moment(self, time: str) -> str:
        """A time of the protocol with its day, for the reader, safe for a terminal."""
        try:
            local = from_rfc3339(time).astimezone(self._zone)
        except (ValueError, OverflowError):  # from a server of another kind, or beyond what Python counts
            return printable(time)
        return f"{local:%Y-%m-%d %H:%M}"

    def _time(self, when: datetime) -> str:
        local = when.astimezone(self._zone)
        return f"{local:%Y-%m-%d %H:%M:%S}" if self._full_time else f"{local:%H:%M}"

    # --- one event --------------------------------------------------------------------------------------------------

    def _text(self, event: Event, multiline: bool) -> str | None:
        match event:
            case events.Said():
                return self._said(event, multiline)
            case events.Edited():
                text = self._body(event.text, multiline)
                return f"{self._name(event.sender)} {self._dim(f'changed ^{event.target}:')} {text}"
            case events.Deleted():
                which = ", ".join(f"^{seq}" for seq in event.targets)
                return self._news(event.sender, f"deleted {which}")
            case events.Reacted():
                verb = "takes back" if event.remove else "reacts"
                return self._news(event.sender, f"{verb} {printable(event.reaction)} on ^{event.target}")
            case events.Joined():
                return self._news(event.name, f"joined {printable(event.room)}")
            case events.Left():
                return self._news(event.name, f"left {printable(event.room)}", event.reason)
            case events.Renamed():
                return self._news(event.name, f"is now {printable(event.to)}")
            case events.Presence():
                return self._presence(event)
            case events.TopicChanged():
                text = f"set the topic: {printable(event.text)}" if event.text else "cleared the topic"
                return self._news(event.sender, text)
            case events.Invited():
                whom = "you" if same(event.name, self.me) else printable(event.name)
                return self._news(event.sender, f"invited {whom} to {printable(event.room)}")
            case events.Kicked():
                text = f"put {printable(event.name)} out of {printable(event.room)}"
                return self._news(event.sender, text, event.reason)
            case events.RoleChanged():
                return self._news(event.sender, f"made {printable(event.name)} {event.role.value}")
            case events.Muted():
                return self._muted(event)
            case events.RoomChanged():
                return self._news(event.sender, f"changed the room: {_options(event)}")
            case events.Destroyed():
                return self._news(event.sender, f"removed {printable(event.room)}", event.reason)
            case events.Notice():
                return self.painter.style("notice", f"-- {printable(event.text)}")
            case events.Bye():
                return self.painter.style("notice", f"-- the server says goodbye: {printable(event.reason)}")
            case events.Gap():
                return self.painter.style("notice", "-- something is missing: you may not read there any more")
            case events.ReadMarker() | events.Typing() | events.Ping():
                return None
            case _:
                assert_never(event)

    def _said(self, said: events.Said, multiline: bool) -> str:
        text = self._dim("(deleted)") if said.deleted else self._body(said.text, multiline)
        if not same(said.sender, self.me):
            text = self._highlighted(text)
        if said.edited is not None:
            text += self._dim(" (changed)")
        if said.reply_to is not None:
            text = f"{self._dim(f'(to ^{said.reply_to})')} {text}"
        if said.reactions:
            counted = " ".join(f"{printable(what)} {len(who)}" for what, who in said.reactions.items())
            text += self._dim(f" [{counted}]")
        match said.kind:
            case "text":
                return f"{self._name(said.sender)}: {text}"
            case "action":
                return f"* {self._name(said.sender)} {text}"
            case "notice":
                return f"-{self._name(said.sender)}- {text}"
            case _:
                assert_never(said.kind)

    def _presence(self, presence: events.Presence) -> str:
        match presence.state:
            case State.ONLINE:
                return self._news(presence.name, "is here")
            case State.AWAY:
                return self._news(presence.name, "is away", presence.text)
            case State.OFFLINE:
                return self._news(presence.name, "is offline", presence.text)
            case _:
                assert_never(presence.state)

    def _muted(self, muted: events.Muted) -> str:
        if not muted.active:
            return self._news(muted.sender, f"lets {printable(muted.name)} speak again")
        until = f" until {self.moment(muted.until)}" if muted.until is not None else ""
        return self._news(muted.sender, f"muted {printable(muted.name)}{until}", muted.reason)

    def _resumed(self, resumed: Resumed) -> str:
        if not resumed.complete:
            text = "connected again, to a server that begins a new history: what was said meanwhile is not known"
        elif resumed.missed:
            text = f"connected again; nothing is missing ({resumed.missed} came meanwhile)"
        else:
            text = "connected again; nothing is missing"
        return self.painter.style("notice", f"-- {text}")

    # --- parts ------------------------------------------------------------------------------------------------------

    def _name(self, name: str) -> str:
        return self.painter.person(name, printable(name))

    def _body(self, text: str, multiline: bool) -> str:
        if not multiline:
            return printable(text)
        return printable(text.rstrip("\n"), multiline=True).replace("\n", "\n" + INDENT)

    def _highlighted(self, text: str) -> str:
        """The text with all mentions of the reader marked."""
        parts, done = list[str](), 0
        for start, end in mention_spans(text, self.me):
            parts += text[done:start], self.painter.style("mention", text[start:end])
            done = end
        return "".join(parts) + text[done:]

    def _news(self, name: str, text: str, reason: str | None = None) -> str:
        because = f" ({printable(reason)})" if reason else ""
        return f"{self._dim('*')} {self._name(name)} {self._dim(text + because)}"

    def _dim(self, text: str) -> str:
        return self.painter.style("dim", text)


def _options(room: events.RoomChanged) -> str:
    on = [
        name.replace("_", " ") for name in ("private", "moderated", "topic_locked", "password") if getattr(room, name)
    ]
    kept = f"messages are kept {room.retention} days" if room.retention else "messages are kept for good"
    return ", ".join([*on, kept])


# --- results --------------------------------------------------------------------------------------------------------


def answer_lines(result: Result, renderer: Renderer) -> Iterator[str]:
    """The lines that tell a person what came back."""
    match result:
        case events.RoomList():
            yield from _rooms(result, renderer)
        case events.Members():
            yield from _members(result, renderer)
        case events.User():
            yield from _user(result, renderer)
        case events.History():
            yield from _history(result, renderer)
        case events.BanList():
            yield from _bans(result, renderer)
        case events.AccountList():
            yield _note(renderer, f"{len(result.accounts)} registered")
            yield from (f"   {_account(account, renderer)}" for account in result.accounts)
        case events.Stats():
            yield from _stats(result, renderer)
        case events.Ok():
            yield _note(renderer, _done(result))
        case events.Welcome():
            yield _note(renderer, "welcome")
        case events.Error():
            yield renderer.painter.style("error", f"-- {printable(result.text)} ({result.code.value})")


def _note(renderer: Renderer, text: str) -> str:
    return renderer.painter.style("notice", f"-- {text}")


def _done(ok: events.Ok) -> str:
    if ok.text:
        return printable(ok.text)
    return "kept: they are not here now, and will get it" if ok.code is Code.ACCEPTED else "done"


def _more(result: events.RoomList | events.Members | events.BanList, command: str, renderer: Renderer) -> Iterator[str]:
    """How to go on, if there is more of a list."""
    if not result.complete:
        yield _note(renderer, f"there is more: {command} after {result.next}")


def _rooms(result: events.RoomList, renderer: Renderer) -> Iterator[str]:
    yield _note(renderer, f"{len(result.rooms)} {'room' if len(result.rooms) == 1 else 'rooms'}")
    width = max((len(printable(room.name)) for room in result.rooms), default=0)
    for room in result.rooms:
        name = renderer.painter.style("place", f"{printable(room.name):<{width}}")
        marks = [mark for mark in ("private", "moderated", "password") if getattr(room, mark)]
        kind = f" [{', '.join(marks)}]" if marks else ""
        yield f"   {name} {room.members:>4}{kind}  {printable(room.topic)}".rstrip()
    yield from _more(result, "/rooms", renderer)


def _members(result: events.Members, renderer: Renderer) -> Iterator[str]:
    where = f"in {printable(result.room)}" if result.room is not None else "on the server"
    yield _note(renderer, f"{len(result.members)} {where}")
    if result.topic:
        yield _note(renderer, f"topic: {printable(result.topic)}")
    people = [_member(member, renderer) for member in result.members]
    if people:
        yield "   " + ", ".join(people)
    yield from _more(result, f"/who {printable(result.room or '*')}", renderer)


def _member(member: events.Member, renderer: Renderer) -> str:
    marks = []
    if member.role is not None and member.role is not Role.MEMBER:
        marks.append(member.role.value)
    if member.registered:
        marks.append("registered")
    if member.state is not State.ONLINE:
        marks.append(f"{member.state.value}: {printable(member.away)}" if member.away else member.state.value)
    return renderer.painter.person(member.name, printable(member.name)) + (f" ({', '.join(marks)})" if marks else "")


def _user(user: events.User, renderer: Renderer) -> Iterator[str]:
    state = user.state.value + (f": {printable(user.away)}" if user.away else "")
    kind = "an administrator" if user.administrator else ("registered" if user.registered else "a guest")
    name = renderer.painter.person(user.name, printable(user.name))
    yield f"{_note(renderer, '')}{name} is {state}, {kind}"
    if user.rooms:
        yield f"   in {', '.join(map(printable, user.rooms))}"
    if user.since is not None:
        yield f"   here since {renderer.moment(user.since)}"
    if user.idle is not None:
        yield f"   silent for {_duration(user.idle)}"
    if user.sessions > 1:
        yield f"   connected {user.sessions} times"
    if user.address is not None:
        yield f"   from {printable(user.address)}"


def _history(history: events.History, renderer: Renderer) -> Iterator[str]:
    if not history.events and history.complete:
        yield _note(renderer, "nothing found")
    day = None
    for event in history.events:
        if renderer.day(event.when) != day:
            day = renderer.day(event.when)
            yield renderer.day_line(day)
        place = place_of(event, renderer.me)
        line = renderer.line(event, event.when, place=place, numbered=True)
        if line is not None:
            yield line
    if not history.complete and history.next is not None:
        yield _note(renderer, f"there is more: before ^{history.next}")


def _bans(bans: events.BanList, renderer: Renderer) -> Iterator[str]:
    where = f"in {printable(bans.room)}" if bans.room is not None else "on the server"
    yield _note(renderer, f"{len(bans.bans)} banned or muted {where}")
    for ban in bans.bans:
        until = f"until {renderer.moment(ban.until)}" if ban.until is not None else "for ever"
        reason = f" ({printable(ban.reason)})" if ban.reason else ""
        by = f" by {printable(ban.by)}" if ban.by else ""
        yield f"   {printable(ban.who)} {'muted' if ban.mute else 'banned'} {until}{by}{reason}"
    yield from _more(bans, f"/bans {printable(bans.room or '*')}", renderer)


def _account(account: events.Account, renderer: Renderer) -> str:
    marks = ["administrator"] if account.administrator else []
    marks.append("password" if account.password else "token only")
    return f"{renderer.painter.person(account.name, printable(account.name))} ({', '.join(marks)})"


def _stats(stats: events.Stats, renderer: Renderer) -> Iterator[str]:
    memory = f", {stats.memory / 1e6:.1f} MB of memory" if stats.memory is not None else ""
    yield _note(renderer, f"asyncchat {printable(stats.version)}, up for {_duration(stats.uptime)}{memory}")
    yield f"   {stats.connections} connections, {stats.sessions} sessions, {stats.people} people online"
    yield f"   {stats.registered} registered, {stats.rooms} rooms, {stats.seq} records"
    yield f"   listening on {', '.join(map(printable, stats.listening))}"


def _duration(seconds: int) -> str:
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
