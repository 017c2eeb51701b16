"""A hostile client's means: to come in, to send any bytes, and to see what becomes of it."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.server.peers import Raw, where


class Target(NamedTuple):
    """The server that is attacked: its addresses, and who signed its certificate. ``full``: with all force."""

    tcp: str
    tls: str
    ca: Path
    full: bool

    def force(self, short: int, full: int) -> int:
        """How much of it."""
        return full if self.full else short


class Underway:
    """What an attack and the one who measures tell one another: that it is in effect, and that it is enough."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.enough = asyncio.Event()

    def now(self) -> bool:
        """It is in effect now; is more of it wanted?"""
        self.begun.set()
        return not self.enough.is_set()

    async def until_enough(self) -> None:
        """It is in effect; wait."""
        self.begun.set()
        await self.enough.wait()


numbers = itertools.count(1)


def line(**fields: Any) -> bytes:
    """A command."""
    return json.dumps(fields).encode() + b"\n"


async def reply(raw: Raw, id: int | str) -> dict[str, Any]:
    """The reply with this id; what comes before it is passed over."""
    while True:
        told: dict[str, Any] = json.loads(await raw.line())
        if told.get("id") == id:
            return told


async def alive(raw: Raw) -> None:
    """The session lives on."""
    id = f"alive {next(numbers)}"
    raw.send(line(type="ping", id=id))
    assert (await reply(raw, id))["code"] == 200


@asynccontextmanager
async def entered(raw: Raw, *rooms: str) -> AsyncIterator[Raw]:
    """A client that has logged in."""
    raw.send(line(type="hello", id="hello", name=f"foe{next(numbers)}", rooms=rooms or ["#pit"]))
    async with raw:
        assert (await reply(raw, "hello"))["type"] == "welcome"
        yield raw


async def refused(raw: Raw, sent: bytes, code: int = 400) -> None:
    """A line is answered with this code, and the session lives on."""
    raw.send(sent + b"\n")
    while (told := json.loads(await raw.line()))["type"] != "error":
        pass
    assert told["code"] == code, (sent[:80], told)
    await alive(raw)


async def come_from(source: str, address: str) -> Raw:
    """A peer with an address of its own, one of this machine's."""
    at = where(address)
    return Raw(*await asyncio.open_connection(at.host, at.port, local_addr=(source, 0)))


async def deaf(address: str) -> Raw:
    """A peer whose system takes little for it while it does not read."""
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    end.setblocking(False)
    at = where(address)
    await asyncio.get_running_loop().sock_connect(end, (at.host, at.port))
    return Raw(*await asyncio.open_connection(sock=end, limit=4096))
