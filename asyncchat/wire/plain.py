"""The plain dialect: text for people who have nothing but nc or telnet.

The first line is a name, then each line is a message, and lines that begin with a slash are commands. What is told to
one peer depends on who it is and which room it is in, so that every connection is a variant of its own: people with nc
are few, and a line of text is soon made.

The context of a typed command is the command itself. What the dialect answers itself (telnet, ``/help``, a question
once more) are requests without a command.
"""

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any, TypeVar

from asyncchat.vocabulary import commands, events, render, slash
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import Result, Told
from asyncchat.vocabulary.names import name_key
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.render import View
from asyncchat.vocabulary.terms import Code
from asyncchat.wire.dialect import Context, Problem, Request
from asyncchat.wire.lines import TooLong
from asyncchat.wire.plain_login import LEAVING, PROMPT, PlainLogin
from asyncchat.wire.telnet import END, EditedLines, Reply, Signal, Telnet

QUIET = 0.5
"""Seconds after which first bytes without a newline are a message: the peer ends nothing with a newline.

Unless they are a single character: that is somebody whose terminal sends every key, and who may think while typing.
"""

LINES_SHOWN = 10
"""Messages of the past that are shown to whoever comes in."""

MEMBERS_SHOWN = 50
"""People who are listed to whoever comes in; ``/who`` lists more."""

PLACES_KEPT = 1000
"""Rooms and conversations of which the last message is remembered, and messages of the past of which the place is."""

HINT = "* /help lists the commands, exit leaves"

_SETTLED: Request = (None, None)
"""Nothing to say: what comes next has to know the answers to all before it."""

_numbers = count(1)


class Look(enum.Enum):
    """The context of what is asked for when somebody comes into a room."""

    WELCOME = "welcome"
    JOINED = "joined"


@dataclass(slots=True)
class Before:
    """The context of the page that ends with a message which is read around; ``page``: it, once it is known."""

    message: int
    page: Sequence[events.KeptEvent] | None = None


@dataclass(frozen=True, slots=True)
class After:
    """The context of the page that follows it, and is shown with it."""

    before: Before


def greeting(server_name: str) -> bytes:
    """What a client is sent that says nothing."""
    return printable(f"Welcome to {server_name}. What is your name?").encode() + b"\r\n"


def farewell(bye: events.Bye) -> bytes:
    """What a client is sent that was greeted, and has said nothing since."""
    return _safe(tuple(render.plain(render.render(bye, View()))), "\r\n")


@lru_cache(maxsize=64)
def _safe(lines: tuple[str, ...], newline: str) -> bytes:
    """The lines as they may be shown on a terminal. It is remembered: most who hear a message read the same of it."""
    return "".join([printable(line) + newline for line in lines]).encode()


K = TypeVar("K")
V = TypeVar("V")


class Places:
    """The last message of each room, for ``/react``, and where messages of the past stand, for ``/reply ^N``."""

    __slots__ = ("_last", "_past")

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._past: dict[int, str] = {}

    @property
    def past(self) -> Mapping[int, str]:
        """The room or person of each message of the past that was shown."""
        return self._past

    def keep(self, seq: int, place: str) -> None:
        """A message of the past was shown."""
        _put(self._past, seq, place)

    def heard(self, place: str, seq: int) -> None:
        """A message was read or said there; the last one is the one with the highest ``seq``."""
        key = name_key(place)
        _put(self._last, key, max(seq, self._last.get(key, 0)))

    def last(self, place: str | None) -> int | None:
        """The last message of a room or conversation, or None."""
        return self._last.get(name_key(place)) if place is not None else None

    def renamed(self, name: str, to: str) -> None:
        """A person has another name: the conversation goes with it."""
        seq = self._last.pop(name_key(name), None)
        if seq is not None:
            _put(self._last, name_key(to), seq)


def _put(bounded: dict[K, V], key: K, value: V) -> None:
    """Set an entry; of too many the one that was set first goes."""
    bounded.pop(key, None)
    bounded[key] = value
    if len(bounded) > PLACES_KEPT:
        del bounded[next(iter(bounded))]


