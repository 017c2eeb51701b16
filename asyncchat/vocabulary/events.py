"""Events and results: what a client is told. These Structs are the native protocol's server-to-client half.

An *event* happened; a *result* answers one command and carries its ``id``. ``seq`` is the place in the server's log:
a message's identity and everyone's cursor. Events without a ``seq`` are passing: they keep their place in the order but
are not kept.
"""

from datetime import datetime

from msgspec import Struct, field

from asyncchat.vocabulary.terms import Code, Id, Kind, Role, State, from_rfc3339


class Base(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="type", tag=str.lower):
    """What all events share."""


class Kept(Base, frozen=True, kw_only=True):
    """What all events share that the log keeps: their place in it, and their time (RFC 3339, UTC, milliseconds)."""

    seq: int
    time: str

    @property
    def when(self) -> datetime:
        """The event's time as an aware datetime."""
        return from_rfc3339(self.time)


# --- messages -------------------------------------------------------------------------------------------------------


class Said(Kept, frozen=True, kw_only=True):
    """A message, to a room or to a person.

    ``edited`` is the time of the last change of its text; ``deleted`` messages have an empty text. ``reactions`` (in
    pages of history only) tells for each reaction who put it.
    """

    sender: str = field(name="from")
    to: str
    text: str
    kind: Kind = "text"
    reply_to: int | None = None
    nonce: str | None = None
    edited: str | None = None
    deleted: bool = False
    reactions: dict[str, list[str]] | None = None


class Edited(Kept, frozen=True, kw_only=True):
    """The message ``target`` has another text."""

    sender: str = field(name="from")
    to: str
    target: int
    text: str


class Deleted(Kept, frozen=True, kw_only=True):
    """The messages ``targets`` are gone; ``sender`` deleted them."""

    sender: str = field(name="from")
    to: str
    targets: list[int]


class Reacted(Kept, frozen=True, kw_only=True):
    """A reaction on the message ``target``, put or taken off."""

    sender: str = field(name="from")
    to: str
    target: int
    reaction: str
    remove: bool = False


class ReadMarker(Base, frozen=True, kw_only=True, tag="read"):
    """A person has read up to ``seq``."""

    sender: str = field(name="from")
    to: str
    seq: int


class Typing(Base, frozen=True, kw_only=True):
    """A person is typing, or has stopped."""

    sender: str = field(name="from")
    to: str
    active: bool = True


class Joined(Base, frozen=True, kw_only=True):
    """A person entered a room."""

    name: str
    room: str
    role: Role = Role.MEMBER


class Left(Base, frozen=True, kw_only=True):
    """A person left a room."""

    name: str
    room: str
    reason: str | None = None


class Renamed(Base, frozen=True, kw_only=True):
    """A person has another name."""

    name: str
    to: str


class Presence(Base, frozen=True, kw_only=True):
    """A person is online, away (``text`` says why) or offline."""

    name: str
    state: State
    text: str | None = None


class TopicChanged(Kept, frozen=True, kw_only=True, tag="topic"):
    """A room has another topic."""

    sender: str = field(name="from")
    room: str
    text: str


class Invited(Base, frozen=True, kw_only=True):
    """``sender`` invites ``name`` into a room."""

    sender: str = field(name="from")
    name: str
    room: str


class Kicked(Base, frozen=True, kw_only=True):
    """A person was put out of a room."""

    sender: str = field(name="from")
    name: str
    room: str
    reason: str | None = None


class RoleChanged(Base, frozen=True, kw_only=True, tag="role"):
    """A person has another role in a room."""

    sender: str = field(name="from")
    name: str
    room: str
    role: Role


class Muted(Base, frozen=True, kw_only=True):
    """A person may not speak in a room until a time (RFC 3339; none: for ever); ``active`` false: may again."""

    sender: str = field(name="from")
    name: str
    room: str
    active: bool = True
    until: str | None = None
    reason: str | None = None


class RoomChanged(Base, frozen=True, kw_only=True, tag="set"):
    """A room's options as they are now. ``retention``: days, 0 is for ever; ``password``: it has one."""

    sender: str = field(name="from")
    room: str
    private: bool = False
    moderated: bool = False
    topic_locked: bool = False
    retention: int = 0
    password: bool = False


class Destroyed(Base, frozen=True, kw_only=True):
    """A room is no more, nor is what was said there; all who were in it are out of it."""

    sender: str = field(name="from")
    room: str
    reason: str | None = None


class Gap(Base, frozen=True, kw_only=True):
    """Events with ``after`` < seq ≤ ``until`` were not sent to this connection: fetch them with ``sync``."""

    after: int
    until: int


class Ping(Base, frozen=True, kw_only=True):
    """Answer with ``pong``: the server wants to know whether this client is still there."""


class Notice(Base, frozen=True, kw_only=True):
    """A word of the server's own to its people."""

    text: str


class Bye(Base, frozen=True, kw_only=True):
    """The server closes this connection. ``reconnect``: come back after so many seconds (0: at once), else do not."""

    code: Code = Code.UNAVAILABLE
    reason: str
    reconnect: float | None = None


