"""`ChatServer`: the chat inside any asyncio app, from its start to its last flushed byte."""

import asyncio
import contextlib
import logging
import os
import random
import secrets
import ssl
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from msgspec import structs

from asyncchat._loops import require
from asyncchat._version import __version__
from asyncchat.core.quotas import household
from asyncchat.core.rules import Chat
from asyncchat.core.session import Phase
from asyncchat.core.settings import Settings
from asyncchat.server.acceptor import Acceptor
from asyncchat.server.control import Host, open_control
from asyncchat.server.listeners import Handler, Listener, descriptors_for_clients, listen
from asyncchat.server.operator import Countdown, Operator, memory_used, spoken
from asyncchat.server.passwords import NO_PASSWORD, Passwords
from asyncchat.server.periodic import Periodic
from asyncchat.server.pipeline import Pipeline
from asyncchat.server.services import Services, now_ms
from asyncchat.server.turns import Turns
from asyncchat.server.writers import Writers
from asyncchat.storage.storage import Storage
from asyncchat.vocabulary import queries
from asyncchat.vocabulary.addresses import Address, parse_address
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.events import Bye, Stats
from asyncchat.vocabulary.names import skeleton
from asyncchat.vocabulary.terms import Code

if TYPE_CHECKING:
    from asyncchat.server.inprocess import Inside, Options

log = logging.getLogger("asyncchat.server")

DEFAULT_LISTEN = "tcp://127.0.0.1:7777"
"""Where a server listens that was not told."""

MEMORY = ":memory:"
"""In the place of a directory: keep nothing."""

DATABASE = "asyncchat.db"
"""The database's file in the data directory."""

QUERIES_WAITING = 10_000
"""Searches, and pages of history, that may wait for their turn: more than connections that come back at once."""

RECONNECT_SPREAD = 5.0
"""Seconds over which the clients of a server that shuts down come back, so that they do not come all at once."""


