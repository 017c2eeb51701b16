"""Search."""

import sqlite3

from asyncchat.vocabulary.errors import StorageError
from asyncchat.vocabulary.queries import FindText, Page


def find_text(db: sqlite3.Connection, query: FindText) -> Page:
    """Messages that hold all words of a text."""
    raise StorageError("search is not built yet")
