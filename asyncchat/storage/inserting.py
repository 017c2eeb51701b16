"""Messages into their table, many to a statement."""

import sqlite3
from collections.abc import Iterable, Sequence
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
    """Messages that have the usual value in all columns but these."""

    def __init__(self, *unusual: str) -> None:
        columns = (*_ALWAYS, *unusual)
        usual = {column: value for column, value in _USUAL.items() if column not in unusual}
        names = ", ".join(f'"{column}"' for column in ("seq", *columns, *usual))
        row = f"({', '.join([*'?' * (len(columns) + 1), *usual.values()])})"
        self.values_of = attrgetter(*columns)
        self.statements = [(rows, f"INSERT INTO messages ({names}) VALUES {', '.join([row] * rows)}") for rows in ROWS]


_TO_A_ROOM = _Shape()
_TO_A_ROOM_ONCE = _Shape("nonce")
_ANY = _Shape(*_USUAL)


def add_messages(db: sqlite3.Connection, said: Iterable[tuple[int, Message]]) -> None:
    """Insert messages, each with its seq; the caller holds the transaction."""
    by_shape: dict[_Shape, list[tuple[int, Message]]] = {}
    for placed in said:
        message = placed[1]
        shape = _ANY
        if message.room and message.kind == "text" and message.reply_to is None:
            shape = _TO_A_ROOM if message.nonce is None else _TO_A_ROOM_ONCE
        by_shape.setdefault(shape, []).append(placed)
    for shape, alike in by_shape.items():
        _add(db, shape, alike)


def _add(db: sqlite3.Connection, shape: _Shape, said: Sequence[tuple[int, Message]]) -> None:
    values_of = shape.values_of
    start, count = 0, len(said)
    for rows, statement in shape.statements:
        while count - start >= rows:
            values: list[object] = []
            for seq, message in said[start : start + rows]:
                values.append(seq)
                values += values_of(message)
            db.execute(statement, values)
            start += rows
