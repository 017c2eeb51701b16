"""A consistent copy of a database, while it is in use."""

import contextlib
import os
import sqlite3
from pathlib import Path

from asyncchat.storage.migrations import new_epoch
from asyncchat.vocabulary.errors import NotStored, StorageError
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
