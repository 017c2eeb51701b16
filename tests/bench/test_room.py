"""What a room counts: every member's bytes, cut and mixed at will, with faults planted in them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.bench import room as room_module
from asyncchat.bench.marks import Lines
from asyncchat.bench.plan import Plan
from asyncchat.bench.room import LineTooLongError, Member, Room
from asyncchat.bench.tally import Tally

PLAN = Plan(address="", run="abc123", clients=8, rooms=2, senders=4)
SENDERS = (0, 2)  # those of room 0
NOISE = b'{"type":"joined","name":"carol","room":"#bench-0"}\n'
NOW = 1_000_000


class Watched:
    """A room, what it tells, and its members' deliveries."""

    def __init__(self, members: int = 3, number: int = 0) -> None:
        self.tally = Tally()
        self.others: list[bytes] = []
        self.answered: list[int] = []
        self.room = Room(number, PLAN, self.tally, lambda _, line: self.others.append(line), self._moved)
        self.room.own.update(SENDERS)
        self.members = [Member(self.room) for _ in range(members)]

    def _moved(self, room: Room) -> None:
        while room.waiting and room.waiting[0][0] < room.delivered:
            self.answered.append(room.waiting.popleft()[1])

    def feed(self, streams: list[list[bytes]], random: Random) -> None:
        """Give each member its lines, in pieces of any size, the members in any order."""
        left = [pieces(b"".join(lines), random) for lines in streams]
        while any(left):
            turn = random.choice([number for number, data in enumerate(left) if data])
            self.room.take(self.members[turn], memoryview(left[turn].pop(0)), NOW)
        self.room.settle()

    def lost(self, messages: int) -> int:
        return messages * len(self.members) - self.tally.deliveries

    @property
    def faults(self) -> dict[str, int]:
        counted = {
            "duplicates": self.tally.duplicates,
            "disorder": self.tally.disorder,
            "strays": self.tally.strays,
        }
        return {name: count for name, count in counted.items() if count}


def pieces(data: bytes, random: Random) -> list[bytes]:
    cuts = sorted(random.sample(range(1, len(data)), min(random.randrange(8), len(data) - 1))) if data else []
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if end > start]


def said(senders: list[int], *, stamp: int = 0, seq: bool = True) -> list[bytes]:
    """A line for each message, numbered by sender, and by the server if it has a ``seq``."""
    numbers = dict.fromkeys(senders, 0)
    lines = []
    for place, sender in enumerate(senders, 7):
        line = Lines(PLAN, sender).line(numbers[sender], stamp).replace(b"x", b"y" * (place % 5), 1)  # of any length
        lines.append(line.replace(b'"say"', b'"said","seq":%d' % place) if seq else line)
        numbers[sender] += 1
    return lines


messages = st.lists(st.sampled_from(SENDERS), min_size=1, max_size=12)
randoms = st.randoms(use_true_random=False)
numbered = st.booleans()  # does the server tell a seq?


@given(messages, randoms, numbered)
def test_what_all_get_once_and_in_order_is_faultless(senders: list[int], random: Random, seq: bool) -> None:
    watched, lines = Watched(), said(senders, seq=seq)
    watched.feed([lines] * 3, random)
    assert (watched.lost(len(lines)), watched.faults) == (0, {})
    assert watched.answered == senders
    assert watched.room.delivered == len(lines)
    assert len(watched.tally.latency) == watched.tally.deliveries
    assert watched.tally.latency.total == NOW * watched.tally.deliveries
    assert watched.others == []


@given(messages, randoms, numbered)
def test_other_lines_between_them_are_handed_on(senders: list[int], random: Random, seq: bool) -> None:
    watched, lines = Watched(), said(senders, seq=seq)
    noisy = [list(lines) for _ in range(3)]
    for stream in noisy:
        stream.insert(random.randrange(len(stream) + 1), NOISE)
    watched.feed(noisy, random)
    assert (watched.lost(len(lines)), watched.faults) == (0, {})
    assert watched.others == [NOISE.rstrip()] * 3
    assert watched.answered == senders


@given(messages, randoms, st.integers(0, 2))
def test_what_one_does_not_get_is_lost_and_nothing_else(senders: list[int], random: Random, victim: int) -> None:
    watched, lines = Watched(), said(senders)
    streams = [list(lines) for _ in range(3)]
    del streams[victim][random.randrange(len(lines))]
    watched.feed(streams, random)
    assert (watched.lost(len(lines)), watched.faults) == (1, {})


