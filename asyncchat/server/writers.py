"""The shared set of writers: every client's way out, and the broadcast to many of them.

An event is encoded once per dialect variant. What one batch of the log has for a recipient gathers, at the cost of an
append each, and goes out in one `write`. What ends a batch, a message that comes alone above all, is written without
that where nothing else waits. Nothing here awaits: a slow reader delays nobody.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from asyncchat.core.outcomes import Part
from asyncchat.core.session import Session
from asyncchat.server.direct import descriptor_of
from asyncchat.vocabulary.events import Event, Gap, Joined, Result, Said, Told, Welcome
from asyncchat.wire.dialect import Dialect

log = logging.getLogger("asyncchat.server")

UNHURRIED_SECONDS = 0.01
"""So long may joins and leaves wait to be told together: in large rooms they cause most of the writes."""


class Owner(Protocol):
    """Whose way out it is: a connection."""

    def part(self, effect: Part) -> None:
        """The rules end this connection."""
        ...


class ClientWriter:
    """One client's way out, and the ``peer`` of its session.

    ``owner``: its connection. ``buffer``: bytes that may wait in its transport before it becomes a history reader (0:
    unlimited); it stays as it was when the client came, whatever the limits become. ``pending``: bytes
    of this pass. ``held``: the client is not welcomed yet; what happens waits until it is, and ``waiting`` counts its
    bytes. ``lagging_since``: the ``seq`` after which it was sent no more events because too much waits, or None.
    ``descriptor``: see `descriptor_of`; ``direct``: the same while it is welcomed and nothing waits, otherwise None.
    """

    __slots__ = (
        "buffer", "descriptor", "dialect", "direct", "drained", "held", "lagging_since", "owner", "pending", "stream",
        "transport", "variant", "waiting",
    )  # fmt: skip

    def __init__(self, stream: asyncio.StreamWriter, owner: Owner, dialect: Dialect, buffer: int) -> None:
        self.stream = stream
        self.transport = stream.transport
        self.owner = owner
        self.dialect = dialect
        self.variant = dialect.variant
        self.buffer = buffer
        self.pending: list[bytes] = []
        self.held = True
        self.waiting = 0
        self.lagging_since: int | None = None
        self.drained: asyncio.Task[None] | None = None
        self.descriptor = descriptor_of(self.transport)
        self.direct: int | None = None
        if buffer:
            # The transport pauses its protocol above `high`, which is what `drain` waits for.
            self.transport.set_write_buffer_limits(high=buffer, low=buffer // 4)

    @property
    def unsent(self) -> bool:
        """Something waits that the system has not taken yet."""
        return bool(self.pending or self.transport.get_write_buffer_size())


class Writers:
    """All clients' writers; ``seq()`` tells the last ``seq`` applied."""

    def __init__(self, seq: Callable[[], int]) -> None:
        self.all: set[ClientWriter] = set()
        self._seq = seq
        self._dirty: list[ClientWriter] = []
        self._replied: list[ClientWriter] = []
        self._replies_due = False
        self._crammed: list[ClientWriter] = []
        self._timer: asyncio.TimerHandle | None = None
        self._run: list[Said | Joined] = []
        self._run_of: type[Said | Joined] = Said
        self._run_to: Collection[Session] = ()
        self._answered: set[ClientWriter] = set()  # for whom something is pending that belongs behind the run

    # --- one client -------------------------------------------------------------------------------------------------

    def send(self, writer: ClientWriter, results: Sequence[Told]) -> int:
        """Send results (or events meant for this client alone); a welcome goes before all that was held for it.

        Returns how many bytes that are.
        """
        if self._run and writer not in self._answered:
            # Behind the run, which was told before. It can be put in front later, unless something older is pending, or
            # the dialect, as those without an echo, must encode things in their order.
            if writer.pending or writer.held or not writer.dialect.echo:
                self.end_run()
            else:
                self._answered.add(writer)
                self._dirty.append(writer)
        told = [writer.dialect.encode(result) for result in results]
        if writer.held:
            if not any(type(result) is Welcome for result in results):
                self._write(writer, b"".join(told))
                return sum(map(len, told))
            writer.held = False
            writer.pending[:0] = told
        else:
            writer.pending += told
        self._replied.append(writer)
        if not self._replies_due:
            self._replies_due = True
            asyncio.get_running_loop().call_soon(self.flush_replies)
        return sum(map(len, told))

    # --- many -------------------------------------------------------------------------------------------------------

    def tell(self, event: Event | Result, to: Collection[Session], origin: Session | None) -> None:
        """Send an event to many.

        Messages to one and the same audience gather into a run, which costs a recipient as much as one message, and so
        do those who join a room; see `audience_grows` and `end_run`.
        """
        if type(event) is Joined or (
            type(event) is Said and event.to.startswith("#") and (origin is None or origin.echo)
        ):
            if self._run and (self._run_to is not to or self._run_of is not type(event) or self._answered):
                self.end_run()
            self._run_to = to
            self._run_of = type(event)
            self._run.append(event)
            return
        self.end_run()
        if type(event) is Said and origin is not None and not origin.echo:
            to = [session for session in to if session is not origin]
        self._spread((event,), to, {})

    def audience_grows(self) -> None:
        """Call before an audience grows: a run of messages ends, for a newcomer has not heard them.

        A run of joins need not end: whoever joins in the same batch may hear of the others, who are there already.
        """
        if self._run_of is Said:
            self.end_run()

    def end_run(self) -> None:
        """Hand out what is gathered so far; call it before an audience changes in any other way."""
        run, to = self._run, self._run_to
        self._run_to = ()
        if run:
            self._run = []
            self._spread(run, to, {})

    def _spread(self, told: Collection[Event | Result], to: Collection[Session], encoded: dict[str, bytes]) -> None:
        """Put events to what is pending; *encoded* has what they are in some variants."""
        answered, dirty = self._answered, self._dirty
        for session in to:
            writer: ClientWriter = session.peer
            data = encoded.get(writer.variant)
            if data is None:
                data = encoded[writer.variant] = _encoded(writer.dialect, told)
            if writer.lagging_since is not None:
                continue  # also when replies are pending: what it misses must be one stretch of the log
            pending = writer.pending
            if not pending:
                dirty.append(writer)
            if answered and writer in answered:
                pending.insert(0, data)
            else:
                pending.append(data)
            if writer.held:
                writer.waiting += len(data)
                if 0 < writer.buffer < writer.waiting:
                    self._crammed.append(writer)
        answered.clear()

    def flush(self) -> None:
        """Write what is pending: one `write` per client."""
        run, to = self._run, self._run_to
        if run:
            self._run, self._run_to = [], ()
            self._write_run(run, to)
        if self._crammed:
            self._hold_no_more()
        if self._dirty:
            dirty, self._dirty = self._dirty, []
            self._write_pending(dirty)

    def _write_run(self, run: Collection[Said | Joined], to: Collection[Session]) -> None:
        """Write the last run to those for whom nothing else is pending.

        Most messages come alone, and all that a recipient of theirs costs is one turn of this loop: so nothing that can
        be spared is called in it. A transport's `write` alone costs a tenth of what the system does with a message.
        """
        encoded: dict[str, bytes] = {}
        variant, data, size, write = "", b"", 0, os.write
        others: list[Session] = []
        for session in to:
            writer: ClientWriter = session.peer
            descriptor = writer.direct
            if descriptor is None or writer.pending:
                others.append(session)
                continue
            if writer.variant is not variant:
                variant = writer.variant
                if variant not in encoded:
                    encoded[variant] = _encoded(writer.dialect, run)
                data = encoded[variant]
                size = len(data)
            if not writer.transport.is_closing():
                try:
                    taken = write(descriptor, data)
                except OSError:
                    taken = 0  # the transport will see why
                if taken < size:
                    self._write(writer, data[taken:])
        if others or self._answered:
            self._spread(run, others, encoded)

    def flush_replies(self) -> None:
        """Write what is pending for those who wait for an answer, and for the others soon."""
        self._replies_due = False
        self.end_run()
        replied, self._replied = self._replied, []
        self._write_pending(replied)
        self.flush_later()

    def flush_later(self) -> None:
        """See to it that what is pending goes out soon."""
        self.end_run()
        if self._dirty and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(UNHURRIED_SECONDS, self._flush_at_last)

    def _flush_at_last(self) -> None:
        self._timer = None
        self.flush()

    def close(self) -> None:
        """Write what is pending, and leave no timer behind."""
        self.flush()
        if self._timer is not None:
            self._timer.cancel()

    def _write_pending(self, writers: list[ClientWriter]) -> None:
        for writer in writers:
            pending = writer.pending
            if pending and not writer.held:
                data = pending[0] if len(pending) == 1 else b"".join(pending)
                pending.clear()
                self._write(writer, data)

    # --- slow readers -----------------------------------------------------------------------------------------------

    def _write(self, writer: ClientWriter, data: bytes) -> None:
        transport = writer.transport
        if not transport.is_closing():
            transport.write(data)
            if writer.lagging_since is not None or transport.get_write_buffer_size():
                writer.direct = None
                self._mind(writer)
            elif not writer.held:
                writer.direct = writer.descriptor

    def _mind(self, writer: ClientWriter) -> None:
        """See whether a client that has not taken all of it lags behind."""
        if writer.lagging_since is None and 0 < writer.buffer < writer.transport.get_write_buffer_size():
            writer.lagging_since = self._seq()
        if writer.lagging_since is not None and writer.drained is None:
            writer.drained = asyncio.get_running_loop().create_task(self._catch_up(writer))

    def _hold_no_more(self) -> None:
        """For whom too much waits before their welcome, it goes no further: they are told the gap behind it."""
        for writer in self._crammed:
            if writer.held:
                writer.lagging_since = self._seq()
        self._crammed = []

    async def _catch_up(self, writer: ClientWriter) -> None:
        """Wait until a slow reader has read, then tell it what it missed."""
        try:
            await writer.stream.drain()
        except OSError:
            return  # the connection is lost
        finally:
            writer.drained = None
        after, until = writer.lagging_since, self._seq()
        writer.lagging_since = None
        if after is not None and until > after:
            self.send(writer, (Gap(after=after, until=until),))


def _encoded(dialect: Dialect, told: Collection[Event | Result]) -> bytes:
    try:
        return dialect.encode_shared(told)
    except Exception:  # a fault of ours: in one dialect alone, and of these events alone
        log.exception("cannot encode for %s", dialect.variant)
        return b""


def _alike(event: Said, origin: Session | None) -> bool:
    """Is a message the same bytes for all its audience? In a room it is, save for one who does not want the own."""
    return event.to.startswith("#") and (origin is None or origin.echo)
