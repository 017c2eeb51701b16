"""What `make bench` measures: a short form of the scenarios that the project's figures are given for."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The servers."""

    BARE = "bare asyncio"
    DURABLE = "durable"
    MEMORY = ":memory:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Each run ``seconds`` long, or so many ``messages`` for one that counts. ``rate`` 0: as fast as possible."""

    name: str
    what: str
    clients: int
    senders: int
    window: int
    rate: float = 0.0
    seconds: float
    messages: int
    kinds: tuple[Kind, ...] = (Kind.BARE, Kind.DURABLE)

    @property
    def by_latency(self) -> bool:
        """What counts is the time that a message takes, not how many there are."""
        return self.rate > 0 or self.clients == 2


ALL = (Kind.BARE, Kind.DURABLE, Kind.MEMORY)

SCENARIOS = (
    Scenario(name="A", what="bursts in a room of 100", clients=100, senders=4, window=64, seconds=0.8, messages=80_000),
    Scenario(
        name="A1",
        what="one message at a time, 100 clients",
        clients=100,
        senders=1,
        window=1,
        seconds=0.6,
        messages=3_000,
        kinds=(Kind.BARE, Kind.MEMORY),
    ),
    Scenario(
        name="B", what="bursts in a room of 1,000", clients=1000, senders=4, window=64, seconds=0.8, messages=8_000
    ),
    Scenario(
        name="C", what="20 messages/s to 1,000", clients=1000, senders=4, window=1, rate=20, seconds=1.5, messages=60
    ),
    Scenario(
        name="D", what="a pair, round trips", clients=2, senders=1, window=1, seconds=0.5, messages=2_000, kinds=ALL
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured. ``cpu_us``: of the server, a delivery. ``generator``: share of a core. ``faults``: words."""

    deliveries_per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    generator: float
    faults: str
