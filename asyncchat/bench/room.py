"""What the members of a room receive, checked to the last byte: compared if it may be the same, read if it differs.

A server that keeps its promises sends all members of a room the same messages in the same order, and one that is fast
sends the same bytes. So what the first of them receives is read, and becomes the room's text. For all others it is one
comparison of memory with that text, however many messages come at once. What differs is read line by line, and told
apart: lost (for now), late, or once too often.
"""

from collections import Counter, deque
from collections.abc import Callable

from asyncchat.bench.marks import Mark, Marks, key_of, sender_of
from asyncchat.bench.plan import Plan
from asyncchat.bench.tally import Tally
from asyncchat.bench.text import Text

MAX_LINE = 4 << 20
"""Bytes of a line: more than a message, or a welcome, can be. What is longer never ends."""

MAX_SKIPPED = 1_000_000
"""Messages of one sender that may be missing between two: more is no loss but nonsense."""

_SAME_TIME = 7
"""Times that differ by less than 1/2^7 of the latency count as one: the histogram is no finer."""

OtherLine = Callable[["Member", bytes], None]
"""Called with each line that is none of our messages."""


class LineTooLongError(Exception):
    """A member was sent a line that does not end."""


class Member:
    """One client's place in its room.

    ``offset``: how much of the room's text it has received. ``rest``: the beginning of a line that came after that.
    ``missing``: keys of messages that others got before the last one that this one got.
    """

    __slots__ = ("missing", "offset", "rest", "room")

    def __init__(self, room: "Room") -> None:
        self.room = room
        self.offset = 0
        self.rest = b""
        self.missing: set[int] = set()
        room.members.append(self)


