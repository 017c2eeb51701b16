"""What has to be done by mere time: deadlines every second, and once in a while the care for the database."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from asyncchat.core.rules import Chat
from asyncchat.server.acceptor import Acceptor
from asyncchat.server.pipeline import Pipeline
from asyncchat.server.services import Clock
from asyncchat.storage.storage import Storage
from asyncchat.vocabulary import records
from asyncchat.vocabulary.errors import StorageError

log = logging.getLogger("asyncchat.server")

SWEEP_SECONDS = 1.0
"""How often deadlines are looked at: they are seconds, and one look at 10,000 connections takes about a millisecond."""

CARE_SECONDS = 600.0
"""How often messages are looked for that a room keeps no longer: a retention is days."""

GUEST_DAYS = 30
"""A guest who left, has not come back for so long and has written nothing is forgotten, tokens and all."""

DAY_MS = 86_400_000
"""Milliseconds of a day."""


class Periodic:
    """Owns the tasks that wait for time; `start` once, `aclose` at the end."""

    def __init__(self, chat: Chat, storage: Storage, pipeline: Pipeline, acceptor: Acceptor, clock: Clock) -> None:
        self._chat = chat
        self._storage = storage
        self._pipeline = pipeline
        self._acceptor = acceptor
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        for work in (self._sweep(), self._care()):
            self._tasks.append(asyncio.create_task(work, name="asyncchat periodic"))

    async def aclose(self) -> None:
        """Stop, and wait until it has."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await self._guarded(self.sweep(loop.time()))

    async def _care(self) -> None:
        while True:
            await asyncio.sleep(CARE_SECONDS)
            await self._guarded(self.care())

    async def sweep(self, now: float) -> None:
        """Look at all deadlines; *now* is the loop's time."""
        self._acceptor.sweep(now)
        for record in self._chat.overdue(self._clock.now()):
            self._pipeline.append_own(record)

    async def care(self) -> None:
        """Delete what the rooms' retention says, and guests who have long left and never wrote."""
        now = self._clock.now()
        trusted = await self._storage.trusts(now)
        for room in list(self._chat.state.rooms):
            if room.retention and trusted:
                before = now - room.retention * DAY_MS
                if await self._storage.is_expired(room.id, before):
                    log.info("Deleting the messages of %s that are older than %d days", room.name, room.retention)
                    self._pipeline.append_own(records.Pruned(time=now, room=room.id, before=before))
        before = now - GUEST_DAYS * DAY_MS
        async for guests in self._storage.silent_guests(before):
            self._pipeline.append_own(records.PeopleForgotten(time=now, people=guests, before=before))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except StorageError as error:
            log.warning("care for the database: %s", error)
        except Exception:
            # The root of the task: what fails once is tried again the next time, and deadlines go on being looked at.
            log.exception("a fault in the periodic")
