"""The terminal, taken for a while and given back as it was, and its key presses as prompt_toolkit wants them."""

import asyncio
import codecs
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator

from prompt_toolkit.application.run_in_terminal import run_in_terminal
from prompt_toolkit.input import Input
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.patch_stdout import StdoutProxy

from asyncchat.console.stdio import STDIN, Reader, standard_input

KEY_BYTES = 4096
"""One read of key presses: more than anybody types, less than a paste."""

BUNDLE_SECONDS = 0.03
"""What arrives within that time is shown at once: to redraw the line for each message would cost more than they do."""


class KeyInput(Input):
    """An input to which bytes of a terminal are fed; they may come in any portions.

    It does what prompt_toolkit's own pipe input does, without the pipe: that is full after 64 KiB, so that pasting
    a long text would block the event loop for good.
    """

    def __init__(self) -> None:
        self._keys: list[KeyPress] = []
        self._parser = Vt100Parser(self._pressed)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._ready: Callable[[], None] | None = None
        self._closed = False

    def feed(self, data: bytes) -> None:
        """The terminal sent these bytes."""
        self._parser.feed(self._decode(data))
        self._notify()

    def _pressed(self, press: KeyPress) -> None:
        """Keep a key. No mouse is asked for, and what looks like one is a colour in a text that was pasted as keys."""
        if press.key is not Keys.Vt100MouseEvent:  # prompt_toolkit raises at one that it cannot read
            self._keys.append(press)

    def close(self) -> None:
        """The terminal will send no more."""
        self._closed = True
        self._notify()

    def _notify(self) -> None:
        if self._ready is not None and (self._keys or self._closed):
            self._ready()

    # --- what prompt_toolkit calls ----------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """No more keys will come."""
        return self._closed

    def read_keys(self) -> list[KeyPress]:
        """The keys that were pressed since the last call."""
        keys = self._keys[:]
        self._keys.clear()
        return keys

    def flush_keys(self) -> list[KeyPress]:
        """Nothing came for a while: what could have been the start of a sequence (Escape) is a key of its own."""
        self._parser.flush()
        return self.read_keys()

    def attach(self, input_ready_callback: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
        """Call this whenever keys are there, while the context lasts."""
        return self._calling(input_ready_callback)

    def detach(self) -> contextlib.AbstractContextManager[None]:
        """Call nobody while the context lasts; keys that come meanwhile are kept."""
        return self._calling(None)

    @contextlib.contextmanager
    def _calling(self, ready: Callable[[], None] | None) -> Iterator[None]:
        before, self._ready = self._ready, ready
        self._notify_soon()
        try:
            yield
        finally:
            self._ready = before
            self._notify_soon()

    def _notify_soon(self) -> None:
        if self._ready is not None and (self._keys or self._closed):
            asyncio.get_running_loop().call_soon(self._notify)

    def raw_mode(self) -> contextlib.AbstractContextManager[None]:
        """Nothing: whoever reads the terminal sets its mode."""
        return contextlib.nullcontext()

    def cooked_mode(self) -> contextlib.AbstractContextManager[None]:
        """Nothing, as above."""
        return contextlib.nullcontext()

    def fileno(self) -> int:
        """There is no file."""
        raise NotImplementedError

    def typeahead_hash(self) -> str:
        """Tells inputs apart for the keys that one prompt leaves to the next."""
        return f"keys-{id(self)}"


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


def suspending() -> KeyBindings:
    """Ctrl+Z, wherever something is typed: give the terminal back and stop, until the shell lets us go on."""
    bindings = KeyBindings()

    @bindings.add("c-z")
    def _(event: KeyPressEvent) -> None:
        run_in_terminal(_stop)

    return bindings


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
