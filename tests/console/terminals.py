"""A program in a real terminal: keys go in, and what a person would see can be waited for."""

import asyncio
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pyte

PATIENCE = 20.0
"""Seconds to wait for the screen: it fails a test that would hang, and says what the screen shows instead."""

CLIENT = [sys.executable, "-m", "asyncchat.client"]
ROOT = Path(__file__).parents[2]


class _Screen(pyte.Screen):
    """Counts the bells, and answers when it is asked where its cursor is, as terminals do."""

    def __init__(self, columns: int, rows: int, answer: Callable[[str], None]) -> None:
        super().__init__(columns, rows)
        self.bells = 0
        self._rows: dict[int, str] = {}
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data)

    def bell(self, *args: object) -> None:
        self.bells += 1

    def rows(self) -> list[str]:
        """The lines without trailing blanks. Only those that changed are put together anew: a screen is asked often."""
        for number in self.dirty:
            row = self.buffer[number]
            # A wide character has an empty cell behind it.
            self._rows[number] = "".join(row[column].data for column in range(self.columns)).rstrip()
        self.dirty.clear()
        return [self._rows[number] for number in range(self.lines)]


class Terminal:
    """A terminal with a program in it. ``raw`` is every byte that the program wrote."""

    def __init__(self, process: subprocess.Popen[bytes], master: int, rows: int, columns: int) -> None:
        self.process = process
        self.raw = bytearray()
        self._master = master
        self._screen = _Screen(columns, rows, self._answer)
        self._behind: list[str] | None = None  # answers that wait for the end of what is being pasted
        self._stream = pyte.ByteStream(self._screen)
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(master, self._read)

    @property
    def text(self) -> str:
        """What the screen shows, without trailing blanks."""
        return "\n".join(self._screen.rows()).rstrip()

    @property
    def lines(self) -> list[str]:
        """The lines of the screen, without trailing blanks."""
        return self.text.split("\n")

    @property
    def bells(self) -> int:
        """How often the bell rang."""
        return self._screen.bells

    @property
    def title(self) -> str:
        """The title that the program gave the window."""
        title: str = self._screen.title
        return title

    def is_highlighted(self, text: str) -> bool:
        """Is this text somewhere on the screen in reverse?"""
        for number, line in enumerate(self._screen.display):
            at = line.find(text)
            if at >= 0 and all(self._screen.buffer[number][at + index].reverse for index in range(len(text))):
                return True
        return False

    def press(self, keys: str) -> None:
        """Press keys; ENTER and the like are below."""
        os.write(self._master, keys.encode())

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        self.press(line + ENTER)

    async def paste(self, text: str) -> None:
        """Paste a text: in portions, since the terminal's own buffer is small, but with nothing amid it."""
        self._behind = []
        try:
            await asyncio.to_thread(self._write, f"\x1b[200~{text}\x1b[201~".encode())
        finally:
            answers, self._behind = self._behind, None
            if answers:
                self.press("".join(answers))

    def _write(self, data: bytes) -> None:
        room = select.poll()
        room.register(self._master, select.POLLOUT)
        while data:
            room.poll()
            data = data[os.write(self._master, data[:1000]) :]

    def _answer(self, text: str) -> None:
        if self._behind is None:
            self.press(text)
        else:
            self._behind.append(text)

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size."""
        self._screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something holds for the screen."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"no {what} on the screen:\n{self.text}") from None

    async def shows(self, *texts: str) -> None:
        """Wait until the screen shows all of these."""
        for text in texts:
            await self.until(lambda text=text: text in self.text, repr(text))  # type: ignore[misc]

    async def lacks(self, text: str) -> None:
        """Wait until the screen does not show this any more."""
        await self.until(lambda: text not in self.text, f"end of {text!r}")

    async def shows_line(self, line: str) -> None:
        """Wait until one line of the screen is exactly this."""
        await self.until(lambda: line in self.lines, f"line {line!r}")

    def stop_reading(self) -> None:
        """Let the program write into a terminal that shows nothing."""
        self._loop.remove_reader(self._master)

    def go_on_reading(self) -> None:
        """Show again what the program writes."""
        self._loop.add_reader(self._master, self._read)

    async def ended(self) -> int:
        """Wait until the program has ended; returns its exit status."""
        async with asyncio.timeout(PATIENCE):
            return await asyncio.to_thread(self.process.wait)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: nobody has the terminal open any more
            data = b""
        if not data:
            self._loop.remove_reader(self._master)
        self.raw += data
        self._stream.feed(data)
        self._changed.set()

    def close(self) -> None:
        self._loop.remove_reader(self._master)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)


@asynccontextmanager
async def terminal(
    command: list[str], environment: Mapping[str, str], *, rows: int = 24, columns: int = 100
) -> AsyncIterator[Terminal]:
    """A terminal in which this command runs."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = await asyncio.to_thread(
        subprocess.Popen,
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "TZ": "UTC", **environment},
        cwd=ROOT,
        start_new_session=True,
        preexec_fn=_own_the_terminal,
    )
    os.close(slave)
    os.set_blocking(master, False)
    found = Terminal(process, master, rows, columns)
    try:
        yield found
    finally:
        found.close()


class Desk:
    """Starts clients in terminals, each person with a configuration directory of their own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def client(
        self, address: str, *options: str, home: str = "alice", rows: int = 24, columns: int = 100
    ) -> AbstractAsyncContextManager[Terminal]:
        command = [*CLIENT, address, *options]
        return terminal(command, self.environment(home), rows=rows, columns=columns)

    def shell(self, script: str, home: str = "alice") -> AbstractAsyncContextManager[Terminal]:
        return terminal(["sh", "-c", script], self.environment(home))

    def environment(self, home: str) -> dict[str, str]:
        return {"ASYNCCHAT_CONFIG_DIR": str(self._directory / home)}


def _own_the_terminal() -> None:
    """Make standard input the controlling terminal, so that Ctrl+C and a change of size reach the program."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


ENTER, TAB, ESCAPE, BACKSPACE = "\r", "\t", "\x1b", "\x7f"
CTRL_C, CTRL_D, CTRL_N, CTRL_P, CTRL_R, CTRL_Z = "\x03", "\x04", "\x0e", "\x10", "\x12", "\x1a"
UP, DOWN, SHIFT_LEFT = "\x1b[A", "\x1b[B", "\x1b[1;2D"
