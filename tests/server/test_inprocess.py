"""Clients in the server's own process are the app's: they prove nothing, and nothing slows them down."""

import asyncio
from pathlib import Path

import pytest

import asyncchat
from asyncchat import ChatServer, Code, Limits, Refused, Settings


async def test_a_held_name_is_its_to_take(tmp_path: Path) -> None:
    async with ChatServer(listen=["tcp://127.0.0.1:0"], data=tmp_path) as server:
        async with asyncchat.connect(server.addresses[0], name="bot") as outside:
            await outside.aclose(hold=True)
        with pytest.raises(Refused) as refused:
            await asyncchat.connect(server.addresses[0], name="bot")
        assert refused.value.code == Code.CONFLICT
        while server.connected:  # noqa: ASYNC110 - the server has no event for it: until then the name is in use
            await asyncio.sleep(0)
        async with server.connect("bot") as inside:
            assert inside.name == "bot"


async def test_a_name_in_use_is_not(tmp_path: Path) -> None:
    async with ChatServer(listen=[]) as server, server.connect("bot"):
        with pytest.raises(Refused) as refused:
            async with server.connect("bot"):
                pass
        assert refused.value.code == Code.CONFLICT


async def test_it_comes_in_where_guests_do_not() -> None:
    settings = Settings(guests=False, server_password="sesame")
    async with ChatServer(listen=[], settings=settings) as server, server.connect("bot") as bot:
        assert bot.name == "bot"


async def test_no_rate_slows_it_down() -> None:
    settings = Settings(limits=Limits(rate=0.001, burst=1))
    async with ChatServer(listen=[], settings=settings) as server, server.connect("bot") as bot:
        await asyncio.gather(*(bot.say("#lobby", f"{number}") for number in range(20)))


async def test_a_server_serves_while_it_is_started_and_only_then() -> None:
    server = ChatServer(listen=[])
    with pytest.raises(RuntimeError, match="not started"):
        server.connect("bot")
    await server.aclose()  # nothing to close
    async with server, server.connect("bot"):
        pass
    with pytest.raises(RuntimeError, match="started before"):
        await server.start()
