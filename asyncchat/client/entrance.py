"""Coming in on a new connection: the hello, what belongs to it, and the rooms that it does not open."""

import asyncio
from collections.abc import Callable

from asyncchat.client.inbox import Inbox
from asyncchat.client.link import Link
from asyncchat.client.login import Login
from asyncchat.client.requests import Pending, Requests
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.errors import ConnectionLost, Refused
from asyncchat.vocabulary.events import Event, Gap, Kept, Result
from asyncchat.vocabulary.terms import Code

LOGIN_SECONDS = 30.0
"""For the server's answer to a login: passwords are hashed, and under attack it makes logins wait."""

NOT_LET_IN = "you are not let in"


class Entrance:
    """Logs one client in, on one connection after the other.

    Until a login is settled, what happens live is held back, because its place is not known before the welcome, and
    direct messages from before it come first. *put* gets the events, *skip* the gaps, in their order.
    """

    def __init__(
        self,
        login: Login,
        requests: Requests,
        inbox: Inbox,
        put: Callable[[Event], None],
        skip: Callable[[Gap], None],
    ) -> None:
        self._login = login
        self._requests = requests
        self._inbox = inbox
        self._put = put
        self._skip = skip
        self._hello: Pending | None = None
        self._held: list[Event] | None = None
        self._lost_rooms: list[str] = []
        self.welcome: events.Welcome | None = None

    async def log_in(self, link: Link) -> None:
        """Say hello, and enter the rooms that need a password. Raises `ChatError`."""
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                try:
                    await self._say_hello(link)
                except Refused as error:
                    if error.code != Code.WRONG_PASSWORD or self._login.token is None:
                        raise
                    # Tokens are void after a change of password, and unknown to another database.
                    self._login.token = None
                    await self._say_hello(link)
                self._settle()
                await self._enter_again(link)
        except TimeoutError:
            raise ConnectionLost(f"no answer to the login in {LOGIN_SECONDS:.0f} s") from None

    # --- what comes meanwhile ---------------------------------------------------------------------------------------

    def take(self, event: Event) -> bool:
        """Take an event that comes before the login is settled; False: it is not for the entrance."""
        if self._held is None:
            return False
        if self._is_early(event):
            self._pass_on(event)
        else:
            self._held.append(event)
        return True

    def welcomed(self, welcome: events.Welcome) -> None:
        """The server let us in."""
        self.welcome = welcome
        self._lost_rooms = self._login.welcomed(welcome)
        late = any(self._login.password_of(room) is not None for room in self._lost_rooms)
        self._inbox.welcome(welcome, open_ended=late)
        self._requests.resolve(welcome)

    def refused(self, code: Code, text: str) -> bool:
        """The server says no without saying to what, or goodbye; True if that answers a hello."""
        hello = self._hello
        return hello is not None and self._requests.resolve(events.Error(id=hello.command.id, code=code, text=text))

    # --- steps ------------------------------------------------------------------------------------------------------

    async def _say_hello(self, link: Link) -> None:
        hello = self._login.hello(epoch=self._inbox.epoch, since=self._inbox.seen)
        self._hello = self._requests.add(hello, bound=True)
        self._held = []
        # Direct messages that were missed come before the reply to whatever is asked behind the hello.
        behind = self._requests.add(commands.Ping(), bound=True)
        try:
            await _asked(link, self._hello)
            await _asked(link, behind)
        finally:
            self._requests.discard(self._hello)
            self._requests.discard(behind)
            self._hello = None

    def _settle(self) -> None:
        """From here on events take their place as they come."""
        self._inbox.settled()
        held, self._held = self._held or [], None
        for event in held:
            self._pass_on(event)

    async def _enter_again(self, link: Link) -> None:
        """Enter the rooms that the login did not lead into; say that we have left those that stay shut."""
        for room in self._lost_rooms:
            password = self._login.password_of(room)
            reason = NOT_LET_IN if password is None else await self._join(link, room, password)
            if reason is not None:
                self._put(events.Left(name=self._login.name or "", room=room, reason=reason))

    async def _join(self, link: Link, room: str, password: str) -> str | None:
        """Enter a room; returns the reason why not."""
        join = self._requests.add(commands.Join(room=room, password=password), bound=True)
        try:
            await _asked(link, join)
        except Refused as error:
            return error.text
        finally:
            self._requests.discard(join)
        return None

    def _pass_on(self, event: Event) -> None:
        if isinstance(event, Gap):
            self._skip(event)
        else:
            self._put(event)

    def _is_early(self, event: Event) -> bool:
        """Was it kept before the login that it follows?"""
        hello, welcome = self._hello, self.welcome
        if hello is None or not hello.future.done() or welcome is None:
            return False
        last = event.seq if isinstance(event, Kept) else (event.until if isinstance(event, Gap) else None)
        return last is not None and last <= welcome.seq


async def _asked(link: Link, pending: Pending) -> Result:
    link.send(pending.command)
    return await pending.future
