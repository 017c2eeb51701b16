"""Events and results as lines for people: the one text of them, for the console, for plain peers and for operators.

A line is made of parts, each a style and a text. The texts are raw: whoever shows them makes them safe (`printable`)
and styles them as it can. A message may have several lines; all but the first are indented, so that none can pass for
a line of somebody else.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Literal

from msgspec import Struct

from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.mentions import mention_spans
from asyncchat.vocabulary.names import is_room, name_key
from asyncchat.vocabulary.terms import Code, Role, State, from_rfc3339

Style = Literal["text", "name", "place", "time", "number", "detail", "mention", "notice", "error", "day"]
"""What a part of a line is. ``name``: a person's name and nothing else; ``detail``: what may be read over."""

Part = tuple[Style, str]
Line = list[Part]

INDENT = " " * 6
"""Before all lines of a message but its first: they stand under its beginning where a time stands before it."""

CLOCK = "%H:%M"
FULL_CLOCK = "%Y-%m-%d %H:%M:%S"
"""Times before lines: on a screen, where another line begins each day, and in a log."""

TARGETS_SHOWN = 5
"""Numbers of deleted messages that are listed; of more, as after a purge, only the count is of interest."""


class View(Struct, frozen=True):
    """How one person reads.

    ``name``: their own. ``here``: the room or person whose name is left out before its lines. ``clock``: how times are
    shown before lines (for `strftime`; empty: not at all), in ``zone`` (None: this machine's). ``numbered``: with the
    numbers by which commands know messages. ``multiline``: a message may have several lines. ``highlight``: one's own
    name is marked as a mention where it stands in a message.
    """

    name: str = ""
    here: str | None = None
    clock: str = ""
    zone: tzinfo | None = UTC
    numbered: bool = False
    multiline: bool = True
    highlight: bool = False


def render(told: events.Told, view: View, when: datetime | None = None) -> list[Line]:
    """The lines of an event or a result; none for what is not for people. *when*: the time that is shown with it."""
    show = _EVENTS.get(type(told))
    if show is not None:
        return _placed(told, show(told, view), view, when)
    show = _RESULTS.get(type(told))
    return show(told, view) if show is not None else []


def answer(command: commands.Command, result: events.Result, view: View) -> list[Line]:
    """The lines that answer a command; none where an event tells people that it was done."""
    if not isinstance(result, events.Ok):
        return render(result, view)
    match command:
        case commands.Say(to=to) if result.code is Code.ACCEPTED:
            return [_note(f"{to} is not here now, and will read it later")]
        case commands.Topic(room=room, text=None):
            return [_note(f"topic of {room}: {result.text}" if result.text else f"{room} has no topic")]
        case commands.Join() if result.code is Code.CREATED:
            return [_note("it is new, and yours")]
    text = result.text or command.done
    return [_note(text)] if text else []


def plain(lines: Iterable[Line]) -> list[str]:
    """The lines without their styles, still raw."""
    return ["".join([text for _, text in line]) for line in lines]


# --- places and times -------------------------------------------------------------------------------------------------


def same(one: str, other: str) -> bool:
    """Are these one name?"""
    return one == other or name_key(one) == name_key(other)


def label_of(place: str) -> str:
    """A place as it is shown: a person has an ``@``, as a room has its ``#``."""
    return place if is_room(place) else f"@{place}"


_OF_CONVERSATIONS: frozenset[type] = frozenset(
    {events.Said, events.Edited, events.Deleted, events.Reacted, events.ReadMarker, events.Typing}
)
_OF_ROOMS: frozenset[type] = frozenset(
    {
        *(events.Joined, events.Left, events.TopicChanged, events.Kicked),
        *(events.RoleChanged, events.Muted, events.RoomChanged, events.Destroyed),
    }
)


def place_of(told: Any, own: str) -> str | None:
    """The room, or the person on the other side, that an event belongs to; None if it is no place's."""
    place: str | None = None
    if type(told) in _OF_CONVERSATIONS:
        place = told.to if is_room(told.to) or not same(told.to, own) else told.sender
    elif type(told) in _OF_ROOMS:
        place = told.room
    return place


