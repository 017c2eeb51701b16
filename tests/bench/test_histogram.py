import math

from hypothesis import given
from hypothesis import strategies as st

from asyncchat.bench.histogram import Histogram, middle_of, step_of

NANOSECONDS = st.integers(0, 2**40) | st.integers(0, 300)
ONE_STEP = 1 / 64  # of a value


@given(st.lists(NANOSECONDS, min_size=1), st.floats(0, 1))
def test_a_quantile_is_that_of_the_sorted_values(values: list[int], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    assert abs(histogram.quantile(share) - exact) <= exact * ONE_STEP / 2 + 0.5
    assert len(histogram) == len(values)
    assert histogram.highest == max(values)
    assert math.isclose(histogram.mean, sum(values) / len(values))


@given(st.lists(st.lists(NANOSECONDS)))
def test_merged_is_the_same_as_counted_together(parts: list[list[int]]) -> None:
    together, merged = Histogram(), Histogram()
    for part in parts:
        one = Histogram()
        for value in part:
            together.add(value)
            one.add(value)
        merged.merge([one])
    assert (merged.counts, merged.highest, merged.total) == (together.counts, together.highest, together.total)


@given(st.integers(0, 2**63))
def test_a_step_holds_the_values_around_its_middle(value: int) -> None:
    assert abs(middle_of(step_of(value)) - value) <= max(0.5, value * ONE_STEP / 2)
    assert step_of(value + 1) - step_of(value) in (0, 1)


def test_many_at_once_are_as_many_one_by_one() -> None:
    at_once, one_by_one = Histogram(), Histogram()
    at_once.add(1000, times=3)
    for _ in range(3):
        one_by_one.add(1000)
    assert (at_once.counts, at_once.total) == (one_by_one.counts, one_by_one.total)


def test_what_came_before_it_was_said_took_no_time() -> None:
    histogram = Histogram()
    histogram.add(-5)
    assert histogram.quantile(1.0) == 0.0


def test_nothing_has_no_latency() -> None:
    assert (Histogram().quantile(0.99), Histogram().mean) == (0.0, 0.0)
