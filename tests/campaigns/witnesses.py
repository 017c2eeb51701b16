"""Those who are shown what foes say: the client program, and a person with nc."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.campaigns.attacks import LAST_ESCAPE, ROOM
from tests.campaigns.serving import ROOT
from tests.server.peers import Plain

CONTROLS = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u202a-\u202e\u2028\u2029\u2066-\u2069]")
"""What no terminal may get; newlines end lines."""

ESCAPE_SHOWN = "\u241b"
"""What is shown in the place of an escape."""


@asynccontextmanager
async def client_program(address: str, home: Path) -> AsyncIterator[asyncio.StreamReader]:
    """``python -m asyncchat.client`` in the room, without a terminal; what it prints."""
    words = [sys.executable, "-m", "asyncchat.client", address, "--name", "printer", "--room", ROOM]
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT, env={**os.environ, "XDG_CONFIG_HOME": str(home), "HOME": str(home)},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def witnesses(address: str, home: Path) -> AsyncIterator["asyncio.Task[str]"]:
    """What a person with nc and the client program are shown up to the last of the escapes."""
    plain = await Plain.enter(address, "netcat")
    plain.send(f"/join {ROOM}\n")
    async with plain, client_program(address, home) as printed:
        await plain.until("printer joined")

        async def see() -> str:
            shown = await plain.until(LAST_ESCAPE)
            told = ""
            while LAST_ESCAPE not in (line := (await printed.readline()).decode()):
                assert line, "the client program ended"
                told += line
            assert ESCAPE_SHOWN in shown
            assert ESCAPE_SHOWN in told
            return shown.replace("\r\n", "\n") + told

        seeing = asyncio.create_task(see())
        try:
            yield seeing
        finally:
            seeing.cancel()


def check_shown(text: str) -> None:
    """Nothing of it drives a terminal."""
    found = CONTROLS.search(text)
    assert found is None, text[max(found.start() - 100, 0) : found.end() + 100]
