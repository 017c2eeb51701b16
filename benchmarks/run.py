"""`make bench`: this server beside the bare asyncio loop, on this machine, in this run.

What counts is the ratio to the bare loop, which does nothing but read and write: it shows a slower commit on any
machine. It fails when a message is lost, out of order or repeated, and never because of a time.

    python -m benchmarks.run [--only A,D] [--runs 3]
"""

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from asyncchat.vocabulary.addresses import parse_address
from asyncchat.vocabulary.errors import ProtocolError
from benchmarks.generator import Generator, Plan, Result
from benchmarks.load import BUSY, allow_files, pin
from benchmarks.server import MEMORY, LoadError, chat_server, process

BARE, DURABLE = "bare asyncio", "durable"
HEAD = f"{'':38}{'deliveries/s':>14}{'CPU µs each':>13}{'p50 ms':>9}{'p99 ms':>9}   to the bare loop"


class Scenario(NamedTuple):
    """One load, and the servers that get it, the bare loop first. ``rate`` 0: as fast as possible."""

    description: str
    plan: Plan
    seconds: float
    rate: float = 0.0
    servers: tuple[str, ...] = (BARE, DURABLE)


SCENARIOS = {
    "A": Scenario("bursts in a room of 100", Plan(clients=100, senders=4), 0.8),
    "A1": Scenario("one message at a time, 100 clients", Plan(clients=100, window=1), 0.6, servers=(BARE, MEMORY)),
    "B": Scenario("bursts in a room of 1,000", Plan(clients=1000, senders=4), 0.8),
    "C": Scenario("20 messages/s to 1,000", Plan(clients=1000, senders=4), 1.5, rate=20),
    "D": Scenario("a pair, round trips", Plan(clients=2, window=1), 0.5, servers=(BARE, DURABLE, MEMORY)),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a line for each server; returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure this server beside the bare asyncio loop.")
    parser.add_argument("--only", metavar="NAMES", default=",".join(SCENARIOS), help=f"of {','.join(SCENARIOS)}: these")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="of each the median of so many runs (3)")
    options = parser.parse_args(arguments)
    names = options.only.split(",")
    if not set(names) <= SCENARIOS.keys() or options.runs < 1:
        parser.error(f"--only: there are {', '.join(SCENARIOS)}; --runs: 1 or more")
    allow_files(max(SCENARIOS[name].plan.clients for name in names))
    core = pin()
    if core is None:
        print("there is one core only: server and generator share it")
    print(HEAD, flush=True)
    faulty = False
    for name in names:
        scenario = SCENARIOS[name]
        by_latency = scenario.rate > 0 or scenario.plan.clients == 2
        print(f"{name:<3}{scenario.description}")
        bare: Result | None = None
        for kind in scenario.servers:
            try:
                runs = measure(scenario, kind, core, options.runs)
            except (LoadError, ProtocolError) as error:
                print(f"     {kind}: {error}")
                return 1
            runs.sort(key=lambda run: run.latency_ms["p50"] if by_latency else run.deliveries_per_s)
            median = runs[len(runs) // 2]
            bare = bare or median
            print(f"     {kind:<33}{figures(median, bare, by_latency)}", flush=True)
            for run in runs:
                if run.faults:
                    faulty = True
                    print(f"     FAULTS: {run.faults} {run.details}")
    return int(faulty)


def measure(scenario: Scenario, kind: str, core: int | None, runs: int) -> list[Result]:
    """Start a server, measure it with the same clients so many times, and end it. Raises `LoadError`."""
    program = str(Path(__file__).with_name("bare_asyncio.py"))
    data = MEMORY if kind == MEMORY else None
    with (
        process(core, program) if kind == BARE else chat_server(data, core) as server,
        contextlib.closing(Generator(parse_address(server.address), scenario.plan, server.pid)) as load,
    ):
        load.login(lambda *_: None)
        return [load.run(scenario.rate, scenario.seconds, lambda *_: None) for _ in range(runs)]


def figures(run: Result, bare: Result, by_latency: bool) -> str:
    """One server's figures, and how they stand to the bare loop's."""
    rate, cpu, p50, p99 = _values(run)
    text = f"{rate:>14,.0f}{cpu:>13.2f}{p50:>9.3f}{p99:>9.3f}   "
    if run is bare:
        text += "1"
    else:
        ratios = [f"{one / base:.2f}" if base else "?" for one, base in zip(_values(run), _values(bare), strict=True)]
        text += ("p50 × {2}, p99 × {3}" if by_latency else "rate × {0}, CPU × {1}").format(*ratios)
    return text + (f"  (the generator was busy: {run.generator_busy:.0%})" if run.generator_busy >= BUSY else "")


def _values(run: Result) -> tuple[float, float, float, float]:
    return run.deliveries_per_s, run.server_cpu_us or 0.0, run.latency_ms["p50"], run.latency_ms["p99"]


if __name__ == "__main__":
    sys.exit(main())
