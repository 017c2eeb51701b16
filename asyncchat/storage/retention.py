"""What goes by itself: messages that a room no longer keeps, rooms that are gone, and guests who never said a word."""

import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from asyncchat.storage.search_index import retire

AT_ONCE = 200
"""Messages deleted in one transaction: some milliseconds, in which records wait."""

LOOKED_AT = 10_000
"""A room's oldest messages that are looked at for old ones: some 2 ms when there is none.

A message that is not old stands before older ones when the clock was ahead for a while: so many must not be in the way.
"""

_seqs = msgspec.json.Decoder(list[int])

_THEM = "IN (SELECT value FROM json_each(:them))"


def is_due(db: sqlite3.Connection, room: int, before: int) -> bool:
    """Has a room messages, or changes, from before a time (Unix ms) among its oldest `LOOKED_AT`?"""
    oldest = "SELECT time FROM messages WHERE room = ? AND room > 0 ORDER BY seq LIMIT ?"
    changes = "SELECT 1 FROM changes WHERE room = ? AND room > 0 AND time < ? LIMIT 1"
    return (
        db.execute(f"SELECT 1 FROM ({oldest}) WHERE time < ? LIMIT 1", (room, LOOKED_AT, before)).fetchone() is not None
        or db.execute(changes, (room, before)).fetchone() is not None
    )


def prune(db: sqlite3.Connection, *, last_seq: int) -> bool:
    """Delete `AT_ONCE` messages, or changes of them, that have expired; false when there are none left.

    In the caller's transaction. A message that was on its way when its room was removed can come after it into the log;
    so what remembers such a room stays until the next start, see `forget_removed`.
    """
    found = db.execute(f"SELECT room, before FROM expired WHERE before IS NOT NULL OR {_IS_LEFT} LIMIT 1").fetchone()
    if found is None:
        return False
    room, before = found
    oldest = "SELECT seq, time FROM messages WHERE room = ? AND room > 0 ORDER BY seq LIMIT ?"
    old = f"SELECT json_group_array(seq) FROM (SELECT seq FROM ({oldest}) WHERE time < ? LIMIT ?)"
    until = FOR_EVER if before is None else before
    seqs = _seqs.decode(db.execute(old, (room, LOOKED_AT, until, AT_ONCE)).fetchone()[0])
    changes = "SELECT seq FROM changes WHERE room = ? AND room > 0 AND time < ? ORDER BY seq LIMIT ?"
    deleted = db.execute(f"DELETE FROM changes WHERE seq IN ({changes})", (room, until, AT_ONCE)).rowcount
    if seqs:
        # A room where nothing was ever said is dropped when it is empty; this one is to stay.
        db.execute("UPDATE rooms SET spoken = 1 WHERE id = ?", (room,))
        _delete(db, seqs)
    if not seqs and not deleted and before is not None:
        db.execute("DELETE FROM expired WHERE room = ?", (room,))
    # The last message may be gone, and its seq must not be given again.
    db.execute("UPDATE server SET last_seq = ? WHERE last_seq < ?", (last_seq, last_seq))
    return True


FOR_EVER = 2**62
"""Unix milliseconds that no message reaches."""

_IS_LEFT = (
    "(EXISTS (SELECT 1 FROM messages WHERE messages.room = expired.room AND messages.room > 0)"
    " OR EXISTS (SELECT 1 FROM changes WHERE changes.room = expired.room AND changes.room > 0))"
)


def removed_rooms(db: sqlite3.Connection) -> str:
    """The statement that gives the rooms that are gone; in a database of an earlier version there are none."""
    there = db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'expired'").fetchone()
    return "SELECT room FROM expired WHERE before IS NULL" if there else "SELECT 0 WHERE 0"


def forget_removed(db: sqlite3.Connection) -> None:
    """Forget the rooms that are gone and have no message left; in the caller's transaction, at a start."""
    gone = f"SELECT room FROM expired WHERE before IS NULL AND NOT {_IS_LEFT}"
    db.execute(f"DELETE FROM markers WHERE room IN ({gone})")
    db.execute(f"DELETE FROM expired WHERE room IN ({gone})")


def _delete(db: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """Delete messages, and what happened to them."""
    if not seqs:
        return
    retire(db, seqs)
    them = {"them": _json(seqs)}
    db.execute(f"DELETE FROM reactions WHERE target {_THEM}", them)
    db.execute(f"DELETE FROM changes WHERE target {_THEM}", them)
    db.execute(f"DELETE FROM messages WHERE seq {_THEM}", them)


def silent_guests(db: sqlite3.Connection, before: int, after: int, limit: int) -> tuple[list[int], int | None]:
    """Guests who left before a time (Unix ms) and never wrote nor were written to, of *limit* with ids above *after*.

    The second value is the *after* to go on from, or None at the end. Reads all messages: up to a second or so.
    """
    gone = "SELECT id FROM people WHERE registered = 0 AND held = 0 AND touched < ? AND id > ? ORDER BY id LIMIT ?"
    them = [row[0] for row in db.execute(gone, (before, after, limit)).fetchall()]
    if not them:
        return [], None
    spoke = f"SELECT author FROM messages WHERE author {_THEM} UNION SELECT peer FROM messages WHERE peer {_THEM}"
    heard = {row[0] for row in db.execute(spoke, {"them": _json(them)}).fetchall()}
    return [person for person in them if person not in heard], them[-1]


def forget_people(people: Sequence[int], before: int) -> Iterator[tuple[str, tuple[object, ...]]]:
    """The statements that delete guests, but for those who were seen since a time (Unix ms)."""
    them = "SELECT value FROM json_each(?)"
    gone = f"SELECT id FROM people WHERE id IN ({them}) AND registered = 0 AND held = 0 AND touched < ?"
    for table in ("tokens", "roles", "invites", "markers"):
        yield f"DELETE FROM {table} WHERE person IN ({gone})", (_json(people), before)
    yield f"DELETE FROM people WHERE id IN ({gone})", (_json(people), before)


def _json(seqs: Sequence[int]) -> str:
    return msgspec.json.encode(list(seqs)).decode()
