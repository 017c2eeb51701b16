"""Who says how much, and when: as fast as the windows allow, or at a steady rate."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator

from asyncchat.bench.board import Board
from asyncchat.bench.client import Client
from asyncchat.bench.marks import Lines
from asyncchat.bench.plan import Plan, Run

clock = time.monotonic_ns
"""The same for all processes of the machine."""

SOON = 1_000_000
"""Nanoseconds until it is looked again how far other processes are: the board wakes nobody."""

NEVER = 1 << 63
"""A time that does not come."""

Send = Callable[[Client, bytes], None]


class Sender:
    """A client that talks.

    ``said``: how many messages so far. ``in_flight``: those of this run that not all have. ``left``: to be said.
    """

    __slots__ = ("client", "in_flight", "left", "lines", "said")

    def __init__(self, client: Client, plan: Plan) -> None:
        self.client = client
        self.lines = Lines(plan, client.number)
        self.said = 0
        self.in_flight = 0
        self.left = 0


class Talk(ABC):
    """One run's talk of one process's senders. Times are nanoseconds of `clock`.

    ``said``, ``refused``: messages by room. ``last``: when something was said last. ``lag``: by how much a message was
    late at worst.
    """

    def __init__(self, plan: Plan, run: Run, start: int, senders: Iterable[Sender], send: Send) -> None:
        self.said: dict[int, int] = {}
        self.refused: dict[int, int] = {}
        self.last = start
        self.lag = 0
        self.start = start
        self.plan = plan
        self.senders = {sender.client.number: sender for sender in senders}
        self._send = send
        for number, sender in self.senders.items():
            sender.in_flight = 0
            sender.left = (run.scheduled - number + plan.senders - 1) // plan.senders

    @abstractmethod
    def work(self, now: int) -> int:
        """Say what is to be said now. Returns when to look again, even if nothing is received until then."""

    @abstractmethod
    def finished(self, now: int) -> bool:
        """Nothing will be said any more."""

    @abstractmethod
    def waits_since(self) -> int:
        """Since when nothing was said because deliveries are waited for, if none has come."""

    def answered(self, number: int) -> None:
        """All in the room, as far as they are in this process, have a message of this sender's."""
        sender = self.senders.get(number)
        if sender is not None:
            sender.in_flight -= 1

    def refuse(self, number: int, room: int) -> None:
        """The server answered a message with an error: nobody will get it."""
        self.refused[room] = self.refused.get(room, 0) + 1
        self.answered(number)

    def lose(self, number: int) -> None:
        """A sender was disconnected."""
        self.senders.pop(number, None)

    def _say(self, sender: Sender, count: int, now: int) -> None:
        """Say so many messages in one write; all of them bear the time of it."""
        line, first = sender.lines.line, sender.said
        data = b"".join([line(number, now) for number in range(first, first + count)])
        sender.said += count
        sender.left -= count
        sender.in_flight += count
        room = sender.client.room.number
        self.said[room] = self.said.get(room, 0) + count
        self.last = now
        self._send(sender.client, data)


class Windows(Talk):
    """Each sender has as many messages in flight as its window allows."""

    def __init__(
        self, plan: Plan, run: Run, start: int, senders: Iterable[Sender], send: Send, board: Board | None
    ) -> None:
        super().__init__(plan, run, start, senders, send)
        self._end = start + int(run.seconds * 1e9)
        self._board = board
        self._ready = list(self.senders.values())

    def work(self, now: int) -> int:
        """Fill the windows."""
        if not self.start <= now < self._end:
            return self.start if now < self.start else NEVER
        ready, self._ready = self._ready, []
        for sender in ready:
            count = min(self.plan.window - sender.in_flight, sender.left)
            if count <= 0 or sender.client.number not in self.senders:
                continue
            if self._too_far(sender):
                self._ready.append(sender)
            else:
                self._say(sender, count, clock())
        return now + SOON if self._ready else self._end

    def finished(self, now: int) -> bool:
        """The time is over, or all is said."""
        return now >= self._end or not any(sender.left for sender in self.senders.values())

    def waits_since(self) -> int:
        """Since something was said last."""
        return self.last

    def answered(self, number: int) -> None:
        """The sender's window has room."""
        super().answered(number)
        sender = self.senders.get(number)
        if sender is not None:
            self._ready.append(sender)

    def _too_far(self, sender: Sender) -> bool:
        """Another process is so far behind that more would only fill buffers."""
        if self._board is None:
            return False
        room = sender.client.room
        return self._board.slowest(room.number) < room.delivered - self.plan.window * self.plan.senders


class Pace(Talk):
    """A message whenever it is due, the senders in turn, whatever became of the earlier ones."""

    def __init__(self, plan: Plan, run: Run, start: int, senders: Iterable[Sender], send: Send) -> None:
        super().__init__(plan, run, start, senders, send)
        self._pause = 1e9 / run.rate
        self._turns = self._all_turns(run.scheduled)
        self._turn = next(self._turns, None)

    def _all_turns(self, messages: int) -> Iterator[tuple[int, int]]:
        """Time and sender of each message of this process; the turns go through the senders of all processes."""
        own = sorted(self.senders)
        for first in range(0, messages, self.plan.senders):
            for number in own:
                if first + number < messages:
                    yield self.start + int((first + number) * self._pause), number

    def work(self, now: int) -> int:
        """Say what is due; what is due together bears one time, that of the first."""
        while self._turn is not None:
            due, number = self._turn
            if now < due:
                return due
            sender = self.senders.get(number)
            if sender is not None:
                self.lag = max(self.lag, now - due)
                self._say(sender, 1, now)
            self._turn = next(self._turns, None)
        return NEVER

    def finished(self, now: int) -> bool:
        """All is said."""
        return self._turn is None

    def waits_since(self) -> int:
        """Never before the end: what is said next does not wait."""
        return self.last if self._turn is None else NEVER
