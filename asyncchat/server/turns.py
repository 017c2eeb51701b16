"""A fair queue: whoever adds many items waits behind their own, and nobody else does."""

import asyncio
from bisect import insort
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Generic, TypeVar

from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.terms import Code

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


class Turns:
    """At most *at_once* pieces of work of a kind run; of what waits, each owner's has its turn. *room* may wait."""

    def __init__(self, at_once: int, room: int) -> None:
        self._free = at_once
        self._line: FairLine[asyncio.Future[None]] = FairLine(room)

    async def run(self, who: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do a piece of work of *who* when it is its turn; raises `Refused` 429 when too many wait."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(who)
        try:
            return await work()
        finally:
            self._next()

    async def _wait(self, who: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        last = self._line.add(who, turn)
        if last is not None and not last.done():
            last.set_exception(Refused(Code.TOO_FAST, "too many questions wait here: try again"))
        try:
            await turn
        except asyncio.CancelledError:
            self._line.remove(turn)
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._next()  # it was its turn already
            raise

    def _next(self) -> None:
        """Give the turn to the next one."""
        while self._line:
            turn = self._line.take()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
