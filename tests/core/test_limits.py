"""The limits themselves, and the bucket that slows a talker."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.core.limits import LARGEST, BadSetting, Limits, TokenBucket


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, 10**400, LARGEST + 1, True, "5", None, 1.5])
def test_a_limit_that_is_none(value: object) -> None:
    with pytest.raises(BadSetting, match=r"limits\.text"):
        Limits(text=value)  # type: ignore[arg-type]


def test_a_rate_may_be_a_fraction() -> None:
    assert Limits(rate=0.5, text=0).rate == 0.5


def test_a_burst_is_free_and_then_the_rate_counts() -> None:
    bucket = TokenBucket(rate=10, burst=3, now=0.0)
    assert [bucket.take(1, 0.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.1, 0.2]
    assert bucket.take(1, 0.3) == 0.0
    assert bucket.take(1, 100.0) == 0.0


def test_a_rate_of_0_is_no_limit() -> None:
    bucket = TokenBucket(rate=0, burst=1, now=0.0)
    assert [bucket.take(1000, 0.0) for _ in range(5)] == [0.0] * 5


def test_one_is_always_allowed() -> None:
    assert TokenBucket(rate=1, burst=0, now=0.0).take(1, 0.0) == 0.0


@given(st.floats(0.5, 100), st.integers(1, 50), st.lists(st.tuples(st.integers(1, 10), st.floats(0, 5)), min_size=1))
def test_whoever_waits_as_told_keeps_to_the_rate(rate: float, burst: int, takes: list[tuple[int, float]]) -> None:
    bucket = TokenBucket(rate, burst, 0.0)
    now, taken = 0.0, 0
    for count, pause in takes:
        now += pause
        now += bucket.take(count, now)
        taken += count
        assert taken <= burst + rate * now + 1e-6
