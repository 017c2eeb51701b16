"""One connection to a server: bytes in, events out; commands in, bytes out; and how it ended."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from asyncchat.client.streams import Streams
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.errors import ChatError, ConnectionLost, ProtocolError
from asyncchat.vocabulary.events import Told
from asyncchat.wire.native import EventReader, encode_command

logger = logging.getLogger("asyncchat.client")

READ_BYTES = 65_536
"""One read: what a loopback socket hands out at a time; more only costs memory."""

QUIET_SECONDS = 75.0
"""Silence of the server after which it is asked whether it is there: a little more than its own ping interval."""

ANSWER_SECONDS = 15.0
"""For the answer to that: then the connection is taken for dead (a pulled cable sends no goodbye)."""

TLS_ALERT = b"\x15\x03"
"""How the answer of a server begins that expects TLS (RFC 8446, 5.1 and 6)."""

FLUSH_SECONDS = 2.0
"""For the last bytes when closing: the peer may be gone without a word."""


class Connection:
    """One connection.

    *receive* is called with each event and result, in order; then *ended*, once. Pings are answered here.

    After `start` a task of its own reads until the end; `close` ends and awaits it. ``done`` is set when it
    has ended, and ``error`` says why.
    """

    def __init__(
        self, streams: Streams, receive: Callable[[Told], None], ended: Callable[["Connection"], None]
    ) -> None:
        self._reader, self._writer = streams
        self._receive = receive
        self._ended = ended
        self._task: asyncio.Task[None] | None = None
        self.done = asyncio.Event()
        self.error: ChatError = ConnectionLost("closed")

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._run(), name="asyncchat client reader")

    def send(self, command: Command) -> None:
        """Send a command, unless the connection is gone: then its end is about to be told."""
        if not self._writer.is_closing():
            self._writer.write(encode_command(command))

    async def drained(self) -> None:
        """Wait while the server does not take what is sent."""
        with contextlib.suppress(OSError):  # the reader finds out as well, and tells
            await self._writer.drain()

    def abort(self) -> None:
        """Close at once, whatever is left to send."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Send what is left, close, and wait until reading has ended.

        Idempotent; never raises but when cancelled.
        """
        self._writer.close()
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            pass
        finally:
            self.abort()
            if self._task is not None and self._task is not asyncio.current_task():
                self._task.cancel()
                await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            self.error = ConnectionLost(await self._read())
        except OSError as error:
            self.error = ConnectionLost(error.strerror or str(error) or type(error).__name__)
        except ProtocolError as error:
            self.error = error
        except Exception:  # a task's root: whoever handles events failed, and learns that no more will come
            self.error = ConnectionLost("a fault of this client")
            logger.exception("cannot handle what the server sent")
        finally:
            self.abort()
            self.done.set()
            self._ended(self)

    async def _read(self) -> str:
        reader = EventReader()
        asked, first = False, True
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS if asked else QUIET_SECONDS):
                    data = await self._reader.read(READ_BYTES)
            except TimeoutError as error:
                if asked or error.errno is not None:  # the latter: the system's own, ETIMEDOUT
                    return "the server does not answer"
                asked = True
                self.send(commands.Ping(id="there?"))  # without an id it would not be answered
                continue
            if not data:
                return "the server closed the connection"
            asked = False
            if first and data.startswith(TLS_ALERT):
                return "the server speaks TLS there: use a tls:// address"
            first = False
            for told in reader.receive(data):
                if isinstance(told, events.Ping):
                    self.send(commands.Pong())
                else:
                    self._receive(told)
