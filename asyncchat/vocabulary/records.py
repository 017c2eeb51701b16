"""Records: the facts that the log puts in order. Applied in that order they are the whole state of the server.

A *kept* record is durable and gets a ``seq``; a *passing* one keeps its place in the order and is forgotten. Records
hold ids, not names: a person's id is the ``seq`` of the `PersonCreated` that made them, a room's that of its
`RoomCreated`; both stay when names change hands. ``time`` is Unix time in milliseconds.

`PersonCreated`, `NameTaken`, `Registered` and `RoomCreated` are *claims*: of two for a name the first in the log wins.
"""

from msgspec import Struct

from asyncchat.vocabulary.terms import Kind, Role

NOBODY = 0
"""The id of no person and no room: no record has the ``seq`` 0."""


class Kept(Struct, frozen=True, gc=False, kw_only=True, tag_field="record", omit_defaults=True):
    """A durable fact."""

    time: int


class Passing(Struct, frozen=True, gc=False, kw_only=True, tag_field="record", omit_defaults=True):
    """A fact that is told and forgotten."""

    time: int


# --- people (kept) --------------------------------------------------------------------------------------------------


class PersonCreated(Kept, frozen=True, kw_only=True):
    """A guest came under a free name. ``token``: SHA-256 of the token that proves to be this person, if any.

    ``was``: the id of the `GuestCame` that let them in while the disk was full, if any; they have this record's from
    now on.
    """

    name: str
    key: str
    token: bytes | None = None
    was: int = NOBODY


class NameTaken(Kept, frozen=True, kw_only=True):
    """A person took this name: a change of name, or a guest who comes back after the name was released."""

    person: int
    name: str
    key: str


class NameReleased(Kept, frozen=True, kw_only=True):
    """A guest has gone and the name is free; the person is still known by token."""

    person: int


class Registered(Kept, frozen=True, kw_only=True):
    """The person's name is theirs for good. ``password``: its argon2id hash in PHC form, or None: by token alone."""

    person: int
    name: str
    key: str
    password: str | None = None
    invitation: str | None = None


class PasswordSet(Kept, frozen=True, kw_only=True):
    """A registered person has another password (argon2id, PHC form). All tokens given before are void.

    ``keep_sessions``: sessions that logged in with what is void now go on; else they end, but for the one that asked
    (``session`` of ``node``).
    """

    person: int
    password: str
    keep_sessions: bool = False
    session: int = NOBODY
    node: str = ""


class TokenGiven(Kept, frozen=True, kw_only=True):
    """One more token (its SHA-256) proves to be this person."""

    person: int
    token: bytes


class AdministratorSet(Kept, frozen=True, kw_only=True):
    """A person has, or no longer has, the rights of an administrator of the server."""

    person: int
    active: bool = True


class Seen(Kept, frozen=True, kw_only=True):
    """A person went offline: what comes after ``upto`` they have not been sent. 0: they are online."""

    person: int
    upto: int


# --- rooms (kept) ---------------------------------------------------------------------------------------------------


class RoomCreated(Kept, frozen=True, kw_only=True):
    """A room exists from now on; ``founder`` (a person's id, or NOBODY) owns it.

    ``spoken``: something was said there already; so it stands in what storage gives back at a start.
    """

    name: str
    key: str
    founder: int = NOBODY
    spoken: bool = False


class RoomDropped(Kept, frozen=True, kw_only=True):
    """A room is no more, with all that was set and said in it.

    ``by``: the name of who removed it; empty for a room in which nothing was ever said, when it is empty.
    """

    room: int
    by: str = ""
    reason: str | None = None


class RoomSet(Kept, frozen=True, kw_only=True):
    """A room has other options; those that are None stay. ``password``: its argon2id hash, empty if it has none."""

    room: int
    by: int
    private: bool | None = None
    moderated: bool | None = None
    topic_locked: bool | None = None
    retention: int | None = None
    password: str | None = None


