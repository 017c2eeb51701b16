"""Before a shutdown: everyone is told, more often as it comes nearer, until it comes or is called off."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from asyncchat.vocabulary.errors import StorageError

MOMENTS = (3600, 1800, 900, 600, 300, 120, 60, 30, 10, 5, 3, 2, 1)
"""Seconds before the end at which everyone is told."""


def schedule(seconds: int) -> list[tuple[int, int]]:
    """When people are told: how many seconds are left then, and how long to wait before the next word (or the end)."""
    left = [seconds, *(moment for moment in MOMENTS if moment < seconds)]
    return [(now, now - after) for now, after in zip(left, [*left[1:], 0], strict=True)]


def spoken(seconds: int) -> str:
    """A duration as one says it: ``2 minutes``, ``1 minute 30 seconds``."""
    parts = [(seconds // 3600, "hour"), (seconds // 60 % 60, "minute"), (seconds % 60, "second")]
    return " ".join(f"{count} {unit}{'s' if count > 1 else ''}" for count, unit in parts if count)


class Countdown:
    """At most one at a time. ``announce`` tells everyone; ``end`` is called when the time is over."""

    def __init__(self, announce: Callable[[str], Awaitable[None]], end: Callable[[], None]) -> None:
        self._announce = announce
        self._end = end
        self._task: asyncio.Task[None] | None = None

    def start(self, seconds: int) -> None:
        """Count from so many seconds; a countdown that runs is replaced."""
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.create_task(self._count(seconds), name="asyncchat countdown")

    async def call_off(self) -> bool:
        """The server stays; False if no countdown runs."""
        if not await self.aclose():
            return False
        await self._announce("the shutdown is called off")
        return True

    async def aclose(self) -> bool:
        """Stop counting, and say nothing; False if nothing was counted."""
        task, self._task = self._task, None
        if task is None or task.done():
            return False
        task.cancel()
        await asyncio.wait([task])
        return True

    async def _count(self, seconds: int) -> None:
        for left, wait in schedule(seconds):
            with contextlib.suppress(StorageError):  # it is shutting down already
                await self._announce(f"the server shuts down in {spoken(left)}")
            await asyncio.sleep(wait)
        self._end()
