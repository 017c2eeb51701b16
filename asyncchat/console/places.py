"""Where a person is: the rooms and conversations that are open, what is unread in them, who is there, who types."""

import errno
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from asyncchat import events
from asyncchat._files import config_dir, write_atomically
from asyncchat.events import Event
from asyncchat.text import is_room, label_of, name_key, place_of, printable, same

TYPING_SECONDS = 8.0
"""How long somebody is shown as typing who is not heard of again; clients repeat it more often."""


@dataclass(slots=True)
class Place:
    """A room, or a conversation with one person.

    ``people``: who is there, by key. ``first``: the first message that came live; ``last``, ``own``: the last message,
    and my last one. ``readers``: how far others have read. ``typing``: until when somebody is typing. ``away``: is the
    person away, as far as was told?
    """

    name: str
    unread: int = 0
    mentioned: bool = False
    people: dict[str, str] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None
    own: int | None = None
    readers: dict[str, int] = field(default_factory=dict)
    typing: dict[str, float] = field(default_factory=dict)
    away: bool = False

    @property
    def is_room(self) -> bool:
        """Is it a room, not a person?"""
        return is_room(self.name)

    @property
    def label(self) -> str:
        """How it is shown, safe for a terminal."""
        return printable(label_of(self.name))

    def set_people(self, names: Iterable[str]) -> None:
        """Who is there, from a list of the members."""
        self.people = {name_key(name): name for name in names}

    def seen_by(self) -> list[str]:
        """Who has read my last message here."""
        return [name for name, seq in self.readers.items() if self.own is not None and seq >= self.own]

    def typists(self, now: float) -> list[str]:
        """Who is typing here now."""
        return [name for name, until in self.typing.items() if until > now]


