"""A server as a process of its own, as far as it can be seen from within one."""

import contextlib
import gc
import sys
from pathlib import Path

import pytest

from asyncchat.server import running
from asyncchat.server.config import configure
from asyncchat.server.running import Running


class NoTerminal(contextlib.AbstractAsyncContextManager[None]):
    async def __aenter__(self) -> None:
        raise OSError("the terminal is gone")

    async def __aexit__(self, *_: object) -> None:
        pytest.fail("it was never entered")


async def test_a_server_whose_terminal_cannot_be_had_is_closed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "handle_signals", lambda _: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(sys, "setswitchinterval", lambda _: None)
    config = configure({"listen": ["tcp://127.0.0.1:0"]}, {}, folder=tmp_path, data=tmp_path, read=Path.read_text)
    server = Running(config, lambda: config)
    server.attended = NoTerminal
    with pytest.raises(OSError, match="terminal"):
        await server.run()
    assert not server.server.addresses
