"""The editing keys of peers that send every key: they change the line that is being typed, and are no part of it."""

import re
import unicodedata
from collections.abc import Sequence

from asyncchat.wire.lines import LineBuffer, TooLong

ERASE = b"\x7f"
"""Takes back a character, as 0x08 does: terminals send one or the other for the Backspace key."""

KILL = b"\x15"
"""Ctrl+U: takes back the line."""

END = b"\x04"
"""Ctrl+D: on an empty line it is a line of its own, by which the user leaves; else it is nothing."""

_ERASE_WORD = b"\x17"  # Ctrl+W

_KEYS = re.compile(b"([\x04\x08\x7f\x15\x17])")

LONGEST_CHARACTER = 128
"""Bytes that are looked at to find where a character begins: a family as an emoji has 41, a flag of a region 28."""

_JOINER = "\u200d"
_EXTENDING = re.compile("[\ufe00-\ufe0f\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
"""Beside marks: variation selectors, the joiner, skin tones, tags."""

_REGIONAL = re.compile("[\U0001f1e6-\U0001f1ff]+$")  # a pair of them is a flag


class EditedLines(LineBuffer):
    """A `LineBuffer` that applies editing keys. Of an over-long line that is being discarded nothing can be taken back.

    The lines are the same however the bytes are cut.
    """

    __slots__ = ()

    def feed(self, data: bytes) -> Sequence[bytes | TooLong]:
        """The lines that *data* completes."""
        if _KEYS.search(data) is None:
            return super().feed(data)
        lines: list[bytes | TooLong] = []
        for number, part in enumerate(_KEYS.split(data)):
            if number % 2 == 0:
                lines += super().feed(part)
            elif part == END:
                lines += () if self.partial else (END,)
            elif self._pending:
                del self._pending[self._kept(part) :]
        return lines

    def _kept(self, key: bytes) -> int:
        """How much of the line stays."""
        line = self._pending
        if key == KILL:
            return 0
        if key == _ERASE_WORD:
            end = len(line.rstrip(b" \t"))
            return max(line.rfind(b" ", 0, end), line.rfind(b"\t", 0, end)) + 1
        return len(line) - _last_character(bytes(line[-LONGEST_CHARACTER:]))


def _last_character(line: bytes) -> int:
    """How many bytes the last character has: with its marks, and all that an emoji is joined of (near UAX #29)."""
    if line[-1] < 0x80:
        return 1
    text = line.decode(errors="surrogateescape")  # bytes that are no UTF-8 are taken back one by one
    start = len(text) - 1
    while start > 0 and (_extends(text[start]) or text[start - 1] == _JOINER):
        start -= 1
    flags = _REGIONAL.search(text)
    if flags is not None and len(flags[0]) % 2 == 0:
        start -= 1
    return len(text[start:].encode(errors="surrogateescape"))


def _extends(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or _EXTENDING.match(character) is not None
