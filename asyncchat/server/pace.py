"""Rate limiting of one client, so that its pace costs the others nothing."""

import asyncio

import msgspec

from asyncchat.core.limits import Limits, TokenBucket
from asyncchat.vocabulary.commands import Command
from asyncchat.wire.dialect import Problem

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