def _placed(told: events.Told, lines: list[Line], view: View, when: datetime | None) -> list[Line]:
    """With what stands before an event's first line: its time, its number and its place."""
    first = lines[0]
    place, here = place_of(told, view.name), view.here
    if place != here and place is not None and (here is None or is_room(place) or not same(place, here)):
        first.insert(0, ("place", f"{label_of(place)} "))
    if view.numbered and isinstance(told, events.Kept):
        first.insert(0, ("number", f"^{told.seq} "))
    if view.clock and when is not None:
        first.insert(0, ("time", f"{when.astimezone(view.zone):{view.clock}} "))
    return lines


def day_line(day: date, zone: tzinfo | None) -> Line:
    """The line that begins a day."""
    return [("day", f"--- {day:%A}, {day.day} {day:%B %Y}{f' (times are {zone})' if zone is not None else ''} ---")]


def moment(time: str, zone: tzinfo | None) -> str:
    """A time of the protocol with its day; as it is where it is none, as from a server of another kind."""
    local = _local(time, zone)
    return f"{local:%Y-%m-%d %H:%M}{f' {zone}' if zone is not None else ''}" if local is not None else time


def _local(time: str, zone: tzinfo | None) -> datetime | None:
    try:
        return from_rfc3339(time).astimezone(zone)
    except (ValueError, OverflowError):
        return None


# --- messages ---------------------------------------------------------------------------------------------------------


def _said(said: events.Said, view: View) -> list[Line]:
    line: Line
    if said.kind == "text":
        line = [("name", said.sender), ("text", ": ")]
    elif said.kind == "action":
        line = [("text", "* "), ("name", said.sender), ("text", " ")]
    else:
        line = [("text", "-"), ("name", said.sender), ("text", "- ")]
    if said.reply_to is not None:
        line.append(("detail", f"(to ^{said.reply_to}) "))
    if said.deleted:
        line.append(("detail", "(deleted)"))
    lines = _with_text(line, said, view)
    if said.edited is not None:
        lines[-1].append(("detail", " (edited)"))
    if said.reactions:
        counts = ", ".join([f"{reaction} {len(names)}" for reaction, names in said.reactions.items()])
        lines[-1].append(("detail", f" [{counts}]"))
    return lines


def _with_text(line: Line, message: events.Said | events.Edited, view: View) -> list[Line]:
    """The line with a message's text behind it, and the lines that follow."""
    lines = [line]
    texts = message.text.splitlines() if view.multiline else [message.text]
    marked = view.highlight and not same(message.sender, view.name)
    for number, text in enumerate(texts):  # mostly there is one
        if number:
            lines.append([("text", INDENT)])
        if marked:
            lines[-1] += _marked(text, view.name)
        else:
            lines[-1].append(("text", text))
    return lines


def _marked(text: str, name: str) -> Line:
    parts: Line = []
    at = 0
    for start, end in mention_spans(text, name):
        parts += [("text", text[at:start]), ("mention", text[start:end])]
        at = end
    return [*parts, ("text", text[at:])]


# --- what happened ----------------------------------------------------------------------------------------------------


def _news(name: str, text: str) -> Line:
    return [("detail", "* "), ("name", name), ("detail", f" {text}")]


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def _presence(event: events.Presence) -> str:
    state = "back" if event.state is State.ONLINE else event.state
    return f"is {state}{_because(event.text)}"


def _deleted(event: events.Deleted) -> str:
    count = len(event.targets)
    return f"deleted {', '.join(f'^{seq}' for seq in event.targets) if count <= TARGETS_SHOWN else f'{count} messages'}"


def _muted(event: events.Muted, view: View) -> str:
    if not event.active:
        return f"lets {event.name} speak again"
    until = f" until {moment(event.until, view.zone)}" if event.until else ""
    return f"muted {event.name}{until}{_because(event.reason)}"


_ROLES = {Role.MEMBER: "a member", Role.VOICE: "a voice", Role.OPERATOR: "an operator", Role.OWNER: "an owner"}


