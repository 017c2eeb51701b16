"""The shared set of writers: every client's way out, and the broadcast to many of them.

An event is encoded once per dialect variant. What one batch of the log has for a recipient gathers, at the cost of an
append each, and goes out in one `write`. What ends a batch, a message that comes alone above all, is written without
that where nothing else waits. Nothing here awaits: a slow reader delays nobody.
"""

import asyncio
import enum
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from asyncchat.core.outcomes import Disconnect
from asyncchat.core.session import Session
from asyncchat.server.transport import Transport
from asyncchat.vocabulary.events import Event, Gap, Joined, Result, Said, Told, Welcome
from asyncchat.wire.dialect import Context, Dialect

log = logging.getLogger("asyncchat.server")

UNHURRIED_SECONDS = 0.01
"""So long may joins and leaves wait to be told together: in large rooms they cause most of the writes."""


class Owner(Protocol):
    """Whose way out it is: a connection."""

    def part(self, effect: Disconnect) -> None:
        """The rules end this connection."""
        ...

    def follow_up(self) -> None:
        """Its dialect has wishes, after what it was told."""
        ...


class State(enum.Enum):
    """Where a client's way out stands; see `NEXT`."""

    HELD = "held"
    DIRECT = "direct"
    BUFFERED = "buffered"
    LAGGING = "lagging"
    GONE = "gone"


HELD, DIRECT, BUFFERED, LAGGING, GONE = State  # a member of an Enum costs as much as two dict look-ups

NEXT: dict[State, frozenset[State]] = {
    HELD: frozenset({DIRECT, BUFFERED, LAGGING, GONE}),
    DIRECT: frozenset({BUFFERED, LAGGING, GONE}),
    BUFFERED: frozenset({DIRECT, LAGGING, GONE}),
    LAGGING: frozenset({DIRECT, BUFFERED, GONE}),
    GONE: frozenset(),
}
"""Where a client's way out can go from each state.

    held       before the welcome: events wait, replies go out; with too many waiting, further events are left out
    direct     the system has taken all that was written
    buffered   some of it waits in the transport, at most `ClientWriter.buffer`
    lagging    more than that waits: no events are sent until it is read, then the client is told which it missed
    gone       the connection is over
"""


class ClientWriter:
    """One client's way out, and the ``peer`` of its session.

    ``owner``: its connection. ``variant``: that of its dialect now. ``buffer``: bytes that may wait in its transport
    before it lags (0: unlimited); it stays as it was when the client came, whatever the limits become. ``pending``:
    bytes of this pass. ``waiting``: how many bytes of events are held. ``missing``: the ``seq`` after which events were
    left out, or None. ``drained``: the task that waits until a lagging client has read.
    """

    __slots__ = (
        "buffer", "dialect", "drained", "missing", "owner", "pending", "state", "transport", "variant", "waiting",
    )  # fmt: skip

    def __init__(self, transport: Transport, owner: Owner, dialect: Dialect, buffer: int) -> None:
        self.transport = transport
        self.owner = owner
        self.dialect = dialect
        self.variant = dialect.variant
        self.buffer = buffer
        self.pending: list[bytes] = []
        self.state = HELD
        self.waiting = 0
        self.missing: int | None = None
        self.drained: asyncio.Task[None] | None = None
        if buffer:
            transport.limit(buffer)

    def to(self, state: State) -> None:
        """Go to another state."""
        if state is not self.state:
            assert state in NEXT[self.state], f"{self.state} to {state}"
            self.state = state

    @property
    def unsent(self) -> bool:
        """Something waits that the system has not taken yet."""
        return bool(self.pending or self.transport.waiting)


