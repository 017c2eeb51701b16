"""Work on the database that nobody waits for: bringing the search index up to date, and purging it."""

import logging
import math
import sqlite3
import time

from asyncchat.storage.store import Store
from asyncchat.vocabulary.errors import StorageError

logger = logging.getLogger("asyncchat.storage")

BEHIND = 20_000
"""With so many messages not indexed indexing no longer waits until the log is idle: a search looks through them all."""

SHARE = 0.05
"""Of the log's time the part that indexing may take when it does not wait: it is the people who are served first."""

REST_SECONDS = 0.002
"""Between two chunks when idle: for the loop to get at the GIL, and for records to be seen."""

PURGE_SECONDS = 3600.0
"""At most so often is the index rewritten to be rid of the words of removed messages: it may be large."""

RETRY_SECONDS = 10.0
"""After an error, which is mostly a full disk."""

REMINDER_SECONDS = 60.0
"""How often the log says so: an index that is far behind is tried again after every batch of records."""


class Maintenance:
    """What the log calls when it has time, where it commits; each call takes a few milliseconds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._not_before = 0.0
        self._purge_not_before = 0.0
        self._purging = False
        self._merging = False
        self._reminded = -math.inf

    def idle(self) -> float | None:
        """Do a little; returns after how many seconds to go on, or None when all is done until more records come."""
        try:
            return self._step()
        except (StorageError, sqlite3.Error) as error:
            now = time.monotonic()
            if now - self._reminded >= REMINDER_SECONDS:
                self._reminded = now
                logger.warning("maintenance of the database: %s", error)
            return RETRY_SECONDS

    def busy(self) -> None:
        """Called between two batches: do a little now and then, if the index is far behind."""
        if self._store.unindexed < BEHIND:
            return
        start = time.monotonic()
        if start >= self._not_before:
            self.idle()
            end = time.monotonic()
            self._not_before = end + (end - start) * (1 / SHARE - 1)

    def _step(self) -> float | None:
        if self._merging:
            self._merging = self._store.merge_index()
            return REST_SECONDS
        if self._store.refresh_index() or self._store.prune():
            return REST_SECONDS
        if self._store.unindexed:
            self._merging = self._store.index_next()
            return REST_SECONDS
        if self._purging or self._store.purge_is_due:
            return self._purge()
        return None

    def _purge(self) -> float:
        now = time.monotonic()
        if not self._purging and now < self._purge_not_before:
            return self._purge_not_before - now
        self._purging = self._store.purge(first=not self._purging)
        if self._purging:
            return REST_SECONDS
        self._purge_not_before = now + PURGE_SECONDS
        return REST_SECONDS if self._store.checkpoint() else RETRY_SECONDS
