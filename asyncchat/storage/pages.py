"""Pages of events: history of one place, and all that a person may see since a seq.

SQLite makes the events, as JSON, and gives a page as *one* row. Each row would be a step, and each step gives the GIL
away and has to win it back from a busy loop, up to 5 ms each time: pages row by row would take seconds then. And events
made in Python keep the GIL from the loop: 1,000 of them for 4 ms, decoded at once for half a millisecond.
"""

import sqlite3
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import msgspec

from asyncchat.vocabulary.events import KeptEvent, Said
from asyncchat.vocabulary.queries import FindPage, FindSince, Page, Place

LAST = 2**63 - 1
"""Above every seq: the highest integer that SQLite holds."""

PAGE_BYTES = 524_288
"""Bytes (JSON) of a page, however many messages were asked for: 1,000 of the longest would be 16 MB, six times that
where JSON escapes each character, and 200 with all the reactions that they may have 7 MB. The loop would stand still
for a tenth of a second, and a client that does not read would hold it all. 1,000 short messages have some 300,000."""

FEWER = 4
"""Of messages that are too much for a page, how many times fewer are tried next."""


def _time(column: str) -> str:
    # As `terms.rfc3339` writes it.
    return f"strftime('%Y-%m-%dT%H:%M:%S', {column} / 1000, 'unixepoch') || printf('.%03dZ', {column} % 1000)"


_MESSAGE = f"""'type', 'said', 'seq', m.seq, 'time', {_time("m.time")}, 'from', m.name, 'to', m."to", 'text', m.text,
    'kind', m.kind, 'reply_to', m.reply_to, 'nonce', m.nonce, 'edited', {_time("m.edited")},
    'deleted', json(iif(m.deleted, 'true', 'false'))"""

# LIMIT -1 limits nothing, but makes SQLite keep the order of a subquery.
_REACTIONS = """(SELECT json_group_object(reaction, (
        SELECT json_group_array(name) FROM (
            SELECT name FROM reactions WHERE target = m.seq AND reaction = first.reaction ORDER BY seq LIMIT -1)))
    FROM (SELECT reaction FROM reactions WHERE target = m.seq GROUP BY reaction ORDER BY min(seq) LIMIT -1) AS first)"""

SAID = f"json_object({_MESSAGE})"
"""A row of messages AS m as the JSON of a `Said`, without reactions."""

SAID_WITH_REACTIONS = f"json_object({_MESSAGE}, 'reactions', json(nullif({_REACTIONS}, '{{}}')))"
"""The same, with reactions."""

_encode = msgspec.json.Encoder().encode
_said = msgspec.json.Decoder(list[Said])
_events = msgspec.json.Decoder(list[KeptEvent])


def bounded(event: str) -> str:
    """The JSON array (bytes) of such events, or NULL when several of them have more than ``:most`` bytes."""
    array = f"CAST(json_group_array({event}) AS BLOB)"  # SQLite makes it once, however often it is named
    return f"iif(count(*) <= 1 OR length({array}) <= :most, {array}, NULL)"


def found_in(rows: str) -> str:
    """The statement for `read_messages` of these rows of messages."""
    return f"SELECT {bounded(SAID_WITH_REACTIONS)} FROM ({rows}) AS m"


def read_messages(db: sqlite3.Connection, statement: str, values: dict[str, Any]) -> list[Said] | None:
    """The messages of a `found_in` statement; None: they are too much for one page."""
    (said,) = db.execute(statement, values | {"most": PAGE_BYTES}).fetchone()
    return _said.decode(said) if said is not None else None


def read_page(db: sqlite3.Connection, statement: str, values: dict[str, Any], limit: int) -> Page:
    """The page of a `found_in` statement that takes ``:rows``."""
    rows = limit + 1  # one more tells whether there is more
    while (found := read_messages(db, statement, values | {"rows": rows})) is None:
        rows = fewer(rows)
    return cut(found, min(rows, limit), more=rows <= limit)


