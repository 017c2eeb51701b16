"""How each record changes the tables: the facts become what is true now.

Claims (`PersonCreated`, `NameTaken`, `Registered`, `RoomCreated`) that come second change nothing: a key is held once.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import assert_never

from asyncchat.storage.retention import forget_people
from asyncchat.storage.search_index import retire
from asyncchat.vocabulary import records as r
from asyncchat.vocabulary.records import KeptRecord, Message

_People = (
    r.PersonCreated | r.NameTaken | r.NameReleased | r.Registered | r.PasswordSet | r.TokenGiven
    | r.AdministratorSet | r.Seen
)  # fmt: skip
_Rooms = r.RoomCreated | r.RoomDropped | r.RoomSet | r.TopicSet | r.RoleSet | r.InviteSet | r.BanSet | r.BanLifted
_Messages = r.MarkerSet | r.Pruned | r.PeopleForgotten | r.MessageEdited | r.MessagesDeleted | r.MessageReacted
_Fact = _People | _Rooms | _Messages
"""All but the messages themselves."""

_Statement = tuple[str, tuple[object, ...]]


def project(db: sqlite3.Connection, facts: Iterable[tuple[int, KeptRecord]]) -> None:
    """Apply records, each with its seq, to the tables; the caller holds the transaction."""
    said: list[tuple[int, Message]] = []
    for seq, record in facts:
        if isinstance(record, Message):
            said.append((seq, record))
        else:
            add_messages(db, said)  # this may be about one of them
            said.clear()
            _apply(db, seq, record)
    add_messages(db, said)


def _apply(db: sqlite3.Connection, seq: int, record: _Fact) -> None:
    match record:
        case r.MessageEdited(target=target):
            retire(db, (target,))
        case r.MessagesDeleted(targets=targets):
            retire(db, targets)
        case _:
            pass
    _execute(db, seq, record)


def _execute(db: sqlite3.Connection, seq: int, record: _Fact) -> None:
    for statement, values in _statements(seq, record):
        db.execute(statement, values)


def _statements(seq: int, record: _Fact) -> Iterator[_Statement]:
    if isinstance(record, _People):
        return _about_people(seq, record)
    if isinstance(record, _Rooms):
        return _about_rooms(seq, record)
    return _about_messages(seq, record)


# --- people ---------------------------------------------------------------------------------------------------------


def _about_people(seq: int, record: _People) -> Iterator[_Statement]:
    match record:
        case r.PersonCreated(time=time, name=name, key=key, token=token):
            yield (
                "INSERT OR IGNORE INTO people (id, created, touched, name, key) VALUES (?, ?, ?, ?, ?)",
                (seq, time, time, name, key),
            )
            if token is not None:
                # Not for the loser of a claim: there is no such person.
                add = "INSERT OR IGNORE INTO tokens (token, person) SELECT ?, id FROM people WHERE id = ?"
                yield add, (token, seq)
        case r.NameTaken(time=time, person=person, name=name, key=key):
            take = "UPDATE OR IGNORE people SET name = ?, key = ?, held = 1, touched = ? WHERE id = ?"
            yield take, (name, key, time, person)
        case r.NameReleased(time=time, person=person):
            yield "UPDATE people SET held = 0, touched = ? WHERE id = ? AND registered = 0", (time, person)
        case r.Registered(time=time, person=person, name=name, key=key, password=password, invitation=invitation):
            yield (
                "UPDATE OR IGNORE people SET name = ?, key = ?, held = 1, touched = ?, registered = 1, password = ?,"
                " invitation = ? WHERE id = ? AND registered = 0"
                " AND NOT EXISTS (SELECT 1 FROM people WHERE invitation = ?)",
                (name, key, time, password, invitation, person, invitation),
            )
        case r.PasswordSet(person=person, password=password):
            yield "UPDATE people SET password = ? WHERE id = ?", (password, person)
            yield "DELETE FROM tokens WHERE person = ?", (person,)
        case r.TokenGiven(person=person, token=token):
            yield "INSERT OR IGNORE INTO tokens (token, person) VALUES (?, ?)", (token, person)
        case r.AdministratorSet(person=person, active=active):
            yield "UPDATE people SET administrator = ? WHERE id = ?", (active, person)
        case r.Seen(person=person, upto=upto):
            yield "UPDATE people SET seen = ? WHERE id = ?", (upto, person)
        case _:
            assert_never(record)


# --- rooms ----------------------------------------------------------------------------------------------------------


def _about_rooms(seq: int, record: _Rooms) -> Iterator[_Statement]:
    match record:
        case r.RoomCreated(time=time, name=name, key=key, founder=founder, spoken=spoken):
            add = "INSERT OR IGNORE INTO rooms (id, created, name, key, founder, spoken) VALUES (?, ?, ?, ?, ?, ?)"
            yield add, (seq, time, name, key, founder, spoken)
        case r.RoomDropped(room=room):
            yield "DELETE FROM rooms WHERE id = ?", (room,)
            for table in ("options", "topics", "roles", "invites", "bans"):
                yield f"DELETE FROM {table} WHERE room = ? AND room > 0", (room,)
            yield "INSERT OR REPLACE INTO expired VALUES (?, NULL)", (room,)  # its messages go bit by bit
        case r.RoomSet():
            yield "INSERT OR IGNORE INTO options (room, time, by) VALUES (?, 0, 0)", (record.room,)
            yield (
                "UPDATE options SET time = ?, by = ?, private = ifnull(?, private), moderated = ifnull(?, moderated),"
                " topic_locked = ifnull(?, topic_locked), retention = ifnull(?, retention),"
                " password = nullif(ifnull(?, password), '') WHERE room = ?",
                (
                    record.time, record.by, record.private, record.moderated, record.topic_locked, record.retention,
                    record.password, record.room,
                ),
            )  # fmt: skip
        case r.TopicSet(time=time, room=room, to=to, by=by, name=name, text=text):
            values = (room, seq, time, to, by, name, text)
            yield "INSERT OR REPLACE INTO topics VALUES (?, ?, ?, ?, ?, ?, ?)", values
            yield _change(seq, time, "topic", by, name, to, room=room, detail=text)
        case r.RoleSet(time=time, room=room, person=person, role=role, by=by):
            yield "INSERT OR REPLACE INTO roles VALUES (?, ?, ?, ?, ?)", (room, person, time, role.value, by)
        case r.InviteSet(time=time, room=room, person=person, by=by, active=True, by_password=by_password):
            yield (
                "INSERT OR REPLACE INTO invites SELECT ?, ?, ?, ?, ?"
                " WHERE ? IS NULL OR ? = (SELECT password FROM options WHERE room = ?)",
                (room, person, time, by, by_password, record.password, record.password, room),
            )
        case r.InviteSet(room=room, person=person):
            yield "DELETE FROM invites WHERE room = ? AND person = ?", (room, person)
        case r.BanSet():
            # Those that have ended: else a room could fill the disk with short ones.
            yield "DELETE FROM bans WHERE room = ? AND until <= ?", (record.room, record.time)
            yield (
                "INSERT OR REPLACE INTO bans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    seq, record.time, record.room, record.person, record.key, record.address, record.mute, record.by,
                    record.who, record.until, record.reason,
                ),
            )  # fmt: skip
        case r.BanLifted():
            yield (
                "DELETE FROM bans WHERE room = ? AND person = ? AND key = ? AND address = ? AND mute = ?",
                (record.room, record.person, record.key, record.address, record.mute),
            )
        case _:
            assert_never(record)


# --- messages -------------------------------------------------------------------------------------------------------


def _about_messages(seq: int, record: _Messages) -> Iterator[_Statement]:
    match record:
        case r.Pruned(room=room, before=before):
            yield (
                "INSERT INTO expired VALUES (?, ?) ON CONFLICT DO UPDATE SET before = max(before, excluded.before)",
                (room, before),
            )
        case r.PeopleForgotten(people=people, before=before):
            yield from forget_people(people, before)
        case r.MarkerSet(time=time, person=person, upto=upto, room=room, peer=peer):
            yield (
                "INSERT INTO markers (person, room, peer, time, upto) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET upto = excluded.upto, time = excluded.time WHERE excluded.upto > upto",
                (person, room, peer, time, upto),
            )
        case r.MessageEdited(time=time, target=target, text=text):
            edit = "UPDATE messages SET text = ?, edited = ? WHERE seq = ? AND deleted = 0"
            yield edit, (text, time, target)
            yield _change_of(seq, "edited", record, target=target)
        case r.MessagesDeleted(targets=targets):
            yield from _delete(targets)
            yield _change_of(seq, "deleted", record, detail=json.dumps(targets))
        case r.MessageReacted(target=target, reaction=reaction, remove=remove):
            if remove:
                off = "DELETE FROM reactions WHERE target = ? AND reaction = ? AND person = ?"
                yield off, (target, reaction, record.by)
            else:
                put = (
                    "INSERT OR IGNORE INTO reactions (target, reaction, person, name, seq) SELECT ?, ?, ?, ?, ?"
                    " FROM messages WHERE seq = ? AND deleted = 0"
                )
                yield put, (target, reaction, record.by, record.name, seq, target)
            yield _change_of(seq, "reacted", record, target=target, detail=reaction, remove=remove)
        case _:
            assert_never(record)


def _delete(targets: list[int]) -> Iterator[_Statement]:
    them = "IN (SELECT value FROM json_each(?))"
    values = (json.dumps(targets),)
    # A nonce stays: the same message sent again must not come back to life.
    yield f"UPDATE messages SET text = '', edited = NULL, deleted = 1 WHERE seq {them}", values
    yield f"DELETE FROM reactions WHERE target {them}", values
    yield f"DELETE FROM changes WHERE target {them}", values


def _change_of(
    seq: int, kind: str, change: r.Change, *, target: int | None = None, detail: str | None = None, remove: bool = False
) -> _Statement:
    return _change(
        seq, change.time, kind, change.by, change.name, change.to,
        room=change.room, author=change.author, peer=change.peer, target=target, detail=detail, remove=remove,
    )  # fmt: skip


def _change(
    seq: int, time: int, kind: str, by: int, name: str, to: str, *, room: int = 0, author: int = 0, peer: int = 0,
    target: int | None = None, detail: str | None = None, remove: bool = False,
) -> _Statement:  # fmt: skip
    values = (seq, time, kind, by, name, to, room, author, peer, target, detail, remove)
    if target is None:
        return "INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values
    # About a message that is gone there is nothing to tell: its deletion has been told, or will be.
    add = (
        "INSERT OR REPLACE INTO changes SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
        " WHERE EXISTS (SELECT 1 FROM messages WHERE seq = ? AND deleted = 0)"
    )
    return add, (*values, target)


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
