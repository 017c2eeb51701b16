"""The schema, as numbered steps. A database remembers in `user_version` how many it has taken.

Tables are a projection of the records: what is true now, by id. The text of a message stands in one place only, so that
what is deleted or edited is gone. To change the schema, add a step; a step that was released is never edited.
"""

import secrets
import sqlite3

from asyncchat.vocabulary.terms import normal_reaction

APPLICATION_ID = 0x41534348
"""Marks a file as ours (``ASCH``), in the SQLite header and for file(1)."""

EPOCH_BYTES = 12
"""Random bytes of an epoch: enough that no two databases share one."""

_FIRST = """
CREATE TABLE server (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL,
    last_seq INTEGER NOT NULL DEFAULT 0,    -- high-water mark; messages and changes may be above it
    indexed INTEGER NOT NULL DEFAULT 0,     -- messages up to this seq are in the search index
    folding TEXT NOT NULL DEFAULT '',       -- the way of folding that the index was made in
    purge INTEGER NOT NULL DEFAULT 0        -- words of removed messages are still in the index
);

CREATE TABLE people (
    id INTEGER PRIMARY KEY,                 -- the seq of their PersonCreated
    created INTEGER NOT NULL,
    touched INTEGER NOT NULL,               -- when the name was last taken or released
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    held INTEGER NOT NULL DEFAULT 1,        -- the name is theirs now
    registered INTEGER NOT NULL DEFAULT 0,
    administrator INTEGER NOT NULL DEFAULT 0,
    password TEXT,
    invitation TEXT,
    seen INTEGER
);
CREATE UNIQUE INDEX people_key ON people (key) WHERE held = 1;
CREATE TABLE tokens (
    token BLOB PRIMARY KEY,
    person INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tokens_person ON tokens (person);

CREATE TABLE rooms (
    id INTEGER PRIMARY KEY,                 -- the seq of its RoomCreated
    created INTEGER NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    founder INTEGER NOT NULL
);
CREATE TABLE options (
    room INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    by INTEGER NOT NULL,
    private INTEGER NOT NULL,
    moderated INTEGER NOT NULL,
    topic_locked INTEGER NOT NULL,
    retention INTEGER NOT NULL,
    password TEXT
);
CREATE TABLE topics (
    room INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    time INTEGER NOT NULL,
    "to" TEXT NOT NULL,
    by INTEGER NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE TABLE roles (
    room INTEGER NOT NULL,
    person INTEGER NOT NULL,
    time INTEGER NOT NULL,
    role TEXT NOT NULL,
    by INTEGER NOT NULL,
    PRIMARY KEY (room, person)
) WITHOUT ROWID;
CREATE TABLE invites (
    room INTEGER NOT NULL,
    person INTEGER NOT NULL,
    time INTEGER NOT NULL,
    by INTEGER NOT NULL,
    PRIMARY KEY (room, person)
) WITHOUT ROWID;
CREATE TABLE bans (
    seq INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    room INTEGER NOT NULL,                  -- 0: the whole server
    person INTEGER NOT NULL,
    key TEXT NOT NULL,
    address TEXT NOT NULL,
    mute INTEGER NOT NULL,
    by TEXT NOT NULL,
    who TEXT NOT NULL,
    until INTEGER,
    reason TEXT
);
CREATE UNIQUE INDEX bans_target ON bans (room, person, key, address, mute);
CREATE TABLE markers (
    person INTEGER NOT NULL,
    room INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    time INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    PRIMARY KEY (person, room, peer)
) WITHOUT ROWID;

CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    author INTEGER NOT NULL,
    name TEXT NOT NULL,                     -- the author's, then
    room INTEGER NOT NULL,                  -- 0: direct, to peer
    peer INTEGER NOT NULL,
    "to" TEXT NOT NULL,                     -- the room's or the peer's name, then
    text TEXT NOT NULL,
    kind TEXT NOT NULL,
    reply_to INTEGER,
    nonce TEXT,
    edited INTEGER,                         -- when, Unix ms
    deleted INTEGER NOT NULL DEFAULT 0
);
-- An index ends with the rowid, which is the seq: each of these is in order of seq within its key.
CREATE INDEX messages_room ON messages (room) WHERE room > 0;
CREATE INDEX messages_author ON messages (author) WHERE room = 0;
CREATE INDEX messages_peer ON messages (peer) WHERE room = 0;
CREATE INDEX messages_pair ON messages (min(author, peer), max(author, peer)) WHERE room = 0;
CREATE INDEX messages_nonce ON messages (author) WHERE nonce IS NOT NULL;

CREATE TABLE reactions (
    target INTEGER NOT NULL,
    reaction TEXT NOT NULL,
    person INTEGER NOT NULL,
    name TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (target, reaction, person)
) WITHOUT ROWID;

-- What happened to messages and rooms, for those who were away.
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,                     -- edited, deleted, reacted, topic
    by INTEGER NOT NULL,
    name TEXT NOT NULL,
    "to" TEXT NOT NULL,
    room INTEGER NOT NULL,
    author INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    target INTEGER,                         -- of edited and reacted; an edited text stands in the message
    detail TEXT,                            -- the reaction, the topic, or the targets as a JSON array
    remove INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX changes_room ON changes (room) WHERE room > 0;
CREATE INDEX changes_author ON changes (author) WHERE room = 0;
CREATE INDEX changes_peer ON changes (peer) WHERE room = 0;
CREATE INDEX changes_target ON changes (target) WHERE target IS NOT NULL;

-- The words of messages, and where they were said and by whom; no text. See search_index.py.
CREATE VIRTUAL TABLE search USING fts5 (text, tags, content = '', columnsize = 0, tokenize = 'ascii');
INSERT INTO search (search, rank) VALUES ('automerge', 0);  -- maintenance.py merges, in small steps
"""

