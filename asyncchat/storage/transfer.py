"""A database as JSON lines, and back: for other programs, other machines, and other versions.

The first line is a `Heading`; each other one a `Line`: a record as in ``vocabulary/records.py``, and its seq. People
and rooms keep their ids and messages their seqs. Of what was edited or deleted only what is left is exported. The new
database is the same server to clients, with an epoch of its own: it may go another way than the old one.
"""

import codecs
import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from asyncchat.storage import database_file, snapshot
from asyncchat.storage.migrations import new_epoch
from asyncchat.storage.projection import project
from asyncchat.storage.retention import removed_rooms
from asyncchat.storage.snapshot import Placed
from asyncchat.storage.store import Store
from asyncchat.vocabulary import records as r
from asyncchat.vocabulary.errors import NotStored, StorageError
from asyncchat.vocabulary.records import KeptRecord
from asyncchat.vocabulary.terms import Code


def backup(db: sqlite3.Connection, path: Path) -> None:
    """Copy all that *db* sees now to a new file (mode 600), complete in itself; commits go on meanwhile.

    The copy is the same server to clients, by its identity, and has an epoch of its own: a server that goes on from it
    gives out seqs that were given to other messages.

    Raises `StorageError` 409 when there is such a file already, and `NotStored` when it cannot be written; then there
    is none.
    """
    path = path.absolute()  # it is opened more than once
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise StorageError(f"{path} is there already: a backup replaces nothing", Code.CONFLICT) from None
    except OSError as error:
        raise NotStored(f"cannot write {path}: {error.strerror}") from None
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy:
            db.backup(copy)  # in one step: one snapshot
            copy.execute("PRAGMA journal_mode = DELETE")  # no second file belongs to it
            copy.execute("UPDATE server SET epoch = ?", (new_epoch(),))
    except BaseException as error:  # Ctrl+C as well: what is whole already has the epoch of the database still
        path.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):
            raise NotStored(f"cannot write {path}: {error}") from error
        raise


FORMAT = "asyncchat records"
FORMAT_VERSION = 1

BATCH = 1000
"""Records imported at once."""


class Heading(Struct, frozen=True, kw_only=True):
    """The first line: what the others are, how far the log had come, and whose it was (earlier exports do not say)."""

    format: str
    version: int
    last_seq: int
    identity: str | None = None


class Line(Struct, frozen=True):
    """A record; ``seq`` is 0 where none is kept."""

    seq: int
    fact: KeptRecord


def export(path: Path | str) -> Iterator[bytes]:
    """The lines (without newline) of a database file, which may be in use; they all see one moment of it.

    Raises `StorageError` when the file cannot be read.
    """
    path = Path(path)
    database_file.inspect(path)
    try:
        with contextlib.closing(database_file.connect_inspector(path)) as db:
            db.execute("BEGIN")
            (identity,) = db.execute("SELECT identity FROM server").fetchone()
            heading = Heading(format=FORMAT, version=FORMAT_VERSION, last_seq=_last_seq(db), identity=identity)
            yield msgspec.json.encode(heading)
            for seq, fact in _facts(db):
                yield msgspec.json.encode(Line(seq, fact))
    except sqlite3.Error as error:
        raise StorageError(f"{path} cannot be read: {error}") from error


def import_(lines: Iterable[bytes | str], path: Path | str) -> int:
    """Make a new database of exported lines; returns how many records it took.

    Raises `StorageError` 409 when the file exists, or 400 for a line that is no record; then no database is left.
    """
    path = Path(path)
    _require_absent(path)
    database_file.prepare_folder(path)
    lock = database_file.Lock(path)
    try:
        _require_absent(path)  # a server may have come and gone before the lock was ours
        # Elsewhere until it is whole: an import that is killed leaves nothing that a server takes for the database.
        with tempfile.TemporaryDirectory(prefix="import-", dir=path.parent) as folder:
            database_file.hand_over(Path(folder))
            part = Path(folder, path.name)
            with contextlib.closing(Store.open(part)) as store:
                count = _fill(store, _without_mark(lines))
            part.rename(path)
    finally:
        if path.exists():
            lock.release()
        else:
            lock.discard()
    return count


def _without_mark(lines: Iterable[bytes | str]) -> Iterator[bytes | str]:
    """The lines without the byte order mark that an editor may have put before the first."""
    for number, line in enumerate(lines):
        if number == 0:
            line = line.removeprefix(codecs.BOM_UTF8) if isinstance(line, bytes) else line.removeprefix("\ufeff")
        yield line


