"""How many people does my machine carry? Log clients in, let some of them send, and check all that comes back.

    python -m benchmarks.load --clients 1000 --rooms 10 --senders 4 --rate 50 --size 100 --seconds 10

Exit status: 0 when every message came to everyone, once and in order; 1 when not, or when nothing could be measured; 2
for a wrong command line.
"""

import argparse
import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence

import msgspec

from asyncchat.vocabulary.addresses import parse_address
from asyncchat.vocabulary.errors import ProtocolError
from asyncchat.vocabulary.printable import printable
from benchmarks.generator import MIN_SIZE, Generator, Plan, Result, title
from benchmarks.server import MEMORY, LoadError, Server, chat_server

if sys.platform != "win32":
    import resource

# For each number of the command line its default, lowest and highest value, and its help.
NUMBERS: dict[str, tuple[float, float, float, str]] = {
    "clients": (100, 1, 25_000, "connections"),  # one address has ports for 28,000 on Linux
    "rooms": (1, 1, 25_000, "rooms; each client is in one"),
    "senders": (4, 1, 25_000, "clients that send"),
    "size": (64, MIN_SIZE, 16_384, "bytes of a message"),  # the server's limit `text`
    "window": (64, 1, 1_000, "without --rate: messages of each sender that not everybody has received"),
    "seconds": (10.0, 0.01, 3_600.0, "length of a run"),
    "timeout": (10.0, 0.01, 3_600.0, "seconds without a delivery, after which what is missing is lost"),
}
MAX_RATE = 1_000_000.0  # messages a second: more than any server takes
BUSY = 0.9  # share of the time from which on the generator may be what limits the figures
SPARE_FILES = 100  # that a process has open beside its connections
STEPS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9)  # of --plot without --rate: shares of the highest rate

EPILOG = """A server that runs already keeps what is sent, in rooms named #load-N: do not measure one that people use.
Its limits hold; --limit rate=0 takes the one on messages a second off."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit status."""
    options = _parse(arguments)
    try:
        if options.plot is not None:
            importlib.import_module("matplotlib.figure")  # fails better before the measurement than after
        server, load, runs = _measure(options)
        if options.json:
            plan = {name: getattr(options, name) for name in NUMBERS}
            login = {"seconds": load.login_seconds, "memory_kib": load.memory_kib}
            print(msgspec.json.encode({"server": server, "plan": plan, "login": login, "runs": runs}).decode())
        else:
            print(*map(printable, _report(options, server, load, runs)), sep="\n")
        if options.plot is not None:
            _plot(options, runs)
    except (LoadError, ProtocolError, ImportError, OSError) as error:
        print(f"benchmarks.load: {printable(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return int(any(run.faults for run in runs))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.load", epilog=EPILOG, description="How many people does my machine carry?"
    )
    parser.add_argument("--connect", metavar="ADDRESS", help="a running server, tcp://HOST:PORT (default: a new one)")
    parser.add_argument("--pid", type=int, help="the process of that server, for its CPU and memory")
    parser.add_argument("--data", metavar="DIR", help=f"where a new server makes a directory for its data, or {MEMORY}")
    for name, (default, low, high, what) in NUMBERS.items():
        text = f"{what} ({low:g} to {high:g}, default {default:g})"
        parser.add_argument(f"--{name}", type=type(default), default=default, metavar="N", help=text)
    parser.add_argument("--rate", metavar="N[,N...]", help="messages a second of all senders (default: all that go)")
    parser.add_argument("--pin", action="store_true", help="keep a new server on one core, and the clients off it")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--plot", metavar="FILE.png", help="draw latency against load; needs matplotlib")
    options = parser.parse_args(arguments)
    for name, (_, low, high, _) in NUMBERS.items():
        if not low <= getattr(options, name) <= high:
            parser.error(f"--{name} must be from {low:g} to {high:g}")
    try:
        options.rates = [float(rate) for rate in options.rate.split(",")] if options.rate else [0.0]
        options.connect = parse_address(options.connect) if options.connect else None
    except ValueError as error:
        parser.error(str(error))
    if options.rate and not all(0 < rate <= MAX_RATE for rate in options.rates):
        parser.error(f"--rate must be above 0, and at most {MAX_RATE:g}")
    if options.connect is not None and (options.connect.scheme != "tcp" or options.data or options.pin):
        parser.error("--connect takes a tcp:// address; --data and --pin are for a new server")
    options.rooms, options.senders = min(options.rooms, options.clients), min(options.senders, options.clients)
    return options


