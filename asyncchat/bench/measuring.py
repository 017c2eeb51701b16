"""One run in one worker: talk, wait for what has to come, count."""

from collections.abc import Callable

from asyncchat.bench.crowd import Crowd
from asyncchat.bench.orders import Done, Expect, Go, Progress, Report, Talked, WorkerOrder
from asyncchat.bench.talk import NEVER, Pace, Talk, Windows, clock
from asyncchat.bench.tally import Tally
from asyncchat.bench.usage import own_time

PASS = 50_000_000
"""Nanoseconds that one pass waits at most for something to come: orders are looked at in between."""

PROGRESS = 200_000_000
"""Nanoseconds between two reports of progress: what an eye can follow."""

MAX_DRAIN = 60_000_000_000
"""Nanoseconds to wait for what was said to come: what has not come by then is lost to those who wait for it."""


class Measuring:
    """One run. ``order``: gives the next order, if there is one; ``tell``: takes a report."""

    def __init__(
        self, crowd: Crowd, go: Go, order: Callable[[], WorkerOrder | None], tell: Callable[[Report], None]
    ) -> None:
        self._crowd = crowd
        self._order = order
        self._tell = tell
        self._tally = Tally()
        self._start = go.start
        self._stall = int(crowd.plan.stall * 1e9)
        self._talk = self._new_talk(go)
        self._progress_due = go.start

    def _new_talk(self, go: Go) -> Talk:
        crowd = self._crowd
        if go.run.rate:
            return Pace(crowd.plan, go.run, go.start, crowd.senders, crowd.send)
        return Windows(crowd.plan, go.run, go.start, crowd.senders, crowd.send, crowd.board)

    def measure(self) -> Done:
        """Talk, tell how much was said, and receive until all that was said anywhere has come, or nothing comes."""
        crowd, talk = self._crowd, self._talk
        crowd.begin(talk, self._tally)
        ran, kept_waiting = own_time()
        while not (talk.finished(now := clock()) or self._stalled(now)):
            self._pass(now, talk.work(now))
            if now >= self._progress_due:
                self._order()  # none comes now; but it raises when whoever gives them has gone
                self._tell_progress(now)
        self._tell(Talked(talk.said, talk.refused))
        self._drain()
        crowd.end()
        ran_until, kept_waiting_until = own_time()
        return self._done(ran_until - ran, kept_waiting_until - kept_waiting)

    def _pass(self, now: int, due: int) -> None:
        self._crowd.work(min(max(due - now, 0), PASS) / 1e9, due)

    def _tell_progress(self, now: int) -> None:
        self._progress_due = now + PROGRESS
        self._tell(Progress(self._tally.deliveries))

    def _stalled(self, now: int) -> bool:
        """Something should come, and nothing has for too long."""
        return now - max(self._tally.last, self._talk.waits_since()) > self._stall

    def _drain(self) -> None:
        """Receive what was said by all workers: how much it is comes as an order."""
        expected: int | None = None
        began = waits_since = clock()
        while expected is None or self._tally.deliveries < expected:
            now = clock()
            order = self._order()
            if isinstance(order, Expect):
                expected = self._expected(order)
                waits_since = now
            elif expected is None:
                pass  # the others still talk
            elif now - began > MAX_DRAIN or now - max(self._tally.last, waits_since) > self._stall:
                return
            self._pass(now, NEVER)
            if now >= self._progress_due:
                self._tell_progress(now)

    def _expected(self, order: Expect) -> int:
        rooms = self._crowd.rooms
        return sum(count * len(rooms[room].members) for room, count in order.messages.items() if room in rooms)

    def _done(self, busy: int, kept_waiting: int) -> Done:
        crowd, tally, latency = self._crowd, self._tally, self._tally.latency
        return Done(
            deliveries=tally.deliveries,
            duplicates=tally.duplicates,
            disorder=tally.disorder,
            strays=tally.strays,
            gaps=crowd.gaps,
            disconnects=crowd.disconnects,
            last=tally.last,
            latency=latency.counts,
            latency_highest=latency.highest,
            latency_total=latency.total,
            order={room.number: room.order for room in crowd.rooms.values()},
            send_lag=self._talk.lag,
            busy=busy,
            kept_waiting=kept_waiting,
            wall=clock() - self._start,
            troubles=crowd.troubles,
        )
