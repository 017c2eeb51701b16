"""The log of a server that stands alone: in a thread beside the loop for a file, in the loop itself for memory."""

import asyncio
import logging
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import groupby
from time import monotonic
from typing import TypeVar

from msgspec import Struct

from asyncchat.storage.log import Applied, Entry, Failed
from asyncchat.storage.maintenance import Maintenance
from asyncchat.storage.snapshot import Placed
from asyncchat.storage.store import Store
from asyncchat.storage.threads import ended, perform
from asyncchat.vocabulary.errors import NotStored, StorageError
from asyncchat.vocabulary.records import Kept, Message, Record
from asyncchat.vocabulary.terms import Code

logger = logging.getLogger("asyncchat.storage")

REMINDER_SECONDS = 60.0
"""How often the log says that records cannot be stored: with a full disk there are thousands of them."""

IDLE_SECONDS = 0.05
"""After so long without a record the log turns to the maintenance of the database."""

TOGETHER = 128
"""Records that are committed in one batch at least, if there are so many: a sync, and a write to each listener, cost as
much for one as for all of them. With 4 x 64 messages under way, 100 listeners got 14 % more than in whole batches."""

T = TypeVar("T")


class Done(Struct):
    """A batch after the commit: ``applied`` in order; ``failed`` in order, in runs that failed for the same reason."""

    applied: list[Entry]
    failed: list[tuple[list[Entry], Exception]]


class LocalLog(ABC):
    """What both logs have in common: what is pending, who is told, and when it is over."""

    def __init__(self, store: Store, maintenance: Maintenance) -> None:
        self._store = store
        self._maintenance = maintenance
        self._pending: list[Entry] = []
        self._closed = False
        self._failing = False
        self._told = False  # that records are not stored; a nearly full disk takes a short one now and then
        self._refused = 0  # records that were not stored, and of which the log has not told yet
        self._reminded = -math.inf  # when (monotonic) it told of them
        self._applied: Applied
        self._failed: Failed

    @property
    def pending(self) -> int:
        """Records that no commit has taken up yet."""
        return len(self._pending)

    def append(self, *records: Record, origin: object = None) -> None:
        """Give records to the log; raises `StorageError` 503 when the log is closed. Only on the loop's thread."""
        if self._closed:
            raise _over()
        if len(records) == 1:  # a message: to make a list of it would take longer than all the rest
            self._pending.append(Entry(records[0], origin))
        else:
            self._pending += [Entry(record, origin) for record in records]  # at once: the thread takes all or none
        self._nudge()

    async def start(self, applied: Applied, failed: Failed) -> None:
        """Begin to commit; every record appended is handed to exactly one of the two, once."""
        self._applied, self._failed = applied, failed
        self._begin(asyncio.get_running_loop())

    @abstractmethod
    async def aclose(self) -> None:
        """Commit and hand over all that is pending, then stop. Idempotent."""

    @abstractmethod
    async def run(self, job: Callable[[Store], T]) -> T:
        """Call *job* with the store between two batches, and return its result; it must be short: all commits wait."""

    @abstractmethod
    def _begin(self, loop: asyncio.AbstractEventLoop) -> None: ...

    @abstractmethod
    def _nudge(self) -> None: ...

    def _commit(self, batch: list[Entry]) -> Done:
        done = commit(self._store, batch)
        if self._failing or done.failed:
            self._say_how_it_goes(done)
        return done

    def _say_how_it_goes(self, done: Done) -> None:
        for entries, error in done.failed:
            if not isinstance(error, NotStored):
                logger.error("A %s was not stored: %s", type(entries[0].record).__name__, error)
        full = [(len(entries), str(error)) for entries, error in done.failed if isinstance(error, NotStored)]
        if full:
            self._refused += sum(count for count, _ in full)
            self._failing = True
            if monotonic() - self._reminded >= REMINDER_SECONDS:
                level = logging.WARNING if self._told else logging.ERROR
                logger.log(level, "Records cannot be stored: %s; refused: %d", full[0][1], self._refused)
                self._told, self._refused, self._reminded = True, 0, monotonic()
        elif self._failing and any(isinstance(entry.record, Kept) for entry in done.applied):
            self._failing = False
            if self._told:
                self._told = False
                logger.info("Records are stored again; %d were refused meanwhile", self._refused)
                self._refused = 0

    def _deliver(self, done: Done) -> None:
        for entries, error in done.failed:
            self._failed(entries, error)
        if done.applied:
            self._applied(done.applied)


