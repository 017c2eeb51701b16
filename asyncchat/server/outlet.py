"""Text that a thread writes, so that nobody waits for whoever should read it.

Writing may block: a pipe that nobody empties, a terminal that is held or has lost its person. The event loop must not
stop with it.
"""

import contextlib
import os
import queue
import select
import sys
import threading
from collections.abc import Callable
from typing import TextIO

WAITING = 10_000
"""Pieces of text (lines of the log) that may wait; what comes on top is left out."""

LAST_SECONDS = 1.0
"""To wait for what is not written yet: who does not read must not keep the server from beginning, or from ending."""


class Outlet:
    """Hands text to *write*, in a thread. `close` ends it."""

    def __init__(self, write: Callable[[str], object], name: str) -> None:
        self._write = write
        self._texts: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, text: str) -> bool:
        """Have a text written; False if too many wait."""
        if self._texts.qsize() >= WAITING:
            return False
        self._texts.put(text)
        return True

    def close(self) -> None:
        """Wait for what is not written yet, `LAST_SECONDS` at most. Idempotent."""
        self._texts.put(None)
        self._thread.join(LAST_SECONDS)

    def _run(self) -> None:
        gathered: list[str] = []
        while True:
            item = self._texts.get()
            if item is not None:
                gathered.append(item)
                if not self._texts.empty():
                    continue  # all that is there goes out in one write: a thousand clients are a few system calls
            if gathered:
                with contextlib.suppress(OSError, ValueError):  # nobody reads any more: a closed pipe or terminal
                    self._write("".join(gathered))
                gathered.clear()
            if item is None:
                return


def to_stream(stream: TextIO | None) -> Callable[[str], object]:
    """Writes to a text stream, however its file is set; to nobody where there is none (standard error, closed)."""
    if stream is None:
        return lambda text: None
    if sys.platform == "win32":

        def write(text: str) -> None:
            stream.write(text)
            stream.flush()

        return write
    descriptor = stream.fileno()

    def write_all(text: str) -> None:
        data = text.encode(stream.encoding or "utf-8", "backslashreplace")
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:  # a terminal that is read without blocking is written so as well: it is one file
                wait = select.poll()
                wait.register(descriptor, select.POLLOUT)
                wait.poll()

    return write_all
