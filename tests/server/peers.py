"""Peers for the tests of the server: raw sockets, and a native one that keeps all it was told. They wait for events."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self, TypeVar, cast, get_args

from msgspec import structs

from asyncchat import ChatServer, Limits, Settings
from asyncchat.client import Address, parse_address
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import Result, Told
from asyncchat.wire.native import EventReader, encode_command

T = TypeVar("T", bound=Told)
R = TypeVar("R")

PATIENCE = 20.0
"""Seconds to wait for what has to come: it fails a test that would hang, and says what came instead."""

READ = 1 << 16


def limited(**limits: float) -> Settings:
    """Settings with these limits."""
    return Settings(limits=Limits(**limits))  # type: ignore[arg-type]


@asynccontextmanager
async def serving(settings: Settings | None = None, data: Any = ":memory:") -> AsyncIterator[ChatServer]:
    """A server on any free port."""
    async with ChatServer(listen=["tcp://127.0.0.1:0"], data=data, settings=settings) as server:
        yield server


def where(server: ChatServer | str) -> Address:
    """The first address of a server."""
    return parse_address(server if isinstance(server, str) else server.addresses[0])


class Raw:
    """A peer of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.unread = b""

    @classmethod
    async def open(cls, server: ChatServer | str) -> Self:
        address = where(server)
        if address.scheme == "unix":
            return cls(*await asyncio.open_unix_connection(address.path))
        return cls(*await asyncio.open_connection(address.host, address.port))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def until(self, end: bytes | str) -> str:
        """All that comes, up to these bytes; what follows them waits for the next call."""
        end = end.encode() if isinstance(end, str) else end
        while (at := self.unread.find(end)) < 0:
            data = await self.read(repr(end))
            assert data, f"the connection ended before {end!r} came, after {self.unread!r}"
            self.unread += data
        taken, self.unread = self.unread[: at + len(end)], self.unread[at + len(end) :]
        return taken.decode()

    async def line(self) -> str:
        """The next line, without its end."""
        return (await self.until(b"\n")).rstrip("\r\n")

    async def rest(self) -> bytes:
        """All that comes until the peer has closed."""
        while data := await self.read("the end"):
            self.unread += data
        taken, self.unread = self.unread, b""
        return taken

    async def end(self) -> str:
        """The same, as text."""
        return (await self.rest()).decode()

    async def read(self, what: str = "more") -> bytes:
        """What comes next; nothing at the end, be it a reset (the server closes with bytes of ours unread)."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.reader.read(READ)
        except ConnectionResetError:
            return b""
        except TimeoutError:
            raise AssertionError(f"{what} did not come, but {self.unread[-2000:]!r}") from None

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):  # the server was faster
            await self.writer.wait_closed()

    def abort(self) -> None:
        """Reset the connection."""
        self.writer.transport.abort()


class Native:
    """A peer that speaks the native protocol. ``told``: all that came, in order."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.told: list[Told] = []
        self.welcome: events.Welcome
        self._next = 0
        self._asked = 0
        self._reader = EventReader()

    @classmethod
    async def open(cls, server: ChatServer | str, name: str | None = None, **hello: Any) -> Self:
        """Connect and, with a name or a token, log in."""
        native = cls(await Raw.open(server))
        if name is not None or hello:
            welcome = await native.ask(commands.Hello(name=name, **hello))
            if not isinstance(welcome, events.Welcome):
                await native.close()
                raise AssertionError(f"no welcome but {welcome}")
            native.welcome = welcome
        return native

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self.raw.close()

    def send(self, *sent: Command) -> None:
        """Send commands in one packet."""
        self.raw.send(b"".join(map(encode_command, sent)))

    async def ask(self, command: Command) -> Result:
        """Send a command, and wait for its own reply."""
        self._asked += 1
        id = f"asked {self._asked}"  # tests number their own from 0 or 1
        self.send(structs.replace(command, id=id))
        return await self.reply(id)

    async def get(self, command: Command, kind: type[R]) -> R:
        """The reply to a command, which must be of this kind."""
        result = await self.ask(command)
        assert isinstance(result, kind), result
        return result

    async def refusal(self, command: Command) -> int:
        """The code with which a command is refused."""
        return (await self.get(command, events.Error)).code

    async def say(self, text: str, to: str = "#lobby", **more: Any) -> int:
        """Say something; returns its seq."""
        ok = await self.get(commands.Say(to=to, text=text, **more), events.Ok)
        assert ok.seq is not None
        return ok.seq

    async def reply(self, id: int | str) -> Result:
        """The reply with this id, whether it has come or is still to come."""
        result = await self._find(0, lambda told: getattr(told, "id", None) == id, f"the reply to {id}")
        assert isinstance(result, get_args(Result))
        return cast(Result, result)

    async def event(self, kind: type[T], **fields: Any) -> T:
        """The next event of a kind, with these fields; those before it are passed over."""

        def fits(told: Told) -> bool:
            return isinstance(told, kind) and all(getattr(told, name) == value for name, value in fields.items())

        event = await self._find(self._next, fits, f"{kind.__name__} {fields}")
        self._next = self._found + 1
        assert isinstance(event, kind)
        return event

    async def _find(self, at: int, fits: Callable[[Told], bool], what: str) -> Told:
        while True:
            while at < len(self.told):
                if fits(self.told[at]):
                    self._found = at
                    return self.told[at]
                at += 1
            assert await self.more(what), f"the connection ended before {what} came; last: {self.last}"

    async def more(self, what: str = "more") -> bool:
        """Read once; False at the end."""
        data = await self.raw.read(f"{what}, after {self.last},")
        self.told += self._reader.receive(data)
        return bool(data)

    async def end(self) -> None:
        """Read until the server has closed."""
        while await self.more("the end"):
            pass

    @property
    def last(self) -> str:
        """What came last, in short."""
        return str([str(told)[:200] for told in self.told[-5:]])

    def texts(self, to: str = "#lobby") -> list[str]:
        """The texts of the messages to a room (or person) that have come, in order."""
        return [told.text for told in self.told if isinstance(told, events.Said) and told.to == to]


class Plain(Raw):
    """A person with nc."""

    @classmethod
    async def enter(cls, server: ChatServer | str, name: str) -> Self:
        """Connect, give a name, and read all that a newcomer is shown."""
        plain = await cls.open(server)
        plain.send(f"{name}\n")
        plain.shown = await plain.until("exit leaves\n")
        return plain

    shown: str

    async def matching(self, pattern: str) -> str:
        """The next line that matches."""
        while not re.search(pattern, line := await self.line()):
            pass
        return line
