"""A server process for the length of a benchmark, and what a process takes of the machine."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MEMORY = ":memory:"
STOP_SECONDS = 15.0  # for a server to end in good order, for which it may flush for 5 s

_LISTENING = re.compile(rb"Listening on (\S+)")


class LoadError(Exception):
    """Nothing can be measured; the text says why."""


class Server(NamedTuple):
    address: str
    pid: int | None  # None: its process is not known


@contextlib.contextmanager
def chat_server(data: str | None = None, core: int | None = None) -> Iterator[Server]:
    """An asyncchat server without the limits that one machine would meet; it stays on the core, if one is given.

    *data*: the directory for its temporary directory (None: the system's), or ``:memory:``. Raises LoadError, OSError.
    """
    program = ("-m", "asyncchat.server", "--listen", "tcp://127.0.0.1:0")
    limits = ("--limit", "rate=0", "--limit", "rooms_per_address=0")
    temporary = tempfile.TemporaryDirectory(prefix="asyncchat-", dir=None if data == MEMORY else data)
    with temporary as folder, process(core, *program, *limits, "--data", data if data == MEMORY else folder) as server:
        yield server


@contextlib.contextmanager
def process(core: int | None, *arguments: str) -> Iterator[Server]:
    """A Python program that logs where it listens; it ends with the block. Raises `LoadError`."""
    with subprocess.Popen([sys.executable, *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as server:
        assert server.stderr is not None
        if core is not None:
            os.sched_setaffinity(server.pid, {core})  # before it has threads, which inherit it
        lines: deque[bytes] = deque(maxlen=3)
        drain = threading.Thread(target=lines.extend, args=[server.stderr])
        try:
            for line in server.stderr:
                lines.append(line)
                if found := _LISTENING.search(line):
                    break
            else:
                raise LoadError(f"the server did not start: {b''.join(lines).decode(errors='replace').strip()}")
            drain.start()
            yield Server(found[1].decode(), server.pid)
        finally:
            server.terminate()
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
            if drain.ident is not None:
                drain.join()


def cpu_time(pid: int | None) -> int | None:
    """The CPU time of a process with all its threads, in nanoseconds; None where the system does not tell it."""
    if pid is not None and sys.platform == "linux":
        with contextlib.suppress(OSError, OverflowError):
            # The CPU-time clock of the process, as clock_getcpuclockid(3) makes it; /proc has a resolution of 10 ms.
            return time.clock_gettime_ns(~pid << 3 | 2)
    return None


def memory(pid: int | None) -> int | None:
    """The resident memory of a process, in KiB; None where the system does not tell it."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmRSS:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii", "replace"))
        return int(found[1]) if found else None
    return None
