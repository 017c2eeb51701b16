"""A fair queue: whoever adds many items waits behind their own, and nobody else does."""

from bisect import insort
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")


class FairLine(Generic[T]):
    """A queue of at most *room* items, each with an owner: in each round every owner in it has one turn.

    It is start-time fair queueing (Goyal, Vin, Cheng: SIGCOMM 1996) of items of one size. Nobody starves: who comes
    into a round that has begun waits for the next one.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        # Their round, a number that keeps the order within a round, whose it is, what waits: the next one first.
        self._line: list[tuple[int, int, str, T]] = []
        self._numbers = count()
        self._round = 0

    def __len__(self) -> int:
        return len(self._line)

    def add(self, who: str, item: T, handicap: int = 0) -> T | None:
        """Let an item of *who* wait, *handicap* rounds longer than others do.

        When the line is full, the last one of it has to go: it is returned, and may be the item itself.
        """
        behind = max((round for round, _, whose, _ in self._line if whose == who), default=self._round)
        insort(self._line, (behind + 1 + handicap, next(self._numbers), who, item))
        return self._line.pop()[-1] if len(self._line) > self._room else None

    def take(self) -> T:
        """The item whose turn it is. Raises `IndexError` when none waits."""
        self._round, _, _, item = self._line.pop(0)
        return item

    def remove(self, item: T) -> None:
        """Take an item out of the line, if it is there."""
        self._line = [place for place in self._line if place[-1] is not item]
