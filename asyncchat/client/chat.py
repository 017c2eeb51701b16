"""The client as an application sees it: methods that ask, and one iterator of events."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

from msgspec import structs

from asyncchat.client.backoff import Backoff
from asyncchat.client.entrance import Entrance
from asyncchat.client.filling import rooms_left, with_room
from asyncchat.client.inbox import Hole, Inbox
from asyncchat.client.link import Link
from asyncchat.client.login import Login
from asyncchat.client.methods import Methods
from asyncchat.client.requests import Pending, Requests
from asyncchat.client.state import ConnectionState, Cursor, Resumed
from asyncchat.client.upkeep import PASSING_CODES, Dial, Upkeep
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.errors import ChatError, ConnectionLost, ProtocolError, Refused
from asyncchat.vocabulary.events import Event, Result
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.terms import Code, Kind

LOGGED = 500
"""Characters of what a server says that the log repeats."""

logger = logging.getLogger("asyncchat.client")

NONCE_BYTES = 12
"""Random bytes of a nonce: two messages of one person never share one by chance."""

QUEUE = 10_000
"""Events kept for an application that does not take them now: some megabytes."""

_ANSWERED_LATER = 1.0
"""Seconds until a page of history is asked for again that the server could not give."""

OnState = Callable[[ConnectionState, str], None]
OnLogin = Callable[[str, str], Awaitable[None]]


class ChatClient(Methods):
    """A logged-in client. Made by `connect`; to be closed with `aclose` or ``async with``.

    Iterate over it for all events, in the order of the log; it goes on across reconnects, with nothing twice
    and nothing missing. After all that had come it ends quietly when you closed it, else with `ConnectionLost` (or the
    `Refused` of a login). It may be iterated again; by one task at a time.

    A task of its own reads and never waits for the application, so methods may be called from within the
    iteration, and work without any iteration: what does not fit into the queue is fetched from the server's
    history when its turn comes.
    """

    def __init__(
        self,
        dial: Dial,
        login: Login,
        *,
        backoff: Backoff | None = None,
        queue: int = QUEUE,
        cursor: Cursor | None = None,
        on_state: OnState | None = None,
        on_login: OnLogin | None = None,
    ) -> None:
        self._login = login
        self._on_login = on_login
        self._requests = Requests()
        self._inbox = Inbox(queue, epoch=cursor.epoch if cursor else None, seen=cursor.seq if cursor else 0)
        self._entrance = Entrance(login, self._requests, self._inbox, self._put, self._skip)
        self._upkeep = Upkeep(dial, self, backoff=backoff, on_state=on_state)
        self._wake = asyncio.Event()
        self._iterating = False
        self._error: ChatError | None = None

    # --- what is known ----------------------------------------------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        return self._upkeep.state

    @property
    def name(self) -> str:
        """Your name, as the server writes it."""
        return self._login.name or ""

    @property
    def token(self) -> str | None:
        """What proves to be you at the next login. A secret."""
        return self._login.token

    @property
    def joined(self) -> frozenset[str]:
        """The rooms you are in."""
        return frozenset(self._login.rooms or ())

    @property
    def welcome(self) -> events.Welcome:
        """The server's last welcome: its name, version, limits, message of the day."""
        if self._entrance.welcome is None:
            raise RuntimeError("not logged in yet")
        return self._entrance.welcome

    @property
    def cursor(self) -> Cursor:
        """The place up to which the iteration has given everything; a later `connect` can go on from it."""
        return Cursor(self._inbox.epoch or "", self._inbox.handed_out)

    # --- coming, going ----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect and log in for the first time; `connect` does it for you."""
        await self._upkeep.start()

    async def aclose(self, *, hold: bool = False, reason: str | None = None) -> None:
        """Close for good; what still waits for a reply gets `ConnectionLost`. Idempotent.

        Says goodbye, so that a guest's name is free at once; with *hold* it does not, and the server holds
        name and rooms for a while.
        """
        await self._upkeep.stop(None if hold else commands.Quit(reason=reason))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # --- asking -----------------------------------------------------------------------------------------------------

    async def say(
        self, to: str, text: str, *, kind: Kind = "text", reply_to: int | None = None, nonce: str | None = None
    ) -> events.Said:
        """Say something to a room (``#name``) or to a person; returns the message as it is kept, with its ``seq``.

        Many may be in flight at once. A message whose reply a cut swallowed is sent again with the same
        ``nonce``: it is kept once. Pass a *nonce* of your own to be able to do so yourself, in another
        process even. Raises what the other methods do, and `Refused` 404 for a message that was kept, but is not to
        be seen any more.
        """
        command = commands.Say(to=to, text=text, kind=kind, reply_to=reply_to, nonce=nonce or _new_nonce())
        pending = self._requests.add(command)
        result = await self._reply_to(pending)
        if not isinstance(result, events.Ok) or result.seq is None:
            raise ProtocolError("the reply to 'say' has no seq")
        return pending.said or await self._kept(result.seq)

    async def request(self, command: Command) -> Result:
        """Send any command and return its result; its ``id`` is replaced.

        Raises `Refused`; `ConnectionLost` when there is no connection any more and will be none, or (see
        `requests.SENT_AGAIN` for the commands to which that does not apply) when it was cut before the reply.
        """
        if isinstance(command, commands.Say) and command.nonce is None:
            command = structs.replace(command, nonce=_new_nonce())  # it may have to be sent again
        result = await self._reply_to(self._requests.add(command))
        await self._remember(command, result)
        return result

    async def _remember(self, command: Command, result: Result) -> None:
        """What was done may be needed at the next login, here or in another program."""
        match command:
            case commands.Join(room=room, password=str(password)):
                self._login.remember_password(room, password)
            case commands.Nick():
                await self._keep_token()
            case _ if isinstance(result, events.Ok) and result.token is not None:
                # Another password made all tokens void but this one.
                self._login.token = result.token
                await self._keep_token()
            case _:
                pass

    def typing(self, to: str, *, active: bool = True) -> None:
        """Let a room or a person know that you are typing; lost when there is no connection, or if it is refused."""
        link = self._upkeep.link
        if link is not None:
            pending = self._requests.add(commands.Typing(to=to, active=active))
            self._requests.discard(pending)  # by its id the reply is known as one that nobody waits for
            link.send(pending.command)

    async def _reply_to(self, pending: Pending) -> Result:
        try:
            if self._upkeep.state is ConnectionState.CLOSED:
                raise self._error or ConnectionLost("the connection is closed")
            self._send_due()
            link = self._upkeep.link
            if link is not None:
                await link.drained()
            return await pending.future
        finally:
            self._requests.discard(pending)

    def _send_due(self) -> None:
        """Send what may be sent now."""
        link = self._upkeep.link
        if link is not None:
            for command in self._requests.due():
                link.send(command)

    async def _kept(self, seq: int) -> events.Said:
        """A message that was kept by an earlier connection, so that only its ``seq`` came."""
        for event in (await self.sync(seq - 1, until=seq)).events:
            if isinstance(event, events.Said) and event.seq == seq:
                return event
        raise Refused(Code.NOT_FOUND, f"the message is kept as {seq}, and you may not see it any more")

    # --- events -----------------------------------------------------------------------------------------------------

    def __aiter__(self) -> AsyncIterator[Event | Resumed]:
        return self

    async def __anext__(self) -> Event | Resumed:
        if self._iterating:
            raise RuntimeError("another task is iterating over this client")
        self._iterating = True
        try:
            while True:
                head = self._inbox.head()
                if isinstance(head, Hole):
                    await self._fill(head)
                elif head is not None:
                    return self._inbox.take()
                elif self._upkeep.state is ConnectionState.CLOSED:
                    raise self._error or StopAsyncIteration
                else:
                    self._wake.clear()
                    await self._wake.wait()
        finally:
            self._iterating = False

    async def _fill(self, hole: Hole) -> None:
        until = hole.until
        try:
            page = await self.sync(hole.after, until=until)
            for room, end in rooms_left(hole, until).items():
                said = await self._said_in(room, hole.after)
                if said is None:
                    self._inbox.give_up(hole, room)
                    return
                page = with_room(page, said, end)
        except Refused as error:
            if error.code not in PASSING_CODES:
                raise
            logger.warning("cannot fetch what was missed: %s", printable(str(error)))
            await asyncio.sleep(error.wait or _ANSWERED_LATER)
        else:
            self._inbox.fill(hole, until, page)

    async def _said_in(self, room: str, after: int) -> events.History | None:
        """A page of what was said in a room that was left; None: we may not read there any more."""
        try:
            return await self.history(room, after=after)
        except Refused as error:
            if error.code in PASSING_CODES:
                raise
            return None

    # --- what the connection calls (`upkeep.Owner`) -----------------------------------------------------------------

    def receive(self, told: events.Told) -> None:
        """An event or result came."""
        match told:
            case events.Said():
                self._requests.note(told)
                if not self._entrance.take(told):
                    self._put(told)
            case events.Gap():
                if not self._entrance.take(told):
                    self._skip(told)
            case events.Welcome():
                self._entrance.welcomed(told)
                self._wake.set()
            case events.Error(id=None) if self._entrance.refused(told.code, told.text):
                pass
            case (
                events.Ok() | events.Error() | events.RoomList() | events.Members() | events.User()
                | events.History() | events.BanList()
            ):  # fmt: skip
                if not self._requests.resolve(told) and isinstance(told, events.Error) and told.id is None:
                    logger.warning("the server reports: %s (%d)", printable(told.text[:LOGGED]), told.code)
                self._send_due()
            case _:
                self._note(told)
                if not self._entrance.take(told):
                    self._put(told)

    def _note(self, event: Event) -> None:
        if isinstance(event, events.Bye):
            self._upkeep.bye = event
        self._login.note(event)

    async def log_in(self, link: Link) -> None:
        """Log in on a new connection."""
        await self._entrance.log_in(link)
        await self._keep_token()

    def online(self) -> None:
        """There is a connection: send what waits for one."""
        self._requests.known_again(int(self.welcome.limits.get("nonces", 0)))
        self._send_due()

    def cut(self, error: ChatError) -> None:
        """There is no connection for now."""
        bye = self._upkeep.bye
        if bye is not None:
            self._entrance.refused(bye.code, bye.reason)
        self._requests.cut(error)

    def over(self, error: ChatError | None) -> None:
        """There will be no connection any more."""
        self._error = error
        self._requests.close(error or ConnectionLost("the connection is closed"))
        self._wake.set()

    def _put(self, event: Event) -> None:
        match event:
            case events.Left(name=self._login.name) | events.Kicked(name=self._login.name) | events.Destroyed():
                self._inbox.leave(event.room)
        self._inbox.put(event)
        self._wake.set()

    def _skip(self, gap: events.Gap) -> None:
        self._inbox.skip(gap.after, gap.until)
        self._wake.set()

    async def _keep_token(self) -> None:
        if self._on_login is not None and self._login.token is not None and self._login.name is not None:
            await self._on_login(self._login.name, self._login.token)


def _new_nonce() -> str:
    return secrets.token_urlsafe(NONCE_BYTES)