def _options(event: events.RoomChanged) -> str:
    options = [
        "private" if event.private else "public",
        *(["moderated"] if event.moderated else []),
        *(["topic locked"] if event.topic_locked else []),
        *([f"messages kept {event.retention} days"] if event.retention else []),
        *(["with a password"] if event.password else []),
    ]
    return f"changed {event.room}, which is {', '.join(options)}"


def _invited(event: events.Invited, view: View) -> str:
    if same(event.name, view.name):
        return f"invited you: /join {event.room}"
    return f"invited {event.name} to {event.room}"


def _bye(event: events.Bye) -> str:
    again = f"; come back in {event.reconnect:.0f} s" if event.reconnect else ""
    return "goodbye" if event.code is Code.OK else f"goodbye: {event.reason}{again}"


_Shown = dict[type, Callable[[Any, View], list[Line]]]

_EVENTS: _Shown = {
    events.Said: _said,
    events.Edited: lambda event, view: _with_text(_news(event.sender, f"changed ^{event.target}: "), event, view),
    events.Deleted: lambda event, _: [_news(event.sender, _deleted(event))],
    events.Reacted: lambda event, _: [
        _news(
            event.sender,
            f"took {event.reaction} off ^{event.target}"
            if event.remove
            else f"reacted with {event.reaction} to ^{event.target}",
        )
    ],
    events.Joined: lambda event, _: [_news(event.name, "joined")],
    events.Left: lambda event, _: [_news(event.name, f"left{_because(event.reason)}")],
    events.Renamed: lambda event, _: [_news(event.name, f"is now {event.to}")],
    events.Presence: lambda event, _: [_news(event.name, _presence(event))],
    events.TopicChanged: lambda event, _: [
        _news(event.sender, f"set the topic: {event.text}" if event.text else "cleared the topic")
    ],
    events.Invited: lambda event, view: [_news(event.sender, _invited(event, view))],
    events.Kicked: lambda event, _: [_news(event.sender, f"put {event.name} out{_because(event.reason)}")],
    events.RoleChanged: lambda event, _: [_news(event.sender, f"made {event.name} {_ROLES[event.role]}")],
    events.Muted: lambda event, view: [_news(event.sender, _muted(event, view))],
    events.RoomChanged: lambda event, _: [_news(event.sender, _options(event))],
    events.Destroyed: lambda event, _: [_news(event.sender, f"removed {event.room}{_because(event.reason)}")],
    events.Gap: lambda event, _: [
        _note(f"up to {event.until - event.after} messages are missing here; /history shows what you may read")
    ],
    events.Notice: lambda event, _: [_note(event.text)],
    events.Bye: lambda event, _: [_note(_bye(event))],
}


# --- what was asked for -----------------------------------------------------------------------------------------------


def _note(text: str) -> Line:
    return [("notice", f"* {text}")]


def _rooms(result: events.RoomList, view: View) -> list[Line]:
    width = max((len(room.name) for room in result.rooms), default=0)
    return [*(_room(room, width) for room in result.rooms), *_more(result, "/rooms")] or [_note("there are no rooms")]


def _more(result: events.RoomList | events.Members | events.BanList, command: str) -> list[Line]:
    """How to go on, if there is more of a list."""
    return [] if result.complete else [_note(f"there is more: {command} after {result.next}")]


def _room(room: events.Room, width: int) -> Line:
    flags = [flag for flag in ("private", "moderated", "password") if getattr(room, flag)]
    people = "1 person" if room.members == 1 else f"{room.members} people"
    about = ", ".join([people, *flags, *([room.topic] if room.topic else [])])
    return [("text", "  "), ("place", f"{room.name:<{width}}"), ("text", f"  {about}")]


def members(result: events.Members, most: int | None = None) -> list[Line]:
    """Who is there, in one line; of more than *most* the rest is counted."""
    if not result.members and result.complete:
        return [_note(f"nobody is {f'in {result.room}' if result.room else 'online'}")]
    line: Line = [("notice", f"* in {result.room}: " if result.room else "* online: ")]
    for member in result.members[:most]:
        line += [("name", member.name), ("text", f"{_about(member)}, ")]
    rest = len(result.members) - len(result.members[:most])
    style, text = line[-1]
    more = f" and {'' if result.complete else 'at least '}{rest} more" if rest else ""
    line[-1] = style, text.removesuffix(", ") + more
    topic = [_note(f"topic of {result.room}: {result.topic}")] if result.topic else []
    return [*topic, line, *(_more(result, f"/who {result.room or '*'}") if not rest else [])]


