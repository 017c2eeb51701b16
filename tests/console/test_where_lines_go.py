"""Where a line goes that is typed in the console client: never to anybody for whom it was not meant."""

import os

import msgspec
import pytest

from asyncchat import ChatServer
from asyncchat.client import ChatClient
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.terms import Code
from tests.client.scripted import Peer, ScriptedServer
from tests.console.terminals import CTRL_N, ENTER, ESCAPE, Desk, Terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="terminals are POSIX's")


async def test_a_half_typed_line_stays_when_its_room_closes(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    await bob.join("#m")
    async with desk.client(str(server.addresses[0]), "--name", "alice", "--room", "lobby", "--room", "m") as alice:
        await alice.shows("1:#lobby 2:#m")
        alice.press(f"{ESCAPE}2do not tell b")
        await alice.shows("#m> do not tell b")
        await bob.kick("#m", "alice")
        await alice.shows_line("> do not tell b")
        await bob.say("alice", "psst")
        await alice.shows("@bob bob: psst")
        alice.type("ob")
        await alice.shows("this line goes nowhere now: Alt+1 …, Ctrl+N or /join chooses where")
        await alice.shows_line("> do not tell bob")
        alice.press(CTRL_N)
        await alice.shows("#lobby> do not tell bob")
        alice.press(ENTER)
        await alice.shows("#lobby alice: do not tell bob")


async def test_a_line_without_a_room_stays_and_a_command_does_not(scripted: ScriptedServer, desk: Desk) -> None:
    scripted.take_over(commands.Hello, _let_into_nothing)
    async with desk.client(scripted.address, "--name", "alice") as alice:
        await alice.shows("● alice")
        alice.type("/whois")
        await alice.shows("usage: /whois NAME")
        alice.type("hello")
        await alice.shows("you are in no room: /join #room")
        await alice.shows_line("> hello")


async def test_leaving_in_another_window_moves_no_line(server: ChatServer, desk: Desk) -> None:
    address = str(server.addresses[0])
    async with desk.client(address, "--name", "alice") as one, desk.client(address, "--name", "alice") as other:
        for screen in (one, other):
            await screen.shows("#lobby>")
        one.type("/join #m")
        await one.shows("#m>")
        await other.shows("2:#m")
        other.press(f"{ESCAPE}2half")
        await other.shows("#m> half")
        one.type("/leave")
        await one.shows("#lobby>")
        await other.shows_line("> half")


async def test_what_is_typed_after_join_goes_to_the_new_room(scripted: ScriptedServer, desk: Desk) -> None:
    joins: list[tuple[Peer, commands.Join]] = []
    scripted.take_over(commands.Join, lambda peer, join: joins.append((peer, join)))
    async with desk.client(scripted.address, "--name", "alice") as alice:
        await alice.shows("#lobby>")
        alice.press(f"/join Burst{ENTER}burst text{ENTER}")
        await alice.shows("#Burst>")
        (join,) = await scripted.wait_for(commands.Join)
        (say,) = await scripted.wait_for(commands.Say)
        assert scripted.received.index(join) < scripted.received.index(say)
        assert (join.room, say.to) == ("#Burst", "#Burst")
        scripted.answer(*joins[0])
        await alice.shows("#Burst * alice joined", "#Burst alice: burst text")


async def test_a_room_that_stays_shut_is_closed_again(scripted: ScriptedServer, desk: Desk) -> None:
    joins: list[tuple[Peer, commands.Join]] = []
    scripted.take_over(commands.Join, lambda peer, join: joins.append((peer, join)))
    refuse = scripted.refuse(Code.FORBIDDEN, "it is private")
    async with desk.client(scripted.address, "--name", "alice") as alice:
        await alice.shows("#lobby>")
        alice.type("/join shut")
        await alice.shows_line("#shut>")
        await scripted.wait_for(commands.Join)
        refuse(*joins.pop())
        await alice.shows("it is private (403)")
        await alice.shows_line("#lobby>")
        alice.press(f"/join shut{ENTER}meant for th")
        await alice.shows("#shut> meant for th")
        await scripted.wait_for(commands.Join, 2)
        refuse(*joins.pop())
        await alice.shows_line("> meant for th")
        assert "2:#shut" not in alice.text


async def test_who_enters_a_room_again_with_a_password_is_told(server: ChatServer, desk: Desk) -> None:
    async with desk.client(str(server.addresses[0]), "--name", "alice") as alice:
        await alice.shows("#lobby>")
        alice.type("/join #lobby letmein")
        await alice.shows("* you are in #lobby already")


async def test_what_is_typed_after_leave_goes_where_one_is_then(scripted: ScriptedServer, desk: Desk) -> None:
    leaves: list[tuple[Peer, commands.Leave]] = []
    scripted.take_over(commands.Leave, lambda peer, leave: leaves.append((peer, leave)))
    async with desk.client(scripted.address, "--name", "alice", "--room", "one", "--room", "two") as alice:
        await alice.shows("#one>")
        alice.press(f"/leave{ENTER}hel")
        await alice.shows("#two> hel")
        await scripted.wait_for(commands.Leave)
        scripted.answer(*leaves[0])
        await alice.lacks("1:#one")
        await alice.shows("#two> hel")


async def test_a_password_is_remembered_of_a_room_one_is_in(scripted: ScriptedServer, desk: Desk) -> None:
    scripted.take_over(commands.Hello, _let_into_the_lobby)
    async with desk.client(scripted.address, "--name", "alice") as alice:
        await alice.shows("#lobby>")
        alice.type("/join #pw")
        await alice.shows("#pw>", "#pw * alice joined")
        alice.type("/join #pw letmein")
        await scripted.wait_for(commands.Join, 2)
        await alice.shows_line("#pw>")
        scripted.cut()
        joins = await scripted.wait_for(commands.Join, 3)
        assert (joins[-1].room, joins[-1].password) == ("#pw", "letmein")


def _let_into_the_lobby(peer: Peer, hello: commands.Hello) -> None:
    """Whatever rooms are asked for: into those with a password leads no hello."""
    _let_in(peer, hello, ["#lobby"])


def _let_into_nothing(peer: Peer, hello: commands.Hello) -> None:
    _let_in(peer, hello, [])


def _let_in(peer: Peer, hello: commands.Hello, rooms: list[str]) -> None:
    peer.name = "alice"
    peer.tell(peer.server.welcome(msgspec.structs.replace(hello, name="alice", rooms=rooms)))


async def _said_one(scripted: ScriptedServer, alice: Terminal) -> list[tuple[Peer, commands.Say]]:
    """One message is kept; those that follow wait for an answer, in this list."""
    await alice.shows("#lobby>")
    alice.type("first")
    await alice.shows("alice: first")
    says: list[tuple[Peer, commands.Say]] = []
    scripted.take_over(commands.Say, lambda peer, say: says.append((peer, say)))
    return says


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("/delete", commands.Delete(seq=102)),
        (" /edit the second", commands.Edit(seq=102, text="the second")),
        ("/react +1", commands.React(seq=102, reaction="+1")),
        ("/delete ^7", commands.Delete(seq=7)),
    ],
)
async def test_what_is_typed_behind_a_message_is_about_that_message(
    scripted: ScriptedServer, desk: Desk, line: str, asked: commands.Command
) -> None:
    async with desk.client(scripted.address, "--name", "alice") as alice:
        says = await _said_one(scripted, alice)
        alice.press(f"second{ENTER}{line}{ENTER}third{ENTER}")
        await alice.shows(f"… {line} (sending)")
        await scripted.wait_for(commands.Say, 3)
        assert not scripted.all(type(asked)), "which message it is about is not known yet"
        for peer, say in says:
            scripted.answer(peer, say)
        (came,) = await scripted.wait_for(type(asked))
        assert msgspec.structs.replace(came, id=None) == asked
        await alice.lacks("(sending)")


