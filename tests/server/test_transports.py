"""What holds for every transport: TCP, Unix sockets, in-process clients, and TLS over TCP."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asyncchat.server.tls import TLSTransport, server_context
from asyncchat.server.transport import Reader, StreamTransport, Transport
from tests.server.certificates import Authority
from tests.server.peers import PATIENCE

CHUNK = b"x" * 1_000_000


class Ends:
    """A transport, and the client's end of it. ``reader``: what the client says."""

    def __init__(
        self, transport: Transport, reader: Reader, far: asyncio.StreamReader, far_writer: asyncio.StreamWriter
    ) -> None:
        self.transport = transport
        self.reader = reader
        self.far = far
        self.far_writer = far_writer

    def fill(self) -> int:
        """Write until something waits; returns how many bytes that were."""
        written = len(CHUNK)
        while self.transport.write(CHUNK):
            written += len(CHUNK)
        return written


async def _accepted(path: Path | None) -> tuple[asyncio.Server, asyncio.Future[tuple[Reader, asyncio.StreamWriter]]]:
    accepted: asyncio.Future[tuple[Reader, asyncio.StreamWriter]] = asyncio.get_running_loop().create_future()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result((reader, writer))

    if path is not None and sys.platform != "win32":
        return await asyncio.start_unix_server(accept, path), accepted
    return await asyncio.start_server(accept, "127.0.0.1", 0), accepted


@contextlib.asynccontextmanager
async def _opened(kind: str, folder: Path) -> AsyncIterator[Ends]:
    async with contextlib.AsyncExitStack() as undo:
        if kind == "in-process":
            ours, theirs = socket.socketpair()
            reader, writer = await asyncio.open_connection(sock=ours)
            far, far_writer = await asyncio.open_connection(sock=theirs)
            transport = StreamTransport(writer, "", local=True, inside=True, plain=True)
            yield Ends(transport, reader, far, far_writer)
        else:
            authority = Authority.new(folder)
            server, accepted = await _accepted(folder / "socket" if kind == "unix" else None)
            undo.callback(server.close)
            if kind == "unix":
                opening = asyncio.open_unix_connection(folder / "socket")
            else:
                port = server.sockets[0].getsockname()[1]
                tls = authority.trusting() if kind == "tls" else None
                opening = asyncio.open_connection("127.0.0.1", port, ssl=tls)
            connecting = asyncio.create_task(opening)
            below, writer = await accepted
            transport = StreamTransport(writer, "127.0.0.1", local=True, plain=True)
            if kind == "tls":
                secured = TLSTransport(below, transport, server_context(*authority.issue()))
                await secured.shake_hands()
                far, far_writer = await connecting
                yield Ends(secured, secured, far, far_writer)
            else:
                far, far_writer = await connecting
                yield Ends(transport, below, far, far_writer)
        transport.abort()
        far_writer.close()
        for each in (writer, far_writer):
            with contextlib.suppress(OSError):
                await each.wait_closed()


@pytest.fixture(params=["tcp", "unix", "in-process", "tls"])
async def ends(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ends]:
    if request.param == "unix" and sys.platform == "win32":
        pytest.skip("no Unix sockets")
    async with asyncio.timeout(PATIENCE), _opened(request.param, tmp_path) as ends:
        yield ends


async def test_bytes_go_both_ways_in_order(ends: Ends) -> None:
    assert not ends.transport.closing
    for number in range(100):
        assert ends.transport.write(b"%d\n" % number)
    assert await ends.far.readexactly(290) == b"".join(b"%d\n" % number for number in range(100))
    ends.far_writer.write(b"hello")
    heard = b""
    while heard != b"hello":
        heard += await ends.reader.read(3)
        assert b"hello".startswith(heard)


async def test_what_is_not_taken_waits_and_comes_whole(ends: Ends) -> None:
    ends.transport.write(b"begin")
    written = ends.fill()
    assert ends.transport.waiting
    assert not ends.transport.write(b"end"), "behind what waits"
    assert await ends.far.readexactly(5 + written + 3) == b"begin" + b"x" * written + b"end"


async def test_drained_waits_until_little_waits(ends: Ends) -> None:
    ends.transport.limit(1000)
    await ends.transport.drained()
    written = ends.fill()
    draining = asyncio.create_task(ends.transport.drained())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not draining.done()
    await ends.far.readexactly(written)
    await draining
    assert ends.transport.waiting <= 250


async def test_closed_when_what_waits_is_sent(ends: Ends) -> None:
    if isinstance(ends.transport, TLSTransport) and "uvloop" in type(asyncio.get_running_loop()).__module__:
        pytest.skip("uvloop's client of TLS loses what it has not handed on when the server closes")
    written = ends.fill()
    ends.transport.close()
    assert ends.transport.closing
    assert ends.transport.write(b"too late"), "nothing is sent any more, and nothing of it waits"
    ends.transport.close()
    assert await ends.far.read(-1) == b"x" * written
    ends.far_writer.close()
    await ends.transport.closed()
    ends.transport.abort()


async def test_aborted_at_once(ends: Ends) -> None:
    ends.fill()
    draining = asyncio.create_task(ends.transport.drained())
    ends.transport.abort()
    ends.transport.abort()
    assert ends.transport.closing
    assert ends.transport.write(b"too late")
    with contextlib.suppress(OSError):
        await ends.transport.closed()
    with contextlib.suppress(OSError):
        await draining
    with contextlib.suppress(OSError):
        assert not (await ends.far.read(-1)).endswith(b"too late")
    assert not await _heard(ends)


async def test_the_end_of_what_the_client_says_is_heard(ends: Ends) -> None:
    ends.far_writer.write(b"bye")
    ends.far_writer.close()
    assert await ends.reader.read(100) == b"bye"
    assert not await _heard(ends)
    assert ends.transport.socket() is not None


async def _heard(ends: Ends) -> bytes:
    """What the client says, or nothing if the connection is lost."""
    try:
        return await ends.reader.read(100)
    except OSError:
        return b""
