"""The server program as a process of its own, and the log that it writes."""

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from asyncchat.server import command_line

ROOT = Path(__file__).parent.parent.parent

PROGRAM = (sys.executable, "-W", "error", "-m", "asyncchat.server")

SECONDS = 20.0
"""For what takes less than one on a machine that is not busy."""

LISTENING = re.compile(r"Listening on (\S+)")


class ServerProcess:
    """``python -m asyncchat.server`` with these flags; `started` waits for it.

    It keeps nothing unless told where, and listens on any free port unless told otherwise (None: told nothing).
    ``before`` are the words of a program that runs this one. ``lines`` are the lines of its log so far. As a context
    manager it is killed at the end, if it still runs.
    """

    def __init__(
        self,
        *flags: str,
        data: Path | str = ":memory:",
        listen: Sequence[str] | None = ("tcp://127.0.0.1:0",),
        before: Sequence[str] = (),
        **popen: Any,
    ) -> None:
        self.lines: list[str] = []
        self.addresses: list[str] = []
        words = [word for address in listen or () for word in ("--listen", address)]
        self.process = subprocess.Popen(
            [*before, *PROGRAM, "--data", str(data), *words, *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            **{"cwd": ROOT, **popen},
        )

    def started(self, addresses: int = 1) -> Self:
        """Wait until it listens on so many addresses."""
        while len(self.addresses) < addresses:
            self.addresses += LISTENING.findall(self.wait_for("Listening on"))
        return self

    @property
    def port(self) -> int:
        """The port of the first address."""
        return int(self.addresses[0].rpartition(":")[2])

    def wait_for(self, text: str) -> str:
        """The next line of the log that contains the text."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            if text in line:
                return self.lines[-1]
        raise AssertionError(f"the log ended without {text!r}: {self.lines}")

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Read the rest of the log, and wait for the end; the exit status."""
        assert self.process.stderr is not None
        self.lines += self.process.stderr.read().splitlines()
        return self.process.wait(SECONDS)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it with a signal; the exit status."""
        self.send_signal(number)
        return self.ended()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()


def run(*flags: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program to its end, which is expected to come by itself; *said* is on its standard input."""
    return subprocess.run(
        [*PROGRAM, *flags],
        input=said,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
    )


def call(*flags: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """Like `run`, for what needs no process, which costs ten times as much: in a thread, which may have a loop."""
    streams = [io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8") for text in (said, "", "")]
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.setenv("COLUMNS", "200")
        for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
            patch.setattr(sys, name, stream)
        try:
            status = pool.submit(command_line.main, flags).result()
        except SystemExit as end:  # by argparse
            status = int(end.code or 0)
    for stream in streams:
        stream.seek(0)
    return subprocess.CompletedProcess(flags, status, streams[1].read(), streams[2].read())
