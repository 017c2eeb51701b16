"""Direct messages that were told to a client that was gone already: they come at the next login, without any cursor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from asyncchat import ChatServer
from asyncchat.server import periodic
from asyncchat.vocabulary import commands, events
from tests.server.ends import narrow, without_window
from tests.server.peers import Native, Raw, limited, serving


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines are looked at often."""
    monkeypatch.setattr(periodic, "SWEEP_SECONDS", 0.02)


@asynccontextmanager
async def alice_of(server: ChatServer) -> AsyncIterator[Native]:
    """A registered person."""
    async with await Native.open(server, "alice") as alice:
        await alice.get(commands.Register(password="correct horse"), events.Ok)
        yield alice


def stops_reading(peer: Native) -> None:
    """What comes now is taken by the system at most: the same as a cable that was pulled."""
    peer.raw.writer.transport.pause_reading()  # type: ignore[attr-defined]


async def letters(server: ChatServer, last: str) -> list[str]:
    """What alice is sent at a login, up to a message that is sent to her then."""
    async with await Native.open(server, "alice", password="correct horse") as alice:
        async with await Native.open(server, "carol") as carol:
            await carol.say(last, to="alice")
        await alice.event(events.Said, text=last)
        return alice.texts("alice")


async def test_a_client_that_was_silent_for_too_long() -> None:
    settings = limited(ping_seconds=0, idle_seconds=0.3, offline_seconds=0.01)
    async with serving(settings) as server, alice_of(server) as alice, await Native.open(server, "bob") as bob:
        await bob.say("heard", to="alice")
        await alice.event(events.Said, text="heard")
        await alice.get(commands.Ping(), events.Ok)
        stops_reading(alice)
        await bob.say("not heard", to="alice")
        server.reload(limited(ping_seconds=0.05, idle_seconds=0.3, offline_seconds=0.01))
        while not any(isinstance(told, events.Presence) and told.name == "alice" for told in bob.told):
            await bob.event(events.Ping)
            bob.send(commands.Pong())
        server.reload(limited())
        assert await letters(server, "last") == ["not heard", "last"]


async def test_a_client_that_has_not_read_when_the_server_ends(tmp_path: Path) -> None:
    said = [f"{number} {'x' * 4000}" for number in range(20)]
    settings = limited(flush_seconds=0.05)
    async with serving(settings, tmp_path) as server, Native(await without_window(server)) as alice:
        await alice.get(commands.Hello(name="alice"), events.Welcome)
        await alice.get(commands.Register(password="correct horse"), events.Ok)
        narrow(server, "alice")
        async with await Native.open(server, "bob") as bob:
            for text in said:
                await bob.say(text, to="alice")
            await server.aclose()
    async with serving(settings, tmp_path) as server:
        assert await letters(server, "last") == [*said, "last"]


async def test_a_client_that_hangs_up_has_what_it_was_sent() -> None:
    async with serving(limited(offline_seconds=0.01)) as server:
        async with alice_of(server) as alice, await Native.open(server, "bob") as bob:
            await bob.say("heard", to="alice")
            await alice.event(events.Said, text="heard")
            await alice.close()
            await bob.event(events.Presence, name="alice")
        assert await letters(server, "last") == ["last"]


async def test_a_client_that_was_lost_with_its_welcome() -> None:
    """What was kept for it came with the welcome, which it may not have read."""
    async with serving(limited(offline_seconds=0.01)) as server, alice_of(server) as alice:
        alice.send(commands.Quit())
        await alice.end()
        async with await Native.open(server, "bob") as bob:
            await bob.say("kept for you", to="alice")
            lost = Native(await Raw.open(server))
            stops_reading(lost)  # so that its end is a reset
            lost.send(commands.Hello(name="alice", password="correct horse"))
            await bob.event(events.Joined, name="alice")
            lost.raw.abort()
            await bob.event(events.Presence, name="alice", state="offline")
        assert await letters(server, "last") == ["kept for you", "last"]
