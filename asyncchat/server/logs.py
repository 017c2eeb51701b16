"""The log of the server program: its format, and where it goes."""

import logging
import sys
from typing import Any

from asyncchat.server.outlet import Outlet, to_stream
from asyncchat.vocabulary.printable import printable

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
