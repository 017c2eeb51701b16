"""Long lines are broken before the terminal breaks them, with a hanging indent.

Whoever fills a line with blanks up to the terminal's width could otherwise let the rest of a text look like a line of
its own: only the program's own lines begin in the first column.
"""

import os
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from wcwidth import wcwidth

from asyncchat.text import INDENT

USUAL_COLUMNS = 80
"""Where a terminal does not say how wide it is."""

_WORDS = re.compile(r" +|(?:\x1b\[[0-9;]*m|[^ ])+")
_PARTS = re.compile(r"(\x1b\[[0-9;]*m)|(.)", re.DOTALL)
_RESET = "\x1b[0m"
_JOINER = "\u200d"


def terminal_columns() -> int:
    """The width of the terminal that is standard output."""
    try:
        return os.get_terminal_size(1).columns or USUAL_COLUMNS
    except OSError:
        return USUAL_COLUMNS


def wrapped(text: str, columns: int) -> str:
    """Each line of the text, broken where a terminal of so many columns ends; the text must be safe for a terminal.

    The last column stays free, since terminals differ in what they do after it. Colours go on behind a break.
    """
    return "\n".join(_broken(line, columns - 1) for line in text.split("\n"))


def _broken(line: str, columns: int) -> str:
    if 2 * len(line) <= columns:  # no character is wider
        return line
    indent = INDENT[: max(min(len(INDENT), columns // 4), 1)]
    shown: list[str] = []
    column, colour = 0, ""
    for word in _WORDS.findall(line):
        clusters = list(_clusters(word))
        width = sum(width for _, width in clusters)
        fits = column + width <= columns
        if not fits and word[0] == " " and column > len(indent):
            clusters, column = [], columns  # blanks before a break are not shown
        elif not fits and len(indent) + width <= columns:
            column = columns  # a word that has a line of its own stays whole
        for cluster, width in clusters:
            if width and not fits and column + width > columns and column > len(indent):
                while shown[-1] == " ":
                    shown.pop()
                shown += [_RESET if colour else "", f"\n{indent}", colour]
                column = len(indent)
            elif cluster.startswith("\x1b"):
                colour = "" if cluster == _RESET else cluster
            shown.append(cluster)
            column += width
    return "".join(shown)


def _clusters(word: str) -> Iterator[tuple[str, int]]:
    """What must not be parted, with its width: a character with its marks, what is joined to it, and colours alone."""
    cluster, width = "", 0
    for sequence, char in _PARTS.findall(word):
        if cluster and char and _is_joined(cluster, char):
            cluster, width = cluster + char, width + _width(char)
            continue
        if cluster:
            yield cluster, width
        if sequence:
            yield sequence, 0
        cluster, width = char, _width(char) if char else 0
    if cluster:
        yield cluster, width


def _is_joined(cluster: str, char: str) -> bool:
    """Is the character a part of what stands before it: a mark, a skin's colour, the second half of a flag?"""
    is_mark = wcwidth(char) <= 0 or "\U0001f3fb" <= char <= "\U0001f3ff"
    return is_mark or cluster[-1] == _JOINER or (_is_half_a_flag(cluster) and _is_half_a_flag(char))


def _is_half_a_flag(cluster: str) -> bool:
    return len(cluster) == 1 and "\U0001f1e6" <= cluster <= "\U0001f1ff"


@lru_cache(maxsize=4096)
def _width(char: str) -> int:
    """The columns that a character takes at the most: terminals differ, and none must take more than is counted."""
    if _is_half_a_flag(char):
        return 2  # where flags are not known
    if char == "\ufe0f" or unicodedata.category(char) in ("Mc", "Cf"):
        return 1  # makes an emoji of a character; is beside the letter and not on it; is a sign of its own
    return max(wcwidth(char), 0)
