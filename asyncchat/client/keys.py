"""Key presses from bytes: prompt_toolkit's input, fed by whoever reads the terminal.

It does what prompt_toolkit's own pipe input does, without the pipe: that is full after 64 KiB, so that pasting
a long text would block the event loop for good.
"""

import asyncio
import codecs
import contextlib
from collections.abc import Callable, Iterator

from prompt_toolkit.input import Input
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys


class KeyInput(Input):
    """An input to which bytes of a terminal are fed; they may come in any portions."""

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