def _require_absent(path: Path) -> None:
    if path.exists():
        raise StorageError(f"{path} is there already: an import makes a new database", Code.CONFLICT)
    if database_file.wal_size(path):  # SQLite would take it for the new database's
        raise StorageError(f"{database_file.wal_of(path)} is there still: move it away as well", Code.CONFLICT)


# --- out ------------------------------------------------------------------------------------------------------------


def _last_seq(db: sqlite3.Connection) -> int:
    highest = (
        "SELECT max(last_seq, ifnull((SELECT max(seq) FROM messages), 0), ifnull((SELECT max(seq) FROM changes), 0))"
        " FROM server"
    )
    seq: int = db.execute(highest).fetchone()[0]
    return seq


def _facts(db: sqlite3.Connection) -> Iterator[Placed]:
    yield from snapshot.load(db, everyone=True)
    for token, person in db.execute("SELECT token, person FROM tokens ORDER BY person"):
        yield 0, r.TokenGiven(time=0, person=person, token=token)
    yield from _messages_and_changes(db)


def _messages_and_changes(db: sqlite3.Connection) -> Iterator[Placed]:
    messages = db.execute(
        'SELECT seq, time, author, name, room, peer, "to", text, kind, reply_to, nonce FROM messages'
        f" WHERE room NOT IN ({removed_rooms(db)}) ORDER BY seq"
    )
    changes = db.execute(f"SELECT * FROM changes WHERE room NOT IN ({removed_rooms(db)}) ORDER BY seq")
    change = changes.fetchone()
    for seq, time, author, name, room, peer, to, text, kind, reply_to, nonce in messages:
        while change is not None and change[0] < seq:
            yield change[0], _change(db, *change[1:])
            change = changes.fetchone()
        yield (
            seq,
            r.Message(
                time=time, author=author, name=name, room=room, peer=peer, to=to, text=text, kind=kind,
                reply_to=reply_to, nonce=nonce,
            ),
        )  # fmt: skip
    while change is not None:
        yield change[0], _change(db, *change[1:])
        change = changes.fetchone()


def _change(
    db: sqlite3.Connection, time: int, kind: str, by: int, name: str, to: str, room: int, author: int, peer: int,
    target: int | None, detail: str | None, remove: int,
) -> KeptRecord:  # fmt: skip
    if kind == "topic":
        return r.TopicSet(time=time, room=room, to=to, by=by, name=name, text=detail or "")
    if kind == "deleted":
        targets = msgspec.json.decode(detail or "[]", type=list[int])
        return r.MessagesDeleted(
            time=time, by=by, name=name, to=to, room=room, author=author, peer=peer, targets=targets
        )
    if kind == "edited":
        text = db.execute("SELECT text FROM messages WHERE seq = ?", (target,)).fetchone()[0]
        return r.MessageEdited(
            time=time, by=by, name=name, to=to, room=room, author=author, peer=peer, target=target or 0, text=text
        )
    return r.MessageReacted(
        time=time, by=by, name=name, to=to, room=room, author=author, peer=peer, target=target or 0,
        reaction=detail or "", remove=bool(remove),
    )  # fmt: skip


# --- in -------------------------------------------------------------------------------------------------------------

_heading = msgspec.json.Decoder(Heading)
_line = msgspec.json.Decoder(Line)


def _fill(store: Store, lines: Iterator[bytes | str]) -> int:
    heading = _decode(_heading, next(lines, b""), 1)
    if heading.format != FORMAT or heading.version != FORMAT_VERSION:
        raise StorageError(f"not an export that this version reads: {heading.format}", Code.MALFORMED)
    count = 0
    highest = heading.last_seq
    batch: list[Placed] = []
    for number, text in enumerate(lines, start=2):
        line = _decode(_line, text, number)
        batch.append((line.seq, line.fact))
        highest = max(highest, line.seq)
        count += 1
        if len(batch) == BATCH:
            _write(store, batch, number)
            batch = []
    _write(store, batch, count + 1)
    with store.transaction() as db:
        db.execute("UPDATE server SET last_seq = ?, identity = ifnull(?, identity)", (highest, heading.identity))
    return count


def _write(store: Store, batch: list[Placed], number: int) -> None:
    try:
        with store.transaction() as db:
            project(db, batch)
    except StorageError as error:
        raise StorageError(f"lines up to {number}: {error}", error.code) from error


T = TypeVar("T")


def _decode(decoder: msgspec.json.Decoder[T], line: bytes | str, number: int) -> T:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise StorageError(f"line {number} is no record: {error}", Code.MALFORMED) from None
