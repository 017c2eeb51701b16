"""Rooms: who is in them, who hears them, and which role and ban anyone has there."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import TypeVar

from asyncchat.core.bans import Bans
from asyncchat.core.numbered_set import NumberedSet
from asyncchat.core.people import Person
from asyncchat.core.session import Session
from asyncchat.vocabulary.records import NOBODY, RoomSet
from asyncchat.vocabulary.terms import Role

T = TypeVar("T")


class Room:
    """A room. ``members`` are people, longest first; ``audience`` is the flat set of their sessions, for the broadcast.

    ``roles`` (in the order in which they were given) and ``invited`` go by person id and outlast membership; ``owners``
    are the ids whose role is that.
    ``invited`` are those who may enter though not everybody may, each with whether the password let them in;
    ``by_operators`` are those of them whom an operator has invited.
    ``founder``: who opened it, NOBODY for the server's own rooms. ``spoken``: something was said here.
    """

    __slots__ = (
        "audience", "bans", "by_operators", "founder", "id", "invited", "key", "members", "moderated", "name", "owners",
        "password", "private", "retention", "roles", "spoken", "topic", "topic_locked",
    )  # fmt: skip

    def __init__(self, id: int, name: str, key: str, founder: int = NOBODY) -> None:
        self.id = id
        self.name = name
        self.key = key
        self.founder = founder
        self.members = NumberedSet[Person]()
        self.audience: dict[Session, None] = {}
        self.roles: dict[int, Role] = {}
        self.owners: set[int] = set()
        self.invited: dict[int, bool] = {}
        self.by_operators: set[int] = set()
        self.bans = Bans()
        self.topic = ""
        self.spoken = False
        self.private = False
        self.moderated = False
        self.topic_locked = False
        self.retention = 0
        self.password: str | None = None

    @property
    def closed(self) -> bool:
        """May not everybody enter?"""
        return self.private or self.password is not None

    def role(self, person: Person) -> Role:
        """A person's role here; MEMBER if none was given."""
        return self.roles.get(person.id, Role.MEMBER)

    def set(self, options: RoomSet) -> None:
        """Take over those of a room's options that are named."""
        self.private = _either(options.private, self.private)
        self.moderated = _either(options.moderated, self.moderated)
        self.topic_locked = _either(options.topic_locked, self.topic_locked)
        self.retention = _either(options.retention, self.retention)
        self.password = _either(options.password, self.password) or None


class Rooms:
    """All rooms, by id and by name, and ``listed`` in the order in which they were made.

    ``empty``: rooms that nobody is in, each with the time since when (Unix ms), longest first. ``orphaned``: rooms
    whose owners may all be gone, and not because an administrator wants it so. Both are for `upkeep` to look at.
    ``longest_name``: characters of the longest name that a room had.
    """

    def __init__(self) -> None:
        self.by_id: dict[int, Room] = {}
        self.by_key: dict[str, Room] = {}
        self.listed = NumberedSet[Room]()
        self.empty: OrderedDict[Room, int] = OrderedDict()
        self.orphaned: dict[Room, None] = {}
        self.longest_name = 0
        self._owned: dict[int, dict[Room, None]] = {}
        self._founded: Counter[int] = Counter()

    def __iter__(self) -> Iterator[Room]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)

    def add(self, room: Room, now: int) -> None:
        """Take in a room, which nobody is in yet."""
        self.by_id[room.id] = room
        self.by_key[room.key] = room
        self.listed.add(room, room.id)
        self._founded[room.founder] += 1
        self.longest_name = max(self.longest_name, len(room.name))
        self.empty[room] = now

    def remove(self, room: Room) -> None:
        """Forget a room. Nobody is in it any more."""
        for person in list(room.owners):
            self.set_role(room, person, Role.MEMBER)
        self._founded[room.founder] -= 1
        if not self._founded[room.founder]:
            del self._founded[room.founder]
        del self.by_id[room.id]
        del self.by_key[room.key]
        self.listed.remove(room)
        self.empty.pop(room, None)
        self.orphaned.pop(room, None)

    def enter(self, room: Room, person: Person, seq: int) -> None:
        """Make a person a member, as the log has it at *seq*; all their sessions hear the room."""
        self.empty.pop(room, None)
        room.members.add(person, seq)
        person.rooms[room.id] = room
        room.audience.update(person.sessions)

    def leave(self, room: Room, person: Person, now: int) -> None:
        """Take a person out of a room."""
        room.members.remove(person)
        person.rooms.pop(room.id, None)
        for session in person.sessions:
            room.audience.pop(session, None)
        if not room.members:
            self.expect(room, now)

    def expect(self, room: Room, now: int) -> None:
        """If a room is empty, it is so from now on: somebody has left it, or is about to enter."""
        if not room.members:
            self.empty.pop(room, None)
            self.empty[room] = now

    def set_role(self, room: Room, person: int, role: Role) -> None:
        """Give a person (an id) a role in a room."""
        room.roles.pop(person, None)  # else who rises would keep the place of the role before
        if role is not Role.MEMBER:
            room.roles[person] = role
        if role is Role.OWNER:
            room.owners.add(person)
            self._owned.setdefault(person, {})[room] = None
        elif person in room.owners:
            room.owners.discard(person)
            owned = self._owned[person]
            del owned[room]
            if not owned:
                del self._owned[person]

    def founded_by(self, person: int) -> int:
        """How many of the rooms a person (an id) has founded."""
        return self._founded[person]

    def owned_by(self, person: int) -> list[Room]:
        """The rooms that a person (an id) owns, alone or with others."""
        return list(self._owned.get(person, ()))


def _either(wanted: T | None, present: T) -> T:
    return present if wanted is None else wanted
