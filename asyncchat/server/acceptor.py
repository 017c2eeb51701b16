"""Accepting: how many come in, from where and speaking what; and which of them have been silent for too long."""

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from asyncchat.core.limits import Limits
from asyncchat.core.operator_commands import operator_session, operator_welcome
from asyncchat.core.quotas import household
from asyncchat.core.session import Phase
from asyncchat.server.connection import READ_SIZE, Connection
from asyncchat.server.fronts import FRONTS, Ending, Sessions
from asyncchat.server.services import Services
from asyncchat.server.tls import HandshakeFailed, TLSTransport
from asyncchat.server.transport import Reader, StreamTransport, Transport
from asyncchat.vocabulary.addresses import is_loopback
from asyncchat.vocabulary.events import Bye
from asyncchat.vocabulary.terms import Code
from asyncchat.wire import sniff
from asyncchat.wire.native import NativeDialect, encode_event
from asyncchat.wire.plain import farewell, greeting
from asyncchat.wire.sniff import Kind

PROBES = 3
"""Probes without an answer between ``ping_seconds`` and ``idle_seconds``."""

LONGEST_PROBE = 32_767
"""Seconds: Linux takes no more (MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL)."""

LONGEST_TIMEOUT = 2**31 - 1
"""Milliseconds: the option is an int of C."""


def keep_alive(peer: Any, limits: Limits) -> None:
    """Have the system end a TCP connection whose peer has been gone for ``idle_seconds``; *peer*: its socket, or None.

    As far as the platform can do that. Probes begin when all that was sent is acknowledged; what is not has that
    deadline too. Where there is no limit any more, what another one set ends.
    """
    if peer is None or peer.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with contextlib.suppress(OSError):  # the connection is over already
        for level, name, value in _options(limits.ping_seconds, limits.idle_seconds):
            option = getattr(socket, name, None)  # each system has some of them
            if option is not None:
                peer.setsockopt(level, option, value)


