"""The server program beside the loop of a test: started, watched, killed, and started again."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parent.parent.parent

PROGRAM = (sys.executable, "-m", "asyncchat.server")

PATIENCE = 30.0
"""Seconds for a start or an end, which take less than one on a machine that is not busy."""

LINES = 10_000
"""Lines of the log that are kept."""

LINE_OF_LOG = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO ")


class Process:
    """``python -m asyncchat.server``, for ``async with``.

    ``addresses`` are those it listens on, ``address`` the first of them. ``lines`` are the last lines of its log, of
    all its lives. With *descriptors*, so many files may be open in it.
    """

    def __init__(
        self,
        *flags: str,
        data: Path | str = ":memory:",
        listen: str = "tcp://127.0.0.1:0",
        descriptors: int | None = None,
    ) -> None:
        self._words = [*PROGRAM, "--data", str(data), "--listen", listen, *flags]
        if descriptors is not None:
            self._words = ["bash", "-c", f'ulimit -n {descriptors} && exec "$@"', "bash", *self._words]
        self._process: subprocess.Popen[bytes] | None = None
        self._log: asyncio.Task[None] | None = None
        self.address = listen
        self.addresses: list[str] = []
        self._complaints: list[str] = []
        self.lines: deque[str] = deque(maxlen=LINES)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            await self.stop(signal.SIGKILL)

    async def start(self) -> Self:
        """Start it, and wait until it listens."""
        self._process = self._spawn()
        self.addresses.clear()
        listening: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._log = asyncio.create_task(self._read_log(self._process.stderr, listening))
        async with asyncio.timeout(PATIENCE):
            await listening
        self.address = self.addresses[0]
        return self

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    async def _read_log(self, pipe: Any, listening: "asyncio.Future[None]") -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            async for line in reader:
                self.lines.append(line.decode().rstrip("\n"))
                if not LINE_OF_LOG.match(self.lines[-1]):
                    self._complaints.append(self.lines[-1])
                if not listening.done() and (found := re.search(r"Listening on (\S+)", self.lines[-1])):
                    self.addresses.append(found[1])
                    if len(self.addresses) == self._words.count("--listen"):
                        listening.set_result(None)
        finally:
            transport.close()
            if not listening.done():
                listening.set_exception(AssertionError(f"it did not start: {list(self.lines)[-20:]}"))

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """End it with a signal; its exit status."""
        assert self._process is not None
        assert self._log is not None
        with contextlib.suppress(ProcessLookupError):
            self.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            await self._log  # its log ends when it does
        status = self._process.wait()
        self._process = None
        return status

    @property
    def memory(self) -> int:
        """Bytes that it holds in memory (resident)."""
        assert self._process is not None
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def complaints(self) -> list[str]:
        """Lines of the log that tell of a fault in the server, or are no lines of a log."""
        return list(self._complaints)
