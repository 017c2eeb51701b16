"""Eight people talk through a network that delays, cuts in the middle of lines, freezes and resets.

By hand: ``python -m tests.campaigns.weather --times 2000``.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.campaigns.proxy import FATES, Proxy
from tests.campaigns.serving import Process
from tests.campaigns.talkers import talking

STEP = 20
"""Messages after which it is looked at how much has happened."""


async def storm(times: int, seed: int, data: Path) -> tuple[int, Counter[str]]:
    """Let so many connections come to harm; returns how many messages were said, and what happened.

    What is lost or doubled fails an assertion.
    """
    async with Process("--limit", "rate=0", data=data) as server, Proxy(server.address, seed) as proxy:
        async with talking(lambda _: proxy.address, seed) as progress:
            while proxy.fates.total() < times or any(proxy.fates[fate] == 0 for fate in FATES):
                await progress.past(progress.said + STEP)
            proxy.calm = True  # pages of history are too long to come through whole
        assert not server.complaints()
        assert await server.stop() == 0
    return progress.said, proxy.fates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"{arguments.times} connections come to harm, seed {arguments.seed}")
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as data:
        said, fates = asyncio.run(storm(arguments.times, arguments.seed, Path(data)))
    print(", ".join(f"{fate}: {count}" for fate, count in sorted(fates.items())))
    print(f"{said} messages, every one kept once and heard once, in one order; {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
