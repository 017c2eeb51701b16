"""How much had arrived at those who were online when the server died."""

import sqlite3

IN_DOUBT = 60_000
"""Milliseconds before a crash in which nobody was asked whether they are there: a message may not have arrived."""

IN_DOUBT_AT_MOST = 10_000
"""Messages that are looked at for that: some milliseconds of a start."""

_ARRIVED = f"""
SELECT max(iif(time < (SELECT max(time) FROM latest) - {IN_DOUBT}, seq, low))
FROM latest, (SELECT ifnull(min(seq), 1) - 1 AS low FROM latest)"""


def arrived(db: sqlite3.Connection) -> int | None:
    """The seq up to which messages surely arrived at whoever was online when the server died; None: there are none."""
    latest = f"WITH latest AS (SELECT seq, time FROM messages ORDER BY seq DESC LIMIT {IN_DOUBT_AT_MOST})"
    seq: int | None = db.execute(latest + _ARRIVED).fetchone()[0]
    return seq or None
