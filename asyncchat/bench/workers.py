"""The workers' side of the measuring process: starts them, gives orders, waits for reports."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from asyncchat.bench.board import new_board
from asyncchat.bench.orders import (
    Done,
    Expect,
    Failed,
    Go,
    Join,
    Joined,
    Order,
    Progress,
    Ready,
    Report,
    Settle,
    Settled,
    Talked,
    decode_report,
    encode,
)
from asyncchat.bench.plan import Plan, Run

START = 100_000_000
"""Nanoseconds from the order to its execution, so that all workers begin at the same time."""

END_SECONDS = 5.0
"""For a worker to end by itself."""

MAX_REPORT = 1 << 20
"""Bytes of one report; a histogram is some tens of kilobytes."""

R = TypeVar("R", bound=Report)
OnProgress = Callable[[int], None]


class BenchError(Exception):
    """It cannot be measured; the text says why."""


class Workers:
    """The processes that run a plan's clients. Use it with ``async with``.

    ``cores``: where they stay, in turn; none: where the system puts them. All methods raise `BenchError`.
    """

    def __init__(self, plan: Plan, cores: list[int]) -> None:
        self._plan = plan
        self._cores = cores
        self._processes: list[asyncio.subprocess.Process] = []
        self._board: Path | None = None
        self._counts: dict[int, int] = {}

    async def __aenter__(self) -> Self:
        if self._plan.shared_rooms:
            self._board = new_board(self._plan.processes, self._plan.rooms)
        try:
            for _ in range(self._plan.processes):
                self._processes.append(await _start())
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            try:
                async with asyncio.timeout(END_SECONDS):
                    await process.communicate()
            except TimeoutError:
                process.kill()
                await process.communicate()
        if self._board is not None:
            self._board.unlink()

    # --- orders -----------------------------------------------------------------------------------------------------

    async def join(self, on_progress: OnProgress) -> Joined:
        """Log all clients in; *on_progress* is told how many are."""
        board = None if self._board is None else str(self._board)
        for process in range(self._plan.processes):
            core = self._cores[process % len(self._cores)] if self._cores else None
            await self._order(process, Join(self._plan, process, board, core))
        return (await self._all(Joined, on_progress))[0]

    async def settle(self) -> None:
        """Wait until nothing comes any more that is due to the logins."""
        await self._order_all(Settle())
        await self._all(Settled)

    async def run(self, run: Run, on_progress: OnProgress) -> tuple[int, list[Talked], list[Done]]:
        """Measure one run: when it began, and what the workers tell. *on_progress* is told the deliveries."""
        start = time.monotonic_ns() + START
        await self._order_all(Go(run, start))
        talked = await self._all(Talked, on_progress)
        expected = {room: messages_to(room, talked) for room in range(self._plan.rooms)}
        await self._order_all(Expect(expected))
        return start, talked, await self._all(Done, on_progress)

    async def _order_all(self, order: Order) -> None:
        for process in range(self._plan.processes):
            await self._order(process, order)

    async def _order(self, process: int, order: Order) -> None:
        stdin = self._processes[process].stdin
        assert stdin is not None
        with contextlib.suppress(ConnectionError):  # it has ended: its last report says why
            stdin.write(encode(order) + b"\n")
            await stdin.drain()

    # --- reports ----------------------------------------------------------------------------------------------------

    async def _all(self, kind: type[R], on_progress: OnProgress | None = None) -> list[R]:
        """Wait until every worker has sent this report."""
        self._counts = {}
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._one(process, kind, on_progress)) for process in range(self._plan.processes)
                ]
        except* BenchError as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _one(self, process: int, kind: type[R], on_progress: OnProgress | None) -> R:
        stdout = self._processes[process].stdout
        assert stdout is not None
        while line := await stdout.readline():
            report = decode_report(line)
            match report:
                case Failed(reason):
                    raise BenchError(reason)
                case Ready(count) | Progress(count):
                    self._counts[process] = count
                    if on_progress is not None:
                        on_progress(sum(self._counts.values()))
                case _ if isinstance(report, kind):
                    return report
                case _:
                    raise BenchError(f"a process of the generator tells {type(report).__name__} now")
        status = await self._processes[process].wait()
        raise BenchError(f"a process of the generator ended with status {status}")


def messages_to(room: int, talked: list[Talked]) -> int:
    """How many messages the members of a room should have received."""
    return sum(one.said.get(room, 0) - one.refused.get(room, 0) for one in talked)


async def _start() -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "asyncchat.bench.worker", stdin=pipe, stdout=pipe, limit=MAX_REPORT
    )
