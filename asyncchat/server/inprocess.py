"""A client inside the server's own process: the same library, through a pair of connected sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypedDict, Unpack

from asyncchat._loops import require
from asyncchat.client import ChatClient, OnState, connect_streams

Inside = contextlib.AbstractAsyncContextManager[ChatClient]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Options(TypedDict, total=False):
    """Those of `connect_streams`."""

    token: str | None
    password: str | None
    rooms: Iterable[str] | None
    server_password: str | None
    queue: int
    on_state: OnState | None


@contextlib.asynccontextmanager
async def connect_inside(
    loop: asyncio.AbstractEventLoop, handle: Handler, name: str, **options: Unpack[Options]
) -> AsyncIterator[ChatClient]:
    """A client of the server whose handler of inside clients this is, in its *loop*."""
    require(loop, "this server")
    ours, theirs = socket.socketpair()
    serving = asyncio.create_task(_serve(handle, ours), name="asyncchat in-process client")
    try:
        reader, writer = await asyncio.open_connection(sock=theirs)
        try:
            async with connect_streams(reader, writer, name=name, **options) as client:
                yield client
        finally:
            writer.transport.abort()  # a client whose goodbye is cancelled leaves it open, and the server would wait
    finally:
        await serving


async def _serve(handle: Handler, end: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=end)
    await handle(reader, writer)