def local_log(store: Store) -> LocalLog:
    """The log over this store."""
    maintenance = Maintenance(store)
    return LoopLog(store, maintenance) if store.path is None else ThreadLog(store, maintenance)


def _over() -> StorageError:
    return StorageError("the log is closed", Code.UNAVAILABLE)


class LoopLog(LocalLog):
    """Without a file there is nothing to wait for: what comes together is committed when a pass adds no more to it.

    The first record of a pass is committed at once where the batch before was but one: two people who talk wait for
    nobody. What follows it in the same pass gathers behind it, and what comes next gathers then. A crowd of people who
    each wait for their own message speaks within a few passes of the loop, none of which costs what a write to all of
    the listeners does: so a batch is theirs, and not as many as there are passes.
    """

    def __init__(self, store: Store, maintenance: Maintenance) -> None:
        super().__init__(store, maintenance)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due: asyncio.Handle | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._alone = False  # the last pass with records had only one
        self._ahead = 0  # records of this pass that were committed before its end
        self._seen = 0  # records that were pending at the last look
        self._worked = False  # a batch was committed since the timer was set: the loop is not idle

    async def aclose(self) -> None:
        """Commit and hand over all that is pending, then stop. Idempotent."""
        self._closed = True
        for handle in (self._due, self._idle):
            if handle is not None:
                handle.cancel()
        while self._loop is not None and self._pending:
            self._turn()

    async def run(self, job: Callable[[Store], T]) -> T:
        """Call *job* with the store between two batches, and return its result."""
        if self._closed:
            raise _over()
        return job(self._store)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due = loop.call_soon(self._turn)

    def _nudge(self) -> None:
        if self._due is not None or self._loop is None:
            return  # it waits for the end of the pass, also what comes of telling the record that went ahead
        self._due = self._loop.call_soon(self._turn)
        if self._alone:
            self._ahead = len(self._pending)
            self._work()

    def _turn(self) -> None:
        assert self._loop is not None
        pending = len(self._pending)
        if 1 < pending < TOGETHER and pending > self._seen and not self._closed:
            self._seen = pending
            self._due = self._loop.call_soon(self._turn)
            return
        self._due = None
        self._seen = 0
        alone = self._ahead + len(self._pending) == 1
        self._alone = False  # until it is told: what comes of that must not be told amid it
        self._ahead = 0
        self._work()
        self._alone = alone

    def _work(self) -> None:
        batch, self._pending = self._pending, []
        if not batch:
            return
        self._deliver(self._commit(batch))
        self._worked = True
        if self._idle is None and not self._closed:
            self._rest(IDLE_SECONDS)

    def _rest(self, seconds: float) -> None:
        assert self._loop is not None
        self._idle = self._loop.call_later(seconds, self._do_chore)

    def _do_chore(self) -> None:
        self._idle = None
        if self._worked:
            self._worked = False
            self._maintenance.busy()
            self._rest(IDLE_SECONDS)
            return
        again = self._maintenance.idle()
        if again is not None:
            self._rest(again)


