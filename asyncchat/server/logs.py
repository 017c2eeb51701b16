"""The log of the server program: its format, and where it goes."""

import contextlib
import logging
import os
import queue
import select
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

from asyncchat.vocabulary.printable import printable

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


FORMAT = "%(asctime)s %(levelname)-8s %(name)-10s %(message)s"

PACKAGE = "asyncchat."


class LineFormatter(logging.Formatter):
    """``2026-01-02 03:04:05,678 INFO     server     Listening on tcp://127.0.0.1:7777``."""

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """One line, in which nothing drives a terminal; without the name of the package."""
        short = logging.makeLogRecord(record.__dict__)
        short.name = record.name.removeprefix(PACKAGE)
        short.message = printable(record.message)
        return super().formatMessage(short)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - as above
        """A traceback, whose texts may be somebody's."""
        return printable(super().formatException(ei), multiline=True)


class LineWriter(logging.Handler):
    """Writes lines to standard error."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(LineFormatter())
        self._outlet = Outlet(to_stream(sys.stderr), "asyncchat log")
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; it is left out when too many wait."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - as every handler of logging: a bad log call must not stop the program
            self.handleError(record)
            return
        if self._left_out:
            line = f"{self.format(_left_out(self._left_out))}\n{line}"
        self._left_out = 0 if self._outlet.put(line + "\n") else self._left_out + 1

    def close(self) -> None:
        """Write what waits, for a moment at most. Idempotent."""
        self._outlet.close()
        super().close()


def _left_out(count: int) -> logging.LogRecord:
    return logging.LogRecord(
        f"{PACKAGE}server", logging.WARNING, __file__, 0, "Left out %d lines here: nobody read them", (count,), None
    )


def start(level: str) -> LineWriter:
    """Log from this level on, to standard error. `LineWriter.close` ends it."""
    writer = LineWriter()
    logging.basicConfig(level=level, handlers=[writer], force=True)
    return writer