def _about(member: events.Member) -> str:
    about: list[str] = [member.role] if member.role is not None and member.role is not Role.MEMBER else []
    if member.state is not State.ONLINE:
        about.append(f"{member.state}{_because(member.away)}")
    return f" ({', '.join(about)})" if about else ""


def _user(result: events.User, view: View) -> list[Line]:
    about = [
        f"{result.state}{_because(result.away)}",
        "registered" if result.registered else "a guest",
        *(["administrator"] if result.administrator else []),
        *([f"in {', '.join(result.rooms)}"] if result.rooms else []),
        *([f"{result.sessions} sessions"] if result.sessions > 1 else []),
        *([f"here since {moment(result.since, view.zone)}"] if result.since is not None else []),
        *([f"silent for {_spoken(result.idle)}"] if result.idle is not None else []),
        *([f"from {result.address}"] if result.address else []),
    ]
    return [[("notice", "* "), ("name", result.name), ("text", f" is {'; '.join(about)}")]]


def _spoken(seconds: int) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


def _bans(result: events.BanList, view: View) -> list[Line]:
    if not result.bans and result.complete:
        return [_note(f"nobody is banned from {result.room or 'this server'}")]
    return [*(_ban(ban, view) for ban in result.bans), *_more(result, f"/bans {result.room or '*'}")]


def _ban(ban: events.Ban, view: View) -> Line:
    until = f" until {moment(ban.until, view.zone)}" if ban.until else ""
    by = f", by {ban.by}" if ban.by else ""
    return [("text", f"  {ban.who}: {'muted' if ban.mute else 'banned'}{until}{by}{_because(ban.reason)}")]


def _accounts(result: events.AccountList, view: View) -> list[Line]:
    width = max((len(account.name) for account in result.accounts), default=0)
    return [
        [("name", account.name), ("text", f"{'':<{width - len(account.name)}}  {', '.join(_rights(account))}")]
        for account in result.accounts
    ] or [_note("nobody is registered")]


def _rights(account: events.Account) -> list[str]:
    return [*(["administrator"] if account.administrator else []), "password" if account.password else "token only"]


def _stats(stats: events.Stats, view: View) -> list[Line]:
    memory = f", {stats.memory / 1e6:.1f} MB of memory" if stats.memory is not None else ""
    return [
        _note(f"asyncchat {stats.version}, up for {_spoken(stats.uptime)}{memory}"),
        _note(
            f"connections: {stats.connections}, sessions: {stats.sessions}, people online: {stats.people},"
            f" registered: {stats.registered}, rooms: {stats.rooms}, records: {stats.seq}"
        ),
        _note(f"listening on {', '.join(stats.listening)}"),
    ]


def _history(result: events.History, view: View) -> list[Line]:
    lines = page(result.events, view)
    if not result.events:
        lines.append(_note("nothing was found"))
    if not result.complete and result.next is not None:
        lines.append(_note(f"there is more before ^{result.next}"))
    return lines


def page(kept: Sequence[events.KeptEvent], view: View) -> list[Line]:
    """A page of the past, with a line wherever a new day begins."""
    lines: list[Line] = []
    day = None
    for event in kept:
        when = _local(event.time, view.zone)
        if when is not None and when.date() != day:
            day = when.date()
            lines.append(day_line(day, view.zone))
        lines += render(event, view, when)
    return lines


_RESULTS: _Shown = {
    events.RoomList: _rooms,
    events.Members: lambda result, _: members(result),
    events.User: _user,
    events.BanList: _bans,
    events.History: _history,
    events.AccountList: _accounts,
    events.Stats: _stats,
    events.Ok: lambda result, _: [_note(result.text)] if result.text else [],
    events.Error: lambda result, _: [[("error", f"! {result.text}")]],
}
