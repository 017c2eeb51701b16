"""The one order in which an application gets its events, across cuts and gaps. Pure: no I/O, no clock.

What comes from the server is put in at one end, what the application takes comes out at the other. Between
them a stretch of the log that was not sent stands as a `Hole`: after a reconnect, after the server's `gap`,
and in the place of what did not fit in here. When the application gets to a hole, its events are fetched with
`sync`, while whatever comes live waits behind it. So every kept event comes out once, in the order of the
log, and memory is bounded without ever leaving bytes unread: a slow application becomes a reader of history,
as a slow client does on the server.
"""

from collections import deque
from dataclasses import dataclass, field

from asyncchat.vocabulary.events import Bye, Event, Gap, History, Kept, Welcome


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a server's log: all kept events up to ``seq`` have been handed to the application.

    ``epoch`` names the database: in another one the ``seq`` means nothing.
    """

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The connection was lost and is back; what was missed came before this, in order.

    ``missed`` counts those events. ``complete`` false: the server's log is another one now, what was said
    there meanwhile cannot be told (``history`` may show some of it).
    """

    complete: bool
    missed: int = 0


@dataclass(slots=True)
class Hole:
    """Kept events with ``after`` < seq ≤ ``until`` (None: all there are when it is filled) are still to be fetched.

    ``left``: the rooms that were left behind it, so that they are fetched by name → the last ``seq`` before that.
    """

    after: int
    until: int | None
    left: dict[str, int] = field(default_factory=dict)


class Inbox:
    """A bounded queue of events with holes in it.

    *limit* is the number of events kept in it. Beyond it kept events become a hole, until half of it is free
    again; passing events (typing, presence, joined) are dropped then, as they are while there is no
    connection, and several cuts in a row are told as one.

    *epoch* and *seen*: the place from which to go on, if the application remembers one.
    """

    def __init__(self, limit: int, *, epoch: str | None = None, seen: int = 0) -> None:
        self._limit = max(limit, 1)
        self._items: deque[Event | Resumed | Hole] = deque()
        self._full = False
        self._epoch = epoch
        self._seen = seen
        self._early: int | None = None
        self._missed = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def epoch(self) -> str | None:
        """The database that the place is in; None before the first welcome."""
        return self._epoch

    @property
    def seen(self) -> int:
        """All up to this ``seq`` has come or stands as a hole: what a new connection has to say as ``since``."""
        return self._seen

    @property
    def handed_out(self) -> int:
        """All up to this ``seq`` has been taken by the application."""
        for item in self._items:
            if isinstance(item, Kept):
                return item.seq - 1
            if isinstance(item, Hole):
                return item.after
        return self._seen

    def welcome(self, welcome: Welcome, *, open_ended: bool = False) -> None:
        """A connection is logged in: what lies between the last place and this one is a hole, then comes a `Resumed`.

        *open_ended*: the hole reaches to the end of the log, wherever that is when it is filled, because
        rooms are still to be entered. Without a last place in this log, messages from before the welcome are
        taken until `settled`: a server that was given none sends the direct messages that were missed.
        """
        known = self._epoch == welcome.epoch and welcome.seq >= self._seen
        complete = known
        self._early = None if known else 0
        if len(self._items) >= self._limit:
            complete = self._fold() and known
        if not known:
            self._items = deque(item for item in self._items if not isinstance(item, Hole))
        elif open_ended or welcome.seq > self._seen:
            self._dig(self._seen, None if open_ended else welcome.seq)
        if self._epoch is not None:
            self._items.append(Resumed(complete=complete))
        self._epoch = welcome.epoch
        self._seen = welcome.seq

    def settled(self) -> None:
        """What belongs to the login has come."""
        self._early = None

    def put(self, event: Event) -> None:
        """An event came live."""
        if isinstance(event, Kept):
            self._put_kept(event)
        elif len(self._items) < self._limit or isinstance(event, Bye):
            self._items.append(event)

    def skip(self, after: int, until: int) -> None:
        """The server says that it did not send this stretch."""
        if self._early is not None and until <= self._seen:
            self._dig(max(after, self._early), until)  # more was missed than a server sends by itself
            self._early = None
        after = max(after, self._seen)
        if until > after:
            self._dig(after, until)
            self._seen = until

    def leave(self, room: str) -> None:
        """We are not in this room any more: ``sync`` does not tell what was said there before, so the holes know it."""
        for item in self._items:
            if isinstance(item, Hole):
                item.left[room] = self._seen if item.until is None else item.until

    def head(self) -> Event | Resumed | Hole | None:
        """What comes next; None: nothing yet. A `Hole` is to be filled, everything else may be taken."""
        return self._items[0] if self._items else None

    def take(self) -> Event | Resumed:
        """Take what comes next, which must not be a hole."""
        item = self._items.popleft()
        assert not isinstance(item, Hole), "a hole is filled, not taken"
        if isinstance(item, Resumed):
            item = Resumed(item.complete, self._missed)
            self._missed = 0
        return item

    def fill(self, hole: Hole, until: int | None, page: History) -> None:
        """A page of ``sync`` came for the hole at the head; *until*: where the page was asked to end."""
        if self.head() is not hole:
            return  # the log is another one since, and the hole is gone
        self._items.popleft()
        last = page.next if page.next is not None else max((event.seq for event in page.events), default=None)
        rest = _rest_of(hole, until, page, last)
        if until is None and last is not None:
            # Its end was open, so that the page may reach into what came live meanwhile.
            self._items = deque(item for item in self._items if not _covered(item, last))
            self._seen = max(self._seen, last)
        if rest is not None:
            hole.after = rest
            self._items.appendleft(hole)
        self._missed += len(page.events)
        self._items.extendleft(reversed(page.events))

    def give_up(self, hole: Hole, room: str) -> None:
        """A room that was left may not be read any more: the application gets a `Gap` in the place of what it lacks."""
        if self.head() is hole:
            self._items.appendleft(Gap(after=hole.after, until=hole.left.pop(room)))

    def _put_kept(self, event: Event) -> None:
        assert isinstance(event, Kept)
        if event.seq <= self._seen:
            if self._early is not None and event.seq > self._early:
                self._early = event.seq
                self._items.append(event)
            return
        if self._full and len(self._items) <= self._limit // 2:
            self._full = False
        if self._full or len(self._items) >= self._limit:
            self._full = True
            self._dig(self._seen, event.seq)
        else:
            self._items.append(event)
        self._seen = event.seq

    def _fold(self) -> bool:
        """Take back what tells of cuts at the end but for one hole; returns whether none of them changed the log.

        That hole is a new one: a page that is on its way for one of the old ones may end before it does.
        """
        holes: list[Hole] = []
        complete = True
        while self._items and isinstance(self._items[-1], Hole | Resumed | Bye):
            item = self._items.pop()
            if isinstance(item, Hole):
                holes.append(item)
            elif isinstance(item, Resumed):
                complete = complete and item.complete
        if holes:
            left = {room: end for hole in reversed(holes) for room, end in hole.left.items()}
            self._items.append(Hole(holes[-1].after, holes[0].until, left))
        return complete

    def _dig(self, after: int, until: int | None) -> None:
        last = self._items[-1] if self._items else None
        if isinstance(last, Hole) and last.until is not None and last.until >= after:
            last.until = until
        else:
            self._items.append(Hole(after, until))