class Room:
    """One room's messages, as this process's clients receive them.

    ``delivered``: how many of them all members here have; ``moved`` is called when it has grown. ``own``: the senders
    whose messages are waited for, and ``waiting`` their messages that somebody has: pairs of index and sender.
    """

    def __init__(
        self, number: int, plan: Plan, tally: Tally, other: OtherLine, moved: Callable[["Room"], None]
    ) -> None:
        self.number = number
        self.members: list[Member] = []
        self.own: set[int] = set()
        self.waiting: deque[tuple[int, int]] = deque()
        self.delivered = 0
        self.tally = tally
        self._plan = plan
        self._other = other
        self._moved = moved
        self._find = Marks(plan.run).find
        self._text = Text()
        # Of each sender the highest number that somebody got, and the keys of those that nobody got before it.
        self._highest: dict[int, int] = {}
        self._skipped: set[int] = set()
        # When the `_behind` members whose offset is below `_target` have come that far, all have it.
        self._target = 0
        self._behind = 0
        # Members that got the same part of the text at the same time, still to be put into the histogram: so many
        # messages, said at such times, so many times.
        self._same = (-1, -1)
        self._same_count = 0
        self._same_stamps: dict[int, int] = {}
        self._same_newest = 0
        self._same_now = 0
        self._same_until = 0
        self._same_times = 0

    @property
    def order(self) -> int:
        """A checksum of the order of all messages that came."""
        return self._text.checksum()

    def leave(self, member: Member) -> None:
        """A member was disconnected: nobody waits for it any more."""
        self.members.remove(member)
        if member.offset < self._target:
            self._one_less_behind()

    # --- what is as expected ----------------------------------------------------------------------------------------

    def take(self, member: Member, data: bytes | memoryview, now: int) -> None:
        """What a member received; *now* is the time in nanoseconds. Raises `LineTooLongError`."""
        if member.rest:
            data = member.rest + data
            member.rest = b""
        text, start = self._text, member.offset
        end = start + len(data)
        if end <= text.end:
            if text.data.startswith(data, start - text.base):
                self._advance(member, start, end, now)
                return
        elif start < text.end:
            known = text.end - start
            if text.data.startswith(data[:known], start - text.base):
                self._advance(member, start, text.end, now)
                data = data[known:]
        self._read(member, bytes(data), now)

    def _advance(self, member: Member, start: int, end: int, now: int) -> None:
        """The member has the text up to *end*."""
        if self._same != (start, end):
            self.settle()
            stamps = self._text.stamps_between(start, end)
            self._same, self._same_count = (start, end), len(stamps)
            self._same_stamps = Counter(stamps)  # what was said in one write has one stamp
            self._same_newest = stamps[-1] if stamps else now
        if self._same_count:
            if now > self._same_until:
                self.settle()
                self._same_now = now
                self._same_until = now + (now - self._same_newest >> _SAME_TIME)
            self._same_times += 1
            self.tally.deliveries += self._same_count
            self.tally.last = now
        member.offset = end
        if start < self._target <= end:
            self._one_less_behind()

    def settle(self) -> None:
        """Put into the histogram what was put off."""
        if self._same_times:
            add = self.tally.latency.add
            for stamp, count in self._same_stamps.items():
                add(self._same_now - stamp, count * self._same_times)
        self._same_times = 0
        self._same_until = 0

    # --- what is new, or not as expected ----------------------------------------------------------------------------

    def _read(self, member: Member, data: bytes, now: int) -> None:
        """Read data line by line, together with the part of a line that the member already has."""
        text, start = self._text, member.offset
        behind = start < self._target
        place = text.place_at(start)
        begun = bytes(text.data[text.start_of(place) - text.base : start - text.base])
        *lines, rest = (begun + data).split(b"\n")
        if len(rest) > MAX_LINE:
            raise LineTooLongError
        for line in lines:
            mark = self._find(line)
            if mark is None:
                self._other(member, line)
            else:
                place = self._place(member, place, mark, line + b"\n", now)
        member.offset = text.start_of(place)
        member.rest = rest
        if behind and member.offset >= self._target:
            self._one_less_behind()
        elif not self._behind:
            self._next_target()

    def _place(self, member: Member, place: int, mark: Mark, line: bytes, now: int) -> int:
        """A message has come to a member that is at this place of the text; returns the place at which it is now."""
        here = self._text.find(mark.key)
        if here is None and self._is_new(mark):
            here = self._add(member, place, mark, line)
            if here < place:  # others will get it in its place
                self.tally.disorder += 1
                self._count(mark, now)
                return place + 1
        if here is not None and here >= place:
            member.missing.update(self._text.keys[place:here])
            self._count(mark, now)
            return here + 1
        if mark.key in member.missing:
            member.missing.remove(mark.key)
            self.tally.disorder += 1
            self._count(mark, now)
        elif mark.number <= self._highest.get(mark.sender, -1):
            self.tally.duplicates += 1
        else:
            self.tally.strays += 1
        return place

    def _count(self, mark: Mark, now: int) -> None:
        self.tally.deliveries += 1
        self.tally.last = now
        self.tally.latency.add(now - mark.stamp)

    def _is_new(self, mark: Mark) -> bool:
        """Nobody here got it before, and somebody may have said it in this room."""
        sender, number = mark.sender, mark.number
        if sender >= self._plan.senders or self._plan.room_of(sender) != self.number:
            return False
        highest = self._highest.get(sender, -1)
        return mark.key in self._skipped or highest < number <= highest + MAX_SKIPPED

    def _add(self, member: Member, came_at: int, mark: Mark, line: bytes) -> int:
        """Make a message a part of the text; returns its place. It came to a member that was at *came_at*."""
        sender, number = mark.sender, mark.number
        highest = self._highest.get(sender, -1)
        if number > highest:
            self._skipped.update(key_of(sender, skipped) for skipped in range(highest + 1, number))
            self._highest[sender] = number
        else:
            self._skipped.remove(mark.key)
        place = self._text.place_for(mark, came_at)
        index = self._text.trimmed + place
        if place == len(self._text):
            if number < highest:
                self.tally.disorder += 1  # of what one sender said, for all
            self._text.append(mark, line)
        else:
            self._insert(member, place, mark, line)
        if sender in self.own:
            self.waiting.append((index, sender))
        return place

    def _insert(self, member: Member, place: int, mark: Mark, line: bytes) -> None:
        """A message that members who are further did not get: it is missing there, or comes late."""
        self.settle()
        self._same = (-1, -1)  # offsets move
        text, length = self._text, len(line)
        if self._against_its_sender(place, mark):
            self.tally.disorder += 1
        at, following = text.start_of(place), text.ends[place]
        for other in self.members:
            if other is member or other.offset <= at:
                continue
            if other.offset < following:
                # It has begun a line that begins like the following one: which of them it is will be seen.
                other.rest = bytes(text.data[at - text.base : other.offset - text.base])
                other.offset = at
            else:
                other.missing.add(mark.key)
                other.offset += length
        text.insert(place, mark, line)
        if self._target > at:
            self._target += length
        index = text.trimmed + place
        self.waiting = deque((later + 1 if later >= index else later, sender) for later, sender in self.waiting)

    def _against_its_sender(self, place: int, mark: Mark) -> bool:
        """What its sender said before is after this place, or what it said later is before it."""
        keys, sender = self._text.keys, mark.sender
        return any(key > mark.key for key in keys[:place] if sender_of(key) == sender) or any(
            key < mark.key for key in keys[place:] if sender_of(key) == sender
        )

    # --- what all have ----------------------------------------------------------------------------------------------

    def _one_less_behind(self) -> None:
        self._behind -= 1
        if not self._behind:
            self._trim(self._target)
            self._next_target()

    def catch_up(self) -> None:
        """Nothing comes for a while: what is before the first message that somebody waits for, all have."""
        lowest = min((member.offset for member in self.members), default=self._text.end)
        start = self._text.start_of(self._text.place_at(lowest))
        if start > self._text.base:
            self._trim(start)

    def _next_target(self) -> None:
        """Wait until all have what somebody has by now."""
        while self._target < self._text.end:
            self._target = self._text.end
            self._behind = sum(member.offset < self._target for member in self.members)
            if self._behind:
                return
            self._trim(self._target)

    def _trim(self, offset: int) -> None:
        """All have the text up to this offset."""
        self._text.trim(offset)
        self.delivered = self._text.trimmed
        self._moved(self)
