"""What the measuring process and its workers say to each other: one JSON object a line, on the workers' pipes.

    → Join      ← Ready ...   ← Joined
    → Settle    ← Settled                      (nothing comes any more of those who joined)
    → Go        ← Progress ...   ← Talked      (nothing more will be said)
    → Expect    ← Progress ...   ← Done        (what was expected has come, or nothing comes any more)
    → Go ...                                   (as often as wanted; the end of the pipe ends the worker)

`Failed` may come instead of any of them, and is the last.
"""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from asyncchat.bench.plan import Plan, Run


class Order(Struct, frozen=True, tag_field="order"):
    """What a worker is told to do."""


class Join(Order, frozen=True):
    """Connect your share of the clients. ``board``: the file of `asyncchat.bench.board`; ``core``: stay on this one."""

    plan: Plan
    process: int
    board: str | None = None
    core: int | None = None


class Settle(Order, frozen=True):
    """All clients of all workers are there: tell when nothing comes any more."""


class Go(Order, frozen=True):
    """Let the senders talk, from the time ``start`` on (nanoseconds of the clock)."""

    run: Run
    start: int


class Expect(Order, frozen=True):
    """This many messages of the run each room's members should have received, by room."""

    messages: dict[int, int]


class Report(Struct, frozen=True, tag_field="report"):
    """What a worker tells."""


class Ready(Report, frozen=True):
    """So many clients are logged in by now."""

    clients: int


class Joined(Report, frozen=True):
    """All are logged in. ``limits``: those of the server, whose name and version is ``server``."""

    server: str
    limits: dict[str, int | float]


class Settled(Report, frozen=True):
    """It is quiet."""


class Progress(Report, frozen=True):
    """So many deliveries by now."""

    deliveries: int


class Talked(Report, frozen=True):
    """All is said: this many messages, by room. ``refused``: of these, the server took no notice but an error."""

    said: dict[int, int]
    refused: dict[int, int]


class Done(Report, frozen=True, kw_only=True):
    """What one worker counted of one run. Times are nanoseconds; ``busy`` and ``kept_waiting`` are of the CPU.

    ``last``: when the last delivery came (0: none came). ``latency``: counts by step. ``order``: for each room a
    checksum of the order in which its messages came. ``troubles``: in words, the first few.
    """

    deliveries: int
    duplicates: int
    disorder: int
    strays: int
    gaps: int
    disconnects: int
    last: int
    latency: dict[int, int]
    latency_highest: int
    latency_total: int
    order: dict[int, int]
    send_lag: int
    busy: int
    kept_waiting: int
    wall: int
    troubles: list[str]


class Failed(Report, frozen=True):
    """The worker cannot go on, for a reason that is told to people."""

    reason: str


WorkerOrder = Join | Settle | Go | Expect
WorkerReport = Ready | Joined | Settled | Progress | Talked | Done | Failed

encode = msgspec.json.Encoder().encode
decode_order: Callable[[bytes], WorkerOrder] = msgspec.json.Decoder(WorkerOrder).decode
decode_report: Callable[[bytes], WorkerReport] = msgspec.json.Decoder(WorkerReport).decode
