"""Who logs in, and where they want to be: what a `hello` is made of, the first time and every time after."""

from dataclasses import dataclass, field

from asyncchat._version import __version__
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.names import name_key

CLIENT = f"asyncchat/{__version__}"
"""What this client says it is."""


@dataclass(slots=True, kw_only=True)
class Login:
    """A person as the server knows them, and the rooms they are in; kept up to date from what the server tells.

    ``rooms``: those to be in, in order; None, before the first login: the server's default. The secrets stay out of its
    repr.
    """

    name: str | None = None
    token: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    server_password: str | None = field(default=None, repr=False)
    rooms: dict[str, None] | None = None

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
