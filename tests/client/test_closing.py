"""Closing a client for good, whatever interrupts it, and whatever the application does meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asyncchat.client import Backoff, ConnectionState, TokenStore, connect
from asyncchat.vocabulary import commands
from asyncchat.vocabulary.errors import ConnectionLost
from tests.client.scripted import ScriptedServer

AT_ONCE = Backoff(first=0.001, longest=0.01)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


async def passes(count: int) -> None:
    """Let everything else run, so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("moment", range(4))
async def test_a_cancelled_close_leaves_nothing_open(server: ScriptedServer, moment: int) -> None:
    server.take_over(commands.Quit, lambda peer, _: None)
    chat = await connect(server.address, name="alice", reconnect=AT_ONCE)
    closing = asyncio.create_task(chat.aclose())
    await passes(moment)
    closing.cancel()
    await asyncio.wait([closing])
    if moment == 0:
        assert chat.state is ConnectionState.ONLINE, "it had not begun"
        await chat.aclose(hold=True)
    assert chat.state is ConnectionState.CLOSED
    await server.empty()
    with pytest.raises(ConnectionLost, match="closed"):
        await chat.say("#lobby", "too late")
    with pytest.raises(StopAsyncIteration):
        await anext(chat)


async def test_a_close_that_is_cancelled_again_and_again_leaves_nothing_open(server: ScriptedServer) -> None:
    server.take_over(commands.Quit, lambda peer, _: None)
    chat = await connect(server.address, name="alice", reconnect=AT_ONCE)
    closing = asyncio.create_task(chat.aclose())
    await server.wait_for(commands.Quit)
    while not closing.done():
        closing.cancel()
        await asyncio.sleep(0)
    assert chat.state is ConnectionState.CLOSED
    await server.empty()


async def test_a_close_that_is_cancelled_while_the_client_comes_back(server: ScriptedServer) -> None:
    chat = await connect(server.address, name="alice", reconnect=AT_ONCE)
    server.take_over(commands.Hello, lambda peer, _: None)
    server.cut()
    await server.wait_for(commands.Hello, 2)
    waiting = asyncio.create_task(chat.say("#lobby", "later"))
    await passes(1)
    closing = asyncio.create_task(chat.aclose())
    await passes(1)
    closing.cancel()
    await asyncio.wait([closing])
    assert closing.cancelled()
    assert chat.state is ConnectionState.CLOSED
    with pytest.raises(ConnectionLost, match="closed"):
        await waiting
    await server.empty()


async def test_what_the_application_does_wrong_when_told_of_the_state_stops_nothing(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(state: ConnectionState, text: str) -> None:
        raise ValueError(f"cannot show {state.value}")

    async with connect(server.address, name="alice", reconnect=AT_ONCE, on_state=fails) as chat:
        server.cut()
        await chat.say("#lobby", "said nevertheless")
    assert chat.state is ConnectionState.CLOSED
    for state in ("online", "offline", "closed"):
        assert f"cannot show {state}" in caplog.text


async def test_a_login_that_is_cancelled_while_its_lock_is_given_back(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gives_back = asyncio.Event()
    go_on = asyncio.Event()

    @contextlib.asynccontextmanager
    async def lock(*_: object) -> AsyncIterator[None]:
        yield
        gives_back.set()
        await go_on.wait()

    monkeypatch.setattr("asyncchat.client.chat.login_lock", lock)
    connecting = connect(server.address, name="alice", reconnect=AT_ONCE, token_store=TokenStore(tmp_path))
    task = asyncio.ensure_future(connecting.__aenter__())
    await gives_back.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.empty()
