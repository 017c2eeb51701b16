"""Lines as they are shown on a terminal: each part safe, and in the colour of its style."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from asyncchat import Resumed
from asyncchat.events import Event
from asyncchat.text import Line, View, name_key, printable, render

_RESET = "\x1b[0m"

_STYLES = {
    "text": "",
    "detail": "2",
    "time": "2",
    "number": "2",
    "place": "36",
    "error": "31",
    "notice": "33",
    "mention": "1;7",
    "day": "2",
}

_PEOPLE = (31, 32, 33, 34, 35, 36, 91, 92, 94, 95, 96, 130, 136, 166, 172, 208)
"""Colours for people: the terminal's own first, then some of the 256 that read well on dark and on light."""


class Painter:
    """Puts colours around texts; with ``colour`` false it leaves them as they are."""

    def __init__(self, *, colour: bool) -> None:
        self.colour = colour

    def lines(self, lines: Iterable[Line]) -> list[str]:
        """The lines, safe for a terminal."""
        return ["".join([self.style(style, printable(text)) for style, text in line]) for line in lines]

    def style(self, style: str, text: str) -> str:
        """The text in a style of `Line`; a ``name`` in the colour of its person. It must be safe for a terminal."""
        if not self.colour or not text:
            return text
        sgr = _sgr(person_colour(text)) if style == "name" else _STYLES[style]
        return f"\x1b[{sgr}m{text}{_RESET}" if sgr else text


def person_colour(name: str) -> int:
    """A person's colour: always the same, whatever the name's case. An SGR colour (below 100) or one of the 256."""
    key = name_key(name).encode("utf-8", "surrogatepass")
    return _PEOPLE[hashlib.sha256(key).digest()[0] % len(_PEOPLE)]


def _sgr(colour: int) -> str:
    return str(colour) if colour < 100 else f"38;5;{colour}"


def event_lines(event: Event | Resumed, view: View, when: datetime) -> list[Line]:
    """The lines of what the client's stream of events gives; none for what is not for people."""
    if not isinstance(event, Resumed):
        return render(event, view, when)
    if not event.complete:
        text = "connected again, to a server that begins a new history: what was said meanwhile is not known"
    else:
        came = f" ({event.missed} came meanwhile)" if event.missed else ""
        text = f"connected again; nothing is missing{came}"
    return [[("time", f"{when.astimezone(view.zone):{view.clock}} "), ("notice", f"-- {text}")]]
