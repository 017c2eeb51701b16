"""The state that the rules work on: people, rooms, bans, and what the operator set."""

from collections.abc import Callable, Iterable

from msgspec import Struct, structs

from asyncchat.core.limits import Failures, Limits
from asyncchat.core.people import People, Person
from asyncchat.core.rooms import Bans, Room, Rooms
from asyncchat.core.session import Session
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.names import BadName, Name, RoomName, parse_room_name, parse_user_name
from asyncchat.vocabulary.terms import Code


class Settings(Struct, frozen=True, kw_only=True):
    """What the operator decides about the rules.

    ``guests``: anyone may take a free name. ``registration``: "open", "invitation" or "closed". ``invitations``: the
    words that let register. ``server_password``: everybody has to say it at login. ``insecure_passwords``: passwords
    may travel unencrypted from anywhere. ``administrators``: registered names that have all rights.
    """

    name: str = "asyncchat"
    version: str = ""
    motd: str | None = None
    default_room: str = "#lobby"
    guests: bool = True
    registration: str = "open"
    invitations: frozenset[str] = frozenset()
    server_password: str | None = None
    insecure_passwords: bool = False
    administrators: frozenset[str] = frozenset()
    limits: Limits = Limits()


class House:
    """Everything that the rules know. ``seq``: the last one applied. ``epoch``: which database this is.

    ``new_token`` makes 256 random bits as text. ``no_password``: a hash that no password fits.
    """

    def __init__(self, settings: Settings, *, epoch: str, new_token: Callable[[], str], no_password: str = "") -> None:
        self.settings = settings
        self.epoch = epoch
        self.new_token = new_token
        self.no_password = no_password
        self.seq = 0
        self.people = People()
        self.rooms = Rooms()
        self.bans = Bans()
        self.sessions: dict[Session, None] = {}
        self.used_invitations: set[str] = set()
        self.wrong_passwords = Failures(self.limits.wrong_passwords)

    @property
    def settings(self) -> Settings:
        """What the operator set; a reload replaces it whole."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings
        self.limits = settings.limits
        self.limits_told: dict[str, int | float] = structs.asdict(settings.limits)
        self.administrators = frozenset(parse_user_name(name).key for name in settings.administrators)

    def user_name(self, text: str) -> Name:
        """Parse a person's name; raises `Refused` 400, or 413 if it is too long."""
        try:
            return parse_user_name(text, limit=self.limits.name)
        except BadName as error:
            raise Refused(Code.MALFORMED, str(error)) from None

    def room_name(self, text: str) -> RoomName:
        """Parse a room's name; raises `Refused` 400."""
        try:
            return parse_room_name(text, limit=self.limits.room_name)
        except BadName as error:
            raise Refused(Code.MALFORMED, str(error)) from None

    def room(self, text: str) -> Room:
        """The room of this name, whoever asks; raises `Refused` 404. Rights are `permissions.visible_room`'s."""
        try:
            room = self.rooms.named(text)
        except BadName:
            room = None
        if room is None:
            raise Refused(Code.NOT_FOUND, f"no such room: {text}")
        return room

    def is_administrator(self, person: Person) -> bool:
        """May this person do everything? Only a registered name can; a guest may borrow any."""
        return person.registered and (person.administrator or person.key in self.administrators)

    def check_secure(self, session: Session) -> None:
        """Raise `Refused` 403 when a password would travel where others can read it."""
        if not (session.secure or self.settings.insecure_passwords):
            raise Refused(Code.FORBIDDEN, "passwords only over TLS: connect to the tls:// address")

    def check_text(self, text: str) -> None:
        """Raise `Refused` for a message's text that is empty or too long."""
        if not text:
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


def sessions_of(people: Iterable[Person]) -> dict[Session, None]:
    """All sessions of these people, each once."""
    return {session: None for person in people for session in person.sessions}


def neighbours(person: Person) -> dict[Session, None]:
    """The sessions of all who share a room with a person, and the person's own."""
    audience = dict(person.sessions)
    for room in person.rooms.values():
        audience.update(room.audience)
    return audience