class Places:
    """All that is open, in the order in which it was opened.

    ``here`` is where lines go, or None: only what the person does leads to another place, since what arrives must
    not turn a line that is half typed to somebody else. ``partner`` is whom a reply goes to: who wrote directly last,
    or for a reply that is being typed, had done so when it began. ``me`` is my name, and ``own`` my last message in
    any place.
    """

    def __init__(self, me: str) -> None:
        self.me = me
        self.here: Place | None = None
        self._latest: str | None = None
        self._answered: str | None = None
        self.own: int | None = None
        self._places: dict[str, Place] = {}

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places.values())

    def __len__(self) -> int:
        return len(self._places)

    @property
    def partner(self) -> str | None:
        """Whom a reply goes to."""
        return self._answered or self._latest

    def replying(self, active: bool) -> None:
        """A reply is being typed, or not any more."""
        self._answered = self.partner if active else None

    def get(self, name: str) -> Place | None:
        """The place of this name, if it is open."""
        return self._places.get(name_key(name))

    def open(self, name: str) -> Place:
        """The place of this name, opened if it was not."""
        return self._places.setdefault(name_key(name), Place(name))

    def close(self, name: str) -> None:
        """Close a place; lines that went there go nowhere then."""
        place = self._places.pop(name_key(name), None)
        if place is not None and self.here is place:
            self.here = None

    def go(self, place: Place | None) -> None:
        """From now on lines go there, and what is there is read; None: they go nowhere."""
        self.here = place
        if place is not None:
            place.unread, place.mentioned = 0, False

    def neighbour(self, place: Place) -> Place | None:
        """Where to go from a place that is left: to the one before it, from the first to the second."""
        index = list(self).index(place)
        others = [other for other in self if other is not place]
        return others[max(index - 1, 0)] if others else None

    def number(self, number: int) -> Place | None:
        """The place with this number, from 1."""
        places = list(self._places.values())
        return places[number - 1] if 0 < number <= len(places) else None

    def beside(self, step: int) -> Place | None:
        """The place so many steps after this one, in a circle; from nowhere, the first or the last."""
        places = list(self._places.values())
        if not places:
            return None
        if self.here is None:
            return places[0 if step > 0 else -1]
        return places[(places.index(self.here) + step) % len(places)]

    # --- following events -------------------------------------------------------------------------------------------

    def of(self, said: events.Said) -> Place:
        """The place of a message, opened if it was not."""
        return self.open(place_of(said, self.me) or said.sender)

    def follow_past(self, said: events.Said) -> None:
        """Keep up with a message of the past."""
        place = self.of(said)
        if place.last is None or said.seq > place.last:
            self._said(place, said)
            if same(said.sender, self.me):
                self.kept(said.seq)

    def kept(self, seq: int) -> None:
        """A message of mine has this number; it may come later than one that I said after it."""
        self.own = max(seq, self.own or 0)

    def follow(self, event: Event, now: float) -> Place | None:
        """Keep up with an event; returns the place that it belongs to (opened, if somebody says something there)."""
        where = place_of(event, self.me)
        place = None
        if where is not None:
            place = self.open(where) if isinstance(event, events.Said) else self.get(where)
        match event:
            case events.Said() if place is not None:
                place.first = place.first or event.seq
                self._said(place, event)
                if same(event.sender, self.me):
                    self.own = event.seq  # even if it is lower: a server can begin a new history
            case events.ReadMarker() if place is not None and not same(event.sender, self.me):
                place.readers[event.sender] = max(event.seq, place.readers.get(event.sender, 0))
            case events.Typing() if place is not None and not same(event.sender, self.me):
                place.typing[event.sender] = now + TYPING_SECONDS if event.active else 0.0
            case events.Joined():
                place = self._joined(event)
            case events.Left() | events.Kicked():
                self._left(event.room, event.name)
            case events.Renamed():
                self._renamed(event.name, event.to)
            case _:
                pass
        return place

    def unread(self, place: Place, *, mentioned: bool) -> None:
        """Something was said in a place where I am not."""
        if place is not self.here:
            place.unread += 1
            place.mentioned = place.mentioned or mentioned

    def _said(self, place: Place, said: events.Said) -> None:
        place.last = said.seq
        place.typing.pop(said.sender, None)
        place.people.setdefault(name_key(said.sender), said.sender)
        if same(said.sender, self.me):
            place.own = said.seq
            place.readers = {name: seq for name, seq in place.readers.items() if seq >= said.seq}
        elif not place.is_room:
            self._latest = said.sender

    def _joined(self, joined: events.Joined) -> Place | None:
        if same(joined.name, self.me):
            self.open(joined.room).name = joined.room  # it may have been opened as it was typed, in another case
        place = self.get(joined.room)
        if place is not None:
            place.people[name_key(joined.name)] = joined.name
        return place

    def _left(self, room: str, name: str) -> None:
        place = self.get(room)
        if place is not None:
            place.people.pop(name_key(name), None)
            place.typing.pop(name, None)

    def _renamed(self, old: str, new: str) -> None:
        if same(old, self.me):
            self.me = new
        for place in self._places.values():
            if place.people.pop(name_key(old), None) is not None:
                place.people[name_key(new)] = new
        moved = self._places.get(name_key(old))
        if moved is not None and name_key(new) not in self._places:
            moved.name = new
            self._places = {name_key(place.name): place for place in self._places.values()}
        if self._latest is not None and same(self._latest, old):
            self._latest = new
        if self._answered is not None and same(self._answered, old):
            self._answered = new


logger = logging.getLogger("asyncchat.client")

_decode = msgspec.json.Decoder(dict[str, list[str]]).decode


class Ignores:
    """The people ignored on one server. Reads its file when made, and writes it with `save`; both block.

    A file that cannot be read ignores nobody, which is logged, and is never written: it holds the lists of all servers.
    """

    def __init__(self, server: str, directory: Path | None = None) -> None:
        self._path = (directory or config_dir()) / "ignored.json"
        self._server = server
        try:
            kept = self._read()
        except OSError as error:
            logger.warning("nobody is ignored: %s: %s", self._path, error.strerror)
            kept = {}
        self._names = {name_key(name): name for name in kept.get(server, [])}

    def __contains__(self, name: str) -> bool:
        return name_key(name) in self._names if self._names else False

    def names(self) -> list[str]:
        """Who is ignored, in order."""
        return sorted(self._names.values(), key=name_key)

    def add(self, name: str) -> None:
        """Ignore somebody."""
        self._names[name_key(name)] = name

    def remove(self, name: str) -> bool:
        """Ignore somebody no longer; False if they were not ignored."""
        return self._names.pop(name_key(name), None) is not None

    def save(self) -> None:
        """Keep who is ignored; raises OSError if that cannot be done, and it holds for now then."""
        kept = self._read() | {self._server: self.names()}
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(self._path, json.dumps(kept, ensure_ascii=False, indent=1).encode())

    def _read(self) -> dict[str, list[str]]:
        """Who is ignored, by server. Raises OSError, also when that is damaged."""
        try:
            return _decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise OSError(errno.EINVAL, "the file is damaged") from error
