"""Friends talk while foes attack: the friends must hardly notice, and the server's memory stays bounded.

By hand: ``python -m tests.campaigns.hostile --seconds 60``. The attacks are in `attacks`, and run by `attackers`.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from asyncchat.client import ChatClient, Resumed, connect
from asyncchat.vocabulary import commands, events
from tests.campaigns.attackers import ATTACKS
from tests.campaigns.attacks import OWNER, ROOM
from tests.campaigns.foes import come_from, line
from tests.campaigns.serving import ROOT, Process
from tests.campaigns.witnesses import check_shown, witnesses
from tests.server.certificates import Authority

FRIENDS = 4
PASSWORD = "known to the owner alone"
PATIENCE = 120.0
"""Seconds for an attack to be underway, or to end; the longest takes some ten on a machine that is not busy."""

PAUSE = 0.08
"""Seconds between two messages of a friend: 12 a second, below the limit ``rate``, so that nobody is made to wait."""

HASTE = 0.01
"""The same in the short form, where all they say is less than a ``burst``."""

FEWEST = 8
"""Messages of each friend during an attack, however short: the median of all times it took to hear them is sound even
if the machine stands still for a while, for only those then on their way are late."""


class Bound(NamedTuple):
    """Seconds that it may take to hear a message under attack: so many, and so many times what it takes in quiet."""

    seconds: float
    times: float

    def over(self, quiet: float) -> float:
        """The bound, where it takes so long in quiet."""
        return self.seconds + self.times * quiet


# A loop that stands still while it handles what an attack sends does so for all of it: tenths of a second for most of
# the messages. Beside that, the foes' own work takes time from the server and from those who measure, on two cores.
MEDIAN = Bound(0.25, 10.0)
"""Of the median, in both forms. Half of all messages are late only if the server is: a machine that is busy with other
things for a moment delays a few, and one that is busy all the time delays those in quiet as well."""

LAST_PERCENT = Bound(0.25, 5.0)
"""Of the 99th percentile, in the long form, where it is of some hundreds of messages and nothing else runs: people take
a quarter of a second for at once."""


class Measured(NamedTuple):
    """What an attack did: seconds from sending to hearing, bytes that the server's memory grew by, and its answer."""

    name: str
    times: list[float]
    growth: int
    answer: str

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def last_percent(self) -> float:
        return sorted(self.times)[int(len(self.times) * 0.99)]


class Friends:
    """A few people in a room; ``times`` are how long it took each of them to hear each message since the last look."""

    def __init__(self, chats: list[ChatClient], pause: float) -> None:
        self._chats = chats
        self._pause = pause
        self._sent: dict[str, float] = {}
        self._seqs: dict[str, int] = {}
        self._heard: list[list[str]] = [[] for _ in chats]
        self._changed = asyncio.Event()
        self.times: list[float] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """They hear one another while the block runs, whose end fails if one of them could not go on."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._listen(number)) for number in range(len(self._chats))]
            yield
            for task in tasks:
                task.cancel()

    async def _listen(self, number: int) -> None:
        async for event in self._chats[number]:
            assert not isinstance(event, Resumed), f"{self._chats[number].name} lost the connection"
            if isinstance(event, events.Said) and event.text in self._sent:
                self.times.append(time.perf_counter() - self._sent[event.text])
                self._heard[number].append(event.text)
                self._changed.set()

    async def talk(self, least: int, until: float) -> list[float]:
        """Each says at least so much, up to this moment; returns the times when all have heard it all."""
        self.times = []
        async with asyncio.TaskGroup() as group:
            for chat in self._chats:
                group.create_task(self._talk(chat, least, until))
        async with asyncio.timeout(PATIENCE):
            while any(len(heard) < len(self._sent) for heard in self._heard):
                self._changed.clear()
                await self._changed.wait()
        return self.times

    async def _talk(self, chat: ChatClient, least: int, until: float) -> None:
        while least > 0 or time.monotonic() < until:
            least -= 1
            text = f"message {len(self._sent)}"
            self._sent[text] = time.perf_counter()
            self._seqs[text] = (await chat.say(ROOM, text)).seq
            await asyncio.sleep(self._pause)

    def compare(self) -> None:
        """Everyone heard all messages once, in the order of the log."""
        order = sorted(self._seqs, key=self._seqs.__getitem__)
        assert len(order) == len(self._sent)
        assert all(heard == order for heard in self._heard)


class Foes:
    """The process of the attackers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders, self._told = process.stdin, process.stdout

    async def begin(self, name: str) -> str | None:
        """Begin an attack, and wait until it is underway; its answer if it is over already."""
        self._orders.write(f"{name}\n".encode())
        return await self._tell()

    async def end(self) -> str:
        """It is enough; the answer that the attackers got. Fails if it was not the expected one."""
        self._orders.write(b"enough\n")
        answer = await self._tell()
        assert answer is not None
        return answer

    async def _tell(self) -> str | None:
        async with asyncio.timeout(PATIENCE):
            told: dict[str, str] = json.loads(await self._told.readline())
        assert "failed" not in told, told["failed"]
        return told.get("answer")

    async def leave(self) -> None:
        """There are no more attacks."""
        self._orders.close()
        assert await self._process.wait() == 0


