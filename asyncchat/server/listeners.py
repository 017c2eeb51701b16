"""Listening: one `asyncio.start_server` for each address."""

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Awaitable, Callable

from asyncchat.vocabulary.addresses import Address, parse_address

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

BACKLOG = 4096
"""Connections that the kernel holds until they are accepted: all clients of a restarted server come at once."""

RESERVED_DESCRIPTORS = 64
"""File descriptors kept for the database, its readers, the listeners, and backups."""

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """One address that is listened on."""

    def __init__(self, server: asyncio.Server, address: str, path: str | None = None) -> None:
        self._server = server
        self._path = path
        self.address = address

    def close(self) -> None:
        """Accept nobody any more."""
        self._server.close()
        if self._path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            self._path = None

    async def wait_closed(self) -> None:
        """Wait until it is closed; from Python 3.12 on, until its clients are gone as well: close them first."""
        await self._server.wait_closed()


async def listen(text: str, handler: Handler) -> Listener:
    """Listen on an address. Raises ValueError for what is no address, OSError for one that cannot be listened on."""
    address = parse_address(text, listening=True)
    match address.scheme:
        case "tcp":
            server = await asyncio.start_server(
                handler, address.host or None, address.port, backlog=BACKLOG, reuse_address=os.name == "posix"
            )
            return Listener(server, str(_bound(address, server)))
        case "unix":
            _remove_stale(address.path)
            server = await asyncio.start_unix_server(handler, address.path, backlog=BACKLOG)
            return Listener(server, str(address), address.path)
        case _:
            raise ValueError(f"cannot listen on {text}")


def _bound(address: Address, server: asyncio.Server) -> Address:
    """The address with the port that it got."""
    port = server.sockets[0].getsockname()[1]
    return Address(address.scheme, host=address.host or "0.0.0.0", port=port)


def _remove_stale(path: str) -> None:
    """Remove the socket file of a server that died; one that answers is in use."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise FileExistsError(f"{path} exists and is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise OSError(f"{path} is in use")


def descriptors_for_clients() -> int | None:
    """How many connections the process has file descriptors for; None where there is no such limit."""
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else max(soft - RESERVED_DESCRIPTORS, 1)
