"""Colours for a terminal, or none: NO_COLOR (https://no-color.org), --no-color, or no terminal at all."""

import hashlib

from asyncchat.vocabulary.names import name_key

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
