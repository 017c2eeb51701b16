"""Start-up: the records that make the chat's state, few, however many messages there are."""

import sqlite3
from collections.abc import Iterator

from asyncchat.vocabulary import records as r
from asyncchat.vocabulary.records import KeptRecord
from asyncchat.vocabulary.terms import Role

Placed = tuple[int, KeptRecord]
"""A record with its seq, or with 0 where nothing goes by it: only a person's, a room's and a topic's mean something."""


DEPARTED = 10_000
"""Guests whose name is released that are loaded, the latest: so many the rules remember, to say that they have left."""


def load(db: sqlite3.Connection, *, now: int = 0, everyone: bool = False) -> Iterator[Placed]:
    """Records that make people, rooms and all that is set, when they are applied in this order. No messages.

    Bans that end before *now* (Unix ms) are left out; so are, unless *everyone*, guests who left long ago. Roles,
    invitations and markers may name such guests: they come back by token and are who they were.
    """
    yield from _people(db, everyone)
    yield from _rooms(db)
    yield from _rights(db, now)
    for person, room, peer, time, upto in db.execute("SELECT person, room, peer, time, upto FROM markers").fetchall():
        yield 0, r.MarkerSet(time=time, person=person, upto=upto, room=room, peer=peer)


def _people(db: sqlite3.Connection, everyone: bool) -> Iterator[Placed]:
    departed = "SELECT id FROM people WHERE held = 0 ORDER BY touched DESC, id DESC LIMIT ?"
    rows = db.execute(
        "SELECT id, created, touched, name, key, held, registered, administrator, password, invitation, seen"
        f" FROM people WHERE held = 1 OR id IN ({departed}) ORDER BY held, iif(held, 0, touched), id",
        (-1 if everyone else DEPARTED,),
    ).fetchall()
    for id, created, touched, name, key, held, registered, administrator, password, invitation, seen in rows:
        yield id, r.PersonCreated(time=created, name=name, key=key)
        if registered:
            yield (
                0,
                r.Registered(time=touched, person=id, name=name, key=key, password=password, invitation=invitation),
            )
        if administrator:
            yield 0, r.AdministratorSet(time=touched, person=id)
        if seen is not None:
            yield 0, r.Seen(time=touched, person=id, upto=seen)
        if not held:
            yield 0, r.NameReleased(time=touched, person=id)


def _rooms(db: sqlite3.Connection) -> Iterator[Placed]:
    spoken = "spoken OR EXISTS (SELECT 1 FROM messages WHERE room = rooms.id AND room > 0)"
    for id, created, name, key, founder, any_said in db.execute(
        f"SELECT id, created, name, key, founder, {spoken} FROM rooms ORDER BY id"
    ).fetchall():
        yield id, r.RoomCreated(time=created, name=name, key=key, founder=founder, spoken=bool(any_said))
    for room, time, by, private, moderated, locked, retention, password in db.execute(
        "SELECT * FROM options"
    ).fetchall():
        yield (
            0,
            r.RoomSet(
                time=time, room=room, by=by, private=bool(private), moderated=bool(moderated),
                topic_locked=bool(locked), retention=retention, password=password,
            ),
        )  # fmt: skip
    for room, seq, time, to, by, name, text in db.execute("SELECT * FROM topics").fetchall():
        yield seq, r.TopicSet(time=time, room=room, to=to, by=by, name=name, text=text)


def _rights(db: sqlite3.Connection, now: int) -> Iterator[Placed]:
    for room, person, time, role, by in db.execute("SELECT * FROM roles ORDER BY time").fetchall():
        yield 0, r.RoleSet(time=time, room=room, person=person, role=Role(role), by=by)
    for room, person, time, by, by_password in db.execute("SELECT * FROM invites").fetchall():
        yield 0, r.InviteSet(time=time, room=room, person=person, by=by, by_password=bool(by_password))
    bans = db.execute("SELECT * FROM bans WHERE until IS NULL OR until > ? ORDER BY seq", (now,))
    for seq, time, room, person, key, address, mute, by, who, until, reason in bans.fetchall():
        yield (
            seq,
            r.BanSet(
                time=time, room=room, by=by, who=who, person=person, key=key, address=address, mute=bool(mute),
                until=until, reason=reason,
            ),
        )  # fmt: skip


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
