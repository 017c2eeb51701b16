"""How a client stays connected: the state of its connection, the backoff, and the task that reconnects."""

import asyncio
import contextlib
import enum
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from asyncchat.client.client_connection import FLUSH_SECONDS, Connection, Streams
from asyncchat.vocabulary import commands
from asyncchat.vocabulary.errors import ChatError, ConnectionLost, ProtocolError, Refused
from asyncchat.vocabulary.events import Bye, Told
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.terms import Code

logger = logging.getLogger("asyncchat.client")

OpenStreams = Callable[[], Awaitable[Streams]]

PASSING_CODES = frozenset({Code.TOO_FAST, Code.SERVER_FAULT, Code.UNAVAILABLE, Code.NOT_STORED})
"""Codes of a refused login that say nothing about the one who logs in: trying again is right."""

SETTLED_SECONDS = 5.0
"""A connection that lasted this long counts as a success: the next one is tried from the start of the schedule."""


class ConnectionState(enum.Enum):
    """Where a client's connection stands. Only `ChatClient` changes it.

                  logged in               cut
    CONNECTING ─────────────► ONLINE ───────────► OFFLINE (waiting, then trying again)
         │                       ▲                   │
         │                       └───────────────────┘ logged in again
         └──► CLOSED ◄── closed, refused, or no reconnect wanted: from any state, for good
    """

    CONNECTING = "connecting"
    ONLINE = "online"
    OFFLINE = "offline"
    CLOSED = "closed"


