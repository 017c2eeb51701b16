"""People with the telnet program, and with terminals that send every key."""

import asyncio
import os
import socket
from collections.abc import Iterable
from typing import Any

import pytest

from asyncchat import ChatServer
from asyncchat.vocabulary import commands, events
from asyncchat.wire import sniff
from asyncchat.wire.dialect import Problem, Request
from asyncchat.wire.plain import PlainDialect
from asyncchat.wire.plain_login import VISIBLE, VISIBLE_IN_TELNET
from tests.console.terminals import BACKSPACE, CTRL_C, CTRL_D, terminal
from tests.server.peers import Native, Raw, limited, serving, where
from tests.tools import requires_tool

IAC = b"\xff"
INTERRUPT, SYNCH, ARE_YOU_THERE = b"\xff\xf4", b"\xff\xf2", b"\xff\xf6"
DO_TIMING_MARK, WILL_TIMING_MARK = b"\xff\xfd\x06", b"\xff\xfb\x06"
WILL_ECHO, WONT_ECHO, DO_ECHO = b"\xff\xfb\x01", b"\xff\xfc\x01", b"\xff\xfd\x01"

PASSWORD = "a long password"

in_a_terminal = pytest.mark.skipif(os.name != "posix", reason="terminals are POSIX's")


@in_a_terminal
@requires_tool("telnet")
async def test_after_ctrl_c_the_telnet_program_shows_what_is_said(server: ChatServer) -> None:
    async with await Native.open(server, "bob") as bob, terminal(_to(server, "telnet"), {}) as telnet:
        await telnet.shows("What is your name?")
        telnet.type("alice")
        await telnet.shows("exit leaves")
        telnet.press("half a li")
        telnet.press(CTRL_C)
        await telnet.until(lambda: telnet.text.count("exit leaves") == 2, "second hint")
        telnet.type("talk on")
        said = await bob.event(events.Said)
        assert said.text == "talk on"
        await bob.say("I hear you")
        await telnet.shows("bob: I hear you")
        telnet.press(CTRL_D)
        await bob.event(events.Left, name="alice")
        await telnet.shows("goodbye")
        await telnet.ended()


@in_a_terminal
@requires_tool("telnet")
async def test_the_telnet_program_hides_a_password_once_it_is_known(server: ChatServer) -> None:
    await _register(server)
    async with terminal(_to(server, "telnet"), {}) as telnet:
        await telnet.shows("What is your name?")
        telnet.type("alice")
        await telnet.shows(VISIBLE_IN_TELNET, "Password?")
        telnet.press(CTRL_C)
        await telnet.until(lambda: telnet.text.count("Password?") == 2, "second question")
        telnet.press(f"{PASSWORD}x{BACKSPACE}")
        telnet.type("")
        await telnet.shows("* you are alice", "exit leaves")
        assert "long" not in telnet.text
        telnet.type("and this is shown")
        await telnet.shows("and this is shown")


@in_a_terminal
@requires_tool("nc")
async def test_whoever_sends_every_key_corrects_typos(server: ChatServer) -> None:
    command = ["sh", "-c", 'stty raw -echo && exec nc "$1" "$2"', "sh", *_to(server, "")[1:]]
    async with await Native.open(server, "bob") as bob, terminal(command, {}) as keys:
        await keys.shows("What is your name?")
        keys.press(f"ax{BACKSPACE}lice\r")
        await keys.shows_line("* /help lists the commands, exit leaves")
        keys.press(f"wrong\x15grüß\b\büße wrong\x17wörld{BACKSPACE * 4}elt\r")
        said = await bob.event(events.Said)
        assert said.text == "grüße welt"


async def test_a_telnet_client_is_told_to_hide_a_password(server: ChatServer) -> None:
    await _register(server)
    async with await Raw.open(server) as raw:
        raw.send(IAC + b"\xf1")
        assert await raw.line() == "Your name?"
        raw.send("alice\r\n")
        await _until(raw, WILL_ECHO)
        raw.send(DO_ECHO + PASSWORD.encode() + b"\r\n")
        await _until(raw, b"\r\n" + WONT_ECHO + b"* you are alice")


