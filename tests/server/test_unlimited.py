"""0 is unlimited, whichever limit it is: those that the server itself keeps. Those of the rules: tests/core."""

import asyncio

import pytest

from asyncchat import ChatServer
from asyncchat.server.passwords import WAITING, Passwords
from asyncchat.vocabulary import events
from tests.server.ends import served
from tests.server.peers import Native, Raw, limited, serving

DEADLINES = ("first_line_seconds", "line_seconds", "login_seconds", "ping_seconds", "idle_seconds")


@pytest.mark.parametrize("limit", ["rate", "burst"])
async def test_no_pace(limit: str) -> None:
    settings = limited(**{"rate": 0.001, "burst": 1} | {limit: 0})
    async with serving(settings) as server, await Native.open(server, "fast") as fast:
        for n in range(20):
            await fast.say(str(n))


async def test_as_many_passwords_at_a_time_as_come() -> None:
    passwords = Passwords(0)
    passwords._verify = lambda hash, password: True  # type: ignore[method-assign] # 64 MiB each would be much here
    checked = [asyncio.create_task(passwords.verify("", "x")) for _ in range(2 * WAITING)]
    assert all(await asyncio.gather(*checked))
    await passwords.aclose()


async def test_no_deadline() -> None:
    """Whoever is silent is dropped by none; the sweeps are far ahead of the clock."""
    settings = limited(**dict.fromkeys(DEADLINES, 0))
    async with (
        serving(settings) as server,
        await Raw.open(server) as newcomer,
        await Native.open(server, "alice") as alice,
    ):
        newcomer.send('{"type":"hello"')
        alice.raw.send('{"type":"say","id":1,"to":"#lobby",')
        await both_began(server)
        server._acceptor.sweep(asyncio.get_running_loop().time() + 1e6)  # type: ignore[union-attr]
        alice.raw.send('"text":"hi"}\n')
        assert isinstance(await alice.reply(1), events.Ok)
        newcomer.send(',"name":"newcomer"}\n')
        assert "welcome" in await newcomer.line()
        assert not any(isinstance(told, events.Ping) for told in alice.told)


async def both_began(server: ChatServer) -> None:
    """Wait until both have been read."""
    assert server._acceptor is not None
    connections = server._acceptor.connections
    while sum(connection.partial_since is not None for connection in connections) < 2:  # noqa: ASYNC110 - tells nobody
        await asyncio.sleep(0)


async def test_whoever_is_put_out_may_read_as_slowly_as_they_like() -> None:
    async with serving(limited(flush_seconds=0)) as server, await Native.open(server, "alice") as alice:
        connection = served(server, "alice")
        connection.close(events.Bye(reason="a test"), "a test")
        assert connection._abort is None
        await alice.end()
