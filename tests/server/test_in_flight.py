"""The limit ``in_flight``: who has so much on its way to the disk is not read any further, and loses nothing."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncchat.server.connection import Connection
from asyncchat.storage import local_log
from asyncchat.vocabulary import commands, events
from tests.server.ends import served
from tests.server.peers import PATIENCE, Native, limited, serving

COUNT = 20
"""Messages of the client that says much at once."""


class Disk:
    """A disk that can be made to stand still."""

    def __init__(self) -> None:
        self._moving = threading.Event()
        self._moving.set()

    def stop(self) -> None:
        self._moving.clear()

    def go_on(self) -> None:
        self._moving.set()

    def commit(self, *batch: Any) -> Any:
        assert self._moving.wait(PATIENCE), "the disk was never let go on"
        return local_commit(*batch)


local_commit = local_log.commit


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk()
    monkeypatch.setattr(local_log, "commit", disk.commit)
    yield disk
    disk.go_on()


async def begun(connection: Connection) -> None:
    """Wait until something of this client's is on its way; what one read brought is handled in one go."""
    async with asyncio.timeout(PATIENCE):
        while not connection.in_flight:  # noqa: ASYNC110 - tells nobody
            await asyncio.sleep(0)


def says(first: int) -> list[commands.Say]:
    return [commands.Say(id=n, to="#lobby", text=str(n)) for n in range(first, first + COUNT)]


async def test_beyond_it_reading_waits_and_nothing_is_lost(disk: Disk, tmp_path: Path) -> None:
    async with (
        serving(limited(in_flight=3, rate=0), tmp_path) as server,
        await Native.open(server, "fast") as fast,
        await Native.open(server, "other") as other,
    ):
        connection = served(server, "fast")
        disk.stop()
        fast.send(*says(0))
        await begun(connection)
        fast.send(*says(COUNT))
        for _ in range(3):  # the server reads and answers all the while, but not from this client
            await other.get(commands.Ping(), events.Ok)
            assert connection.in_flight == 3
            assert not connection.reading
        disk.go_on()
        for n in range(2 * COUNT):
            assert isinstance(await fast.reply(n), events.Ok)
            assert connection.in_flight <= 3
        assert fast.texts() == [str(n) for n in range(2 * COUNT)]


async def test_0_is_unlimited(disk: Disk, tmp_path: Path) -> None:
    async with serving(limited(in_flight=0, rate=0), tmp_path) as server, await Native.open(server, "fast") as fast:
        connection = served(server, "fast")
        disk.stop()
        fast.send(*says(0))
        await begun(connection)
        assert connection.in_flight == COUNT
        disk.go_on()
        for n in range(COUNT):
            assert isinstance(await fast.reply(n), events.Ok)
