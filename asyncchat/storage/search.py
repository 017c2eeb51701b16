"""Search: messages by their words, place, author and time, newest first, among those that the asker may see."""

import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from asyncchat.storage.pages import (
    LAST,
    PAGE_BYTES,
    cut,
    fewer,
    fitting,
    found_in,
    place_of,
    read_messages,
    read_page,
    size_of,
)
from asyncchat.storage.search_index import author_tag, person_tag, room_tag, times_of
from asyncchat.storage.threads import time_limit
from asyncchat.storage.tokenizer import Finder, literals, phrases, written
from asyncchat.vocabulary.errors import SearchTooCostly, StorageError
from asyncchat.vocabulary.events import Said
from asyncchat.vocabulary.queries import FindText, Page, Place
from asyncchat.vocabulary.terms import Code

SEARCH_CHARACTERS = 256
"""The longest text to search for: each of its words costs a walk through the index."""

TAIL = 100_000
"""Messages not indexed yet that a search looks through itself, a few tenths of a second; with more it is refused."""

TAIL_SLICE = 2_000
"""Of those, how many at a time: the search ends as soon as it has its page."""

EDITED_SLICE = 100
"""Of the messages that were edited, and are in the index as they were, how many are read at a time."""

_VISIBLE = """m.deleted = 0 AND m.seq < :before AND m.seq >= :first
    AND (m.room IN (SELECT value FROM json_each(:rooms)) OR m.room = 0 AND :person IN (m.author, m.peer))"""

_INDEXED = """
SELECT m.* FROM search CROSS JOIN messages AS m ON m.seq = search.rowid
WHERE search MATCH :match AND search.rowid < :before AND search.rowid >= :first
    AND search.rowid NOT IN (SELECT seq FROM outdated) AND {}
ORDER BY search.rowid DESC LIMIT :rows"""

_EDITED = """
SELECT m.* FROM outdated CROSS JOIN messages AS m ON m.seq = outdated.seq
WHERE m.seq > :after AND m.seq <= :until AND {} ORDER BY m.seq DESC LIMIT :rows"""

_TAIL = "SELECT m.* FROM messages AS m WHERE m.seq > :after AND m.seq <= :until AND {} ORDER BY m.seq DESC"


def find_text(db: sqlite3.Connection, query: FindText) -> Page:
    """The newest messages that fit.

    Raises `SearchTooCostly`, and `StorageError`: 400 for a text without a word, 503 while the index is far behind.
    """
    if len(query.text) > SEARCH_CHARACTERS:
        raise SearchTooCostly(f"a search has at most {SEARCH_CHARACTERS} characters")
    wanted = phrases(query.text)
    if not wanted and query.text.strip():
        raise StorageError("a search needs a word: punctuation alone cannot be looked for", Code.MALFORMED)
    with _deadline(db, query.seconds):
        return _find(db, query, wanted)


def _find(db: sqlite3.Connection, query: FindText, wanted: list[str]) -> Page:
    where, values = _conditions(db, query)
    if pieces := literals(query.text):
        # The deadline bounds how many texts with the same words are looked at.
        db.create_function("holds_pieces", 1, lambda text: all(map(written(text).__contains__, pieces)))
        where += f"{_hint(pieces, values)} AND holds_pieces(m.text)"
    page = _find_in_tail(db, query, wanted, where, dict(values))
    if page.complete:
        if query.since is not None or query.until is not None:
            first, behind = times_of(db, query.since, query.until)
            values["first"] = max(values["first"], first)
            values["before"] = min(values["before"], behind)
        values["match"] = _match(query, wanted)
        left = query.limit - len(page.events)
        indexed = read_page(db, found_in(_INDEXED.format(where)), values, left)
        older = _with_edited(db, _fits(query, wanted), where, values, indexed, left)
        page = Page([*page.events, *older.events], complete=older.complete, next=older.next or page.next)
    if (room := fitting(page.events)) < len(page.events):  # what was not indexed yet, and what was
        page = cut(page.events, room)
    page.events.reverse()
    return page


def _conditions(db: sqlite3.Connection, query: FindText) -> tuple[str, dict[str, Any]]:
    where = _VISIBLE
    values: dict[str, Any] = {
        "rooms": msgspec.json.encode(query.rooms).decode(),
        "person": query.person if query.direct else None,
        "before": query.before if query.before is not None else LAST,
        "first": 0,
    }
    if query.place is not None:
        placed, place_values = place_of(query.place)
        where += f" AND {placed}"
        values |= place_values
    if query.since is not None:
        where += " AND m.time >= :since"
        values["since"] = query.since
    if query.until is not None:
        where += " AND m.time <= :until_time"
        values["until_time"] = query.until
    return where, values


