"""How a connection ends: what the client is told, and what the log says of it."""

import logging
import socket
import struct

import pytest

from asyncchat import ChatServer
from asyncchat.vocabulary import commands, events
from tests.server.ends import LONG, narrow, waiting, without_window
from tests.server.peers import Native, Raw, limited, serving


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def ends(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of each connection that ended, after the address."""
    return [text.partition(" ")[2].partition(" ")[2] for text in caplog.messages if text.startswith("Disconnected")]


async def test_who_was_asked_for_a_name_and_has_said_nothing_is_told_goodbye() -> None:
    async with serving() as server, await Raw.open(server) as silent:
        assert await silent.line() == "Welcome to asyncchat. What is your name?"
        await server.aclose()
        assert (await silent.end()).startswith("* goodbye: the server is shutting down; come back in ")


async def test_who_was_asked_nothing_is_told_nothing() -> None:
    async with serving() as server, await Native.open(server, "alice"), await Raw.open(server) as silent:
        await server.aclose()
        assert await silent.end() == ""


async def test_who_does_not_read_the_goodbye_is_in_the_log_by_name(caplog: pytest.LogCaptureFixture) -> None:
    # A moment to take what waits for it, which it does not: it is cut off.
    async with serving(limited(flush_seconds=0.05, rate=0)) as server, Native(await without_window(server)) as alice:
        await alice.get(commands.Hello(name="alice"), events.Welcome)
        narrow(server, "alice")
        async with server.connect("bob") as bob:
            while not waiting(server):
                await bob.say("#lobby", LONG)
        await server.aclose()
    assert "(alice): server shutting down" in ends(caplog)


async def test_a_reset_is_told_in_words(server: ChatServer, caplog: pytest.LogCaptureFixture) -> None:
    async with await Native.open(server, "bob") as bob:
        alice = await Native.open(server, "alice")
        end = alice.raw.writer.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        alice.raw.abort()
        while not ends(caplog):
            await bob.get(commands.Ping(), events.Ok)
    assert ends(caplog)[0] == "(alice): Connection reset by peer"
