"""People: who they are, which name is whose, and who is waited for."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncchat.core.numbered_set import NumberedSet
from asyncchat.core.session import Session
from asyncchat.vocabulary.names import Name, look_alike_keys
from asyncchat.vocabulary.terms import State

if TYPE_CHECKING:
    from asyncchat.core.rooms import Room

DEPARTED = 10_000
"""Names that are remembered as those of guests who have left, so that a message to them is answered 410, not 404."""


class Person:
    """An identity: a name now, sessions now, rooms now. Its ``id`` stays, whatever the name.

    ``gone_at`` (Unix ms): since when there is no session; None while there is one. ``told_offline``: the rooms were
    told. ``seen``: the ``seq`` up to which they got everything when their last session ended; None while there is one.
    ``spoke_at`` (Unix ms): when they said something last. ``nonces``: the ``seq`` of the latest messages that had a
    nonce, or None while they have not been read from storage (``unremembered``: the ``seq`` of the last one then).
    ``markers``: the ``seq`` up to which a room, or the
    conversation with a person, is read, by the id of that room or person. ``as_guest``: the id below 0 that they had
    while the disk was full, or 0; it is their id as long as they are in `People.passing`.
    """

    __slots__ = (
        "administrator", "as_guest", "away", "gone_at", "id", "key", "markers", "name", "nonces", "password",
        "registered", "rooms", "seen", "sessions", "spoke_at", "told_offline", "unremembered",
    )  # fmt: skip

    def __init__(self, id: int, name: str, key: str) -> None:
        self.id = id
        self.name = name
        self.key = key
        self.registered = False
        self.administrator = False
        self.as_guest = 0
        self.password: str | None = None
        self.sessions: dict[Session, None] = {}
        self.rooms: dict[int, Room] = {}
        self.away: str | None = None
        self.gone_at: int | None = None
        self.told_offline = False
        self.seen: int | None = None
        self.spoke_at: int | None = None
        self.nonces: dict[str, int] | None = None
        self.unremembered = 0
        self.markers: dict[int, int] = {}

    @property
    def state(self) -> State:
        """Online, away or offline."""
        if not self.sessions:
            return State.OFFLINE
        return State.ONLINE if self.away is None else State.AWAY


@dataclass(slots=True)
class Unkept:
    """What will be kept of a guest of `People.passing`. ``tried``: the ``seq`` that the log had at the last try."""

    token: bytes | None
    tried: int


class People:
    """All people who are here, are waited for, or are registered; and the names that they hold.

    ``online``: those with a session. ``waiting``: those without one whose name or rooms are held, longest first.
    ``returned``: those who came online of whom the storage does not know it yet. ``reclaimed``: guests who were back
    before their name was released; in the storage it is free. ``longest_name``: characters of the longest name that
    was held. ``passing``: guests who came while the disk was full, and are not kept yet.
    """

    def __init__(self) -> None:
        self.by_id: dict[int, Person] = {}
        self.by_key: dict[str, Person] = {}
        self.online = NumberedSet[Person]()
        self.waiting: OrderedDict[Person, None] = OrderedDict()
        self.returned: dict[Person, None] = {}
        self.reclaimed: dict[Person, None] = {}
        self.longest_name = 0
        self.passing: dict[Person, Unkept] = {}
        self._last_passing = 0
        self._by_token: dict[bytes, Person] = {}  # those of `passing`
        self._by_look: dict[str, Person] = {}
        self._departed: OrderedDict[str, None] = OrderedDict()

    def __iter__(self) -> Iterator[Person]:
        return iter(self.by_id.values())

    def rival(self, name: Name, person: Person | None) -> Person | None:
        """Who else holds this name, or one that looks like it; None if it is free for *person*."""
        holder = self.by_key.get(name.key)
        if holder is not None and holder is not person:
            return holder
        looks = (self._by_look.get(look) for look in look_alike_keys(name))
        return next((other for other in looks if other is not None and other is not person), None)

    def departed(self, key: str) -> bool:
        """Did a guest have the name of this key lately?"""
        return key in self._departed

    def add(self, person: Person) -> None:
        """Take in a person with the name that they hold."""
        self.by_id[person.id] = person
        self._hold(person)

    def add_passing(self, name: str, key: str, token: bytes | None, seq: int) -> Person:
        """Take in a guest who cannot be kept, under an id of this run."""
        self._last_passing -= 1
        person = Person(self._last_passing, name, key)
        person.as_guest = person.id
        person.nonces = {}
        self.passing[person] = Unkept(token, seq)
        if token is not None:
            self._by_token[token] = person
        self.add(person)
        return person

    def keep(self, person: Person, id: int) -> None:
        """A guest of `passing` is kept from now on, under this id."""
        self._pass_no_more(person)
        del self.by_id[person.id]
        person.id = id
        self.by_id[id] = person

    def _pass_no_more(self, person: Person) -> None:
        unkept = self.passing.pop(person, None)
        if unkept is not None and unkept.token is not None:
            del self._by_token[unkept.token]

    def of_token(self, token: bytes) -> Person | None:
        """The guest of `passing` whom a token (its SHA-256) proves to be."""
        return self._by_token.get(token)

    def rename(self, person: Person, name: str, key: str) -> None:
        """Give a person another name; the old one is free."""
        self._free(person)
        person.name, person.key = name, key
        self._hold(person)

    def forget(self, person: Person) -> None:
        """A guest has gone: the name is free."""
        self._free(person)
        self.by_id.pop(person.id, None)
        self.waiting.pop(person, None)
        self._pass_no_more(person)
        self._departed[person.key] = None
        if len(self._departed) > DEPARTED:
            self._departed.popitem(last=False)

    def wait_for(self, person: Person, now: int) -> None:
        """A person has no session: hold their name and rooms for a while from now on."""
        person.gone_at = now
        self.waiting.pop(person, None)
        self.waiting[person] = None

    def _hold(self, person: Person) -> None:
        self.longest_name = max(self.longest_name, len(person.name))
        self.by_key[person.key] = person
        for look in look_alike_keys(Name(person.name, person.key)):
            self._by_look.setdefault(look, person)
        self._departed.pop(person.key, None)

    def _free(self, person: Person) -> None:
        if self.by_key.get(person.key) is person:
            del self.by_key[person.key]
        for look in look_alike_keys(Name(person.name, person.key)):
            if self._by_look.get(look) is person:
                del self._by_look[look]
