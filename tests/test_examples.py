"""Every example runs, against a real server, does what its first lines say, and ends cleanly with Ctrl+C."""

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asyncchat import ChatClient, ChatServer, Limits, Settings, connect, events
from tests.programs import ROOT, python, run, running

EXAMPLES = ROOT / "examples"
NO_CONFIG = "ASYNCCHAT_CONFIG_DIR"  # so that no test touches the tokens of the person who runs it


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with ChatServer(listen=["tcp://127.0.0.1:0"]) as server:
        yield server


async def heard(chat: ChatClient, sender: str) -> events.Said:
    """The next message of this person."""
    async for event in chat:
        if isinstance(event, events.Said) and event.sender == sender:
            return event
    raise AssertionError("the client was closed")


def test_every_example_has_its_test() -> None:
    tests = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.rglob("test_*.py")]
    examples = [path.name for path in EXAMPLES.iterdir() if path.is_file()]
    assert [name for name in examples if not any(f'"{name}"' in test for test in tests)] == []


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
async def test_an_example_explains_its_options(example: Path) -> None:
    status, output, errors = await run(*python(example, "--help"))
    assert (status, errors) == (0, "")
    assert f"usage: {example.name}" in output


@pytest.mark.parametrize("example", ["echo_bot.py", "archive.py"])
async def test_an_example_without_a_server_says_so_in_a_line(example: str, tmp_path: Path) -> None:
    rest: list[str | Path] = ["#ops", tmp_path / "ops.jsonl"] if example == "archive.py" else []
    status, output, errors = await run(*python(EXAMPLES / example, "tcp://127.0.0.1:1", *rest))
    assert (status, output) == (1, "")
    assert errors == f"{example.removesuffix('.py')}: cannot connect to tcp://127.0.0.1:1: Connection refused\n"


# --- the echo bot -----------------------------------------------------------------------------------------------------


async def test_echo_bot_answers_who_mentions_it_and_nobody_else(server: ChatServer) -> None:
    async with server.connect("alice") as alice:
        bot = python(
            EXAMPLES / "echo_bot.py", server.addresses[0], "--name", "Echo", "--room", "#lobby", "--room", "#b"
        )
        async with running(*bot) as program:
            assert (await program.until("is in")).string == "Echo is in #b, #lobby"
            await alice.say("#lobby", "echoes are nice")  # no word of its own
            await alice.say("#lobby", "is Echo there?", kind="notice")  # programs do not answer notices
            asked = await alice.say("#lobby", "ECHO: hello")
            answer = await heard(alice, "Echo")
            assert answer.text == "alice: you said 'ECHO: hello'"
            assert (answer.kind, answer.reply_to) == ("notice", asked.seq)

            asked = await alice.say("Echo", "psst")
            answer = await heard(alice, "Echo")
            assert (answer.to, answer.text, answer.reply_to) == ("alice", "psst", asked.seq)

            program.interrupt()
            assert await program.end() == (0, "")


