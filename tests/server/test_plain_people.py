"""People with nothing but nc, telnet or a socket."""

import asyncio
import re

import pytest

from asyncchat import ChatServer, Settings
from asyncchat.vocabulary import commands, events
from asyncchat.wire import plain, sniff
from tests.server.peers import Native, Plain, Raw, serving, where
from tests.tools import requires_tool


async def test_two_people_talk(either: ChatServer) -> None:
    async with await Plain.enter(either, "alice") as alice:
        alice.send("anybody here?\n")
        async with await Plain.enter(either, "bob") as bob:
            assert "* you are bob on asyncchat" in bob.shown
            assert "alice" in bob.shown
            assert "alice: anybody here?" in bob.shown
            assert await alice.line() == "* bob joined"
            bob.send("yes\n")
            assert await alice.line() == "bob: yes"
            # A person's own line is not sent back: the next thing that bob sees is alice's answer.
            alice.send("good\n")
            assert await bob.line() == "alice: good"
        assert await alice.matching("bob left") == "* bob left: connection closed"


async def test_private_messages_who_help_and_exit(either: ChatServer) -> None:
    async with (
        await Plain.enter(either, "alice") as alice,
        await Plain.enter(either, "bob") as bob,
        await Plain.enter(either, "carol") as carol,
    ):
        bob.send("/msg alice psst\n")
        assert await alice.matching("psst") == "@bob bob: psst"
        alice.send("/reply what is it?\n")
        assert await bob.matching("what is it") == "@alice alice: what is it?"
        alice.send("/who\n")
        listed = await alice.matching("carol")
        assert "alice" in listed
        assert "bob" in listed
        alice.send("/help\n")
        assert await alice.matching("/msg")
        alice.send("/msg nobody hello\n")
        assert await alice.matching("^!") == "! no such user: nobody"
        alice.send("exit\n")
        assert "goodbye" in await alice.end()
        await carol.matching("alice left")
        carol.send("I heard nothing\n")
        assert await bob.matching("heard") == "carol: I heard nothing"


async def test_a_name_that_is_taken_is_asked_for_again(either: ChatServer) -> None:
    async with await Plain.enter(either, "alice"), await Plain.open(either) as other:
        other.send("alice\n")
        assert await other.line() == "! alice is taken"
        assert "Enter, to be alice2" in await other.line()
        other.send("\n")
        assert "* you are alice2" in await other.until("exit leaves\n")


async def test_a_person_who_says_nothing_is_greeted(server: ChatServer) -> None:
    async with await Raw.open(server) as silent:
        assert await silent.line() == "Welcome to asyncchat. What is your name?"
        silent.send("alice\r\n")
        assert "* you are alice" in await silent.until("exit leaves")


async def test_a_peer_that_ends_nothing_with_a_newline(either: ChatServer) -> None:
    """Each of its sends is a line."""
    async with await Native.open(either, "bob") as bob, await Raw.open(either) as raw:
        raw.send("alice")
        assert "* you are alice" in await raw.until("exit leaves")
        await bob.event(events.Joined, name="alice")
        for text in ("hello", "how are you?"):
            raw.send(text)
            said = await bob.event(events.Said)
            assert (said.sender, said.text) == ("alice", text)
        await bob.say("fine")
        assert (await raw.until("fine\n")).endswith("bob: fine\n")
        raw.send("/quit")
        assert "goodbye" in await raw.end()


@pytest.mark.parametrize("name", ["Pa", "HEAD", "cap"])
async def test_a_name_without_a_newline_that_begins_as_other_dialects_do(
    server: ChatServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sniff, "SETTLED", 0.05)
    monkeypatch.setattr(plain, "QUIET", 0.05)
    async with await Raw.open(server) as raw:
        raw.send(name)
        assert f"* you are {name}" in await raw.until("exit leaves")


async def test_a_newline_that_comes_late_still_ends_the_line(either: ChatServer) -> None:
    """A person who types slowly over telnet's character mode, or a line cut into packets."""
    async with await Native.open(either, "bob") as bob, await Plain.enter(either, "alice") as alice:
        for part in ("one ", "line ", "in ", "parts"):
            alice.send(part)
            await bob.say("between")
        alice.send("\nsecond\n")
        await bob.event(events.Said, sender="alice", text="one line in parts")
        await bob.event(events.Said, sender="alice", text="second")


