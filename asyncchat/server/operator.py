"""What an operator does with a server that runs: commands with every right, through the same rules and the same log."""

import asyncio
from collections.abc import Callable, Sequence
from typing import assert_never

from asyncchat._loops import require
from asyncchat.core.operator import accounts_of, operator_session
from asyncchat.core.outcomes import Append, Ask, Close, Done, Outcome, Reply, answer
from asyncchat.server.pipeline import Ticket
from asyncchat.server.services import Services
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import Event, Result
from asyncchat.vocabulary.records import Barrier


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
