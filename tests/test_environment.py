"""The programs in poor environments: no home directory, a locale without others' scripts, files with a BOM."""

import asyncio
import codecs
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from asyncchat import ChatServer, connect
from asyncchat.console.cli import parse
from asyncchat.server.command_line import load_config
from asyncchat.storage.transfer import export, import_
from tests.console.terminals import CLIENT, terminal
from tests.programs import ROOT

# The user has no entry in the passwd database, as in a container that runs as any user id.
HOMELESS = """
import pwd, runpy, sys

def getpwuid(uid):
    raise KeyError(uid)

pwd.getpwuid = getpwuid
runpy.run_module("asyncchat.{}", run_name="__main__", alter_sys=True)
"""

OF_A_HOME = frozenset(
    ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "ASYNCCHAT_CONFIG_DIR")
)


async def run(
    *words: str, say: bytes = b"", environment: Mapping[str, str] = os.environ
) -> tuple[int | None, str, str]:
    """Status, output and errors of a Python program that is given this on standard input."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT, env=environment
    )
    output, error = await process.communicate(say)
    return process.returncode, output.decode(), error.decode()


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with ChatServer(listen=["tcp://127.0.0.1:0"], data=":memory:") as server:
        yield server


@pytest.mark.skipif(sys.platform == "win32", reason="there is no passwd database")
class TestWithoutHome:
    environment = {name: value for name, value in os.environ.items() if name not in OF_A_HOME}  # noqa: RUF012 - never changed

    async def test_a_server_that_is_told_where(self, tmp_path: Path) -> None:
        words = ("-c", HOMELESS.format("server"), "admin", "--data", str(tmp_path), "accounts", "list")
        assert await run(*words, environment=self.environment) == (
            1,
            "",
            f"asyncchat-server: there is no database in {tmp_path}\n",
        )

    async def test_a_server_that_is_not_told_where(self) -> None:
        words = ("-c", HOMELESS.format("server"), "--listen", "tcp://127.0.0.1:0")
        status, _, error = await run(*words, environment=self.environment)
        assert status == 2
        assert error.endswith("data: there is no home directory here: name a directory with --data\n")

    async def test_a_client(self, server: ChatServer) -> None:
        words = ("-c", HOMELESS.format("client"), server.addresses[0], "--name", "ci", "-w")
        assert await run(*words, say=b"hi", environment=self.environment) == (
            0,
            "",
            "cannot keep the token of ci: Not a directory\n",
        )


@pytest.mark.skipif(os.name != "posix", reason="terminals are POSIX's")
@pytest.mark.parametrize(
    "locale", [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}], ids=["latin-1", "C"]
)
async def test_a_locale_without_the_characters(server: ChatServer, locale: dict[str, str], tmp_path: Path) -> None:
    """The texts of others are shown as far as possible, and end no client."""
    environment = {"ASYNCCHAT_CONFIG_DIR": str(tmp_path), "PYTHONUTF8": "0", "TERM": "dumb", **locale}
    async with (
        connect(server.addresses[0], name="bob") as bob,
        terminal([*CLIENT, server.addresses[0], "--name", "ann"], environment) as ann,
    ):
        await ann.shows("-- you write to #lobby")
        await bob.say("#lobby", "coffee \u2615")
        await ann.shows(r"bob: coffee \u2615")
        ann.type("/quit")
        assert await ann.ended() == 0


class TestByteOrderMark:
    def test_of_a_password_file_of_the_client(self, tmp_path: Path) -> None:
        file = tmp_path / "password"
        file.write_bytes(codecs.BOM_UTF8 + b"sesame\n")
        assert parse(["--name", "ann", "--password-file", str(file)]).password == "sesame"

    def test_of_what_the_server_reads(self, tmp_path: Path) -> None:
        for name in ("motd", "secret"):
            (tmp_path / name).write_bytes(codecs.BOM_UTF8 + name.encode())
        file = tmp_path / "asyncchat.toml"
        file.write_bytes(codecs.BOM_UTF8 + b'motd = "motd"\nserver_password_file = "secret"\n')
        settings = load_config(str(file), {}).settings
        assert (settings.motd, settings.server_password) == ("motd", "secret")

    async def test_of_a_password_on_standard_input(self, tmp_path: Path) -> None:
        words = ("-m", "asyncchat.server", "admin", "--data", str(tmp_path), "accounts", "create", "ann")
        status, _, error = await run(*words, say=codecs.BOM_UTF8 + b"correct horse battery\n")
        assert (status, error) == (0, "")
        async with (
            ChatServer(listen=["tcp://127.0.0.1:0"], data=tmp_path) as server,
            connect(server.addresses[0], name="ann", password="correct horse battery") as ann,
        ):
            assert ann.welcome.registered

    async def test_of_an_export(self, tmp_path: Path) -> None:
        async with (
            ChatServer(listen=["tcp://127.0.0.1:0"], data=tmp_path) as server,
            connect(server.addresses[0], name="ann") as ann,
        ):
            await ann.say("#lobby", "kept")
        lines = list(export(tmp_path / "asyncchat.db"))
        touched = [codecs.BOM_UTF8 + lines[0], *lines[1:]]
        assert import_(touched, tmp_path / "new" / "asyncchat.db") == len(lines) - 1
