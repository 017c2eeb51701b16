"""Standard input and output without blocking, for as long as they are needed; given back as they were.

Whether a file blocks belongs to the open file, which the shell and other programs share: they would fail on one that is
left non-blocking.
"""

import asyncio
import contextlib
import errno
import io
import os
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from aioconsole.stream import (
    NonFileStreamReader,
    ProtectedPipe,
    StandardStreamReader,
    StandardStreamReaderProtocol,
    is_pipe_transport_compatible,
)

STDIN, STDOUT = 0, 1

NOBODY_READS = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EINVAL})
"""What the system says then; the last is what Windows has for pipes."""


class Reader(Protocol):
    """Standard input as aioconsole gives it: a stream, or a thread that reads a file."""

    async def read(self, n: int, /) -> bytes:
        """At most *n* bytes; none at the end."""
        ...

    async def readline(self) -> bytes:
        """A line of any length; none at the end."""
        ...


@contextlib.asynccontextmanager
async def standard_input() -> AsyncIterator[Reader]:
    """Standard input, through aioconsole's reader.

    Closed from the start, it is empty. Only this one: `aioconsole.get_standard_streams` binds all three streams to one
    protocol, so that whoever stops reading our output would end our input as well.
    """
    if not is_pipe_transport_compatible(sys.stdin):
        yield NonFileStreamReader(sys.stdin.buffer if sys.stdin is not None else io.BytesIO())
        return
    loop = asyncio.get_running_loop()
    with _blocking_kept(STDIN):
        reader = StandardStreamReader(loop=loop)
        protocol = StandardStreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_read_pipe(lambda: protocol, ProtectedPipe(sys.stdin))
        try:
            yield reader
        finally:
            transport.close()


def is_terminal(file: object) -> bool:
    """Is this file, if there is one, a terminal?"""
    return file is not None and bool(getattr(file, "isatty", lambda: False)())


def complain(text: str) -> None:
    """A line on standard error, if it can be written; the text must be safe for a terminal."""
    with contextlib.suppress(OSError, AttributeError):  # the latter: there is no standard error at all
        sys.stderr.write(f"asyncchat: {text}\n")
        sys.stderr.flush()


class Output(asyncio.BaseProtocol):
    """Standard output, a line at a time, to a reader who may be slow or go. Made by `standard_output`.

    ``gone``: no more can be written. ``failed``: though somebody may miss it, as on a full disk.
    """

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.gone = asyncio.Event()
        self.failed = False

    async def line(self, text: str) -> None:
        """Write a line and wait until it is out, if it can be written at all."""
        if self.gone.is_set():
            return
        data = f"{text}\n".encode("utf-8", "backslashreplace")
        if self._transport is None:
            self._write(data)
        else:
            self._transport.write(data)
            await self._writable.wait()

    def _write(self, data: bytes) -> None:
        """For files and terminals, which take what is written."""
        try:
            with _blocking_kept(STDOUT):
                _block(STDOUT)  # a terminal is one open file for all three streams: our input has set it not to
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
        except AttributeError:  # there is no standard output at all
            self._end(None)
        except OSError as error:
            self._end(error)

    def _end(self, error: Exception | None) -> None:
        self.gone.set()
        if isinstance(error, OSError) and error.errno not in NOBODY_READS:
            self.failed = True
            complain(f"standard output cannot be written: {error.strerror}")

    # --- what asyncio calls -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The pipe is ready."""
        assert isinstance(transport, asyncio.WriteTransport)
        transport.set_write_buffer_limits(high=0)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody reads any more."""
        self._end(error)
        self._writable.set()

    def pause_writing(self) -> None:
        """The pipe is full."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The pipe is empty."""
        self._writable.set()


@contextlib.asynccontextmanager
async def standard_output() -> AsyncIterator[Output]:
    """Standard output; at the end all that was written is out."""
    output = Output()
    if not _is_pipe(sys.stdout):
        yield output
        return
    with _blocking_kept(STDOUT):
        transport, _ = await asyncio.get_running_loop().connect_write_pipe(lambda: output, ProtectedPipe(sys.stdout))
        try:
            yield output
        finally:
            if not output.gone.is_set():
                transport.abort()  # each line was waited for


def _is_pipe(file: object) -> bool:
    """A pipe or socket, whose reader can be slow; not a terminal, which this program would leave in a strange mode."""
    if not is_pipe_transport_compatible(file):  # never on Windows
        return False
    mode = os.fstat(STDOUT).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


@contextlib.contextmanager
def _blocking_kept(descriptor: int) -> Iterator[None]:
    if sys.platform != "win32":
        before = os.get_blocking(descriptor)
        try:
            yield
        finally:
            os.set_blocking(descriptor, before)
    else:
        yield


def _block(descriptor: int) -> None:
    if sys.platform != "win32":
        os.set_blocking(descriptor, True)