def pin() -> int | None:
    """Keep this process off the first core; returns that core, or None if there is no other."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if len(cores) < 2:
        return None
    os.sched_setaffinity(0, cores[1:])
    return cores[0]


def allow_files(connections: int) -> None:
    """Let this process, and a server that it starts, have a file open for each connection, if the system does."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = connections + SPARE_FILES if hard < 0 else min(connections + SPARE_FILES, hard)  # infinity is negative
        if 0 <= soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _measure(options: argparse.Namespace) -> tuple[Server, Generator, list[Result]]:
    allow_files(options.clients)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that the server ends too
    running = contextlib.nullcontext(Server(str(options.connect), options.pid)) if options.connect else None
    with running or chat_server(options.data, pin() if options.pin else None) as server:
        plan = Plan(**{name: getattr(options, name) for name in NUMBERS if name != "seconds"})
        with contextlib.closing(Generator(parse_address(server.address), plan, server.pid)) as load:
            try:
                load.login(_progress)
                return server, load, list(_runs(options, load))
            finally:
                _progress("", 0, 0)


def _runs(options: argparse.Namespace, load: Generator) -> Iterator[Result]:
    """A run for each rate, until one is too high."""
    for rate in options.rates:
        result = load.run(rate, options.seconds, _progress)
        yield result
        if result.faults or result.behind:
            return
        if options.plot is not None and options.rates == [0.0]:
            options.rates += [float(f"{result.messages_per_s * step:.2g}") for step in STEPS]


def _progress(text: str, share: float, count: int) -> None:
    """Write over the last line of the terminal; no text clears it."""
    if sys.stderr.isatty():
        line = f"{text} [{'#' * round(share * 30):.<30}] {share:4.0%} {count:,}" if text else ""
        print(f"\r{line:<79}", end="" if text else "\r", file=sys.stderr, flush=True)


def _about(plan: argparse.Namespace) -> str:
    return f"{plan.clients:,} clients, {plan.rooms:,} room(s), {plan.senders:,} senders, {plan.size:,} bytes a message"


def _report(options: argparse.Namespace, server: Server, load: Generator, runs: list[Result]) -> Iterator[str]:
    welcome, memory = load.welcomes[0], load.memory_kib
    each = "" if memory is None else f", {memory:,.1f} KiB of the server's memory a connection"
    yield f"{welcome.server} {welcome.version} at {server.address}"
    yield f"{_about(options)}; login took {load.login_seconds:.2f} s{each}"
    yield ""
    columns = *(f"{name} ms" for name in runs[0].latency_ms), "server CPU", "µs each", "generator"
    yield f"{'':20}{'deliveries/s':>14}" + "".join(f"{column:>11}" for column in columns)
    for run in runs:
        cpu = "-" if run.server_cpu is None else f"{run.server_cpu:.0%}"
        each = "-" if run.server_cpu_us is None else f"{run.server_cpu_us:.2f}"
        columns = *(f"{latency:.4g}" for latency in run.latency_ms.values()), cpu, each, f"{run.generator_busy:.0%}"
        yield f"{title(run.rate):20}{run.deliveries_per_s:>14,.0f}" + "".join(f"{column:>11}" for column in columns)
    yield ""
    allowed = welcome.limits.get("rate", 0) * options.senders
    for run in runs:
        yield from (f"{title(run.rate)}: {remark}" for remark in _remarks(run, allowed))


def _remarks(run: Result, allowed: float) -> Iterator[str]:
    """What one must know to understand the figures."""
    if run.faults:
        yield f"FAULTS: {', '.join(f'{count:,} {fault}' for fault, count in run.faults.items())}"
        yield from run.details
    else:
        yield f"all {run.deliveries:,} deliveries came, once and in order"
    if run.generator_busy >= BUSY:
        yield "THE GENERATOR WAS THE BOTTLENECK: the server may carry more than this"
    if run.behind:
        yield f"the server did not keep up: {run.messages_per_s:,.1f} messages a second"
    if allowed and not 0 < run.rate <= allowed:
        yield f"the server lets all senders send {allowed:,g} messages a second: start it with --limit rate=0"


def _plot(options: argparse.Namespace, runs: list[Result]) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415 - needed for this alone

    figure = Figure(figsize=(8, 5), dpi=150, layout="constrained")
    axes = figure.add_subplot(title=_about(options), xlabel="load: deliveries a second", ylabel="latency, ms")
    for name in ("p99.9", "p99", "p50"):
        points = sorted((run.deliveries_per_s, run.latency_ms[name]) for run in runs if run.rate)
        axes.loglog(*zip(*points, strict=True), marker="o", label=name)
    for run in runs:
        if not run.rate:
            axes.axvline(run.deliveries_per_s, linestyle="--", color="grey", label=title(0))
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(options.plot, format="png")


if __name__ == "__main__":
    sys.exit(main())
