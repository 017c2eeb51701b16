"""The library over a network that cuts connections anywhere, in the middle of lines and of logins."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from asyncchat import ChatServer, Limits, Settings
from asyncchat.client import Backoff, ChatClient, Resumed, connect
from asyncchat.vocabulary import events
from asyncchat.vocabulary.errors import ConnectionLost
from tests.client.chats import cut

AT_ONCE = Backoff(first=0.001, longest=0.02)
MESSAGES = 60


class BadNetwork:
    """Listens, and passes bytes on to a server in small portions, until each connection has had as many as it gets.

    The random numbers are a given sequence; the order of events is not.
    """

    def __init__(self, host: str, port: int, seed: int) -> None:
        self._host = host
        self._port = port
        self._random = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.cuts = 0
        self.good = False

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        return f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        there, back = await asyncio.open_connection(self._host, self._port)
        left = [1 << 40 if self.good else self._random.randrange(200, 12_000)]
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, back, left))
                group.create_task(self._copy(there, writer, left))
        except* (OSError, ConnectionLost):
            self.cuts += 1
        finally:
            writer.transport.abort()
            back.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: list[int]) -> None:
        while data := await reader.read(self._random.randrange(1, 400)):
            left[0] -= len(data)
            if left[0] <= 0:
                writer.write(data[: self._random.randrange(len(data))])
                await writer.drain()
                raise ConnectionLost("cut")
            writer.write(data)
            await writer.drain()
        raise ConnectionLost("closed")


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    settings = Settings(limits=Limits(rate=0))
    async with ChatServer(listen=["tcp://127.0.0.1:0"], data=":memory:", settings=settings) as server:
        yield server


async def _talk(chat: ChatClient) -> list[events.Said]:
    """Many messages, some at a time."""
    said: list[events.Said] = []
    for start in range(0, MESSAGES, 4):
        said += await asyncio.gather(*(chat.say("#lobby", f"{chat.name} {start + each}") for each in range(4)))
    return said


async def _listen(chat: ChatClient, count: int) -> list[events.Said]:
    heard: list[events.Said] = []
    async for event in chat:
        assert not isinstance(event, Resumed) or event.complete
        if isinstance(event, events.Said):
            heard.append(event)
            if len(heard) == count:
                break
    return heard


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_lost_and_nothing_comes_twice(server: ChatServer, seed: int) -> None:
    host, port = "127.0.0.1", int(str(server.addresses[0]).rpartition(":")[2])
    network = BadNetwork(host, port, seed)
    async with network as address:
        network.good = True  # the first connection is not tried twice
        clients = [await connect(address, name=name, reconnect=AT_ONCE, queue=40) for name in ("alice", "bob", "carol")]
        network.good = False
        for chat in clients:
            cut(chat)
        listening = [asyncio.create_task(_listen(chat, MESSAGES * len(clients))) for chat in clients]
        acknowledged = [said for talk in await asyncio.gather(*map(_talk, clients)) for said in talk]
        heard = await asyncio.gather(*listening)
        await asyncio.gather(*(chat.aclose() for chat in clients))
    assert network.cuts > 10, "it was a bad network"
    everything = [said.seq for said in heard[0]]
    assert everything == sorted({said.seq for said in acknowledged})
    assert all([said.seq for said in each] == everything for each in heard)
    assert sorted(said.text for said in heard[0]) == sorted(said.text for said in acknowledged)