LONGEST_ASKED = 300.0
"""Seconds that a client waits at most when a server asks for a delay: a wrong figure must not park it for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """A reconnect schedule: before attempt *n* a random wait between 0 and ``min(longest, first * factor**n)`` seconds.

    The wait is drawn from the whole interval (full jitter), so that the clients of a server that went down do
    not come back in step.
    """

    first: float = 0.5
    factor: float = 2.0
    longest: float = 30.0

    def ceiling(self, attempt: int) -> float:
        """The longest wait before this attempt, in seconds; *attempt* counts from 0 and may be as large as you like."""
        try:
            return min(self.longest, self.first * self.factor**attempt)
        except OverflowError:
            return self.longest

    def delay(self, attempt: int, chance: float, *, asked: float | None = None) -> float:
        """Seconds to wait before this attempt; *chance* is a random number in [0, 1).

        *asked* is what the server asked for (`Bye.reconnect`, `Refused.wait`): it is waited at the least, up
        to `LONGEST_ASKED`; servers spread these delays themselves, so the first attempt comes exactly then.
        """
        jittered = chance * self.ceiling(attempt)
        if asked is None:
            return jittered
        least = min(max(asked, 0.0), LONGEST_ASKED)
        return least if attempt == 0 else least + jittered


class Reconnector:
    """One client's connection, replaced by a new one each time it is lost; without a *backoff* it is not replaced.

    *receive* gets each event and result. *log_in* logs in on a new connection; it raises `ChatError` if that fails.
    *online*: a login succeeded. *cut*: the connection is lost, and why. *over*: the client is closed for good, with the
    error, or None if that was on purpose.
    """

    def __init__(
        self,
        open_streams: OpenStreams,
        *,
        receive: Callable[[Told], None],
        log_in: Callable[[Connection], Awaitable[None]],
        online: Callable[[], None],
        cut: Callable[[ChatError], None],
        over: Callable[[ChatError | None], None],
        backoff: Backoff | None,
        on_state: Callable[[ConnectionState, str], None] | None,
    ) -> None:
        self._open_streams = open_streams
        self._receive = receive
        self._log_in = log_in
        self._online = online
        self._cut = cut
        self._closed = over
        self._backoff = backoff
        self._on_state = on_state
        self._task: asyncio.Task[None] | None = None
        self._current: Connection | None = None
        self._attempt = 0
        self._online_at = 0.0
        self.bye: Bye | None = None
        self.state = ConnectionState.CONNECTING

    @property
    def connection(self) -> Connection | None:
        """The connection on which commands may be sent now."""
        return self._current if self.state is ConnectionState.ONLINE else None

    async def start(self) -> None:
        """Connect and log in; raises `ConnectionLost` or `Refused` if that fails, and then nothing is left open."""
        try:
            connection = await self._open()
        except ChatError as error:
            self._over(error)
            raise
        except BaseException:
            self._over(None)
            raise
        self._task = asyncio.create_task(self._run(connection), name="asyncchat client reconnector")

    async def stop(self, goodbye: commands.Quit | None) -> None:
        """Close for good, with a last word to the server if there is one. Idempotent.

        Cancelled, it waits for nobody any more, and leaves nothing open either.
        """
        connection, task = self._current, self._task
        if self.state is not ConnectionState.ONLINE:
            goodbye = None
        if task is not None:
            task.cancel()
        self._over(None)
        try:
            if connection is not None:
                if goodbye is not None:
                    await _part(connection, goodbye)
                await connection.close()
            if task is not None:
                await asyncio.wait([task])
        finally:
            if connection is not None:
                connection.abort()

    def tell(self, text: str) -> None:
        """Say something about the state that is."""
        if self._on_state is None:
            return
        try:
            self._on_state(self.state, text)
        except Exception:  # whoever listens is the application, and must not stop what it listens to
            logger.exception("on_state failed")

    # --- one connection after the other -------------------------------------------------------------------------------

    async def _open(self) -> Connection:
        """Connect and log in."""
        streams = await self._open_streams()
        self.bye = None
        connection = self._current = Connection(streams, self._receive, self._ended)
        connection.start()
        try:
            await self._log_in(connection)
            if connection.done.is_set():
                raise connection.error
        except BaseException:
            self._current = None
            await connection.close()
            raise
        self._online_at = asyncio.get_running_loop().time()
        self._set(ConnectionState.ONLINE, "")
        self._online()
        return connection

    async def _run(self, connection: Connection) -> None:
        error: ChatError = ConnectionLost("a fault of this client")
        try:
            while True:
                await connection.done.wait()
                await connection.close()
                connection = await self._come_back(connection)
        except ChatError as known:
            error = known
        except asyncio.CancelledError:
            return  # `stop` sees to the rest
        except Exception:  # a task's root: nobody awaits it before the end
            logger.exception("cannot keep the connection")
        self._over(error)

    async def _come_back(self, lost: Connection) -> Connection:
        bye = self.bye
        reason = self._reason(lost)
        if self._backoff is None or (bye is not None and bye.reconnect is None):
            raise ConnectionLost(reason)
        asked = bye.reconnect if bye is not None else None
        if asyncio.get_running_loop().time() - self._online_at >= SETTLED_SECONDS:
            self._attempt = 0
        while True:
            delay = self._backoff.delay(self._attempt, random.random(), asked=asked)
            logger.debug("trying again in %.1f s: %s", delay, printable(reason))
            self.tell(f"{reason}; trying again in {delay:.0f} s" if delay >= 1 else reason)
            await asyncio.sleep(delay)
            self._attempt += 1
            try:
                return await self._open()
            except Refused as error:
                if error.code not in PASSING_CODES:
                    raise
                reason, asked = str(error), error.wait
            except (ConnectionLost, ProtocolError) as error:
                reason, asked = str(error), None

    def _ended(self, connection: Connection) -> None:
        if connection is not self._current:
            return
        self._current = None
        if self.state is ConnectionState.ONLINE:
            reason = self._reason(connection)
            logger.info("disconnected: %s", printable(reason))
            self._set(ConnectionState.OFFLINE, reason)
        self._cut(connection.error)

    def _reason(self, lost: Connection) -> str:
        return self.bye.reason if self.bye is not None else str(lost.error)

    def _over(self, error: ChatError | None) -> None:
        if self.state is not ConnectionState.CLOSED:
            self._set(ConnectionState.CLOSED, str(error) if error is not None else "")
            self._closed(error)

    def _set(self, state: ConnectionState, text: str) -> None:
        self.state = state
        self.tell(text)


async def _part(connection: Connection, goodbye: commands.Quit) -> None:
    """Say goodbye, and wait until the server has closed: then it knows that we are gone."""
    connection.send(goodbye)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FLUSH_SECONDS):
            await connection.done.wait()
