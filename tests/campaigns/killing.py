"""The server is killed (``kill -9``) at random moments and started again, while eight people talk.

By hand: ``python -m tests.campaigns.killing --times 200``.
"""

import argparse
import asyncio
import random
import signal
import tempfile
import time
from pathlib import Path

from tests.campaigns.serving import Process
from tests.campaigns.talkers import talking


async def kill(times: int, seed: int, data: Path) -> int:
    """Kill a server so many times; returns how many messages were said. What is lost or doubled fails an assertion."""
    chance = random.Random(seed)
    # Not a port: while nobody listens on it, a client's own end of a connection could get it.
    async with Process("--limit", "rate=0", data=data, listen=f"unix:{data}/chat") as server:
        async with talking(lambda _: server.address, seed) as progress:
            for _ in range(times):
                # Now and then before anybody is back, mostly in the middle of their talk.
                await progress.past(progress.said + chance.choice((0, 1, 20, 100, 300)))
                await asyncio.sleep(chance.random() * 0.02)
                await server.stop(signal.SIGKILL)
                await server.start()
            await progress.past(progress.said + 100)
        assert not server.complaints()
        assert await server.stop() == 0
    return progress.said


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
