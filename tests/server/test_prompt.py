"""The terminal in which an operator types where the server runs: the line, the log above it, keys, signals, the end."""

import asyncio
import fcntl
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import termios
from collections.abc import AsyncIterator

import pytest

from asyncchat import commands, events
from tests.console.terminals import CTRL_C, CTRL_D, TAB, UP, Terminal, terminal
from tests.server.peers import Native
from tests.server.process import PROGRAM, ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="terminals are POSIX's")

COMMAND = [*PROGRAM, "--data", ":memory:", "--listen", "tcp://127.0.0.1:0"]


@pytest.fixture
async def screen() -> AsyncIterator[Terminal]:
    async with terminal(COMMAND, {}) as screen:
        await prompt_of(screen)
        yield screen


async def prompt_of(screen: Terminal) -> None:
    """Wait until the server runs and a line can be typed."""
    await screen.until(lambda: "Listening on" in screen.text and screen.lines[-1] == ">", "prompt")


SLOW_LOG = """
import sys, time
from asyncchat.server import logs
from asyncchat.server.__main__ import main

def slow(stream, of=logs.to_stream):
    write = of(stream)
    return lambda text: (time.sleep(0.5), write(text))

logs.to_stream = slow
sys.exit(main())
"""
"""The server, with a thread for the log that does not get its turn soon, as on a machine that has much to do."""


async def test_lines_of_the_start_stand_above_the_prompt_however_late_they_come() -> None:
    async with terminal([sys.executable, "-c", SLOW_LOG, *COMMAND[len(PROGRAM) :]], {}) as screen:
        await prompt_of(screen)
        assert not any(">" in line for line in screen.lines[:-1])


def address(screen: Terminal) -> str:
    found = re.search(r"Listening on (\S+)", screen.text)
    assert found
    return found[1]


async def test_the_log_leaves_the_line_that_is_typed_whole(screen: Terminal) -> None:
    screen.press("say hello to")
    await screen.shows_line("> say hello to")
    for number in range(5):
        async with await Native.open(address(screen), f"guest{number}"):
            await screen.shows(f"guest{number} logged in")
            await screen.until(lambda: screen.lines[-1] == "> say hello to", "whole line")
    async with await Native.open(address(screen), "alice") as alice:
        screen.type(" everyone")
        assert (await alice.event(events.Notice)).text == "hello to everyone"
    screen.type("shutdown")
    assert await screen.ended() == 0
    whole = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO     server     \S")
    assert [line for line in screen.lines if " server " in line and not whole.match(line)] == []
    assert screen.lines[-1].endswith("Stopped")


async def test_keys_that_one_expects(screen: Terminal) -> None:
    screen.type("stats")
    await screen.shows("* listening on")
    screen.press(UP)
    await screen.until(lambda: screen.lines[-1] == "> stats", "line before")
    screen.press(CTRL_C)  # clears the line
    await screen.until(lambda: screen.lines[-1] == ">", "empty line")
    screen.press("sta" + TAB)
    await screen.until(lambda: screen.lines[-1] == "> stats", "whole word")
    screen.press(CTRL_C + CTRL_D)
    await screen.shows("shutdown or Ctrl+C ends the server")
    screen.press(CTRL_C)
    assert await screen.ended() == 0


async def test_signals_end_it_as_without_a_terminal(screen: Terminal) -> None:
    async with await Native.open(address(screen), "alice") as alice:
        screen.process.send_signal(signal.SIGTERM)
        await alice.event(events.Bye)
        await alice.end()
    assert await screen.ended() == 0
    await screen.shows("Stopped")


async def test_everyone_sees_the_end_come(screen: Terminal) -> None:
    async with await Native.open(address(screen), "alice") as alice:
        screen.type("shutdown 1")
        assert (await alice.event(events.Notice)).text == "the server shuts down in 1 second"
        await alice.event(events.Bye)
        await alice.end()
    assert await screen.ended() == 0


def test_the_server_ends_with_its_terminal() -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        COMMAND, stdin=slave, stdout=slave, stderr=subprocess.PIPE, cwd=ROOT, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - as tests.console.terminals does
    )  # fmt: skip
    os.close(slave)
    with process:
        while b">" not in os.read(master, 4096):
            pass
        os.close(master)
        assert process.stderr is not None
        rest = process.stderr.read().decode()
    assert process.returncode == 0, rest
    assert rest.endswith("Stopped\n")


async def test_a_terminal_that_takes_nothing_stops_nothing() -> None:
    master, slave = pty.openpty()
    command = [*COMMAND, "--limit", "rate=0"]
    process = await asyncio.to_thread(subprocess.Popen, command, stdin=slave, stdout=slave, stderr=slave, cwd=ROOT)
    os.close(slave)
    text = ""
    while (found := re.search(r"Listening on (\S+)\r\n", text)) is None:
        text += os.read(master, 4096).decode()
    async with await Native.open(found[1], "alice") as alice:
        for _ in range(20):  # 4,000 lines of the log; the terminal holds some kilobytes
            alice.raw.send(b"{}\n" * 200)
            await alice.ask(commands.Ping())
        process.terminate()
        await alice.event(events.Bye)
        await alice.end()
    assert await asyncio.to_thread(process.wait, 20) == 0
    os.close(master)


@pytest.mark.parametrize("kind", ["dumb", "unknown"])
async def test_a_terminal_that_cannot_edit_a_line_has_no_console(kind: str) -> None:
    async with terminal(COMMAND, {"TERM": kind}) as screen:
        await screen.shows("Listening on")
        async with await Native.open(address(screen), "alice") as alice:
            screen.press(CTRL_C)
            await alice.event(events.Bye)
            await alice.end()
        assert await screen.ended() == 0
        await screen.shows("Stopped")
        assert "Traceback" not in screen.text


async def test_in_the_background_no_terminal_is_taken() -> None:
    """As a job of the shell: whoever reads from the terminal there is stopped by the system."""
    script = f"set -m; {shlex.join(COMMAND)} & echo job=$!; wait"
    async with terminal(["bash", "-c", script], {}) as screen:
        await screen.shows("Listening on")
        async with await Native.open(address(screen), "alice"):
            await screen.shows("alice logged in")
        assert "\n>" not in screen.text
        job = re.search(r"job=(\d+)", screen.text)
        assert job
        os.kill(int(job[1]), signal.SIGTERM)
        await screen.shows("Stopped")
