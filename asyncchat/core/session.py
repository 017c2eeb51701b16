"""One connection as the rules see it, and which command is allowed in which phase of it."""

import enum
from typing import TYPE_CHECKING, Any

from asyncchat.vocabulary import commands
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.terms import Code

if TYPE_CHECKING:
    from asyncchat.core.people import Person


class Phase(enum.Enum):
    """How far a session is: NEW until its hello is through the log, then IN, and OVER once it has said goodbye.

        hello ok            quit, kicked off, connection lost
    NEW ────────► IN ──────────────────────────────────────► OVER
     └────────────────────── connection lost ──────────────────┘
    """

    NEW = "new"
    IN = "in"
    OVER = "over"


ALLOWED_WHEN_NEW = frozenset({commands.Hello, commands.Quit, commands.Ping, commands.Pong})
"""The commands that need no login."""


class Session:
    """A connection: whose it is, where it comes from, and what its dialect needs.

    ``echo``: its own messages are sent back to it. ``resumable``: its client can come back as the same person, so its
    name is held a while. ``secure``: passwords may travel on it. ``peer`` belongs to whoever made the session; the
    rules never look at it.
    """

    __slots__ = ("address", "echo", "key", "peer", "person", "phase", "resumable", "secure", "since")

    def __init__(
        self,
        *,
        key: int,
        address: str = "",
        echo: bool = True,
        resumable: bool = True,
        secure: bool = True,
        peer: Any = None,
        since: int = 0,
    ) -> None:
        self.key = key
        self.address = address
        self.echo = echo
        self.resumable = resumable
        self.secure = secure
        self.peer: Any = peer
        self.since = since
        self.phase = Phase.NEW
        self.person: Person | None = None

    def require(self, command: type) -> None:
        """Raise `Refused` if this phase does not allow the command."""
        if self.phase is Phase.IN:
            if command is commands.Hello:
                raise Refused(Code.CONFLICT, "you are logged in already")
        elif self.phase is Phase.OVER or command not in ALLOWED_WHEN_NEW:
            raise Refused(Code.LOGIN_FIRST, "log in first")
