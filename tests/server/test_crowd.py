"""A thousand people in one room: everyone hears everything, in one order."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from asyncchat import ChatServer
from asyncchat.vocabulary import commands
from asyncchat.wire.native import encode_command
from tests.server.peers import Native, limited, serving, where

CLIENTS = 1_000
SENDERS = 4
MESSAGES = 25


class Listener(asyncio.Protocol):
    """A client that only counts and keeps: a thousand of them must not take the time that the server needs."""

    def __init__(self, count: int) -> None:
        self.said = bytearray()
        self.in_room = asyncio.get_running_loop().create_future()
        self.all_came = asyncio.get_running_loop().create_future()
        self.lost = asyncio.get_running_loop().create_future()
        self._count = count
        self._rest = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b'{"type":"said"'):
                self.said += line + b"\n"
                self._count -= 1
                if not self._count:
                    self.all_came.set_result(None)
            elif line.startswith(b'{"type":"welcome"'):
                self.in_room.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with serving(limited(rate=0)) as server:
        yield server


@pytest.mark.slow
@pytest.mark.timeout(240)  # a thousand logins, each told to those before it
async def test_a_thousand_clients_hear_every_message_in_one_order(server: ChatServer) -> None:
    loop = asyncio.get_running_loop()
    address = where(server)
    listeners = []
    for n in range(CLIENTS - SENDERS):
        _, listener = await loop.create_connection(lambda: Listener(SENDERS * MESSAGES), address.host, address.port)
        listener.transport.write(encode_command(commands.Hello(name=f"listener{n}")))
        listeners.append(listener)
    await asyncio.gather(*(listener.in_room for listener in listeners))
    senders = [await Native.open(server, f"sender{n}") for n in range(SENDERS)]
    assert server.connected == CLIENTS

    for n in range(MESSAGES):
        for number, sender in enumerate(senders):
            sender.send(commands.Say(to="#lobby", text=f"{number} {n}"))
        await asyncio.sleep(0)
    await asyncio.gather(*(listener.all_came for listener in listeners))

    orders = {bytes(listener.said) for listener in listeners}
    assert len(orders) == 1
    while len(senders[0].texts()) < SENDERS * MESSAGES:
        assert await senders[0].more()
    order = senders[0].texts()
    for number in range(SENDERS):
        own = [text for text in order if text.startswith(f"{number} ")]
        assert own == [f"{number} {n}" for n in range(MESSAGES)]
    heard = [json.loads(line)["text"] for line in orders.pop().splitlines()]
    assert heard == order

    for listener in listeners:
        listener.transport.close()
    await asyncio.gather(*(listener.lost for listener in listeners))
    for sender in senders:
        await sender.close()
