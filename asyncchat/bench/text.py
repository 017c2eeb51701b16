"""A room's messages in the order in which they first came, as the very bytes that all others have to receive."""

from bisect import bisect_right
from zlib import crc32

from asyncchat.bench.marks import Mark


class Text:
    """Lines, each with its mark. Offsets count bytes from the beginning of the measurement, indexes count lines.

    Only what somebody still has to receive is held: ``base`` to ``end`` (offsets), the lines from ``trimmed`` on (an
    index). ``order``: a checksum of the order of all lines before.
    """

    __slots__ = ("_indexes", "base", "data", "end", "ends", "keys", "order", "stamps", "trimmed")

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

    def append(self, mark: Mark, line: bytes) -> None:
        """One more line, at the end."""
        self._indexes[mark.key] = self.trimmed + len(self.keys)
        self.data += line
        self.end += len(line)
        self.ends.append(self.end)
        self.keys.append(mark.key)
        self.stamps.append(mark.stamp)

    def insert(self, place: int, mark: Mark, line: bytes) -> None:
        """A line before the one at *place*."""
        start, length = self.start_of(place), len(line)
        at = start - self.base
        self.data[at:at] = line
        self.end += length
        self.ends[place:] = [start + length, *(end + length for end in self.ends[place:])]
        self.keys.insert(place, mark.key)
        self.stamps.insert(place, mark.stamp)
        for index, key in enumerate(self.keys[place:], self.trimmed + place):
            self._indexes[key] = index

    def trim(self, offset: int) -> None:
        """Forget the lines before the offset, at which one ends."""
        count = bisect_right(self.ends, offset)
        self.order = self._checksum(count)
        for key in self.keys[:count]:
            del self._indexes[key]
        del self.data[: offset - self.base], self.ends[:count], self.keys[:count], self.stamps[:count]
        self.base = offset
        self.trimmed += count

    def checksum(self) -> int:
        """A checksum of the order of all lines, those held too."""
        return self._checksum(len(self.keys))

    def _checksum(self, count: int) -> int:
        return crc32(b"".join([key.to_bytes(8, "big") for key in self.keys[:count]]), self.order)
