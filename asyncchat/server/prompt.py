"""The line at the bottom of the terminal in which an operator types, with the log above it."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from asyncchat.server.console import Console, Host
from asyncchat.server.logs import LineWriter
from asyncchat.server.outlet import LAST_SECONDS, Outlet, to_stream

logger = logging.getLogger("asyncchat.server")

PROMPT = "> "

Terminal = Callable[[], contextlib.AbstractAsyncContextManager[Input | None]]
"""Takes the terminal and gives its keys (None: prompt_toolkit reads them itself), with `sys.stdout` above the line."""


@contextlib.asynccontextmanager
async def operated(host: Host, terminal: Terminal, screen: TextIO, log: LineWriter) -> AsyncIterator[None]:
    """While the block runs, somebody may type commands; the log appears above the line, and leaves it as it is.

    ``screen``: the terminal to write to. A terminal that does not take what is written to it stops nothing.
    """
    with _threaded(screen):
        async with terminal() as keys:
            shown = sys.__stderr__ is not None and sys.__stderr__.isatty()
            if shown:  # the first lines and the last ones too belong above the prompt, not behind it
                await asyncio.to_thread(log.divert(sys.stderr.write).wait, LAST_SECONDS)
            prompt = _Prompt(host, keys)
            typing = asyncio.create_task(prompt.run(), name="asyncchat console")
            try:
                yield
            finally:
                if shown:
                    log.divert(None).wait(LAST_SECONDS)
                prompt.leave()
                await typing


class _Prompt:
    """Edits one line after the other until `leave`, and has them done in that order."""

    def __init__(self, host: Host, keys: Input | None) -> None:
        self._host = host
        self._console = Console(host, _show)
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._session: PromptSession[None] = PromptSession(
            PROMPT,
            input=keys,
            history=InMemoryHistory(),
            completer=_Words(self._console.words),
            complete_while_typing=False,
            key_bindings=self._bindings(),
            erase_when_done=True,
        )
        self._session.default_buffer.accept_handler = self._accept

    async def run(self) -> None:
        """Take lines until `leave`; when the terminal is gone, so is whoever wanted the server."""
        doing = asyncio.create_task(self._do_lines(), name="asyncchat console commands")
        try:
            # Signals and errors are the program's, not the prompt's.
            await self._session.prompt_async(handle_sigint=False, set_exception_handler=False)
        except EOFError:
            self._host.stop()
        except Exception:
            # The root of the task: without a console the server is still a server.
            logger.exception("the console has ended")
        finally:
            doing.cancel()
            await asyncio.wait([doing])
            await self._console.aclose()

    def leave(self) -> None:
        """End `run`."""
        app = self._session.app
        if app.is_running and not app.is_done:
            app.exit()

    def _accept(self, buffer: Buffer) -> bool:
        _show(f"{PROMPT}{buffer.text}")
        self._lines.put_nowait(buffer.text)
        return False  # the line is kept in the history, and a new one begins

    async def _do_lines(self) -> None:
        while True:
            line = await self._lines.get()
            try:
                await self._console.run(line)
            except Exception:
                # The root of a command, which nobody awaits: a fault of ours must not end the console.
                logger.exception("a fault in the console")

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()

        @bindings.add("c-c")
        def _(event: KeyPressEvent) -> None:
            if event.current_buffer.text:
                event.current_buffer.reset()
            else:
                self._host.stop()

        @bindings.add("c-d")
        def _(event: KeyPressEvent) -> None:
            if event.current_buffer.text:
                event.current_buffer.delete()
            else:
                _show("shutdown or Ctrl+C ends the server")

        return bindings


class _Words(Completer):
    """Completes the word before the cursor."""

    def __init__(self, words: Callable[[], Iterable[str]]) -> None:
        self._words = words

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        """The words that begin so."""
        begun = document.get_word_before_cursor(WORD=True)
        for word in self._words():
            if word.lower().startswith(begun.lower()):
                yield Completion(word, -len(begun))


def _show(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def _threaded(screen: TextIO) -> Iterator[None]:
    """Have prompt_toolkit, which writes to `sys.stdout`, write by a thread; on Windows it does not write to a file."""
    if sys.platform == "win32":
        yield
        return
    outlet = Outlet(to_stream(screen), "asyncchat screen")
    file: Any = _File(outlet, screen)
    try:
        with contextlib.redirect_stdout(file):
            yield
    finally:
        outlet.close()


class _File:
    """What prompt_toolkit takes for a terminal."""

    def __init__(self, outlet: Outlet, screen: TextIO) -> None:
        self._outlet = outlet
        self.encoding = screen.encoding
        self.isatty = screen.isatty
        self.fileno = screen.fileno

    def write(self, text: str) -> int:
        """Have a text written."""
        self._outlet.put(text)
        return len(text)

    def flush(self) -> None:
        """It is written as soon as it can be."""
