"""The log of the server program: its format, and a thread that writes it.

Writing may block: a terminal that is held with Ctrl+S, a pipe that nobody empties. The thread waits then, and not the
event loop; what finds no room is counted and left out.
"""

import logging
import queue
import sys
import threading
from typing import TextIO

from asyncchat.vocabulary.printable import printable

LINES_WAITING = 10_000
"""Lines that may wait to be written: some megabytes. What comes on top is left out."""

LAST_SECONDS = 1.0
"""At the end, for what is not written yet: who does not read the log must not keep the server from ending."""

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


class LineWriter(logging.Handler):
    """Hands lines to a thread, which writes them to ``stream`` (sys.stderr at the time, if None)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self.setFormatter(LineFormatter())
        self.stream = stream
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._left_out = 0
        self._thread = threading.Thread(target=self._write_all, name="asyncchat log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line, or leave it out when too many wait."""
        if self._lines.qsize() >= LINES_WAITING:
            self._left_out += 1
            return
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - as every handler of logging: a bad log call must not stop the program
            self.handleError(record)
            return
        if self._left_out:
            line = f"({self._left_out} lines were left out)\n{line}"
            self._left_out = 0
        self._lines.put(line)

    def close(self) -> None:
        """Write what waits, for `LAST_SECONDS` at most. Idempotent."""
        self._lines.put(None)
        self._thread.join(LAST_SECONDS)
        super().close()

    def _write_all(self) -> None:
        line = self._lines.get()
        while line is not None:
            # All that is there goes out in one write: a thousand clients that come at once are a few system calls.
            text = ""
            while line is not None:
                text += line + "\n"
                if self._lines.empty():
                    break
                line = self._lines.get()
            self._write(text)
            if line is not None:
                line = self._lines.get()

    def _write(self, text: str) -> None:
        stream = self.stream or sys.stderr
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):
            # Nobody reads the log any more (a closed pipe, a closed terminal): the chat goes on.
            pass


def start(level: str) -> LineWriter:
    """Log from this level on, to standard error. `LineWriter.close` ends it."""
    writer = LineWriter()
    logging.basicConfig(level=level, handlers=[writer], force=True)
    return writer
