"""`make bench`: this server beside the bare asyncio loop, on this machine, in this run.

What counts is the ratio to the bare loop, which does nothing but read and write: it shows a slower commit on any
machine. It fails when a message is lost, out of order or delivered twice, and never because of a time.

    python -m benchmarks.run [--only A,D] [--runs 3] [--fanout FILE.c]
"""

import argparse
import asyncio
import contextlib
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

from asyncchat.bench.measure import Job, measure
from asyncchat.bench.plan import Plan, Run
from asyncchat.bench.report import faults
from asyncchat.bench.server import MEMORY, Server, own_server
from asyncchat.bench.workers import BenchError
from asyncchat.vocabulary.addresses import parse_address
from benchmarks import fanout
from benchmarks.scenarios import SCENARIOS, Figures, Kind, Scenario

RUNS = 3
"""Each scenario is measured so many times, if not told, with the same clients; the figures are medians."""

HEAD = f"{'':38}{'deliveries/s':>14}{'CPU µs each':>13}{'p50 ms':>9}{'p99 ms':>9}   to the bare loop"


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure this server beside the bare asyncio loop.")
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--only", metavar="NAMES", help=f"of {','.join(names)}: these")
    parser.add_argument("--fanout", type=Path, metavar="FILE.c", help="measure with this load generator, written in C")
    parser.add_argument(
        "--runs", type=int, default=RUNS, metavar="N", help="the figures are medians of so many runs (3)"
    )
    given = parser.parse_args()
    wanted = given.only.split(",") if given.only else names
    if not set(wanted) <= set(names):
        parser.error(f"--only: there are {', '.join(names)}")
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in wanted]
    with tempfile.TemporaryDirectory(prefix="asyncchat-bench-") as folder:
        program = None if given.fanout is None else fanout.compile_into(Path(folder), given.fanout)
        return asyncio.run(compare(scenarios, program, max(1, given.runs)))


async def compare(scenarios: list[Scenario], program: Path | None, runs: int) -> int:
    """Measure, and print a line for each; the exit status."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if len(cores) < 2:
        cores = []
        print("there is one core only: server and generator share it")
    print(HEAD, flush=True)
    faulty = False
    for scenario in scenarios:
        print(f"{scenario.name:<3}{scenario.what}")
        bare: Figures | None = None
        for kind in scenario.kinds:
            try:
                figures = await one(scenario, kind, cores, program, runs)
            except BenchError as error:
                print(f"     {kind.value}: {error}")
                return 1
            bare = bare or figures
            print(f"     {line(scenario, kind, figures, bare)}", flush=True)
            faulty = faulty or bool(figures.faults)
    return int(faulty)


def line(scenario: Scenario, kind: Kind, figures: Figures, bare: Figures) -> str:
    """One server's figures."""
    text = (
        f"{kind.value:<33}{figures.deliveries_per_s:>14,.0f}{figures.cpu_us:>13.2f}"
        f"{figures.p50_ms:>9.3f}{figures.p99_ms:>9.3f}   {ratio(scenario, figures, bare)}"
    )
    if figures.generator >= 0.9:
        text += f"  (the generator took {figures.generator:.0%} of a core)"
    return text + (f"  NOT FAULTLESS: {figures.faults}" if figures.faults else "")


def ratio(scenario: Scenario, figures: Figures, bare: Figures) -> str:
    """What the scenario is about, as a multiple of the bare loop's."""
    if figures is bare:
        return "1"
    if scenario.by_latency:
        return f"p50 × {of(figures.p50_ms, bare.p50_ms)}, p99 × {of(figures.p99_ms, bare.p99_ms)}"
    return f"rate × {of(figures.deliveries_per_s, bare.deliveries_per_s)}, CPU × {of(figures.cpu_us, bare.cpu_us)}"


def of(value: float, base: float) -> str:
    return f"{value / base:.2f}" if base else "?"


# --- one measurement ------------------------------------------------------------------------------------------------


async def one(scenario: Scenario, kind: Kind, cores: list[int], program: Path | None, runs: int) -> Figures:
    """Start the server, measure it, end it."""
    async with server_of(kind, cores[0] if cores else None) as server:
        if program is not None:
            assert server.pid is not None
            return await fanout.measure(program, scenario, parse_address(server.address).port, server.pid, cores[1:])
        return await with_our_own(scenario, server, runs)


async def with_our_own(scenario: Scenario, server: Server, runs: int) -> Figures:
    plan = Plan(
        address="",
        run=secrets.token_hex(3),
        clients=scenario.clients,
        senders=scenario.senders,
        window=scenario.window,
    )
    measured = await measure(
        Job(
            plan=plan,
            runs=[Run(rate=scenario.rate, seconds=scenario.seconds)] * runs,
            address=parse_address(server.address),
            pid=server.pid,
            pin=True,
        ),
        lambda what, share, count: None,
    )
    results = measured.runs
    return Figures(
        deliveries_per_s=median(run.deliveries_per_s for run in results),
        cpu_us=median(run.server_cpu_us or 0.0 for run in results),
        p50_ms=median(run.latency_ms.p50 for run in results),
        p99_ms=median(run.latency_ms.p99 for run in results),
        generator=median(run.generator_cpu_share + run.generator_kept_waiting for run in results),
        faults=", ".join(fault for run in results for fault in (*faults(run), *run.troubles)),
    )


@contextlib.asynccontextmanager
async def server_of(kind: Kind, core: int | None) -> AsyncIterator[Server]:
    match kind:
        case Kind.BARE:
            async with bare_loop(core) as server:
                yield server
        case Kind.DURABLE | Kind.MEMORY:
            async with own_server(MEMORY if kind is Kind.MEMORY else None, core) as server:
                yield server


@contextlib.asynccontextmanager
async def bare_loop(core: int | None) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, Path(__file__).with_name("bare_asyncio.py"), stdout=asyncio.subprocess.PIPE
    )
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    assert process.stdout is not None
    try:
        *_, address = (await process.stdout.readline()).decode().split()
        yield Server(address, process.pid, "the bare asyncio loop")
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    sys.exit(main())