async def test_a_peer_that_disconnects_in_the_middle_of_a_line(either: ChatServer) -> None:
    async with await Native.open(either, "bob") as bob:
        # A native line without its end may be half a command: nothing is said.
        async with await Native.open(either, "alice") as alice:
            await bob.event(events.Joined, name="alice")
            await alice.say("whole")
            alice.raw.send('{"type":"say","to":"#lobby","text":"half')
            alice.raw.writer.write_eof()
            await alice.end()
        await bob.say("after alice")
        # The same with a reset.
        carol = await Native.open(either, "carol")
        carol.raw.send('{"type":"say","to":"#lobby","text":"half')
        carol.raw.abort()
        async with await Native.open(either, "dave") as dave:
            await dave.say("after carol")
        await bob.event(events.Said, text="after carol")
        assert bob.texts() == ["whole", "after alice", "after carol"]


async def test_a_last_line_without_its_newline_counts(either: ChatServer) -> None:
    """As with ``printf 'alice\\nhi' | nc``."""
    async with await Native.open(either, "bob") as bob, await Raw.open(either) as alice:
        alice.send("alice\nhi")
        alice.writer.write_eof()
        said = await bob.event(events.Said)
        assert (said.sender, said.text) == ("alice", "hi")
        left = await bob.event(events.Left)
        assert left.name == "alice"
        await alice.end()


@requires_tool("nc")
async def test_nc(either: ChatServer) -> None:
    address = where(either)
    nc = await asyncio.create_subprocess_exec(
        "nc", address.host, str(address.port), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert nc.stdin is not None
    assert nc.stdout is not None
    async with await Native.open(either, "alice") as alice:
        nc.stdin.write(b"carol\n")
        await alice.event(events.Joined, name="carol")
        nc.stdin.write("grüße\n".encode())
        assert (await alice.event(events.Said)).text == "grüße"
        await alice.say("hello carol")
        shown = await nc.stdout.readuntil(b"alice: hello carol\n")
        assert "* you are carol" in shown.decode()
        assert "grüße" not in shown.decode().partition("exit leaves")[2], "the own line stands on the screen already"
        nc.stdin.write(b"exit\n")
        await alice.event(events.Left, name="carol")
    nc.stdin.close()  # this nc goes on reading its input when the server has closed
    assert "goodbye" in (await nc.stdout.read()).decode()
    assert await nc.wait() == 0


@requires_tool("nc")
async def test_nc_at_the_end_of_a_pipe(either: ChatServer) -> None:
    address = where(either)
    async with await Native.open(either, "alice") as alice:
        script = f"printf 'ci\\nbuild 7\\ndeployed' | nc -N {address.host} {address.port}"
        shell = await asyncio.create_subprocess_shell(script, stdout=asyncio.subprocess.DEVNULL)
        await alice.event(events.Left, name="ci")
        assert alice.texts() == ["build 7", "deployed"]
        assert await shell.wait() == 0


async def test_what_others_write_cannot_drive_a_terminal(server: ChatServer) -> None:
    """ESC, C1, OSC, bidi and newlines, in messages, topics, reasons, away texts and history."""
    hostile = "\x1b[2J\x1b]0;title\x07\x9b31m\u202egnirts\u200b\r\nroot: forged\x00\x7f\x85end"
    async with await Plain.enter(server, "bob") as bob, await Native.open(server, "mallory") as mallory:
        await mallory.get(commands.Join(room="#m"), events.Ok)
        await mallory.say(hostile)
        await mallory.say(hostile, kind="action")
        await mallory.say(hostile, to="bob")
        await mallory.get(commands.Topic(room="#m", text=hostile), events.Ok)
        await mallory.get(commands.Away(text=hostile), events.Ok)
        await mallory.ask(commands.Leave(room="#lobby", reason=hostile))
        await mallory.ask(commands.Say(to="bob", text="last"))
        bob.send("/join #m\n/topic\n/rooms\n/whois mallory\n/search gnirts\n/history\n/msg \x1b[5mx hi\n/quit\n")
        shown = bob.shown + await bob.end()
        assert "gnirts" in shown
        assert not re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b]", shown), shown
        assert not [line for line in shown.splitlines() if line.startswith("root: forged")]


async def test_the_message_of_the_day_and_the_servers_name() -> None:
    den = Settings(name="the den", motd="be kind\nand \x1b[31mquiet")
    async with serving(den) as server, await Plain.enter(server, "alice") as alice:
        assert "be kind" in alice.shown
        assert "\x1b" not in alice.shown
        assert "* you are alice on the den" in alice.shown
