"""The database: a transaction per batch of records, and answers to queries. Synchronous: callers pick the thread."""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from asyncchat.storage import database_file, retention, snapshot
from asyncchat.storage.answers import answer
from asyncchat.storage.migrations import new_epoch
from asyncchat.storage.projection import project
from asyncchat.storage.search_index import index_next, is_current, merge, purge, purge_is_due, refresh, renew
from asyncchat.storage.snapshot import Placed, arrived
from asyncchat.storage.threads import Reader
from asyncchat.vocabulary.errors import NotStored, StorageError
from asyncchat.vocabulary.queries import StoreQuery
from asyncchat.vocabulary.records import Message, MessageEdited, MessagesDeleted, Pruned, RoomDropped

_NO_ROOM = frozenset(
    (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PROTOCOL,
    )
)
"""Results that blame the disk, or someone who holds the database: no record is at fault, and later may be better."""

_FAILURES = (sqlite3.Error, sqlite3.Warning, ValueError, TypeError, OverflowError)
"""What a statement raises when it fails."""

logger = logging.getLogger("asyncchat.storage")

_OUTDATING = frozenset({MessageEdited, MessagesDeleted})
_EXPIRING = frozenset({Pruned, RoomDropped})

LATE = 256
"""Messages that a database in memory takes over at once: one alone costs 70 µs, on caches that 100 sends emptied."""


