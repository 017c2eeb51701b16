"""Events on the screen of a terminal: which are shown, with what before them, and what they change around the line."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime

from asyncchat import Resumed, State, events
from asyncchat.console.ignores import Ignores
from asyncchat.console.places import Place, Places
from asyncchat.console.render import Renderer, place_of, same
from asyncchat.console.status import Outbox
from asyncchat.events import Event, Kept
from asyncchat.vocabulary.mentions import mentions
from asyncchat.vocabulary.names import is_room

BELL = "\a"


class Screen:
    """Shows events through *write*, which gets whole lines.

    *read* false: only what is said under my own name is shown, on a terminal that only writes.
    """

    def __init__(
        self,
        renderer: Renderer,
        places: Places,
        outbox: Outbox,
        ignores: Ignores,
        write: Callable[[str], object],
        *,
        read: bool = True,
    ) -> None:
        self.renderer = renderer
        self.places = places
        self.outbox = outbox
        self.ignores = ignores
        self.read = read
        self._write = write
        self._day: date = renderer.day(datetime.now(UTC))

    def show(self, *lines: str) -> None:
        """Put lines on the screen; they must be safe for a terminal."""
        self._write("".join(f"{line}\n" for line in lines))

    def note(self, text: str, style: str = "notice") -> None:
        """Say something in the program's own voice; the text must be safe for a terminal, and may have lines."""
        self.show(*(self.renderer.painter.style(style, f"-- {line}") for line in text.split("\n")))

    def event(self, event: Event | Resumed) -> Place | None:
        """Show an event if it is to be shown; returns the place that it belongs to."""
        if isinstance(event, Resumed):
            self._show(event, None)
            return None
        if self._is_unwanted(event):
            return None
        if isinstance(event, events.Said):
            return self._said(event)
        if isinstance(event, events.Presence):
            self._presence(event)
            return None
        if isinstance(event, events.Renamed) and event.name in self.ignores:
            self.ignores.add(event.to)
        place = self.places.follow(event, time.monotonic())
        self.renderer.me = self.places.me
        if self.read and self._is_worth_showing(event):
            self._show(event, place)
        return place

    def past(self, messages: Iterable[events.Said]) -> None:
        """Show messages of the past, in order, but those that came live already."""
        for said in sorted(messages, key=lambda message: message.seq):
            if self._is_unwanted(said):
                continue
            place = self.places.of(said)
            if place.first is not None and said.seq >= place.first:
                continue
            self.places.follow_past(said)
            if said.sender not in self.ignores:
                self._show(said, place)

    def _said(self, said: events.Said) -> Place:
        mine = same(said.sender, self.places.me)
        arrived = self.outbox.done(said.nonce)
        place = self.places.of(said)
        if place.last is not None and said.seq <= place.last:
            return place  # it was shown as part of the past
        self.places.follow(said, time.monotonic())
        if said.sender in self.ignores or not (self.read or arrived):
            return place
        called = not mine and (not place.is_room or mentions(said.text, self.places.me))
        if not mine:
            self.places.unread(place, mentioned=called)
        self._show(said, place, bell=called and said.kind != "notice")
        return place

    def _presence(self, presence: events.Presence) -> None:
        """Of people one talks with it is shown that they go, and that they are back after being away."""
        place = self.places.get(presence.name)
        if place is None or presence.name in self.ignores or not self.read:
            return
        if presence.state is not State.ONLINE or place.away:
            self._show(presence, None)
        place.away = presence.state is State.AWAY

    def _is_unwanted(self, event: Event) -> bool:
        """From somebody who is ignored, and to be passed over as if it had not come: it is for my eyes only."""
        match event:
            case events.Said():
                return event.sender in self.ignores and not is_room(event.to)
            case events.Typing() | events.ReadMarker():
                return event.sender in self.ignores
            case _:
                return False

    def _is_worth_showing(self, event: Event) -> bool:
        match event:
            case (
                events.Edited() | events.Deleted() | events.Reacted() | events.Invited() | events.TopicChanged()
            ):  # fmt: skip
                return event.sender not in self.ignores
            case events.Joined() | events.Left() | events.Renamed():
                return event.name not in self.ignores
            case _:
                return True

    def _show(self, event: Event | Resumed, place: Place | None, *, bell: bool = False) -> None:
        when = event.when if isinstance(event, Kept) else datetime.now(UTC)
        line = self.renderer.line(event, when, place=self._prefix(event, place))
        if line is None:
            return
        day = self.renderer.day(when)
        if day != self._day:
            self._day = day
            self.show(self.renderer.day_line(day))
        self.show(line + (BELL if bell else ""))

    def _prefix(self, event: Event | Resumed, place: Place | None) -> str | None:
        """The name of the place, unless it is the only one and lines go there; it may not be open."""
        if place is None:
            return None if isinstance(event, Resumed) else place_of(event, self.places.me)
        return place.name if len(self.places) > 1 or place is not self.places.here else None
