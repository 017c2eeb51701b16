"""What the server reads from and writes to: one small interface, whatever lies below it.

`StreamTransport` is that of TCP, Unix sockets and in-process clients, over asyncio's streams; `tls.TLSTransport` goes
through another one. Nothing else in the server touches asyncio's transports.
"""

import asyncio
import contextlib
import os
import socket
import sys
from typing import Any, Protocol


class Reader(Protocol):
    """Where a client's bytes come from."""

    async def read(self, n: int) -> bytes:
        """The next bytes, *n* at most; none at the end. Raises OSError when the connection is lost."""
        ...


class Transport(Protocol):
    """One client's way out."""

    #: The client's IP address; empty if there is none, as with Unix sockets and in-process clients.
    address: str
    #: The client is on this machine.
    local: bool
    #: The client is the app's own, in this process, and is trusted.
    inside: bool
    #: What travels is encrypted.
    encrypted: bool

    def write(self, data: bytes) -> bool:
        """Send bytes, without waiting; false if some of them wait now. To one that is closing nothing is sent."""
        ...

    @property
    def waiting(self) -> int:
        """Bytes that the system has not taken yet."""
        ...

    @property
    def closing(self) -> bool:
        """It is closed, or will be when what waits is sent."""
        ...

    def limit(self, size: int) -> None:
        """Let `drained` wait while more than *size* bytes wait, until a quarter of it is left."""
        ...

    async def drained(self) -> None:
        """Wait until little waits, see `limit`; raises OSError when the connection is lost."""
        ...

    def close(self) -> None:
        """Close when what waits is sent."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...

    async def closed(self) -> None:
        """Wait until it is closed; raises OSError when it was lost."""
        ...

    def socket(self) -> Any:
        """The socket below, to set its options; None where there is none."""
        ...


class StreamTransport:
    """The way out through asyncio's `StreamWriter`.

    ``plain``: the stream is the loop's own for a socket, and nothing else (which may encrypt, compress or gather what
    it is given, as an app's own may). While nothing waits in such a one, bytes go to the system directly: asyncio's
    `write` would do just that, and costs a tenth of what the system does with a message.
    """

    __slots__ = ("_descriptor", "_free", "_stream", "_transport", "address", "encrypted", "inside", "local")

    def __init__(
        self,
        stream: asyncio.StreamWriter,
        address: str,
        *,
        local: bool = False,
        inside: bool = False,
        plain: bool = False,
    ) -> None:
        self._stream = stream
        self._transport = transport = stream.transport
        self._descriptor = -1
        if plain and sys.platform != "win32":  # there, a socket is no file
            self._descriptor = transport.get_extra_info("socket").fileno()
        self._free = False
        _keep_urgent_data_in_place(self.socket())
        self.address = address
        self.local = local
        self.inside = inside
        self.encrypted = stream.get_extra_info("ssl_object") is not None

    @property
    def direct(self) -> bool:
        """Does the next write go to the system directly?"""
        return self._free

    def write(self, data: bytes) -> bool:
        """Send bytes, without waiting; false if some of them wait now."""
        transport = self._transport
        if transport.is_closing():  # also: the descriptor may be another's by now
            return True
        if self._free:
            try:
                taken = os.write(self._descriptor, data)
            except OSError:
                taken = 0  # the transport will see why
            if taken == len(data):
                return True
            data = data[taken:]
        transport.write(data)
        if transport.get_write_buffer_size():
            self._free = False
            return False
        self._free = self._descriptor >= 0
        return True

    @property
    def waiting(self) -> int:
        """Bytes that the system has not taken yet."""
        return self._transport.get_write_buffer_size()

    @property
    def closing(self) -> bool:
        """It is closed, or will be when what waits is sent."""
        return self._transport.is_closing()

    def limit(self, size: int) -> None:
        """Let `drained` wait while more than *size* bytes wait."""
        self._transport.set_write_buffer_limits(high=size, low=size // 4)

    async def drained(self) -> None:
        """Wait until little waits."""
        await self._stream.drain()

    def close(self) -> None:
        """Close when what waits is sent."""
        self._stream.close()

    def abort(self) -> None:
        """Close at once; nothing if it is closed already."""
        transport = self._transport
        if transport.get_write_buffer_size() or not transport.is_closing():
            transport.abort()  # on one that closed when it had sent what waited, asyncio's own fails (3.11 to 3.13)

    async def closed(self) -> None:
        """Wait until it is closed."""
        await self._stream.wait_closed()

    def socket(self) -> Any:
        """The socket below, or None."""
        return self._stream.get_extra_info("socket")


def _keep_urgent_data_in_place(peer: Any) -> None:
    """Leave TCP's urgent byte in the stream; *peer*: the socket, or None.

    The system takes it out otherwise. The telnet program sends the second byte of IAC DM so (Synch, RFC 854), and IAC
    would make a command of whatever came next.
    """
    if peer is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):  # the connection is over already
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
