"""The client as an application sees it: `connect`, methods that ask, and one iterator of events."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import structs

from asyncchat.client.actions import ClientCommands
from asyncchat.client.client_connection import TLS, Connection, Streams, open_streams
from asyncchat.client.handshake import Handshake, Login
from asyncchat.client.inbox import Cursor, Hole, Inbox, Resumed, rooms_left, with_room
from asyncchat.client.reconnect import PASSING_CODES, Backoff, ConnectionState, OpenStreams, Reconnector
from asyncchat.client.requests import Pending, Requests
from asyncchat.client.tokens import KeptToken, TokenStore, choose, claimed, keep_token, login_lock
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.addresses import Address, parse_address
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.errors import ChatError, ConnectionLost, ProtocolError, Refused
from asyncchat.vocabulary.events import Event, Result
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.terms import Code, Kind

LOGGED = 500
"""Characters of what a server says that the log repeats."""

logger = logging.getLogger("asyncchat.client")

NONCE_BYTES = 12
"""Random bytes of a nonce: two messages of one person never share one by chance."""

QUEUE = 10_000
"""Events kept for an application that does not take them now: some megabytes."""

_ANSWERED_LATER = 1.0
"""Seconds until a page of history is asked for again that the server could not give."""

OnState = Callable[[ConnectionState, str], None]
OnLogin = Callable[[str, str], Awaitable[None]]


class ChatClient(ClientCommands):
    """A logged-in client. Made by `connect`; to be closed with `aclose` or ``async with``.

    Iterate over it for all events, in the order of the log; it goes on across reconnects, with nothing twice
    and nothing missing. After all that had come it ends quietly when you closed it, else with `ConnectionLost` (or the
    `Refused` of a login). It may be iterated again; by one task at a time.

    A task of its own reads and never waits for the application, so methods may be called from within the
    iteration, and work without any iteration: what does not fit into the queue is fetched from the server's
    history when its turn comes.

    It belongs to the event loop in which it was made: in another one its methods raise RuntimeError.
    """

    def __init__(
        self,
        open_streams: OpenStreams,
        login: Login,
        *,
        backoff: Backoff | None = None,
        queue: int = QUEUE,
        cursor: Cursor | None = None,
        on_state: OnState | None = None,
        on_login: OnLogin | None = None,
    ) -> None:
        self._login = login
        self._on_login = on_login
        self._requests = Requests()
        self._inbox = Inbox(queue, epoch=cursor.epoch if cursor else None, seen=cursor.seq if cursor else 0)
        self._handshake = Handshake(login, self._requests, self._inbox, self._put, self._skip)
        self._reconnector = Reconnector(
            open_streams,
            receive=self._receive,
            log_in=self._log_in,
            online=self._online,
            cut=self._cut,
            over=self._over,
            backoff=backoff,
            on_state=on_state,
        )
        self._wake = asyncio.Event()
        self._iterating = False
        self._error: ChatError | None = None

    # --- what is known ----------------------------------------------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        return self._reconnector.state

    @property
    def name(self) -> str:
        """Your name, as the server writes it."""
        return self._login.name or ""

    @property
    def token(self) -> str | None:
        """What proves to be you at the next login. A secret."""
        return self._login.token

    @property
    def joined(self) -> frozenset[str]:
        """The rooms you are in."""
        return frozenset(self._login.rooms or ())

    @property
    def welcome(self) -> events.Welcome:
        """The server's last welcome: its name, version, limits, message of the day."""
        if self._handshake.welcome is None:
            raise RuntimeError("not logged in yet")
        return self._handshake.welcome

    @property
    def cursor(self) -> Cursor:
        """The place up to which the iteration has given everything; a later `connect` can go on from it."""
        return Cursor(self._inbox.epoch or "", self._inbox.handed_out)

    # --- coming, going ----------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        """Connect and log in for the first time."""
        await self._reconnector.start()

    async def aclose(self, *, hold: bool = False, reason: str | None = None) -> None:
        """Close for good; what still waits for a reply gets `ConnectionLost`. Idempotent.

        Says goodbye, so that a guest's name is free at once; with *hold* it does not, and the server holds
        name and rooms for a while.
        """
        self._requests.require_loop()
        await self._reconnector.stop(None if hold else commands.Quit(reason=reason))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # --- asking -----------------------------------------------------------------------------------------------------

    async def say(
        self, to: str, text: str, *, kind: Kind = "text", reply_to: int | None = None, nonce: str | None = None
    ) -> events.Said:
        """Say something to a room (``#name``) or to a person; returns the message as it is kept, with its ``seq``.

        Many may be in flight at once. A message whose reply a cut swallowed is sent again with the same
        ``nonce``: it is kept once. Pass a *nonce* of your own to be able to do so yourself, in another
        process even. Raises what the other methods do, and `Refused` 404 for a message that was kept, but is not to
        be seen any more.
        """
        command = commands.Say(to=to, text=text, kind=kind, reply_to=reply_to, nonce=nonce or new_nonce())
        pending = self._requests.add(command)
        result = await self._reply_to(pending)
        if not isinstance(result, events.Ok) or result.seq is None:
            raise ProtocolError("the reply to 'say' has no seq")
        return pending.said or await self._kept(result.seq)

    async def request(self, command: Command) -> Result:
        """Send any command and return its result; its ``id`` is replaced.

        Raises `Refused`; `ConnectionLost` when there is no connection any more and will be none, or (see
        `commands.Base.repeatable` for the commands to which that does not apply) when it was cut before the reply.
        """
        if isinstance(command, commands.Say) and command.nonce is None:
            command = structs.replace(command, nonce=new_nonce())  # it may have to be sent again
        result = await self._reply_to(self._requests.add(command))
        await self._remember(command, result)
        return result

    async def _remember(self, command: Command, result: Result) -> None:
        """What was done may be needed at the next login, here or in another program."""
        match command:
            case commands.Join(room=room, password=str(password)):
                self._login.remember_password(room, password)
            case commands.Nick():
                await self._keep_token()
            case _ if isinstance(result, events.Ok) and result.token is not None:
                # Another password made all tokens void but this one.
                self._login.token = result.token
                await self._keep_token()
            case _:
                pass

    def typing(self, to: str, *, active: bool = True) -> None:
        """Let a room or a person know that you are typing; lost when there is no connection, or if it is refused."""
        connection = self._reconnector.connection
        if connection is not None:
            pending = self._requests.add(commands.Typing(to=to, active=active))
            self._requests.discard(pending)  # by its id the reply is known as one that nobody waits for
            connection.send(pending.command)

    async def _reply_to(self, pending: Pending) -> Result:
        try:
            if self._reconnector.state is ConnectionState.CLOSED:
                raise self._error or ConnectionLost("the connection is closed")
            self._send_due()
            connection = self._reconnector.connection
            if connection is not None:
                await connection.drained()
            return await pending.future
        finally:
            self._requests.discard(pending)

    def _send_due(self) -> None:
        """Send what may be sent now."""
        connection = self._reconnector.connection
        if connection is not None:
            for command in self._requests.due():
                connection.send(command)

    async def _kept(self, seq: int) -> events.Said:
        """A message that was kept by an earlier connection, so that only its ``seq`` came."""
        for event in (await self.sync(seq - 1, until=seq)).events:
            if isinstance(event, events.Said) and event.seq == seq:
                return event
        raise Refused(Code.NOT_FOUND, f"the message is kept as {seq}, and you may not see it any more")

    # --- events -----------------------------------------------------------------------------------------------------

    def __aiter__(self) -> AsyncIterator[Event | Resumed]:
        return self

    async def __anext__(self) -> Event | Resumed:
        if self._iterating:
            raise RuntimeError("another task is iterating over this client")
        self._requests.require_loop()
        self._iterating = True
        try:
            while True:
                head = self._inbox.head()
                if isinstance(head, Hole):
                    await self._fill(head)
                elif head is not None:
                    return self._inbox.take()
                elif self._reconnector.state is ConnectionState.CLOSED:
                    raise self._error or StopAsyncIteration
                else:
                    self._wake.clear()
                    await self._wake.wait()
        finally:
            self._iterating = False

    async def _fill(self, hole: Hole) -> None:
        until = hole.until
        try:
            page = await self.sync(hole.after, until=until)
            for room, end in rooms_left(hole, until).items():
                said = await self._said_in(room, hole.after)
                if said is None:
                    self._inbox.give_up(hole, room)
                    return
                page = with_room(page, said, end)
        except Refused as error:
            if error.code not in PASSING_CODES:
                raise
            logger.warning("cannot fetch what was missed: %s", printable(str(error)))
            await asyncio.sleep(error.wait or _ANSWERED_LATER)
        else:
            self._inbox.fill(hole, until, page)

    async def _said_in(self, room: str, after: int) -> events.History | None:
        """A page of what was said in a room that was left; None: we may not read there any more."""
        try:
            return await self.history(room, after=after)
        except Refused as error:
            if error.code in PASSING_CODES:
                raise
            return None

    # --- what the connection calls -----------------------------------------------------------------

    def _receive(self, told: events.Told) -> None:
        """An event or result came."""
        match told:
            case events.Said():
                self._requests.note(told)
                if not self._handshake.take(told):
                    self._put(told)
            case events.Gap():
                if not self._handshake.take(told):
                    self._skip(told)
            case events.Welcome():
                self._handshake.welcomed(told)
                self._wake.set()
            case events.Error(id=None) if self._handshake.refused(told.code, told.text):
                pass
            case (
                events.Ok() | events.Error() | events.RoomList() | events.Members() | events.User()
                | events.History() | events.BanList() | events.AccountList() | events.Stats()
            ):  # fmt: skip
                if not self._requests.resolve(told) and isinstance(told, events.Error) and told.id is None:
                    logger.warning("the server reports: %s (%d)", printable(told.text[:LOGGED]), told.code)
                self._send_due()
            case _:
                self._note(told)
                if not self._handshake.take(told):
                    self._put(told)

    def _note(self, event: Event) -> None:
        if isinstance(event, events.Bye):
            self._reconnector.bye = event
        self._login.note(event)

    async def _log_in(self, connection: Connection) -> None:
        """Log in on a new connection."""
        await self._handshake.log_in(connection)
        await self._keep_token()

    def _online(self) -> None:
        """There is a connection: send what waits for one."""
        self._requests.known_again(int(self.welcome.limits.get("nonces", 0)))
        self._send_due()

    def _cut(self, error: ChatError) -> None:
        """There is no connection for now."""
        bye = self._reconnector.bye
        if bye is not None:
            self._handshake.refused(bye.code, bye.reason)
        self._requests.cut(error)

    def _over(self, error: ChatError | None) -> None:
        """There will be no connection any more."""
        self._error = error
        self._requests.close(error or ConnectionLost("the connection is closed"))
        self._wake.set()

    def _put(self, event: Event) -> None:
        match event:
            case events.Left(name=self._login.name) | events.Kicked(name=self._login.name) | events.Destroyed():
                self._inbox.leave(event.room)
        self._inbox.put(event)
        self._wake.set()

    def _skip(self, gap: events.Gap) -> None:
        self._inbox.skip(gap.after, gap.until)
        self._wake.set()

    async def _keep_token(self) -> None:
        if self._on_login is not None and self._login.token is not None and self._login.name is not None:
            await self._on_login(self._login.name, self._login.token)


