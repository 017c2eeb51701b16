"""Latencies counted in steps that grow with them: small, mergeable, and exact to a percent."""

from collections.abc import Iterable, Mapping
from math import ceil

STEPS_BITS = 6
"""64 steps for each power of two: a step is at most 1/64 of its value, its middle off by 0.8 %."""

_LINEAR = 2 << STEPS_BITS  # below it, each value has a step of its own


class Histogram:
    """Counts of nanoseconds."""

    __slots__ = ("counts", "highest", "total")

    def __init__(self, counts: Mapping[int, int] | None = None, *, highest: int = 0, total: int = 0) -> None:
        self.counts = dict(counts or {})
        self.highest = highest
        self.total = total  # of all values, for the mean

    def add(self, value: int, times: int = 1) -> None:
        """Count a value, below 0 as 0."""
        if value < 0:
            value = 0
        step = step_of(value)
        self.counts[step] = self.counts.get(step, 0) + times
        self.total += value * times
        if value > self.highest:
            self.highest = value

    def merge(self, others: Iterable["Histogram"]) -> None:
        """Count what others have counted."""
        for other in others:
            for step, times in other.counts.items():
                self.counts[step] = self.counts.get(step, 0) + times
            self.total += other.total
            self.highest = max(self.highest, other.highest)

    def __len__(self) -> int:
        """How many values were counted."""
        return sum(self.counts.values())

    def quantile(self, share: float) -> float:
        """The value that *share* (0 to 1) of all values do not exceed, by nearest rank; 0.0 when there is none."""
        rank = max(1, ceil(share * len(self)))
        seen = 0
        for step in sorted(self.counts):
            seen += self.counts[step]
            if seen >= rank:
                return min(middle_of(step), float(self.highest))
        return 0.0

    @property
    def mean(self) -> float:
        """The mean, exact; 0.0 when there is none."""
        return self.total / len(self) if self.counts else 0.0


def step_of(value: int) -> int:
    """The step that a value (not negative) is counted in."""
    shift = value.bit_length() - STEPS_BITS - 1
    return value if shift <= 0 else (shift << STEPS_BITS) + (value >> shift)


def middle_of(step: int) -> float:
    """The value in the middle of a step."""
    if step < _LINEAR:
        return float(step)
    shift = (step >> STEPS_BITS) - 1
    return float(step - (shift << STEPS_BITS) << shift) + (1 << shift) / 2
