"""The search index: what it holds of a message, and how it follows the messages.

New messages enter it when the log is idle, in chunks; `server.indexed` says how far it has come. A message that changes
or goes is replaced or removed in the transaction that changes it. The index keeps no text, only words; those of removed
messages vanish from the file when its segments are merged, see `purge`.
"""

import sqlite3
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from asyncchat.storage.words import FOLDING, index_text
from asyncchat.vocabulary.names import name_key

ROWS = 250
"""Messages per INSERT: with each statement FTS5 writes a segment of its own, to be merged with others later."""

MERGE_PAGES = 16
"""Pages of the index that one step of `merge` or `purge` rewrites: some milliseconds."""


class Indexed(Struct, array_like=True, gc=False):
    """Of a message what the index holds, as `_SELECT` selects it."""

    seq: int
    author: int
    name: str
    room: int
    peer: int
    text: str


_SELECT = """SELECT json_group_array(json_array(seq, author, name, room, peer, text))
    FROM (SELECT * FROM messages WHERE {})"""
_read = msgspec.json.Decoder(list[Indexed])

_NEXT = _SELECT.format("seq > ? AND deleted = 0 ORDER BY seq LIMIT ?")
_OF = _SELECT.format(
    "seq IN (SELECT value FROM json_each(?)) AND deleted = 0 AND seq <= (SELECT indexed FROM server) ORDER BY seq"
)


def room_tag(room: int) -> str:
    """The word by which a room's messages are found."""
    return f"r{room}"


def person_tag(person: int) -> str:
    """The word by which a person's conversations are found."""
    return f"p{person}"


def author_tag(name: str) -> str:
    """The word by which all that was said under this name is found, whatever its case."""
    return f"n{name_key(name).encode().hex()}"


def index_next(db: sqlite3.Connection, limit: int) -> int | None:
    """Index the next messages, *limit* at most, in the caller's transaction.

    Returns the seq up to which all is indexed now, or None when there was no message left.
    """
    after = db.execute("SELECT indexed FROM server").fetchone()[0]
    rows = _read.decode(db.execute(_NEXT, (after, limit)).fetchone()[0])
    if not rows:
        return None
    _add(db, rows)
    db.execute("UPDATE server SET indexed = ?", (rows[-1].seq,))
    return rows[-1].seq


def learn(db: sqlite3.Connection, targets: Iterable[int]) -> None:
    """Index these messages as they are now, if it was their turn already; in the caller's transaction."""
    _add(db, _rows(db, targets))


def forget(db: sqlite3.Connection, targets: Iterable[int]) -> None:
    """Take these messages out of the index, before they change; in the caller's transaction."""
    rows = _rows(db, targets)
    if not rows:
        return
    for row in rows:
        db.execute(
            "INSERT INTO search (search, rowid, text, tags) VALUES ('delete', ?, ?, ?)",
            (row.seq, index_text(row.text), _tags(row)),
        )
    db.execute("UPDATE server SET purge = 1")


def _rows(db: sqlite3.Connection, targets: Iterable[int]) -> list[Indexed]:
    seqs = msgspec.json.encode(list(targets)).decode()
    return _read.decode(db.execute(_OF, (seqs,)).fetchone()[0])


def _add(db: sqlite3.Connection, rows: list[Indexed]) -> None:
    for start in range(0, len(rows), ROWS):
        values: list[object] = []
        for row in rows[start : start + ROWS]:
            values += (row.seq, index_text(row.text), _tags(row))
        marks = ", ".join(["(?, ?, ?)"] * (len(values) // 3))
        db.execute(f"INSERT INTO search (rowid, text, tags) VALUES {marks}", values)


def _tags(row: Indexed) -> str:
    where = room_tag(row.room) if row.room else f"{person_tag(row.author)} {person_tag(row.peer)}"
    return f"{where} {author_tag(row.name)}"


def is_current(db: sqlite3.Connection) -> bool:
    """Was the index made by today's way of folding?"""
    folding: str = db.execute("SELECT folding FROM server").fetchone()[0]
    return folding == FOLDING


def renew(db: sqlite3.Connection) -> None:
    """Begin the index anew; in the caller's transaction."""
    db.execute("INSERT INTO search (search) VALUES ('delete-all')")
    db.execute("UPDATE server SET indexed = 0, folding = ?", (FOLDING,))


def purge_is_due(db: sqlite3.Connection) -> bool:
    """Are words of removed messages left in the index?"""
    return bool(db.execute("SELECT purge FROM server").fetchone()[0])


def purge(db: sqlite3.Connection, *, first: bool) -> bool:
    """A step, in the caller's transaction, towards an index without words of removed messages; true: there is more.

    A removal is an entry of its own, and what it removes stays in an older segment until both are merged. The *first*
    step gathers all segments for it.
    """
    more = _merge(db, -MERGE_PAGES if first else MERGE_PAGES)
    if not more:
        db.execute("UPDATE server SET purge = 0")
    return more


def merge(db: sqlite3.Connection) -> bool:
    """One step, in the caller's transaction, towards fewer segments, where there are many; true: there is more.

    FTS5 would do that itself while it writes, now and then for 30 to 100 ms in which no record is committed.
    """
    return _merge(db, MERGE_PAGES)


def _merge(db: sqlite3.Connection, pages: int) -> bool:
    before = db.total_changes
    db.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", (pages,))
    return db.total_changes - before >= 2  # as SQLite's documentation of the command says
