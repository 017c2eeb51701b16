"""The console client in a real terminal, with real servers."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from asyncchat import ChatServer
from asyncchat.client import ChatClient, connect
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.terms import Code
from tests.client.chats import joined
from tests.client.scripted import Peer, ScriptedServer
from tests.console.terminals import (
    CLIENT,
    CTRL_C,
    CTRL_D,
    CTRL_R,
    CTRL_Z,
    ENTER,
    Desk,
    terminal,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="terminals are POSIX's")


# --- talking --------------------------------------------------------------------------------------------------------


async def test_two_people_talk(server: ChatServer, desk: Desk) -> None:
    address = str(server.addresses[0])
    async with desk.client(address, home="a") as alice, desk.client(address, home="b") as bob:
        for screen, name in ((alice, "alice"), (bob, "bob")):
            await screen.shows("Your name")
            screen.type(name)
            await screen.shows(f"you are {name}", "#lobby>")
        alice.type("hi bob, how are you?")
        await bob.shows("alice: hi bob, how are you?")
        bob.type("fine — and you? 你好")
        await alice.shows("bob: fine — and you? 你好")
        await alice.shows_line("#lobby>")
        assert alice.text.count("hi bob, how are you?") == 1, "my own message is shown once"
        assert bob.bells == 1
        assert alice.bells == 0


async def test_what_arrives_never_garbles_what_is_typed(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with desk.client(str(server.addresses[0]), "--name", "alice", rows=60) as alice:
        await alice.shows("#lobby>")
        typed = "this line is typed letter by letter while others talk"
        for number, letter in enumerate(typed):
            alice.press(letter)
            if number % 2 == 0:
                await bob.say("#lobby", f"message {number} of bob")
                await alice.shows(f"message {number} of bob")
        await alice.shows_line(f"#lobby> {typed}")
        said = [line for line in alice.lines if "of bob" in line]
        assert [line[6:] for line in said] == [f"bob: message {number} of bob" for number in range(0, len(typed), 2)]
        alice.press(ENTER)
        await alice.shows_line("#lobby>")
        async for event in bob:
            if isinstance(event, events.Said) and event.sender == "alice":
                assert event.text == typed
                break


async def test_both_type_while_both_talk(server: ChatServer, desk: Desk) -> None:
    address = str(server.addresses[0])
    async with (
        desk.client(address, "--name", "alice", home="a", rows=60) as alice,
        desk.client(address, "--name", "bob", home="b", rows=60) as bob,
    ):
        await alice.shows("#lobby>")
        await bob.shows("#lobby>")
        for number in range(10):
            alice.press(f"from alice {number}")
            bob.press(f"from bob {number}")
            await alice.shows(f"#lobby> from alice {number}")
            await bob.shows(f"#lobby> from bob {number}")
            alice.press(ENTER)
            await bob.shows(f"alice: from alice {number}", f"#lobby> from bob {number}")
            bob.press(ENTER)
            for screen in (alice, bob):
                await screen.shows(f"bob: from bob {number}")
        talk = [line[6:] for line in alice.lines if "from" in line]
        assert talk == [f"{name}: from {name} {number}" for number in range(10) for name in ("alice", "bob")]
        assert [line[6:] for line in bob.lines if "from" in line] == talk


async def test_another_size_of_the_window(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with desk.client(str(server.addresses[0]), "--name", "alice") as alice:
        await alice.shows("#lobby>")
        alice.press("a line of about forty characters, typed")
        await alice.shows("typed")
        alice.resize(24, 30)
        await alice.until(lambda: "characters, typed" not in alice.text, "broken line")
        await bob.say("#lobby", "narrow")
        await alice.shows("bob: narrow", "#lobby> a line of about forty")
        alice.resize(30, 120)
        await alice.shows_line("#lobby> a line of about forty characters, typed")
        await bob.say("#lobby", "wide")
        await alice.shows("bob: wide")
        await alice.shows_line("#lobby> a line of about forty characters, typed")


async def test_a_long_text_that_is_pasted(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with desk.client(str(server.addresses[0]), "--name", "alice") as alice:
        await alice.shows("#lobby>")
        text = "\n".join(f"{number} {'x' * 60}" for number in range(200))
        await alice.paste(text)
        await alice.shows("199 xxx")
        alice.press(ENTER)
        async for event in bob:
            if isinstance(event, events.Said):
                assert event.text == text
                break


# --- on the way -----------------------------------------------------------------------------------------------------


async def test_a_message_is_marked_until_it_is_acknowledged(scripted: ScriptedServer, desk: Desk) -> None:
    waiting: list[tuple[Peer, commands.Say]] = []
    scripted.take_over(commands.Say, lambda peer, say: waiting.append((peer, say)))
    async with desk.client(scripted.address, "--name", "alice") as alice:
        await alice.shows("#lobby>")
        alice.type("on its way")
        alice.type("refused one")
        await alice.shows("… #lobby on its way (sending)", "… #lobby refused one (sending)")
        await scripted.wait_for(commands.Say, 2)
        scripted.answer(*waiting[0])
        await alice.lacks("on its way (sending)")
        await alice.shows("alice: on its way")
        assert alice.text.count("on its way") == 1
        scripted.refuse(Code.FORBIDDEN, "you may not speak here")(*waiting[1])
        await alice.shows("not sent to #lobby: refused one", "because: you may not speak here (403)")
        await alice.lacks("(sending)")


async def test_what_is_typed_offline_is_sent_on_return(scripted: ScriptedServer, desk: Desk) -> None:
    async with desk.client(scripted.address, "--name", "alice") as alice:
        await alice.shows("● alice")
        await scripted.go_down()
        await alice.shows("the connection is lost", "○ offline")
        alice.type("typed while offline")
        await alice.shows("… #lobby typed while offline (not sent yet)")
        alice.type("/topic New")
        alice.type("/passwd hunter2")
        await alice.shows("… /topic New (not sent yet)", "… /passwd … (not sent yet)")
        alice.press(CTRL_D)
        await alice.shows("3 not sent yet: once more to leave without them")
        scripted.keep("said meanwhile")
        await scripted.listen()
        await alice.shows("● alice", "bob: said meanwhile", "connected again; nothing is missing (1 came meanwhile)")
        await alice.shows("alice: typed while offline")
        await alice.lacks("not sent yet)")
        assert alice.text.count("typed while offline") == 1


async def test_a_goodbye_for_good_ends_the_client(scripted: ScriptedServer, desk: Desk) -> None:
    async with desk.client(scripted.address, "--name", "alice") as alice:
        await alice.shows("#lobby>")
        scripted.part(events.Bye(code=Code.FORBIDDEN, reason="you are banned"))
        assert await alice.ended() == 1
        await alice.shows("asyncchat: you are banned")


# --- who may be anybody ---------------------------------------------------------------------------------------------

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b2J\x9d0;owned\x9c",
    "\x1b[?1049h\x1bc",
    "a\rb\x08\x08c\x0b\x0cd",
    "\u202egnp.exe\u202c",
    "\u2066isolated\u2069",
    "zero\u200bwidth\u2060joined\ufeff",
    "two\nlines\n12:00 bob: forged",
)


async def test_text_from_others_cannot_drive_the_terminal(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    await bob.say("#lobby", "from before " + "".join(HOSTILE))
    async with desk.client(str(server.addresses[0]), "--name", "alice", rows=80) as alice:
        await joined(bob, "alice")
        await alice.shows("#lobby>")
        for number, text in enumerate(HOSTILE):
            await bob.say("#lobby", f"{number} {text} end{number}")
            await bob.say("alice", f"direct {text}")
        await bob.set_topic("#lobby", "topic " + HOSTILE[0] + HOSTILE[1] + HOSTILE[4])
        await bob.leave("#lobby", "reason " + HOSTILE[0])
        await alice.shows("end7", "left: reason")
        for command in ("/history 30", "/topic", "/search owned", "/rooms", "/whois \x16\x1b]0;owned"):
            alice.type(command)
        await alice.shows("no such user")
        await alice.shows_line("#lobby>")
    written = alice.raw.decode(errors="surrogateescape")
    for forbidden in ("\x1b]0;owned", "\x9b", "\x9d", "\x1b[?1049", "\x1bc", "\u202e", "\u2066", "\u200b", "\ufeff"):
        assert forbidden not in written
    assert alice.title != "owned"
    assert not [line for line in alice.lines if line.startswith("12:00 bob: forged")]


async def test_hostile_lines_on_the_way_are_harmless_too(scripted: ScriptedServer, desk: Desk) -> None:
    scripted.take_over(commands.Who, scripted.refuse(Code.FORBIDDEN, "error \x1b]0;owned\x07\x9b2J"))
    async with desk.client(scripted.address, "--name", "alice") as alice:
        await alice.shows("#lobby>")
        alice.type("/who")
        await alice.shows("error ␛]0;owned␇")
        scripted.tell(events.Notice(text="notice \x1b]0;owned\x07"))
        scripted.tell(events.Typing(sender="b\x1b]0;owned\x07ob", to="#lobby"))
        await alice.shows("notice ␛]0;owned␇", "is typing…")
        scripted.tell(events.Bye(reason="bye \x1b]0;owned\x07", reconnect=0.0))
        await alice.shows("bye ␛]0;owned␇")
    assert "\x1b]0;owned" not in alice.raw.decode(errors="replace")


# --- coming and going -----------------------------------------------------------------------------------------------


async def test_a_name_that_is_taken(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with desk.client(str(server.addresses[0]), "--name", "bob") as alice:
        await alice.shows("bob is taken", "Another name:")
        alice.type("alice")
        await alice.shows("you are alice")


async def test_a_name_that_is_registered(server: ChatServer, desk: Desk, tmp_path: Path) -> None:
    async with connect(server.addresses[0], name="alice") as owner:
        await owner.register("correct horse")
    async with desk.client(str(server.addresses[0]), "--name", "alice") as alice:
        await alice.shows("alice is registered", "Password of alice:")
        alice.type("wrong")
        await alice.shows("wrong name or password")
        alice.type("correct horse")
        await alice.shows("you are alice")
        assert "correct horse" not in alice.text
    async with desk.client(str(server.addresses[0]), "--name", "alice") as alice:
        await alice.shows("you are alice")


async def test_a_question_is_searched_suspended_and_left(server: ChatServer, desk: Desk) -> None:
    async with connect(server.addresses[0], name="alice") as owner:
        await owner.register("correct horse")
    client = f"{' '.join(CLIENT)} {server.addresses[0]} --name alice"
    async with terminal(["bash", "--norc", "-i"], {**desk.environment("alice"), "PS1": "shell$ "}) as shell:
        await shell.shows("shell$")
        shell.type(client)
        await shell.shows("Password of alice:")
        shell.press(CTRL_Z)
        await shell.shows("Stopped")
        shell.type("fg")
        await shell.until(lambda: shell.lines[-1] == "Password of alice:", "question again")
        shell.press(CTRL_R)
        await shell.shows("(reverse-i-search)")
        shell.press(CTRL_C)
        await shell.lacks("(reverse-i-search)")
        shell.press(CTRL_C)
        await shell.until(lambda: shell.lines[-1] == "shell$", "prompt of the shell")
        shell.type("exit $?")
        assert await shell.ended() == 0


async def test_reading_and_writing_in_two_terminals_under_one_name(
    server: ChatServer, bob: ChatClient, desk: Desk
) -> None:
    address = str(server.addresses[0])
    async with (
        desk.client(address, "--name", "alice", "-r") as listens,
        desk.client(address, "--name", "alice", "-w") as writes,
    ):
        await writes.shows("#lobby>")
        await listens.shows("you are alice")
        await bob.say("#lobby", "hello both")
        await listens.shows("bob: hello both")
        writes.type("from the other window")
        await listens.shows("alice: from the other window")
        await writes.shows("alice: from the other window")
        assert "hello both" not in writes.text
        listens.press("keys mean nothing here\r")
        writes.type("again")
        await listens.shows("alice: again")
        async with asyncio.timeout(10):
            async for event in bob:
                if isinstance(event, events.Said) and event.text == "again":
                    break
        assert "keys mean nothing" not in listens.text
        listens.press(CTRL_C)
        assert await listens.ended() == 0


@pytest.mark.parametrize("way", ["ctrl d", "ctrl c", "quit", "term", "hup", "int", "server"])
async def test_the_terminal_is_given_back(server: ChatServer, desk: Desk, way: str) -> None:
    client = " ".join(CLIENT)
    script = f"{client} {server.addresses[0]} --name alice; echo status $?; stty -a; read line; echo got $line"
    async with desk.shell(script) as shell:
        await shell.shows("#lobby>")
        match way:
            case "ctrl d":
                shell.press(CTRL_D)
            case "ctrl c":
                shell.press(CTRL_C)
            case "quit":
                shell.type("/quit")
            case "server":
                await server.aclose()
                await shell.shows("○ offline")
                shell.press(CTRL_D)
            case name:
                os.kill(_child_of(shell.process.pid), getattr(signal, f"SIG{name.upper()}"))
        status = {"term": 143, "hup": 129}.get(way, 0)
        await shell.shows(f"status {status}", " icanon ", " echo ", "ixon")
        shell.type("a line")
        await shell.shows("got a line")


async def test_an_unreachable_server_leaves_the_terminal_alone(desk: Desk) -> None:
    async with ScriptedServer() as server:
        address = server.address
    async with desk.shell(f"{' '.join(CLIENT)} {address} --name alice; echo status $?; stty -a") as shell:
        await shell.shows(f"asyncchat: cannot connect to {address}: Connection refused", "status 1", " icanon ")


async def test_stopped_and_continued(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    client = f"{' '.join(CLIENT)} {server.addresses[0]} --name alice"
    async with terminal(["bash", "--norc", "-i"], {**desk.environment("alice"), "PS1": "shell$ "}) as shell:
        await shell.shows("shell$")
        shell.type(client)
        await shell.shows("#lobby>")
        shell.press("half a line")
        await shell.shows("#lobby> half a line")
        shell.press(CTRL_Z)
        await shell.shows("Stopped")
        shell.type("stty -a | grep -o ' icanon'; read -p 'say: ' x; echo \"x is $x\"")
        await shell.shows("\n icanon\nsay:")  # and not in what was typed
        shell.type("something")
        await shell.shows("x is something")
        await bob.say("#lobby", "said while stopped")
        shell.type("fg")
        await shell.shows("bob: said while stopped", "#lobby> half a line")
        shell.type(" more")
        await shell.shows("alice: half a line more")
        shell.press(CTRL_D)
        await shell.until(lambda: shell.lines[-1] == "shell$", "prompt of the shell")
        shell.type("exit")
        assert await shell.ended() == 0


def _child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
