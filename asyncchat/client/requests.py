"""Commands on their way: which reply belongs to which, what is sent again after a cut, and what cannot be."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator

from msgspec import structs

from asyncchat._loops import require
from asyncchat.vocabulary import commands
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.errors import ChatError, ConnectionLost, Refused
from asyncchat.vocabulary.events import Error, Result, Said

SHARED_BY = 4
"""Sessions of one person that may say as much as they can at once: the server's memory of nonces is for all of them."""


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
    """The commands of one client that have no reply yet, in the order in which they were given.

    Messages are sent a window at a time: a server knows a nonce again for so many messages only, and what is sent
    again beyond that would be kept twice.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._last_id = 0
        self._pending: dict[int, Pending] = {}
        self._nonces: dict[str, Pending] = {}
        self._unsent: OrderedDict[int, Pending] = OrderedDict()
        self._window: int | None = None
        # Messages on their way, by id; also those for whose reply nobody waits: the server remembers them all the same.
        self._in_flight: set[int] = set()

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, command: Command, *, bound: bool = False) -> Pending:
        """A command gets its ``id`` and waits from now on; `discard` it when nobody waits any more.

        What is *bound* to a connection is sent by whoever adds it; the rest is, when its turn comes, in `due`.
        """
        self.require_loop()
        self._last_id += 1
        command = structs.replace(command, id=self._last_id)
        pending = Pending(command, self._loop.create_future(), bound)
        self._pending[self._last_id] = pending
        if not bound:
            self._unsent[self._last_id] = pending
        if isinstance(command, commands.Say) and command.nonce is not None:
            self._nonces[command.nonce] = pending
        return pending

    def require_loop(self) -> None:
        """Raise RuntimeError in another loop than the client's."""
        require(self._loop, "this client")

    def discard(self, pending: Pending) -> None:
        """Nobody waits for this one any more; a reply that still comes is dropped."""
        command = pending.command
        assert isinstance(command.id, int)
        self._pending.pop(command.id, None)
        self._unsent.pop(command.id, None)
        if isinstance(command, commands.Say) and command.nonce is not None:
            self._nonces.pop(command.nonce, None)
        if pending.future.done() and not pending.future.cancelled():
            pending.future.exception()  # looked at, so that asyncio does not report it
        else:
            pending.future.cancel()

    def resolve(self, result: Result) -> bool:
        """A reply came; False if nothing waits for it."""
        if not isinstance(result.id, int):
            return False
        self._in_flight.discard(result.id)
        pending = self._pending.get(result.id)
        if pending is None or pending.future.done():
            return False
        if isinstance(result, Error):
            pending.future.set_exception(Refused(result.code, result.text, wait=result.wait, identity=result.identity))
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
            elif pending.sent and not pending.command.repeatable:
                name = pending.command.__struct_config__.tag
                text = f"the connection was lost before the reply to {name!r}: it may have been done or not"
                self._fail(pending, ConnectionLost(text))
            pending.sent = False
        self._in_flight.clear()
        self._unsent = OrderedDict(item for item in self._pending.items() if not item[1].future.done())

    def known_again(self, nonces: int) -> None:
        """How many messages of a person the server knows again by their nonces; 0: all."""
        self._window = max(nonces // SHARED_BY, 1) if nonces else None

    def due(self) -> Iterator[Command]:
        """What is to be sent (again) now that there is a connection, in order; the rest when replies have come."""
        while self._unsent:
            id, pending = next(iter(self._unsent.items()))
            wanted = not pending.future.done()
            if wanted and isinstance(pending.command, commands.Say) and not self._take_place(id):
                return
            del self._unsent[id]
            if wanted:
                pending.sent = True
                yield pending.command

    def _take_place(self, id: int) -> bool:
        """Take a place in the window; False: there is none for now."""
        if self._window is not None and len(self._in_flight) >= self._window:
            return False
        self._in_flight.add(id)
        return True

    def close(self, error: ChatError) -> None:
        """There will be no more replies."""
        for pending in self._pending.values():
            self._fail(pending, error)

    @staticmethod
    def _fail(pending: Pending, error: ChatError) -> None:
        if not pending.future.done():
            pending.future.set_exception(error)
