"""A process that runs its share of the clients: one loop over their sockets that does as little as possible for each.

It reads orders from standard input and writes reports to standard output (see `asyncchat.bench.orders`).
"""

import gc
import os
import queue
import signal
import sys
import threading
from typing import assert_never

from asyncchat.bench.client import LostError
from asyncchat.bench.crowd import Crowd
from asyncchat.bench.measuring import PROGRESS, Measuring
from asyncchat.bench.orders import (
    Expect,
    Failed,
    Go,
    Join,
    Joined,
    Ready,
    Report,
    Settle,
    Settled,
    WorkerOrder,
    decode_order,
    encode,
)
from asyncchat.bench.talk import clock

IDLE_SECONDS = 0.02
"""How long one pass waits while nothing is measured: as late an order may be seen."""

QUIET = 300_000_000
"""Nanoseconds without a byte after which all has come that is due to the logins."""

MAX_SETTLE = 30_000_000_000
"""Nanoseconds to wait for that: where other people talk, it is never quiet."""

LOGIN_STALLS = 3
"""Logging in is given up after so many times the plan's ``stall``: passwords and crowds take their time."""


END = b""
"""In the place of an order: there will be none."""


class EndOfOrders(Exception):  # noqa: N818 - no error
    """Whoever gave orders has gone."""


class Worker:
    """Does what it is ordered."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        # The system cannot wait for pipes and sockets together everywhere; a thread that waits costs nothing.
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def _listen(self) -> None:
        # Not through sys.stdin, whose lock a thread that waits would still hold at the end.
        rest = b""
        while data := os.read(sys.stdin.fileno(), 65536):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._orders.put(line)
        self._orders.put(END)

    def first_order(self) -> Join:
        """Waits for the order that begins everything."""
        line = self._orders.get()
        if line == END:
            raise EndOfOrders
        order = decode_order(line)
        if not isinstance(order, Join):
            raise ValueError(f"the first order is no {order}")
        return order

    def order(self) -> WorkerOrder | None:
        """The next order, if there is one; raises `EndOfOrders`."""
        try:
            line = self._orders.get_nowait()
        except queue.Empty:
            return None
        if line == END:
            raise EndOfOrders
        return decode_order(line)

    def tell(self, report: Report) -> None:
        """Write a report."""
        sys.stdout.buffer.write(encode(report) + b"\n")
        sys.stdout.buffer.flush()

    def work(self) -> None:
        """Work until there are no more orders; raises `LostError` when the clients cannot do their part."""
        join = self.first_order()
        if join.core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {join.core})
        crowd = Crowd(join)
        try:
            self._join(crowd)
            while True:
                order = self.order()
                if order is not None:
                    self._obey(crowd, order)
                crowd.idle(IDLE_SECONDS)
        finally:
            crowd.close()

    def _join(self, crowd: Crowd) -> None:
        progress = told = clock()
        before = 0
        while crowd.inside < crowd.size:
            crowd.connect_more()
            crowd.idle(IDLE_SECONDS)
            now = clock()
            if crowd.inside > before:
                before, progress = crowd.inside, now
            elif now - progress > LOGIN_STALLS * crowd.plan.stall * 1e9:
                raise LostError(f"{crowd.inside} of {crowd.size} clients were let in, and for long no more")
            if now - told > PROGRESS:
                told = now
                self.tell(Ready(crowd.inside))
                if self.order() is not None:
                    raise ValueError("an order came too early")
        assert crowd.welcome is not None
        # What is there now stays, and what comes makes no cycles: the garbage collector would only take time.
        gc.collect()
        gc.freeze()
        gc.disable()
        self.tell(Joined(f"{crowd.welcome.server} {crowd.welcome.version}", crowd.welcome.limits))

    def _obey(self, crowd: Crowd, order: WorkerOrder) -> None:
        match order:
            case Settle():
                self._settle(crowd)
            case Go():
                self.tell(Measuring(crowd, order, self.order, self.tell).measure())
            case Join() | Expect():
                raise ValueError(f"not the time for {order}")
            case _:
                assert_never(order)

    def _settle(self, crowd: Crowd) -> None:
        began = clock()
        while (now := clock()) - max(began, crowd.last_read) < QUIET and now - began < MAX_SETTLE:
            crowd.idle(IDLE_SECONDS)
        self.tell(Settled())


def main() -> None:
    """Run as a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches all processes; the one that gives orders ends us
    worker = Worker()
    try:
        worker.work()
    except EndOfOrders:
        pass
    except LostError as error:
        worker.tell(Failed(str(error)))


if __name__ == "__main__":
    main()
