"""Opening a database: only one that is ours, whole, not newer than this program, and used by nobody else.

A file that is refused is not touched: it is looked at through a connection that cannot write.
"""

import contextlib
import errno
import os
import shutil
import sqlite3
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from asyncchat.storage import migrations
from asyncchat.vocabulary.errors import DamagedDatabase, DatabaseInUse, NewerDatabase, StorageError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

MEMORY = ":memory:"
"""Instead of a path: a database that is gone when it is closed."""

BUSY_SECONDS = 5.0
"""How long to wait for a lock that a tool (say, the sqlite3 shell) holds for a moment."""

CACHE_KIB = 16 * 1024
"""Pages that the writing connection keeps in memory: the ends of tables and indexes, where a busy server writes."""

WAL_BYTES = 64 * 1024 * 1024
"""The write-ahead log is cut back to this size once its content is in the database."""

LOG_INDEX_BYTES = 32 * 1024
"""The least that SQLite's index of the write-ahead log (``-shm``) takes: without so much room nothing can be opened."""

STATEMENTS = 256
"""Prepared statements kept per connection: more than there are."""

QUICK_CHECK_BYTES = 8 * 1024 * 1024
"""A database up to this size is read through at start-up, which takes about 50 ms; `checking.check` reads any."""

_MAGIC = b"SQLite format 3\0"
_HEADER = struct.Struct(">16x H 10x I 28x I 4x I")  # page size, pages, user_version, application_id
_HEADER_BYTES = 100
_LARGEST_PAGE = 65536  # stands as 1 in the header


HELD = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})
"""What the system says of a lock that somebody has."""


class Lock:
    """A file beside the database that one process holds locked while it uses the database.

    SQLite's own locks would let two servers write in turns. The file stays, as long as there is a database.
    """

    def __init__(self, database: Path) -> None:
        """Take the lock; raises `DatabaseInUse`, or `StorageError` when there can be none."""
        self._file = _beside(database, "-lock")
        while not self._take(database):
            pass

    def _take(self, database: Path) -> bool:
        """Lock the file that is there; false if its last owner has removed it meanwhile."""
        try:
            make_file(self._file)
            self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(f"cannot open {self._file}: {error.strerror}") from None
        try:
            if sys.platform == "win32":
                msvcrt.locking(self._fd, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            self._fd = -1
            if error.errno in HELD:
                raise DatabaseInUse(f"another process uses the database {database}") from None
            # Lustre and NFS may know no locks (ENOSYS, ENOLCK): that is no other process, and no guess is safe.
            why = f"{os.strerror(error.errno or 0)}: put the database on a file system with locks"
            raise StorageError(f"cannot lock {self._file}: {why}") from None
        if sys.platform == "win32" or self._is_there():
            return True
        os.close(self._fd)
        return False

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._fd), self._file.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let the next one have it. Idempotent."""
        if self._fd >= 0:
            if sys.platform != "win32":
                # Not by closing alone: a process that was forked from this one has the file open still.
                with contextlib.suppress(OSError):
                    fcntl.flock(self._fd, fcntl.LOCK_UN)
            os.close(self._fd)
            self._fd = -1

    def discard(self) -> None:
        """Release it, and leave no file where no database came to be."""
        if sys.platform != "win32":  # which removes no file that is open, and closed it may be the next one's
            with contextlib.suppress(OSError):
                self._file.unlink()
        self.release()


class Files:
    """The files of an open database: what is written to one that was removed or replaced meanwhile is lost."""

    def __init__(self, path: Path | None = None) -> None:
        paths = [path, _beside(path, "-wal")] if path is not None else []
        self._known = [(file, self._identity(file)) for file in paths]

    def are_there(self) -> bool:
        """Are they the same as when they were opened? Two calls of the system, for each commit."""
        return all(known is None or self._identity(file) == known for file, known in self._known)

    @staticmethod
    def _identity(file: Path) -> tuple[int, int] | None:
        try:
            found = os.stat(file)
        except OSError:
            return None
        return found.st_dev, found.st_ino


def prepare(path: Path) -> None:
    """Make the directory (mode 700) and the empty file (mode 600) where there is none yet; raises `StorageError`."""
    prepare_folder(path)
    try:
        make_file(path)
    except OSError as error:
        raise StorageError(f"cannot make {path}: {error.strerror}") from None


def prepare_folder(path: Path) -> None:
    """Make the directory of a database (mode 700) where there is none yet; raises `StorageError`."""
    try:
        missing = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in reversed(missing):
            hand_over(folder)
    except OSError as error:
        raise StorageError(f"cannot make {path.parent}: {error.strerror}") from None


def make_file(path: Path) -> None:
    """Make an empty file (mode 600) where there is none yet; its owner is that of the directory. Raises OSError."""
    with contextlib.suppress(FileExistsError):
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            _give(made, path.parent)
        finally:
            os.close(made)


def hand_over(folder: Path) -> None:
    """Give a directory that root has made to the owner of the one that it is in. Raises OSError."""
    if sys.platform != "win32":
        made = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _give(made, folder.parent)
        finally:
            os.close(made)


def _give(made: int, folder: Path) -> None:
    """Give what root has made to the directory's owner, as whom the server runs; SQLite does so with its own files.

    By its descriptor: in a directory of theirs, its name may be that of another file by now.
    """
    if sys.platform != "win32" and os.geteuid() == 0:
        owner = folder.stat()
        with contextlib.suppress(OSError):  # a root without this right, as in some containers, is its own server
            os.fchown(made, owner.st_uid, owner.st_gid)


def inspect(path: Path) -> None:
    """Raise `DamagedDatabase` or `NewerDatabase` when the file's header already says so; an empty file is well."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from None
    if not size:
        return
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise DamagedDatabase(f"{path} is not a database")
    page_size, pages, version, application = _HEADER.unpack_from(header)
    if version > migrations.VERSION:
        raise _newer(path, version)
    if wal_size(path):
        return  # what stands there counts more than the file alone: see `look_inside`
    if application != migrations.APPLICATION_ID and (application or version or pages > 1):
        raise _foreign(path)  # and not one of ours that was killed before its first table was made
    expected = pages * (_LARGEST_PAGE if page_size == 1 else page_size)
    if size < expected:
        raise _cut_off(path, expected, size)


