import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.client.reconnect import LONGEST_ASKED, Backoff


def test_waits_grow_and_stay_below_the_longest() -> None:
    schedule = Backoff(first=0.5, factor=2, longest=5)
    assert [schedule.ceiling(attempt) for attempt in range(6)] == [0.5, 1, 2, 4, 5, 5]


def test_the_jitter_is_full() -> None:
    schedule = Backoff(first=1, factor=2, longest=30)
    assert schedule.delay(3, 0.0) == 0
    assert schedule.delay(3, 0.5) == 4
    chance = random.Random(1)
    waits = [schedule.delay(3, chance.random()) for _ in range(1000)]
    assert min(waits) < 1 < 7 < max(waits) < 8


def test_what_the_server_asks_for_is_waited() -> None:
    schedule = Backoff(first=1, factor=2, longest=30)
    assert schedule.delay(0, 0.9, asked=12.5) == 12.5
    assert schedule.delay(1, 0.5, asked=12.5) == 13.5, "spread when it did not help"
    assert schedule.delay(0, 0.9, asked=0) == 0


@pytest.mark.parametrize(("asked", "waited"), [(-5.0, 0.0), (1e9, LONGEST_ASKED)])
def test_no_server_parks_a_client_for_ever(asked: float, waited: float) -> None:
    assert Backoff().delay(0, 0.5, asked=asked) == waited


@given(st.integers(0, 10**9), st.floats(0, 1, exclude_max=True))
def test_any_attempt_has_a_wait_within_bounds(attempt: int, chance: float) -> None:
    schedule = Backoff()
    assert 0 <= schedule.delay(attempt, chance) <= schedule.longest
