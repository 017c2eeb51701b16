"""The search index: what it holds of a message, and how it follows the messages.

Messages enter it beside the commits, a short slice at a time; `server.indexed` says how far it has come. What it holds
of a message that is edited or deleted is wrong from that moment: the old text goes to the table ``outdated`` in that
transaction, from which a later slice takes its words out of the index. Nothing else reads that table but searches, to
pass over what it names; it is emptied before anything else, also after a start. The index keeps no text, only words;
those of removed messages vanish from the file when its segments are merged, see `purge`.
"""

import sqlite3
from collections.abc import Iterable
from itertools import groupby

import msgspec
from msgspec import Struct

from asyncchat.storage.tokenizer import FOLDING, index_text
from asyncchat.vocabulary.names import name_key

ROWS = 250
"""Messages of a slice at most: with each statement FTS5 writes a segment of its own, to be merged with others later."""

SLICE = 16_384
"""Bytes of text of a slice, unless one message alone has more: in Han each character is a word, and 16 KB take 10 ms,
by which a record that comes meanwhile is late."""

MERGE_PAGES = 16
"""Pages of the index that one step of `merge` or `purge` rewrites: some milliseconds."""


STRETCH = 1024
"""Messages of which the index knows the earliest and the latest time together: searches by day look no closer."""


class Indexed(Struct, array_like=True, gc=False):
    """Of a message what the index holds, as `_SELECT` selects it."""

    seq: int
    time: int
    author: int
    name: str
    room: int
    peer: int
    text: str


# In one statement, so that a thread that does this asks for the interpreter's lock once. A window's sum tells how much
# text there is up to each row; the first is taken in any case.
_SELECT = """SELECT json_group_array(json_array(seq, time, author, name, room, peer, text)) FROM (
    SELECT *, row_number() OVER (ORDER BY seq) AS number, sum(length(CAST(text AS BLOB))) OVER (ORDER BY seq) AS total
    FROM (SELECT * FROM {} ORDER BY seq LIMIT :rows)) WHERE total <= :bytes OR number = 1"""
_read = msgspec.json.Decoder(list[Indexed])

_NEXT = _SELECT.format("messages WHERE seq > (SELECT indexed FROM server) AND deleted = 0")
_OUTDATED = _SELECT.format("outdated")
_NOW = _SELECT.format("messages WHERE seq IN (SELECT value FROM json_each(:seqs)) AND deleted = 0")

_RETIRE = """
INSERT OR IGNORE INTO outdated (seq, time, author, name, room, peer, text)
SELECT seq, time, author, name, room, peer, text FROM messages
WHERE seq IN (SELECT value FROM json_each(?)) AND deleted = 0 AND seq <= (SELECT indexed FROM server)"""


def room_tag(room: int) -> str:
    """The word by which a room's messages are found."""
    return f"r{room}"


def person_tag(person: int) -> str:
    """The word by which a person's conversations are found."""
    return f"p{person}"


def author_tag(name: str) -> str:
    """The word by which all that was said under this name is found, whatever its case."""
    return f"n{name_key(name).encode().hex()}"


def index_next(db: sqlite3.Connection) -> int | None:
    """Index the next messages, a slice of them, in the caller's transaction.

    Returns the seq up to which all is indexed now, or None when there was no message left.
    """
    rows = _slice(db, _NEXT)
    if not rows:
        return None
    _add(db, rows)
    for stretch, those in groupby(rows, lambda row: row.seq // STRETCH):
        times = [row.time for row in those]
        db.execute(_TIMES, (stretch, min(times), max(times)))
    db.execute("UPDATE server SET indexed = ?", (rows[-1].seq,))
    return rows[-1].seq


_TIMES = """
INSERT INTO stretches VALUES (?, ?, ?) ON CONFLICT DO UPDATE
SET earliest = min(earliest, excluded.earliest), latest = max(latest, excluded.latest)"""


def times_of(db: sqlite3.Connection, since: int | None, until: int | None) -> tuple[int, int]:
    """Between which seqs (the first, and the one behind the last) are all indexed messages of a time.

    Where there are none, the first is that of those which are not indexed yet.

    Times are Unix milliseconds, None: no bound. A clock that was wrong for a while makes it more than needed, not less.
    """
    found = db.execute(
        "SELECT min(stretch), max(stretch) FROM stretches WHERE latest >= ? AND earliest <= ?",
        (since if since is not None else -LAST_BYTE, until if until is not None else LAST_BYTE),
    ).fetchone()
    first, last = found
    indexed: int = db.execute("SELECT indexed FROM server").fetchone()[0]
    return (first * STRETCH, (last + 1) * STRETCH) if first is not None else (indexed + 1, 0)


def retire(db: sqlite3.Connection, targets: Iterable[int]) -> None:
    """What the index holds of these messages is outdated: call it before they change, in the same transaction."""
    if db.execute(_RETIRE, (_json(targets),)).rowcount > 0:
        db.execute("UPDATE server SET purge = 1")


def refresh(db: sqlite3.Connection) -> bool:
    """Take a slice of outdated messages out of the index, and put in what they are now, in the caller's transaction.

    Returns whether there was anything to do.
    """
    rows = _slice(db, _OUTDATED)
    if not rows:
        return False
    for row in rows:
        db.execute(
            "INSERT INTO search (search, rowid, text, tags) VALUES ('delete', ?, ?, ?)",
            (row.seq, index_text(row.text), _tags(row)),
        )
    seqs = _json(row.seq for row in rows)
    db.execute("DELETE FROM outdated WHERE seq IN (SELECT value FROM json_each(?))", (seqs,))
    _add(db, _slice(db, _NOW, seqs=seqs, bytes=LAST_BYTE))
    return True


LAST_BYTE = 2**62
"""No bound: what was outdated is a slice, and what it has become is a message for each of its rows."""


def _slice(db: sqlite3.Connection, statement: str, *, seqs: str = "[]", bytes: int | None = None) -> list[Indexed]:
    values = {"rows": ROWS, "bytes": SLICE if bytes is None else bytes, "seqs": seqs}
    return _read.decode(db.execute(statement, values).fetchone()[0])


def _json(seqs: Iterable[int]) -> str:
    return msgspec.json.encode(list(seqs)).decode()


def _add(db: sqlite3.Connection, rows: list[Indexed]) -> None:
    if not rows:
        return
    values: list[object] = []
    for row in rows:
        values += (row.seq, index_text(row.text), _tags(row))
    marks = ", ".join(["(?, ?, ?)"] * len(rows))
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
    db.execute("DELETE FROM outdated")
    db.execute("DELETE FROM stretches")
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
