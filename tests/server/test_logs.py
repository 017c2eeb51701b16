"""The log of the server program when nobody reads it."""

import logging
import queue
import re
import threading

import pytest

from asyncchat.server import logs
from asyncchat.server.logs import LineWriter


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("asyncchat.server", logging.INFO, __file__, 0, text, (), None)


def test_lines_that_were_left_out_are_told_in_a_line_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "WAITING", 1)
    writing, held = queue.SimpleQueue[str](), threading.Event()

    def write(text: str) -> None:
        writing.put(text)
        held.wait(20)

    monkeypatch.setattr(logs, "to_stream", lambda _: write)
    writer = LineWriter()
    writer.emit(record("first"))
    assert "first" in writing.get(timeout=20)
    for text in ("waits", "is left out", "is left out too"):
        writer.emit(record(text))
    held.set()
    assert writing.get(timeout=20).endswith("waits\n")
    writer.emit(record("last"))
    told, last = writing.get(timeout=20).splitlines()
    writer.close()
    assert re.fullmatch(r"\d{4}-.* WARNING  server     Left out 2 lines here: nobody read them", told)
    assert last.endswith("INFO     server     last")