@asynccontextmanager
async def attackers(server: Process, authority: Authority, *, full: bool) -> AsyncIterator[Foes]:
    """Their process; what is left of it at the end is killed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.campaigns.attackers"),
        *(*server.addresses, authority.file, "full" if full else ""),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Foes(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


# --- the campaign -----------------------------------------------------------------------------------------------------


async def let_owner_in(address: str) -> str:
    """The owner comes in with the right password, from an address of their own."""
    async with await come_from("127.0.0.2", address) as raw:
        began = time.monotonic()
        raw.send(line(type="hello", name=OWNER, password=PASSWORD))
        assert json.loads(await raw.line())["type"] == "welcome"
        return f"; the owner was in after {time.monotonic() - began:.1f} s"


async def under(name: str, server: Process, foes: Foes, friends: Friends, seconds: float) -> Measured:
    """Measure during one attack."""
    before = peak = server.memory

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, server.memory)
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(watch())
    try:
        answer = await foes.begin(name)
        owner = await let_owner_in(server.address) if name == "wrong passwords" else ""
        times = await friends.talk(FEWEST, time.monotonic() + seconds)
        answer = (answer or await foes.end()) + owner
    finally:
        watching.cancel()
    return Measured(name, times, max(peak, server.memory) - before, answer)


async def measure(server: Process, foes: Foes, friends: Friends, share: float, folder: Path) -> list[Measured]:
    """Measure in quiet and under each attack."""
    quiet = await friends.talk(2 * FEWEST, time.monotonic() + share)
    measured = [Measured("quiet", quiet, 0, "")]
    for name in ATTACKS:
        if name == "escapes":
            async with witnesses(server.address, folder) as seeing:
                measured.append(await under(name, server, foes, friends, share))
                check_shown(await seeing)
        else:
            measured.append(await under(name, server, foes, friends, share))
    friends.compare()
    return measured


async def campaign(seconds: float, folder: Path, *, full: bool) -> list[Measured]:
    """All attacks in turn, for so many seconds in all (or more, where they take it); the first is none."""
    authority = Authority.new(folder)
    certificate, key = map(str, authority.issue())
    flags = ["--listen", "tls://127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key]
    if not full:
        flags += ["--limit", "first_line_seconds=1", "--limit", "handshake_seconds=1"]  # for which is waited
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(Process(*flags, data=folder))
        chats = [
            await stack.enter_async_context(connect(server.address, name=f"friend{n}", rooms=[ROOM]))
            for n in range(FRIENDS)
        ]
        async with connect(server.address, name=OWNER) as owner:
            await owner.request(commands.Register(password=PASSWORD))
        foes = await stack.enter_async_context(attackers(server, authority, full=full))
        friends = Friends(chats, PAUSE if full else HASTE)
        async with friends.listening():
            measured = await measure(server, foes, friends, seconds / (len(ATTACKS) + 1), folder)
        await foes.leave()
        check_shown("\n".join(server.lines))
        assert not server.complaints()
    return measured


def check(measured: list[Measured], *, full: bool) -> None:
    """The bounds are kept."""
    quiet, *attacks = measured
    for each in attacks:
        _, most, why = ATTACKS[each.name]
        assert each.growth <= most, f"{each.name}: memory grew by {each.growth >> 20} MiB, beyond {most >> 20} ({why})"
        bound = MEDIAN.over(quiet.median)
        assert each.median <= bound, f"{each.name}: the median is {each.median:.3f} s, beyond {bound:.3f}"
        bound = LAST_PERCENT.over(quiet.last_percent)
        assert not full or each.last_percent <= bound, (
            f"{each.name}: p99 is {each.last_percent:.3f} s, over {bound:.3f}"
        )


def table(measured: list[Measured]) -> str:
    """All of it, in lines."""
    rows = [f"{'attack':32}{'heard':>7}{'p50 ms':>9}{'p99 ms':>9}{'MiB':>6}  answer"]
    rows += [
        f"{each.name:32}{len(each.times):7}{each.median * 1e3:9.1f}{each.last_percent * 1e3:9.1f}"
        f"{each.growth / (1 << 20):6.1f}  {each.answer}"
        for each in measured
    ]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    print(f"{len(ATTACKS)} attacks in {arguments.seconds:.0f} s or more")
    with tempfile.TemporaryDirectory() as folder:
        measured = asyncio.run(campaign(arguments.seconds, Path(folder), full=True))
    print(table(measured))
    check(measured, full=True)
    print("nobody lost a message or the connection")


if __name__ == "__main__":
    main()