class Writers:
    """All clients' writers; ``seq()`` tells the last ``seq`` applied."""

    def __init__(self, seq: Callable[[], int]) -> None:
        self._all: set[ClientWriter] = set()
        self._seq = seq
        self._dirty: list[ClientWriter] = []
        self._replied: list[ClientWriter] = []
        self._replies_due = False
        self._crammed: list[ClientWriter] = []
        self._timer: asyncio.TimerHandle | None = None
        self._run: list[Said | Joined] = []
        self._run_of: type[Said | Joined] = Said
        self._run_to: Collection[Session] = ()
        self._run_not_to: dict[Session, list[Said | Joined]] = {}  # what of the run somebody does not get
        self._answered: set[ClientWriter] = set()  # for whom something is pending that belongs behind the run

    def add(self, writer: ClientWriter) -> None:
        """A client has come."""
        self._all.add(writer)

    def discard(self, writer: ClientWriter) -> None:
        """A client's connection is over."""
        self._all.discard(writer)
        writer.to(GONE)

    # --- one client -------------------------------------------------------------------------------------------------

    def send(self, writer: ClientWriter, results: Sequence[Told], context: Context = None) -> int:
        """Send the results of a request (or events meant for this client alone); none: its dialect's own words.

        A welcome goes before all that was held for the client. Returns how many bytes were sent.
        """
        dialect = writer.dialect
        if self._run and writer not in self._answered:
            # Behind the run, which was told before. It can be put in front later, unless something older is pending, or
            # the dialect, as those without an echo, must encode things in their order.
            if writer.pending or writer.state is HELD or not dialect.echo:
                self.end_run()
            else:
                self._answered.add(writer)
                self._dirty.append(writer)
        told = [dialect.encode(result, context) for result in results] if results else [dialect.outgoing(context)]
        writer.variant = dialect.variant  # which may change with what is told
        if writer.state is HELD:
            if not any(type(result) is Welcome for result in results):
                writer.transport.write(b"".join(told))
                return sum(map(len, told))
            writer.to(BUFFERED if writer.missing is None else LAGGING)
            writer.pending[:0] = told
        else:
            writer.pending += told
        self._replied.append(writer)
        if not self._replies_due:
            self._replies_due = True
            asyncio.get_running_loop().call_soon(self.flush_replies)
        return sum(map(len, told))

    # --- many -------------------------------------------------------------------------------------------------------

    def tell(self, event: Event | Result, to: Collection[Session], exclude: Session | None = None) -> None:
        """Send an event to many, but not to *exclude*.

        Messages to one and the same audience gather into a run, which costs a recipient as much as one message, and so
        do those who join a room; see `audience_grows` and `end_run`.
        """
        if type(event) is Joined or (type(event) is Said and event.to.startswith("#")):
            if self._run and (self._run_to is not to or self._run_of is not type(event) or self._answered):
                self.end_run()
            self._run_to = to
            self._run_of = type(event)
            self._run.append(event)
            if exclude is not None:
                self._run_not_to.setdefault(exclude, []).append(event)
            return
        self.end_run()
        if exclude is not None:
            to = [session for session in to if session is not exclude]
        self._spread((event,), to, {})

    def audience_grows(self) -> None:
        """Call before an audience grows: a run of messages ends, for a newcomer has not heard them.

        A run of joins need not end: whoever joins in the same batch may hear of the others, who are there already.
        """
        if self._run_of is Said:
            self.end_run()

    def end_run(self) -> None:
        """Hand out what is gathered so far; call it before an audience changes in any other way."""
        if self._run:
            run, to = self._take_run()
            self._spread(run, to, {})

    def _take_run(self) -> tuple[list[Said | Joined], Collection[Session]]:
        """The run and its audience; those who do not get all of it have got the rest."""
        run, to = self._run, self._run_to
        self._run, self._run_to = [], ()
        if self._run_not_to:
            excluded, self._run_not_to = self._run_not_to, {}
            answered, self._answered = self._answered, set()
            for session, own in excluded.items():
                if session in to:
                    rest = [event for event in run if event not in own]
                    if rest:
                        self._spread(rest, (session,), {})
            self._answered = answered
            to = [session for session in to if session not in excluded]
        return run, to

    def _spread(self, told: Collection[Event | Result], to: Collection[Session], encoded: dict[str, bytes]) -> None:
        """Put events to what is pending; *encoded* has what they are in some variants."""
        answered, dirty = self._answered, self._dirty
        for session in to:
            writer: ClientWriter = session.peer
            variant = writer.variant
            data = encoded.get(variant)
            if data is None:
                data = encoded[variant] = _encoded(writer, told)
            if writer.missing is not None:
                continue  # also when replies are pending: what it misses must be one stretch of the log
            pending = writer.pending
            if not pending:
                dirty.append(writer)
            if answered and writer in answered:
                pending.insert(0, data)
            else:
                pending.append(data)
            if writer.state is HELD:
                writer.waiting += len(data)
                if 0 < writer.buffer < writer.waiting:
                    self._crammed.append(writer)
        answered.clear()

    def flush(self) -> None:
        """Write what is pending: one `write` per client."""
        if self._run:
            run, to = self._take_run()
            self._write_run(run, to)
        if self._crammed:
            self._hold_no_more()
        if self._dirty:
            dirty, self._dirty = self._dirty, []
            self._write_pending(dirty)

    def _write_run(self, run: Collection[Said | Joined], to: Collection[Session]) -> None:
        """Write the last run to those for whom nothing else is pending.

        Most messages come alone, and all that a recipient of theirs costs is one turn of this loop: so nothing that can
        be spared is called in it.
        """
        encoded: dict[str, bytes] = {}
        variant, data = "", b""
        others: list[Session] = []
        for session in to:
            writer: ClientWriter = session.peer
            if writer.state is not DIRECT or writer.pending:
                others.append(session)
                continue
            if writer.variant is not variant:
                variant = writer.variant
                if variant not in encoded:
                    encoded[variant] = _encoded(writer, run)
                data = encoded[variant]
            if not writer.transport.write(data):
                self._mind(writer)
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
            if pending and writer.state is not HELD:
                data = pending[0] if len(pending) == 1 else b"".join(pending)
                pending.clear()
                if not writer.transport.write(data) or writer.state is not DIRECT:
                    self._mind(writer)

    # --- slow readers -----------------------------------------------------------------------------------------------

    def _mind(self, writer: ClientWriter) -> None:
        """See how much a client has not taken, and whether it lags behind."""
        waiting = writer.transport.waiting
        if writer.missing is None and 0 < writer.buffer < waiting:
            writer.missing = self._seq()
        if writer.state is GONE:
            return
        if writer.missing is None:
            writer.to(BUFFERED if waiting else DIRECT)
            return
        writer.to(LAGGING)
        if writer.drained is None:
            writer.drained = asyncio.get_running_loop().create_task(self._catch_up(writer))

    def _hold_no_more(self) -> None:
        """Clients for whom too much waits before their welcome: leave further events out, they get a gap after it."""
        for writer in self._crammed:
            if writer.state is HELD:
                writer.missing = self._seq()
        self._crammed = []

    async def _catch_up(self, writer: ClientWriter) -> None:
        """Wait until a slow reader has read, then tell it what it missed."""
        try:
            await writer.transport.drained()
        except OSError:
            return  # the connection is lost
        finally:
            writer.drained = None
        after, until = writer.missing, self._seq()
        writer.missing = None
        self._mind(writer)
        if after is not None and until > after:
            self.send(writer, (Gap(after=after, until=until),))
            if writer.dialect.wishes:
                writer.owner.follow_up()


def _encoded(writer: ClientWriter, told: Collection[Event | Result]) -> bytes:
    dialect = writer.dialect
    try:
        data = dialect.encode_shared(told)
    except Exception:  # a fault of ours: in one dialect alone, and of these events alone
        log.exception("cannot encode for %s", dialect.variant)
        return b""
    if dialect.wishes:
        writer.owner.follow_up()
    return data
