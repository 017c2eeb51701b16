"""What an operator does with a server that runs: commands with every right, through the same rules and the same log."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import assert_never

from asyncchat._loops import require
from asyncchat.core.operator_commands import accounts_of, operator_session
from asyncchat.core.outcomes import Append, Ask, Close, Done, Outcome, Reply, answer
from asyncchat.server.pipeline import Ticket
from asyncchat.server.services import Services
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.errors import StorageError
from asyncchat.vocabulary.events import Event, Result
from asyncchat.vocabulary.records import Barrier

if sys.platform != "win32":
    import resource


def memory_used() -> int | None:
    """Bytes of memory that the process holds now, or where that cannot be told, has held at most; None on Windows."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        pass
    if sys.platform == "win32":
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


class Operator:
    """Acts on a running server, of which it shares the services. What awaits raises `Refused` and `StorageError`."""

    def __init__(self, services: Services, measure: Callable[[], events.Stats]) -> None:
        self._given = services
        self._loop = asyncio.get_running_loop()
        self._measure = measure
        self.session = operator_session(services.chat.state)

    @property
    def _services(self) -> Services:
        """All that a method uses: it is called in the server's loop, or nothing has happened yet."""
        require(self._loop, "this server")
        return self._given

    async def do(self, command: Command) -> Sequence[Result | Event]:
        """Do what a client or the control socket could ask for; returns the results.

        What people ask for themselves (to join, to be away, …) is refused with 403: the operator is no person.
        """
        self.session = operator_session(self._services.chat.state)  # the server's name may be another by now
        return await self._settle(self._services.chat.handle(self.session, command, self._services.clock.now()))

    async def settled(self) -> None:
        """Wait until all that was given to the log before is applied."""
        await self._settle(Append((Barrier(time=self._services.clock.now()),)))

    async def announce(self, text: str) -> None:
        """Tell everyone who is connected."""
        await self.do(commands.Announce(text=text))

    async def set_administrator(self, name: str, active: bool) -> None:
        """Make a registered person an administrator, or take that back."""
        await self.do(commands.SetAdministrator(name=name, active=active))

    async def create_account(self, name: str, password: str) -> None:
        """Register a name that nobody holds."""
        await self.do(commands.CreateAccount(name=name, password=password))

    async def reset_password(self, name: str, password: str) -> None:
        """Give a registered person another password; their tokens are void."""
        await self.do(commands.ResetPassword(name=name, password=password))

    def accounts(self) -> list[events.Account]:
        """Everybody who is registered, by name."""
        return accounts_of(self._services.chat.state)

    def stats(self) -> events.Stats:
        """The server in numbers."""
        require(self._loop, "this server")
        return self._measure()

    async def _settle(self, outcome: Outcome) -> Sequence[Result | Event]:
        """Carry an outcome to its end."""
        while True:
            match outcome:
                case Ask(query, then):
                    outcome = then(await self._services.answer(query, self.session.address))
                case Append():
                    future: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
                    self._services.pipeline.append(Ticket(self, outcome, len(outcome.records), future=future))
                    seqs = await future
                    if outcome.then is None:
                        return (answer(outcome, seqs),)
                    outcome = outcome.then(seqs)
                case Reply(results) | Close(results):
                    return results
                case Done():
                    return ()
                case _:
                    assert_never(outcome)

    # --- what the pipeline calls ------------------------------------------------------------------------------------

    def arrived(self, ticket: Ticket) -> None:
        """The records are through the log, or refused."""
        ticket.wake()


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
