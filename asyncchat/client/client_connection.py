"""One connection to a server: bytes in, events out; commands in, bytes out; and how it ended."""

import asyncio
import contextlib
import hashlib
import hmac
import logging
import os
import re
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.addresses import Address
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.errors import ChatError, ConnectionLost, ProtocolError
from asyncchat.vocabulary.events import Told
from asyncchat.wire.native import EventReader, encode_command

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
"""An address of a name, as getaddrinfo gives it."""

CONNECT_SECONDS = 15.0
"""For one attempt to connect, all addresses of the name and the TLS handshake included."""

NEXT_ADDRESS_SECONDS = 0.25
"""Until the next of several addresses is tried as well (RFC 8305, section 5): the first may swallow everything, as is
often so with IPv6 that has no way out."""

ADDRESS_SECONDS = 3.0
"""For one address of several, the last one excepted: if the others refuse, there is little to wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """How a ``tls://`` server proves who it is.

    By default by a certificate that this machine trusts. ``ca``: a file of certificates (PEM) to trust
    instead. ``fingerprint``: the SHA-256 of the one certificate to accept (hexadecimal, or as openssl prints
    it; colons and case do not matter), whoever signed it.
    """

    ca: Path | str | None = None
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        if self.ca is not None:  # it is read for each connection, wherever the process is by then
            object.__setattr__(self, "ca", Path(self.ca).absolute())
        if self.fingerprint is not None:
            parse_fingerprint(self.fingerprint)


def parse_fingerprint(text: str) -> bytes:
    """The 32 bytes of a SHA-256 fingerprint; raises ValueError with a text for people."""
    digits = re.sub(r"^sha256( fingerprint)?[:=/]?", "", text.strip().lower()).replace(":", "").replace(" ", "")
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = b""
    if len(value) != hashlib.sha256().digest_size:
        raise ValueError(f"not a SHA-256 fingerprint: {text!r}: 64 hexadecimal digits are needed")
    return value


async def open_streams(address: Address, tls: TLS) -> Streams:
    """Connect.

    Raises `ConnectionLost`, with the reason for people, when that fails; cancellation leaves nothing open.
    """
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await _open(address, tls)
    except TimeoutError:
        raise ConnectionLost(f"cannot connect to {address}: no answer in {CONNECT_SECONDS:.0f} s") from None
    except ssl.SSLCertVerificationError as error:
        raise ConnectionLost(f"cannot trust {address}: {error.verify_message}{await _how_to_trust(address)}") from error
    except ssl.SSLError as error:
        raise ConnectionLost(f"cannot speak TLS with {address}: is it a tcp:// address? ({_reason(error)})") from error
    except OSError as error:
        raise ConnectionLost(f"cannot connect to {address}: {_reason(error)}") from error


async def _open(address: Address, tls: TLS) -> Streams:
    if address.scheme == "unix":
        if sys.platform != "win32":
            return await asyncio.open_unix_connection(address.socket_path)
        raise OSError("asyncio has no unix sockets on this system")
    if address.scheme == "tcp":
        return await asyncio.open_connection(sock=await _connected(address))
    context = await asyncio.to_thread(_context, tls)  # reads files
    streams = await _secured(address, context)
    if tls.fingerprint is not None:
        _check_fingerprint(streams[1], parse_fingerprint(tls.fingerprint), address)
    return streams


async def _secured(address: Address, context: ssl.SSLContext) -> Streams:
    sock = await _connected(address)
    # Certificates have no final dot, which tells the resolver that a name is whole (RFC 6066, section 3).
    return await asyncio.open_connection(sock=sock, ssl=context, server_hostname=address.host.rstrip("."))


def abort(writer: asyncio.StreamWriter) -> None:
    """Close at once, whatever waits to be sent; also what is closed already, where asyncio's TLS fails (3.11.2)."""
    with contextlib.suppress(AttributeError):
        writer.transport.abort()


async def _how_to_trust(address: Address) -> str:
    """Which certificate the server has, so that a person can compare it with the one that they were told."""
    context = _unverified(ssl.create_default_context())
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await _secured(address, context)
    except (OSError, TimeoutError):
        return ""
    found = _fingerprint_of(writer).hex(":")
    abort(writer)
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return f"; if its operator told you this fingerprint, trust it by that: --fingerprint {found}"


async def _connected(address: Address) -> socket.socket:
    """A socket that is connected to the address of the name that answers first.

    Raises OSError with what went wrong at each. Event loops differ in how they do this, so it is done here: uvloop
    knows no "happy eyeballs", and those of asyncio lose sockets when they are cancelled.
    """
    found = await _look_up(address)
    connected = list[socket.socket]()
    try:
        await _race(found, connected)
        return connected.pop(0)
    finally:
        for late in connected:
            late.close()


async def _look_up(address: Address) -> Sequence[_Found]:
    return await asyncio.get_running_loop().getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)


