"""Running out of file descriptors: those who are in are served, and when some leave others are let in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asyncchat.server.listeners import RESERVED_DESCRIPTORS
from tests.campaigns.serving import Process
from tests.server.peers import Native, Raw

MOST = 40
"""Clients for which the server has descriptors."""

FLOOD = 200


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Process]:
    async with Process(data=tmp_path, descriptors=RESERVED_DESCRIPTORS + MOST) as server:
        yield server


async def turned_away(address: str) -> bool:
    """Is a newcomer told that there is no room?"""
    async with await Raw.open(address) as raw:
        raw.send('{"type":"ping","id":1}\n')
        first = await raw.read()
        return not first or b"Too many connections" in first


async def test_there_is_room_again_when_some_leave(server: Process) -> None:
    peers = [await Native.open(server.address, f"peer{n}") for n in range(MOST)]
    for _ in range(3):
        assert await turned_away(server.address)
    await peers[0].say("those who are in are served")
    await peers[-1].raw.close()
    peers.pop()
    # That it has left is known when the others are told; then its place is free.
    while await turned_away(server.address):
        pass
    peers.append(await Native.open(server.address, "newcomer"))
    await peers[-1].say("here I am")
    for peer in peers:
        await peer.close()
    assert not server.complaints()


async def test_a_flood_of_connections_disturbs_nobody_who_is_in(server: Process) -> None:
    async with await Native.open(server.address, "alice") as alice, await Native.open(server.address, "bob") as bob:
        flooding = asyncio.create_task(flood(server.address))
        for n in range(20):
            seq = await alice.say(f"message {n}")
            while bob.told[-1:] == [] or getattr(bob.told[-1], "seq", 0) < seq:
                assert await bob.more()
        flooding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await flooding
        assert len(bob.texts()) == 20
        while await turned_away(server.address):
            pass
        async with await Native.open(server.address, "carol") as carol:
            await carol.say("let in")
        assert not server.complaints()


async def flood(address: str) -> None:
    """Connect as often and as fast as can be, and hold on to what is given."""

    async def one() -> None:
        while True:
            with contextlib.suppress(OSError):
                raw = await Raw.open(address)
                try:
                    await raw.reader.read()
                finally:
                    raw.abort()

    async with asyncio.TaskGroup() as group:
        for _ in range(FLOOD):
            group.create_task(one())
