"""Messages into their table, many to a statement."""

import sqlite3
from collections.abc import Iterable
from operator import attrgetter

from asyncchat.vocabulary.records import Message

ROWS = (64, 8, 1)
"""Messages per INSERT. Each statement gives the GIL away and has to win it back from a busy loop: 200 messages by
executemany took 47 µs of CPU each then, in statements of 64 rows 3 µs."""

_ALWAYS = ("time", "author", "name", "room", "to", "text")
_USUAL = {"peer": "0", "kind": "'text'", "reply_to": "NULL", "nonce": "NULL"}
"""What most messages have in the other columns. A value that need not be bound makes a message cheaper: those with
all of them took 2.1 µs, those in a room 1.6 with a nonce and 1.2 without."""


class _Shape:
    """Messages that have the usual value in all columns but these. ``statements``: how many values, and the SQL."""

    def __init__(self, *unusual: str) -> None:
        columns = (*_ALWAYS, *unusual)
        usual = {column: value for column, value in _USUAL.items() if column not in unusual}
        names = ", ".join(f'"{column}"' for column in ("seq", *columns, *usual))
        row = f"({', '.join([*'?' * (len(columns) + 1), *usual.values()])})"
        insert = f"INSERT INTO messages ({names}) VALUES "
        self.values_of = attrgetter(*columns)
        self.statements = [(rows * (len(columns) + 1), insert + ", ".join([row] * rows)) for rows in ROWS]


_TO_A_ROOM = _Shape()
_TO_A_ROOM_ONCE = _Shape("nonce")
_ANY = _Shape(*_USUAL)


def add_messages(db: sqlite3.Connection, said: Iterable[tuple[int, Message]]) -> None:
    """Insert messages, each with its seq; the caller holds the transaction."""
    by_shape: dict[_Shape, list[object]] = {}
    for seq, message in said:
        shape = _ANY
        if message.room and message.kind == "text" and message.reply_to is None:
            shape = _TO_A_ROOM if message.nonce is None else _TO_A_ROOM_ONCE
        values = by_shape.get(shape)
        if values is None:
            values = by_shape[shape] = []
        values.append(seq)
        values += shape.values_of(message)
    for shape, values in by_shape.items():
        _add(db, shape, values)


def _add(db: sqlite3.Connection, shape: _Shape, values: list[object]) -> None:
    start = 0
    for count, statement in shape.statements:
        while len(values) - start >= count:
            db.execute(statement, values[start : start + count])
            start += count
