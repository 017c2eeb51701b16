"""Clients in the server's own process are the app's: they prove nothing, and nothing slows them down."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import asyncchat
from asyncchat import ChatClient, ChatServer, Code, Limits, Refused, Settings, commands, events


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


# --- another loop -----------------------------------------------------------------------------------------------------


async def in_another_loop(do: Callable[[], Any]) -> None:
    """It must be refused there, at once."""

    async def there() -> None:
        done = do()
        if isinstance(done, Awaitable):
            await done

    with pytest.raises(RuntimeError, match="belongs to another event loop: call it there"):
        await asyncio.to_thread(asyncio.run, there())


OF_THE_SERVER: dict[str, Callable[[ChatServer], Any]] = {
    "connect": lambda server: server.connect("bot").__aenter__(),
    "aclose": lambda server: server.aclose(),
    "hurry": lambda server: server.hurry(),
    "reload": lambda server: server.reload(Settings()),
    "backup": lambda server: server.backup("copy.db"),
    "handle_client": lambda server: server.handle_client(asyncio.StreamReader(), None),  # type: ignore[arg-type]
    "do": lambda server: server.operator.do(commands.Rooms()),
    "announce": lambda server: server.operator.announce("hello"),
    "create_account": lambda server: server.operator.create_account("alice", "long enough"),
    "settled": lambda server: server.operator.settled(),
    "accounts": lambda server: server.operator.accounts(),
    "stats": lambda server: server.operator.stats(),
}


@pytest.mark.parametrize("method", OF_THE_SERVER)
async def test_a_server_is_used_in_its_own_loop(method: str) -> None:
    async with ChatServer(listen=[]) as server:
        await in_another_loop(lambda: OF_THE_SERVER[method](server))
        async with server.connect("alice") as alice:  # nothing of it was half done
            await alice.say("#lobby", "hi")


OF_A_CLIENT: dict[str, Callable[[ChatClient], Any]] = {
    "say": lambda client: client.say("#lobby", "hi"),
    "history": lambda client: client.history("#lobby"),
    "typing": lambda client: client.typing("#lobby"),
    "iteration": anext,
    "aclose": lambda client: client.aclose(),
}


@pytest.mark.parametrize("method", OF_A_CLIENT)
async def test_a_client_is_used_in_its_own_loop(method: str) -> None:
    async with ChatServer(listen=[]) as server, server.connect("alice") as alice:
        await in_another_loop(lambda: OF_A_CLIENT[method](alice))
        await alice.say("#lobby", "hi")


async def test_another_thread_can_have_it_done_in_the_servers_loop() -> None:
    async with ChatServer(listen=[]) as server:
        loop = asyncio.get_running_loop()

        def ask() -> Any:
            return asyncio.run_coroutine_threadsafe(server.operator.do(commands.Rooms()), loop).result()

        assert isinstance((await asyncio.to_thread(ask))[0], events.RoomList)
