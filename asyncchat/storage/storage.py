"""What a server holds of its database: the log, the answers, and the care for it all."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asyncchat.storage.local import LocalLog, local_log
from asyncchat.storage.opening import MEMORY
from asyncchat.storage.store import Placed, Store, ask
from asyncchat.storage.threads import Threads
from asyncchat.vocabulary.queries import StoreQuery

READERS = 2
"""Threads that read: one long search leaves the other free for pages of history."""


class Storage:
    """A database file, made when there is none, or ``":memory:"``.

    Use: `open`, `load`, ``log.start``, then ``log.append`` and `ask`; at the end ``log.aclose`` and `aclose`. All on
    the loop's thread; nothing blocks it but a database in memory.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._store: Store
        self._threads: Threads | None = None
        self._connections: list[sqlite3.Connection] = []
        self.log: LocalLog

    async def open(self) -> None:
        """Open the database; raises `DatabaseInUse`, `DamagedDatabase`, `NewerDatabase` or `StorageError`."""
        if self._path == MEMORY:
            self._store = Store.open(MEMORY)
        else:
            self._threads = Threads(READERS, "asyncchat-reader")
            try:
                await self._threads.run(self._open)
            except BaseException:
                await self._threads.aclose()
                raise
        self.log = local_log(self._store)

    def _open(self) -> None:
        store = Store.open(self._path)
        try:
            self._connections = [store.reader() for _ in range(READERS)]
        except BaseException:
            store.close()
            raise
        self._store = store

    @property
    def epoch(self) -> str:
        """A random word that only this database has; a client's cursor means something in this one alone."""
        return self._store.epoch

    @property
    def last_seq(self) -> int:
        """The highest seq that was given out."""
        return self._store.last_seq

    def load(self) -> Iterator[Placed]:
        """The records that make the chat's state; before ``log.start``. See `loading.load`."""
        return self._store.load(int(time.time() * 1000))

    async def ask(self, query: StoreQuery) -> Any:
        """The answer to a query, which sees all that was applied before; raises `StorageError`."""
        if self._threads is None:
            return self._store.ask(query)
        return await self._threads.run(lambda: self._ask(query))

    def _ask(self, query: StoreQuery) -> Any:
        db = self._connections.pop()  # there is one for each thread
        try:
            return ask(db, query)
        finally:
            self._connections.append(db)

    async def aclose(self) -> None:
        """Close the log and the database; no thread is left. Idempotent."""
        await self.log.aclose()
        if self._threads is not None:
            await self._threads.aclose()
        while self._connections:
            self._connections.pop().close()
        self._store.close()
