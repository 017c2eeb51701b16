"""Who comes in: how many, from where, speaking what; and who has been silent for too long."""

import asyncio
import ipaddress
import itertools
import logging
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from asyncchat.core.failures import household
from asyncchat.core.session import Session
from asyncchat.server.connection import READ_SIZE, Connection
from asyncchat.server.deadlines import overdue
from asyncchat.server.keepalive import keep_alive
from asyncchat.server.services import Services, now_ms
from asyncchat.server.tls import HandshakeFailed, shake_hands
from asyncchat.vocabulary.addresses import is_loopback
from asyncchat.vocabulary.events import Bye
from asyncchat.vocabulary.terms import Code
from asyncchat.wire import sniff
from asyncchat.wire.dialect import Dialect
from asyncchat.wire.native import NativeDialect
from asyncchat.wire.plain import PlainDialect, farewell, greeting

log = logging.getLogger("asyncchat.server")

FULL = "too many connections"
CLOSING = "the server is shutting down"
"""Why a client is turned away."""


class Doorway:
    """Lets clients in and keeps account of them.

    ``most``: connections that the process has file descriptors for.
    """

    def __init__(self, services: Services, most: int | None) -> None:
        self._services = services
        self._most = most
        self._keys = itertools.count(1)
        self._count = 0
        self._by_address: Counter[str] = Counter()
        self._greeting: dict[asyncio.StreamWriter, bool] = {}  # who has said nothing yet: were they asked for a name?
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
        address, name = peer_of(stream)
        place = _counted(address)
        hindrance = self._hindrance(place)
        if hindrance is not None:
            log.info("Turned away %s: %s", name, hindrance)
            if tls is None:
                stream.write(f"{hindrance.capitalize()}. Try again later.\n".encode())
            await _close(stream, self._services.limits_in_force.flush_seconds)
            return
        self._count += 1
        self._by_address[place] += 1
        log.info("Connected %s", name)
        visit = _Visit()
        try:
            keep_alive(stream.get_extra_info("socket"), self._services.limits_in_force)
            if tls is not None:
                # Here, where the client is counted: a handshake that stalls holds a descriptor too.
                reader, stream = await self._secured(stream, tls)
            try:
                await self._serve(reader, stream, address, inside, visit)
            finally:
                await _close(stream, self._services.limits_in_force.flush_seconds)
        except HandshakeFailed as failed:
            visit.reason = f"no TLS: {failed}"
        finally:
            self._count -= 1
            self._by_address[place] -= 1
            if not self._by_address[place]:
                del self._by_address[place]
            log.info("Disconnected %s%s: %s", name, visit.person and f" ({visit.person})", visit.reason)

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

    async def _secured(
        self, stream: asyncio.StreamWriter, tls: ssl.SSLContext
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        limits = self._services.limits_in_force
        self._greeting[stream] = False
        try:
            return await shake_hands(stream, tls, handshake=limits.handshake_seconds, closing=limits.flush_seconds)
        finally:
            del self._greeting[stream]

    async def _serve(
        self, reader: asyncio.StreamReader, stream: asyncio.StreamWriter, address: str, inside: bool, visit: "_Visit"
    ) -> None:
        """Serve a client whose bytes are what they say; *visit* tells in the end why that was, and who it was."""
        self._greeting[stream] = False
        try:
            async with asyncio.timeout(self._services.limits_in_force.login_seconds or None):
                first, kind = await self._first_bytes(reader, stream)
        except TimeoutError:
            visit.reason = "said nothing"
            return
        except OSError:
            return
        finally:
            del self._greeting[stream]
        if not first:
            visit.reason = "said nothing"
            return
        refusal = sniff.refusal(kind, first)
        if refusal is not None:
            stream.write(refusal)
            visit.reason = f"speaks {kind.value}, which is not served here"
            return
        dialect = self._dialect(kind)
        session = Session(
            key=next(self._keys),
            address=address,
            echo=dialect.echo,
            resumable=dialect.resumable,
            inside=inside,
            secure=not address or is_loopback(address) or stream.get_extra_info("ssl_object") is not None,
            since=now_ms(),
        )
        connection = Connection(self._services, session, dialect, reader, stream)
        self.connections[connection] = None
        self._services.writers.all.add(connection.writer)
        try:
            visit.reason = await connection.run(first)
        finally:
            # Also for those that are cut off, as they did not read the goodbye.
            visit.reason = connection.leaving or visit.reason
            visit.person = session.person.name if session.person is not None else ""
            self._services.writers.flush_replies()
            self._services.writers.all.discard(connection.writer)
            del self.connections[connection]

    async def _first_bytes(
        self, reader: asyncio.StreamReader, stream: asyncio.StreamWriter
    ) -> tuple[bytes, sniff.Kind]:
        """Read until the dialect is known. Whoever is silent for a second is greeted; the first bytes decide still."""
        greet = asyncio.get_running_loop().call_later(sniff.SILENCE, self._greet, stream)
        first = b""
        try:
            while True:
                try:
                    async with asyncio.timeout(sniff.SETTLED if first else None):
                        data = await reader.read(READ_SIZE)
                except TimeoutError:
                    return first, sniff.sniff(first, last=True)
                greet.cancel()
                first += data
                kind = sniff.sniff(first, last=not data)
                if kind is not None:
                    return first, kind
        finally:
            greet.cancel()

    def _greet(self, stream: asyncio.StreamWriter) -> None:
        self._greeting[stream] = True
        stream.write(greeting(self._services.chat.house.settings.name))

    def _dialect(self, kind: sniff.Kind) -> Dialect:
        limits = self._services.limits_in_force
        if kind is sniff.Kind.NATIVE:
            return NativeDialect(limits.line)
        return PlainDialect(limits.line)

    # --- all of them ------------------------------------------------------------------------------------------------

    def keep_alive(self) -> None:
        """Have the system look after all connections by the limits as they are now."""
        for connection in self.connections:
            keep_alive(connection.writer.stream.get_extra_info("socket"), self._services.limits_in_force)

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
        for stream, asked in list(self._greeting.items()):
            if asked:
                stream.write(farewell(bye()))
                stream.close()
            else:
                stream.transport.abort()  # they were told nothing that they need
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


def peer_of(stream: asyncio.StreamWriter) -> tuple[str, str]:
    """A client's IP address (empty if it has none) and what the log calls it."""
    peer = stream.get_extra_info("peername")
    if not isinstance(peer, tuple):
        return "", "a local client"
    address, port = str(peer[0]), peer[1]
    mapped = getattr(ipaddress.ip_address(address.partition("%")[0]), "ipv4_mapped", None)
    address = str(mapped) if mapped is not None else address.partition("%")[0]
    return address, f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _counted(address: str) -> str:
    """What one address counts as; loopback and local clients are not counted."""
    return "" if not address or is_loopback(address) else household(address)


async def _close(stream: asyncio.StreamWriter, seconds: float) -> None:
    """Close a client's stream; what it has not read after so many seconds is not sent any more."""
    stream.close()
    try:
        async with asyncio.timeout(seconds or None):
            await stream.wait_closed()
    except TimeoutError:
        stream.transport.abort()
    except OSError:
        # The connection broke while it was being closed: it is closed.
        pass