@given(messages, randoms, st.integers(0, 2))
def test_what_one_does_not_get_is_lost_where_nothing_tells_the_order(
    senders: list[int], random: Random, victim: int
) -> None:
    watched, lines = Watched(), said(senders, seq=False)
    streams = [list(lines) for _ in range(3)]
    del streams[victim][random.randrange(len(lines))]
    watched.feed(streams, random)
    assert watched.lost(len(lines)) == 1
    assert watched.faults.keys() <= {"disorder"}  # it cannot always be told apart


@given(messages, randoms, numbered)
def test_what_nobody_gets_is_lost_to_all(senders: list[int], random: Random, seq: bool) -> None:
    watched, lines = Watched(), said(senders, seq=seq)
    arriving = list(lines)
    del arriving[random.randrange(len(lines))]
    watched.feed([arriving] * 3, random)
    assert (watched.lost(len(lines)), watched.faults) == (3, {})


@given(messages, randoms, st.integers(0, 2), numbered)
def test_what_one_gets_again_is_a_duplicate_and_nothing_else(
    senders: list[int], random: Random, victim: int, seq: bool
) -> None:
    watched, lines = Watched(), said(senders, seq=seq)
    streams = [list(lines) for _ in range(3)]
    first = random.randrange(len(lines))
    streams[victim].insert(random.randrange(first + 1, len(lines) + 1), lines[first])
    watched.feed(streams, random)
    assert (watched.lost(len(lines)), watched.faults) == (0, {"duplicates": 1})
    assert watched.answered == senders


@given(messages, randoms, numbered)
def test_what_all_get_again_is_a_duplicate_for_each(senders: list[int], random: Random, seq: bool) -> None:
    watched, lines = Watched(), said(senders, seq=seq)
    first = random.randrange(len(lines))
    again = [*lines[: first + 1], lines[first], *lines[first + 1 :]]
    watched.feed([again] * 3, random)
    assert (watched.lost(len(lines)), watched.faults) == (0, {"duplicates": 3})


@given(messages.filter(lambda senders: len(senders) > 1), randoms, st.integers(0, 2), numbered)
def test_what_one_gets_in_another_order_is_out_of_order(
    senders: list[int], random: Random, victim: int, seq: bool
) -> None:
    watched, lines = Watched(), said(senders, seq=seq)
    streams = [list(lines) for _ in range(3)]
    first = random.randrange(len(lines) - 1)
    streams[victim][first : first + 2] = reversed(lines[first : first + 2])
    watched.feed(streams, random)
    assert watched.lost(len(lines)) == 0
    assert watched.faults.keys() == {"disorder"}
    assert sorted(watched.answered) == sorted(senders)
    assert watched.room.delivered == len(lines)


@given(st.integers(2, 6), randoms, numbered)
def test_one_senders_messages_in_another_order_for_all_are_out_of_order(count: int, random: Random, seq: bool) -> None:
    watched, lines = Watched(), said([0] * count, seq=False)
    first = random.randrange(count - 1)
    lines[first : first + 2] = reversed(lines[first : first + 2])
    if seq:  # by it, the order is right
        lines = [
            b'{"type":"said","seq":%d' % place + line.removeprefix(b'{"type":"say"') for place, line in enumerate(lines)
        ]
    watched.feed([lines] * 3, random)
    assert watched.lost(count) == 0
    assert watched.faults.keys() == {"disorder"}


def test_what_the_first_member_does_not_get_is_no_disorder_of_the_others() -> None:
    watched, lines = Watched(members=2), said([0, 2])
    first, victim = watched.members
    for member, line in ((first, lines[0]), (victim, lines[1]), (first, lines[1])):
        watched.room.take(member, line, NOW)
    assert (watched.lost(2), watched.faults) == (1, {})


def test_one_senders_messages_in_another_order_are_seen_where_the_first_member_lost_one() -> None:
    watched = Watched(members=2)
    said_second, said_first = (
        b'{"seq":%d,' % seq + Lines(PLAN, 0).line(number, 0)[1:] for seq, number in ((7, 1), (8, 0))
    )
    first, victim = watched.members
    for member, line in ((victim, said_first), (first, said_second)):
        watched.room.take(member, line, NOW)
    assert watched.faults == {"disorder": 1}


