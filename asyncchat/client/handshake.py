"""The handshake: a hello made of what is known of oneself, what belongs to its answer, and rooms with passwords."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from asyncchat._version import __version__
from asyncchat.client.client_connection import Connection
from asyncchat.client.inbox import Inbox
from asyncchat.client.requests import Pending, Requests
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.errors import ConnectionLost, ProtocolError, Refused
from asyncchat.vocabulary.events import Event, Gap, Kept, Result
from asyncchat.vocabulary.names import name_key
from asyncchat.vocabulary.terms import Code

CLIENT = f"asyncchat/{__version__}"
"""What this client says it is."""

LOGIN_SECONDS = 30.0
"""For the server's answer to a login: passwords are hashed, and under attack it makes logins wait."""

NOT_LET_IN = "you are not let in"


@dataclass(slots=True, kw_only=True)
class Login:
    """A person as the server knows them, and the rooms they are in; kept up to date from what the server tells.

    ``rooms``: those to be in, in order; None, before the first login: the server's default. ``operator``: it is nobody
    but the operator, on the server's control socket. The secrets stay out of its repr.
    """

    name: str | None = None
    token: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    server_password: str | None = field(default=None, repr=False)
    rooms: dict[str, None] | None = None
    #: For the first login: which tokens to try, in order, at a server that says that it has this identity.
    choose_tokens: Callable[[str | None], list[str]] | None = None
    operator: bool = False

    _room_passwords: dict[str, str] = field(default_factory=dict, repr=False)
    _is_known: bool = False

    def hello(self, *, epoch: str | None, since: int) -> commands.Hello:
        """The command that logs in; *epoch* None: there is no place to go on from."""
        return commands.Hello(
            # Our name may have been changed in another session meanwhile: once known, we are who the token says.
            name=None if self._is_known and self.token is not None else self.name,
            token=self.token,
            # A token proves more than a password and costs the server less.
            password=self.password if self.token is None else None,
            server_password=self.server_password,
            rooms=None if self.rooms is None else list(self.rooms),
            since=since if epoch is not None else None,
            epoch=epoch,
            client=CLIENT,
        )

    def welcomed(self, welcome: events.Welcome) -> list[str]:
        """The server knows us as this person, in these rooms.

        Returns the rooms that we were in and are not.
        """
        entered = set(map(name_key, welcome.rooms))
        lost = [room for room in self.rooms or () if name_key(room) not in entered]
        self.name = welcome.name
        self.token = welcome.token or self.token
        self.rooms = dict.fromkeys(welcome.rooms)
        self._is_known = True
        return lost

    def note(self, event: events.Event) -> None:
        """Follow where we are and what we are called."""
        rooms = self.rooms
        if rooms is None:
            return
        match event:
            case events.Joined(name=self.name):
                rooms[event.room] = None
            case events.Left(name=self.name) | events.Kicked(name=self.name):
                rooms.pop(event.room, None)
            case events.Destroyed():
                rooms.pop(event.room, None)
            case events.Renamed(name=self.name):
                self.name = event.to
            case _:
                pass

    def password_of(self, room: str) -> str | None:
        """The password with which we entered a room."""
        return self._room_passwords.get(name_key(room))

    def remember_password(self, room: str, password: str) -> None:
        """We have entered a room with this password."""
        self._room_passwords[name_key(room)] = password


class Handshake:
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

    async def log_in(self, connection: Connection) -> None:
        """Say hello, and enter the rooms that need a password. Raises `ChatError`."""
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                if self._login.operator:
                    await self._be_greeted(connection)
                    return
                spare = await self._choose_token(connection)
                while True:
                    try:
                        await self._say_hello(connection)
                        break
                    except Refused as error:
                        if error.code != Code.WRONG_PASSWORD or self._login.token is None:
                            raise
                        # Tokens are void after a change of password, and unknown to another database.
                        self._login.token = next(spare, None)
                self._settle()
                await self._enter_again(connection)
        except TimeoutError:
            raise ConnectionLost(f"no answer to the login in {LOGIN_SECONDS:.0f} s") from None

    # --- what comes meanwhile ---------------------------------------------------------------------------------------

    def take(self, event: Event) -> bool:
        """Take an event that comes before the login is settled; False: it is the login is settled."""
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

    async def _choose_token(self, connection: Connection) -> Iterator[str]:
        """Set the token to log in with, if there is a choice; returns those to try if it is refused."""
        choose, self._login.choose_tokens = self._login.choose_tokens, None
        if choose is None:
            return iter(())
        spare = iter(choose(await self._identity(connection)))
        self._login.token = next(spare, None)
        return spare

    async def _identity(self, connection: Connection) -> str | None:
        """The identity that the server claims, by the refusal of a hello that says nothing."""
        hello = self._requests.add(commands.Hello(client=CLIENT), bound=True)
        try:
            await _asked(connection, hello)
        except Refused as error:
            return error.identity
        finally:
            self._requests.discard(hello)
        return None

    async def _say_hello(self, connection: Connection) -> None:
        hello = self._login.hello(epoch=self._inbox.epoch, since=self._inbox.seen)
        self._hello = self._requests.add(hello, bound=True)
        self._held = []
        # Direct messages that were missed come before the reply to whatever is asked behind the hello.
        behind = self._requests.add(commands.Ping(), bound=True)
        try:
            await _asked(connection, self._hello)
            await _asked(connection, behind)
        finally:
            self._requests.discard(self._hello)
            self._requests.discard(behind)
            self._hello = None

    async def _be_greeted(self, connection: Connection) -> None:
        """A control socket says its welcome unasked: it comes before the answer to anything."""
        self._hello = self._requests.add(commands.Ping(), bound=True)
        try:
            await _asked(connection, self._hello)
        finally:
            self._requests.discard(self._hello)
            self._hello = None
        if self.welcome is None:
            raise ProtocolError("this is no control socket of a server")

    def _settle(self) -> None:
        """From here on events take their place as they come."""
        self._inbox.settled()
        held, self._held = self._held or [], None
        for event in held:
            self._pass_on(event)

    async def _enter_again(self, connection: Connection) -> None:
        """Enter the rooms that the login did not lead into; say that we have left those that stay shut."""
        for room in self._lost_rooms:
            password = self._login.password_of(room)
            reason = NOT_LET_IN if password is None else await self._join(connection, room, password)
            if reason is not None:
                self._put(events.Left(name=self._login.name or "", room=room, reason=reason))

    async def _join(self, connection: Connection, room: str, password: str) -> str | None:
        """Enter a room; returns the reason why not."""
        join = self._requests.add(commands.Join(room=room, password=password), bound=True)
        try:
            await _asked(connection, join)
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


async def _asked(connection: Connection, pending: Pending) -> Result:
    connection.send(pending.command)
    return await pending.future