def look_inside(path: Path) -> None:
    """Raise `DamagedDatabase` or `NewerDatabase` when SQLite finds the database so, its write-ahead log included.

    A large one is not read through. The lock is held: nobody else writes. Errors that SQLite has words for are left to
    `refusing`.
    """
    size, log_size = path.stat().st_size, wal_size(path)
    if not size:
        if log_size:
            raise DamagedDatabase(f"{path} is damaged: it is empty, and {wal_of(path)} is not")
        return
    try:
        with contextlib.closing(connect_inspector(path)) as db:
            _examine(db, path, size, log_size)
    except sqlite3.DatabaseError as error:
        if primary_code(error) != sqlite3.SQLITE_ERROR:
            raise
        raise DamagedDatabase(f"{path} is damaged: {error}") from None  # a table is missing


def _examine(db: sqlite3.Connection, path: Path, size: int, log_size: int) -> None:
    version = migrations.version_of(db)
    if version > migrations.VERSION:
        raise _newer(path, version)
    if not version:
        if db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise _foreign(path)
        return
    db.execute("SELECT epoch, last_seq, (SELECT max(seq) FROM messages) FROM server").fetchone()
    expected = db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
    if size + log_size < expected:  # a page that the file does not reach must stand in the log
        raise _cut_off(path, expected, size)
    if expected <= QUICK_CHECK_BYTES:
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise DamagedDatabase(f"{path} is damaged: {verdict}")


def wal_size(path: Path) -> int:
    """The bytes of the write-ahead log, of a process that runs or that was killed; 0 when there is none."""
    try:
        return wal_of(path).stat().st_size
    except FileNotFoundError:
        return 0


def wal_of(path: Path) -> Path:
    """The write-ahead log's place."""
    return _beside(path, "-wal")


def _beside(path: Path, suffix: str) -> Path:
    # As SQLite does it: beside the file itself, wherever a link to it is. Two links must not lead to two locks.
    return Path(f"{path.resolve()}{suffix}")


def _cut_off(path: Path, expected: int, size: int) -> DamagedDatabase:
    return DamagedDatabase(f"{path} is damaged: of {expected} bytes {size} are left")


def _foreign(path: Path) -> DamagedDatabase:
    return DamagedDatabase(f"{path} is a database of another program")


def _newer(path: Path | str, version: int) -> NewerDatabase:
    return NewerDatabase(
        f"{path} was written by a newer version of this program (schema {version}; this one knows {migrations.VERSION})"
    )


def uri(path: Path, options: str) -> str:
    """The file as SQLite's URI, with options."""
    return f"{path.absolute().as_uri()}?{options}"


def connect(path: Path | str) -> sqlite3.Connection:
    """The connection that writes, on a database with all steps taken. Another thread may use it, one at a time."""
    db = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS
    )
    try:
        version = migrations.version_of(db)
        if version > migrations.VERSION:
            raise _newer(path, version)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        migrations.migrate(db)
        _try_to_write(db)
        return db
    except BaseException:
        db.close()
        raise


def _try_to_write(db: sqlite3.Connection) -> None:
    """Raise `sqlite3.OperationalError` for a file that can only be read; a full disk is left to those who commit.

    Nothing else before the first record would find out: a write-ahead log begins transactions on such a file.
    """
    db.execute("BEGIN IMMEDIATE")
    db.execute(f"PRAGMA user_version = {migrations.VERSION}")
    db.execute("ROLLBACK")


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Say why a database cannot be opened, when SQLite finds out in this block."""
    try:
        yield
    except sqlite3.Error as error:
        code = primary_code(error)
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise DamagedDatabase(f"{path} is damaged: {error}") from error
        # SQLite says no more than "disk I/O error" when there is no room for its index of the log.
        full = code == sqlite3.SQLITE_IOERR and shutil.disk_usage(path.parent).free < LOG_INDEX_BYTES
        raise StorageError(f"{path} cannot be opened: {'the disk is full' if full else error}") from error


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its extension; the module's own errors have none and count as `SQLITE_ERROR`."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def connect_reader(path: Path, factory: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
    """A connection that reads beside the writer."""
    db = sqlite3.connect(
        uri(path, "mode=rw"),
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        factory=factory,
        cached_statements=STATEMENTS,
    )
    db.execute("PRAGMA query_only = ON")
    db.execute("PRAGMA temp_store = MEMORY")
    return db


def connect_inspector(path: Path) -> sqlite3.Connection:
    """A connection that changes neither the database nor its log, nor makes a file where there is no log."""
    # "immutable" makes no lock and no -wal or -shm file. Where there is a write-ahead log, even an empty one, a server
    # may be running, and only a lock keeps its checkpoints out of what is being read.
    options = "mode=ro" if wal_of(path).exists() else "immutable=1"
    return sqlite3.connect(uri(path, options), uri=True, timeout=BUSY_SECONDS, isolation_level=None)
