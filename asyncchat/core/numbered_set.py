"""Lists of which a page is asked for at a time: the order that they keep, and how much a page holds.

A page goes on behind a number, so that what comes and goes between two pages moves nothing: what stays in the list is
on exactly one of them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import TypeVar

from msgspec import Struct, json

from asyncchat.core.limits import LIST_BYTES, LIST_LOOKED_AT

T = TypeVar("T")
E = TypeVar("E", bound=Struct)

_encoder = json.Encoder()

DEFAULT_PAGE = 200
"""Entries of a page when the asker names no number."""

LONGEST_PAGE = 1_000_000
"""Entries of a page where its length has no limit: what one reply can be made of at all."""


class NumberedSet(dict[T, int]):
    """A set in the order in which things came, each with a number: its place in the log, or the next higher one.

    Change it with `add` and `remove` only. The beginning of a page is found by binary search.
    """

    __slots__ = ("_order",)

    def __init__(self) -> None:
        super().__init__()
        self._order: list[T] = []

    def add(self, item: T, seq: int) -> None:
        """Put a new one at the end. Passing records share a ``seq``: then its number is the next one."""
        assert item not in self
        self[item] = max(seq, self[self._order[-1]] + 1) if self._order else seq
        self._order.append(item)

    def remove(self, item: T) -> None:
        """Take one out, if it is there."""
        if item in self:
            del self._order[bisect_left(self._order, self[item], key=self.__getitem__)]
            del self[item]

    def after(self, number: int | None) -> Iterator[tuple[int, T]]:
        """Those behind a number (None: all), each with its own."""
        order = self._order
        start = bisect_right(order, number, key=self.__getitem__) if number is not None else 0
        for at in range(start, len(order)):
            yield self[order[at]], order[at]


def page_length(wanted: int | None, limit: int) -> int:
    """How many entries a page has at most, of which *wanted* were asked for; *limit* 0 is unlimited."""
    if wanted is None:
        return min(limit or DEFAULT_PAGE, DEFAULT_PAGE)
    return min(wanted, limit or LONGEST_PAGE)


def first_page(entries: Iterable[tuple[int, E | None]], length: int) -> tuple[list[E], bool, int | None]:
    """The first of these entries, whether they are all, and if not the number behind which to go on.

    Each comes with its number; None stands for one that the asker does not see. A page has at least one entry, unless
    too many of those have to be passed over.
    """
    page: list[E] = []
    size, last = 0, None
    for looked_at, (number, entry) in enumerate(entries):
        if looked_at == LIST_LOOKED_AT:
            return page, False, last
        if entry is not None:
            size += len(_encoder.encode(entry))
            if page and (len(page) >= length or size > LIST_BYTES):
                return page, False, last
            page.append(entry)
        last = number
    return page, True, None
