"""Listening: one `asyncio.start_server` for each address."""

import asyncio
import contextlib
import errno
import ipaddress
import os
import socket
import stat
import sys
from collections.abc import Awaitable, Callable
from typing import assert_never

from asyncchat.vocabulary.addresses import Address

if sys.platform != "win32":  # which has no such limit
    import resource

BACKLOG = 4096
"""Connections that the kernel holds until they are accepted: all clients of a restarted server come at once."""

ACCEPTED_AT_ONCE = 8
"""Connections accepted in one pass of the loop, so that those that are turned away are closed again before the reserved
descriptors are used up. Were they, asyncio would report it once for each that it may accept at once (3.11)."""

RESERVED_DESCRIPTORS = 64
"""File descriptors kept for the database, its readers, the listeners, and backups."""

ACCEPT_PASSES = 4
"""Passes of the loop from a connection that was accepted to its handler: two tasks and two callbacks."""

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """One address that is listened on.

    ``address``: one by which it is reached; ``name``: what the log calls it, which may be several.
    """

    def __init__(self, server: asyncio.Server, *addresses: str, path: str | None = None) -> None:
        for listening in server.sockets:
            with listening.dup() as same:
                same.listen(BACKLOG)  # for asyncio it is one number with the next
        self._server = server
        self._path = path
        self._file = _file_at(path) if path is not None else None
        self.address = addresses[0]
        self.name = " and ".join(addresses)

    async def close(self) -> None:
        """Accept nobody any more; who was accepted before has reached the handler."""
        loop = asyncio.get_running_loop()
        for listening in self._server.sockets:
            with contextlib.suppress(NotImplementedError):  # loops without readers, on Windows
                loop.remove_reader(listening.fileno())
        for _ in range(ACCEPT_PASSES):
            # A server that is closed forgets the connections on this way, and nobody closes them (3.11 to 3.13).
            await asyncio.sleep(0)
        self._server.close()
        if self._path is not None:
            with contextlib.suppress(FileNotFoundError):
                if _file_at(self._path) == self._file:  # and not the socket of another server, which came after us
                    os.unlink(self._path)
            self._path = None

    async def wait_closed(self) -> None:
        """Wait until it is closed; from Python 3.12 on, until its clients are gone as well: close them first."""
        await self._server.wait_closed()


def _file_at(path: str) -> tuple[int, int]:
    """Which file it is: its device and its number there."""
    found = os.stat(path)
    return found.st_dev, found.st_ino


async def listen(address: Address, handler: Handler) -> Listener:
    """Listen on an address; raises OSError where that cannot be. Whether clients speak TLS is the handler's."""
    try:
        return await _listen(address, handler)
    except OSError as error:
        # asyncio's own texts name the address in another way than the operator did.
        number = error.errno or 0
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(number) if number else error
        raise OSError(number, f"cannot listen on {address}: {reason}") from error


async def _listen(address: Address, handler: Handler) -> Listener:
    match address.scheme:
        case "tcp" | "tls":
            host = address.host if address.port else await _one_of(address.host)
            server = await asyncio.start_server(
                handler, host or None, address.port, backlog=ACCEPTED_AT_ONCE, reuse_address=os.name == "posix"
            )
            return Listener(server, *_bound(address, server))
        case "unix":
            if sys.platform == "win32":
                raise OSError(errno.EAFNOSUPPORT, "no unix sockets")
            remove_stale(address.socket_path)
            server = await asyncio.start_unix_server(handler, address.socket_path, backlog=ACCEPTED_AT_ONCE)
            return Listener(server, str(address), path=address.path)
        case "fd" | "tls+fd":
            inherited = _inherited(address.port)
            server = await asyncio.start_server(handler, sock=inherited, backlog=ACCEPTED_AT_ONCE)
            return Listener(server, f"{address} ({_name(inherited)})")
        case _:
            assert_never(address.scheme)


def _inherited(descriptor: int) -> socket.socket:
    """The listening socket with this descriptor, which is ours from now on."""
    os.set_inheritable(descriptor, False)
    inherited = socket.socket(fileno=descriptor)
    if not (inherited.type is socket.SOCK_STREAM and inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)):
        inherited.detach()
        raise OSError(errno.EINVAL, "no listening socket")
    return inherited


def _name(inherited: socket.socket) -> str:
    if inherited.family in (socket.AF_INET, socket.AF_INET6):
        host, port, *_ = inherited.getsockname()
        return str(Address("tcp", host=host, port=port))
    return f"unix:{inherited.getsockname()}"


async def _one_of(host: str) -> str:
    """One IP address of a host: a name may have several, and any free port would be another for each of them."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host))  # which asks nobody, in no thread
    infos = await asyncio.get_running_loop().getaddrinfo(
        host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return str(infos[0][4][0])


def _bound(address: Address, server: asyncio.Server) -> list[str]:
    """The address with the port that it got; without a host, those of all interfaces in IPv4 and IPv6."""
    names = sorted(listening.getsockname()[:2] for listening in server.sockets)  # IPv4 first: most can reach it
    if address.host:
        names = [(address.host, names[0][1])]
    return [str(Address(address.scheme, host=host, port=port)) for host, port in names]


def remove_stale(path: str, *, dead: bool = False) -> None:
    """Remove the socket file of a server that died; one that answers is in use, unless it is known to be *dead*."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "exists")
    except FileNotFoundError:
        return
    if dead:
        os.unlink(path)
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise OSError(errno.EADDRINUSE, "in use")


def raise_descriptor_limit() -> None:
    """Let this process open as many files as it may. For whoever owns the process."""
    if sys.platform != "win32":
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def descriptors_for_clients() -> int | None:
    """How many connections the process has file descriptors for; None where there is no such limit."""
    if sys.platform == "win32":
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else max(soft - RESERVED_DESCRIPTORS, 1)