async def test_with_nc_no_telnet_command_is_seen(server: ChatServer) -> None:
    await _register(server)
    async with await Raw.open(server) as raw:
        raw.send("alice\n")
        assert [await raw.line() for _ in range(3)][1:] == [VISIBLE, "Password? (or Enter, to take another name)"]
        raw.send(f"{PASSWORD}\nexit\n")
        shown = await raw.rest()
        assert b"* you are alice" in shown
        assert IAC not in shown


async def test_urgent_data_stays_in_its_place(server: ChatServer) -> None:
    """The telnet program sends the second byte of IAC DM so, and the first one must not be taken for an escape."""
    address = where(server)
    with socket.create_connection((address.host, address.port)) as sock:
        sock.setblocking(False)
        raw = Raw(*await asyncio.open_connection(sock=sock))
        async with raw, await Native.open(server, "bob") as bob:
            raw.send("alice\r\n")
            await raw.until("exit leaves")
            sock.send(INTERRUPT + SYNCH, socket.MSG_OOB)
            raw.send(DO_TIMING_MARK + b"talk on\r\n")
            await _until(raw, WILL_TIMING_MARK)
            said = await bob.event(events.Said)
            assert said.text == "talk on"


async def test_a_flood_of_requests_gets_one_answer() -> None:
    async with serving(limited(rate=0)) as server, await Raw.open(server) as raw:
        raw.send(b"\xff\xfd\x05\xff\xfb\x05" * 20_000 + b"alice\r\nexit\r\n")
        shown = await raw.rest()
        assert b"* you are alice" in shown
        assert shown.count(IAC) == 2


async def test_requests_are_as_slow_as_commands() -> None:
    async with serving(limited(rate=0.001, burst=3)) as server, await Raw.open(server) as raw:
        raw.send(DO_TIMING_MARK * 10_000)
        await _until(raw, WILL_TIMING_MARK + WILL_TIMING_MARK)
        async with await Raw.open(server) as other:
            other.send(ARE_YOU_THERE)
            await other.until("* yes, the server is here")
        assert WILL_TIMING_MARK not in raw.unread, "and nobody else waits for it"


async def test_keys_are_told_from_sends_though_the_dialect_is_not_known_at_once(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name could become the NICK of IRC: what was read until it does not is given to the dialect as it came."""
    loop, undecided, decided = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    given: list[bytes] = []
    receive, original = PlainDialect.receive, sniff.sniff

    def received(dialect: PlainDialect, data: bytes) -> Iterable[Request | Problem]:
        given.append(data)
        if len(given) == 2:
            loop.call_soon(decided.set)
        return receive(dialect, data)

    def sniffed(first: bytes, *, last: bool = False) -> Any:
        undecided.set()
        return original(first, last=last)

    monkeypatch.setattr(PlainDialect, "receive", received)
    monkeypatch.setattr(sniff, "sniff", sniffed)
    async with await Raw.open(server) as raw:
        raw.send("n")
        await undecided.wait()
        raw.send("ia")
        await decided.wait()
        assert given == [b"n", b"ia"]
        raw.send("\r")
        await raw.until("* you are nia")


def _to(server: ChatServer, program: str) -> list[str]:
    address = where(server)
    return [program, str(address.host), str(address.port)]


async def _register(server: ChatServer) -> None:
    async with await Native.open(server, "alice") as alice:
        await alice.get(commands.Register(password=PASSWORD), events.Ok)


async def _until(raw: Raw, end: bytes) -> None:
    """Read up to these bytes, which are no text."""
    while end not in raw.unread:
        data = await raw.read(repr(end))
        assert data, f"the connection ended before {end!r} came, after {raw.unread!r}"
        raw.unread += data
    raw.unread = raw.unread.partition(end)[2]
