"""Keeping a client connected: the first connection, what ends it, and the way back."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

from asyncchat.client.backoff import Backoff
from asyncchat.client.dial import Streams
from asyncchat.client.link import FLUSH_SECONDS, Link
from asyncchat.client.state import ConnectionState
from asyncchat.vocabulary import commands
from asyncchat.vocabulary.errors import ChatError, ConnectionLost, ProtocolError, Refused
from asyncchat.vocabulary.events import Bye, Told
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.terms import Code

logger = logging.getLogger("asyncchat.client")

Dial = Callable[[], Awaitable[Streams]]

PASSING_CODES = frozenset({Code.TOO_FAST, Code.SERVER_FAULT, Code.UNAVAILABLE, Code.NOT_STORED})
"""Codes of a refused login that say nothing about the one who logs in: trying again is right."""

SETTLED_SECONDS = 5.0
"""A connection that lasted this long counts as a success: the next one is tried from the start of the schedule."""


class Owner(Protocol):
    """Whose connection it is."""

    def receive(self, told: Told) -> None:
        """An event or result came."""

    async def log_in(self, link: Link) -> None:
        """Log in on a new connection, and do what belongs to it; raises `ChatError` if that fails."""

    def online(self) -> None:
        """There is a connection, logged in."""

    def cut(self, error: ChatError) -> None:
        """There is none any more; *error* says why."""

    def over(self, error: ChatError | None) -> None:
        """There will be none any more; *error* says why, None: it was closed on purpose."""


class Upkeep:
    """One client's connection, through as many links as it takes.

    Without a *backoff* one link is all there is.
    """

    def __init__(
        self,
        dial: Dial,
        owner: Owner,
        *,
        backoff: Backoff | None,
        on_state: Callable[[ConnectionState, str], None] | None,
    ) -> None:
        self._dial = dial
        self._owner = owner
        self._backoff = backoff
        self._on_state = on_state
        self._task: asyncio.Task[None] | None = None
        self._current: Link | None = None
        self._attempt = 0
        self._online_at = 0.0
        self.bye: Bye | None = None
        self.state = ConnectionState.CONNECTING

    @property
    def link(self) -> Link | None:
        """The connection on which commands may be sent now."""
        return self._current if self.state is ConnectionState.ONLINE else None

    async def start(self) -> None:
        """Connect and log in; raises `ConnectionLost` or `Refused` if that fails, and then nothing is left open."""
        try:
            link = await self._open()
        except ChatError as error:
            self._over(error)
            raise
        except BaseException:
            self._over(None)
            raise
        self._task = asyncio.create_task(self._run(link), name="asyncchat client upkeep")

    async def stop(self, goodbye: commands.Quit | None) -> None:
        """Close for good, with a last word to the server if there is one. Idempotent.

        Cancelled, it waits for nobody any more, and leaves nothing open either.
        """
        link, task = self._current, self._task
        if self.state is not ConnectionState.ONLINE:
            goodbye = None
        if task is not None:
            task.cancel()
        self._over(None)
        try:
            if link is not None:
                if goodbye is not None:
                    await _part(link, goodbye)
                await link.close()
            if task is not None:
                await asyncio.wait([task])
        finally:
            if link is not None:
                link.abort()

    def tell(self, text: str) -> None:
        """Say something about the state that is."""
        if self._on_state is None:
            return
        try:
            self._on_state(self.state, text)
        except Exception:  # whoever listens is the application, and must not stop what it listens to
            logger.exception("on_state failed")

    # --- one link after the other -----------------------------------------------------------------------------------

    async def _open(self) -> Link:
        """Connect and log in."""
        streams = await self._dial()
        self.bye = None
        link = self._current = Link(streams, self._owner.receive, self._ended)
        link.start()
        try:
            await self._owner.log_in(link)
            if link.done.is_set():
                raise link.error
        except BaseException:
            self._current = None
            await link.close()
            raise
        self._online_at = asyncio.get_running_loop().time()
        self._set(ConnectionState.ONLINE, "")
        self._owner.online()
        return link

    async def _run(self, link: Link) -> None:
        error: ChatError = ConnectionLost("a fault of this client")
        try:
            while True:
                await link.done.wait()
                await link.close()
                link = await self._come_back(link)
        except ChatError as known:
            error = known
        except asyncio.CancelledError:
            return  # `stop` sees to the rest
        except Exception:  # a task's root: nobody awaits it before the end
            logger.exception("cannot keep the connection")
        self._over(error)

    async def _come_back(self, lost: Link) -> Link:
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

    def _ended(self, link: Link) -> None:
        if link is not self._current:
            return
        self._current = None
        if self.state is ConnectionState.ONLINE:
            reason = self._reason(link)
            logger.info("disconnected: %s", printable(reason))
            self._set(ConnectionState.OFFLINE, reason)
        self._owner.cut(link.error)

    def _reason(self, lost: Link) -> str:
        return self.bye.reason if self.bye is not None else str(lost.error)

    def _over(self, error: ChatError | None) -> None:
        if self.state is not ConnectionState.CLOSED:
            self._set(ConnectionState.CLOSED, str(error) if error is not None else "")
            self._owner.over(error)

    def _set(self, state: ConnectionState, text: str) -> None:
        self.state = state
        self.tell(text)


async def _part(link: Link, goodbye: commands.Quit) -> None:
    """Say goodbye, and wait until the server has closed: then it knows that we are gone."""
    link.send(goodbye)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FLUSH_SECONDS):
            await link.done.wait()
