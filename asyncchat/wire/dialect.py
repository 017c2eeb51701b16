"""What every dialect offers to a connection: bytes in, requests out; events and results in, bytes out. No I/O.

A `Request` is a command and its *context*, by which the dialect understands the reply: the native protocol's is the
``id`` that the client gave. A context is the dialect's own: the server hands it back with each result, and looks only
whether it is None.

A request without a command is one that the dialect answers itself, in its place: when all requests before it are
answered, the connection asks for the dialect's own words by `Dialect.outgoing`, and they go out before the next is
handled. It costs the client as much as a command, so that a flood of such requests is as slow as one of commands.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol, final

from msgspec import Struct

from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import Told
from asyncchat.vocabulary.terms import Code

Context = Any
"""What the dialect knows of a request. None: success that has nothing to tell is not told."""

Request = tuple[Command | None, Context]
"""A command, or None for what the dialect answers itself, and its context."""


@final
class Problem(Struct, frozen=True):
    """Bytes that are no command: answered like a refused command with this context, and the session lives on."""

    code: Code
    text: str
    context: Context = None


class Dialect(Protocol):
    """One connection's way to speak. An instance belongs to one connection and may keep its state.

    Its attributes may change while it is told something, and then hold for what comes next.
    """

    #: Names the encoding: what `encode_shared` gives for one dialect serves all connections of its variant.
    variant: str
    #: A session's own messages are sent back to it.
    echo: bool
    #: A client that vanishes can come back as the same person (it holds a token), so its name is kept for a while.
    resumable: bool
    #: Clients answer a `Ping`, so that silence means they are gone.
    pings: bool

    def receive(self, data: bytes) -> Iterable[Request | Problem]:
        """The requests that are complete now; what is left over waits for more bytes. Never raises for bad input.

        May be lazy: ask for the next when the one before has been handled, so that the dialect has seen the answer to
        it (which name it got, into which room it came), and ask until the end or until the session is over.
        """
        ...

    def end(self) -> Iterable[Request | Problem]:
        """The peer has sent all that it will: the requests in what was left over (none for most dialects)."""
        ...

    @property
    def partial(self) -> bool:
        """There are bytes waiting for the rest of a line."""
        ...

    @property
    def quiet_after(self) -> float | None:
        """Seconds of silence after which `quiet` wants to be called, or None."""
        ...

    def quiet(self) -> Iterable[Request | Problem]:
        """The peer has been silent for `quiet_after`: the requests that this makes complete."""
        ...

    def encode_shared(self, events: Collection[Told]) -> bytes:
        """Events for many, in order, as bytes: the same for all connections of this variant.

        Changes the dialect's state only where no other connection is of its variant.
        """
        ...

    def encode(self, told: Told, context: Context = None) -> bytes:
        """An event or result for this connection alone as bytes; may change the dialect's state.

        A result comes with the context of its request. Empty if the client is not told.
        """
        ...

    def outgoing(self, context: Context) -> bytes:
        """The dialect's own words, for a request without a command."""
        ...

    @property
    def wishes(self) -> bool:
        """The dialect wants to ask for something itself: see `follow_up`."""
        ...

    def follow_up(self) -> Sequence[Request]:
        """What the dialect itself asks for after what it encoded last: a list of members after a join, a gap's events.

        They are handled before the client's next request, and each is asked for once.
        """
        ...
