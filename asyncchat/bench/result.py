"""What was measured in one run: counts of all workers together, and figures made of them."""

from msgspec import Struct

from asyncchat.bench.histogram import Histogram
from asyncchat.bench.orders import Done, Talked
from asyncchat.bench.plan import Plan, Run
from asyncchat.bench.workers import messages_to

BUSY = 0.9
"""A process that runs, or could run, for such a share of the time has no more to give."""


class Latency(Struct, frozen=True, kw_only=True):
    """From a message's way into its sender's socket to its way out of a receiver's, in milliseconds."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    p999: float
    max: float


class Result(Struct, frozen=True, kw_only=True):
    """One run.

    ``rate``: messages a second that were asked for (0: as fast as possible). ``messages``: said by all. ``refused``: of
    these, answered with an error. ``lost``, ``duplicates``, ``disorder``, ``strays``: deliveries that did not come,
    came again, came late, should not have come. ``gaps``: how often a client was told that something was left out.
    ``seconds``: from the beginning to the last delivery.

    Of the server, None where its process is not known: ``server_cpu``: seconds of all cores; ``server_cpu_share``: of
    one core; ``server_cpu_us``: microseconds a delivery. Of the generator's busiest process: ``generator_cpu_share`` of
    one core; ``generator_kept_waiting``: share of the time that it waited for a core; ``generator_limited``: it had no
    more to give, so that the figures tell more of it than of the server. ``send_lag_ms``: by how much a message was
    said late at worst.
    """

    rate: float
    messages: int
    refused: int
    expected: int
    deliveries: int
    lost: int
    duplicates: int
    disorder: int
    strays: int
    gaps: int
    disconnects: int
    seconds: float
    messages_per_s: float
    deliveries_per_s: float
    latency_ms: Latency
    server_cpu: float | None
    server_cpu_share: float | None
    server_cpu_us: float | None
    generator_cpu_share: float
    generator_kept_waiting: float
    generator_limited: bool
    send_lag_ms: float
    troubles: list[str]

    @property
    def faultless(self) -> bool:
        """Every message came to everyone, once and in order."""
        return not any(
            (self.refused, self.lost, self.duplicates, self.disorder, self.strays, self.gaps, self.disconnects)
        )


def summarise(
    plan: Plan, run: Run, start: int, talked: list[Talked], done: list[Done], server_cpu: int | None
) -> Result:
    """The result of a run; *server_cpu* in nanoseconds, *start* on the clock."""
    said = sum(sum(one.said.values()) for one in talked)
    expected = sum(messages_to(room, talked) * plan.members(room) for room in range(plan.rooms))
    deliveries = sum(one.deliveries for one in done)
    lost = expected - deliveries
    seconds = max(0, max(one.last for one in done) - start) / 1e9
    wall = max(one.wall for one in done) / 1e9
    busiest = max(done, key=_use)
    return Result(
        rate=run.rate,
        messages=said,
        refused=sum(sum(one.refused.values()) for one in talked),
        expected=expected,
        deliveries=deliveries,
        lost=lost,
        duplicates=sum(one.duplicates for one in done),
        # Where something is lost, the order of what is left cannot be compared.
        disorder=sum(one.disorder for one in done) + (0 if lost else _rooms_in_disorder(done)),
        strays=sum(one.strays for one in done),
        gaps=sum(one.gaps for one in done),
        disconnects=sum(one.disconnects for one in done),
        seconds=round(seconds, 6),
        messages_per_s=round(said / seconds, 3) if seconds else 0.0,
        deliveries_per_s=round(deliveries / seconds, 3) if seconds else 0.0,
        latency_ms=_latency(done),
        server_cpu=None if server_cpu is None else round(server_cpu / 1e9, 6),
        server_cpu_share=None if server_cpu is None else round(server_cpu / 1e9 / wall, 4),
        server_cpu_us=None if server_cpu is None or not deliveries else round(server_cpu / 1e3 / deliveries, 4),
        generator_cpu_share=round(busiest.busy / busiest.wall, 4),
        generator_kept_waiting=round(busiest.kept_waiting / busiest.wall, 4),
        generator_limited=_use(busiest) >= BUSY,
        send_lag_ms=round(max(one.send_lag for one in done) / 1e6, 3),
        troubles=[trouble for one in done for trouble in one.troubles],
    )


def _use(done: Done) -> float:
    return (done.busy + done.kept_waiting) / done.wall


def _rooms_in_disorder(done: list[Done]) -> int:
    """Rooms whose messages came to the clients of one process in another order than to those of another."""
    orders: dict[int, set[int]] = {}
    for one in done:
        for room, order in one.order.items():
            orders.setdefault(room, set()).add(order)
    return sum(len(different) > 1 for different in orders.values())


def _latency(done: list[Done]) -> Latency:
    all_together = Histogram()
    all_together.merge(Histogram(one.latency, highest=one.latency_highest, total=one.latency_total) for one in done)
    milliseconds = [round(all_together.quantile(share) / 1e6, 4) for share in (0.5, 0.9, 0.95, 0.99, 0.999)]
    p50, p90, p95, p99, p999 = milliseconds
    return Latency(
        mean=round(all_together.mean / 1e6, 4),
        p50=p50,
        p90=p90,
        p95=p95,
        p99=p99,
        p999=p999,
        max=round(all_together.highest / 1e6, 4),
    )
