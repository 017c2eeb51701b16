"""The terminal, taken for a while and given back as it was."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator

from prompt_toolkit.application.run_in_terminal import run_in_terminal
from prompt_toolkit.patch_stdout import StdoutProxy

from asyncchat.client.keys import KeyInput
from asyncchat.client.standard import STDIN, Reader, standard_input

KEY_BYTES = 4096
"""One read of key presses: more than anybody types, less than a paste."""

BUNDLE_SECONDS = 0.03
"""What arrives within that time is shown at once: to redraw the line for each message would cost more than they do."""


@contextlib.asynccontextmanager
async def open_terminal() -> AsyncIterator[KeyInput | None]:
    """Take the terminal: raw mode, keys through aioconsole, and `sys.stdout` above the line that is edited.

    Gives the keys, or None where prompt_toolkit has to read them itself (Windows). However the context ends, the
    terminal is given back in the mode in which it was. When a key's handler fails the keys are closed, and the context
    raises at its end what it failed with.
    """
    async with _keys() as keys:
        with shown_above():
            yield keys


@contextlib.contextmanager
def shown_above() -> Iterator[None]:
    """What is printed appears above the line that is being edited, and leaves that as it is."""
    with StdoutProxy(sleep_between_writes=BUNDLE_SECONDS, raw=True) as proxy:
        before = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = proxy
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


def suspend() -> None:
    """Ctrl+Z: give the terminal back and stop, until the shell lets us go on."""
    run_in_terminal(_stop)


if sys.platform == "win32":

    @contextlib.asynccontextmanager
    async def _keys() -> AsyncIterator[KeyInput | None]:
        yield None

    def _stop() -> None:
        pass

else:
    from prompt_toolkit.input.vt100 import cooked_mode, raw_mode

    @contextlib.asynccontextmanager
    async def _keys() -> AsyncIterator[KeyInput | None]:
        async with standard_input() as reader:
            keys = KeyInput()
            with _in_mode(raw_mode(STDIN)):
                pump = asyncio.create_task(_pump(reader, keys), name="asyncchat keys")
                try:
                    yield keys
                finally:
                    pump.cancel()
                    await asyncio.wait([pump])
                if not pump.cancelled():
                    pump.result()

    async def _pump(reader: Reader, keys: KeyInput) -> None:
        try:
            while data := await _read(reader):
                keys.feed(data)
        finally:
            keys.close()

    async def _read(reader: Reader) -> bytes:
        try:
            return await reader.read(KEY_BYTES)
        except OSError:  # the terminal is gone
            return b""

    @contextlib.contextmanager
    def _in_mode(mode: raw_mode) -> Iterator[None]:
        with mode:
            yield

    def _stop() -> None:
        os.set_blocking(STDIN, True)
        with _in_mode(cooked_mode(STDIN)):
            os.kill(0, signal.SIGTSTP)  # the whole job, as the terminal itself would do it
        os.set_blocking(STDIN, False)
