"""What an operator does with a server that runs: commands with every right, through the same rules and the same log."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from asyncchat._loops import require
from asyncchat.core.operator import announce, create_account, operator_session, reset_password, set_administrator
from asyncchat.core.outcomes import Append, Ask, Close, Done, Outcome, Reply, answer
from asyncchat.server.pipeline import Ticket
from asyncchat.server.services import Services
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import Event, Result
from asyncchat.vocabulary.records import Fence


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """A server in numbers. ``uptime``: seconds."""

    uptime: float
    sessions: int
    people: int
    registered: int
    rooms: int
    seq: int


@dataclass(frozen=True, slots=True)
class Account:
    """A registered name. ``password``: there is one, and not only a token."""

    name: str
    password: bool
    administrator: bool


def account_lines(accounts: Sequence[Account]) -> list[str]:
    """The accounts, a line each."""
    width = max((len(account.name) for account in accounts), default=0)
    return [f"{account.name:<{width}}  {', '.join(_rights(account))}" for account in accounts]


def _rights(account: Account) -> list[str]:
    return [*(["administrator"] if account.administrator else []), "password" if account.password else "token only"]


class Operator:
    """Acts on a running server, of which it shares the services. Every method raises `Refused` and `StorageError`."""

    def __init__(self, services: Services) -> None:
        self._given = services
        self._loop = asyncio.get_running_loop()
        self._since = time.monotonic()
        self.session = operator_session(services.chat.house)

    @property
    def _services(self) -> Services:
        """All that a method uses: it is called in the server's loop, or nothing has happened yet."""
        require(self._loop, "this server")
        return self._given

    async def do(self, command: Command) -> Sequence[Result | Event]:
        """Do what a client could ask for, as an administrator would; returns the results.

        What people ask for themselves (to join, to be away, …) is refused with 403: the operator is no person.
        """
        self.session = operator_session(self._services.chat.house)  # the server's name may be another by now
        return await self._settle(self._services.chat.handle(self.session, command, self._services.clock.now()))

    async def settled(self) -> None:
        """Wait until all that was given to the log before is applied."""
        await self._settle(Append((Fence(time=self._services.clock.now()),)))

    async def announce(self, text: str) -> None:
        """Tell everyone who is connected."""
        await self._settle(announce(text, self._services.clock.now()))

    async def set_administrator(self, name: str, active: bool) -> None:
        """Make a registered person an administrator, or take that back."""
        await self._settle(set_administrator(self._services.chat.house, name, active, self._services.clock.now()))

    async def create_account(self, name: str, password: str) -> None:
        """Register a name that nobody holds."""
        await self._settle(create_account(self._services.chat.house, name, password, self._services.clock.now()))

    async def reset_password(self, name: str, password: str) -> None:
        """Give a registered person another password; their tokens are void."""
        await self._settle(reset_password(self._services.chat.house, name, password, self._services.clock.now()))

    def accounts(self) -> list[Account]:
        """Everybody who is registered, by name."""
        house = self._services.chat.house
        registered = sorted((person for person in house.people if person.registered), key=lambda person: person.key)
        return [
            Account(person.name, person.password is not None, house.is_administrator(person)) for person in registered
        ]

    def stats(self) -> Stats:
        """The server in numbers."""
        house = self._services.chat.house
        return Stats(
            uptime=time.monotonic() - self._since,
            sessions=len(house.sessions),
            people=sum(1 for person in house.people if person.sessions),
            registered=sum(1 for person in house.people if person.registered),
            rooms=len(house.rooms),
            seq=house.seq,
        )

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
