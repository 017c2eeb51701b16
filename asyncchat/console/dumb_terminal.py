"""A terminal that shows lines and can do nothing else (``TERM=dumb``), as a shell within an editor is one.

It edits the line itself. What arrives cannot be put above a line that is being typed, and nothing is shown around it:
no prompt, no toolbar, no colours.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator

from prompt_toolkit.utils import is_dumb_terminal

from asyncchat.console.stdio import STDIN, Reader, standard_input

if sys.platform != "win32":
    import termios


def is_dumb() -> bool:
    """Is this terminal such a one? Never on Windows, where TERM says nothing."""
    return sys.platform != "win32" and is_dumb_terminal()


class DumbTerminal:
    """Asks, and gives the lines that are typed. Made by `open_dumb_terminal`."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def line(self) -> str | None:
        """The next line, without its end; None if there will be none."""
        data = await self._reader.readline()
        return data.decode("utf-8", "replace").rstrip("\r\n") if data else None

    async def ask(self, prompt: str, *, secret: bool) -> str:
        """The answer to a question, which the terminal does not show if it is *secret*; raises EOFError without one."""
        with _unseen() if secret else contextlib.nullcontext():
            _write(prompt)
            answer = await self.line()
        if secret:
            _write("\n")
        if answer is None:
            raise EOFError
        return answer


@contextlib.asynccontextmanager
async def open_dumb_terminal() -> AsyncIterator[DumbTerminal]:
    """Take the terminal, and leave it in its mode."""
    async with standard_input() as reader:
        os.set_blocking(STDIN, True)  # it is one open file for all three streams, and what we print must not be cut
        yield DumbTerminal(reader)


class LineReader:
    """Reads one line after the other until `leave`, as a `LineEditor` does.

    *on_line* gets each, if *writes*. *here* is the place to which they go: it is told when it is another one.
    """

    def __init__(
        self, terminal: DumbTerminal, *, here: Callable[[], str], on_line: Callable[[str], bool], writes: bool
    ) -> None:
        self._terminal = terminal
        self._here = here
        self._told = ""
        self._on_line = on_line
        self._writes = writes
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Read until `leave`, or until the person or the terminal ends the input."""
        self.refresh()
        reading = asyncio.create_task(self._read(), name="asyncchat lines")
        reading.add_done_callback(lambda _: self.leave())
        try:
            await self._over.wait()
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    @property
    def is_empty(self) -> bool:
        """Is nothing typed? Who knows: this terminal keeps it to itself until Enter."""
        return False

    def refresh(self) -> None:
        """Something has changed."""
        here = self._here()
        if self._writes and here != self._told:
            self._told = here
            _write(f"-- you write to {here}\n" if here else "-- you are in no room\n")

    def leave(self) -> None:
        """End `run`."""
        self._over.set()

    async def _read(self) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            while (line := await self._terminal.line()) is not None:
                if self._writes:
                    self._on_line(line)


@contextlib.contextmanager
def _unseen() -> Iterator[None]:
    """The terminal does not show what is typed."""
    if sys.platform == "win32":
        yield
        return
    before = termios.tcgetattr(STDIN)
    silent = before.copy()
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(STDIN, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(STDIN, termios.TCSADRAIN, before)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