Event = (
    Said | Edited | Deleted | Reacted | ReadMarker | Typing
    | Joined | Left | Renamed | Presence | TopicChanged | Invited | Kicked | RoleChanged | Muted | RoomChanged
    | Destroyed | Gap | Ping | Notice | Bye
)  # fmt: skip

KeptEvent = Said | Edited | Deleted | Reacted | TopicChanged
"""The events that pages of ``history``, ``sync`` and ``search`` are made of."""


# --- results --------------------------------------------------------------------------------------------------------


class Welcome(Base, frozen=True, kw_only=True):
    """The reply to ``hello``: who I am now, where the log stands, which rooms I am in, and the server's limits.

    ``identity``: by which a client knows the server again, at whatever address; None: an earlier server. It proves
    nothing, since anybody can repeat it.
    """

    id: Id | None = None
    code: Code
    name: str
    server: str
    version: str
    epoch: str
    identity: str | None = None
    seq: int
    time: str
    rooms: list[str]
    registered: bool = False
    administrator: bool = False
    token: str | None = None
    motd: str | None = None
    limits: dict[str, int | float]


class Ok(Base, frozen=True, kw_only=True):
    """Done; ``seq`` is the place of what was kept. Code 201: it was made now; 202: kept for somebody who is offline.

    ``text`` answers a question (a room's topic); ``token`` replaces the one that the client has.
    """

    id: Id | None = None
    code: Code
    seq: int | None = None
    text: str | None = None
    token: str | None = None


class Error(Base, frozen=True, kw_only=True):
    """A command was refused: ``text`` tells people why, ``code`` programs. ``wait``: seconds until it may succeed.

    ``identity``: that of `Welcome`, where a ``hello`` was refused.
    """

    id: Id | None = None
    code: Code
    text: str
    wait: float | None = None
    identity: str | None = None


class Room(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A line of the list of rooms. ``members``: how many; ``password``: it has one."""

    name: str
    members: int
    topic: str = ""
    private: bool = False
    moderated: bool = False
    password: bool = False


class RoomList(Base, frozen=True, kw_only=True, tag="rooms"):
    """The reply to ``rooms``: a page of them.

    Unless it is ``complete`` there are more: ask with its ``next`` as ``after``. So it is with `Members` and `BanList`.
    """

    id: Id | None = None
    rooms: list[Room]
    complete: bool = True
    next: int | None = None


class Member(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A line of the list of members. ``away``: why they are; ``read``: the ``seq`` up to which they have read."""

    name: str
    state: State
    role: Role | None = None
    registered: bool = False
    away: str | None = None
    read: int | None = None


class Members(Base, frozen=True, kw_only=True):
    """The reply to ``who``: a page of the members of ``room``, or of the people on the server."""

    id: Id | None = None
    room: str | None = None
    topic: str = ""
    members: list[Member]
    complete: bool = True
    next: int | None = None


class User(Base, frozen=True, kw_only=True):
    """The reply to ``whois``. ``rooms``: those you may see. ``idle``: seconds since they spoke; ``since``: RFC 3339."""

    id: Id | None = None
    name: str
    state: State
    registered: bool = False
    administrator: bool = False
    away: str | None = None
    rooms: list[str]
    sessions: int
    idle: int | None = None
    since: str | None = None
    address: str | None = None


class History(Base, frozen=True, kw_only=True):
    """A page of events, oldest first. ``complete``: there is nothing more in the direction asked for.

    When it is not complete, go on from ``next``: ``sync`` and ``history after`` take it as ``after``, ``history
    before`` and ``search`` as ``before``.
    """

    id: Id | None = None
    to: str | None = None
    events: list[KeptEvent]
    complete: bool
    next: int | None = None


class Ban(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A line of the list of bans; ``mute``: it only silences. ``until``: the time when it ends (RFC 3339), if ever."""

    who: str
    mute: bool = False
    until: str | None = None
    by: str = ""
    reason: str | None = None


class BanList(Base, frozen=True, kw_only=True, tag="bans"):
    """The reply to ``bans``: a page of them."""

    id: Id | None = None
    room: str | None = None
    bans: list[Ban]
    complete: bool = True
    next: int | None = None


class Account(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A line of the list of accounts. ``password``: there is one, and not only a token."""

    name: str
    password: bool = False
    administrator: bool = False


class AccountList(Base, frozen=True, kw_only=True, tag="accounts"):
    """The reply to ``accounts``, by name."""

    id: Id | None = None
    accounts: list[Account]


class Stats(Base, frozen=True, kw_only=True):
    """The reply to ``stats``. ``uptime``: seconds; ``memory``: bytes, where that is known; ``seq``: the log's end.

    ``people`` are online, ``registered`` have an account; ``listening``: the server's addresses.
    """

    id: Id | None = None
    version: str
    uptime: int
    memory: int | None = None
    connections: int
    sessions: int
    people: int
    registered: int
    rooms: int
    seq: int
    listening: list[str]


Result = Welcome | Ok | Error | RoomList | Members | User | History | BanList | AccountList | Stats
Told = Event | Result
"""Everything that a server sends."""
