"""Programs that run beside a test, read line by line and ended as a person ends them, with Ctrl+C."""

import asyncio
import os
import re
import signal
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent


class Program:
    """A running program: what it writes on standard output, and how it ended."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, pattern: str) -> re.Match[str]:
        """Read lines until one matches; fails, with all that was said, when the output ends before."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.lines.append(line.decode().rstrip("\r\n"))
            if found := re.search(pattern, self.lines[-1]):
                return found
        _, errors = await self.process.communicate()
        raise AssertionError(f"no line with {pattern!r} in {self.lines}; on standard error: {errors.decode()}")

    def type(self, text: str) -> None:
        """Write to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())

    def interrupt(self) -> None:
        """What Ctrl+C does."""
        self.process.send_signal(signal.SIGINT)

    async def end(self) -> tuple[int, str]:
        """Close its input and wait for its end: the exit status, and what it wrote on standard error."""
        rest, errors = await self.process.communicate()
        self.lines += rest.decode().splitlines()
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()


@asynccontextmanager
async def running(
    *command: str | Path, folder: Path = ROOT, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Program]:
    """A program with Python's output unbuffered; it is killed if the block leaves it running.

    Of a shell or a make it is the whole process group that is killed.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error", **(environment or {})},
        start_new_session=True,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()
        _join_waiting_threads()


async def run(
    *command: str | Path, said: str = "", folder: Path = ROOT, environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """A program from its start to its end, *said* on its standard input.

    Returns the exit status, standard output and standard error.
    """
    async with running(*command, folder=folder, environment=environment) as program:
        output, errors = await program.process.communicate(said.encode())
        assert program.process.returncode is not None
        return program.process.returncode, output.decode(), errors.decode()


def python(*arguments: str | Path) -> list[str]:
    """The command that runs Python as the tests do."""
    return [sys.executable, *map(str, arguments)]


def _join_waiting_threads() -> None:
    # Before Python 3.12 a thread waits for each process; it has told the loop, and ends any moment.
    for thread in threading.enumerate():
        if "waitpid" in thread.name:
            thread.join()