class PlainDialect:
    """One connection of a person with nc or telnet; ``limit`` bytes a line (0: unlimited)."""

    echo = False
    resumable = False
    pings = False

    __slots__ = (
        "_by_keys", "_by_sends", "_ends_lines", "_here", "_joining", "_line_hidden", "_lines", "_live_from",
        "_login", "_name", "_own", "_partner", "_places", "_rooms", "_telnet", "_welcomed", "_wishes", "variant",
    )  # fmt: skip

    def __init__(self, limit: int) -> None:
        self.variant = f"plain {next(_numbers)}"
        self._telnet = Telnet()
        self._lines = EditedLines(limit)
        self._login = PlainLogin(self._telnet)
        self._by_keys: bool | None = None  # the first text was a single character
        self._ends_lines = False
        self._by_sends = False
        self._line_hidden = False  # the last line, whose end was not shown either
        self._welcomed = False
        self._name = ""
        self._here: str | None = None
        self._partner: str | None = None
        self._own: int | None = None
        self._live_from: int | None = None
        self._joining = False
        self._rooms: dict[str, None] = {}
        self._places = Places()
        self._wishes: list[Request] = []

    # --- bytes in -----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> Iterable[Request | Problem]:
        """What the lines that are complete ask for, each in the light of the answer to the one before."""
        items: list[bytes | TooLong | Reply | Signal] = []
        for piece in self._telnet.receive(data):
            if not isinstance(piece, bytes):
                items.append(piece)
                continue
            if self._by_keys is None:
                self._by_keys = len(piece.decode(errors="replace")) == 1
            lines = self._lines.feed(piece)
            self._ends_lines = self._ends_lines or bool(lines)
            items += lines
        if self._by_sends:
            items += self._rest()
        return self._asked(items)

    def end(self) -> Iterable[Request | Problem]:
        """What the last line asks for if it has no newline, as with ``printf hi | nc``."""
        return self._asked(self._rest())

    @property
    def partial(self) -> bool:
        """There are bytes waiting for the rest of a line, or of a telnet command."""
        return self._lines.partial or self._telnet.partial

    @property
    def quiet_after(self) -> float | None:
        """Only the first bytes tell whether a peer ends its lines; telnet always does."""
        undecided = not (self._ends_lines or self._by_sends or self._by_keys or self._telnet.seen)
        return QUIET if undecided and self._lines.partial else None

    def quiet(self) -> Iterable[Request | Problem]:
        """First bytes without a newline have stayed so: from now on the peer is read send by send."""
        self._by_sends = True
        return self._asked(self._rest())

    def _rest(self) -> list[bytes]:
        rest = self._lines.take()
        return [rest] if rest else []

    def _asked(self, items: Sequence[bytes | TooLong | Reply | Signal]) -> Iterator[Request | Problem]:
        for item in items:
            match item:
                case TooLong():
                    yield Problem(Code.TOO_LONG, "that line is too long")
                case bytes(line):
                    yield from self._line(line) if line != END else ((commands.Quit(), None),)
                case Signal.FIRST:  # the greeting went to those who say nothing
                    if not self._welcomed:
                        yield (None, PROMPT)
                case Reply() | Signal():
                    yield (None, item)

    def _line(self, line: bytes) -> Iterator[Request | Problem]:
        try:
            text = line.decode()
        except UnicodeDecodeError:
            yield Problem(Code.MALFORMED, "that line is not UTF-8")
            return
        if self._welcomed:
            yield from self._typed(text)
        else:
            self._line_hidden = self._telnet.hiding
            yield from self._login.line(text)

    def _typed(self, line: str) -> Iterator[Request | Problem]:
        if not line.strip():
            return
        if line.strip() in LEAVING:
            line = "/quit"
        if slash.recalls(line):
            yield _SETTLED  # the last message is known then
        last = self._places.last(self._here)
        context = slash.Context(self._here, self._partner, self._own, last, self._places.past)
        parsed = slash.parse(line, context)
        match parsed:
            case slash.Usage(text):
                yield Problem(Code.MALFORMED, text)
            case slash.Action():
                yield (None, parsed)
            case (commands.Join(room=room),) if self._known(room) is not None:
                yield (None, slash.Action("switch", room))
            case (commands.History(before=int(number)) as first, commands.History() as second):
                before = Before(number - 1)
                yield (first, before)
                yield (second, After(before))
            case _:
                for command in parsed:
                    self._joining = self._joining or type(command) is commands.Join
                    yield (command, command)

    def _known(self, room: str) -> str | None:
        """The name of a room that the person is in, however it is typed."""
        key = name_key(room)
        return next((known for known in self._rooms if name_key(known) == key), None)

    # --- bytes out ----------------------------------------------------------------------------------------------------

    def encode_shared(self, events: Collection[Told]) -> bytes:
        """Events as lines of text."""
        return b"".join(map(self.encode, events))

    def encode(self, told: Told, context: Context = None) -> bytes:
        """An event or result as lines of text; nothing for what people need not see."""
        if (show := _RESULTS.get(type(told))) is not None:
            lines = show(self, told, context)
        else:
            lines = _EVENTS.get(type(told), PlainDialect._happened)(self, told)
        data = self._bytes(lines)
        return self._echo() + data if type(told) in _ANSWERS else data

    def outgoing(self, context: Context) -> bytes:
        """The answer to what needs no command."""
        if isinstance(context, Reply):
            return context.data
        data = self._bytes(self._own_words(context))  # which may ask for a password
        return self._echo() + data

    def _own_words(self, context: Context) -> list[str]:
        match context:
            case _ if context == PROMPT:
                return self._login.asked()
            case Signal.INTERRUPTED:
                # The terminal has shown ^C.
                return ["", *([HINT] if self._welcomed else self._login.asked())]
            case Signal.ARE_YOU_THERE:
                return ["* yes, the server is here"]
            case slash.Action("help", about):
                return slash.help_lines(about)
            case slash.Action("switch", str(place)):
                return self._go(self._known(place) or place)
        return []

    def _bytes(self, lines: list[str]) -> bytes:
        return _safe(tuple(lines), "\r\n" if self._telnet.crlf else "\n") if lines else b""

    def _echo(self) -> bytes:
        """What goes before an answer, so that the peer's user sees what is typed next if and only if it is no password.

        Held events are written after a login's answers, though they are encoded before: so it goes before no event.
        """
        hidden, self._line_hidden = self._line_hidden, False
        return (b"\r\n" if hidden else b"") + self._telnet.hide(self._login.secret)

    @property
    def wishes(self) -> bool:
        """There is something to ask for."""
        return bool(self._wishes)

    def follow_up(self) -> list[Request]:
        """Who is there and what was said, after coming into a room."""
        wishes, self._wishes = self._wishes, []
        return wishes

    # --- messages and events ------------------------------------------------------------------------------------------

    def _said(self, event: events.Said) -> list[str]:
        if event.to.startswith("#"):
            if not self._welcomed:
                return []  # it will be among the last messages
            if event.to == self._here:
                self._live_from = self._live_from or event.seq
        elif event.sender != self._name:
            self._partner = event.sender
        own = self._name or event.to  # what comes before the welcome, which tells the name, is a direct message
        self._places.heard(render.place_of(event, own) or event.to, event.seq)
        return render.plain(render.render(event, View(own, self._here)))

    def _happened(self, event: Any) -> list[str]:
        if not self._welcomed and not isinstance(event, events.Notice | events.Bye):
            return []
        return render.plain(render.render(event, View(self._name, self._here)))

    def _joined(self, event: events.Joined) -> list[str]:
        if event.name != self._name or not self._welcomed:
            return self._happened(event)
        self._rooms[event.room] = None
        return [] if self._joining else [f"* you are in {event.room} now"]

    def _left(self, event: events.Left | events.Kicked) -> list[str]:
        if event.name != self._name or not self._welcomed:
            return self._happened(event)
        by = f", put out by {event.sender}" if isinstance(event, events.Kicked) else ""
        because = f": {event.reason}" if event.reason else ""
        return self._gone(event.room, f"* you are no longer in {event.room}{by}{because}")

    def _destroyed(self, event: events.Destroyed) -> list[str]:
        lines = self._happened(event)
        return self._gone(event.room, *lines) if event.room in self._rooms else lines

    def _gone(self, room: str, *lines: str) -> list[str]:
        self._rooms.pop(room, None)
        return [*lines, *(self._go(next(reversed(self._rooms), None)) if room == self._here else [])]

    def _renamed(self, event: events.Renamed) -> list[str]:
        lines = self._happened(event)
        self._places.renamed(event.name, event.to)
        if event.name == self._name:
            self._name = event.to
            lines = [f"* you are {event.to} now"]
        if event.name == self._partner:
            self._partner = event.to
        if self._here is not None and name_key(event.name) == name_key(self._here):
            self._here = event.to
        return lines

    def _go(self, place: str | None) -> list[str]:
        """From now on lines go to this room or person."""
        self._here, self._live_from = place, None
        return ["* you are in no room: /join #room"] if place is None else [f"* you write to {place} now"]

    # --- results ------------------------------------------------------------------------------------------------------

    def _welcome(self, event: events.Welcome, _: Context) -> list[str]:
        self._welcomed = True
        self._login = PlainLogin(self._telnet)  # which forgets the passwords
        self._name = event.name
        self._rooms = dict.fromkeys(event.rooms)
        motd = event.motd.splitlines() if event.motd else []
        lines = [*motd, f"* you are {event.name} on {event.server}"]
        if not event.rooms:
            return [*lines, *self._go(None), HINT]
        self._here = event.rooms[0]
        others = f" (and in {', '.join(event.rooms[1:])})" if len(event.rooms) > 1 else ""
        self._wishes += self._look_around(Look.WELCOME)
        return [*lines, f"* you write to {self._here}{others}"]

    def _look_around(self, look: Look) -> list[Request]:
        if self._here is None:
            return []
        return [
            (commands.Who(room=self._here), look),
            (commands.History(to=self._here, limit=LINES_SHOWN), look),
        ]

    def _error(self, event: events.Error, context: Context) -> list[str]:
        if not self._welcomed:
            asked_in = isinstance(context, commands.Hello)
            return self._login.refused(event) if asked_in else [f"! {event.text}", *self._login.asked()]
        self._joining = False
        if isinstance(context, After) and context.before.page is None:
            return []  # that there is no page before the message either was said
        return [f"! {event.text}"]

    def _ok(self, event: events.Ok, context: Context) -> list[str]:
        match context:
            case commands.Say(to=to) if event.seq is not None:
                self._own = event.seq
                self._places.heard(to, event.seq)
            case commands.Join(room=room):
                self._joining = False
                lines = self._go(self._known(room) or room)
                self._wishes += self._look_around(Look.JOINED)
                return [*lines, *self._answer(event, context)]
        return self._answer(event, context)

    def _answer(self, result: Result, context: Context) -> list[str]:
        view = View(self._name, self._here)
        asked = isinstance(context, Command)
        return render.plain(render.answer(context, result, view) if asked else render.render(result, view))

    def _members(self, event: events.Members, context: Context) -> list[str]:
        return render.plain(render.members(event, None if isinstance(context, commands.Who) else MEMBERS_SHOWN))

    def _history(self, event: events.History, context: Context) -> list[str]:
        kept = event.events
        if isinstance(context, Before):
            # It ends with the message itself.
            if kept and kept[-1].seq == context.message:
                context.page = kept
                return []
            return [f"! there is no message ^{context.message} in {event.to}"]
        if isinstance(context, After):
            if context.before.page is None:
                return []
            kept = [*context.before.page, *kept]
        typed = isinstance(context, commands.History | commands.Search)
        asked = typed or isinstance(context, After)
        if not asked and self._live_from is not None:  # shown already, as it was said
            kept = [each for each in kept if each.seq < self._live_from]
        for each in kept:
            if isinstance(each, events.Said):
                place = render.place_of(each, self._name) or each.to
                self._places.keep(each.seq, place)
                if not asked:
                    self._places.heard(place, each.seq)
        view = View(self._name, self._here if event.to else None, render.CLOCK, numbered=asked)
        lines = render.plain(render.render(event, view) if typed else render.page(kept, view))
        return [*lines, HINT] if context is Look.WELCOME else lines


_EVENTS: dict[type, Callable[[PlainDialect, Any], list[str]]] = {
    events.Said: PlainDialect._said,
    events.Joined: PlainDialect._joined,
    events.Left: PlainDialect._left,
    events.Kicked: PlainDialect._left,
    events.Destroyed: PlainDialect._destroyed,
    events.Renamed: PlainDialect._renamed,
}
"""What is shown in another way than as one sentence."""

_RESULTS: dict[type, Callable[[PlainDialect, Any, Context], list[str]]] = {
    events.Welcome: PlainDialect._welcome,
    events.Error: PlainDialect._error,
    events.Ok: PlainDialect._ok,
    events.Members: PlainDialect._members,
    events.History: PlainDialect._history,
    **dict.fromkeys(
        (events.RoomList, events.User, events.BanList, events.AccountList, events.Stats), PlainDialect._answer
    ),
}

_ANSWERS = frozenset({events.Welcome, events.Ok, events.Error, events.Bye})
"""What answers a line, and may come with the next question."""