class ThreadLog(LocalLog):
    """Group commit in a thread: half of what is pending is one transaction, and one call of the loop tells of it.

    While a batch is synced the next one gathers, and the loop tells of the one before: were it all that is pending, the
    two would work in turns as soon as everybody waits for their own messages. The thread never waits for the loop. It
    sleeps when nothing is pending and is woken at the end of the loop's pass.
    """

    def __init__(self, store: Store, maintenance: Maintenance) -> None:
        super().__init__(store, maintenance)
        self._jobs: list[Callable[[], None]] = []
        self._asleep = False
        self._waking = False
        self._wakeup = threading.Lock()  # as a semaphore: the thread takes it to sleep, the loop gives it back
        self._wakeup.acquire()
        self._thread = threading.Thread(target=self._work, name="asyncchat-writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._stopped: asyncio.Event | None = None

    async def aclose(self) -> None:
        """Commit and hand over all that is pending, then stop. Idempotent."""
        self._closed = True
        if self._stopped is None:
            return
        self._wake()
        await self._stopped.wait()
        await ended(self._thread)

    async def run(self, job: Callable[[Store], T]) -> T:
        """Call *job* with the store between two batches, and return its result; it must be short: all commits wait."""
        if self._closed or self._stopped is None:
            raise _over()
        loop = self._loop
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.append(lambda: perform(loop, future, lambda: job(self._store)))
        self._nudge()
        return await future

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stopped = asyncio.Event()
        self._thread.start()

    def _nudge(self) -> None:
        if self._asleep and not self._waking:
            self._waking = True
            self._loop.call_soon(self._wake)

    def _wake(self) -> None:
        self._waking = False
        if self._wakeup.locked():
            self._wakeup.release()

    # --- in the thread ---

    def _work(self) -> None:
        idle: float | None = IDLE_SECONDS
        try:
            while self._busy() or not self._closed:
                if self._busy():
                    self._turn()
                    idle = IDLE_SECONDS
                elif not self._sleep(idle):
                    idle = self._maintenance.idle()
        finally:
            assert self._stopped is not None
            self._loop.call_soon_threadsafe(self._stopped.set)

    def _busy(self) -> bool:
        return bool(self._pending or self._jobs)

    def _turn(self) -> None:
        # Two steps, each atomic: what the loop appends in between stays for a later batch.
        batch = self._pending[: _half(self._pending)]
        del self._pending[: len(batch)]
        if batch:
            self._loop.call_soon_threadsafe(self._deliver, self._commit(batch))
            self._maintenance.busy()
        while self._jobs:
            self._jobs.pop(0)()

    def _sleep(self, seconds: float | None) -> bool:
        """Sleep until woken (true) or for so long (false)."""
        self._asleep = True
        try:
            # What came before the flag was up brings no wake-up call.
            if self._busy() or self._closed:
                return True
            return self._wakeup.acquire(timeout=-1 if seconds is None else seconds)
        finally:
            self._asleep = False


def _half(pending: list[Entry]) -> int:
    """How many of the entries the next batch takes: what was given together stays together."""
    count, end = max(len(pending) // 2, TOGETHER), len(pending)
    while count < end and pending[count].origin is pending[count - 1].origin is not None:
        count += 1
    return min(count, end)


def commit(store: Store, entries: list[Entry]) -> Done:
    """Place a batch behind what the store holds. An error is not raised but part of the result."""
    seq = store.last_seq
    kept: list[Placed] = []
    for entry in entries:
        record = entry.record
        if type(record) is Message or isinstance(record, Kept):  # the first is cheaper, and nearly always true
            seq += 1
            kept.append((seq, record))
        entry.seq = seq
    if not kept:
        return Done(entries, [])
    try:
        store.write(kept)
    except NotStored as error:
        # Without its traceback, whose frames hold the whole batch: it is told to each sender, and may be kept a while.
        return _without(entries, error.with_traceback(None), store.last_seq)
    except StorageError as error:
        return _apart(store, entries, error.with_traceback(None))
    except Exception as error:  # the root of all commits: whatever happens, the log goes on
        logger.exception("a fault in the storage")
        return _apart(store, entries, StorageError(f"the storage failed: {error}"))
    return Done(entries, [])


def _without(entries: list[Entry], error: StorageError, seq: int) -> Done:
    passing: list[Entry] = []
    kept: list[Entry] = []
    for entry in entries:
        if isinstance(entry.record, Kept):
            entry.seq = 0
            kept.append(entry)
        else:
            entry.seq = seq
            passing.append(entry)
    return Done(passing, [(kept, error)])


def _apart(store: Store, entries: list[Entry], error: StorageError) -> Done:
    # One bad record must not take the others down, but for those that were given with it.
    groups = _together(entries)
    if len(groups) == 1:
        return _without(entries, error, store.last_seq)
    done = Done([], [])
    for group in groups:
        one = commit(store, group)
        done.applied += one.applied
        done.failed += one.failed
    return done


def _together(entries: list[Entry]) -> list[list[Entry]]:
    """The entries in groups of those that were given to the log together, by one command."""
    return [list(group) for _, group in groupby(entries, lambda entry: id(entry.origin or entry))]
