"""What the console client shows and offers around the line that is typed, in a real terminal."""

import asyncio
import json
import os
import re

import pytest

from asyncchat import ChatServer
from asyncchat.client import ChatClient, connect
from asyncchat.vocabulary import events
from tests.client.chats import joined
from tests.console.terminals import (
    CLIENT,
    CTRL_C,
    CTRL_D,
    CTRL_N,
    CTRL_P,
    CTRL_R,
    ENTER,
    ESCAPE,
    SHIFT_LEFT,
    TAB,
    UP,
    Desk,
    terminal,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="terminals are POSIX's")


async def test_completion(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with desk.client(str(server.addresses[0]), "--name", "alice") as alice:
        await joined(bob, "alice")
        await alice.shows("#lobby>")
        alice.type("/who")
        await alice.shows("* in #lobby: bob, alice")
        alice.press("bo" + TAB)
        await alice.shows("#lobby> bob:")
        alice.press("ask b" + TAB + "!")
        await alice.shows("#lobby> bob: ask bob !")
        alice.press(CTRL_C)
        await alice.shows_line("#lobby>")
        alice.press("/rea" + TAB)
        await alice.shows("#lobby> /react")
        alice.press(CTRL_C)
        alice.press("/leave #lo" + TAB)
        await alice.shows("#lobby> /leave #lobby")


async def test_ctrl_c_ends_what_was_begun_last(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with connect(server.addresses[0], name="bobby"), desk.client(server.addresses[0], "--name", "alice") as alice:
        await joined(bob, "alice")
        await alice.shows("#lobby>")
        alice.type("/who")
        await alice.shows("* in #lobby: bob, bobby, alice")
        alice.press("half a line")
        await alice.shows_line("#lobby> half a line")

        alice.press(CTRL_R)
        await alice.shows("(reverse-i-search)")
        alice.press("wh" + CTRL_D + TAB)
        await alice.shows("(reverse-i-search)`wh")
        alice.press(CTRL_C)
        await alice.shows_line("#lobby> half a line")
        alice.press(CTRL_R)
        await alice.shows("(reverse-i-search)")
        alice.press(CTRL_C)
        await alice.shows_line("#lobby> half a line")

        alice.press(" bo" + TAB)
        await alice.until(lambda: alice.text.count("bobby") == 2, "menu")
        alice.press(TAB)
        await alice.shows("#lobby> half a line bob")
        alice.press(CTRL_C)
        await alice.until(lambda: alice.text.count("bobby") == 1, "end of the menu")
        await alice.shows("#lobby> half a line bob")

        alice.press(SHIFT_LEFT * 3)
        await alice.until(lambda: alice.is_highlighted("bob"), "selection")
        alice.press(CTRL_C)
        await alice.until(lambda: not alice.is_highlighted("bob"), "end of the selection")
        await alice.shows("#lobby> half a line bob")

        alice.press(CTRL_C)
        await alice.shows_line("#lobby>")
        alice.press(CTRL_C)
        assert await alice.ended() == 0


async def test_lines_typed_before_come_back(server: ChatServer, desk: Desk) -> None:
    async with desk.client(str(server.addresses[0]), "--name", "alice") as alice:
        await alice.shows("#lobby>")
        alice.type("first")
        await alice.shows("alice: first")
        alice.type("/passwd secret")
        await alice.shows("(403)")
        alice.press(UP)
        await alice.shows_line("#lobby> first")


async def test_rooms_are_switched_and_what_is_unread_is_counted(
    server: ChatServer, bob: ChatClient, desk: Desk
) -> None:
    await bob.join("#ops")
    address = str(server.addresses[0])
    async with desk.client(address, "--name", "alice", "--room", "lobby", "--room", "#ops") as alice:
        await alice.shows("1:#lobby", "2:#ops")
        await bob.say("#ops", "one")
        await bob.say("#ops", "two")
        await bob.say("alice", "psst")
        await alice.shows("#ops bob: one", "#ops bob: two", "@bob bob: psst", "2:#ops(2)", "3:@bob(1)")
        alice.press(f"half{ESCAPE}2")
        await alice.shows("#ops> half")
        await alice.lacks("2:#ops(2)")
        alice.press(ENTER)
        await alice.shows("#ops alice: half")
        alice.press(CTRL_N)
        await alice.shows("@bob>")
        await alice.lacks("3:@bob(1)")
        alice.press(CTRL_N)
        await alice.shows("#lobby>")
        alice.press(CTRL_P + CTRL_P)
        await alice.shows("#ops>")
        alice.type("/join #lobby")
        await alice.shows("#lobby>")
        alice.type("/msg bob")
        await alice.shows("@bob>")
        alice.type("/leave ops")
        await alice.shows("1:#lobby 2:@bob")
        alice.type("/leave")
        await alice.shows("#lobby>")
        await alice.lacks("@bob>")
        alice.type("/msg @nobody")
        await alice.shows("@nobody>", "2:@nobody")
        alice.press(f"{ESCAPE}1")
        await alice.shows("#lobby>")
        alice.type("/leave @nobody")
        await alice.lacks("2:@nobody")
        await alice.shows("#lobby>")


async def test_mentions_are_highlighted_and_ring(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with desk.client(str(server.addresses[0]), "--name", "alice") as alice:
        await alice.shows("#lobby>")
        await bob.say("#lobby", "malice is no mention")
        await bob.say("#lobby", "ask Alice, she knows")
        await alice.shows("ask Alice")
        await alice.until(lambda: alice.is_highlighted("Alice"), "highlight")
        assert not alice.is_highlighted("alice is no")
        assert alice.bells == 1


async def test_typing_is_shown_and_told(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with desk.client(str(server.addresses[0]), "--name", "alice") as alice:
        await joined(bob, "alice")
        await alice.shows("#lobby>")
        bob.typing("#lobby")
        await alice.shows("bob is typing…")
        bob.typing("#lobby", active=False)
        await alice.lacks("typing…")
        alice.press("h")
        async for event in bob:
            if isinstance(event, events.Typing):
                assert (event.sender, event.active) == ("alice", True)
                break


async def test_a_line_that_is_given_up_is_typed_no_more(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with desk.client(str(server.addresses[0]), "--name", "alice") as alice:
        await joined(bob, "alice")
        await alice.shows("#lobby>")
        alice.press("half")
        typing = (event async for event in bob if isinstance(event, events.Typing))
        assert (await anext(typing)).active
        alice.press(CTRL_C)
        assert not (await anext(typing)).active


async def test_who_has_read_is_shown_and_told(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with desk.client(str(server.addresses[0]), "--name", "alice") as alice:
        await alice.shows("#lobby>")
        alice.type("read this")
        async for event in bob:
            if isinstance(event, events.Said):
                await bob.read("#lobby", event.seq)
                break
        await alice.shows("seen by bob")
        answer = await bob.say("#lobby", "done")
        await alice.shows("bob: done")
        alice.press("t")
        async for event in bob:
            if isinstance(event, events.ReadMarker) and event.sender == "alice":
                assert event.seq == answer.seq
                break


async def test_commands(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with desk.client(str(server.addresses[0]), "--name", "alice", rows=100) as alice:
        await alice.shows("#lobby>")
        for typed, shown in (
            ("/help", "/whois NAME"),
            ("/rooms", "#lobby  2 people"),
            ("/whois bob", "bob is online; a guest"),
            ("/topic We talk", "set the topic: We talk"),
            ("/me waves", "* alice waves"),
            ("/nick alicia", "alice is now alicia"),
            ("/away lunch", "alicia is away: lunch"),
            ("/who", "alicia (away: lunch)"),
            ("/back", "alicia is back"),
            ("/wohis bob", "unknown command: /wohis; did you mean /whois?"),
            ("/kick", "usage: /kick"),
            ("/whois nobody", "no such user: nobody (404)"),
            ("//not a command", "alicia: /not a command"),
        ):
            alice.type(typed)
            await alice.shows(shown)
        alice.type("/history 5")
        await alice.shows(" alicia: /not a command")
        await alice.until(lambda: any("^" in line and "waves" in line for line in alice.lines), "numbered history")
        alice.type("/edit is a command")
        await alice.shows("alicia changed ^")
        await bob.say("alicia", "direct")
        await alice.shows("@bob bob: direct")
        alice.type("/reply yes?")
        await alice.shows("@bob alicia: yes?")
        alice.type("/search waves")
        await alice.until(lambda: sum("alice waves" in line for line in alice.lines) == 3, "search result")


async def test_people_who_are_ignored_stay_ignored(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    address = str(server.addresses[0])
    async with desk.client(address, "--name", "alice") as alice:
        await alice.shows("#lobby>")
        alice.type("/ignore BOB")
        await alice.shows("BOB is ignored from now on")
        await bob.say("#lobby", "can you see me?")
        async with connect(address, name="carol") as carol:
            await carol.say("#lobby", "after bob")
            await alice.shows("carol: after bob")
        assert "can you see me?" not in alice.text
        alice.press(CTRL_D)
        assert await alice.ended() == 0
    async with desk.client(address, "--name", "alice") as alice:
        await alice.shows("after bob")
        assert "can you see me?" not in alice.text
        alice.type("/history")
        await alice.until(lambda: alice.text.count("carol: after bob") == 2, "history")
        alice.type("/search see me")
        await alice.shows("nothing was found")
        assert "can you see me?" not in alice.text
        await bob.nick("rob")
        await bob.say("#lobby", "and me?")
        async with connect(address, name="dave") as dave:
            await dave.say("#lobby", "after rob")
            await alice.shows("dave: after rob")
        alice.type("/ignore")
        await alice.shows("ignored: BOB, rob")
        alice.type("/unignore rob")
        await alice.shows("rob is seen again")
        await bob.say("#lobby", "and now?")
        await alice.shows("rob: and now?")
        assert "and me?" not in alice.text


async def test_reading_around_what_was_found(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    said = [await bob.say("#lobby", f"word{number}") for number in range(20)]
    async with desk.client(str(server.addresses[0]), "--name", "alice", "--history", "0") as alice:
        await alice.shows("#lobby>")
        alice.type("/search word10 in:#lobby from:bob")
        await alice.shows(f"^{said[10].seq} #lobby bob: word10")
        alice.type(f"/context ^{said[10].seq}")
        await alice.shows("bob: word5", "bob: word15")
        assert "word4" not in alice.text
        assert "word16" not in alice.text
        assert "there is more" not in alice.text
        days = [number for number, line in enumerate(alice.lines) if line.startswith("---")]
        assert len(days) == 2, "one of the search, one of all that is around"
        alice.type("/context ^999999")
        await alice.shows("there is no message ^999999 in #lobby")
        assert "word19" not in alice.text


@pytest.mark.parametrize(("option", "variable"), [("--no-color", ""), ("--json", ""), ("-w", "1")])
async def test_no_colours(server: ChatServer, bob: ChatClient, desk: Desk, option: str, variable: str) -> None:
    environment = {**desk.environment("alice"), "NO_COLOR": variable}
    command = [*CLIENT, str(server.addresses[0]), "--name", "alice", option]
    async with terminal(command, environment) as alice:
        await joined(bob, "alice")
        await bob.say("#lobby", "hello alice")
        alice.type("in black and white")
        await alice.shows("in black and white")
    styles = {style for found in re.findall(r"\x1b\[([\d;]*)m", alice.raw.decode()) for style in found.split(";")}
    assert styles <= {"", "0", "1", "3", "7"}, "bold, italic and reverse at the most"


async def test_a_terminal_that_is_slow_loses_nothing(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with desk.client(str(server.addresses[0]), "--name", "alice", "--json") as alice:
        await joined(bob, "alice")
        alice.stop_reading()
        sent = [f"{number} {'x' * 1000}" for number in range(100)]
        await asyncio.gather(*(bob.say("#lobby", text) for text in sent))
        alice.go_on_reading()
        await alice.until(lambda: b"\n" in alice.raw.partition(b'"text":"99 ')[2], "last message, to its end")
    received = [json.loads(line) for line in alice.raw.decode().splitlines()]
    assert [event["text"] for event in received if event["type"] == "said"] == sent
