"""Work in other threads whose result the loop awaits."""

import asyncio
import contextlib
import math
import os
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from asyncchat.vocabulary.errors import StorageError
from asyncchat.vocabulary.terms import Code

T = TypeVar("T")


def perform(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], function: Callable[[], T]) -> None:
    """Call *function* here and now, unless nobody waits for it any more.

    The future, which is the loop's, gets what it returns or raises.
    """
    if future.cancelled():
        return
    try:
        result = function()
    except Exception as error:  # noqa: BLE001 - not lost: whoever awaits the future gets it
        loop.call_soon_threadsafe(_fail, future, error)
    else:
        loop.call_soon_threadsafe(_fulfil, future, result)


def _fulfil(future: asyncio.Future[T], result: T) -> None:
    if not future.done():  # the caller may have been cancelled meanwhile
        future.set_result(result)


def _fail(future: asyncio.Future[T], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


async def ended(thread: threading.Thread) -> None:
    """Return when a thread that has done its last work is gone. `join` would block the loop for that moment."""
    while thread.is_alive():  # noqa: ASYNC110 - for microseconds: it has said that it ends
        await asyncio.sleep(0)


class Threads:
    """Some threads that do what they are given, first come first served.

    A plain executor would do, if it could be closed without blocking the loop and without a thread of its own for that.
    *nice*: by how much (0 to 19) they go behind others on a busy core; on Linux, where a thread has its own priority.
    """

    def __init__(self, count: int, name: str, nice: int = 0) -> None:
        self._nice = nice
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._open = True
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, function: Callable[[], T]) -> T:
        """Call *function* in one of the threads; once begun it runs to its end, even when the caller is cancelled."""
        if not self._open:
            raise StorageError("the storage is closed", Code.UNAVAILABLE)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(lambda: perform(loop, future, function))
        return await future

    async def aclose(self) -> None:
        """Let the threads finish what somebody waits for, and end them. Idempotent."""
        if not self._open:
            return
        self._open = False
        loop = asyncio.get_running_loop()
        all_ended = loop.create_future()
        remaining = len(self._threads)

        def one_ended() -> None:
            nonlocal remaining
            remaining -= 1
            if not remaining:
                all_ended.set_result(None)

        for _ in self._threads:
            self._jobs.put(lambda: _leave(loop, one_ended))
        await asyncio.shield(all_ended)
        for thread in self._threads:
            await ended(thread)

    def _work(self) -> None:
        if sys.platform == "linux":
            this = threading.get_native_id()
            with contextlib.suppress(OSError):  # a sandbox forbids it: then without
                os.setpriority(os.PRIO_PROCESS, this, os.getpriority(os.PRIO_PROCESS, this) + self._nice)
        with contextlib.suppress(_Leave):
            while True:
                self._jobs.get()()


class _Leave(Exception):  # noqa: N818 - no error
    """Ends a thread."""


def _leave(loop: asyncio.AbstractEventLoop, say_so: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(say_so)
    raise _Leave


STEPS = 3_000
"""Steps of SQLite's machine that a reader makes without a rest: some 0.2 ms."""

REST_SECONDS = 0.0002
"""A rest: the kernel lets others run, and half of the time is left for reading."""


class Reader(sqlite3.Connection):
    """A connection for a thread that nobody waits for. ``deadline``: when to interrupt it, on the monotonic clock."""

    deadline = math.inf

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_progress_handler(self._rest, STEPS)

    def _rest(self) -> bool:
        time.sleep(REST_SECONDS)
        return time.monotonic() > self.deadline


@contextmanager
def time_limit(db: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """Interrupt what any connection does in this block after so long: `sqlite3.OperationalError`, SQLITE_INTERRUPT."""
    deadline = time.monotonic() + seconds
    if isinstance(db, Reader):
        db.deadline = deadline
    else:
        db.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    try:
        yield
    finally:
        if isinstance(db, Reader):
            db.deadline = math.inf
        else:
            db.set_progress_handler(None, 0)