class Store:
    """An open database. Its methods are for one thread at a time; a `reader` is a connection for another."""

    def __init__(self, db: sqlite3.Connection, path: Path | None, lock: database_file.Lock | None) -> None:
        self._db = db
        self._late: list[Placed] = []  # in memory only: messages that the next reading or writing takes over
        self._lock = lock
        self.path = path
        epoch, identity, high_water = db.execute("SELECT epoch, identity, last_seq FROM server").fetchone()
        self.epoch: str = epoch
        self.identity: str = identity
        self.last_seq: int = max(high_water, *self._highest())
        if not is_current(db):
            with self.transaction():
                renew(db)
        self._has_outdated = self._has_expired = True  # as far as is known
        if db.execute("SELECT 1 FROM expired").fetchone() is not None:
            with self.transaction():
                retention.forget_removed(db)
        self._files = database_file.Files(path) if path is not None else database_file.Files()
        self._indexed: int = db.execute("SELECT indexed FROM server").fetchone()[0]

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a database file, made when there is none, or ``":memory:"``.

        Raises `DatabaseInUse`, `DamagedDatabase` or `NewerDatabase`, and leaves such a file as it was; `StorageError`
        when there is no access or no room.
        """
        if path == database_file.MEMORY:
            return cls(database_file.connect(path), None, None)
        path = Path(path).absolute()  # it is looked at for each commit, wherever the process is by then
        database_file.prepare(path)
        database_file.inspect(path)
        with database_file.refusing(path), ExitStack() as undo:
            lock = database_file.Lock(path)
            undo.callback(lock.release)
            database_file.look_inside(path)
            db = database_file.connect(path)
            undo.callback(db.close)
            store = cls(db, path, lock)
            undo.pop_all()
        return store

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection that writes; all that was written is there."""
        if self._late:
            late, self._late = self._late, []
            self._take_over(late)
        return self._db

    def _take_over(self, late: Sequence[Placed]) -> None:
        try:
            with self.transaction() as db:
                project(db, late)
        except StorageError as error:
            if len(late) == 1:
                logger.error("A message that was told is not in the history: %s", error)
                return
            for fact in late:
                self._take_over([fact])

    def close(self) -> None:
        """Close the database. Idempotent."""
        self._db.close()
        if self._lock is not None:
            self._lock.release()

    def write(self, facts: Sequence[Placed]) -> None:
        """Make records durable in one transaction, in order; their seqs grow, above `last_seq`.

        Raises `NotStored` when there is no room or no access, and `StorageError` when a record itself cannot be stored
        (with several, write them one by one to learn which). Nothing of the batch is kept then.
        """
        if not facts:
            return
        last, record = facts[-1]
        lone_message = len(facts) == 1 and type(record) is Message
        if self.path is None and len(self._late) < LATE and (lone_message or all(map(_is_message, facts))):
            # Nothing of it survives the process in any case: there is no hurry.
            self._late += facts
            self.last_seq = last
            return
        if self.path is not None and not self._files.are_there():
            raise NotStored(f"not stored: {self.path} is not the file any more that was opened: was it removed?")
        if lone_message:  # one statement, which is a transaction of its own: to make one took 10 µs more
            try:
                project(self.connection, facts)
            except _FAILURES as error:
                raise _explain(error) from error
        else:
            with self.transaction() as db:
                project(db, facts)
                kinds = {type(record) for _, record in facts}
                self._has_outdated = self._has_outdated or not kinds.isdisjoint(_OUTDATING)
                self._has_expired = self._has_expired or not kinds.isdisjoint(_EXPIRING)
                if type(record) is not Message:  # a message's own row says how far the log has come
                    db.execute("UPDATE server SET last_seq = ?", (last,))
        self.last_seq = last

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection in a transaction, which is durable at the end of the block; raises `StorageError`."""
        db = self.connection
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except _FAILURES as error:
            raise _explain(error) from error
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")

    def ask(self, query: StoreQuery) -> Any:
        """The answer to a query; its class says what that is. Raises `StorageError`."""
        return ask(self.connection, query)

    @property
    def unindexed(self) -> int:
        """How many messages, at most, are not in the search index yet."""
        return self.last_seq - self._indexed

    def refresh_index(self) -> bool:
        """Take some of the words that are no longer said out of the search index; false when there were none."""
        if not self._has_outdated:
            return False
        with self.transaction() as db:
            self._has_outdated = refresh(db)
        return self._has_outdated

    def index_next(self) -> bool:
        """Put the next messages, a slice of them, into the search index; true when there may be more."""
        with self.transaction() as db:
            indexed = index_next(db)
        self._indexed = self.last_seq if indexed is None else indexed
        return indexed is not None

    def merge_index(self) -> bool:
        """A step towards a search index of few segments; true when there is more to do."""
        with self.transaction() as db:
            return merge(db)

    @property
    def purge_is_due(self) -> bool:
        """Are words of removed messages left in the search index?"""
        return purge_is_due(self.connection)

    def purge(self, *, first: bool) -> bool:
        """A step towards a search index without the words of removed messages; true when there is more to do."""
        with self.transaction() as db:
            return purge(db, first=first)

    def prune(self) -> bool:
        """Delete some of the messages that have expired; false when there were none."""
        if not self._has_expired:
            return False
        with self.transaction() as db:
            self._has_expired = retention.prune(db, last_seq=self.last_seq)
        self._has_outdated = self._has_outdated or self._has_expired
        return self._has_expired

    def seen_alive(self, now: int) -> int | None:
        """Note the time (Unix ms); returns the one noted before, or that of the last message, if there is any."""
        with self.transaction() as db:
            before: int = db.execute("SELECT alive FROM server").fetchone()[0]
            db.execute("UPDATE server SET alive = ?", (now,))
            if not before:
                row = db.execute("SELECT time FROM messages ORDER BY seq DESC LIMIT 1").fetchone()
                before = row[0] if row is not None else 0
        return before or None

    def renew_epoch(self) -> None:
        """Become another database in the eyes of clients, who then forget how far they had read."""
        epoch = new_epoch()
        with self.transaction() as db:
            db.execute("UPDATE server SET epoch = ?", (epoch,))
        self.epoch = epoch

    def checkpoint(self) -> bool:
        """Empty the write-ahead log, where old pages still are; false when a reader is in the way."""
        db = self.connection
        db.execute("PRAGMA busy_timeout = 0")  # whoever wants to commit does not wait for that reader
        try:
            busy: int = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            db.execute(f"PRAGMA busy_timeout = {database_file.BUSY_SECONDS * 1000:.0f}")
        return not busy

    def load(self, now: int = 0) -> Iterator[Placed]:
        """The records that make the chat's state; see `snapshot.load`. Raises `StorageError` for a damaged file."""
        try:
            yield from snapshot.load(self.connection, now=now)
        except sqlite3.Error as error:
            raise StorageError(f"the database cannot be read: {error}") from error

    def arrived(self) -> int | None:
        """See `snapshot.arrived`."""
        return arrived(self.connection)

    def reader(self) -> sqlite3.Connection:
        """One more connection for `ask`, for a thread beside this one's. Not for a database in memory."""
        if self.path is None:
            raise ValueError("a database in memory has one connection")
        return database_file.connect_reader(self.path, Reader)

    def _highest(self) -> tuple[int, int]:
        statement = "SELECT ifnull((SELECT max(seq) FROM messages), 0), ifnull((SELECT max(seq) FROM changes), 0)"
        messages, changes = self.connection.execute(statement).fetchone()
        return messages, changes


def _is_message(fact: Placed) -> bool:
    return type(fact[1]) is Message


def ask(db: sqlite3.Connection, query: StoreQuery) -> Any:
    """The answer to a query from any connection; raises `StorageError`."""
    try:
        return answer(db, query)
    except (sqlite3.Error, ValueError, OverflowError) as error:
        raise _explain(error) from error


def _explain(error: Exception) -> StorageError:
    if isinstance(error, sqlite3.Error) and database_file.primary_code(error) in _NO_ROOM:
        return NotStored(f"not stored: {error}")
    return StorageError(f"the storage failed: {error}")
