"""What goes by itself: messages that a room no longer keeps, rooms that are gone, and guests who never said a word."""

import sqlite3
from collections.abc import Sequence

import msgspec

from asyncchat.storage.indexing import retire

GUEST_DAYS = 30
"""A guest who left, has not come back for so long and has written nothing is forgotten, tokens and all."""

AT_ONCE = 200
"""Messages deleted in one transaction: some milliseconds, in which records wait."""

LOOKED_AT = 10_000
"""A room's oldest messages that are looked at for old ones: some 2 ms when there is none.

A message that is not old stands before older ones when the clock was ahead for a while: so many must not be in the way.
"""

_seqs = msgspec.json.Decoder(list[int])

_THEM = "IN (SELECT value FROM json_each(:them))"


def prune(db: sqlite3.Connection, room: int, before: int, limit: int, *, last_seq: int) -> int:
    """Delete messages of a room from before a time (Unix ms): *limit* at most, among the oldest `LOOKED_AT`.

    With them goes what happened to them. Returns how many there were. In the caller's transaction.
    """
    oldest = "SELECT seq, time FROM messages WHERE room = ? AND room > 0 ORDER BY seq LIMIT ?"
    old = f"SELECT json_group_array(seq) FROM (SELECT seq FROM ({oldest}) WHERE time < ? LIMIT ?)"
    seqs = _seqs.decode(db.execute(old, (room, LOOKED_AT, before, limit)).fetchone()[0])
    changes = "SELECT seq FROM changes WHERE room = ? AND room > 0 AND time < ? ORDER BY seq LIMIT ?"
    db.execute(f"DELETE FROM changes WHERE seq IN ({changes})", (room, before, limit))
    if seqs:
        # A room where nothing was ever said is dropped when it is empty; this one is to stay.
        db.execute("UPDATE rooms SET spoken = 1 WHERE id = ?", (room,))
        _delete(db, seqs)
    _keep_seq(db, last_seq)
    return len(seqs)


def clear_dropped(db: sqlite3.Connection, limit: int, *, last_seq: int) -> bool:
    """Delete *limit* messages, or changes of them, of a room that is gone; false when none are left.

    In the caller's transaction. A message that was on its way when its room was dropped can come after it into the log;
    so what remembers the room stays until the next start, see `forget_dropped`.
    """
    room = db.execute(f"SELECT room FROM dropped WHERE {_IS_LEFT} LIMIT 1").fetchone()
    if room is None:
        return False
    oldest = "SELECT seq FROM messages WHERE room = ? AND room > 0 ORDER BY seq LIMIT ?"
    seqs = _seqs.decode(db.execute(f"SELECT json_group_array(seq) FROM ({oldest})", (*room, limit)).fetchone()[0])
    changes = "SELECT seq FROM changes WHERE room = ? AND room > 0 ORDER BY seq LIMIT ?"
    db.execute(f"DELETE FROM changes WHERE seq IN ({changes})", (*room, limit))
    _delete(db, seqs)
    _keep_seq(db, last_seq)
    return True


_IS_LEFT = (
    "(EXISTS (SELECT 1 FROM messages WHERE messages.room = dropped.room AND messages.room > 0)"
    " OR EXISTS (SELECT 1 FROM changes WHERE changes.room = dropped.room AND changes.room > 0))"
)


def forget_dropped(db: sqlite3.Connection) -> None:
    """Forget the rooms that are gone and have no message left; in the caller's transaction, at a start."""
    gone = f"SELECT room FROM dropped WHERE NOT {_IS_LEFT}"
    db.execute(f"DELETE FROM markers WHERE room IN ({gone})")
    db.execute(f"DELETE FROM dropped WHERE room IN ({gone})")


def _delete(db: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """Delete messages, and what happened to them."""
    if not seqs:
        return
    retire(db, seqs)
    them = {"them": _json(seqs)}
    db.execute(f"DELETE FROM reactions WHERE target {_THEM}", them)
    db.execute(f"DELETE FROM changes WHERE target {_THEM}", them)
    db.execute(f"DELETE FROM messages WHERE seq {_THEM}", them)


def _keep_seq(db: sqlite3.Connection, last_seq: int) -> None:
    """The last message may be gone, and its seq must not be given again."""
    db.execute("UPDATE server SET last_seq = ? WHERE last_seq < ?", (last_seq, last_seq))


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


def remove_people(db: sqlite3.Connection, people: Sequence[int], before: int) -> int:
    """Delete guests, unless they were seen since a time (Unix ms); returns how many. In the caller's transaction."""
    gone = f"id {_THEM} AND registered = 0 AND held = 0 AND touched < :before"
    still = f"SELECT json_group_array(id) FROM people WHERE {gone}"
    found: str = db.execute(still, {"them": _json(people), "before": before}).fetchone()[0]
    them = {"them": found}
    for table in ("tokens", "roles", "invites", "markers"):
        db.execute(f"DELETE FROM {table} WHERE person {_THEM}", them)
    db.execute(f"DELETE FROM people WHERE id {_THEM}", them)
    return len(_seqs.decode(found))


def _json(seqs: Sequence[int]) -> str:
    return msgspec.json.encode(list(seqs)).decode()
