"""Results in words, and a bar that shows how far it is."""

from collections.abc import Iterator
from typing import TextIO

from asyncchat.bench.measure import Measured, is_behind, title
from asyncchat.bench.result import Result

WIDTH = 30
"""Characters of the bar."""


class Bar:
    """A line on a terminal that is written over and over; on what is no terminal, nothing."""

    def __init__(self, stream: TextIO, shown: bool) -> None:
        self._stream = stream
        self._shown = shown and stream.isatty()
        self._length = 0

    def show(self, what: str, share: float, count: int) -> None:
        """How much of it is done, 0 to 1, and a count."""
        done = round(share * WIDTH)
        self._write(f"{what} [{'#' * done}{'.' * (WIDTH - done)}] {share:4.0%} {count:,}")

    def clear(self) -> None:
        """Leave an empty line for what comes."""
        self._write("")

    def _write(self, text: str) -> None:
        if self._shown:
            self._stream.write("\r" + text.ljust(self._length) + ("" if text else "\r"))
            self._stream.flush()
            self._length = len(text)


def lines(measured: Measured) -> Iterator[str]:
    """The whole report."""
    plan, joining = measured.plan, measured.joining
    rooms = "a room" if plan.rooms == 1 else f"{plan.rooms:,} rooms"
    yield f"clients     {plan.clients:,} in {rooms}, {plan.senders:,} of them talk, {plan.size} bytes a message"
    yield f"server      {measured.server} ({measured.version})"
    kept = "" if joining.memory is None else f"; {joining.memory / 1024:.1f} KiB of the server's memory each"
    yield f"logging in  {joining.seconds:.2f} s{kept}"
    for run in measured.runs:
        yield ""
        yield from of_run(measured, run)
    if len(measured.runs) > 1:
        yield ""
        yield from table(measured)


def of_run(measured: Measured, run: Result) -> Iterator[str]:
    """One run's part of the report."""
    plan = measured.plan
    yield title(run.rate) if run.rate else f"{title(0)}, {plan.window} messages of each sender on their way"
    yield (
        f"  deliveries  {run.deliveries:,} of {run.expected:,} in {run.seconds:.2f} s:"
        f" {run.deliveries_per_s:,.0f} a second ({run.messages_per_s:,.1f} messages a second)"
    )
    late = run.latency_ms
    yield (
        f"  latency     p50 {late.p50:.3g} ms, p90 {late.p90:.3g}, p99 {late.p99:.3g}, p99.9 {late.p999:.3g},"
        f" highest {late.max:.3g}"
    )
    if run.server_cpu_share is not None:
        each = "" if run.server_cpu_us is None else f", {run.server_cpu_us:.2f} µs a delivery"
        yield f"  server      {run.server_cpu_share:.0%} of a core{each}"
    processes = "1 process" if plan.processes == 1 else f"{plan.processes} processes"
    yield f"  generator   {processes}, the busiest took {run.generator_cpu_share:.0%} of a core"
    yield from (f"  {remark}" for remark in remarks(measured, run))


def remarks(measured: Measured, run: Result) -> Iterator[str]:
    """What one must know to understand the figures."""
    if run.faultless:
        yield "all came, once and in order"
    else:
        yield f"NOT FAULTLESS: {', '.join(faults(run))}"
        yield from (f"  {trouble}" for trouble in run.troubles)
    if run.generator_limited:
        yield (
            f"THE GENERATOR WAS THE BOTTLENECK: it took {run.generator_cpu_share:.0%} of a core, and waited for one"
            f" {run.generator_kept_waiting:.0%} of the time. The server may carry more than this"
        )
    if is_behind(run):
        yield f"the server did not keep up: {run.messages_per_s:,.1f} messages a second of {run.rate:,g}"
    allowed = measured.limits.get("rate", 0)
    if allowed and (not run.rate or run.rate > allowed * measured.plan.senders):
        yield (
            f"the server lets a client say {allowed:g} messages a second: that is measured here. Start it with"
            " --limit rate=0, or let more clients talk (--senders)"
        )


def faults(run: Result) -> Iterator[str]:
    """What went wrong, counted."""
    for count, what in (
        (run.lost, "deliveries lost"),
        (run.disorder, "out of order"),
        (run.duplicates, "delivered again"),
        (run.strays, "where they do not belong"),
        (run.refused, "messages refused"),
        (run.gaps, "gaps told"),
        (run.disconnects, "clients disconnected"),
    ):
        if count:
            yield f"{count:,} {what}"


def table(measured: Measured) -> Iterator[str]:
    """Several runs, a line each."""
    yield f"{'':>21}  deliveries/s    p50 ms    p99 ms  server µs  server core"
    for run in measured.runs:
        each = "" if run.server_cpu_us is None else f"{run.server_cpu_us:.2f}"
        share = "" if run.server_cpu_share is None else f"{run.server_cpu_share:.0%}"
        late = run.latency_ms
        yield (
            f"{title(run.rate):>21}  {run.deliveries_per_s:>12,.0f}  {late.p50:>8.3g}  {late.p99:>8.3g}"
            f"  {each:>9}  {share:>11}"
        )
