"""Is a database sound? For an operator who wants to know, with the server running or not."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from asyncchat.storage import database_file
from asyncchat.storage.retention import removed_rooms
from asyncchat.vocabulary.errors import NewerDatabase, StorageError

PROBLEMS = 100
"""No more of a kind are listed: who has so many wants a backup, not a longer list."""

# What must be empty, and what it means when it is not.
_ORPHANS = {
    "tokens of nobody": "SELECT count(*) FROM tokens WHERE person NOT IN (SELECT id FROM people)",
    "options of no room": "SELECT count(*) FROM options WHERE room NOT IN (SELECT id FROM rooms)",
    "topics of no room": "SELECT count(*) FROM topics WHERE room NOT IN (SELECT id FROM rooms)",
    "roles in no room": "SELECT count(*) FROM roles WHERE room NOT IN (SELECT id FROM rooms)",
    "roles of nobody": "SELECT count(*) FROM roles WHERE person NOT IN (SELECT id FROM people)",
    "invitations to no room": "SELECT count(*) FROM invites WHERE room NOT IN (SELECT id FROM rooms)",
    "bans from no room": "SELECT count(*) FROM bans WHERE room > 0 AND room NOT IN (SELECT id FROM rooms)",
    "messages to no room": (
        "SELECT count(*) FROM messages WHERE room > 0 AND room NOT IN (SELECT id FROM rooms)"
        " AND room NOT IN ({removed})"
    ),
    "messages of nobody": "SELECT count(*) FROM messages WHERE author > 0 AND author NOT IN (SELECT id FROM people)",
    "messages to nobody": "SELECT count(*) FROM messages WHERE room = 0 AND peer NOT IN (SELECT id FROM people)",
    "deleted messages with a text": "SELECT count(*) FROM messages WHERE deleted = 1 AND text <> ''",
    "reactions on no message": "SELECT count(*) FROM reactions WHERE target NOT IN (SELECT seq FROM messages)",
    "changes of no message": (
        "SELECT count(*) FROM changes WHERE target > 0 AND target NOT IN (SELECT seq FROM messages)"
    ),
    "seqs given twice": "SELECT count(*) FROM messages JOIN changes USING (seq)",
}


def check(path: Path | str) -> list[str]:
    """The problems of a database file, each a line for people; empty when it is sound. Changes nothing.

    Raises `NewerDatabase`: this program does not know what is sound there.
    """
    path = Path(path)
    try:
        database_file.inspect(path)
        with contextlib.closing(database_file.connect_inspector(path)) as db:
            return list(_problems(db))
    except NewerDatabase:
        raise
    except (StorageError, sqlite3.Error) as error:
        return [str(error)]


def _problems(db: sqlite3.Connection) -> Iterator[str]:
    db.execute("BEGIN")
    damage = [row[0] for row in db.execute(f"PRAGMA integrity_check({PROBLEMS})").fetchall()]
    if damage != ["ok"]:
        yield from damage
        return
    removed = removed_rooms(db)  # their messages are being deleted
    for problem, statement in _ORPHANS.items():
        count = db.execute(statement.format(removed=removed)).fetchone()[0]
        if count:
            yield f"{count} {problem}"
