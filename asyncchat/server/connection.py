"""The coroutine per client: bytes in, commands handled in order, the session ended whatever happens."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, assert_never

import msgspec

from asyncchat.core.limits import Limits, TokenBucket
from asyncchat.core.outcomes import Append, Ask, Close, Disconnect, Done, Outcome, Reply, answer
from asyncchat.core.session import Phase, Session
from asyncchat.server.pipeline import Ticket
from asyncchat.server.services import Services
from asyncchat.server.transport import Reader, Transport
from asyncchat.server.writers import HELD, ClientWriter
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.errors import ChatError, NotStored, Refused, StorageError
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.terms import Code
from asyncchat.wire.dialect import Context, Dialect, Problem, Request

TEXT = 1024
"""Bytes of a text, as JSON has it, that count as one command more: it is stored, and sent to many."""

LONGEST_ESCAPE = 6
"""Bytes that JSON makes of one character of one byte at most (a control character: ``\\u0007``)."""

REPLY = 65_536
"""Bytes of a reply that count as one command more: a page of long messages takes some milliseconds."""


class Pace:
    """One client's pace, by the limits ``rate`` and ``burst``. Times are those of the loop, in seconds."""

    __slots__ = ("_bucket", "_pause")

    def __init__(self, limits: Limits, now: float) -> None:
        self._bucket = TokenBucket(limits.rate, limits.burst, now)
        self._pause: asyncio.Future[None] | None = None

    def wait(self, item: Command | Problem | None, now: float) -> float:
        """The seconds that a request (its command, if it has one) has to wait for those before it."""
        text = getattr(item, "text", None)
        cost = 1
        if text and len(text) * LONGEST_ESCAPE >= TEXT:  # short ones, nearly all, need not be encoded for that
            try:
                cost += len(msgspec.json.encode(text)) // TEXT
            except UnicodeEncodeError:
                cost += len(text) * LONGEST_ESCAPE // TEXT
        return self._bucket.take(cost, now)

    def replied(self, size: int, now: float) -> None:
        """A reply of so many bytes was sent."""
        if size >= REPLY:
            self._bucket.take(size // REPLY, now)

    async def pause(self, seconds: float) -> None:
        """Let the others go first, for so long or until the end."""
        loop = asyncio.get_running_loop()
        self._pause = loop.create_future()
        timer = loop.call_later(seconds, self.end)
        try:
            await self._pause
        finally:
            timer.cancel()

    def end(self) -> None:
        """Nothing is waited for any more: the connection is being closed."""
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)


log = logging.getLogger("asyncchat.server")

READ_SIZE = 65_536
"""Bytes of one read: some 500 messages, handled without a pause."""

_OVER = Phase.OVER  # a member of an Enum costs as much as two dict look-ups


