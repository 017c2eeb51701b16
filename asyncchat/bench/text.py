"""A room's messages in their order, as the very bytes that its members have to receive."""

from bisect import bisect_left, bisect_right
from zlib import crc32

from asyncchat.bench.marks import Mark, sender_of


class Text:
    """Lines, each with its mark, in the order that the server tells, or else in which they came.

    Offsets count bytes from the beginning of the measurement, indexes count lines. Only what somebody still has to
    receive is held: ``base`` to ``end`` (offsets), the lines from ``trimmed`` on (an index). ``order``: a checksum of
    the order of all lines before.
    """

    __slots__ = ("_indexes", "base", "data", "end", "ends", "keys", "order", "seqs", "stamps", "trimmed")

    def __init__(self) -> None:
        self.data = bytearray()
        self.base = 0
        self.end = 0
        self.trimmed = 0
        self.order = 0
        # For each line held: the offset of its end, and what its mark says.
        self.ends: list[int] = []
        self.keys: list[int] = []
        self.stamps: list[int] = []
        self.seqs: list[int] = []
        self._indexes: dict[int, int] = {}

    def __len__(self) -> int:
        """How many lines are held."""
        return len(self.keys)

    def find(self, key: int) -> int | None:
        """The place of a message among the lines held, or None if it is not among them."""
        index = self._indexes.get(key)
        return None if index is None else index - self.trimmed

    def place_at(self, offset: int) -> int:
        """The place of the line that begins at or goes on at this offset."""
        return bisect_right(self.ends, offset)

    def start_of(self, place: int) -> int:
        """The offset at which the line at this place begins."""
        return self.ends[place - 1] if place else self.base

    def stamps_between(self, start: int, end: int) -> list[int]:
        """The stamps of the lines that end after *start* and not after *end* (offsets)."""
        return self.stamps[bisect_right(self.ends, start) : bisect_right(self.ends, end)]

    def place_for(self, mark: Mark, after: int) -> int:
        """The place where a new line belongs; *after*: if it bears no ``seq``, it came after this place."""
        if mark.seq is not None:
            return bisect_left(self.seqs, mark.seq)
        sender = mark.sender
        for place in range(len(self.keys), after, -1):
            key = self.keys[place - 1]
            if key < mark.key and sender_of(key) == sender:
                return place
        return after

    def append(self, mark: Mark, line: bytes) -> None:
        """One more line, at the end."""
        self.seqs.append(self._seq(mark, len(self.seqs)))
        self._indexes[mark.key] = self.trimmed + len(self.keys)
        self.data += line
        self.end += len(line)
        self.ends.append(self.end)
        self.keys.append(mark.key)
        self.stamps.append(mark.stamp)

    def insert(self, place: int, mark: Mark, line: bytes) -> None:
        """A line before the one at *place*."""
        self.seqs.insert(place, self._seq(mark, place))
        start, length = self.start_of(place), len(line)
        at = start - self.base
        self.data[at:at] = line
        self.end += length
        self.ends[place:] = [start + length, *(end + length for end in self.ends[place:])]
        self.keys.insert(place, mark.key)
        self.stamps.insert(place, mark.stamp)
        for index, key in enumerate(self.keys[place:], self.trimmed + place):
            self._indexes[key] = index

    def _seq(self, mark: Mark, place: int) -> int:
        """The line's ``seq``, or where it bears none that of the line before, so that they stay sorted."""
        if mark.seq is not None:
            return mark.seq
        return self.seqs[place - 1] if place else 0

    def trim(self, offset: int) -> None:
        """Forget the lines before the offset, at which one ends."""
        count = bisect_right(self.ends, offset)
        self.order = self._checksum(count)
        for key in self.keys[:count]:
            del self._indexes[key]
        del (
            self.data[: offset - self.base],
            self.ends[:count],
            self.keys[:count],
            self.stamps[:count],
            self.seqs[:count],
        )
        self.base = offset
        self.trimmed += count

    def checksum(self) -> int:
        """A checksum of the order of all lines, those held too."""
        return self._checksum(len(self.keys))

    def _checksum(self, count: int) -> int:
        return crc32(b"".join([key.to_bytes(8, "big") for key in self.keys[:count]]), self.order)
