"""A network in bad weather: a TCP proxy that delays, cuts in the middle of lines, freezes, loses and resets."""

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from typing import Self

from asyncchat.client import parse_address

PIECE = 1_500
"""Bytes at most that pass at a time: about a packet, so that lines come in pieces."""

DELAY = 0.01
"""Seconds at most that a piece is on its way."""

FREEZE = 0.3
"""Seconds at most for which nothing passes, in either direction, before it goes on or is reset."""

LIFE = 20_000
"""Bytes after which, on average, something happens to a connection."""

FATES = ("cut", "reset", "half", "freeze and go on", "freeze and reset", "swallow")
"""What happens to connections.

cut: closed, in the middle of a line mostly. reset: both ends get a reset, whatever is on its way is lost. half: the
direction to the server ends, the other one goes on for a while. freeze: nothing passes. swallow: one direction goes
nowhere from here on, until the reset.
"""


class Line:
    """One connection through the proxy: two pairs of streams, and what becomes of it."""

    def __init__(self, proxy: "Proxy", chance: random.Random) -> None:
        self._proxy = proxy
        self._chance = chance
        self._left = int(chance.expovariate(1 / LIFE)) + 1
        self._open = asyncio.Event()
        self._open.set()
        self._readers: tuple[asyncio.StreamReader, ...] = ()
        self._writers: tuple[asyncio.StreamWriter, ...] = ()
        self._swallowed: set[asyncio.StreamReader] = set()

    async def carry(self, near: tuple[asyncio.StreamReader, asyncio.StreamWriter], address: str) -> None:
        """Carry bytes between a client and the server until the end."""
        try:
            far = await _open(address)
        except OSError:
            near[1].transport.abort()
            return
        self._readers = (near[0], far[0])
        self._writers = (near[1], far[1])
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(near[0], far[1]))
                group.create_task(self._pump(far[0], near[1]))
        except* OSError:
            pass  # one end is gone, and so is the line
        finally:
            for writer in self._writers:
                writer.transport.abort()
            for writer in self._writers:
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(self._chance.randint(1, PIECE)):
            await asyncio.sleep(self._chance.random() * DELAY if self._chance.random() < 0.2 else 0)
            await self._open.wait()
            self._left -= len(data)
            if self._left <= 0 and not self._proxy.calm:
                self._left = int(self._chance.expovariate(1 / LIFE)) + 1
                await self._meet(self._chance.choice(FATES), reader, writer, data)
            else:
                await self._pass(reader, writer, data)
        writer.write_eof()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> None:
        if reader not in self._swallowed:  # else what came before is missing, and this must not close the gap
            writer.write(data)
            await writer.drain()

    async def _meet(self, fate: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> None:
        """It happens; *data* are on their way."""
        self._proxy.fates[fate] += 1
        match fate:
            case "cut":
                await self._pass(reader, writer, data[: self._chance.randint(0, len(data))])
                for each in self._writers:
                    each.close()
                raise ConnectionAbortedError
            case "reset":
                self._reset()
            case "half":
                self._swallowed.add(self._readers[0])
                self._writers[1].write_eof()
                await self._in_a_while()
                self._reset()
            case "swallow":
                self._swallowed.add(reader)
                asyncio.get_running_loop().call_later(FREEZE, self._writers[0].transport.abort)
            case "freeze and go on" | "freeze and reset":
                self._open.clear()
                await self._in_a_while()
                self._open.set()
                if fate == "freeze and reset":
                    self._reset()
                await self._pass(reader, writer, data)

    async def _in_a_while(self) -> None:
        await asyncio.sleep(self._chance.random() * FREEZE)

    def _reset(self) -> None:
        for writer in self._writers:
            end = writer.get_extra_info("socket")
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        raise ConnectionResetError


class Proxy:
    """Listens on a port of this machine from ``async with`` on, in front of a server.

    ``fates`` counts what happened. ``calm``: nothing happens any more.
    """

    def __init__(self, server: str, seed: int) -> None:
        self._server = server
        self._chance = random.Random(seed)
        self._lines: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server
        self.fates: Counter[str] = Counter()
        self.calm = False
        self.address = ""

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.address = f"tcp://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for line in self._lines:
            line.cancel()
        if self._lines:
            await asyncio.wait(self._lines)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        task.add_done_callback(self._lines.discard)
        with contextlib.suppress(asyncio.CancelledError):  # streams would report it (3.11)
            await Line(self, random.Random(self._chance.random())).carry((reader, writer), self._server)


async def _open(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    where = parse_address(address)
    if where.scheme == "unix":
        return await asyncio.open_unix_connection(where.path)
    return await asyncio.open_connection(where.host, where.port)
