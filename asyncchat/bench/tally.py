"""What was counted while it was measured."""

from asyncchat.bench.histogram import Histogram


class Tally:
    """One process's counts of one run.

    ``deliveries``: each message once for each member that got it. ``duplicates``: what somebody got again.
    ``disorder``: what somebody got after what it should precede. ``strays``: what nobody said, or not in that room.
    ``last``: when the last delivery came (nanoseconds of the clock).
    """

    __slots__ = ("deliveries", "disorder", "duplicates", "last", "latency", "strays")

    def __init__(self) -> None:
        self.deliveries = 0
        self.duplicates = 0
        self.disorder = 0
        self.strays = 0
        self.last = 0
        self.latency = Histogram()
