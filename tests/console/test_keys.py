"""Key presses from bytes, in any portions."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prompt_toolkit.keys import Keys

from asyncchat.console import terminal
from asyncchat.console.terminal import KeyInput

TYPED = "aü你\r\x1b[A\x1b1\x03".encode()
PRESSED = ["a", "ü", "你", Keys.ControlM, Keys.Up, Keys.Escape, "1", Keys.ControlC]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_bytes_become_keys(size: int) -> None:
    keys = KeyInput()
    pressed = []
    for start in range(0, len(TYPED), size):
        keys.feed(TYPED[start : start + size])
        pressed += keys.read_keys()
    assert [press.key for press in pressed] == PRESSED
    assert keys.read_keys() == []


def test_an_escape_alone_is_a_key_after_a_while() -> None:
    keys = KeyInput()
    keys.feed(b"\x1b")
    assert keys.read_keys() == []
    assert [press.key for press in keys.flush_keys()] == [Keys.Escape]


def test_a_large_paste_is_one_key() -> None:
    keys = KeyInput()
    text = "line\n" * 100_000
    keys.feed(f"\x1b[200~{text}\x1b[201~".encode())
    (press,) = keys.read_keys()
    assert (press.key, press.data) == (Keys.BracketedPaste, text)


def test_a_colour_in_a_paste_without_brackets_is_passed_over() -> None:
    keys = KeyInput()
    keys.feed(b"\x1b[31mred\x1b[0m")
    assert [press.key for press in keys.read_keys()] == ["r", "e", "d"]


async def test_whoever_is_attached_is_called_and_nothing_is_lost_while_nobody_is() -> None:
    keys = KeyInput()
    read: list[str] = []

    def ready() -> None:
        read.extend(press.data for press in keys.read_keys())

    keys.feed(b"a")
    with keys.attach(ready):
        await asyncio.sleep(0)
        assert read == ["a"]
        keys.feed(b"b")
        assert read == ["a", "b"]
        with keys.detach():
            keys.feed(b"c")
            assert read == ["a", "b"]
        await asyncio.sleep(0)
        assert read == ["a", "b", "c"]
        assert not keys.closed
        keys.close()
        assert keys.closed


@pytest.mark.skipif(os.name != "posix", reason="elsewhere prompt_toolkit reads the keys")
async def test_a_key_whose_handler_fails_is_not_taken_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def one_key() -> AsyncIterator[asyncio.StreamReader]:
        reader = asyncio.StreamReader()
        reader.feed_data(b"a")
        yield reader

    monkeypatch.setattr(terminal, "standard_input", one_key)
    with pytest.raises(LookupError, match="no such key"):
        await _press_in_vain()


async def _press_in_vain() -> None:
    ended = asyncio.Event()
    async with terminal.open_terminal() as keys:
        assert keys is not None

        def ready() -> None:
            if keys.closed:
                ended.set()
            else:
                raise LookupError("no such key")

        with keys.attach(ready):
            await ended.wait()
