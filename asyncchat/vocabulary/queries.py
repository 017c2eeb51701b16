"""Queries: what the rules ask of the storage, and the answers.

Rights are decided before a query is made: it names the rooms that the asker may see. Storage does not judge.
"""

from msgspec import Struct

from asyncchat.vocabulary.events import KeptEvent


class Place(Struct, frozen=True, gc=False):
    """A room (its id), or the conversation of two people (their ids, in any order)."""

    room: int = 0
    one: int = 0
    other: int = 0


class FindToken(Struct, frozen=True, gc=False):
    """Which person does the token with this SHA-256 belong to? Answer: `Person` or None."""

    token: bytes


class FindMessage(Struct, frozen=True, gc=False):
    """The message with this ``seq``, with the reactions of a ``person``. Answer: `StoredMessage` or None."""

    seq: int
    person: int = 0


class FindNonces(Struct, frozen=True, gc=False):
    """The last ``limit`` nonces of a person. Answer: a dict from nonce to ``seq``, oldest first."""

    person: int
    limit: int


class FindReading(Struct, frozen=True, gc=False):
    """How far a person has read, and up to where they have been sent everything. Answer: `Reading`."""

    person: int


class FindPage(Struct, frozen=True, gc=False):
    """Messages of one place: the last ``limit`` before ``before`` (default: the end), or the first after ``after``.

    Answer: `Page` of `Said`, oldest first, with edits and reactions applied.
    """

    place: Place
    limit: int
    before: int | None = None
    after: int | None = None


class FindSince(Struct, frozen=True, gc=False):
    """All kept events with ``after`` < seq ≤ ``until`` of these rooms and of the person's conversations.

    Answer: `Page`, oldest first, of at most ``limit`` events. ``direct`` false leaves the conversations out, an empty
    ``rooms`` the rooms.
    """

    person: int
    rooms: tuple[int, ...]
    after: int
    limit: int
    until: int | None = None
    direct: bool = True


class FindText(Struct, frozen=True, gc=False):
    """Messages that hold all words of ``text``, in these rooms and, if ``direct``, in the person's conversations.

    What has punctuation in it must stand there as it is typed; `StorageError` 400 if there is nothing but punctuation.
    ``place`` narrows to one of them, ``author`` to one person's, ``since`` and ``until`` to a time (Unix milliseconds),
    ``before`` to older ones (a ``seq``). ``seconds``: how long it may take (0: as long as it takes). Answer: `Page` of
    the newest ``limit`` hits, oldest first.
    """

    person: int
    rooms: tuple[int, ...]
    text: str
    limit: int
    direct: bool = True
    place: Place | None = None
    author: str | None = None
    since: int | None = None
    until: int | None = None
    before: int | None = None
    seconds: float = 0.0


class FindRecent(Struct, frozen=True, gc=False):
    """What ``author`` (a name, whatever its case) said in ``room`` since a time (Unix milliseconds).

    ``person``: and what this person said there, under whatever name. Answer: a list of ``seq``, oldest first, deleted
    messages left out.
    """

    room: int
    author: str
    since: int
    limit: int
    person: int = 0


class Person(Struct, frozen=True, gc=False):
    """A person as stored. ``password`` is an argon2id hash in PHC form."""

    id: int
    name: str
    key: str
    registered: bool
    administrator: bool = False
    password: str | None = None


class Reading(Struct, frozen=True, gc=False):
    """How far somebody is. ``markers``: the ``seq`` read up to, by the id of a room or of a peer.

    ``seen``: the ``seq`` up to which they had been sent everything when they went offline, if that is known.
    """

    markers: dict[int, int]
    seen: int | None = None


class StoredMessage(Struct, frozen=True, gc=False):
    """What the rules need to know of a message before it may be changed; ``time`` is Unix milliseconds.

    ``reactions``: the different ones that are on it, ``reacted``: how many there are of all people. ``own``: those of
    the person that the query named.
    """

    seq: int
    time: int
    author: int
    room: int
    peer: int
    to: str
    deleted: bool
    reactions: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    reacted: int = 0


class Page(Struct, frozen=True, gc=False):
    """Events, oldest first; ``complete``: there are no more in the direction asked for.

    ``next``: where the page ends (the highest ``seq`` looked at, or the lowest for a page that goes back).
    """

    events: list[KeptEvent]
    complete: bool
    next: int | None = None


class HashPassword(Struct, frozen=True, gc=False):
    """The argon2id hash of a password. Answer: str (PHC form). Answered by the server, off the loop."""

    password: str


class VerifyPassword(Struct, frozen=True, gc=False):
    """Does the password fit the hash? Answer: bool. Answered by the server, off the loop."""

    hash: str
    password: str


class Measure(Struct, frozen=True, gc=False):
    """The server in numbers. Answer: `events.Stats`. This and what follows is answered by the server."""


class SetLogLevel(Struct, frozen=True, gc=False):
    """Log from this level on (None: leave it). Answer: str, the level in force."""

    level: str | None


class ReloadSettings(Struct, frozen=True, gc=False):
    """Read the settings anew. Answer: str, what to say of it."""


class CopyDatabase(Struct, frozen=True, gc=False):
    """Copy the database to a new file. Answer: str, what to say of it."""

    path: str


class ShutDown(Struct, frozen=True, gc=False):
    """End the server after so many seconds; or (``cancel``) do not. Answer: str, what to say of it."""

    seconds: int
    cancel: bool


ServerQuery = Measure | SetLogLevel | ReloadSettings | CopyDatabase | ShutDown
StoreQuery = FindToken | FindMessage | FindNonces | FindReading | FindPage | FindSince | FindText | FindRecent
Query = StoreQuery | HashPassword | VerifyPassword | ServerQuery
