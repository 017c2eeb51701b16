"""What the tests of the client share: servers, and somebody on one."""

from collections.abc import AsyncIterator

import pytest

from asyncchat import ChatServer
from asyncchat.client import ChatClient, connect
from tests.client.scripted import ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with ChatServer(listen=["tcp://127.0.0.1:0"], data=":memory:") as server:
        yield server


@pytest.fixture
def address(server: ChatServer) -> str:
    return server.addresses[0]


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
async def bob(server: ChatServer) -> AsyncIterator[ChatClient]:
    async with connect(server.addresses[0], name="bob") as chat:
        yield chat
