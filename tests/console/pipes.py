"""Clients that are started as programs, with pipes in the place of a terminal."""

import asyncio
import sys
from typing import Any

from tests.client.processes import reaped

CLIENT = [sys.executable, "-m", "asyncchat.client"]
PIPE = asyncio.subprocess.PIPE
PATIENCE = 20.0


class Program:
    """Starts clients; all of them are gone at the end."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._started: list[asyncio.subprocess.Process] = []

    async def start(self, *options: str, **streams: Any) -> asyncio.subprocess.Process:
        return await self._start(CLIENT + list(options), streams)

    async def _start(self, command: list[str], streams: dict[str, Any]) -> asyncio.subprocess.Process:
        pipes = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE, **streams}
        process = await asyncio.create_subprocess_exec(*command, env=self._environment, **pipes)
        self._started.append(process)
        return process

    async def run(self, *options: str, say: str | bytes = "") -> tuple[int | None, str, str]:
        """Status, output and errors of a client that is given this to say."""
        return await self.finish(await self.start(*options), say)

    async def shell(self, script: str) -> tuple[int | None, str, str]:
        """Status, output and errors of a shell; in its script, $CLIENT is the client."""
        script = script.replace("$CLIENT", " ".join(CLIENT))
        return await self.finish(await self._start(["bash", "-c", script], {}), b"")

    async def finish(self, process: asyncio.subprocess.Process, say: str | bytes) -> tuple[int | None, str, str]:
        data = say.encode() if isinstance(say, str) else say
        output, error = await asyncio.wait_for(process.communicate(data), PATIENCE)
        return process.returncode, output.decode(), error.decode()

    async def close(self) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
            await process.communicate()
        await reaped()


async def line(process: asyncio.subprocess.Process) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
