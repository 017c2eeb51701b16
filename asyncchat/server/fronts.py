"""Fronts: what serves a connection once its first bytes have told its kind, by the table `FRONTS`.

A session front speaks a dialect of the chat. Another kind of front (HTTP) may answer requests by itself, and hand a
connection that it upgrades to `Sessions.serve` with the dialect of its own choice.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from asyncchat.core.session import Session
from asyncchat.server.connection import Connection
from asyncchat.server.services import Services
from asyncchat.server.transport import Reader, Transport
from asyncchat.wire import sniff
from asyncchat.wire.dialect import Dialect
from asyncchat.wire.native import NativeDialect
from asyncchat.wire.plain import PlainDialect
from asyncchat.wire.sniff import Kind


@dataclass(slots=True)
class Ending:
    """How a connection ended, for the log: why, and whose it was (empty: nobody logged in)."""

    reason: str = "connection lost"
    person: str = ""


class Front(Protocol):
    """Serves all connections of a kind."""

    async def serve(self, reader: Reader, transport: Transport, first: Sequence[bytes], ending: Ending) -> None:
        """Serve a connection to its end; *first* is what was read already, read by read.

        Whoever calls closes the transport. *ending* is filled in, also when this is cancelled.
        """
        ...


class Sessions:
    """The sessions of a server's clients, whatever dialects they speak."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.connections: dict[Connection, None] = {}
        self._keys = itertools.count(1)

    async def serve(
        self, dialect: Dialect, reader: Reader, transport: Transport, first: Sequence[bytes], ending: Ending
    ) -> None:
        """Serve a client of this dialect to its end; see `Front.serve`."""
        session = Session(
            key=next(self._keys),
            address=transport.address,
            resumable=dialect.resumable,
            inside=transport.inside,
            secure=transport.local or transport.encrypted,
            since=self.services.clock.now(),
        )
        await self.run(Connection(self.services, session, dialect, reader, transport), first, ending)

    async def run(self, connection: Connection, first: Sequence[bytes], ending: Ending) -> None:
        """Serve a connection to its end; see `Front.serve`."""
        self.connections[connection] = None
        self.services.writers.add(connection.writer)
        try:
            ending.reason = await connection.run(first)
        finally:
            # Also for those that are cut off, as they did not read the goodbye.
            ending.reason = connection.leaving or ending.reason
            person = connection.session.person
            ending.person = person.name if person is not None else ""
            self.services.writers.flush_replies()
            self.services.writers.discard(connection.writer)
            del self.connections[connection]


class SessionFront:
    """The front of a dialect, which ``new`` makes for a connection; see `DIALECTS`."""

    def __init__(self, new: Callable[[int], Dialect], sessions: Sessions) -> None:
        self._new = new
        self._sessions = sessions

    async def serve(self, reader: Reader, transport: Transport, first: Sequence[bytes], ending: Ending) -> None:
        """Serve a client to its end."""
        dialect = self._new(self._sessions.services.limits_in_force.line)
        await self._sessions.serve(dialect, reader, transport, first, ending)


class RefusingFront:
    """The front of a kind that is not served: its clients are told so in their own words."""

    def __init__(self, kind: Kind, _: Sessions) -> None:
        self._kind = kind

    async def serve(self, reader: Reader, transport: Transport, first: Sequence[bytes], ending: Ending) -> None:
        """Refuse a client."""
        transport.write(sniff.refusal(self._kind, b"".join(first)))
        ending.reason = f"speaks {self._kind.value}, which is not served here"


DIALECTS: dict[Kind, Callable[[int], Dialect]] = {Kind.NATIVE: NativeDialect, Kind.PLAIN: PlainDialect}
"""What makes the dialect of each kind for a connection, from the limit ``line``."""

FRONTS: dict[Kind, Callable[[Sessions], Front]] = {
    **{kind: partial(SessionFront, new) for kind, new in DIALECTS.items()},
    **{kind: partial(RefusingFront, kind) for kind in sniff.REFUSALS},
}
"""What serves each kind of client; each server has one front of a kind."""
