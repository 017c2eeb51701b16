"""What is written without the transport: to whom, and whole, and never to a connection that is over."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from asyncchat import ChatServer
from asyncchat.server.transport import StreamTransport
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.terms import State
from tests.server.ends import LONG, narrow, socket_to, waiting, without_window, writer_to
from tests.server.peers import Native, Raw, limited, serving

pytestmark = pytest.mark.asyncio_loop  # on another all is written through transports

SAID = events.Said(seq=1, time="2026-01-01T12:00:00.000Z", sender="ben", to="#lobby", text="hello")


def direct(server: ChatServer, name: str) -> bool:
    """Is this person written to without the transport?"""
    transport = writer_to(server, name).transport
    return isinstance(transport, StreamTransport) and transport.direct


class Shouting(asyncio.Transport):
    """A transport of an app, which makes something else of the bytes. It has a socket all the same."""

    def __init__(self, inner: asyncio.WriteTransport) -> None:
        super().__init__()
        self._inner = inner

    def __getattribute__(self, name: str) -> Any:
        if name in ("_inner", "write", "__class__"):
            return super().__getattribute__(name)
        return getattr(self._inner, name)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._inner.write(bytes(data).upper())


async def test_tcp_and_unix_sockets_are_written_to_directly(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with ChatServer(listen=["tcp://127.0.0.1:0", f"unix://{path}"], data=":memory:") as server:
        for name, address in zip(("anna", "ben"), server.addresses, strict=True):
            async with await Native.open(address, name) as peer:
                await peer.say("hello")
                assert direct(server, name)


async def test_an_apps_own_transport_gets_all_that_is_sent() -> None:
    async with serving() as server, await Native.open(server, "anna") as anna:
        near, far = socket.socketpair()
        reader, stream = await asyncio.open_connection(sock=near)
        shouting = asyncio.StreamWriter(
            Shouting(stream.transport), stream.transport.get_protocol(), reader, asyncio.get_running_loop()
        )
        served = asyncio.create_task(server.handle_client(reader, shouting))
        async with Raw(*await asyncio.open_connection(sock=far)) as ben:
            ben.send("ben\n")
            await ben.until("EXIT LEAVES\n")
            for text in ("one", "two"):
                await anna.say(text)
                assert await ben.line() == f"ANNA: {text.upper()}"
        await served
        stream.close()
        await stream.wait_closed()


async def test_what_the_system_does_not_take_whole_comes_whole() -> None:
    async with (
        serving(limited(rate=0)) as server,
        await Native.open(server, "sender") as sender,
        Native(await without_window(server)) as slow,
    ):
        await slow.get(commands.Hello(name="slow"), events.Welcome)
        await sender.say("short")
        assert direct(server, "slow")
        narrow(server, "slow")
        said = []
        while direct(server, "slow"):
            said.append(await sender.say(LONG))
        assert waiting(server)
        said += [await sender.say("behind it") for _ in range(3)]
        assert (await slow.event(events.Said)).text == "short"
        heard = [await slow.event(events.Said) for _ in said]
        assert [event.seq for event in heard] == said
        assert [event.text for event in heard] == [LONG] * (len(said) - 3) + ["behind it"] * 3
        await sender.say("nothing waits any more")
        assert direct(server, "slow")


async def test_nothing_is_written_to_a_descriptor_that_is_anothers_now() -> None:
    """The rules know of a connection that was lost until its coroutine has ended; its number is free before."""
    async with serving() as server, await Native.open(server, "anna") as anna:
        await anna.say("hello")
        writer = writer_to(server, "anna")
        descriptor = socket_to(server, "anna").fileno()
        writer.transport.abort()
        await asyncio.sleep(0)  # asyncio closes the socket
        newcomers = socket.socketpair()
        with newcomers[0], newcomers[1]:
            assert descriptor in [end.fileno() for end in newcomers]
            assert direct(server, "anna")
            server._writers.tell(SAID, server.chat.state.person("anna").sessions)
            server._writers.flush()
            for end in newcomers:
                end.setblocking(False)
                with pytest.raises(BlockingIOError):
                    end.recv(1)


async def test_a_connection_that_cannot_be_written_to_ends_alone() -> None:
    async with (
        serving(limited(offline_seconds=0.1)) as server,
        await Native.open(server, "anna") as anna,
        await Native.open(server, "ben") as ben,
    ):
        await anna.say("hello")
        socket_to(server, "ben").shutdown(socket.SHUT_WR)  # asyncio does not know of it
        await anna.say("anyone?")
        await anna.event(events.Presence, name="ben", state=State.OFFLINE)
        await ben.end()
        assert ben.texts() == ["hello"]
