"""The command line: what is measured, how it is told.

Exit status: 0 when every message came to everyone, once and in order; 1 when not, or when nothing could be measured; 2
for a command line that is wrong.
"""

import argparse
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from asyncchat._start import INTERRUPTED, SIGNALLED
from asyncchat._version import __version__
from asyncchat.bench import plan as bounds
from asyncchat.bench import plot, report
from asyncchat.bench.measure import Ended, Job, Measured, run_job
from asyncchat.bench.plan import Plan, Run
from asyncchat.bench.server import MEMORY
from asyncchat.bench.workers import BenchError
from asyncchat.vocabulary.addresses import Address, is_loopback, parse_address
from asyncchat.vocabulary.printable import printable

if sys.platform != "win32":
    import resource

FAULTY = 1

SECONDS = 10.0
"""Length of a run, if not told."""

STEP_SECONDS = 5.0
"""Length of each run where there are several."""

SPARE_FILES = 100
"""Files that a process has open besides its connections."""

CLIENTS_OF_A_PROCESS = 250
"""Fewer are not worth another process."""

PASSWORD_VARIABLE = "ASYNCCHAT_SERVER_PASSWORD"

DESCRIPTION = (
    "How many people does my machine carry? Logs clients in, lets some of them talk, and looks at all that comes back."
)