def _options(ping: float, idle: float) -> list[tuple[int, str, int]]:
    probed = bool(ping and idle)
    options = [(socket.SOL_SOCKET, "SO_KEEPALIVE", int(probed))]
    if probed:
        options += [
            (socket.IPPROTO_TCP, "TCP_KEEPIDLE", _bounded(ping, 1, LONGEST_PROBE)),
            (socket.IPPROTO_TCP, "TCP_KEEPINTVL", _bounded((idle - ping) / PROBES, 1, LONGEST_PROBE)),
            (socket.IPPROTO_TCP, "TCP_KEEPCNT", PROBES),
        ]
    timeout = _bounded(idle * 1000, 1000, LONGEST_TIMEOUT) if idle else 0  # 0: as long as the system waits by itself
    return [*options, (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", timeout)]


def _bounded(number: float, least: int, most: int) -> int:
    return int(min(max(number, least), most))


def overdue(connection: Connection, now: float, limits: Limits) -> str | None:
    """Why this client is to be closed at the loop's time *now*, if it is; pings it when it has been silent."""
    if connection.leaving is not None:
        return None
    if connection.writer.missing is not None:
        return _overdue_to_read(connection, now, limits)
    connection.unread = 0
    partial = now - connection.partial_since if connection.partial_since is not None else 0.0
    silence = now - connection.heard if connection.reading else 0.0
    if connection.session.phase is Phase.NEW:
        if _over(partial, limits.first_line_seconds):
            return "no complete line in time"
        if _over(now - connection.since, limits.login_seconds):
            return "no login in time"
    elif _over(partial, limits.line_seconds):
        return "no complete line in time"
    elif not connection.writer.dialect.pings:
        return None
    elif _over(silence, limits.idle_seconds):
        return "silent for too long"
    elif _over(silence, limits.ping_seconds) and not connection.pinged:
        connection.ping()
    return None


def _overdue_to_read(connection: Connection, now: float, limits: Limits) -> str | None:
    """As `overdue`, for a client that lags: it is there as long as what waits for it gets less."""
    unread = connection.writer.transport.waiting
    if not connection.unread or unread < connection.unread:
        connection.heard = now
    connection.unread = unread
    return "does not read" if _over(now - connection.heard, limits.idle_seconds) else None


def _over(seconds: float, limit: float) -> bool:
    return 0 < limit < seconds


log = logging.getLogger("asyncchat.server")

FULL = "too many connections"
CLOSING = "the server is shutting down"
"""Why a client is turned away."""

CONTROL_CONNECTIONS = 8
"""Connections of the control socket: an operator or two, and their scripts. Those of the others do not count with them,
so that no crowd keeps an operator out."""

TLS_HANDSHAKE = b"\x16"
"""The first byte of TLS (RFC 8446, 5.1)."""

SPEAK_TLS = b'{"type":"error","code":400,"text":"this address speaks TLS: connect to it as tls://"}\n'
"""What a client without TLS is told at an address with it: a line of the native protocol that people can read too."""


class Acceptor:
    """Lets clients in, keeps account of them, and finds out what they speak.

    ``most``: connections that the process has file descriptors for. ``tls``: the certificate, for the addresses that
    speak nothing but TLS, and for whoever begins with it elsewhere.

    A connection is first counted and held against the limits by its address. Then comes TLS, if it speaks that, and
    then its front.
    """

    def __init__(self, services: Services, most: int | None, tls: ssl.SSLContext | None = None) -> None:
        self._services = services
        self._most = most
        self._tls = tls
        self._sessions = Sessions(services)
        self._fronts = {kind: front(self._sessions) for kind, front in FRONTS.items()}
        self._count = 0
        self._operators = 0
        self._by_address: Counter[str] = Counter()
        self._unknown: dict[Transport, bool] = {}  # whose first bytes are awaited: were they asked for a name?
        self.connections = self._sessions.connections
        self.open = True

    async def handle(
        self,
        reader: asyncio.StreamReader,
        stream: asyncio.StreamWriter,
        *,
        tls: bool = False,
        inside: bool = False,
        plain: bool = False,
    ) -> None:
        """Serve one client, from its first byte to its end.

        *tls*: the first bytes must be a handshake. *inside*: it is the app's own, and is trusted. *plain*: the stream
        is the loop's own for a socket; see `StreamTransport`.
        """
        peer = peer_of(stream, inside=inside)
        if peer is None:
            stream.transport.abort()  # it was reset before it was accepted: nobody is there
            return
        address, name = peer
        local = not address or is_loopback(address)
        transport = StreamTransport(stream, address, local=local, inside=inside, plain=plain)
        counted = "" if local else household(address)  # what its address counts as; local clients are not counted
        hindrance = self._hindrance(counted)
        if hindrance is not None:
            log.info("Turned away %s: %s", name, hindrance)
            if not tls:
                transport.write(f"{hindrance.capitalize()}. Try again later.\n".encode())
            await self._close(transport)
            return
        self._count += 1
        self._by_address[counted] += 1
        log.info("Connected %s", name)
        ending = Ending()
        try:
            keep_alive(transport.socket(), self._services.limits_in_force)
            if tls:
                # Also a handshake that stalls holds a descriptor: so the client is counted by now.
                await self._serve_secured(reader, transport, (), ending)
            else:
                await self._serve(reader, transport, ending)
        finally:
            self._count -= 1
            self._by_address[counted] -= 1
            if not self._by_address[counted]:
                del self._by_address[counted]
            log.info("Disconnected %s%s: %s", name, ending.person and f" ({ending.person})", ending.reason)

    async def handle_control(self, reader: asyncio.StreamReader, stream: asyncio.StreamWriter) -> None:
        """Serve a connection of the control socket: it is the operator's, and is greeted as such."""
        transport = StreamTransport(stream, "", local=True, plain=True)
        hindrance = CLOSING if not self.open else FULL if self._operators >= CONTROL_CONNECTIONS else None
        if hindrance is not None:
            log.info("Turned away an operator: %s", hindrance)
            transport.write(encode_event(Bye(reason=hindrance)))
            await self._close(transport)
            return
        self._operators += 1
        log.info("Connected an operator")
        ending = Ending()
        state, now = self._services.chat.state, self._services.clock.now()
        session = operator_session(state)
        dialect = NativeDialect(self._services.limits_in_force.line)
        connection = Connection(self._services, session, dialect, reader, transport)
        try:
            self._services.writers.send(connection.writer, (operator_welcome(state, session, now),))
            await self._sessions.run(connection, (), ending)
        finally:
            self._operators -= 1
            log.info("Disconnected an operator: %s", ending.reason)
            await self._close(transport)

    def _hindrance(self, counted: str) -> str | None:
        """Why one more client cannot be let in, if it cannot."""
        if not self.open:
            return CLOSING
        limits = self._services.limits_in_force
        most = min((n for n in (limits.connections, self._most) if n), default=None)
        if most is not None and self._count >= most:
            return FULL
        here = limits.connections_per_address
        return FULL if here and counted and self._by_address[counted] >= here else None

    # --- one client -------------------------------------------------------------------------------------------------

    async def _serve(self, reader: Reader, transport: Transport, ending: Ending) -> None:
        """Serve a client whose bytes are what they say, or begin with TLS; close its transport."""
        try:
            first, kind = await self._first(reader, transport, ending)
            if kind is Kind.TLS and self._tls is not None and not transport.encrypted:
                await self._serve_secured(reader, transport, first, ending)
            elif first:
                await self._fronts[kind].serve(reader, transport, first, ending)
        finally:
            await self._close(transport)

    async def _serve_secured(
        self, reader: Reader, transport: Transport, first: Sequence[bytes], ending: Ending
    ) -> None:
        """Begin TLS with a client, of whom *first* was read already, and serve it; close its transport."""
        try:
            secured = await self._secured(reader, transport, b"".join(first))
        except HandshakeFailed as failed:
            ending.reason = f"no TLS: {failed}"
        else:
            await self._serve(secured, secured, ending)

    async def _secured(self, reader: Reader, transport: Transport, first: bytes) -> TLSTransport:
        assert self._tls is not None
        secured = TLSTransport(reader, transport, self._tls)
        self._unknown[transport] = False
        try:
            async with asyncio.timeout(self._services.limits_in_force.handshake_seconds or None):
                first = first or await reader.read(READ_SIZE)
                if first and not first.startswith(TLS_HANDSHAKE):
                    transport.write(SPEAK_TLS)
                    await self._close(transport)
                    raise HandshakeFailed("it speaks without TLS")
                await secured.shake_hands(first)
        except TimeoutError as error:
            transport.abort()
            raise HandshakeFailed("not done in time" if error.errno is None else "connection lost") from None
        except OSError as error:
            transport.abort()
            raise HandshakeFailed("connection lost") from error
        finally:
            del self._unknown[transport]
        return secured

    async def _first(self, reader: Reader, transport: Transport, ending: Ending) -> tuple[list[bytes], Kind]:
        """What a client says first, and what that is; nothing if it says nothing in time, or goes."""
        self._unknown[transport] = False
        try:
            async with asyncio.timeout(self._services.limits_in_force.login_seconds or None):
                first, kind = await self._first_bytes(reader, transport)
        except TimeoutError:
            first, kind = [], Kind.PLAIN
        except OSError:
            return [], Kind.PLAIN
        finally:
            del self._unknown[transport]
        if not first:
            ending.reason = "said nothing"
        return first, kind

    async def _first_bytes(self, reader: Reader, transport: Transport) -> tuple[list[bytes], Kind]:
        """Read until the dialect is known. Whoever is silent for a second is greeted; the first bytes decide still.

        Returns what was read, read by read: by that the dialect knows terminals that send every key.
        """
        greet = asyncio.get_running_loop().call_later(sniff.SILENCE, self._greet, transport)
        reads: list[bytes] = []
        try:
            while True:
                try:
                    async with asyncio.timeout(sniff.SETTLED if reads else None):
                        data = await reader.read(READ_SIZE)
                except TimeoutError:
                    return reads, sniff.sniff(b"".join(reads), last=True)
                greet.cancel()
                if data:
                    reads.append(data)
                kind = sniff.sniff(b"".join(reads), last=not data)
                if kind is not None:
                    return reads, kind
        finally:
            greet.cancel()

    def _greet(self, transport: Transport) -> None:
        self._unknown[transport] = True
        transport.write(greeting(self._services.chat.state.settings.name))

    async def _close(self, transport: Transport) -> None:
        """Close a client's transport; what it has not read after the limit ``flush_seconds`` is not sent any more."""
        transport.close()
        try:
            async with asyncio.timeout(self._services.limits_in_force.flush_seconds or None):
                await transport.closed()
        except TimeoutError:
            transport.abort()
        except OSError:
            # The connection broke while it was being closed: it is closed.
            pass

    # --- all of them ------------------------------------------------------------------------------------------------

    def keep_alive(self) -> None:
        """Have the system look after all connections by the limits as they are now."""
        for connection in self.connections:
            keep_alive(connection.writer.transport.socket(), self._services.limits_in_force)

    def sweep(self, now: float) -> None:
        """Ping the silent and close those that a deadline has run out for; *now* is the loop's time."""
        limits = self._services.limits_in_force
        for connection in list(self.connections):
            reason = overdue(connection, now, limits)
            if reason is not None:
                # Who was silent may have been asleep, a laptop or a program that was stopped: it may come back.
                known = connection.session.person is not None
                bye = Bye(code=Code.UNAVAILABLE, reason=reason, reconnect=0.0 if known else None)
                connection.drop(bye, reason)

    def close(self, bye: Callable[[], Bye], reason: str) -> None:
        """Let nobody in any more, and say goodbye to everyone."""
        self.open = False
        for transport, asked in list(self._unknown.items()):
            if asked:
                transport.write(farewell(bye()))
                transport.close()
            else:
                transport.abort()  # they were told nothing that they need
        for connection in list(self.connections):
            connection.close(bye(), reason)

    def abort(self) -> None:
        """End all connections, whatever waits to be sent."""
        for connection in list(self.connections):
            connection.abort()


UNKNOWN = "0.0.0.0"
"""The address of a client whose own nobody tells: it is not local, and all of them count as one."""


def peer_of(stream: asyncio.StreamWriter, *, inside: bool = False) -> tuple[str, str] | None:
    """A client's IP address (empty: it is local by its transport) and what the log calls it.

    None for one of TCP that has no address any more. No address proves nothing: local are Unix sockets, and what the
    server itself connects (*inside*); what comes through a transport that tells nothing of its peer is `UNKNOWN`.
    """
    peer = stream.get_extra_info("peername")
    if not isinstance(peer, tuple):
        sock = stream.get_extra_info("socket")
        if inside or (sock is not None and sock.family == getattr(socket, "AF_UNIX", None)):
            return "", "a local client"
        return (UNKNOWN, "a client of unknown address") if sock is None else None
    address, port = str(peer[0]), peer[1]
    mapped = getattr(ipaddress.ip_address(address.partition("%")[0]), "ipv4_mapped", None)
    address = str(mapped) if mapped is not None else address.partition("%")[0]
    return address, f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
