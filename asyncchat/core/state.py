"""The state that the rules work on: people, rooms, bans, and what the operator set."""

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

from msgspec import structs

from asyncchat.core.bans import Bans
from asyncchat.core.in_flight import InFlight
from asyncchat.core.people import People, Person
from asyncchat.core.quotas import Failures, Quotas
from asyncchat.core.rooms import Room, Rooms
from asyncchat.core.session import Session
from asyncchat.core.settings import Settings
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.names import (
    BadName,
    Name,
    RoomName,
    look_alike_keys,
    parse_room_name,
    parse_user_name,
)
from asyncchat.vocabulary.records import NOBODY
from asyncchat.vocabulary.terms import Code

ECHOED = 80
"""Characters of what somebody typed that an error gives back."""


class ChatState:
    """Everything that the rules know. ``seq``: the last one applied. ``epoch``: which database this is.

    The log's records make people, rooms, bans, sessions (those of other nodes: ``elsewhere``, by node and number),
    used invitations, the server's name and who are ``administrators`` by the settings. What else is here belongs to
    this process: its settings, what is in flight, and what it counts by address.

    ``identity``: by which clients know this server again, also after a backup was put back. ``new_token`` makes 256
    random bits as text. ``no_password``: a hash that no password fits.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        epoch: str,
        identity: str,
        new_token: Callable[[], str],
        no_password: str = "",
    ) -> None:
        self.wrong_passwords = Failures(0)
        self.foundings, self.registrations = Quotas(), Quotas()
        self.settings = settings
        self.epoch = epoch
        self.identity = identity
        self.new_token = new_token
        self.no_password = no_password
        self.seq = 0
        self.people = People()
        self.rooms = Rooms()
        self.bans = Bans()
        self.in_flight = InFlight()
        self.sessions: dict[Session, None] = {}
        self.elsewhere: dict[tuple[str, int], Session] = {}
        self.server_name = settings.name
        self.administrators = frozenset[str]()
        self.used_invitations: set[str] = set()

    @property
    def settings(self) -> Settings:
        """What the operator set; a reload replaces it whole."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings
        limits = self.limits = settings.limits
        self.limits_told: dict[str, int | float] = structs.asdict(limits)
        administrators = [parse_user_name(name, 0) for name in settings.administrators]
        self.administrators_set = frozenset(name.key for name in administrators)
        self._administrators_looks = frozenset[str]().union(*map(look_alike_keys, administrators))
        self.default_room = parse_room_name(settings.default_room, 0)
        self._own_looks = _looks(settings.name)
        self.wrong_passwords.free = limits.wrong_passwords

    @property
    def _longest_name(self) -> int:
        """Characters of the longest name worth a look: those taken under other limits must be found still."""
        return max(self.limits.name, self.people.longest_name) if self.limits.name else 0

    @property
    def _longest_room_name(self) -> int:
        return max(self.limits.room_name, self.rooms.longest_name) if self.limits.room_name else 0

    # --- names ------------------------------------------------------------------------------------------------------

    def user_name(self, text: str) -> Name:
        """Parse a person's name that may be new; raises `Refused` 400.

        One that somebody has already may be longer than today's limit: nobody is locked out by a lower one.
        """
        try:
            return parse_user_name(text, limit=self.limits.name)
        except BadName as error:
            refused = Refused(Code.MALFORMED, str(error))
        name = self.any_user_name(text)
        if name.key not in self.people.by_key:
            raise refused
        return name

    def any_user_name(self, text: str) -> Name:
        """Parse a name that somebody has or had, under whatever limit; raises `Refused` 400."""
        try:
            return parse_user_name(text, limit=self._longest_name)
        except BadName as error:
            raise Refused(Code.MALFORMED, str(error)) from None

    def room_name(self, text: str) -> RoomName:
        """Parse the name of a room that may be new; raises `Refused` 400."""
        try:
            return parse_room_name(text, limit=self.limits.room_name)
        except BadName as error:
            raise Refused(Code.MALFORMED, str(error)) from None

    def looks_like_an_administrator(self, name: Name) -> bool:
        """Does this look like a name that makes an administrator?"""
        return not self._administrators_looks.isdisjoint(look_alike_keys(name))

    def rival(self, name: Name, person: Person | None) -> Person | None:
        """Who keeps *person* (None: somebody new) from taking a name; None if it is free.

        A look-alike keeps nobody from a name that the settings reserve for an administrator, whoever was first.
        """
        rival = self.people.rival(name, person)
        if rival is not None and rival.key != name.key and name.key in self.administrators_set:
            return None
        return rival

    def speaks_for_itself(self, name: Name) -> bool:
        """Is this, or does it look like, the server's own name, under which it tells people what it did?"""
        return not self._own_looks.isdisjoint(look_alike_keys(name))

    def person(self, text: str) -> Person:
        """Who holds this name; raises `Refused` 404, or 410 for a guest who has left."""
        try:
            key = parse_user_name(text, self._longest_name).key
        except BadName:
            raise Refused(Code.NOT_FOUND, f"no such user: {echoed(text)}") from None
        person = self.people.by_key.get(key)
        if person is not None:
            return person
        if self.people.departed(key):
            raise Refused(Code.GONE, f"{echoed(text)} has left")
        raise Refused(Code.NOT_FOUND, f"no such user: {echoed(text)}")

    def room(self, text: str) -> Room:
        """The room of this name, whoever asks; raises `Refused` 404. Rights are `permissions.visible_room`'s."""
        room = self.rooms.by_key.get(text)  # most are typed as their keys are, and a key is its own
        if room is not None:
            return room
        with suppress(BadName):
            room = self.rooms.by_key.get(parse_room_name(text, self._longest_room_name).key)
        if room is None:
            raise no_such_room(text)
        return room

    # --- what is asked everywhere -----------------------------------------------------------------------------------

    def is_administrator(self, person: Person) -> bool:
        """May this person do everything? Only a registered name can; a guest may borrow any."""
        return person.registered and (person.administrator or person.key in self.administrators)

    def is_owned(self, room: Room, *, besides: int = NOBODY) -> bool:
        """Has the room an owner, *besides* this one (an id), who is no guest that has gone?"""
        return any(owner in self.people.by_id for owner in room.owners if owner != besides)

    def check_text(self, text: str) -> None:
        """Raise `Refused` for a message's text that is empty or too long."""
        if not text or text.isspace():
            raise Refused(Code.MALFORMED, "an empty message")
        limit = self.limits.text
        # A character is 4 bytes at most: short texts, nearly all, need no encoding to be known as short.
        if limit and len(text) * 4 > limit and len(text.encode()) > limit:
            raise Refused(Code.TOO_LONG, f"a message has at most {limit} bytes")

    def check_line(self, text: str | None, what: str) -> str | None:
        """Raise `Refused` for a topic, a reason or the like that is too long; gives it back in one line."""
        if text is None:
            return None
        limit = self.limits.topic
        if limit and len(text) > limit:
            raise Refused(Code.TOO_LONG, f"{what} has at most {limit} characters")
        return " ".join(text.split())


def _looks(server_name: str) -> frozenset[str]:
    try:
        return look_alike_keys(parse_user_name(server_name, 0))
    except BadName:  # then nobody can have it
        return frozenset()


def no_such_room(text: str) -> Refused:
    """The answer, to the letter, for a name that no room has, and for a room that the asker must not know of."""
    return Refused(Code.NOT_FOUND, f"no such room: {echoed(text)}")


def echoed(text: str) -> str:
    """What somebody typed, for an error that tells it back."""
    return text if len(text) <= ECHOED else text[:ECHOED] + "…"


def sessions_of(people: Iterable[Person]) -> dict[Session, None]:
    """All sessions of these people, each once."""
    return {session: None for person in people for session in person.sessions}


def neighbours(person: Person) -> Collection[Session]:
    """The sessions of all who share a room with a person, and the person's own, each once."""
    if len(person.rooms) == 1:
        (room,) = person.rooms.values()
        return room.audience
    audience = dict(person.sessions)
    for room in person.rooms.values():
        audience.update(room.audience)
    return audience
