"""What every dialect offers to a connection: bytes in, commands out; events in, bytes out. No I/O."""

from collections.abc import Collection, Iterable
from typing import Protocol

from msgspec import Struct

from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import Told
from asyncchat.vocabulary.terms import Code, Id


class Problem(Struct, frozen=True, gc=False):
    """Bytes that are no command: answered like a refused command, and the session lives on."""

    code: Code
    text: str
    id: Id | None = None


class Dialect(Protocol):
    """One connection's way to speak. An instance belongs to one connection and may keep its state.

    ``variant`` names the encoding: what `encode_shared` gives for one dialect serves all connections of its variant.
    ``echo``: a session's own messages are sent back to it. ``resumable``: a client of this dialect that vanishes can
    come back as the same person (it holds a token), so its name is kept for a while. ``pings``: its clients answer a
    `Ping`, so that silence means they are gone.
    """

    variant: str
    echo: bool
    resumable: bool
    pings: bool

    def receive(self, data: bytes) -> Iterable[Command | Problem]:
        """The commands that are complete now; what is left over waits for more bytes. Never raises for bad input.

        May be lazy: ask for the next when the one before has been handled, so that the dialect has seen the answer to
        it (which name it got, into which room it came), and ask until the end or until the session is over.
        """
        ...

    def end(self) -> Iterable[Command | Problem]:
        """The peer has sent all that it will: the commands in what was left over (none for most dialects)."""
        ...

    @property
    def partial(self) -> bool:
        """There are bytes waiting for the rest of a line."""
        ...

    @property
    def quiet_after(self) -> float | None:
        """Seconds of silence after which `quiet` wants to be called, or None."""
        ...

    def quiet(self) -> Iterable[Command | Problem]:
        """The peer has been silent for `quiet_after`: the commands that this makes complete."""
        ...

    def encode_shared(self, events: Collection[Told]) -> bytes:
        """Events for many, in order, as bytes: the same for all connections of this variant.

        Changes the dialect's state only where no other connection is of its variant.
        """
        ...

    def encode(self, event: Told) -> bytes:
        """An event or result for this connection alone as bytes; may change the dialect's state."""
        ...

    def follow_up(self) -> list[Command]:
        """Commands that the dialect itself asks for after what it encoded last (a list of members after a join)."""
        ...
