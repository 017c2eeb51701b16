"""Rooms: who is in them, who hears them, and which role and ban anyone has there."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from asyncchat.core.people import Person
from asyncchat.core.session import Session
from asyncchat.vocabulary.names import parse_room_name
from asyncchat.vocabulary.records import BanLifted, BanSet, RoomSet
from asyncchat.vocabulary.terms import Role


class Room:
    """A room. ``members`` are people; ``audience`` is the flat set of their sessions, kept for the broadcast.

    ``roles``, ``invited`` and ``markers`` go by person id and outlast membership.
    """

    __slots__ = (
        "audience", "bans", "id", "invited", "key", "markers", "members", "moderated", "name", "password", "private",
        "retention", "roles", "topic", "topic_locked",
    )  # fmt: skip

    def __init__(self, id: int, name: str, key: str) -> None:
        self.id = id
        self.name = name
        self.key = key
        self.members: dict[Person, None] = {}
        self.audience: dict[Session, None] = {}
        self.roles: dict[int, Role] = {}
        self.invited: set[int] = set()
        self.markers: dict[int, int] = {}
        self.bans = Bans()
        self.topic = ""
        self.private = False
        self.moderated = False
        self.topic_locked = False
        self.retention = 0
        self.password: str | None = None

    def enter(self, person: Person) -> None:
        """Make a person a member; all their sessions hear the room."""
        self.members[person] = None
        person.rooms[self.id] = self
        for session in person.sessions:
            self.audience[session] = None

    def leave(self, person: Person) -> None:
        """Take a person out of the room."""
        self.members.pop(person, None)
        person.rooms.pop(self.id, None)
        for session in person.sessions:
            self.audience.pop(session, None)

    def role(self, person: Person) -> Role:
        """A person's role here; MEMBER if none was given."""
        return self.roles.get(person.id, Role.MEMBER)

    def set(self, options: RoomSet) -> None:
        """Take over a room's options."""
        self.private = options.private
        self.moderated = options.moderated
        self.topic_locked = options.topic_locked
        self.retention = options.retention
        self.password = options.password


class Rooms:
    """All rooms, by id and by name."""

    def __init__(self) -> None:
        self.by_id: dict[int, Room] = {}
        self.by_key: dict[str, Room] = {}

    def __iter__(self) -> Iterator[Room]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)

    def add(self, room: Room) -> None:
        """Take in a room."""
        self.by_id[room.id] = room
        self.by_key[room.key] = room

    def named(self, text: str) -> Room | None:
        """The room of this name, or None; raises BadName when it is no room's name."""
        return self.by_key.get(parse_room_name(text).key)


class Bans:
    """The bans and mutes of one room, or of the server. An expired one no longer counts, and is dropped when met."""

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: list[BanSet] = []

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, ban: BanSet) -> None:
        """Put a ban in force; it replaces one on the same target."""
        self.lift(ban)
        self._all.append(ban)

    def lift(self, like: BanSet | BanLifted) -> bool:
        """Lift the bans on the same target; tells whether there was one."""
        before = len(self._all)
        self._all = [ban for ban in self._all if _target(ban) != _target(like)]
        return len(self._all) < before

    def active(self, now: int) -> list[BanSet]:
        """The bans that count at a time (Unix ms)."""
        self._all = [ban for ban in self._all if ban.until is None or ban.until > now]
        return list(self._all)

    def match(self, now: int, *, person: Person | None, address: str, mute: bool) -> BanSet | None:
        """The ban (or with *mute*, the mute) that keeps this person or this address (IP, or empty) out."""
        for ban in self.active(now):
            if ban.mute is mute and _hits(ban, person, address):
                return ban
        return None


def _target(ban: BanSet | BanLifted) -> tuple[int, str, str, bool]:
    return ban.person, ban.key, ban.address, ban.mute


def _hits(ban: BanSet, person: Person | None, address: str) -> bool:
    if ban.address:
        return in_network(address, ban.address)
    return person is not None and (person.id == ban.person or person.key == ban.key)


def in_network(address: str, network: str) -> bool:
    """Is this IP address (empty for a peer that has none) one of the network's?"""
    return address != "" and ip_address(address) in ip_network(network)