def fewer(rows: int) -> int:
    """So many are tried when these were too much for a page; a single one never is."""
    return max(rows // FEWER, 1)


def cut(events: Sequence[KeptEvent], limit: int, *, more: bool = False) -> Page:
    """The page of the first *limit* of these events; *more*: there are others behind them."""
    page = list(events[:limit])
    return Page(page, complete=len(events) <= limit and not more, next=page[-1].seq if page else None)


def size_of(events: Sequence[KeptEvent]) -> int:
    """Bytes of events in JSON, as clients get them: less than SQLite's, which names what is null."""
    return len(_encode(events))


def fitting(events: Sequence[KeptEvent]) -> int:
    """How many of these events, the first ones, a page has room for; one at least."""
    if size_of(events) <= PAGE_BYTES:
        return len(events)
    sizes = accumulate(len(_encode(event)) + 1 for event in events)
    return max(sum(size <= PAGE_BYTES for size in sizes), 1)


# --- one place ------------------------------------------------------------------------------------------------------

_PAGE = """
SELECT * FROM messages AS m WHERE {place} AND m.seq > :after AND m.seq < :before ORDER BY m.seq {order} LIMIT :rows"""

_IN_ROOM = "m.room = :room AND m.room > 0"
_IN_PAIR = "min(m.author, m.peer) = :low AND max(m.author, m.peer) = :high AND m.room = 0"


def place_of(place: Place) -> tuple[str, dict[str, Any]]:
    """The condition on messages AS m that they are of this place, and its values."""
    if place.room:
        return _IN_ROOM, {"room": place.room}
    return _IN_PAIR, {"low": min(place.one, place.other), "high": max(place.one, place.other)}


def find_page(db: sqlite3.Connection, query: FindPage) -> Page:
    """Messages of one place, back from ``before`` or on from ``after``."""
    where, values = place_of(query.place)
    onward = query.after is not None
    statement = found_in(_PAGE.format(place=where, order="ASC" if onward else "DESC"))
    values |= {
        "after": query.after if query.after is not None else 0,
        "before": query.before if query.before is not None else LAST,
    }
    page = read_page(db, statement, values, query.limit)
    if not onward:
        page.events.reverse()
    return page


# --- everything since -----------------------------------------------------------------------------------------------


# Each event takes from it the fields that it has. The text of an edited message is the one that it has now.
_TEXT = "iif(c.kind = 'edited', (SELECT text FROM messages WHERE seq = c.target), c.detail)"
_CHANGED = f"""json_object('type', c.kind, 'seq', c.seq, 'time', {_time("c.time")}, 'from', c.name,
    'to', c."to", 'room', c."to", 'target', c.target, 'targets', json(iif(c.kind = 'deleted', c.detail, 'null')),
    'reaction', c.detail, 'remove', json(iif(c.remove, 'true', 'false')),
    'text', {_TEXT})"""

# The first rows of every room and of the person's conversations, each from its own index: what others say elsewhere
# costs nothing. Of these the first rows are the answer.
_SINCE = """
(SELECT {events} FROM (
    SELECT * FROM {table} WHERE seq IN (
        SELECT {table}.seq FROM json_each(:rooms) AS asked JOIN {table} ON {table}.seq IN (
            SELECT seq FROM {table} WHERE room = asked.value AND room > 0 AND seq > :after AND seq <= :until
            ORDER BY seq LIMIT :rows)
        UNION ALL
        SELECT * FROM (SELECT seq FROM {table} WHERE author = :person AND room = 0 AND seq > :after AND seq <= :until
            ORDER BY seq LIMIT :rows)
        UNION ALL
        SELECT * FROM (SELECT seq FROM {table} WHERE peer = :person AND room = 0 AND seq > :after AND seq <= :until
            ORDER BY seq LIMIT :rows)
    ) ORDER BY seq LIMIT :rows
) AS {alias})"""

_ALL_SINCE = f"""SELECT
{_SINCE.format(events=bounded(SAID), table="messages", alias="m")},
{_SINCE.format(events=bounded(_CHANGED), table="changes", alias="c")},
max(ifnull((SELECT max(seq) FROM messages), 0), ifnull((SELECT max(seq) FROM changes), 0))"""

WIDER = range(2, 9)
"""How many times longer a stretch of the log may be than the one before, which held too little."""


def find_since(db: sqlite3.Connection, query: FindSince) -> Page:
    """All that a person may see after a seq, in the order of the log.

    The log is gone through in stretches, the first as long as the page, the next as long as the first one lets expect.
    That bounds the rows that are looked at: for 1,000 events of 50 busy rooms it takes 10 ms, at once it took 90. What
    happens between two stretches is in the log's later part, and is told there.
    """
    end = min(query.until, LAST) if query.until is not None else LAST
    values = {
        "rooms": msgspec.json.encode(query.rooms).decode(),
        "person": query.person if query.direct else None,
    }
    found: list[KeptEvent] = []
    after, length, rows, size = query.after, query.limit + 1, query.limit + 1, 0
    while after < end and rows > len(found):
        until, missing = min(after + length, end), rows - len(found)
        values |= {"after": after, "until": until, "rows": missing, "most": PAGE_BYTES - size}
        stretch, stretch_size, last = _stretch(db, values)
        if stretch is None:
            if found:
                return cut(found, query.limit, more=True)
            rows = fewer(rows)
            continue
        found += stretch
        size += stretch_size
        after, end = until, min(end, last)
        wider = missing // len(stretch) + 1 if stretch else WIDER[-1]
        length *= min(max(wider, WIDER[0]), WIDER[-1])
    return cut(found, min(rows, query.limit), more=rows <= query.limit)


def _stretch(db: sqlite3.Connection, values: dict[str, Any]) -> tuple[list[KeptEvent] | None, int, int]:
    """The events of a stretch of the log (None: they are too much for a page), their bytes, and the last seq of all."""
    said_there, changed_there, last = db.execute(_ALL_SINCE, values).fetchone()
    if said_there is None or changed_there is None:
        return None, 0, last
    size = len(said_there) + len(changed_there) - len(b"[][]")
    if size > values["most"] and values["rows"] > 1:
        return None, 0, last
    events = _events.decode(said_there)
    changes = _events.decode(changed_there)
    if changes:
        events += changes
        events.sort(key=lambda event: event.seq)
    return events, size, last
