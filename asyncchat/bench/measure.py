"""A measurement from the first connection to the last result: one run, or several at different rates."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

from msgspec import Struct, structs

from asyncchat.bench.plan import MAX_RATE, Plan, Run
from asyncchat.bench.result import Result, summarise
from asyncchat.bench.server import Server, own_server, reach
from asyncchat.bench.usage import cpu_time, memory
from asyncchat.bench.workers import Workers
from asyncchat.vocabulary.addresses import Address

LADDER = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9)
"""Rates of a ladder, as shares of what the server takes as fast as possible."""

BEHIND = 0.9
"""A server that delivers a smaller share of what is said each second is overloaded; higher rates show nothing new."""

OnProgress = Callable[[str, float, int], None]
"""Told what is done, how much of it (0 to 1), and how many clients or deliveries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to measure. ``address`` None: a server of our own, with this ``data`` (see `own_server`).

    ``runs``: one after the other, with the same clients; ``ladder``: then at rates that follow from the first. ``pin``:
    the server stays on one core, the generator on the others.
    """

    plan: Plan
    runs: Sequence[Run]
    ladder: bool = False
    address: Address | None = None
    pid: int | None = None
    data: str | None = None
    pin: bool = False


class Joining(Struct, frozen=True, kw_only=True):
    """The logins. ``memory``: bytes of the server a connection, None if its process is not known."""

    seconds: float
    server_cpu: float | None
    memory: int | None


class Measured(Struct, frozen=True, kw_only=True):
    """All results. ``server``: what was measured; ``limits``: those that it has."""

    server: str
    version: str
    plan: Plan
    limits: dict[str, int | float]
    joining: Joining
    runs: list[Result]

    @property
    def faultless(self) -> bool:
        """No run lost anything or got it out of order."""
        return all(run.faultless for run in self.runs)


async def measure(job: Job, progress: OnProgress) -> Measured:
    """Do the job; raises `BenchError` when it cannot be done."""
    cores = sorted(os.sched_getaffinity(0)) if job.pin and hasattr(os, "sched_setaffinity") else []
    if len(cores) < 2:
        cores = []
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(_server(job, cores[0] if cores else None))
        plan = structs.replace(job.plan, address=server.address)
        workers = await stack.enter_async_context(Workers(plan, cores[1:]))
        return await _Measurement(job, plan, server, workers, progress).all()


def _server(job: Job, core: int | None) -> contextlib.AbstractAsyncContextManager[Server]:
    return own_server(job.data, core) if job.address is None else _running(job.address, job.pid)


@contextlib.asynccontextmanager
async def _running(address: Address, pid: int | None) -> AsyncIterator[Server]:
    yield await reach(address, pid)


class _Measurement:
    def __init__(self, job: Job, plan: Plan, server: Server, workers: Workers, progress: OnProgress) -> None:
        self._job = job
        self._plan = plan
        self._server = server
        self._workers = workers
        self._progress = progress

    async def all(self) -> Measured:
        memory_before, cpu_before, began = self._memory(), self._cpu(), monotonic()
        joined = await self._workers.join(
            lambda clients: self._progress("logging in", clients / self._plan.clients, clients)
        )
        seconds = monotonic() - began
        await self._workers.settle()
        cpu, used = _difference(cpu_before, self._cpu()), _difference(memory_before, self._memory())
        return Measured(
            server=self._server.what,
            version=joined.server,
            plan=structs.replace(self._plan, server_password=None),
            limits=joined.limits,
            joining=Joining(
                seconds=round(seconds, 4),
                server_cpu=None if cpu is None else cpu / 1e9,
                memory=None if used is None else used // self._plan.clients,
            ),
            runs=await self._runs(),
        )

    async def _runs(self) -> list[Result]:
        results: list[Result] = []
        for run in self._job.runs:
            results.append(await self._run(run))
            if not results[-1].faultless:
                return results
        if self._job.ladder:
            for run in ladder(self._job.runs[-1], results[-1]):
                results.append(await self._run(run))
                if not results[-1].faultless or is_behind(results[-1]):
                    break
        return results

    async def _run(self, run: Run) -> Result:
        began = monotonic()
        each = self._plan.clients / self._plan.rooms

        def tell(deliveries: int) -> None:
            by_time = (monotonic() - began) / run.seconds
            self._progress(title(run.rate), min(1.0, max(by_time, deliveries / (run.scheduled * each))), deliveries)

        cpu = self._cpu()
        start, talked, done = await self._workers.run(run, tell)
        return summarise(self._plan, run, start, talked, done, _difference(cpu, self._cpu()))

    def _cpu(self) -> int | None:
        return None if self._server.pid is None else cpu_time(self._server.pid)

    def _memory(self) -> int | None:
        return None if self._server.pid is None else memory(self._server.pid)


def title(rate: float) -> str:
    """A run at this rate, in a few words."""
    return f"{rate:,g} messages/s" if rate else "as fast as possible"


def ladder(first: Run, result: Result) -> Iterator[Run]:
    """Runs at rates up to nearly what the server took in the first one."""
    for share in LADDER:
        rate = min(float(f"{result.messages_per_s * share:.2g}"), MAX_RATE)
        if rate > 0:
            yield structs.replace(first, rate=rate)


def is_behind(result: Result) -> bool:
    """The server did not keep up with the rate."""
    return result.rate > 0 and result.messages_per_s < BEHIND * result.rate


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def run_job(job: Job, progress: OnProgress) -> Measured:
    """`measure` for programs without a loop.

    Ended by a signal it leaves no process and no file behind; it raises `Ended` then, KeyboardInterrupt for Ctrl+C.
    """
    return asyncio.run(_until_signal(job, progress))


class Ended(Exception):  # noqa: N818 - nothing went wrong
    """The system asked the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


async def _until_signal(job: Job, progress: OnProgress) -> Measured:
    task = asyncio.ensure_future(measure(job, progress))
    received: list[int] = []

    def stop(number: int) -> None:
        if not received:
            task.cancel()  # once: a second time it would cut short what is cleared away
        received.append(number)

    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
                asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if received:
            raise Ended(received[0]) from None
        raise