_SECOND = """
ALTER TABLE rooms ADD COLUMN spoken INTEGER NOT NULL DEFAULT 0;        -- something was said that is kept no longer
ALTER TABLE invites ADD COLUMN by_password INTEGER NOT NULL DEFAULT 0; -- admitted by the room's password

-- An option that nobody has set has a default: a record names those that it changes.
ALTER TABLE options RENAME TO complete_options;
CREATE TABLE options (
    room INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    by INTEGER NOT NULL,
    private INTEGER NOT NULL DEFAULT 0,
    moderated INTEGER NOT NULL DEFAULT 0,
    topic_locked INTEGER NOT NULL DEFAULT 0,
    retention INTEGER NOT NULL DEFAULT 0,
    password TEXT
);
INSERT INTO options SELECT * FROM complete_options;
DROP TABLE complete_options;
"""

_THIRD = """
-- One reaction is one, however a keyboard writes it.
UPDATE OR IGNORE reactions SET reaction = normal_reaction(reaction) WHERE reaction <> normal_reaction(reaction);
DELETE FROM reactions WHERE reaction <> normal_reaction(reaction);

-- When the server was seen running last (Unix ms): a stop of days, or a clock that was set, shows by it.
ALTER TABLE server ADD COLUMN alive INTEGER NOT NULL DEFAULT 0;

-- By which clients know the server again, wherever it is: backups and exports keep it, as they do not keep the epoch.
ALTER TABLE server ADD COLUMN identity TEXT NOT NULL DEFAULT '';
UPDATE server SET identity = lower(hex(randomblob(12)));

-- The times of the messages in each stretch of the log, as far as it is indexed: a clock may have been wrong.
CREATE TABLE stretches (
    stretch INTEGER PRIMARY KEY,            -- seq / 1024
    earliest INTEGER NOT NULL,
    latest INTEGER NOT NULL
);
INSERT INTO stretches SELECT seq / 1024, min(time), max(time) FROM messages, server WHERE seq <= indexed GROUP BY 1;

-- Texts that the search index holds still, though they were edited or deleted: see search_index.py.
CREATE TABLE outdated (
    seq INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    author INTEGER NOT NULL,
    name TEXT NOT NULL,
    room INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    text TEXT NOT NULL
);

-- Up to which time messages of a room are to be deleted, of one that is no more all: see retention.py.
CREATE TABLE expired (
    room INTEGER PRIMARY KEY,
    before INTEGER                          -- Unix ms; NULL: all
);
"""

STEPS: tuple[str, ...] = (_FIRST, _SECOND, _THIRD)
"""The steps, in order; step *n* leads from version *n* to *n* + 1."""

VERSION = len(STEPS)
"""The version of the schema that this program writes."""


def version_of(db: sqlite3.Connection) -> int:
    """How many steps this database has taken."""
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def new_epoch() -> str:
    """An epoch that no other database has."""
    return secrets.token_hex(EPOCH_BYTES)


def migrate(db: sqlite3.Connection) -> None:
    """Take the steps that are missing, each in one transaction. The first one makes the epoch."""
    db.create_function("normal_reaction", 1, normal_reaction, deterministic=True)
    for version in range(version_of(db), VERSION):
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in _statements(STEPS[version]):
                db.execute(statement)
            if version == 0:
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute("INSERT INTO server (one, epoch) VALUES (1, ?)", (new_epoch(),))
            db.execute(f"PRAGMA user_version = {version + 1}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def _statements(script: str) -> list[str]:
    # executescript() would commit the transaction that a step runs in.
    statements: list[str] = []
    start = 0
    for end in (index + 1 for index, letter in enumerate(script) if letter == ";"):
        if sqlite3.complete_statement(script[start:end]):
            statements.append(script[start:end])
            start = end
    return statements
