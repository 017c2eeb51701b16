"""Who comes in: how many, from where, speaking what; and who has been silent for too long."""

import asyncio
import ipaddress
import itertools
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from asyncchat.core.failures import household
from asyncchat.core.operator import operator_session, operator_welcome
from asyncchat.core.session import Session
from asyncchat.server.connection import READ_SIZE, Connection
from asyncchat.server.deadlines import overdue
from asyncchat.server.keepalive import keep_alive
from asyncchat.server.services import Services
from asyncchat.server.tls import HandshakeFailed, TLSTransport
from asyncchat.server.transport import Reader, StreamTransport, Transport
from asyncchat.vocabulary.addresses import is_loopback
from asyncchat.vocabulary.events import Bye
from asyncchat.vocabulary.terms import Code
from asyncchat.wire import sniff
from asyncchat.wire.dialect import Dialect
from asyncchat.wire.native import NativeDialect, encode_event
from asyncchat.wire.plain import PlainDialect, farewell, greeting

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


class Doorway:
    """Lets clients in and keeps account of them.

    ``most``: connections that the process has file descriptors for.
    """

    def __init__(self, services: Services, most: int | None) -> None:
        self._services = services
        self._most = most
        self._keys = itertools.count(1)
        self._count = 0
        self._operators = 0
        self._by_address: Counter[str] = Counter()
        self._greeting: dict[Transport, bool] = {}  # who has said nothing yet: were they asked for a name?
        self.connections: dict[Connection, None] = {}
        self.open = True

    async def handle(
        self,
        reader: asyncio.StreamReader,
        stream: asyncio.StreamWriter,
        *,
        tls: ssl.SSLContext | None = None,
        inside: bool = False,
    ) -> None:
        """Serve one client, from its first byte to its end.

        With *tls*, the first bytes are a handshake; *inside*: it is the app's own, and is trusted.
        """
        peer = peer_of(stream, inside=inside)
        if peer is None:
            stream.transport.abort()  # it was reset before it was accepted: nobody is there
            return
        address, name = peer
        place = _counted(address)
        transport: Transport = StreamTransport(stream, address)
        hindrance = self._hindrance(place)
        if hindrance is not None:
            log.info("Turned away %s: %s", name, hindrance)
            if tls is None:
                transport.write(f"{hindrance.capitalize()}. Try again later.\n".encode())
            await _close(transport, self._services.limits_in_force.flush_seconds)
            return
        self._count += 1
        self._by_address[place] += 1
        log.info("Connected %s", name)
        visit = _Visit()
        try:
            keep_alive(transport.socket(), self._services.limits_in_force)
            # Also a handshake that stalls holds a descriptor: so the client is counted by now.
            source: Reader = reader
            if tls is not None:
                source = transport = await self._secured(reader, transport, tls)
            try:
                await self._serve(source, transport, inside, visit)
            finally:
                await _close(transport, self._services.limits_in_force.flush_seconds)
        except HandshakeFailed as failed:
            visit.reason = f"no TLS: {failed}"
        finally:
            self._count -= 1
            self._by_address[place] -= 1
            if not self._by_address[place]:
                del self._by_address[place]
            log.info("Disconnected %s%s: %s", name, visit.person and f" ({visit.person})", visit.reason)

    async def handle_control(self, reader: asyncio.StreamReader, stream: asyncio.StreamWriter) -> None:
        """Serve a connection of the control socket: it is the operator's, and is greeted as such."""
        transport, seconds = StreamTransport(stream, ""), self._services.limits_in_force.flush_seconds
        hindrance = CLOSING if not self.open else FULL if self._operators >= CONTROL_CONNECTIONS else None
        if hindrance is not None:
            log.info("Turned away an operator: %s", hindrance)
            transport.write(encode_event(Bye(reason=hindrance)))
            await _close(transport, seconds)
            return
        self._operators += 1
        log.info("Connected an operator")
        visit = _Visit()
        house, now = self._services.chat.house, self._services.clock.now()
        session = operator_session(house)
        dialect = NativeDialect(self._services.limits_in_force.line)
        connection = Connection(self._services, session, dialect, reader, transport)
        try:
            self._services.writers.send(connection.writer, (operator_welcome(house, session, now),))
            await self._converse(connection, (), visit)
        finally:
            self._operators -= 1
            log.info("Disconnected an operator: %s", visit.reason)
            await _close(transport, seconds)

    def _hindrance(self, place: str) -> str | None:
        """Why one more client cannot be let in, if it cannot."""
        if not self.open:
            return CLOSING
        limits = self._services.limits_in_force
        most = min((n for n in (limits.connections, self._most) if n), default=None)
        if most is not None and self._count >= most:
            return FULL
        here = limits.connections_per_address
        return FULL if here and place and self._by_address[place] >= here else None

    # --- one client -------------------------------------------------------------------------------------------------

    async def _secured(self, reader: Reader, transport: Transport, context: ssl.SSLContext) -> TLSTransport:
        secured = TLSTransport(reader, transport, context)
        self._greeting[transport] = False
        try:
            async with asyncio.timeout(self._services.limits_in_force.handshake_seconds or None):
                first = await reader.read(READ_SIZE)
                if first and not first.startswith(TLS_HANDSHAKE):
                    transport.write(SPEAK_TLS)
                    await _close(transport, self._services.limits_in_force.flush_seconds)
                    raise HandshakeFailed("it speaks without TLS")
                await secured.shake_hands(first)
        except TimeoutError as error:
            transport.abort()
            raise HandshakeFailed("not done in time" if error.errno is None else "connection lost") from None
        except OSError as error:
            transport.abort()
            raise HandshakeFailed("connection lost") from error
        finally:
            del self._greeting[transport]
        return secured

    async def _serve(self, reader: Reader, transport: Transport, inside: bool, visit: "_Visit") -> None:
        """Serve a client whose bytes are what they say; *visit* tells in the end why that was, and who it was."""
        self._greeting[transport] = False
        try:
            async with asyncio.timeout(self._services.limits_in_force.login_seconds or None):
                first, kind = await self._first_bytes(reader, transport)
        except TimeoutError:
            visit.reason = "said nothing"
            return
        except OSError:
            return
        finally:
            del self._greeting[transport]
        if not first:
            visit.reason = "said nothing"
            return
        refusal = sniff.refusal(kind, b"".join(first))
        if refusal is not None:
            transport.write(refusal)
            visit.reason = f"speaks {kind.value}, which is not served here"
            return
        dialect = self._dialect(kind)
        session = Session(
            key=next(self._keys),
            address=transport.address,
            echo=dialect.echo,
            resumable=dialect.resumable,
            inside=inside,
            secure=not transport.address or is_loopback(transport.address) or transport.encrypted,
            since=self._services.clock.now(),
        )
        connection = Connection(self._services, session, dialect, reader, transport)
        await self._converse(connection, first, visit)

    async def _converse(self, connection: Connection, first: Iterable[bytes], visit: "_Visit") -> None:
        """Serve a connection of which *first* was read already; *visit* tells in the end who it was, and why."""
        self.connections[connection] = None
        self._services.writers.add(connection.writer)
        try:
            visit.reason = await connection.run(first)
        finally:
            # Also for those that are cut off, as they did not read the goodbye.
            visit.reason = connection.leaving or visit.reason
            person = connection.session.person
            visit.person = person.name if person is not None else ""
            self._services.writers.flush_replies()
            self._services.writers.discard(connection.writer)
            del self.connections[connection]

    async def _first_bytes(self, reader: Reader, transport: Transport) -> tuple[list[bytes], sniff.Kind]:
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
        self._greeting[transport] = True
        transport.write(greeting(self._services.chat.house.settings.name))

    def _dialect(self, kind: sniff.Kind) -> Dialect:
        limits = self._services.limits_in_force
        if kind is sniff.Kind.NATIVE:
            return NativeDialect(limits.line)
        return PlainDialect(limits.line)

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
        for transport, asked in list(self._greeting.items()):
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


@dataclass(slots=True)
class _Visit:
    """How a client's time here ended, for the log: why, and who it was (empty: it did not log in)."""

    reason: str = "connection lost"
    person: str = ""


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


def _counted(address: str) -> str:
    """What one address counts as; loopback and local clients are not counted."""
    return "" if not address or is_loopback(address) else household(address)


async def _close(transport: Transport, seconds: float) -> None:
    """Close a client's transport; what it has not read after so many seconds is not sent any more."""
    transport.close()
    try:
        async with asyncio.timeout(seconds or None):
            await transport.closed()
    except TimeoutError:
        transport.abort()
    except OSError:
        # The connection broke while it was being closed: it is closed.
        pass
