"""Every command and every piece of code in README.md runs, and what it shows is what one sees."""

import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import asyncchat
from asyncchat import ChatServer, connect, events
from asyncchat.server.app import DEFAULT_LISTEN
from asyncchat.vocabulary.addresses import DEFAULT_PORT
from tests.console.terminals import CTRL_C, Terminal, terminal
from tests.markdown import ROOT, blocks
from tests.programs import python, run, running
from tests.tools import requires_tool

README = ROOT / "README.md"
SHELL = [line for block in blocks(README, "sh") for line in block.text.splitlines()]
CODE = [block.text for block in blocks(README, "python")]
PICTURES = [block.text.splitlines() for block in blocks(README, "text")]
PORT = "7777"
MAKE = [f"BIN={Path(sys.executable).parent}", "-o", ".venv/installed", "-o", ".venv/installed-dev"]
"""Use the environment that runs the tests, as it is."""


def command(beginning: str) -> str:
    """The command of the document that begins like this, without the comment behind it."""
    (line,) = [line for line in SHELL if line.startswith(beginning)]
    return line.partition("   #")[0].rstrip()


def here(shell: str, port: int | str, folder: Path) -> list[str]:
    """A command with the tests' Python and port in the place of the document's, its files in a folder."""
    client = "asyncchat.client"
    shell = shell.replace(".venv/bin/python", sys.executable).replace(f"127.0.0.1 {PORT}", f"127.0.0.1 {port}")
    shell = shell.replace(client, f"{client} tcp://127.0.0.1:{port}")
    return ["env", f"HOME={folder}", f"XDG_CONFIG_HOME={folder}", "bash", "-o", "pipefail", "-c", shell]


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with ChatServer(listen=["tcp://127.0.0.1:0"]) as server:
        yield server


def port_of(server: ChatServer) -> str:
    return server.addresses[0].rpartition(":")[2]


async def heard(chat: asyncchat.ChatClient, sender: str) -> events.Said:
    async for event in chat:
        if isinstance(event, events.Said) and event.sender == sender:
            return event
    raise AssertionError("the client was closed")


def test_all_commands_and_all_code_of_the_document_are_run() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    run_here = re.findall(r"command\(\"([^\"]+)\"\)", source)
    assert [line for line in SHELL if not any(line.startswith(beginning) for beginning in run_here)] == []
    assert {int(number) for number in re.findall(r"CODE\[(\d)\]", source)} == set(range(len(CODE)))
    assert {int(number) for number in re.findall(r"PICTURES\[(\d)\]", source)} == set(range(len(PICTURES)))


def test_the_port_is_that_of_the_programs() -> None:
    assert f"tcp://127.0.0.1:{PORT}" == DEFAULT_LISTEN
    assert str(DEFAULT_PORT) == PORT


# --- the picture ------------------------------------------------------------------------------------------------------


def shown(screen: Terminal) -> list[str]:
    """What stands on a screen, with the document's day and time in the place of today's."""
    text = re.sub(r"\w+day, \d+ \w+ \d{4}", "Friday, 2 January 2026", screen.text)
    return re.sub(r"\b\d\d:\d\d\b", "14:02", text).split("\n")


async def until_shown(screen: Terminal, picture: list[str]) -> None:
    await screen.until(lambda: shown(screen) == picture, "\n".join(["picture:", *picture, ""]))


@requires_tool("make")
@requires_tool("nc")
async def test_the_picture_is_what_one_sees(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as life:
        files = {name: str(tmp_path) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "ASYNCCHAT_CONFIG_DIR")}

        async def opened(*words: str, rows: int = 20) -> Terminal:
            return await life.enter_async_context(terminal([*words], files, rows=rows, columns=78))

        serve = command("make serve").split()
        server = await opened(*serve, *MAKE, "ARGS=--listen tcp://127.0.0.1:0")
        await server.shows("Listening on")
        (port,) = re.findall(r"Listening on tcp://127\.0\.0\.1:(\d+)", server.text)
        client = command(".venv/bin/python -m asyncchat.client --name alice")
        alice = await opened(*here(client, port, tmp_path), rows=len(PICTURES[0]))
        await alice.shows("alice joined")
        bob = await opened(*here(client.replace("alice", "bob"), port, tmp_path))
        await alice.shows("bob joined")
        bob.type("the new build is up, who can try it?")
        await alice.shows("who can try it?")
        carol = await opened(*here(command("nc"), port, tmp_path))
        await carol.shows("What is your name?")
        carol.type("carol")
        await carol.shows("/help lists the commands")
        carol.type("trying it now")
        await alice.shows("trying it now")
        alice.press("carol: thank you, is the log")
        await alice.shows("is the log")
        bob.press("it should be qui")
        await until_shown(alice, PICTURES[0])
        assert PICTURES[1][0] == f"$ {command('nc')}"
        await until_shown(carol, PICTURES[1][1:])

        server.press(CTRL_C)
        await server.shows("Stopped")
        await server.ended()
    assert (tmp_path / "asyncchat" / "asyncchat.db").is_file()


