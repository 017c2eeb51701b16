"""`connect`: from an address to a `ChatClient` that is logged in."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from pathlib import Path
from types import TracebackType

from asyncchat.client.backoff import Backoff
from asyncchat.client.chat import QUEUE, ChatClient, OnState
from asyncchat.client.dial import TLS, Streams, dial
from asyncchat.client.login import Login
from asyncchat.client.state import Cursor
from asyncchat.client.tokens import TokenStore
from asyncchat.vocabulary.addresses import Address, parse_address
from asyncchat.vocabulary.printable import printable

logger = logging.getLogger("asyncchat.client")


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
    ca: Path | str | None = None,
    fingerprint: str | None = None,
    queue: int = QUEUE,
    on_state: OnState | None = None,
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
        ca: a PEM file with the certificates to trust for ``tls://``; by default those of the system.
        fingerprint: the SHA-256 of the one certificate to trust for ``tls://``.
        queue: events kept for an application that does not take them now; beyond it they are fetched again in
            time.
        on_state: called with each change of `ChatClient.state` and a text for people.

    Raises (when awaited): `ConnectionLost` if there is no way to the server, `Refused` if it does not let us
    in, `ProtocolError` if it is no chat server. ValueError (at once) for an address or fingerprint that is
    none.
    """
    where = parse_address(address) if isinstance(address, str) else address
    tls = TLS(ca=ca, fingerprint=fingerprint)

    async def start() -> ChatClient:
        login = _login(name, token, password, rooms, server_password)

        async def keep(known_as: str, its_token: str) -> None:
            if token_store is not None:
                await _save(token_store, where.key, known_as, its_token)

        client = ChatClient(
            lambda: dial(where, tls),
            login,
            backoff=_backoff(reconnect),
            queue=queue,
            cursor=cursor,
            on_state=on_state,
            on_login=keep,
        )
        if token_store is None or name is None or token is not None:
            await client.start()
            return client
        # Whoever comes second under the same name waits for the first one's token, and is the same person.
        try:
            async with _lock(token_store, where.key, name):
                login.token = await asyncio.to_thread(token_store.load, where.key, name)
                await client.start()
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
        await client.start()
        return client

    return Connecting(start)


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


async def _save(store: TokenStore, server: str, name: str, token: str) -> None:
    try:
        await asyncio.to_thread(store.save, server, name, token)
    except OSError as error:
        logger.warning("cannot keep the token of %s: %s", printable(name), error.strerror or error)


LOCK_SECONDS = 30.0
"""For another client's login under the same name; then we log in without waiting for it any longer."""

LOCK_POLL_SECONDS = 0.02
"""Between two tries of a lock: the system offers no wait that can be given up, and threads that wait are in the way."""


@contextlib.asynccontextmanager
async def _lock(store: TokenStore, server: str, name: str) -> AsyncIterator[None]:
    """Be the only one on this machine who logs in there under this name, if that can be had in time."""
    deadline = asyncio.get_running_loop().time() + LOCK_SECONDS
    while (handle := await _try_lock(store, server, name)) is None:
        if asyncio.get_running_loop().time() >= deadline:
            break
        await asyncio.sleep(LOCK_POLL_SECONDS)
    try:
        yield
    finally:
        if handle is not None:
            store.unlock(handle)


async def _try_lock(store: TokenStore, server: str, name: str) -> int | None:
    trying = asyncio.ensure_future(asyncio.to_thread(store.try_lock, server, name))
    try:
        return await asyncio.shield(trying)
    except asyncio.CancelledError:
        handle = await trying  # which takes as long as opening a file does
        if handle is not None:
            store.unlock(handle)
        raise