async def test_echo_bot_comes_back_when_the_server_does(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as life:
        server = await life.enter_async_context(ChatServer(listen=["tcp://127.0.0.1:0"], data=tmp_path))
        address = server.addresses[0]
        program = await life.enter_async_context(running(*python(EXAMPLES / "echo_bot.py", address)))
        await program.until("is in")
        await server.aclose()
        await program.until("^the server says goodbye: the server is shutting down$")
        async with ChatServer(listen=[address], data=tmp_path) as again, again.connect("alice") as alice:
            await program.until("^back again$")
            await alice.say("#lobby", "echo, are you back?")
            assert (await heard(alice, "echo")).text == "alice: you said 'echo, are you back?'"
            program.interrupt()
            assert await program.end() == (0, "")


async def test_echo_bot_is_told_that_its_name_is_taken(server: ChatServer) -> None:
    async with server.connect("echo"):
        status, output, errors = await run(*python(EXAMPLES / "echo_bot.py", server.addresses[0]))
    assert (status, output, errors) == (1, "", "echo_bot: echo is taken (409)\n")


# --- a server inside an app -------------------------------------------------------------------------------------------


async def test_embedded_measures_reports_and_answers_at_once() -> None:
    app = python(EXAMPLES / "embedded.py", "--listen", "tcp://127.0.0.1:0", "--every", "0.02")
    async with running(*app) as program:
        address = (await program.until(r"^chat on (tcp://127\.0\.0\.1:\d+)$"))[1]
        async with connect(address, name="carol") as carol:
            assert carol.joined == {"#weather"}
            assert carol.welcome.motd == "Ask me: /msg station how is it?"
            reports = [await heard(carol, "station") for _ in range(3)]
            assert {report.to for report in reports} == {"#weather"}
            assert all(report.text.endswith(" °C") and report.kind == "notice" for report in reports)

            await carol.say("station", "how is it?")
            while (answer := await heard(carol, "station")).to != "carol":
                pass
            assert answer.text.endswith(" °C, and you?")

            program.interrupt()
            async for event in carol:
                if isinstance(event, events.Bye):
                    break
        assert await program.end() == (0, "")


async def test_embedded_says_in_a_line_that_its_address_is_taken(server: ChatServer) -> None:
    status, output, errors = await run(*python(EXAMPLES / "embedded.py", "--listen", server.addresses[0]))
    assert (status, output) == (1, "")
    assert errors.startswith("embedded: ")
    assert "already in use" in errors
    assert errors.count("\n") == 1


# --- a listener of one's own ------------------------------------------------------------------------------------------


async def test_own_listener_lets_in_who_is_on_the_list_and_says_goodbye() -> None:
    app = python(EXAMPLES / "own_listener.py", "--port", "0")
    async with running(*app) as program:
        address = (await program.until(r"^chat on (.*)$"))[1]
        async with connect(address, name="alice") as alice, connect(address, name="bob") as bob:
            await alice.say("#lobby", "hi bob")
            assert (await heard(bob, "alice")).text == "hi bob"
            program.interrupt()
            async for event in bob:
                if isinstance(event, events.Bye):
                    break
            assert await program.end() == (0, "")


async def test_own_listener_turns_away_who_is_not_on_the_list() -> None:
    app = python(EXAMPLES / "own_listener.py", "--port", "0", "--allow", "192.0.2.0/24")
    async with running(*app) as program:
        port = int((await program.until(r":(\d+)$"))[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b"You are not on the list.\n"
        writer.close()
        await writer.wait_closed()
        program.interrupt()
        assert await program.end() == (0, "")


# --- the archive ------------------------------------------------------------------------------------------------------


async def test_archive_takes_all_pages_once_and_later_what_is_new(tmp_path: Path) -> None:
    file = tmp_path / "ops.jsonl"
    small_pages = Settings(limits=Limits(page=10))
    async with (
        ChatServer(listen=["tcp://127.0.0.1:0"], settings=small_pages) as server,
        server.connect("alice", rooms=["#ops"]) as alice,
    ):
        archive = python(EXAMPLES / "archive.py", server.addresses[0], "#ops", file)
        said = await asyncio.gather(*(alice.say("#ops", f"message {i}") for i in range(25)))
        assert await run(*archive) == (0, f"25 new messages in {file}\n", "")
        assert await run(*archive) == (0, f"0 new messages in {file}\n", "")
        said.append(await alice.say("#ops", "naïve 日本語"))
        assert await run(*archive) == (0, f"1 new messages in {file}\n", "")
        assert await newcomer(alice) is None
    kept = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [(line["seq"], line["text"]) for line in kept] == [(message.seq, message.text) for message in said]


async def newcomer(chat: ChatClient) -> str | None:
    """The first other person who came into a room, of all that has happened up to now; None if there was none."""
    last = await chat.say("#ops", "the end")
    async for event in chat:
        match event:
            case events.Joined(name=name) if name != chat.name:
                return name
            case events.Said(seq=seq) if seq == last.seq:
                break
    return None


async def test_archive_of_a_room_that_is_none_says_so(server: ChatServer, tmp_path: Path) -> None:
    archive = python(EXAMPLES / "archive.py", server.addresses[0], "#nowhere", tmp_path / "file")
    assert await run(*archive) == (1, "", "archive: no such room: #nowhere (404)\n")


# --- the notifier -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "status", "text"),
    [
        (["true"], 0, r"✔ true: done in \d+ s"),
        (["sh", "-c", "exit 7"], 7, r"✘ sh -c exit 7: failed with status 7 after \d+ s"),
    ],
)
async def test_notify_tells_how_a_command_ended(
    server: ChatServer, tmp_path: Path, command: list[str], status: int, text: str
) -> None:
    async with server.connect("alice", rooms=["#ops"]) as alice:
        told = {"CHAT": server.addresses[0], "PYTHON": sys.executable, NO_CONFIG: str(tmp_path)}
        assert await run(EXAMPLES / "notify.sh", "#ops", *command, environment=told) == (status, "", "")
        message = await heard(alice, "ci")
    assert message.to == "#ops"
    assert re.fullmatch(text, message.text)


async def test_notify_without_a_server_lets_the_command_decide(tmp_path: Path) -> None:
    told = {"CHAT": "tcp://127.0.0.1:1", "PYTHON": sys.executable, NO_CONFIG: str(tmp_path)}
    status, output, errors = await run(EXAMPLES / "notify.sh", "#ops", "echo", "deployed", environment=told)
    assert (status, output) == (0, "deployed\n")
    assert "Connection refused" in errors
    assert "nobody was told: ✔ echo deployed: done in" in errors


async def test_notify_explains_its_use() -> None:
    status, output, errors = await run(EXAMPLES / "notify.sh")
    assert (status, output) == (2, "")
    assert errors.startswith("usage: ")