# --- commands ---------------------------------------------------------------------------------------------------------


@requires_tool("make")
async def test_make_test_runs_the_tests() -> None:
    arguments = "ARGS=--collect-only -q tests/test_readme.py"
    status, output, errors = await run(*command("make test").split(), *MAKE, arguments, environment={"MAKEFLAGS": ""})
    assert (status, errors) == (0, "")
    assert f"tests/test_readme.py::{test_make_test_runs_the_tests.__name__}" in output


async def test_a_script_is_told_when_its_message_is_kept(server: ChatServer, tmp_path: Path) -> None:
    async with server.connect("alice", rooms=["#ops"]) as alice:
        status, output, errors = await run(*here(command("echo deployed"), port_of(server), tmp_path))
        assert (status, output, errors) == (0, "", "")
        assert (await heard(alice, "ci")).text == "deployed"


async def test_a_program_listens(server: ChatServer, tmp_path: Path) -> None:
    listener = here(command(".venv/bin/python -m asyncchat.client --name log"), port_of(server), tmp_path)
    async with server.connect("alice", rooms=["#ops"]) as alice, running(*listener) as program:
        async for event in alice:
            if isinstance(event, events.Joined) and event.name == "log":
                break
        said = await alice.say("#ops", "hi")
        await program.until(rf'^{{"type":"said","seq":{said.seq},.*"text":"hi".*}}$')
        os.killpg(program.process.pid, signal.SIGINT)
        status, errors = await program.end()
        assert errors == ""
        assert status in (0, 130, -signal.SIGINT)


async def test_pip_installs_both_programs(tmp_path: Path) -> None:
    install = [*python("-m"), *command("pip install").split()]
    offline = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    status, _, errors = await run(*install, *offline, "--target", tmp_path, environment={"PYTHONWARNINGS": ""})
    assert (status, errors) == (0, "")
    for shell in (command("asyncchat-server"), command("asyncchat --")):
        program, *words = shell.split()
        status, output, errors = await run(
            tmp_path / "bin" / program, *words, folder=tmp_path, environment={"PYTHONPATH": str(tmp_path)}
        )
        assert (status, errors) == (0, "")
        assert output.startswith(f"usage: {program} ")
    check_installed(tmp_path)


def check_installed(folder: Path) -> None:
    assert {path.name for path in folder.iterdir() if path.suffix != ".dist-info"} == {"asyncchat", "bin"}
    assert (folder / "asyncchat" / "py.typed").is_file()
    (metadata,) = folder.glob("*.dist-info/METADATA")
    assert README.read_text(encoding="utf-8") in metadata.read_text(encoding="utf-8")


# --- code -------------------------------------------------------------------------------------------------------------


async def test_a_chat_inside_an_app(tmp_path: Path) -> None:
    # Port 0, and a word of where that is: the document's program has no need to say so.
    program = (
        CODE[0]
        .replace(f":{PORT}", ":0")
        .replace("        async for", "        print(*server.addresses)\n        async for", 1)
    )
    assert program != CODE[0]
    async with running(*python("-c", program), folder=tmp_path) as app:
        address = (await app.until("^tcp:")).string
        async with connect(address, name="alice", reconnect=False) as alice:
            assert (await heard(alice, "bot")).text == "hello alice"
            app.interrupt()
            async for event in alice:
                if isinstance(event, events.Bye):
                    break
        _, errors = await app.end()
        assert errors.rstrip().endswith("KeyboardInterrupt")


async def test_a_client_of_a_server_that_runs_elsewhere(server: ChatServer) -> None:
    program = CODE[1].replace(f"127.0.0.1:{PORT}", f"127.0.0.1:{port_of(server)}")
    async with server.connect("alice") as alice, running(*python("-c", program)) as app:
        assert (await heard(alice, "dave")).text == "hi"
        await alice.say("#lobby", "hi dave")
        assert (await app.until("alice")).string == "alice: hi dave"
        app.interrupt()
        _, errors = await app.end()
        assert errors.rstrip().endswith("KeyboardInterrupt")
