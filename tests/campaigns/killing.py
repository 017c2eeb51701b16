"""The server is killed (``kill -9``) at random moments and started again, while eight people talk and others revise.

By hand: ``python -m tests.campaigns.killing --times 200``.
"""

import argparse
import asyncio
import contextlib
import random
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from asyncchat.client import connect
from asyncchat.server.app import DATABASE
from asyncchat.storage.local_log import IDLE_SECONDS
from tests.campaigns.revisers import NAME, Reviser, examine
from tests.campaigns.serving import Process
from tests.campaigns.talkers import SOON, Progress, talking

REVISERS = 2

LIMITS = ("rate=0", "rooms=0", "rooms_in_all=0", "rooms_founded=0", "rooms_per_address=0")

LULL = 0.15
"""Seconds at most of the silence in which a server is killed now and then: after `IDLE_SECONDS` of it the log turns to
the maintenance of the database, which takes about as long after a busy time."""


async def kill(times: int, seed: int, data: Path) -> int:
    """Kill a server so many times; returns how many messages were said. What is lost or doubled fails an assertion."""
    chance = random.Random(seed)
    limits = [word for limit in LIMITS for word in ("--limit", limit)]
    # Not a port: while nobody listens on it, a client's own end of a connection could get it.
    async with Process(*limits, data=data, listen=f"unix:{data}/chat") as server:
        async with (
            talking(lambda _: server.address, seed) as progress,
            revising(server.address, progress, chance) as revisers,
        ):
            for _ in range(times):
                # Now and then before anybody is back, mostly in the middle of their talk.
                await progress.past(progress.said + chance.choice((0, 1, 20, 100, 300)))
                if chance.random() < 0.5:
                    progress.going_on.clear()
                    await asyncio.sleep(IDLE_SECONDS + chance.random() * LULL)
                else:
                    await asyncio.sleep(chance.random() * 0.02)
                await server.stop(signal.SIGKILL)
                await server.start()
                progress.going_on.set()
            await progress.past(progress.said + 100)
        assert not server.complaints()
        assert await server.stop() == 0
    examine(data / DATABASE, revisers)
    assert sum(reviser.removed for reviser in revisers)
    return progress.said


@asynccontextmanager
async def revising(address: str, progress: Progress, chance: random.Random) -> AsyncIterator[list[Reviser]]:
    """People revise what they say while the block runs, and then until the room at hand is done."""
    async with contextlib.AsyncExitStack() as stack:
        revisers = []
        for number in range(REVISERS):
            chat = await stack.enter_async_context(connect(address, name=f"{NAME}{number}", rooms=[], reconnect=SOON))
            revisers.append(Reviser(chat, random.Random(chance.random()), progress))
        async with asyncio.TaskGroup() as group:
            for reviser in revisers:
                group.create_task(reviser.revise())
            yield revisers
            progress.enough = True
        for reviser in revisers:
            await reviser.compare()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"killing a server {arguments.times} times, seed {arguments.seed}")
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as data:
        said = asyncio.run(kill(arguments.times, arguments.seed, Path(data)))
    print(f"{said} messages, every one kept once and heard once, in one order; {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
