"""One connection as the rules see it, and which command is allowed in which phase of it."""

import enum
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from asyncchat.vocabulary import commands
from asyncchat.vocabulary.addresses import is_loopback
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.terms import Code

if TYPE_CHECKING:
    from asyncchat.core.people import Person


class Phase(enum.Enum):
    """How far a session is: NEW until its hello is through the log, then IN, and OVER once it has said goodbye.

        hello ok            quit, connection lost
    NEW ────────► IN ───────────────────────────► OVER
     │             └── banned ──► EXPELLED ──────────┤
     └───────────── connection lost ───────────────┘

    What a EXPELLED session has sent before it was put off the server counts no more. OPERATOR is that of the
    control socket and of the app itself, in which nobody logs in: see `operator.py`.
    """

    NEW = "new"
    IN = "in"
    EXPELLED = "expelled"
    OVER = "over"
    OPERATOR = "operator"


_IN = Phase.IN  # this is asked for each command, and a member of an Enum costs as much as two dict look-ups

_CONTROL_ONLY = (Code.FORBIDDEN, "only the server's control socket takes that")

_NOT_IN: dict[Phase, tuple[Callable[[type[commands.Base]], bool], Code, str]] = {
    Phase.NEW: (attrgetter("before_login"), Code.LOGIN_FIRST, "log in first"),
    Phase.EXPELLED: (lambda _: False, Code.FORBIDDEN, "you are off this server"),
    Phase.OVER: (lambda _: False, Code.LOGIN_FIRST, "log in first"),
    Phase.OPERATOR: (attrgetter("for_operators"), Code.FORBIDDEN, "the operator is no person: log in for that"),
}
"""For each phase but IN: whether it allows a command, and what is answered to the others."""


class Session:
    """A connection: whose it is, where it comes from, and what its dialect needs. ``key``: its number on its ``node``.

    ``resumable``: its client can come back as the same person, so its name is held a while. ``inside``: it is the app's
    own, in the server's process, and needs no proof of who it is.
    ``secure``: passwords may travel on it. ``seen``: the ``seq`` up to which its person had been sent everything when
    it came; None if another session was there. ``since``: when it began (Unix ms). ``peer`` belongs to whoever made the
    session; the rules never look at it.
    """

    __slots__ = (
        "address", "inside", "key", "node", "peer", "person", "phase", "resumable", "secure", "seen", "since",
    )  # fmt: skip

    def __init__(
        self,
        *,
        key: int,
        address: str = "",
        resumable: bool = True,
        inside: bool = False,
        secure: bool = True,
        peer: Any = None,
        since: int = 0,
        node: str = "",
    ) -> None:
        self.key = key
        self.node = node
        self.address = address
        self.resumable = resumable
        self.inside = inside
        self.secure = secure
        self.peer: Any = peer
        self.since = since
        self.phase = Phase.NEW
        self.person: Person | None = None
        self.seen: int | None = None

    @property
    def local(self) -> bool:
        """Does it come from the server's own machine?"""
        return not self.address or is_loopback(self.address)

    def require(self, command: type[commands.Base]) -> None:
        """Raise `Refused` if this phase does not allow the command."""
        if self.phase is _IN:
            if command.control:
                raise Refused(*_CONTROL_ONLY)
            if command is commands.Hello:
                raise Refused(Code.CONFLICT, "you are logged in already")
            return
        allows, code, why = _NOT_IN[self.phase]
        if not allows(command):
            raise Refused(*(_CONTROL_ONLY if command.control else (code, why)))