# --- connect --------------------------------------------------------------------------------------------------------


def new_nonce() -> str:
    """A nonce for a message: the same nonce again is the same message."""
    return secrets.token_urlsafe(NONCE_BYTES)


class Connecting:
    """What `connect` returns: ``await`` it for the client, or use it with ``async with``, which closes it."""

    def __init__(self, start: Callable[[], Awaitable[ChatClient]]) -> None:
        self._start = start
        self._client: ChatClient | None = None

    def __await__(self) -> Generator[object, None, ChatClient]:
        return self._start().__await__()

    async def __aenter__(self) -> ChatClient:
        self._client = await self
        return self._client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._client is not None
        await self._client.aclose()


def connect(
    address: str | Address,
    *,
    name: str | None = None,
    token: str | None = None,
    password: str | None = None,
    rooms: Iterable[str] | None = None,
    server_password: str | None = None,
    reconnect: bool | Backoff = True,
    cursor: Cursor | None = None,
    token_store: TokenStore | None = None,
    trust_address: bool = False,
    ca: Path | str | None = None,
    fingerprint: str | None = None,
    queue: int = QUEUE,
    on_state: OnState | None = None,
    operator: bool = False,
) -> Connecting:
    """Connect to a server and log in.

    Args:
        address: ``tcp://host[:port]``, ``tls://host[:port]``, ``unix:path`` or ``host[:port]``; the port is
            7777 by default.
        name: who to be. A free name makes a guest.
        token: proves to be the person who was given it, at an earlier login.
        password: proves to be the owner of a registered name; used if the token is missing or void.
        rooms: exactly these are entered; by default the server's default room.
        server_password: for servers that ask everybody for one.
        reconnect: whether, and when (a `Backoff`), to come back after the connection is lost. The first
            connection is tried once.
        cursor: the place from which to go on, as `ChatClient.cursor` gave it in an earlier life.
        token_store: where tokens are kept between programs; by default they are not.
        trust_address: if the server says that it is one whose token is kept, send that token, though the server
            was met at other addresses. Anybody can say so: by default a warning is logged.
        ca: a PEM file with the certificates to trust for ``tls://``; by default those of the system.
        fingerprint: the SHA-256 of the one certificate to trust for ``tls://``.
        queue: events kept for an application that does not take them now; beyond it they are fetched again in
            time.
        on_state: called with each change of `ChatClient.state` and a text for people.
        operator: the address is a server's control socket. Nobody logs in there: whoever may use it is the server's
            operator, is in no room, and hears nothing. It does not come back after the connection is lost.

    Raises (when awaited): `ConnectionLost` if there is no way to the server, `Refused` if it does not let us
    in, `ProtocolError` if it is no chat server. ValueError (at once) for an address or fingerprint that is
    none.
    """
    where = parse_address(address) if isinstance(address, str) else address
    tls = TLS(ca=ca, fingerprint=fingerprint)

    async def start() -> ChatClient:
        login = _login(name, token, password, rooms, server_password)
        login.operator = operator

        async def keep(known_as: str, its_token: str) -> None:
            if token_store is not None:
                await keep_token(token_store, where.key, known_as, its_token, client.welcome.identity)

        client = ChatClient(
            lambda: open_streams(where, tls),
            login,
            backoff=None if operator else _backoff(reconnect),
            queue=queue,
            cursor=cursor,
            on_state=on_state,
            on_login=keep,
        )
        if token_store is None or name is None or token is not None:
            await client._start()
            return client
        # Whoever comes second under the same name waits for the first one's token, and is the same person.
        try:
            async with login_lock(token_store, where.key, name):
                kept = await asyncio.to_thread(token_store.find, name)
                here = [one.token for one in kept if where.key in one.addresses]
                if len(here) > 1 or (trust_address and kept):
                    login.choose_tokens = partial(choose, kept, where.key, trusted=trust_address)
                else:
                    login.token = next(iter(here), None)
                try:
                    await client._start()
                except Refused as error:
                    _warn_of_claim([] if trust_address else kept, where, error.identity)
                    raise
                _warn_of_claim([] if trust_address else kept, where, client.welcome.identity)
        except BaseException:
            await client.aclose()  # logged in already, and cancelled while the lock was given back
            raise
        return client

    return Connecting(start)


