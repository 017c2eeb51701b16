"""From a time to a seq. Messages have no index by time: their order is nearly that of their seqs."""

import sqlite3

CLOCK_SLACK = 3_600_000
"""Milliseconds by which the clock may have been set back; so much more is looked at."""

IN_DOUBT = 60_000
"""Milliseconds before a crash in which nobody was asked whether they are there: a message may not have arrived."""

IN_DOUBT_AT_MOST = 10_000
"""Messages that are looked at for that: some milliseconds of a start."""

# Bisection in one statement: a statement for each step would give the GIL away each time.
_BEFORE = "ifnull((SELECT time FROM messages WHERE seq >= (low + high) / 2 ORDER BY seq LIMIT 1) < :time, 0)"
_FIRST_SINCE = f"""
WITH RECURSIVE span (low, high) AS (
    SELECT 1, ifnull((SELECT max(seq) FROM messages), 0) + 1
    UNION ALL
    SELECT iif({_BEFORE}, (low + high) / 2 + 1, low), iif({_BEFORE}, high, (low + high) / 2) FROM span WHERE low < high
)
SELECT low FROM span WHERE low = high"""


def first_since(db: sqlite3.Connection, time: int | None) -> int:
    """A lower bound, nearly tight, of the seqs of messages at or after *time* (Unix ms); 0 without a time."""
    if time is None:
        return 0
    seq: int = db.execute(_FIRST_SINCE, {"time": time - CLOCK_SLACK}).fetchone()[0]
    return seq


_ARRIVED = f"""
SELECT max(iif(time < (SELECT max(time) FROM latest) - {IN_DOUBT}, seq, low))
FROM latest, (SELECT ifnull(min(seq), 1) - 1 AS low FROM latest)"""


def arrived(db: sqlite3.Connection) -> int | None:
    """The seq up to which messages surely arrived at whoever was online when the server died; None: there are none."""
    latest = f"WITH latest AS (SELECT seq, time FROM messages ORDER BY seq DESC LIMIT {IN_DOUBT_AT_MOST})"
    seq: int | None = db.execute(latest + _ARRIVED).fetchone()[0]
    return seq or None
