"""Check what the members of a room receive: every message, once, and in one order for all.

A server sends the same bytes to all members of a room. The first member that receives a message adds its line to the
room's log. For every other member one comparison of memory with the log checks all messages of a read, so that one core
checks millions of deliveries a second. A member that receives something else diverges: its lines are parsed one by one
from there on, and have to come by their `seq`.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, exp, log
from typing import NamedTuple

STEPS = 100  # of the histogram for a factor of e: percentiles are exact to 0.5 %

_SEQ = re.compile(rb'"seq":(\d{1,18})').search


class Message(NamedTuple):
    """A message of a run. ``stamp``: when it was sent, in ns; ``seq``: its place, -1 if the server tells none."""

    sender: int
    number: int
    stamp: int
    seq: int


@dataclass(slots=True)
class Counts:
    """What happened in one run. A delivery is one message that one member of its room received in its place."""

    messages: int = 0
    expected: int = 0  # deliveries
    deliveries: int = 0
    last_delivery: int = 0  # in ns of the monotonic clock
    latencies: dict[int, int] = field(default_factory=dict)  # a histogram by their logarithm
    faults: Counter[str] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)  # of the first few faults

    def deliver(self, stamp: int, now: int, count: int = 1) -> None:
        self.deliveries += count
        self.last_delivery = now
        step = int(log(max(now - stamp, 1)) * STEPS)
        self.latencies[step] = self.latencies.get(step, 0) + count

    def latency_ms(self, percent: float) -> float:
        """The milliseconds that *percent* of all deliveries did not exceed; 0 if there are none."""
        rank = ceil(self.deliveries * percent / 100)
        for step, count in sorted(self.latencies.items()):
            rank -= count
            if rank <= 0:
                return round(exp((step + 0.5) / STEPS) / 1e6, 4)
        return 0.0


class Member:
    __slots__ = ("offset", "rest", "room", "seq")

    def __init__(self, room: "Room") -> None:
        self.room = room
        self.offset = 0  # it has the log up to here
        self.rest = b""  # the beginning of a line that goes on in the next read
        self.seq: int | None = None  # of its last message, after it has diverged
        room.members.append(self)


class Room:
    """A room's log: the lines of a run that some of its members have still to receive. Offsets count its bytes.

    *on_delivered* is called with the number of messages of each sender that all members of the log now have.
    """

    def __init__(self, on_delivered: Callable[[Counter[int]], None]) -> None:
        self.members: list[Member] = []
        self._on_delivered = on_delivered
        self.begin(Counts(), "")

    def begin(self, counts: Counts, token: str) -> None:
        """Begin a run, whose messages carry the token; what is under way of the last one counts no more."""
        for member in self.members:
            if member.seq is None:
                member.rest = self._begun(member) + member.rest
            member.offset, member.seq = 0, None
        self._counts = counts
        self.sent: Counter[int] = Counter()  # messages of each sender of this room
        self._find = re.compile(rb"@%b\.(\d{1,9})\.(\d{1,9})\.(\d{1,19})@" % token.encode()).search
        self._numbers: dict[int, int] = {}  # the next one of each sender
        self._data = bytearray()
        self._base = self._end = 0  # the offsets of what is held
        self._seq = -1  # of the message before _base
        self._messages: list[Message] = []
        self._ends: list[int] = []  # the offset after each message
        self._target = self._behind = 0  # when _behind members have come so far, all have what is before _target
        self._span = (0, 0)  # what was counted last, and what is in it: mostly the same for the next member
        self._stamps: list[tuple[int, int]] = []

    def receive(self, member: Member, data: bytes | memoryview, now: int) -> Sequence[bytes]:
        """Check what a member received at *now* (ns); returns the lines that are no messages of this run."""
        if member.rest:
            data, member.rest = member.rest + data, b""
        start = member.offset
        if member.seq is None and start < self._end:
            known = data[: self._end - start]
            if self._data.startswith(known, start - self._base):
                self._advance(member, start + len(known), now)
                data = data[len(known) :]
        return self._read(member, bytes(data), now) if data else ()

    def remove(self, member: Member) -> None:
        """Wait no more for a member that was disconnected."""
        self.members.remove(member)
        self._behind -= member.seq is None and member.offset < self._target
        self._release()

    def _read(self, member: Member, data: bytes, now: int) -> list[bytes]:
        """Check line by line what is new, or differs from the log."""
        others = []
        if member.seq is None:
            data = self._begun(member) + data
        place = bisect_right(self._ends, member.offset)
        *lines, member.rest = data.split(b"\n")
        for line in lines:
            if (message := self._parse(line)) is None:
                others.append(line)
                continue
            if member.seq is None:
                if place == len(self._messages):
                    self._append(message, line + b"\n")
                if place < len(self._messages) and self._messages[place][:2] == message[:2]:
                    place += 1
                    continue
                member.seq = self._diverge(member, place, message, now)
            if message.seq > member.seq:
                member.seq = message.seq
                self._counts.deliver(message.stamp, now)
            else:
                self._counts.faults["out of order or repeated"] += 1
        if member.seq is None:
            self._advance(member, self._offset(place), now)
        return others

    def _parse(self, line: bytes) -> Message | None:
        """The message of this run that is in a line, if there is one."""
        if (found := self._find(line)) is None:
            return None
        sender, number, stamp = map(int, found.groups())
        if number >= self.sent[sender]:
            self._counts.faults["in a wrong room"] += 1
            return None
        seq = _SEQ(line)
        return Message(sender, number, stamp, int(seq[1]) if seq else -1)

    def _begun(self, member: Member) -> bytes:
        """Go back to where the line begins that a member has a part of; returns the part."""
        end, member.offset = member.offset, self._offset(bisect_right(self._ends, member.offset))
        return bytes(self._data[member.offset - self._base : end - self._base])

    def _offset(self, place: int) -> int:
        return self._ends[place - 1] if place else self._base

    def _seq_before(self, place: int) -> int:
        return self._messages[place - 1].seq if place else self._seq

    def _append(self, message: Message, line: bytes) -> None:
        sender, number, _, seq = message
        if 0 <= seq <= self._seq_before(len(self._messages)):
            return  # the member diverges
        if number < self._numbers.get(sender, 0):
            self._counts.faults["out of order or repeated"] += 1
        self._numbers[sender] = number + 1
        self._messages.append(message)
        self._data += line
        self._end += len(line)
        self._ends.append(self._end)

    def _diverge(self, member: Member, place: int, message: Message, now: int) -> int:
        """Wait no more for a member that received this message at this place; returns the seq of its last one."""
        seq = self._seq_before(place)
        if place < len(self._messages) and self._messages[place].seq == message.seq:
            self._counts.faults["another in the same place"] += 1
        self._advance(member, self._offset(place), now)
        member.seq = seq
        self._behind -= member.offset < self._target
        self._release()
        return seq

    def _advance(self, member: Member, end: int, now: int) -> None:
        """Count what a member received of the log."""
        start, member.offset = member.offset, end
        if self._span != (start, end):
            self._span = (start, end)
            span = self._messages[bisect_right(self._ends, start) : bisect_right(self._ends, end)]
            self._stamps = list(Counter([message.stamp for message in span]).items())
        for stamp, count in self._stamps:
            self._counts.deliver(stamp, now, count)
        if start < self._target <= end:
            self._behind -= 1
        if not self._behind:
            self._release()

    def _release(self) -> None:
        """Forget what all members of the log have."""
        while not self._behind and self._base < self._end:
            place = bisect_right(self._ends, self._target)
            self._seq = self._seq_before(place)
            delivered = Counter([message.sender for message in self._messages[:place]])
            del self._data[: self._target - self._base], self._ends[:place], self._messages[:place]
            self._base, self._target = self._target, self._end
            self._behind = sum(member.seq is None and member.offset < self._end for member in self.members)
            self._on_delivered(delivered)
