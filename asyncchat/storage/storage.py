"""What a server holds of its database: the log, the answers, and the care for it all."""

import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from asyncchat.storage.database_file import MEMORY
from asyncchat.storage.local_log import LocalLog, local_log
from asyncchat.storage.retention import is_due, silent_guests
from asyncchat.storage.snapshot import Placed
from asyncchat.storage.store import Store, ask
from asyncchat.storage.threads import Threads
from asyncchat.storage.transfer import backup
from asyncchat.vocabulary.errors import StorageError
from asyncchat.vocabulary.queries import StoreQuery
from asyncchat.vocabulary.terms import Code

logger = logging.getLogger("asyncchat.storage")

READERS = 3
"""Threads that read: one that searches and one that reads pages of history leave one free for those who log in."""

READERS_NICE = 10
"""They get a tenth of what the loop and the commits get, on a busy core: not less, for they hold the GIL at times."""

GUESTS_AT_ONCE = 1000
"""Guests looked at in one go: each costs a look through the messages only once for all."""

DAY = 86_400_000  # milliseconds

T = TypeVar("T")


class Storage:
    """A database file, made when there is none, or ``":memory:"``.

    Use: `open`, `load`, ``log.start``, then ``log.append`` and `ask`; at the end `aclose`. All on the loop's thread;
    nothing blocks it but a database in memory.
    """

    log: LocalLog

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._files: Store | None = None
        self._threads: Threads | None = None
        self._connections: list[sqlite3.Connection] = []
        self._open = False
        self._trusted_from = 0.0  # monotonic

    async def open(self) -> None:
        """Open the database; raises `DatabaseInUse`, `DamagedDatabase`, `NewerDatabase` or `StorageError`."""
        if self._path == MEMORY:
            self._files = Store.open(MEMORY)
        else:
            threads = Threads(READERS, "asyncchat-reader", READERS_NICE)
            try:
                await threads.run(self._open_files)
            except BaseException:
                await threads.aclose()  # when it was the caller who gave up, the thread opens them to the end
                self._close_files()
                raise
            self._threads = threads
        self.log = local_log(self._store)
        self._open = True

    async def aclose(self) -> None:
        """Commit what is pending and close it all; no thread is left. Idempotent."""
        if not self._open:
            return
        await self.log.aclose()
        if self._threads is not None:
            await self._threads.aclose()
        self._open = False
        self._close_files()

    @property
    def epoch(self) -> str:
        """A random word that only this database has; a client's cursor means something in this one alone."""
        return self._store.epoch

    @property
    def identity(self) -> str:
        """A random word by which clients know the server again: other than the epoch, its backups have it as well."""
        return self._store.identity

    @property
    def last_seq(self) -> int:
        """The highest seq that was given out."""
        return self._store.last_seq

    def load(self) -> Iterator[Placed]:
        """The records that make the chat's state; before ``log.start``. See `snapshot.load`."""
        return self._store.load(_now())

    def arrived(self) -> int | None:
        """Up to which seq whoever was online at a crash surely got everything; before ``log.start``."""
        return self._store.arrived()

    async def ask(self, query: StoreQuery) -> Any:
        """The answer to a query, which sees all that was applied before; raises `StorageError`."""
        return await self._read(lambda db: ask(db, query))

    async def trusts(self, now: int) -> bool:
        """May messages be deleted for their age, by the clock as it is (Unix ms)? Ask at each look for old ones.

        A clock that is wrong for ten minutes must not delete a room. So after it was set, or after a stop, by more than
        `DAY`, nothing is deleted until the server has run for `DAY` at the new time; the log says so once.
        """
        before = await self.log.run(lambda store: store.seen_alive(now))
        if before is not None and abs(now - before) > DAY:
            self._trusted_from = monotonic() + DAY / 1000
            days = (now - before) / DAY
            logger.warning("By the clock %.0f days have passed: for a day no message is deleted for its age", days)
        return monotonic() >= self._trusted_from

    async def is_expired(self, room: int, before: int) -> bool:
        """Has a room messages from before a time (Unix ms)? Then a `Pruned` is due."""
        return await self._read(lambda db: is_due(db, room, before))

    async def silent_guests(self, before: int) -> AsyncIterator[list[int]]:
        """Guests who left before a time (Unix ms) and never wrote, some at a time; `PeopleForgotten` are due."""
        after: int | None = 0
        while after is not None:
            find = partial(silent_guests, before=before, after=after, limit=GUESTS_AT_ONCE)
            guests, after = await self._read(find)
            if guests:
                yield guests

    async def backup(self, path: Path | str) -> None:
        """Copy the database as it is now to a new file; raises `StorageError` when it exists or cannot be written."""
        await self._read(lambda db: backup(db, Path(path)))

    def _open_files(self) -> None:
        self._files = Store.open(self._path)
        self._connections += (self._store.reader() for _ in range(READERS))

    def _close_files(self) -> None:
        while self._connections:
            self._connections.pop().close()
        if self._files is not None:
            self._files.close()

    @property
    def _store(self) -> Store:
        if self._files is None:
            raise StorageError("the database is not open", Code.UNAVAILABLE)
        return self._files

    async def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        if self._threads is None:
            return function(self._store.connection)
        return await self._threads.run(lambda: self._with_connection(function))

    def _with_connection(self, function: Callable[[sqlite3.Connection], T]) -> T:
        db = self._connections.pop()  # there is one for each thread
        try:
            return function(db)
        finally:
            self._connections.append(db)


def _now() -> int:
    return int(time.time() * 1000)
