"""A native server that does as a test tells it: what a real one does only when something goes wrong.

It has one log and no rules: whoever says hello is in, everybody gets everything. A test takes commands away from it
(`take_over`), cuts its connections, and looks at what came (`wait_for`).
"""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import KeptEvent, Told
from asyncchat.vocabulary.terms import Code, rfc3339
from asyncchat.wire.dialect import Problem
from asyncchat.wire.native import NativeDialect, encode_event

C = TypeVar("C", bound=Command)
PAGE = 3
"""Events of a page of sync: small, so that every test of it turns pages."""


class Peer:
    """One connection to the scripted server."""

    def __init__(self, server: "ScriptedServer", writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.writer = writer
        self.name = ""

    def tell(self, *told: Told) -> None:
        self.writer.write(b"".join(map(encode_event, told)))

    def cut(self) -> None:
        self.writer.transport.abort()


class ScriptedServer:
    """Listens on a port of this machine from ``async with`` on."""

    def __init__(self, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, path: Path | None = None) -> None:
        self.host = host
        self.tls = tls
        self.path = path
        self.log: list[events.Said] = []
        self.seq = 100
        self.epoch = "first"
        self.identity: str | None = None
        self.token: str | None = "secret-token"
        self.limits: dict[str, int | float] = {}
        self.peers: list[Peer] = []
        self.received: list[Command] = []
        self.port = 0
        self._last_name = "somebody"
        self._nonces: dict[str, int] = {}
        self._taken: dict[type, Callable[[Peer, Command], None]] = {}
        self._came = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"{'tls' if self.tls else 'tcp'}://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.go_down()

    async def listen(self) -> None:
        if self.path is not None:
            self._server = await asyncio.start_unix_server(self._serve, self.path)
            return
        self._server = await asyncio.start_server(self._serve, self.host, self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def go_down(self) -> None:
        """Close the port and all connections, without a word."""
        if self._server is not None:
            self._server.close()
        self.cut()
        if self._handlers:
            await asyncio.wait(self._handlers)
        # A handshake that failed is still being cleared away by asyncio.
        while accepting := [task for task in asyncio.all_tasks() if "_accept_connection" in repr(task.get_coro())]:
            await asyncio.wait(accepting)

    def cut(self) -> None:
        for peer in list(self.peers):
            peer.cut()

    async def empty(self) -> None:
        """Wait until nobody is connected."""
        while self._handlers:
            await asyncio.wait(self._handlers)

    def tell(self, *told: Told) -> None:
        for peer in self.peers:
            peer.tell(*told)

    def part(self, bye: events.Bye) -> None:
        """Say goodbye to all, and close."""
        for peer in self.peers:
            peer.tell(bye)
            peer.writer.close()

    def said(self, text: str, *, to: str = "#lobby", sender: str = "bob", nonce: str | None = None) -> events.Said:
        """Somebody says something: it is kept, and told to all who are connected."""
        said = self.keep(text, to=to, sender=sender, nonce=nonce)
        self.tell(said)
        return said

    def keep(self, text: str, *, to: str = "#lobby", sender: str = "bob", nonce: str | None = None) -> events.Said:
        """Somebody says something that nobody is told."""
        self.seq += 1
        said = events.Said(seq=self.seq, time=rfc3339(self.seq), sender=sender, to=to, text=text, nonce=nonce)
        self.log.append(said)
        if nonce is not None:
            self._nonces[nonce] = self.seq
        return said

    def take_over(self, kind: type[C], handler: Callable[[Peer, C], None] | None) -> None:
        """From now on these commands are the test's to answer; None gives them back."""
        if handler is None:
            self._taken.pop(kind, None)
        else:
            self._taken[kind] = handler  # type: ignore[assignment]

    async def wait_for(self, kind: type[C], count: int = 1) -> list[C]:
        """Wait until so many commands of a kind have come; returns all of them."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.all(kind)) >= count)
        return self.all(kind)

    def all(self, kind: type[C]) -> list[C]:
        return [command for command in self.received if isinstance(command, kind)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)
        peer = Peer(self, writer)
        self.peers.append(peer)
        dialect = NativeDialect(0)
        try:
            while data := await reader.read(65536):
                for item in dialect.receive(data):
                    assert not isinstance(item, Problem), item
                    assert item[0] is not None
                    await self._handle(peer, item[0])
        except OSError:
            pass
        finally:
            self.peers.remove(peer)
            writer.transport.abort()

    async def _handle(self, peer: Peer, command: Command) -> None:
        handler = self._taken.get(type(command))
        if handler is not None:
            handler(peer, command)
        else:
            self.answer(peer, command)
        async with self._came:
            self.received.append(command)
            self._came.notify_all()

    def answer(self, peer: Peer, command: Command) -> None:
        """What a server does."""
        match command:
            case commands.Hello():
                peer.name = self._last_name = command.name or self._last_name
                peer.tell(self.welcome(command))
            case commands.Say():
                known = self._nonces.get(command.nonce or "")
                if known is None:
                    known = self.said(command.text, to=command.to, sender=peer.name, nonce=command.nonce).seq
                peer.tell(events.Ok(id=command.id, code=Code.OK, seq=known))
            case commands.Sync():
                peer.tell(self.page(command))
            case commands.Join() | commands.Leave():
                kind = events.Joined if isinstance(command, commands.Join) else events.Left
                self.tell(kind(name=peer.name, room=command.room))
                peer.tell(events.Ok(id=command.id, code=Code.OK))
            case commands.Quit():
                peer.tell(events.Bye(code=Code.OK, reason="goodbye"))
                peer.writer.close()
            case _ if command.id is not None:
                peer.tell(events.Ok(id=command.id, code=Code.OK))
            case _:
                pass

    def welcome(self, hello: commands.Hello) -> events.Welcome:
        return events.Welcome(
            id=hello.id,
            code=Code.ACCEPTED,
            name=hello.name or self._last_name,
            server="scripted",
            version="0",
            epoch=self.epoch,
            identity=self.identity,
            seq=self.seq,
            time=rfc3339(self.seq),
            rooms=hello.rooms if hello.rooms is not None else ["#lobby"],
            token=self.token if hello.token is None else None,
            limits=self.limits,
        )

    def page(self, sync: commands.Sync) -> events.History:
        until = self.seq if sync.until is None else min(sync.until, self.seq)
        wanted: list[KeptEvent] = [event for event in self.log if sync.after < event.seq <= until]
        page, rest = wanted[:PAGE], wanted[PAGE:]
        return events.History(id=sync.id, events=page, complete=not rest, next=page[-1].seq if rest else until)

    def refuse(self, code: Code, text: str) -> Callable[[Peer, Command], None]:
        """A handler that refuses, for `take_over`."""

        def handler(peer: Peer, command: Command) -> None:
            identity = self.identity if isinstance(command, commands.Hello) else None
            peer.tell(events.Error(id=command.id, code=code, text=text, identity=identity))

        return handler
