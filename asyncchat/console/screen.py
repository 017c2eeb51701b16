"""Events on the screen of a terminal: which are shown, with what before them, and what they change around the line."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, tzinfo
from itertools import accumulate

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.utils import get_cwidth

from asyncchat import Resumed, State, events
from asyncchat.commands import Say
from asyncchat.console.painter import Painter, event_lines
from asyncchat.console.places import Ignores, Place, Places
from asyncchat.events import Event, Kept
from asyncchat.text import CLOCK, Line, View, day_line, is_room, label_of, mentions, printable, same

NAMES_SHOWN = 3
"""Names in the toolbar; the others are counted, so that it stays one line."""

SHOWN = 5
"""Lines on their way that are shown; the rest is counted, so that they never fill the screen."""


class Outbox:
    """What was typed and is on its way, in that order: messages, by nonce, and commands, by number.

    It is shown as such until it has come back with everybody's messages, or is answered.
    """

    def __init__(self) -> None:
        self._lines: dict[str | int, str] = {}
        self._commands = 0

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, say: Say) -> None:
        """A message was typed; it has a nonce."""
        assert say.nonce is not None, "it is recognised by its nonce when it comes back"
        self._lines[say.nonce] = printable(f"{label_of(say.to)} {say.text}")

    def add_command(self, line: str) -> int:
        """A command was typed, as this line, which holds no password; returns its number."""
        self._commands += 1
        self._lines[self._commands] = printable(line)
        return self._commands

    def done(self, key: str | int | None) -> bool:
        """The message came back, the command was answered, or one of them failed; False if it is none of these."""
        return key is not None and self._lines.pop(key, None) is not None

    def shown(self) -> list[str]:
        """The last lines, oldest first, safe for a terminal."""
        return list(self._lines.values())[-SHOWN:]

    @property
    def hidden(self) -> int:
        """How many are not `shown`."""
        return max(len(self._lines) - SHOWN, 0)


def prompt_parts(places: Places, outbox: Outbox, *, offline: bool, writes: bool) -> StyleAndTextTuples:
    """What is on its way, a line each, and the prompt."""
    waiting = "not sent yet" if offline else "sending"
    parts: StyleAndTextTuples = []
    if outbox.hidden:
        parts.append(("class:pending", f"  … {outbox.hidden} more ({waiting})\n"))
    parts += [("class:pending", f"  … {line} ({waiting})\n") for line in outbox.shown()]
    if not writes:
        return [*parts, ("class:pending", "(only listening; Ctrl+C leaves) ")]
    parts.append(("class:prompt", f"{places.here.label}> " if places.here is not None else "> "))
    return parts


def toolbar_parts(places: Places, *, offline: str, now: float, columns: int) -> StyleAndTextTuples:
    """The connection's state, what is open, who types, who has read, and what is wrong (*offline*), if anything is.

    It is one line of *columns*, what is least needed at its end: what does not fit there is cut off.
    """
    state = ("class:offline", " ○ offline ") if offline else ("class:online", f" ● {printable(places.me)} ")
    parts: StyleAndTextTuples = [state, *_tabs(places, columns - get_cwidth(state[1]))]
    if places.here is not None:
        parts.append(("", _news_of(places.here, now)))
    if offline:
        parts.append(("class:offline", f"  {printable(offline)}"))
    return parts


def _tabs(places: Places, columns: int) -> StyleAndTextTuples:
    """A tab for each place, if so many fit; if not, first for where one is, is called, has something unread."""
    here = places.here
    tabs = [(place, _tab(number, place, here)) for number, place in enumerate(places, 1)]
    needed = sorted(tabs, key=lambda tab: (tab[0] is not here, not tab[0].mentioned, not tab[0].unread))
    shown = _fitting([text for _, (_, text) in needed], columns)
    if shown < len(tabs):
        shown = max(_fitting([text for _, (_, text) in needed], columns - len(f" +{len(tabs)}")), 1)
    chosen = [id(place) for place, _ in needed[:shown]]
    parts: StyleAndTextTuples = []
    for place, tab in tabs:
        if id(place) in chosen:
            parts += [("", " "), tab]
    return [*parts, ("", f" +{len(tabs) - shown}")] if shown < len(tabs) else parts


def _fitting(texts: list[str], columns: int) -> int:
    """How many of these texts, in their order and with a blank before each, fit into so many columns."""
    ends = accumulate(get_cwidth(text) + 1 for text in texts)
    return sum(1 for end in ends if end <= columns)


def _tab(number: int, place: Place, here: Place | None) -> tuple[str, str]:
    label = f"{number}:{place.label}"
    if place is here:
        return "class:here", label
    if place.unread:
        return ("class:mentioned" if place.mentioned else "class:unread"), f"{label}({place.unread})"
    return "", label


def _news_of(place: Place, now: float) -> str:
    typists = place.typists(now)
    if typists:
        return f"  {_some(typists)} {'is' if len(typists) == 1 else 'are'} typing…"
    readers = place.seen_by()
    if readers and place.own == place.last:
        return f"  seen by {_some(readers)}"
    return ""


def _some(names: list[str]) -> str:
    shown = ", ".join(map(printable, names[:NAMES_SHOWN]))
    return f"{shown} and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else shown


BELL = "\a"


class Screen:
    """Shows events through *write*, which gets whole lines.

    *read* false: only what is said under my own name is shown, on a terminal that only writes. *zone*: of the times
    shown (None: this machine's).
    """

    def __init__(
        self,
        painter: Painter,
        places: Places,
        outbox: Outbox,
        ignores: Ignores,
        write: Callable[[str], object],
        *,
        read: bool = True,
        zone: tzinfo | None = None,
    ) -> None:
        self.painter = painter
        self.places = places
        self.outbox = outbox
        self.ignores = ignores
        self.read = read
        self._write = write
        self._zone = zone
        self._day = self._day_of(datetime.now(UTC))

    def show(self, *lines: str) -> None:
        """Put lines on the screen; they must be safe for a terminal."""
        self._write("".join(f"{line}\n" for line in lines))

    def show_lines(self, lines: Iterable[Line]) -> None:
        """Put lines on the screen."""
        self.show(*self.painter.lines(lines))

    def view(self, *, here: str | None = None, numbered: bool = False) -> View:
        """How lines are read here; *here*: the place whose name need not stand before them."""
        return View(self.places.me, here, CLOCK, self._zone, numbered=numbered, highlight=True)

    def note(self, text: str, style: str = "notice") -> None:
        """Say something in the program's own voice; the text must be safe for a terminal, and may have lines."""
        self.show(*(self.painter.style(style, f"-- {line}") for line in text.split("\n")))

    def event(self, event: Event | Resumed) -> Place | None:
        """Show an event if it is to be shown; returns the place that it belongs to."""
        if isinstance(event, Resumed):
            self._show(event)
            return None
        if self._is_unwanted(event):
            return None
        if isinstance(event, events.Said):
            return self._said(event)
        if isinstance(event, events.Presence):
            self._presence(event)
            return None
        if isinstance(event, events.Renamed) and event.name in self.ignores:
            self.ignores.add(event.to)
        place = self.places.follow(event, time.monotonic())
        if self.read and self._is_worth_showing(event):
            self._show(event)
        return place

    def past(self, messages: Iterable[events.Said]) -> None:
        """Show messages of the past, in order, but those that came live already."""
        for said in sorted(messages, key=lambda message: message.seq):
            if self._is_unwanted(said):
                continue
            place = self.places.of(said)
            if place.first is not None and said.seq >= place.first:
                continue
            self.places.follow_past(said)
            if said.sender not in self.ignores:
                self._show(said)

    def _said(self, said: events.Said) -> Place:
        mine = same(said.sender, self.places.me)
        arrived = self.outbox.done(said.nonce)
        place = self.places.of(said)
        if place.last is not None and said.seq <= place.last:
            return place  # it was shown as part of the past
        self.places.follow(said, time.monotonic())
        if said.sender in self.ignores or not (self.read or arrived):
            return place
        called = not mine and (not place.is_room or mentions(said.text, self.places.me))
        if not mine:
            self.places.unread(place, mentioned=called)
        self._show(said, bell=called and said.kind != "notice")
        return place

    def _presence(self, presence: events.Presence) -> None:
        """Of people one talks with it is shown that they go, and that they are back after being away; of me, too."""
        if same(presence.name, self.places.me):
            self._show(presence)
            return
        place = self.places.get(presence.name)
        if place is None or presence.name in self.ignores or not self.read:
            return
        if presence.state is not State.ONLINE or place.away:
            self._show(presence)
        place.away = presence.state is State.AWAY

    def _is_unwanted(self, event: Event) -> bool:
        """From somebody who is ignored, and to be passed over as if it had not come: it is for my eyes only."""
        match event:
            case events.Said():
                return event.sender in self.ignores and not is_room(event.to)
            case events.Typing() | events.ReadMarker():
                return event.sender in self.ignores
            case _:
                return False

    def _is_worth_showing(self, event: Event) -> bool:
        match event:
            case (
                events.Edited() | events.Deleted() | events.Reacted() | events.Invited() | events.TopicChanged()
            ):  # fmt: skip
                return event.sender not in self.ignores
            case events.Joined() | events.Left() | events.Renamed():
                return event.name not in self.ignores
            case _:
                return True

    def _show(self, event: Event | Resumed, *, bell: bool = False) -> None:
        when = event.when if isinstance(event, Kept) else datetime.now(UTC)
        # The name of the place is left out if it is the only one and lines go there.
        here = self.places.here.name if self.places.here is not None and len(self.places) == 1 else None
        lines = event_lines(event, self.view(here=here), when)
        if not lines:
            return
        day = self._day_of(when)
        if day != self._day:
            self._day = day
            lines.insert(0, day_line(day, self._zone))
        *first, last = self.painter.lines(lines)
        self.show(*first, last + (BELL if bell else ""))

    def _day_of(self, when: datetime) -> date:
        return when.astimezone(self._zone).date()