async def test_what_is_typed_behind_a_refused_message_is_not_done_to_another(
    scripted: ScriptedServer, desk: Desk
) -> None:
    async with desk.client(scripted.address, "--name", "alice") as alice:
        says = await _said_one(scripted, alice)
        alice.press(f"second{ENTER}/delete{ENTER}")
        await scripted.wait_for(commands.Say, 2)
        scripted.refuse(Code.FORBIDDEN, "you are muted")(*says[0])
        await alice.shows("not done: /delete", "because: your last message was not sent")
        alice.type("/topic")
        await scripted.wait_for(commands.Topic)
        assert not scripted.all(commands.Delete)


async def test_the_last_message_is_the_last_one_anywhere(scripted: ScriptedServer, desk: Desk) -> None:
    async with desk.client(scripted.address, "--name", "alice") as alice:
        await alice.shows("#lobby>")
        alice.type("open to all")
        await alice.shows("alice: open to all")
        alice.type("/msg carol teh secret")
        await alice.shows("@carol alice: teh secret")
        alice.type("/edit the secret")
        (edit,) = await scripted.wait_for(commands.Edit)
        assert edit.seq == scripted.log[-1].seq
        assert scripted.log[-1].to == "carol"


async def test_a_room_one_is_not_in_is_not_opened(server: ChatServer, desk: Desk) -> None:
    address = str(server.addresses[0])
    async with desk.client(address, "--name", "alice", "--room", "lobby", "--room", "m") as alice:
        await alice.shows("1:#lobby 2:#m")
        alice.press(f"{ESCAPE}2")
        await alice.shows("#m>")
        alice.type("/msg #nowhere")
        await alice.shows("you are not in #nowhere: /join #nowhere")
        await alice.shows_line("#m>")
        alice.type("/leave #nowhere")
        await alice.shows("(404)")
        await alice.shows_line("#m>")


