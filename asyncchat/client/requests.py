"""Commands on their way: which reply belongs to which, what is sent again after a cut, and what cannot be."""

import asyncio
from collections.abc import Iterator

from msgspec import structs

from asyncchat.vocabulary import commands
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.errors import ChatError, ConnectionLost, Refused
from asyncchat.vocabulary.events import Error, Result, Said

SENT_AGAIN = (
    commands.Say,  # the same nonce is the same message
    commands.Edit,  # the same text again is the same text
    commands.Read,
    commands.Join,
    commands.Away,
    commands.Ping,
    commands.Rooms,
    commands.Who,
    commands.Whois,
    commands.History,
    commands.Sync,
    commands.Search,
    commands.Bans,
)
"""Commands that do no harm when they are done twice, so that a cut before their reply need not concern the caller."""


class Pending:
    """A command that waits for its reply.

    ``bound``: it belongs to the connection on which it was sent, and fails with it. ``said``: a `Say`'s
    message as it came back.
    """

    __slots__ = ("bound", "command", "future", "said", "sent")

    def __init__(self, command: Command, future: asyncio.Future[Result], bound: bool) -> None:
        self.command = command
        self.future = future
        self.bound = bound
        self.sent = False
        self.said: Said | None = None


class Requests:
    """The commands of one client that have no reply yet, in the order in which they were given."""

    def __init__(self) -> None:
        self._last_id = 0
        self._pending: dict[int, Pending] = {}
        self._nonces: dict[str, Pending] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, command: Command, *, bound: bool = False) -> Pending:
        """A command gets its ``id`` and waits from now on; `discard` it when nobody waits any more."""
        self._last_id += 1
        command = structs.replace(command, id=self._last_id)
        pending = Pending(command, asyncio.get_running_loop().create_future(), bound)
        self._pending[self._last_id] = pending
        if isinstance(command, commands.Say) and command.nonce is not None:
            self._nonces[command.nonce] = pending
        return pending

    def discard(self, pending: Pending) -> None:
        """Nobody waits for this one any more; a reply that still comes is dropped."""
        command = pending.command
        assert isinstance(command.id, int)
        self._pending.pop(command.id, None)
        if isinstance(command, commands.Say) and command.nonce is not None:
            self._nonces.pop(command.nonce, None)
        if pending.future.done() and not pending.future.cancelled():
            pending.future.exception()  # looked at, so that asyncio does not report it
        else:
            pending.future.cancel()

    def resolve(self, result: Result) -> bool:
        """A reply came; False if nothing waits for it."""
        pending = self._pending.get(result.id) if isinstance(result.id, int) else None
        if pending is None or pending.future.done():
            return False
        if isinstance(result, Error):
            pending.future.set_exception(Refused(result.code, result.text, wait=result.wait))
        else:
            pending.future.set_result(result)
        return True

    def note(self, said: Said) -> None:
        """A message came by: one of ours perhaps."""
        pending = self._nonces.get(said.nonce) if said.nonce is not None else None
        if pending is not None:
            pending.said = said

    def cut(self, error: ChatError) -> None:
        """The connection is gone: what may be sent again will be, for the rest nobody can know whether it was done."""
        for pending in self._pending.values():
            if pending.bound:
                self._fail(pending, error)
            elif pending.sent and not isinstance(pending.command, SENT_AGAIN):
                name = pending.command.__struct_config__.tag
                text = f"the connection was lost before the reply to {name!r}: it may have been done or not"
                self._fail(pending, ConnectionLost(text))
            pending.sent = False

    def unsent(self) -> Iterator[Pending]:
        """What is to be sent (again) now that there is a connection, in order."""
        return (pending for pending in list(self._pending.values()) if not pending.sent and not pending.future.done())

    def close(self, error: ChatError) -> None:
        """There will be no more replies."""
        for pending in self._pending.values():
            self._fail(pending, error)

    @staticmethod
    def _fail(pending: Pending, error: ChatError) -> None:
        if not pending.future.done():
            pending.future.set_exception(error)