async def _race(found: Sequence[_Found], connected: list[socket.socket]) -> None:
    """Try one address after the other until one is *connected*, or several at the same moment; nothing else stays open.

    The next one is tried when one has failed, or after a while in which none has answered. Raises as `_connected`.
    """
    failed = list[str]()

    async def attempt(one: _Found, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                sock = await _connect(one)
            connected.append(sock)
        except TimeoutError as error:
            failed.append(_reason(error) if error.errno else f"no answer in {seconds:.0f} s")
        except OSError as error:
            failed.append(_reason(error))

    untried = list(found)
    async with asyncio.TaskGroup() as attempts:
        running = set[asyncio.Task[None]]()
        while not connected and (untried or running):
            if untried:
                one = untried.pop(0)
                running.add(attempts.create_task(attempt(one, ADDRESS_SECONDS if untried else None)))
            soon = NEXT_ADDRESS_SECONDS if untried else None
            _, running = await asyncio.wait(running, timeout=soon, return_when=asyncio.FIRST_COMPLETED)
        for late in running:
            late.cancel()
    if not connected:
        raise OSError("; ".join(dict.fromkeys(failed)))


async def _connect(one: _Found) -> socket.socket:
    family, kind, protocol, _, where = one
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


def _context(tls: TLS) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if tls.ca is None else str(tls.ca))
    except OSError as error:
        raise ConnectionLost(f"cannot use the certificates in {tls.ca}: {_reason(error)}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.fingerprint is not None:
        return _unverified(context)  # the pinned certificate is the proof
    return context


def _unverified(context: ssl.SSLContext) -> ssl.SSLContext:
    """Look at no names, dates and signers of a certificate."""
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _fingerprint_of(writer: asyncio.StreamWriter) -> bytes:
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
    return hashlib.sha256(certificate).digest()


def _check_fingerprint(writer: asyncio.StreamWriter, wanted: bytes, address: Address) -> None:
    found = _fingerprint_of(writer)
    if not hmac.compare_digest(found, wanted):
        abort(writer)
        raise ConnectionLost(f"cannot trust {address}: its certificate has the fingerprint {found.hex(':')}")


def _reason(error: OSError) -> str:
    """The system's own words for the error, without the address that asyncio puts behind them."""
    if isinstance(error, socket.gaierror | ssl.SSLError) or not error.errno:
        return error.strerror or str(error) or type(error).__name__
    return os.strerror(error.errno)


logger = logging.getLogger("asyncchat.client")

READ_BYTES = 65_536
"""One read: what a loopback socket hands out at a time; more only costs memory."""

QUIET_SECONDS = 75.0
"""Silence of the server after which it is asked whether it is there: a little more than its own ping interval."""

ANSWER_SECONDS = 15.0
"""For the answer to that: then the connection is taken for dead (a pulled cable sends no goodbye)."""

TLS_ALERT = b"\x15\x03"
"""How the answer of a server begins that expects TLS (RFC 8446, 5.1 and 6)."""

FLUSH_SECONDS = 2.0
"""For the last bytes when closing: the peer may be gone without a word."""


class Connection:
    """One connection.

    *receive* is called with each event and result, in order; then *ended*, once. Pings are answered here.

    After `start` a task of its own reads until the end; `close` ends and awaits it. ``done`` is set when it
    has ended, and ``error`` says why.
    """

    def __init__(
        self, streams: Streams, receive: Callable[[Told], None], ended: Callable[["Connection"], None]
    ) -> None:
        self._reader, self._writer = streams
        self._receive = receive
        self._ended = ended
        self._task: asyncio.Task[None] | None = None
        self.done = asyncio.Event()
        self.error: ChatError = ConnectionLost("closed")

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._run(), name="asyncchat client reader")

    def send(self, command: Command) -> None:
        """Send a command, unless the connection is gone: then its end is about to be told."""
        if not self._writer.is_closing():
            self._writer.write(encode_command(command))

    async def drained(self) -> None:
        """Wait while the server does not take what is sent."""
        with contextlib.suppress(OSError):  # the reader finds out as well, and tells
            await self._writer.drain()

    def abort(self) -> None:
        """Close at once, whatever is left to send."""
        abort(self._writer)

    async def close(self) -> None:
        """Send what is left, close, and wait until reading has ended.

        Idempotent; never raises but when cancelled.
        """
        self._writer.close()
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            pass
        finally:
            self.abort()
            if self._task is not None and self._task is not asyncio.current_task():
                self._task.cancel()
                await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            self.error = ConnectionLost(await self._read())
        except OSError as error:
            self.error = ConnectionLost(error.strerror or str(error) or type(error).__name__)
        except ProtocolError as error:
            self.error = error
        except Exception:  # a task's root: whoever handles events failed, and learns that no more will come
            self.error = ConnectionLost("a fault of this client")
            logger.exception("cannot handle what the server sent")
        finally:
            self.abort()
            self.done.set()
            self._ended(self)

    async def _read(self) -> str:
        reader = EventReader()
        asked, first = False, True
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS if asked else QUIET_SECONDS):
                    data = await self._reader.read(READ_BYTES)
            except TimeoutError as error:
                if asked or error.errno is not None:  # the latter: the system's own, ETIMEDOUT
                    return "the server does not answer"
                asked = True
                self.send(commands.Ping(id="there?"))  # without an id it would not be answered
                continue
            if not data:
                return "the server closed the connection"
            asked = False
            if first and data.startswith(TLS_ALERT):
                return "the server speaks TLS there: use a tls:// address"
            first = False
            for told in reader.receive(data):
                if isinstance(told, events.Ping):
                    self.send(commands.Pong())
                else:
                    self._receive(told)