async def test_a_refusal_of_what_nobody_typed_is_not_shown(scripted: ScriptedServer, desk: Desk) -> None:
    scripted.take_over(commands.Who, scripted.refuse(Code.FORBIDDEN, "join first"))
    async with desk.client(scripted.address, "--name", "alice") as alice:
        await alice.shows("#lobby>")
        await scripted.wait_for(commands.Who)
        alice.press(f"/who{ENTER}hi{ENTER}")
        await alice.shows("alice: hi", "join first")
        assert alice.text.count("join first") == 1


async def test_a_tab_of_a_room_one_is_not_in_closes(scripted: ScriptedServer, desk: Desk) -> None:
    scripted.take_over(commands.Hello, _let_into_the_lobby)
    scripted.take_over(commands.Leave, scripted.refuse(Code.NOT_FOUND, "no such room"))
    async with desk.client(scripted.address, "--name", "alice", "--room", "lobby", "--to", "#gone") as alice:
        await alice.shows("#gone>")
        alice.type("/leave")
        await alice.shows_line("#lobby>")
        await alice.lacks("2:#gone")
        assert "no such room" not in alice.text
        alice.type("/leave")
        await alice.shows("no such room (404)", "1:#lobby")


async def test_a_reply_goes_to_who_had_written_when_it_was_begun(scripted: ScriptedServer, desk: Desk) -> None:
    async with desk.client(scripted.address, "--name", "alice") as alice:
        await alice.shows("#lobby>")
        scripted.said("psst", to="alice")
        await alice.shows("bob: psst")
        alice.press("/reply only ")
        await alice.shows("#lobby> /reply only")
        scripted.tell(events.Renamed(name="bob", to="rob"))
        scripted.said("hi", to="alice", sender="eve")
        await alice.shows("eve: hi")
        alice.press(f"for you{ENTER}/r and you{ENTER}")
        says = await scripted.wait_for(commands.Say, 2)
        assert [(say.to, say.text) for say in says] == [("rob", "only for you"), ("eve", "and you")]
