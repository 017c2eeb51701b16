"""What follows a slash command's name: words, rooms, messages, durations, and where the person is who typed it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.names import is_room

LONGEST = 10 * 366 * 86400
"""Seconds of the longest duration, as in the vocabulary; what is longer is for ever."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"(?:\d{1,9}[smhdw])+", re.ASCII)
_PART = re.compile(r"(\d+)([smhdw])", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_SEQ = re.compile(r"\^?(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Context:
    """What a line may leave out because the program knows it.

    ``here``: the room or person that lines go to. ``partner``: who wrote directly last. ``own``, ``last``: the last
    message of one's own, and the last in ``here``. ``places``: the room or person of messages found by a search.
    ``find``: the room or conversation that a word names, with or without its sign, if the program has it open.
    ``everywhere``: what names no room means the whole server, as the operator is in none.
    """

    here: str | None = None
    partner: str | None = None
    own: int | None = None
    last: int | None = None
    places: Mapping[int, str] = field(default_factory=dict)
    find: Callable[[str], str | None] = lambda _: None
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """Something that the program does by itself, without the server."""

    name: Literal["close", "help", "ignore", "switch", "unignore"]
    argument: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """The line is no command; ``text`` tells how it would be one."""

    text: str


Parsed = tuple[Command, ...] | Action | Usage


class BadUsage(Exception):  # noqa: N818 - caught by the parser alone, which makes it a `Usage`
    """The arguments do not fit; the text says why, and is empty where the usage line says it all."""


class Words:
    """The arguments of one command, taken from left to right."""

    def __init__(self, text: str, context: Context) -> None:
        self._rest = text.strip()
        self.context = context

    def __bool__(self) -> bool:
        return bool(self._rest)

    def peek(self) -> str:
        """The next word, which stays; empty at the end."""
        return self._rest.split(maxsplit=1)[0] if self._rest else ""

    def peek_rest(self) -> str:
        """All that is left, which stays; empty at the end."""
        return self._rest

    def take(self) -> str | None:
        """The next word, or None at the end."""
        word = self.peek()
        self._rest = self._rest[len(word) :].lstrip()
        return word or None

    def need(self) -> str:
        """The next word; raises `BadUsage` at the end."""
        word = self.take()
        if word is None:
            raise BadUsage
        return word

    def rest(self) -> str | None:
        """All that is left as one text, or None."""
        rest, self._rest = self._rest, ""
        return rest or None

    def need_rest(self) -> str:
        """All that is left; raises `BadUsage` if that is nothing."""
        rest = self.rest()
        if rest is None:
            raise BadUsage
        return rest

    def person(self) -> str:
        """The person named next, whose ``@`` may be there, as people are shown with it; `BadUsage` at the end."""
        return self.need().removeprefix("@")

    def room(self) -> str:
        """The room named next, or the one that the person is in; raises `BadUsage` if there is none."""
        if is_room(self.peek()):
            return self.need()
        here = self.context.here
        if here is None or not is_room(here):
            raise BadUsage("which room?")
        return here

    def room_or_server(self) -> str | None:
        """As `room`; ``*`` is the whole server."""
        if self.peek() == "*":
            self.take()
            return None
        if self.context.everywhere and not is_room(self.peek()):
            return None
        return self.room()

    def after(self) -> int | None:
        """The number after which a list goes on, if ``after N`` comes next; raises `BadUsage` if N is no number."""
        if self.peek().lower() != "after":
            return None
        self.take()
        word = self.need()
        if _NUMBER.fullmatch(word) is None:
            raise BadUsage(f"{word} is no number")
        return int(word)

    def message(self, default: int | None) -> int:
        """The message named next (``^1042``), else *default*; raises `BadUsage` if that is None."""
        if self.peek().startswith("^"):
            return message_number(self.need())
        if default is None:
            raise BadUsage("which message?")
        return default

    def duration(self) -> int | None:
        """The duration named next, in seconds; None if the next word is none."""
        seconds = duration(self.peek())
        if seconds is not None:
            self.take()
        return seconds


def message_number(word: str) -> int:
    """The ``seq`` in ``^1042`` or ``1042``; raises `BadUsage`."""
    found = _SEQ.fullmatch(word)
    if found is None:
        raise BadUsage(f"{word} is no message number")
    return int(found[1])


def duration(word: str) -> int | None:
    """The seconds of ``90s``, ``10m``, ``2h``, ``7d``, ``2w`` or ``1h30m``; None if it is no duration."""
    if _DURATION.fullmatch(word) is None:
        return None
    return min(sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(word)), LONGEST)