def _rest_of(hole: Hole, until: int | None, page: History, last: int | None) -> int | None:
    """Where what is still missing begins after this page, which reaches to *last*; None: nothing is."""
    if not page.complete and last is not None and last > hole.after:
        return last
    if until is not None and (hole.until is None or hole.until > until):
        return until  # it grew while the page was on its way
    return None  # all of it came, or the server has no more to tell


def _covered(item: Event | Resumed | Hole, last: int) -> bool:
    """Lies all of it at or before this ``seq``? A hole that reaches beyond begins there from now on."""
    if isinstance(item, Hole):
        item.after = max(item.after, last)
        return item.until is not None and item.until <= last
    return isinstance(item, Kept) and item.seq <= last


# --- pages for a hole -----------------------------------------------------------------------------------------------
# `sync` tells of the rooms that we are in now: rooms that were left are asked for by name.


def rooms_left(hole: Hole, until: int | None) -> dict[str, int]:
    """The rooms that ``sync`` does not tell of any more → up to which ``seq`` they belong to this hole.

    *until*: where the page of ``sync`` was asked to end (None: nowhere).
    """
    ends = {room: end if until is None else min(end, until) for room, end in hole.left.items()}
    return {room: end for room, end in ends.items() if end > hole.after}


def with_room(page: History, said: History, end: int) -> History:
    """A page of ``sync`` and a page of a room's ``history`` as one; the room belongs to it up to *end*.

    It reaches as far as both of them do: what one has beyond that comes once more with the next page.
    """
    reaches = [] if page.complete or page.next is None else [page.next]
    if not said.complete and said.next is not None and said.next < end:
        reaches.append(said.next)
    reach = min(reaches, default=None)
    told = {event.seq: event for event in said.events if event.seq <= end} | {event.seq: event for event in page.events}
    return History(
        events=[told[seq] for seq in sorted(told) if reach is None or seq <= reach],
        complete=reach is None,
        next=page.next if reach is None else reach,
    )