# --- in the index ---------------------------------------------------------------------------------------------------


def _match(query: FindText, wanted: list[str]) -> str:
    conditions = [f"text : ({' AND '.join(wanted)})"] if wanted else []
    conditions += [f"tags : ({tags})" for tags in _tags(query)]
    return " AND ".join(conditions)


def _tags(query: FindText) -> Iterator[str]:
    if query.author is not None:
        yield author_tag(query.author)
    if query.place is not None:
        yield _place_tags(query.place)
    else:
        # Whatever their number: else what others say where the asker may not read would be walked over first, which
        # takes time that tells of it. A room costs 25 µs.
        seen = [room_tag(room) for room in query.rooms]
        seen += [person_tag(query.person)] if query.direct else []
        yield " OR ".join(seen) or "none"


def _place_tags(place: Place) -> str:
    if place.room:
        return room_tag(place.room)
    return f"{person_tag(place.one)} AND {person_tag(place.other)}"


# --- in the index as they were --------------------------------------------------------------------------------------


def _with_edited(
    db: sqlite3.Connection,
    fits: Callable[[Said], bool],
    where: str,
    values: dict[str, Any],
    indexed: Page,
    limit: int,
) -> Page:
    """A page from the index, with the messages in it that were edited since: of them the index holds another text."""
    reaches = indexed.events[-1].seq - 1 if indexed.events and not indexed.complete else 0
    values = values | {"after": max(reaches, values["first"] - 1), "until": values["before"] - 1}
    statement = found_in(_EDITED.format(where))
    found = list[Said]()
    rows = EDITED_SLICE
    while len(found) <= limit:
        read = read_messages(db, statement, values | {"rows": rows})
        if read is None:
            rows = fewer(rows)
            continue
        if not read:
            break
        found += filter(fits, read)
        values["until"] = read[-1].seq - 1
    if not found:
        return indexed
    every = sorted([*indexed.events, *found], key=lambda event: event.seq, reverse=True)
    return cut(every, limit, more=not indexed.complete)


# --- not in the index yet -------------------------------------------------------------------------------------------


def _find_in_tail(
    db: sqlite3.Connection, query: FindText, wanted: list[str], where: str, values: dict[str, Any]
) -> Page:
    indexed, newest = db.execute("SELECT indexed, ifnull((SELECT max(seq) FROM messages), 0) FROM server").fetchone()
    after = max(indexed, values["first"] - 1)
    until = min(newest, values["before"] - 1)
    if until - after > TAIL:
        raise StorageError("the search index is being built: try again in a minute", Code.UNAVAILABLE)
    fits = _fits(query, wanted)
    words = (max(phrase.split('"')[1].split(), key=len) for phrase in wanted if phrase.isascii())
    statement = found_in(_TAIL.format(where + _hint(words, values)))
    found: list[Said] = []
    length = TAIL_SLICE
    while until > after and len(found) <= query.limit and size_of(found) <= PAGE_BYTES:
        values |= {"after": max(after, until - length), "until": until}
        read = read_messages(db, statement, values)
        if read is None:
            length = fewer(length)
            continue
        found += filter(fits, read)
        until = values["after"]
    return cut(found, query.limit, more=until > after)


def _fits(query: FindText, wanted: list[str]) -> Callable[[Said], bool]:
    finder = Finder(wanted)
    author = author_tag(query.author) if query.author is not None else None
    return lambda said: (author is None or author_tag(said.sender) == author) and finder(said.text)


def _hint(pieces: Iterable[str], values: dict[str, Any]) -> str:
    # SQLite tells quickly which texts in plain ASCII cannot fit, without the GIL; the others are looked at closely.
    hint = ""
    for piece in filter(str.isascii, pieces):
        # length() counts characters, and ends at a NUL: it differs from the bytes unless all is ASCII.
        hint += f" AND (instr(lower(m.text), :piece{len(values)}) OR length(m.text) <> length(CAST(m.text AS BLOB)))"
        values[f"piece{len(values)}"] = piece
    return hint


# --- limits ---------------------------------------------------------------------------------------------------------


@contextmanager
def _deadline(db: sqlite3.Connection, seconds: float) -> Iterator[None]:
    try:
        with time_limit(db, seconds or math.inf):
            yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        text = "this search looks at too much: narrow it to a room, a person or a time"
        raise SearchTooCostly(text) from None
