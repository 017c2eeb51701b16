"""What the tests of the client share: servers, somebody on one, and ways to run clients as programs."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asyncchat import ChatServer
from asyncchat.client import ChatClient, connect
from tests.client.pipes import Program
from tests.client.scripted import ScriptedServer
from tests.client.terminals import Desk


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


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "ASYNCCHAT_CONFIG_DIR": str(tmp_path), "TZ": "UTC", "COLUMNS": "100"}


@pytest.fixture
async def program(environment: dict[str, str]) -> AsyncIterator[Program]:
    program = Program(environment)
    yield program
    await program.close()
