"""A server of our own for the time of a measurement, or what is known of the one that runs already."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from asyncchat.bench.workers import BenchError
from asyncchat.vocabulary.addresses import Address

MEMORY = ":memory:"

START_SECONDS = 30.0
"""For a server to listen."""

STOP_SECONDS = 15.0
"""For a server to end in good order; it flushes for 5 s at most."""

CONNECT_SECONDS = 5.0
"""For the first connection to a server that runs already."""

_LISTENING = re.compile(rb"Listening on (tcp://\S+)")


@dataclass(frozen=True, slots=True)
class Server:
    """What is measured. ``pid`` None: its process is not known. ``what``: in words."""

    address: str
    pid: int | None
    what: str


@contextlib.asynccontextmanager
async def own_server(data: str | None, core: int | None) -> AsyncIterator[Server]:
    """Start a server on this machine, without the limit on messages a second.

    *data*: the directory in which it gets a new one, removed at the end (None: the system's for temporary files), or
    ``:memory:``. Raises `BenchError`.
    """
    folder = None if data == MEMORY else _new_folder(data)
    try:
        async with _process(folder or MEMORY, core) as (address, pid):
            what = "nothing kept (:memory:)" if folder is None else f"durable in {folder}"
            yield Server(address, pid, f"{address}, started for this, {what}")
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _new_folder(parent: str | None) -> str:
    try:
        return tempfile.mkdtemp(prefix="asyncchat-bench-", dir=parent)
    except OSError as error:
        raise BenchError(f"cannot make a directory in {parent}: {error.strerror}") from error


@contextlib.asynccontextmanager
async def _process(data: str, core: int | None) -> AsyncIterator[tuple[str, int]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "asyncchat.server", "--listen", "tcp://127.0.0.1:0", "--data", data),
        *("--limit", "rate=0"),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    if core is not None:
        os.sched_setaffinity(process.pid, {core})  # before it has threads: they inherit it
    assert process.stderr is not None
    reading = None
    try:
        address = await _address(process.stderr)
        reading = asyncio.create_task(_read_away(process.stderr))
        yield address, process.pid
    finally:
        await _stop(process)
        if reading is not None:
            await reading


async def _address(log: asyncio.StreamReader) -> str:
    """Where the server listens, from its log."""
    lines: deque[bytes] = deque(maxlen=3)
    try:
        async with asyncio.timeout(START_SECONDS):
            async for line in log:
                lines.append(line)
                found = _LISTENING.search(line)
                if found is not None:
                    return found[1].decode()
    except TimeoutError:
        raise BenchError(f"the server did not start in {START_SECONDS:.0f} s") from None
    said = b"".join(lines).decode(errors="replace").strip()
    raise BenchError(f"the server did not start: {said}")


async def _read_away(log: asyncio.StreamReader) -> None:
    while await log.read(65536):
        pass


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def reach(address: Address, pid: int | None) -> Server:
    """The server at an address, its name resolved; raises `BenchError` when it cannot be reached."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if address.scheme == "unix":
                _, writer = await asyncio.open_unix_connection(address.path)
                found = str(address)
            else:
                _, writer = await asyncio.open_connection(address.host, address.port)
                host, port = writer.get_extra_info("peername")[:2]
                found = str(Address("tcp", host=host, port=port))
    except TimeoutError:
        raise BenchError(f"cannot connect to {address}: no answer in {CONNECT_SECONDS:.0f} s") from None
    except OSError as error:
        raise BenchError(f"cannot connect to {address}: {_reason(error)}") from error
    writer.transport.abort()  # it has said nothing, and will not
    return Server(found, pid, str(address))


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or str(error)
    return os.strerror(error.errno)
