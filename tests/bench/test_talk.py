"""Who says how much, and when; with clients that only note what is sent."""

from types import SimpleNamespace
from typing import cast

import pytest

from asyncchat.bench.board import Board, new_board
from asyncchat.bench.client import Client
from asyncchat.bench.marks import Mark, Marks
from asyncchat.bench.plan import Plan, Run
from asyncchat.bench.talk import NEVER, Pace, Sender, Windows

PLAN = Plan(address="", run="abc123", clients=8, senders=4, window=3)
START = 1_000_000_000


class Talking:
    """Senders of one process, and what they said: client and mark."""

    def __init__(self, numbers: list[int], plan: Plan = PLAN) -> None:
        self.said: list[tuple[int, Mark]] = []
        self.room = SimpleNamespace(number=0, delivered=0)
        clients = [cast(Client, SimpleNamespace(number=number, room=self.room)) for number in numbers]
        self.senders = [Sender(client, plan) for client in clients]
        self._find = Marks(plan.run).find

    def send(self, client: Client, data: bytes) -> None:
        marks = [self._find(line) for line in data.splitlines()]
        self.said += [(client.number, mark) for mark in marks if mark is not None]

    @property
    def numbers(self) -> list[tuple[int, int]]:
        return [(client, mark.number) for client, mark in self.said]


def windows(talking: Talking, run: Run, board: Board | None = None, plan: Plan = PLAN) -> Windows:
    return Windows(plan, run, START, talking.senders, talking.send, board)


def test_a_window_is_filled_and_filled_again_as_answers_come() -> None:
    talking = Talking([0, 1])
    talk = windows(talking, Run(seconds=10))
    talk.work(START)
    assert talking.numbers == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    talk.work(START + 1)
    assert len(talking.said) == 6
    talk.answered(1)
    talk.work(START + 2)
    assert talking.numbers[6:] == [(1, 3)]
    assert talk.said == {0: 7}


def test_nothing_is_said_before_the_start_and_after_the_end() -> None:
    talking = Talking([0])
    talk = windows(talking, Run(seconds=1))
    assert talk.work(START - 1) == START
    assert not talk.finished(START)
    end = START + 1_000_000_000
    assert talk.work(end) == NEVER
    assert talk.finished(end)
    assert talking.said == []


@pytest.mark.parametrize("messages", [1, 3, 4, 6])
def test_messages_are_shared_out_over_the_senders_of_all_processes(messages: int) -> None:
    here, there = Talking([0, 2]), Talking([1, 3])
    for talking in (here, there):
        talk = windows(talking, Run(messages=messages))
        talk.work(START)
        assert talk.finished(START)
    assert len(here.said) + len(there.said) == messages


def test_numbers_go_on_in_the_next_run() -> None:
    talking = Talking([0])
    windows(talking, Run(messages=4)).work(START)
    windows(talking, Run(messages=4)).work(START)
    assert talking.numbers == [(0, 0), (0, 1)]


def test_a_refused_message_makes_room_in_the_window() -> None:
    talking = Talking([0])
    talk = windows(talking, Run())
    talk.work(START)
    talk.refuse(0, 0)
    talk.work(START)
    assert (len(talking.said), talk.refused) == (4, {0: 1})


def test_a_lost_sender_says_nothing_more() -> None:
    talking = Talking([0, 1])
    talk = windows(talking, Run())
    talk.lose(0)
    talk.work(START)
    talk.answered(0)
    assert {client for client, _ in talking.said} == {1}


def test_a_fast_process_waits_for_a_slow_one() -> None:
    plan = Plan(address="", run="abc123", clients=8, senders=4, window=3, processes=2)
    path = new_board(2, 1)
    here, there = Board(str(path), 0, 2, 1), Board(str(path), 1, 2, 1)
    try:
        talking = Talking([0], plan)
        talk = windows(talking, Run(), here, plan)
        ahead = plan.window * plan.senders + 1
        talking.room.delivered = ahead
        here.tell(0, ahead)
        soon = talk.work(START)
        assert talking.said == []
        assert START < soon < START + 10_000_000
        there.tell(0, 1)
        talk.work(soon)
        assert len(talking.said) == 3
    finally:
        here.close()
        there.close()
        path.unlink()


def test_at_a_rate_the_senders_of_all_processes_take_turns() -> None:
    run = Run(rate=10, messages=7)
    said = []
    for numbers in ([0, 2], [1, 3]):
        talking = Talking(numbers)
        talk = Pace(PLAN, run, START, talking.senders, talking.send)
        due = talk.work(START - 1)
        while due != NEVER:
            assert not talk.finished(due)
            assert talk.waits_since() == NEVER
            due = talk.work(due)
        assert talk.finished(START)
        assert talk.lag == 0
        said += [(mark.stamp, client) for client, mark in talking.said]
    assert sorted(said) == [(START + turn * 100_000_000, turn % 4) for turn in range(7)]


def test_what_is_late_is_said_at_once_and_the_lag_is_told() -> None:
    talking = Talking([0, 1, 2, 3])
    talk = Pace(PLAN, Run(rate=1000, messages=5), START, talking.senders, talking.send)
    assert talk.work(START + 3_500_000) == START + 4_000_000
    assert len(talking.said) == 4
    assert talk.lag == 3_500_000