EPILOG = f"""\
A server that is given by its address keeps what is said, in rooms named #bench-N: do not measure one that people use.
One that runs with a limit on messages a second is measured with it; --limit rate=0 takes it off.

exit status:
  0  every message came to everyone, once and in order
  1  something was lost, out of order or refused; or the server cannot be reached
  2  the command line is wrong

environment:
  {PASSWORD_VARIABLE}  the password of the server, if it asks everybody for one

examples:
  python -m asyncchat.bench --clients 1000
  python -m asyncchat.bench --clients 1000 --rate 20 --data .
  python -m asyncchat.bench localhost:7777 --clients 100 --senders 100 --window 1
  python -m asyncchat.bench --clients 200 --plot latency.png
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; *arguments* are the command line's. Returns the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        job = _job(given)
    except ValueError as error:
        parser.error(str(error))
    bar = report.Bar(sys.stderr, shown=not given.quiet)
    try:
        if given.plot is not None:
            plot.check()
        allow_files(job)
        measured = run_job(job, bar.show)
        bar.clear()
        _tell(measured, as_json=given.json)
        if given.plot is not None:
            plot.draw(measured, given.plot)
    except BenchError as error:
        bar.clear()
        sys.stderr.write(f"asyncchat.bench: {printable(str(error))}\n")
        return FAULTY
    except KeyboardInterrupt:
        bar.clear()
        return INTERRUPTED
    except Ended as ended:
        bar.clear()
        return SIGNALLED + ended.number
    return 0 if measured.faultless else FAULTY


def _tell(measured: Measured, *, as_json: bool) -> None:
    if as_json:
        text = msgspec.json.encode(measured).decode()
    else:
        text = "\n".join(printable(line) for line in report.lines(measured))
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# --- the command line -----------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asyncchat.bench",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "address",
        nargs="?",
        metavar="ADDRESS",
        help="a running server: tcp://HOST:PORT, unix:PATH, or HOST[:PORT] (default: one is started for this)",
    )
    parser.add_argument("--version", action="version", version=f"asyncchat {__version__}")
    _add_server(parser.add_argument_group("the server"))
    _add_people(parser.add_argument_group("the people"))
    _add_talk(parser.add_argument_group("what they say"))
    _add_measuring(parser.add_argument_group("the measurement"))
    return parser


def _add_server(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--data",
        metavar="DIR",
        help="where the server that is started gets a new directory for its data, removed at the end: on the disk that"
        f" you mean to use; {MEMORY} to keep nothing (default: the system's directory for temporary files)",
    )
    group.add_argument(
        "--pid", type=_whole(1, 1 << 31), metavar="PID", help="the running server's process, to tell its CPU and memory"
    )
    group.add_argument(
        "--remote", action="store_true", help="the address is on another machine, and I may put load on it"
    )


def _add_people(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--clients", type=_whole(1, bounds.MAX_CLIENTS), default=100, metavar="N", help="connections (%(default)s)"
    )
    group.add_argument(
        "--rooms",
        type=_whole(1, bounds.MAX_CLIENTS),
        default=1,
        metavar="N",
        help="rooms that they are spread over; each is in one (%(default)s)",
    )
    group.add_argument(
        "--senders", type=_whole(1, bounds.MAX_CLIENTS), metavar="N", help="how many of them talk (4, or all if fewer)"
    )


def _add_talk(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--window",
        type=_whole(1, bounds.MAX_WINDOW),
        default=64,
        metavar="N",
        help="messages of each sender that are on their way at a time, if it goes as fast as possible (%(default)s)",
    )
    group.add_argument(
        "--rate",
        type=_rates,
        metavar="R[,R...]",
        help="messages a second, all senders together; several rates are measured one after the other (default: as fast"
        " as possible)",
    )
    group.add_argument(
        "--size",
        type=_whole(bounds.MIN_SIZE, bounds.MAX_SIZE),
        default=64,
        metavar="BYTES",
        help="of a message (%(default)s)",
    )


def _add_measuring(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--duration",
        type=_seconds,
        metavar="SECONDS",
        help=f"length of a run ({SECONDS:g}; {STEP_SECONDS:g} where there are several)",
    )
    group.add_argument(
        "--messages",
        type=_whole(1, bounds.MAX_MESSAGES),
        metavar="N",
        help="end a run after so many messages, all senders together",
    )
    group.add_argument(
        "--processes",
        type=_whole(1, bounds.MAX_PROCESSES),
        metavar="N",
        help="processes of the generator (default: one for each core but one, if there are clients enough)",
    )
    group.add_argument(
        "--stall",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="what has not come by then is lost (%(default)g)",
    )
    group.add_argument(
        "--pin", action="store_true", help="keep the server on one core and the generator on the others, if possible"
    )
    group.add_argument("--json", action="store_true", help="tell the results as JSON")
    group.add_argument("--quiet", action="store_true", help="no progress bar")
    group.add_argument(
        "--plot",
        type=Path,
        metavar="FILE.png",
        help="draw latency against load, at rates up to nearly what the server takes (or at those of --rate)",
    )


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text[:20]) <= high):
            raise argparse.ArgumentTypeError(f"a number from {low:,} to {high:,} is needed, not {text!r}")
        return int(text)

    return parse


def _positive(text: str, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= high:  # NaN neither
        raise argparse.ArgumentTypeError(f"a number above 0, and at most {high:,g}, is needed, not {text!r}")
    return value


def _seconds(text: str) -> float:
    return _positive(text, bounds.MAX_SECONDS)


def _rates(text: str) -> list[float]:
    return [_positive(rate, bounds.MAX_RATE) for rate in text.split(",")]


# --- what it means --------------------------------------------------------------------------------------------------


def _job(given: argparse.Namespace) -> Job:
    """The job; raises ValueError for what does not fit together."""
    address = None if given.address is None else _address(given.address, remote=given.remote)
    if address is None and given.pid is not None:
        raise ValueError("--pid belongs to the address of a running server")
    if address is not None and given.data is not None:
        raise ValueError("--data belongs to a server that is started for this: give no address")
    senders = given.senders or min(4, given.clients)
    if given.rooms > given.clients or senders > given.clients:
        raise ValueError("there must be a client for each room, and for each sender")
    processes = given.processes or _processes(given.clients)
    if processes > given.clients:
        raise ValueError("there must be a client for each process")
    plan = Plan(
        address="",
        run=secrets.token_hex(3),
        clients=given.clients,
        rooms=given.rooms,
        senders=senders,
        window=given.window,
        size=given.size,
        processes=processes,
        stall=given.stall,
        server_password=os.environ.get(PASSWORD_VARIABLE),
    )
    return Job(
        plan=plan,
        runs=_runs(given),
        ladder=given.plot is not None and given.rate is None,
        address=address,
        pid=given.pid,
        data=given.data,
        pin=given.pin,
    )


def _address(text: str, *, remote: bool) -> Address:
    address = parse_address(text)
    match address.scheme:
        case "unix":
            return address
        case "tcp" if remote or is_loopback(address.host):
            return address
        case "tcp":
            raise ValueError(f"{address} is another machine: with --remote, if you may put load on it")
        case _:
            raise ValueError(f"{address.scheme} is not measured: give a tcp:// or unix: address")


def _runs(given: argparse.Namespace) -> list[Run]:
    rates = given.rate or [0.0]
    several = len(rates) > 1 or given.plot is not None
    messages = given.messages or bounds.MAX_MESSAGES
    if given.duration is not None:
        seconds = given.duration
    elif given.messages is not None:
        seconds = bounds.MAX_SECONDS
    else:
        seconds = STEP_SECONDS if several else SECONDS
    return [Run(rate=rate, seconds=seconds, messages=messages) for rate in rates]


def _processes(clients: int) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores - 1, clients // CLIENTS_OF_A_PROCESS, bounds.MAX_PROCESSES))


def allow_files(job: Job) -> None:
    """Let this process and its children have a file open for each connection; raises `BenchError`."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    of_generator = -(-job.plan.clients // job.plan.processes)
    needed = SPARE_FILES + (job.plan.clients if job.address is None else of_generator)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BenchError(f"this system lets a process have {hard:,} files open: too few for so many clients")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
