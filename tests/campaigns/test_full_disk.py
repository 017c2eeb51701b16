"""The disk is full: messages are refused with 507, reading goes on, and when there is room again so does all else."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from msgspec import structs

from asyncchat import ChatServer
from asyncchat.client import Backoff, connect
from asyncchat.storage.store import Store
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.terms import Code
from tests.campaigns.serving import Process
from tests.server.peers import Native, Plain, limited, serving

LONG = "x" * 10_000


async def say_until_full(peer: Native) -> list[int]:
    """Talk until a message is refused; the seqs of those that were kept."""
    kept: list[int] = []
    while True:
        reply = await peer.ask(commands.Say(to="#lobby", text=LONG, nonce=f"{peer.welcome.name} {len(kept)}"))
        if isinstance(reply, events.Error):
            assert reply.code == Code.NOT_STORED
            return kept
        assert isinstance(reply, events.Ok)
        kept.append(reply.seq or 0)


async def history(peer: Native) -> list[int]:
    """The seqs of all messages of the lobby."""
    kept: list[int] = []
    after: int | None = 0
    while after is not None:
        page = await peer.get(commands.History(to="#lobby", after=after, limit=50), events.History)
        kept += [event.seq for event in page.events]
        after = None if page.complete else page.next
    return kept


CHANGES = (
    commands.Topic(room="#lobby", text="full"),
    commands.Join(room="#new"),
    commands.React(seq=1, reaction="+1"),
    commands.Nick(name="other"),
)
"""What needs a little room; on a disk that is full to the last byte it is refused as well."""


async def check_that_reading_goes_on(alice: Native, bob: Native, kept: list[int]) -> None:
    """Questions are answered, and what needs no disk happens."""
    assert await history(alice) == kept
    assert {member.name for member in (await bob.get(commands.Who(room="#lobby"), events.Members)).members} == {
        "alice",
        "bob",
    }
    await alice.get(commands.Away(text="until there is room"), events.Ok)
    assert (await bob.event(events.Presence)).text == "until there is room"
    bob.send(commands.Typing(to="#lobby"))
    assert (await alice.event(events.Typing)).sender == "bob"
    for refused in (commands.Say(to="bob", text=LONG), commands.Edit(seq=kept[-1], text=LONG)):
        assert await alice.refusal(refused) == Code.NOT_STORED
    await alice.get(commands.Ping(), events.Ok)


async def check_that_all_goes_on(alice: Native, bob: Native, kept: list[int]) -> None:
    """There is room: what was refused before succeeds, once, with the same nonce."""
    seq = await alice.say(LONG, nonce=f"alice {len(kept)}")
    assert seq == await alice.say(LONG, nonce=f"alice {len(kept)}")
    assert seq > kept[-1]
    assert (await bob.event(events.Said, seq=seq)).text == LONG
    assert await history(bob) == [*kept, seq]
    await alice.get(commands.Join(room="#new"), events.Ok)
    await alice.get(commands.Nick(name="alicia"), events.Ok)
    assert (await bob.event(events.Renamed)).to == "alicia"


async def allow(server: ChatServer, pages: int) -> None:
    """Let the database have so many pages of 4 KiB."""

    def pragma(store: Store) -> None:
        store.connection.execute(f"PRAGMA max_page_count = {pages}")

    await server._storage.log.run(pragma)


async def test_a_page_limit(tmp_path: Path) -> None:
    async with (
        serving(limited(rate=0), data=tmp_path) as server,
        await Native.open(server, "alice") as alice,
        await Native.open(server, "bob") as bob,
    ):
        await allow(server, 120)
        kept = await say_until_full(alice)
        assert len(kept) > 10
        await check_that_reading_goes_on(alice, bob, kept)
        await allow(server, 1 << 20)
        await check_that_all_goes_on(alice, bob, kept)


async def test_the_library_tells_the_application(tmp_path: Path) -> None:
    """It is not sent again behind its back: only the person knows whether it is still to be said."""
    async with serving(limited(rate=0), data=tmp_path) as server, connect(server.addresses[0], name="alice") as chat:

        async def say_until_refused() -> None:
            while True:
                await chat.say("#lobby", LONG)

        await allow(server, 120)
        with pytest.raises(Refused) as caught:
            await say_until_refused()
        assert caught.value.code == Code.NOT_STORED
        await allow(server, 1 << 20)
        await chat.say("#lobby", LONG)


# --- a real disk ----------------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB. Needs root, on Linux; the page limit above shows the same without."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def fill(disk: Path) -> Path:
    """Take all the room that is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return ballast


@pytest.fixture
async def process(disk: Path) -> AsyncIterator[Process]:
    async with Process("--limit", "rate=0", data=disk) as process:
        yield process
        # The first says so for the messages, the second for what is done beside them.
        told = ("Records cannot be stored: ", "maintenance of the database: not stored: ")
        assert not [line for line in process.complaints() if not any(text in line for text in told)]


async def test_a_disk_that_is_full(disk: Path, process: Process) -> None:
    async with await Native.open(process.address, "alice") as alice, await Native.open(process.address, "bob") as bob:
        kept = [await alice.say("before")]
        ballast = fill(disk)
        kept += await say_until_full(alice)
        await check_that_reading_goes_on(alice, bob, kept)
        for refused in CHANGES:
            change = structs.replace(refused, seq=kept[-1]) if isinstance(refused, commands.React) else refused
            assert await alice.refusal(change) == Code.NOT_STORED, change
        async with await Plain.open(process.address) as carol:  # who comes in and reads, but cannot speak
            carol.send("carol\n")
            await carol.until("exit leaves")
            carol.send(f"{LONG}\n")
            await carol.until("not stored")
            ballast.unlink()
        await check_that_all_goes_on(alice, bob, kept)
        kept = await history(bob)
        fill(disk)
        kept += await say_until_full(alice)
    # Neither does it stand in the way of an orderly end, nor of a crash and a start.
    assert await process.stop(signal.SIGTERM) == 0
    ballast.unlink()
    await process.start()
    async with await Native.open(process.address, "reader") as reader:
        assert await history(reader) == kept


async def test_talkers_who_try_again(disk: Path, process: Process) -> None:
    """What is refused with 507 may be sent again with its nonce, and is kept once."""
    async with connect(process.address, name="alice", reconnect=Backoff(first=0.01)) as alice:
        refusals = 0

        async def say(n: int) -> int:
            nonlocal refusals
            while True:
                try:
                    return (await alice.say("#lobby", f"{n} {LONG}", nonce=f"n{n}")).seq
                except Refused as error:
                    if error.code != Code.NOT_STORED:
                        raise
                    refusals += 1
                    await asyncio.sleep(0.005)

        talking = [asyncio.create_task(say(n)) for n in range(60)]
        for _ in range(5):
            ballast = fill(disk)
            await asyncio.sleep(0.05)
            ballast.unlink()
            await asyncio.sleep(0.05)
        seqs = await asyncio.gather(*talking)
        assert refusals
        assert len(set(seqs)) == len(seqs)
    async with await Native.open(process.address, "reader") as reader:
        assert await history(reader) == sorted(seqs)