def connect_streams(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    name: str | None = None,
    token: str | None = None,
    password: str | None = None,
    rooms: Iterable[str] | None = None,
    server_password: str | None = None,
    queue: int = QUEUE,
    on_state: OnState | None = None,
) -> Connecting:
    """Log in over a connection that is there already, an in-process one for example; there is no way back when it ends.

    Arguments and errors are those of `connect`.
    """

    async def streams() -> Streams:
        return reader, writer

    async def start() -> ChatClient:
        login = _login(name, token, password, rooms, server_password)
        client = ChatClient(streams, login, queue=queue, on_state=on_state)
        await client._start()
        return client

    return Connecting(start)


def _warn_of_claim(kept: list[KeptToken], where: Address, identity: str | None) -> None:
    """Log that a server is said to be at another address than before, if it is: the person may know whether it is."""
    if known := claimed(kept, where.key, identity):
        logger.warning(
            "the server at %s says that it is the one that you know as %s; anybody can say so, and it got no token; "
            "if you know that it is, log in with --trust-address (trust_address=True)",
            where, ", ".join(map(printable, known)),
        )  # fmt: skip


def _login(
    name: str | None,
    token: str | None,
    password: str | None,
    rooms: Iterable[str] | None,
    server_password: str | None,
) -> Login:
    if isinstance(rooms, str):
        raise TypeError("rooms is a list of names, not one name")
    return Login(
        name=name,
        token=token,
        password=password,
        server_password=server_password,
        rooms=None if rooms is None else dict.fromkeys(rooms),
    )


def _backoff(reconnect: bool | Backoff) -> Backoff | None:
    if isinstance(reconnect, Backoff):
        return reconnect
    return Backoff() if reconnect else None