def test_a_line_that_begins_like_the_next_one_is_not_taken_for_it() -> None:
    watched, lines = Watched(members=3), said([0, 0], seq=False)
    first, begun, victim = watched.members
    for member, data in (
        (victim, lines[1]),
        (begun, lines[0][:20]),
        (first, lines[0]),
        (begun, lines[0][20:]),
        (begun, lines[1]),
        (first, lines[1]),
    ):
        watched.room.take(member, data, NOW)
    assert (watched.lost(2), watched.faults) == (1, {})


def test_nobody_is_answered_early_when_a_line_is_put_between() -> None:
    watched, lines = Watched(members=2), said([0, 0, 2])
    first, victim = watched.members
    for member, line in ((victim, lines[1]), (victim, lines[2]), (first, lines[0]), (first, lines[1])):
        watched.room.take(member, line, NOW)
    assert 2 not in watched.answered
    watched.room.take(first, lines[2], NOW)
    assert sorted(watched.answered) == [0, 0, 2]


@given(messages, messages, randoms)
def test_the_order_is_known_by_its_checksum(one: list[int], other: list[int], random: Random) -> None:
    rooms = []
    for senders in (one, other):
        watched = Watched()
        watched.feed([said(senders)] * 3, random)
        rooms.append(watched.room)
    assert (rooms[0].order == rooms[1].order) == (one == other)


@pytest.mark.parametrize("sender", [1, 3, 4, 100], ids=str)
def test_what_nobody_said_in_the_room_is_a_stray(sender: int) -> None:
    watched = Watched()
    watched.feed([said([sender]), [], []], Random(0))
    assert (watched.tally.deliveries, watched.faults) == (0, {"strays": 1})


def test_a_number_that_no_sender_comes_to_is_a_stray() -> None:
    watched = Watched()
    watched.room.take(watched.members[0], Lines(PLAN, 0).line(room_module.MAX_SKIPPED + 5, 0), NOW)
    assert watched.faults == {"strays": 1}


def test_the_messages_of_another_measurement_are_not_ours() -> None:
    watched = Watched()
    line = said([0])[0].replace(b"abc123", b"def456")
    watched.feed([[line], [], []], Random(0))
    assert (watched.tally.deliveries, watched.faults, watched.others) == (0, {}, [line.rstrip()])


def test_who_misses_the_last_message_does_not_hold_up_the_earlier_ones() -> None:
    watched, lines = Watched(members=2), said([0, 2])
    watched.room.take(watched.members[0], b"".join(lines), NOW)
    watched.room.take(watched.members[1], lines[0], NOW)
    assert watched.answered == []
    watched.room.catch_up()
    assert watched.answered == [0]
    watched.room.catch_up()
    watched.room.take(watched.members[1], lines[1], NOW)
    assert (watched.answered, watched.faults) == ([0, 2], {})


def test_nobody_waits_for_a_member_that_left() -> None:
    watched, lines = Watched(), said([0, 2])
    for member in watched.members[:2]:
        watched.room.take(member, b"".join(lines), NOW)
    assert watched.answered == []
    watched.room.leave(watched.members[2])
    assert watched.answered == [0, 2]


def test_what_all_have_is_not_kept() -> None:
    watched = Watched()
    watched.feed([said([0] * 100)] * 3, Random(1))
    assert len(watched.room._text) == 0
    assert not watched.room._text.data


def test_a_line_that_does_not_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "MAX_LINE", 100)
    watched = Watched()
    with pytest.raises(LineTooLongError):
        watched.room.take(watched.members[0], b"x" * 101, NOW)


def test_the_latency_of_members_that_read_one_after_the_other_is_near_enough() -> None:
    watched, line = Watched(members=100), said([0], stamp=1)[0]
    times = [1_000_000 + 3_000 * number for number in range(100)]
    for member, now in zip(watched.members, times, strict=True):
        watched.room.take(member, line, now)
    watched.room.settle()
    assert len(watched.tally.latency) == 100
    for share in (0.01, 0.5, 0.99):
        exact = times[round(share * 100) - 1]
        assert watched.tally.latency.quantile(share) == pytest.approx(exact, rel=0.02)