class ChatServer:
    """A chat server in the running loop. It touches nothing of the app around it: no signals, no logging, no policy.

    Once started it belongs to that loop: called from another one, or from a thread without, its methods raise
    RuntimeError.

    Use it with ``async with``, or `start` and `aclose`. Relative paths count from the directory in which it is made,
    and ValueError is raised at once for an address that is none. Options are keyword-only:

    listen: addresses, ``tcp://HOST:PORT`` (port 0: any free one), ``tls://HOST:PORT``, ``unix:PATH``; none for no
        listener of its own.
    data: the directory of the database (made if missing), or ``":memory:"`` to forget all at the end.
    settings: what the rules need to know: the name, the message of the day, the limits, who may log in.
    tls: the certificate, for the ``tls://`` addresses, and for clients that begin with TLS on the others.
    control: opens the control socket in the data directory, by which operators' programs use the server while it
        runs; this is whom it asks to stop the server, and to read the settings anew.
    """

    def __init__(
        self,
        *,
        listen: Sequence[str] = (DEFAULT_LISTEN,),
        data: str | os.PathLike[str] = ":memory:",
        settings: Settings | None = None,
        tls: ssl.SSLContext | None = None,
        control: Host | None = None,
    ) -> None:
        if isinstance(listen, str):
            raise TypeError("listen is a list of addresses, not one address")
        self._listen = [parse_address(text, listening=True) for text in listen]
        self._tls = tls
        self._data = None if data == MEMORY else Path(data).absolute()
        self._storage = Storage(MEMORY if self._data is None else self._data / DATABASE)
        self._settings = structs.replace(settings or Settings(), version=__version__)
        self._host = control
        self._control: Listener | None = None
        self._listeners: list[Listener] = []
        self._handlers: dict[asyncio.Task[Any], asyncio.Future[None]] = {}
        self._cancelled: set[asyncio.Task[Any]] = set()
        self._acceptor: Acceptor | None = None
        self._undo: contextlib.AsyncExitStack | None = None
        # One of each at a time: of the threads that read, one is always free for those who log in.
        self._searches = Turns(1, QUERIES_WAITING)
        self._pages = Turns(1, QUERIES_WAITING)
        self._closing: asyncio.Task[None] | None = None
        self._closers: set[asyncio.Task[Any] | None] = set()

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> Self:
        """Open the database and listen.

        Raises `StorageError` for a database that cannot be used, OSError for an address that cannot be listened on, and
        ValueError for one of TLS without a certificate. Nothing is left open then.
        """
        if self._undo is not None:
            raise RuntimeError("this server was started before: make a new one")
        self._loop = asyncio.get_running_loop()
        self._undo = contextlib.AsyncExitStack()
        skeleton("")  # reads its table now, so that the first login does not wait for it
        try:
            await self._open(self._undo)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def _open(self, undo: contextlib.AsyncExitStack) -> None:
        """Build up; what `aclose` has to do is noted as it becomes necessary, and done in the opposite order."""
        storage = self._storage
        await storage.open()
        undo.push_async_callback(storage.aclose)
        self._passwords = Passwords(self._settings.limits.hashes)
        undo.push_async_callback(self._passwords.aclose)
        self.chat = Chat(
            self._settings,
            epoch=storage.epoch,
            identity=storage.identity,
            new_token=lambda: secrets.token_urlsafe(32),
            no_password=NO_PASSWORD,
        )
        due = self.chat.restore(storage.load(), seq=storage.last_seq, arrived=storage.arrived(), now=now_ms())
        self._writers = Writers(lambda: self.chat.state.seq)
        self._pipeline = Pipeline(self.chat, storage.log, self._writers)
        services = Services(self.chat, self._pipeline, self._writers, self._answer)
        self._clock = services.clock
        acceptor = self._acceptor = Acceptor(services, descriptors_for_clients(), self._tls)
        self._since = time.monotonic()
        self._operator = Operator(services, self._measured)
        self._countdown = Countdown(self._operator.announce, self._stop)
        await storage.log.start(self._pipeline.applied, self._pipeline.failed)
        for record in due:
            self._pipeline.append_own(record)
        await self._operator.settled()  # before anybody comes in
        undo.push_async_callback(self._wait_closed)
        undo.callback(self._writers.close)
        undo.push_async_callback(self._end_clients, acceptor)
        periodic = self._periodic = Periodic(self.chat, storage, self._pipeline, acceptor, services.clock)
        periodic.start()
        undo.push_async_callback(periodic.aclose)
        undo.push_async_callback(self._countdown.aclose)
        undo.push_async_callback(self._stop_listening)
        for address in self._listen:
            self._listeners.append(await listen(address, self._handler(address)))
            log.info("Listening on %s", self._listeners[-1].name)
        if self._host is not None:
            await self._open_control()

    async def _open_control(self) -> None:
        """Open the control socket, or say in the log why there is none: a server can do without."""
        if self._data is None:
            log.info("No control socket: the database is in memory")
            return
        try:
            self._control = await open_control(self._data, partial(self._handle, control=True))
        except OSError as error:
            log.warning("No control socket: %s", error.strerror or error)

    def reload(self, settings: Settings) -> None:
        """Other settings from now on, for all who are here as well.

        The default room stays, and so does the limit ``hashes``: these only a restart changes.
        """
        acceptor = self._running()
        self._require_loop()
        kept = self._settings
        self._settings = structs.replace(settings, version=__version__, default_room=kept.default_room)
        self.chat.state.settings = self._settings
        self._pipeline.append_own(self.chat.settings_record(now_ms()))
        acceptor.keep_alive()

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy the database as it is now to a new file, and serve meanwhile.

        Raises `StorageError` when there is such a file, or when it cannot be written.
        """
        self._running()
        self._require_loop()
        await self._storage.backup(Path(path))

    def hurry(self) -> None:
        """Wait no more, while closing, for clients that do not read."""
        if self._acceptor is not None:
            self._require_loop()
            self._acceptor.abort()

    async def aclose(self) -> None:
        """Close in the order that loses nothing. Idempotent; afterwards no task, thread or socket is left.

        Stop accepting; tell everyone ``bye`` with a delay to come back after; finish the commit in flight; flush for at
        most `Limits.flush_seconds`; cancel and await every handler; close the storage. Who is cancelled meanwhile waits
        to the end all the same, which comes soon then: see `hurry`.
        """
        if self._undo is None:
            return
        self._require_loop()
        if self._closing is None:
            self._closing = asyncio.create_task(self._undo.aclose(), name="asyncchat shutdown")
        self._closers.add(asyncio.current_task())
        cancelled: asyncio.CancelledError | None = None
        while not self._closing.done():
            try:
                await asyncio.wait({self._closing})
            except asyncio.CancelledError as error:
                cancelled = error
                self.hurry()
        self._closing.result()
        if cancelled is not None:
            raise cancelled

    async def _stop_listening(self) -> None:
        for listener in self._all_listeners():
            await listener.close()

    def _all_listeners(self) -> list[Listener]:
        return [*self._listeners, *([self._control] if self._control is not None else [])]

    async def _end_clients(self, acceptor: Acceptor) -> None:
        acceptor.close(self._bye, "server shutting down")
        await self._end_handlers()

    async def _wait_closed(self) -> None:
        for listener in self._all_listeners():
            await listener.wait_closed()
        self._listeners.clear()
        self._control = None

    async def _end_handlers(self) -> None:
        # Not the tasks: one of the app's own may go on when its client has ended.
        handlers = {ended: task for task, ended in self._handlers.items() if task not in self._closers}
        if not handlers:
            return
        _, late = await asyncio.wait(handlers, timeout=self._settings.limits.flush_seconds or None)
        for ended in late:
            self._cancelled.add(handlers[ended])
            handlers[ended].cancel()
        if late:
            await asyncio.wait(late)

    def _bye(self) -> Bye:
        return Bye(reason="the server is shutting down", reconnect=round(random.uniform(0.5, RECONNECT_SPREAD), 1))

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # --- use --------------------------------------------------------------------------------------------------------

    @property
    def addresses(self) -> list[str]:
        """Where the server listens, with the ports that it got."""
        return [listener.address for listener in self._listeners]

    @property
    def operator(self) -> Operator:
        """Commands with every right, accounts and figures."""
        self._running()
        return self._operator

    @property
    def connected(self) -> int:
        """How many connections are served now; those of the control socket are not counted."""
        return sum(connection.session.phase is not Phase.OPERATOR for connection in self._running().connections)

    @property
    def is_controlled(self) -> bool:
        """Is there a control socket?"""
        return self._control is not None

    def _running(self) -> Acceptor:
        if self._acceptor is None:
            raise RuntimeError("this server is not started: await start(), or use it with async with")
        return self._acceptor

    def _require_loop(self) -> None:
        require(self._loop, "this server")

    async def handle_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client of whatever dialect: the callback for an ``asyncio.start_server`` of the app's own."""
        await self._handle(reader, writer)

    def _handler(self, address: Address) -> Handler:
        tls = address.scheme in ("tls", "tls+fd")
        if tls and self._tls is None:
            raise ValueError(f"cannot listen on {address}: there is no certificate")
        return partial(self._handle, tls=tls, plain=True)

    async def _handle(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        tls: bool = False,
        inside: bool = False,
        plain: bool = False,
        control: bool = False,
    ) -> None:
        acceptor, task = self._running(), asyncio.current_task()
        self._require_loop()
        assert task is not None
        ended = self._handlers[task] = asyncio.get_running_loop().create_future()
        try:
            if control:
                await acceptor.handle_control(reader, writer)
            else:
                await acceptor.handle(reader, writer, tls=tls, inside=inside, plain=plain)
        except asyncio.CancelledError:
            writer.transport.abort()
            if task not in self._cancelled:
                raise  # the app's own wish: a timeout, a task group
            # `aclose` wants the client ended, not the task, which may be the app's (and streams on 3.11 would report
            # a cancelled one as an error).
            task.uncancel()
        except Exception:
            # The root of the task: nobody awaits it, so a fault of ours ends here, and ends one client only.
            log.exception("a fault while serving a client")
            writer.transport.abort()
        finally:
            del self._handlers[task]
            self._cancelled.discard(task)
            ended.set_result(None)

    def connect(self, name: str, **options: Unpack["Options"]) -> "Inside":
        """A client inside the process: ``async with server.connect("bot") as bot``, then as `asyncchat.connect`."""
        # Imported when it is used: a server that nobody asks for it does without the client.
        from asyncchat.server.inprocess import connect_inside  # noqa: PLC0415

        self._running()
        return connect_inside(self._loop, partial(self._handle, inside=True, plain=True), name, **options)

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _answer(self, query: queries.Query, address: str) -> Any:
        match query:
            case queries.HashPassword(password):
                return await self._passwords.hash(password, *self._reputation(address))
            case queries.VerifyPassword(hash, password):
                return await self._passwords.verify(hash, password, *self._reputation(address))
            case queries.FindText():
                return await self._searches.run(household(address), partial(self._storage.ask, query))
            case queries.FindPage() | queries.FindSince() | queries.FindRecent():
                return await self._pages.run(household(address), partial(self._storage.ask, query))
            case queries.Measure():
                return self._measured()
            case queries.CopyDatabase(path):
                return await self._copy(path)
            case queries.SetLogLevel(level):
                return f"the log level is {self._asked_host().log_level(level)}"
            case queries.ReloadSettings():
                return self._asked_host().reload()
            case queries.ShutDown(seconds, cancel):
                return await self._shut_down(seconds, cancel)
            case _:
                return await self._storage.ask(query)  # what a login or a message waits for, and takes no time

    # --- what operators ask for -------------------------------------------------------------------------------------

    def _measured(self) -> Stats:
        state = self.chat.state
        return Stats(
            version=self._settings.version,
            uptime=int(time.monotonic() - self._since),
            memory=memory_used(),
            connections=self.connected,
            sessions=len(state.sessions),
            people=sum(1 for person in state.people if person.sessions),
            registered=sum(1 for person in state.people if person.registered),
            rooms=len(state.rooms),
            seq=state.seq,
            listening=self.addresses,
        )

    async def _copy(self, path: str) -> str:
        if not os.path.isabs(path) or "\0" in path:
            raise Refused(Code.MALFORMED, "where to? An absolute path is needed")
        await self.backup(path)
        log.info("Copied the database to %s", path)
        return f"the database is copied to {path}"

    async def _shut_down(self, seconds: int, cancel: bool) -> str:
        self._asked_host()
        if cancel:
            if not await self._countdown.call_off():
                raise Refused(Code.CONFLICT, "there is no countdown")
            text = "the shutdown is called off"
        elif seconds:
            self._countdown.start(seconds)
            text = f"the server shuts down in {spoken(seconds)}"
        else:
            self._stop()
            return "the server shuts down"
        log.info("%s", text.capitalize())
        return text

    def _stop(self) -> None:
        self._asked_host().stop()

    def _asked_host(self) -> Host:
        if self._host is None:
            raise Refused(Code.FORBIDDEN, "that is for the program around this server to do")
        return self._host

    def _reputation(self, address: str) -> tuple[str, int]:
        """The household of an address, and how often it was wrong."""
        return household(address), self.chat.state.wrong_passwords.lately(address, self._clock.now())


async def serve(
    *,
    listen: Sequence[str] = (DEFAULT_LISTEN,),
    data: str | os.PathLike[str] = ":memory:",
    settings: Settings | None = None,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until cancelled: `ChatServer` as one coroutine, for ``asyncio.create_task`` or a task group."""
    async with ChatServer(listen=listen, data=data, settings=settings, tls=tls):
        await asyncio.get_running_loop().create_future()