class TopicSet(Kept, frozen=True, kw_only=True):
    """A room's topic; ``by`` and ``name`` tell who set it, ``to`` is the room's name."""

    room: int
    to: str
    by: int
    name: str
    text: str


class RoleSet(Kept, frozen=True, kw_only=True):
    """A person's role in a room."""

    room: int
    person: int
    role: Role
    by: int = NOBODY


class InviteSet(Kept, frozen=True, kw_only=True):
    """A person may enter a room that not everybody may, or may no longer.

    ``by_password``: they have said the room's; else ``by`` lets them in. ``password``: the hash that what they said was
    checked against. If a fact that was ahead has put another one in its place, this one is void.
    """

    room: int
    person: int
    by: int
    active: bool = True
    by_password: bool = False
    password: str | None = None


class BanSet(Kept, frozen=True, kw_only=True):
    """Someone is kept out of a room, or muted in it (``mute``); ``room`` NOBODY: kept off the server.

    It is on a person (an id), a name (``key``) or an ``address`` (an IP address or network). A guest is banned by id
    and name: the one stays through a change of name, the other through a login without the token. ``who`` is what
    people call it. ``until``: Unix milliseconds, or None for ever.
    """

    room: int
    by: str
    who: str
    person: int = NOBODY
    key: str = ""
    address: str = ""
    mute: bool = False
    until: int | None = None
    reason: str | None = None


class BanLifted(Kept, frozen=True, kw_only=True):
    """The bans (or mutes) of this room on this person, key or address are no more."""

    room: int
    by: str
    person: int = NOBODY
    key: str = ""
    address: str = ""
    mute: bool = False


# --- messages (kept) ------------------------------------------------------------------------------------------------


class Message(Kept, frozen=True, kw_only=True):
    """Somebody said something: to a ``room``, or (``room`` NOBODY) to the person ``peer``.

    ``name`` is the author's name then, ``to`` the room's or the peer's.
    """

    author: int
    name: str
    to: str
    text: str
    room: int = NOBODY
    peer: int = NOBODY
    kind: Kind = "text"
    reply_to: int | None = None
    nonce: str | None = None


class Change(Kept, frozen=True, kw_only=True):
    """What all changes of messages in one room or conversation have in common: who made them, and where.

    ``room``; or, for direct messages, ``author`` and ``peer`` are the two people of the conversation. ``by`` and
    ``name`` tell who did it, ``to`` is the room's or the peer's name as in the message.
    """

    by: int
    name: str
    to: str
    room: int = NOBODY
    author: int = NOBODY
    peer: int = NOBODY


class MessageEdited(Change, frozen=True, kw_only=True):
    """The message ``target`` has another text."""

    target: int
    text: str


class MessagesDeleted(Change, frozen=True, kw_only=True):
    """The texts of the messages ``targets`` are gone."""

    targets: list[int]


class MessageReacted(Change, frozen=True, kw_only=True):
    """``name`` put ``reaction`` on the message ``target``, or took it off."""

    target: int
    reaction: str
    remove: bool = False


class Pruned(Kept, frozen=True, kw_only=True):
    """A room keeps its messages from before a time (Unix milliseconds) no longer."""

    room: int
    before: int


class PeopleForgotten(Kept, frozen=True, kw_only=True):
    """Guests who left before a time (Unix milliseconds) and never wrote are known no more, nor are their tokens."""

    people: list[int]
    before: int


class MarkerSet(Kept, frozen=True, kw_only=True):
    """A person has read a room, or the conversation with ``peer``, up to the message ``upto``."""

    person: int
    upto: int
    room: int = NOBODY
    peer: int = NOBODY


# --- passing --------------------------------------------------------------------------------------------------------


class SettingsApplied(Passing, frozen=True, kw_only=True):
    """What the operator set, as far as it decides what becomes of records.

    ``server``: the name under which the server itself does things; ``administrators``: the keys of registered names
    that have all rights.
    """

    server: str
    administrators: list[str]


