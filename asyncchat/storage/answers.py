"""Answers to queries: which function finds what."""

import sqlite3
from typing import Any, assert_never

import msgspec

from asyncchat.storage.pages import find_page, find_since
from asyncchat.storage.search import find_text
from asyncchat.storage.search_index import times_of
from asyncchat.vocabulary import queries as q
from asyncchat.vocabulary.names import name_key


def answer(db: sqlite3.Connection, query: q.StoreQuery) -> Any:
    """What *query* asks; its class says what the answer is."""
    if not isinstance(query, q.FindText | q.FindRecent):  # the others are one statement, or do not need to be
        return _find(db, query)
    db.execute("BEGIN")  # all reads of one answer see the same state
    try:
        return _find(db, query)
    finally:
        db.execute("ROLLBACK")


def _find(db: sqlite3.Connection, query: q.StoreQuery) -> Any:
    match query:
        case q.FindPage():
            return find_page(db, query)
        case q.FindSince():
            return find_since(db, query)
        case q.FindText():
            return find_text(db, query)
        case q.FindToken():
            return _find_token(db, query)
        case q.FindMessage():
            return _find_message(db, query)
        case q.FindNonces():
            return _find_nonces(db, query)
        case q.FindReading():
            return _find_reading(db, query)
        case q.FindRecent():
            return _find_recent(db, query)
        case _:
            assert_never(query)


def _find_token(db: sqlite3.Connection, query: q.FindToken) -> q.Person | None:
    row = db.execute(
        "SELECT id, name, key, registered, administrator, password FROM tokens JOIN people ON id = person"
        " WHERE token = ?",
        (query.token,),
    ).fetchone()
    if row is None:
        return None
    id, name, key, registered, administrator, password = row
    return q.Person(id, name, key, bool(registered), bool(administrator), password)


_MESSAGE = """
SELECT seq, time, author, room, peer, "to", deleted,
    (SELECT json_group_array(reaction) FROM (SELECT DISTINCT reaction FROM reactions WHERE target = messages.seq)),
    (SELECT json_group_array(reaction) FROM reactions WHERE target = messages.seq AND person = :person),
    (SELECT count(*) FROM reactions WHERE target = messages.seq)
FROM messages WHERE seq = :seq"""

_names = msgspec.json.Decoder(list[str])


def _find_message(db: sqlite3.Connection, query: q.FindMessage) -> q.StoredMessage | None:
    row = db.execute(_MESSAGE, {"seq": query.seq, "person": query.person}).fetchone()
    if row is None:
        return None
    seq, time, author, room, peer, to, deleted, *reactions, reacted = row
    every, own = (frozenset(_names.decode(names)) for names in reactions)
    return q.StoredMessage(seq, time, author, room, peer, to, bool(deleted), every, own, reacted)


_NONCES = """
SELECT json_group_array(json_array(nonce, seq)) FROM (
    SELECT nonce, seq FROM messages WHERE author = ? AND nonce IS NOT NULL ORDER BY seq DESC LIMIT ?)"""

_pairs = msgspec.json.Decoder(list[tuple[str, int]])


def _find_nonces(db: sqlite3.Connection, query: q.FindNonces) -> dict[str, int]:
    newest_first = _pairs.decode(db.execute(_NONCES, (query.person, query.limit)).fetchone()[0])
    return dict(reversed(newest_first))


_READING = """
SELECT (SELECT json_group_array(json_array(max(room, peer), upto)) FROM markers WHERE person = :person),
    (SELECT nullif(seen, 0) FROM people WHERE id = :person)"""

_markers = msgspec.json.Decoder(list[tuple[int, int]])


def _find_reading(db: sqlite3.Connection, query: q.FindReading) -> q.Reading:
    markers, seen = db.execute(_READING, {"person": query.person}).fetchone()
    return q.Reading(dict(_markers.decode(markers)), seen)


_RECENT = """FROM messages WHERE room = :room AND room > 0 AND seq >= :first AND time >= :since AND deleted = 0"""

_NAMES = f"SELECT json_group_array(name) FROM (SELECT DISTINCT name {_RECENT})"

_BY_NAMES = f"""
SELECT json_group_array(seq) FROM (
    SELECT seq {_RECENT} AND (name IN (SELECT value FROM json_each(:names)) OR author = nullif(:person, 0))
    ORDER BY seq DESC LIMIT :limit)"""

_seqs = msgspec.json.Decoder(list[int])


def _find_recent(db: sqlite3.Connection, query: q.FindRecent) -> list[int]:
    values: dict[str, Any] = {
        "room": query.room,
        "since": query.since,
        "first": times_of(db, query.since, None)[0],
        "limit": query.limit,
        "person": query.person,
    }
    wanted = name_key(query.author)
    spoke = _names.decode(db.execute(_NAMES, values).fetchone()[0])
    values["names"] = msgspec.json.encode([name for name in spoke if name_key(name) == wanted]).decode()
    return sorted(_seqs.decode(db.execute(_BY_NAMES, values).fetchone()[0]))