class Connection:
    """One client that has shown which dialect it speaks.

    ``heard``: when (the loop's time) the read that is under way began; ``reading``: it is being read, and not made to
    wait; ``partial_since``: when the line began that is not complete yet; ``pinged``: it was asked
    whether it is there; ``unread``: bytes that it had not taken at the last look, if it lags. ``in_flight``: its
    records on their way through the log. ``leaving``: why the connection is being closed, or None. ``_received``: the
    ``seq`` when it was heard last: who still speaks, or hangs up, has got what was sent before (nearly always; a client
    that comes back with a cursor does not depend on it). ``_lost``: the end of its stream says nothing about that;
    ``_spoke``: it was heard after its welcome.
    """

    __slots__ = (
        "_abort", "_dialect", "_following", "_idle", "_loop", "_lost", "_pace", "_reader", "_received", "_services",
        "_spoke", "heard", "in_flight", "leaving", "partial_since", "pinged", "reading", "session", "since", "unread",
        "writer",
    )  # fmt: skip

    def __init__(
        self,
        services: Services,
        session: Session,
        dialect: Dialect,
        reader: Reader,
        transport: Transport,
    ) -> None:
        limits = services.limits_in_force
        self._services = services
        self._loop = asyncio.get_running_loop()
        self._dialect = dialect
        self._reader = reader
        self._abort: asyncio.TimerHandle | None = None
        self._idle: asyncio.Future[None] | None = None
        self._following: asyncio.Task[None] | None = None  # it carries out wishes of the dialect
        self._lost = self._spoke = False
        self._received = services.chat.state.seq
        self.since = self.heard = self._loop.time()
        paced = limits.rate and limits.burst and not session.inside
        self._pace = Pace(limits, self.heard) if paced else None
        self.session = session
        self.in_flight = 0
        self.partial_since: float | None = None
        self.pinged = False
        self.reading = False
        self.unread = 0
        self.leaving: str | None = None
        self.writer = ClientWriter(transport, self, dialect, limits.buffer)
        session.peer = self.writer

    # --- the client's life ------------------------------------------------------------------------------------------

    async def run(self, first: Iterable[bytes]) -> str:
        """Serve the client until it leaves; *first* is what was read already, read by read. Returns why it ended."""
        reason = "connection lost"
        try:
            reason = await self._serve(first)
        except OSError as error:  # reset, timed out, no route any more
            reason = error.strerror or str(error) or reason
        finally:
            await self._end(self.leaving or reason)
            if self._abort is not None:
                self._abort.cancel()
        return self.leaving or reason

    async def _serve(self, first: Iterable[bytes]) -> str:
        reads = deque(first)
        while data := reads.popleft() if reads else await self._read():
            took = await self._take(self._dialect.receive(data))
            if self.session.phase is _OVER:
                return "quit"
            if not self._dialect.partial:
                self.partial_since = None
            elif took or self.partial_since is None:
                self.partial_since = self._loop.time()
        await self._take(self._dialect.end())
        return "quit" if self.session.phase is _OVER else "connection closed"

    async def _read(self) -> bytes:
        """The next bytes; nothing at the end. A client that does not read what it is sent is not read either."""
        if self._dialect.wishes:
            await self._follow()
        if self.writer.drained is not None:
            await asyncio.wait({self.writer.drained})
        self.reading = True
        self.heard = self._loop.time()
        while (quiet := self._dialect.quiet_after) is not None:
            try:
                async with asyncio.timeout(quiet):
                    return self._hear(await self._reader.read(READ_SIZE))
            except TimeoutError:
                await self._take(self._dialect.quiet())
                if self.session.phase is _OVER:
                    return b""
        return self._hear(await self._reader.read(READ_SIZE))

    def _hear(self, data: bytes) -> bytes:
        self.reading = self.pinged = False
        if data or not (self._lost or self.writer.unsent):
            self._received = self._services.chat.state.seq
            self._spoke = self.writer.state is not HELD
        return data

    async def _end(self, reason: str) -> None:
        """The connection is over: so is the session, once what it has said is through the log."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})
        try:
            await self._settled()
            if self.session.phase is not _OVER:
                await self._settle(
                    self._services.chat.vanish(self.session, self._services.clock.now(), reason, self._got()), None
                )
        except ChatError as error:
            log.warning("a session ended with an error: %s", error)

    def _got(self) -> int:
        """The ``seq`` up to which the client has got what it was told, as far as can be known; see ``_received``."""
        received = min(self._received, self.writer.missing or self._received)
        if not self._spoke and self.session.seen is not None:
            received = min(received, self.session.seen)  # what came with the welcome may be lost with it
        return received

    # --- commands ---------------------------------------------------------------------------------------------------

    async def _take(self, received: Iterable[Request | Problem]) -> bool:
        """Handle requests in order: what is said is pipelined, all others wait for what came before.

        Returns whether there were any. Those that come after the connection is being closed are not handled.
        """
        if self._following is not None:
            await asyncio.wait({self._following})
        took = False
        for item in received:
            took = True
            command, context = (item, item.context) if type(item) is Problem else item
            if (wait := self._hindered(command)) is not None:
                await wait
            if self.session.phase is _OVER or self.leaving is not None:
                break
            if isinstance(command, Problem):
                await self._settled()
                # Its text may repeat what was typed, and a slip in front of a password makes it no command.
                self._refuse(context, Refused(command.code, command.text), logged="no command")
            elif command is not None and command.pipelined:
                if (looking := self._talk(command, context)) is not None:
                    await looking
            elif not (self.writer.transport.closing and (command is None or command.read_only)):
                await self._command(command, context)
                await self._follow()
                # What was answered is written now, so that `_hindered` knows whether it is read, before more is.
                await asyncio.sleep(0)
        return took

    def follow_up(self) -> None:
        """The dialect has wishes: they are carried out now if it was told something while the client is silent.

        Otherwise by the coroutine that handles the client's requests, between two of them.
        """
        if self.reading and self._following is None and self.leaving is None:
            self._following = self._loop.create_task(self._follow_alone(), name="asyncchat follow-up")

    async def _follow_alone(self) -> None:
        try:
            await self._follow()
        finally:
            self._following = None

    async def _follow(self) -> None:
        """Carry out the dialect's wishes, until it has none; those of a client that does not read wait."""
        while self._dialect.wishes:
            for command, context in self._dialect.follow_up():
                if self.writer.drained is not None:
                    await asyncio.wait({self.writer.drained})
                if self.session.phase is _OVER or self.leaving is not None:
                    return
                await self._command(command, context)

    def _hindered(self, item: commands.Command | Problem | None) -> Awaitable[object] | None:
        """What the next command has to wait for, if anything: for this client to read, and not to be too fast."""
        pace = self._pace
        seconds = pace.wait(item, self._loop.time()) if pace is not None else 0.0
        crowded = self.in_flight and 0 < self._services.limits_in_force.in_flight <= self.in_flight
        if self.writer.drained is None and not crowded and seconds <= 0.0:
            return None
        return self._held_back(seconds)

    async def _held_back(self, seconds: float) -> None:
        """Wait for all of it: who does not read is no faster for that."""
        if self.writer.drained is not None:
            await asyncio.wait({self.writer.drained})
        if 0 < self._services.limits_in_force.in_flight <= self.in_flight:
            await self._settled()
        if self._pace is not None and seconds > 0.0:
            await self._pace.pause(seconds)

    def _talk(self, command: Any, context: Context) -> Awaitable[None] | None:
        """Handle what is pipelined, without a pause if nothing has to be looked up."""
        try:
            outcome = self._services.chat.handle(self.session, command, self._services.clock.now())
            if type(outcome) is Append:
                self._append(outcome, context, None)
            elif type(outcome) is Ask:
                return self._look_up(outcome, command, context)
            else:
                self._perform(outcome, context)
        except Exception as error:  # noqa: BLE001 - the root of a command: see `_failed`
            self._failed(context, error, type(command).__name__)
        return None

    async def _look_up(self, outcome: Outcome, command: commands.Command, context: Context) -> None:
        try:
            while type(outcome) is Ask:
                outcome = outcome.then(await self._services.answer(outcome.query, self.session.address))
            self._perform(outcome, context)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(context, error, type(command).__name__)

    async def _command(self, command: commands.Command | None, context: Context) -> None:
        """Handle a request to its end, once all before it have come to theirs."""
        await self._settled()
        self.session.resumable = self._dialect.resumable  # which may change with what the client was told
        try:
            if command is None:
                self._send((), context)
                return
            await self._settle(self._services.chat.handle(self.session, command, self._services.clock.now()), context)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(context, error, type(command).__name__)

    def _failed(self, context: Context, error: Exception, what: str) -> None:
        """A command came to nothing. A fault of ours must not cost the client its session: it is told and lives on."""
        if not isinstance(error, Refused | StorageError):
            log.error("a fault while handling %s", what, exc_info=error)
            error = Refused(Code.SERVER_FAULT, "a fault of the server")
        identity = self._services.chat.state.identity if what == commands.Hello.__name__ else None
        self._refuse(context, error, identity=identity)

    def _refuse(
        self,
        context: Context,
        error: Refused | StorageError,
        *,
        logged: str | None = None,
        identity: str | None = None,
    ) -> None:
        name = self.session.person.name if self.session.person is not None else self.session.address or "a client"
        # What is not stored the storage tells, once a minute: with a full disk it is each message of everybody's.
        level = logging.DEBUG if error.code is Code.NOT_STORED else logging.INFO
        log.log(level, "Refused %s: %d %s", name, error.code, printable(logged or error.text))
        wait = error.wait if isinstance(error, Refused) else None
        self._send((events.Error(code=error.code, text=error.text, wait=wait, identity=identity),), context)

    # --- outcomes ---------------------------------------------------------------------------------------------------

    async def _settle(self, outcome: Outcome, context: Context) -> None:
        """Carry an outcome to its end."""
        while True:
            match outcome:
                case Ask(query, then):
                    outcome = then(await self._services.answer(query, self.session.address))
                case Append():
                    future: asyncio.Future[Sequence[int]] = self._loop.create_future()
                    self._append(outcome, context, future)
                    try:
                        seqs = await future
                    except NotStored:
                        if outcome.not_stored is None:
                            raise
                        outcome = outcome.not_stored()
                        continue
                    if outcome.then is None:
                        self._done(context, answer(outcome, seqs))
                        return
                    outcome = outcome.then(seqs)
                case Reply() | Done() | Close():
                    self._perform(outcome, context)
                    return
                case _:
                    assert_never(outcome)

    def _perform(self, outcome: Outcome, context: Context) -> None:
        """Begin with an outcome that needs no waiting."""
        if type(outcome) is Append:
            self._append(outcome, context, None)
        elif type(outcome) is Reply:
            if outcome.results:
                size = self._send(outcome.results, context)
                if self._pace is not None:
                    self._pace.replied(size, self._loop.time())
        elif type(outcome) is Done:
            self._done(context, outcome.result)
        elif type(outcome) is Close:
            self.session.phase = _OVER
            self.leaving = outcome.reason
            self._send(outcome.results, context)

    def _append(self, append: Append, context: Context, future: "asyncio.Future[Sequence[int]] | None") -> None:
        self.in_flight += 1
        self._services.pipeline.append(Ticket(self, append, len(append.records), context, future))

    def arrived(self, ticket: Ticket) -> None:
        """An append is through the log, or refused: answer it, and wake who waits."""
        self.in_flight -= 1
        if ticket.future is not None:
            ticket.wake()
        else:
            append = ticket.append
            if ticket.refused is not None:
                self._failed(ticket.context, ticket.refused, "a reply")
            else:
                try:
                    if append.then is None:
                        self._done(ticket.context, answer(append, ticket.seqs))
                    else:
                        self._perform(append.then(ticket.seqs), ticket.context)
                except Exception as error:  # noqa: BLE001 - as above
                    self._failed(ticket.context, error, "a reply")
        if self._idle is not None and self.in_flight == 0 and not self._idle.done():
            self._idle.set_result(None)

    def _done(self, context: Context, result: events.Ok) -> None:
        if context is not None:
            self._send((result,), context)

    async def _settled(self) -> None:
        """Wait until all records of this connection are through the log."""
        while self.in_flight:
            self._idle = self._loop.create_future()
            await self._idle
            self._idle = None

    def _send(self, results: Sequence[events.Told], context: Context = None) -> int:
        return self._services.writers.send(self.writer, results, context)

    # --- ends that come from elsewhere ------------------------------------------------------------------------------

    def ping(self) -> None:
        """Ask whether the client is there."""
        self.pinged = True
        self._send((events.Ping(),))

    def part(self, effect: Disconnect) -> None:
        """The rules end this connection."""
        self.close(effect.event, effect.reason)

    def close(self, event: events.Event, reason: str) -> None:
        """Say a last word and end the connection; its coroutine sees the end of the stream."""
        if self.leaving is None:
            self.leaving = reason
            if self._pace is not None:
                self._pace.end()
            self._send((event,))
            self._services.writers.flush_replies()
            self.writer.transport.close()
            if limit := self._services.limits_in_force.flush_seconds:
                self._abort = self._loop.call_later(limit, self.abort)

    def drop(self, event: events.Event, reason: str) -> None:
        """The same, for a client that may be gone: what it was told since it was heard last may be lost."""
        self._lost = True
        self.close(event, reason)

    def abort(self) -> None:
        """End the connection at once, whatever waits to be sent."""
        self._lost = True
        self.writer.transport.abort()