class SessionOpened(Passing, frozen=True, kw_only=True):
    """One more session of a person: number ``session`` of a ``node`` (empty: the only one), from an IP ``address``.

    ``most``: sessions that a person may have, 0: any number.
    """

    person: int
    session: int
    node: str = ""
    address: str = ""
    most: int = 0


class NoncesRecalled(Passing, frozen=True, kw_only=True):
    """The latest nonces of a person with the ``seq`` of their messages, as storage had them at ``upto``."""

    person: int
    nonces: dict[str, int]
    upto: int


class ReadingRecalled(Passing, frozen=True, kw_only=True):
    """How far a guest who comes back had read (see `Person.markers`), and up to where they were sent everything."""

    person: int
    markers: dict[int, int]
    seen: int | None = None


class GuestCame(Passing, frozen=True, kw_only=True):
    """A guest came while the disk was full, and nobody new could be kept.

    ``person``: who it is, if they were known; else they are given an id below 0, which no kept record holds: a
    `PersonCreated` is kept before the first one that would.
    """

    name: str
    key: str
    person: int = NOBODY
    token: bytes | None = None


class PersonGone(Passing, frozen=True, kw_only=True):
    """A person who has no session is no longer waited for: they leave all rooms, unless they came back meanwhile.

    A guest's name is free with the `NameReleased` that follows; that of a guest who was never kept is at once.
    """

    person: int
    reason: str | None = None


class SessionClosed(Passing, frozen=True, kw_only=True):
    """One session less of a person; ``quit``: they said goodbye, and are not waited for if it was the last.

    ``received``: the ``seq`` up to which that session surely got everything; None: all that it was told.
    """

    person: int
    session: int
    node: str = ""
    quit: bool = False
    reason: str | None = None
    received: int | None = None


class PersonJoined(Passing, frozen=True, kw_only=True):
    """A person entered a room, by a session from this IP ``address`` (empty: none)."""

    person: int
    room: int
    address: str = ""


class PersonLeft(Passing, frozen=True, kw_only=True):
    """A person left a room.

    ``by``: the name of the one who put them out.
    """

    person: int
    room: int
    reason: str | None = None
    by: str | None = None


class PersonInvited(Passing, frozen=True, kw_only=True):
    """A person is told of a room by somebody who cannot let them in, if not everybody may enter."""

    person: int
    room: int
    by: int


class PresenceSet(Passing, frozen=True, kw_only=True):
    """A person is away (``away`` tells why) or back (None); ``offline``: has been without a session for a while."""

    person: int
    away: str | None = None
    offline: bool = False


class PersonTyping(Passing, frozen=True, kw_only=True):
    """A person is typing to a room or a person, or has stopped."""

    person: int
    to: str
    room: int = NOBODY
    peer: int = NOBODY
    active: bool = True


class Announced(Passing, frozen=True, kw_only=True):
    """A word of the server's to all, or to one person."""

    text: str
    person: int = NOBODY


class Barrier(Passing, frozen=True, kw_only=True):
    """Nothing: when it is applied, all that was appended before it has been applied, or has failed."""


KeptRecord = (
    PersonCreated | NameTaken | NameReleased | Registered | PasswordSet | TokenGiven | AdministratorSet | Seen
    | RoomCreated | RoomDropped | RoomSet | TopicSet | RoleSet | InviteSet | BanSet | BanLifted
    | Message | MessageEdited | MessagesDeleted | MessageReacted | MarkerSet | Pruned | PeopleForgotten
)  # fmt: skip
PassingRecord = (
    SettingsApplied | SessionOpened | SessionClosed | NoncesRecalled | ReadingRecalled
    | GuestCame | PersonGone | PersonJoined | PersonLeft | PersonInvited | PresenceSet | PersonTyping
    | Announced | Barrier
)  # fmt: skip
Record = KeptRecord | PassingRecord
