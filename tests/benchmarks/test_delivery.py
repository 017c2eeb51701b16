"""The check of what the members of a room receive, without sockets."""

from collections import Counter

import pytest

from benchmarks.delivery import Counts, Member, Room

TOKEN = "abc123"
NOW = 1_000_000_000


def line(number: int, *, seq: int | None = None, sender: int = 0, extra: str = "") -> bytes:
    seq = number if seq is None else seq
    stamp = NOW - 1_000_000
    return f'{{"type":"said","seq":{seq},{extra}"text":"@{TOKEN}.{sender}.{number}.{stamp}@xx"}}\n'.encode()


class Setup:
    """A room of three, where two senders have sent 100 messages each."""

    def __init__(self) -> None:
        self.delivered: Counter[int] = Counter()
        self.room = Room(self.delivered.update)
        self.members = [Member(self.room) for _ in range(3)]
        self.counts = Counts()
        self.room.begin(self.counts, TOKEN)
        self.room.sent.update({0: 100, 1: 100})

    def receive(self, member: int, *data: bytes) -> list[bytes]:
        return list(self.room.receive(self.members[member], b"".join(data), NOW))

    @property
    def faults(self) -> dict[str, int]:
        return dict(self.counts.faults)


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_what_all_receive_is_delivered_however_it_is_cut(size: int) -> None:
    setup, data = Setup(), b"".join(line(number) for number in range(10))
    for start in range(0, len(data), size):
        for member in (2, 0, 1):
            assert setup.receive(member, data[start : start + size]) == []
    assert (setup.counts.deliveries, setup.faults) == (30, {})
    assert setup.delivered == {0: 10}


def test_a_message_is_delivered_when_the_last_one_has_it() -> None:
    setup = Setup()
    setup.receive(0, line(0), line(1))
    setup.receive(1, line(0), line(1))
    assert setup.delivered == {}
    setup.receive(2, line(0))
    setup.receive(2, line(1))
    assert setup.delivered == {0: 2}


def test_members_may_read_different_shares() -> None:
    setup, lines = Setup(), [line(number) for number in range(6)]
    setup.receive(0, *lines[:2], lines[2][:9])
    setup.receive(1, *lines)
    setup.receive(0, lines[2][9:], *lines[3:])
    setup.receive(2, *lines[:1])
    setup.receive(2, *lines[1:])
    assert (setup.counts.deliveries, setup.faults, setup.delivered) == (18, {}, {0: 6})


@pytest.mark.parametrize("reader", [0, 1])
@pytest.mark.parametrize(
    ("order", "deliveries", "faults"),
    [
        ([0, 2], 2, {}),
        ([0, 1, 1, 2], 3, {"out of order or repeated": 1}),
        ([0, 2, 1], 2, {"out of order or repeated": 1}),
        ([0, 0, 0], 1, {"out of order or repeated": 2}),
    ],
    ids=["lost", "repeated", "swapped", "only repeated"],
)
def test_a_member_that_receives_something_else_is_found(
    reader: int, order: list[int], deliveries: int, faults: dict[str, int]
) -> None:
    """Also if it is the first to read, and the others differ from it."""
    setup = Setup()
    for member in range(3):
        numbers = order if member == reader else [0, 1, 2]
        for number in numbers:
            setup.receive(member, line(number))
    assert (setup.counts.deliveries, setup.faults) == (6 + deliveries, faults)


def test_two_orders_are_found_though_each_is_numbered() -> None:
    setup = Setup()
    setup.receive(0, line(0, seq=1, sender=0), line(0, seq=2, sender=1))
    setup.receive(1, line(0, seq=1, sender=1), line(0, seq=2, sender=0))
    assert setup.faults == {"another in the same place": 1}


def test_a_senders_messages_in_another_order_are_found_though_all_agree() -> None:
    setup = Setup()
    for member in range(3):
        setup.receive(member, line(1, seq=1), line(0, seq=2))
    assert setup.faults == {"out of order or repeated": 1}


def test_the_same_message_in_other_words_is_the_same() -> None:
    setup = Setup()
    setup.receive(0, line(0), line(1))
    setup.receive(1, line(0, extra='"new":true,'), line(1))
    assert (setup.counts.deliveries, setup.faults) == (4, {})


def test_nobody_waits_for_a_member_that_has_gone() -> None:
    setup = Setup()
    setup.receive(0, line(0))
    setup.receive(1, line(0))
    setup.room.remove(setup.members[2])
    assert setup.delivered == {0: 1}


def test_what_nobody_sent_there_is_found() -> None:
    setup = Setup()
    setup.receive(0, line(0, sender=5))
    assert (setup.counts.deliveries, setup.faults) == (0, {"in a wrong room": 1})


def test_other_lines_are_handed_out_wherever_they_are() -> None:
    setup, ping = Setup(), b'{"type":"ping"}'
    assert setup.receive(0, line(0), line(1)) == []
    assert setup.receive(1, line(0), ping[:3]) == []
    assert setup.receive(1, ping[3:], b"\n", line(1)) == [ping]
    assert (setup.counts.deliveries, setup.faults) == (4, {})


def test_a_new_run_begins_with_the_line_that_has_begun() -> None:
    setup = Setup()
    setup.receive(0, line(0), line(1)[:20])  # the first to read
    setup.receive(1, line(0)[:20])  # a part of what is known
    setup.room.begin(Counts(), "other")
    for member, number in ((0, 1), (1, 0)):
        assert setup.receive(member, line(number)[20:]) == [line(number).rstrip(b"\n")]


def test_percentiles_are_those_of_the_latencies() -> None:
    counts = Counts()
    assert counts.latency_ms(50) == 0
    for milliseconds in range(1, 1001):
        counts.deliver(0, milliseconds * 1_000_000)
    for percent in (0.1, 50.0, 90.0, 99.0, 99.9, 100.0):
        assert counts.latency_ms(percent) == pytest.approx(percent * 10, rel=0.01)
    counts.deliver(0, 5_000_000_000, 9000)
    assert counts.latency_ms(50) == pytest.approx(5000, rel=0.01)
    assert counts.latency_ms(10) == pytest.approx(1000, rel=0.01)
