"""``asyncchat-server admin``: a database in the hands of its administrator."""

import asyncio
import json
import os
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from asyncchat import ChatServer, commands, events
from asyncchat.client import connect
from tests.console.terminals import terminal
from tests.server.peers import Native
from tests.server.process import PROGRAM, ROOT, ServerProcess, call

PASSWORD = "correct horse battery"
OTHER = "staple correct horse"


class Admin:
    """Runs commands on one data directory."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.database = data / "asyncchat.db"

    def __call__(self, *words: str, said: str = "") -> str:
        """A command that succeeds; its output."""
        result = call("admin", "--data", str(self.data), *words, said=said)
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        return result.stdout

    def fails(self, *words: str, said: str = "") -> str:
        """A command that fails: the one line that says why."""
        result = call("admin", "--data", str(self.data), *words, said=said)
        assert result.returncode == 1, result.stderr
        (line,) = result.stderr.splitlines()
        assert line.startswith("asyncchat-server: ")
        return line.removeprefix("asyncchat-server: ")

    async def hello(self, command: commands.Hello) -> events.Welcome | events.Error:
        """How a login is answered by a server on this database."""
        async with (
            ChatServer(listen=["tcp://127.0.0.1:0"], data=self.data) as server,
            await Native.open(server) as peer,
        ):
            result = await peer.ask(command)
            assert isinstance(result, events.Welcome | events.Error)
            return result

    async def welcome(self, name: str, password: str) -> events.Welcome:
        """A login that succeeds."""
        result = await self.hello(commands.Hello(name=name, password=password))
        assert isinstance(result, events.Welcome)
        return result


def empty(data: Path) -> Admin:
    """An empty directory: of one that root makes the commands tell whose it is."""
    data.mkdir()
    return Admin(data)


@pytest.fixture
def admin(tmp_path: Path) -> Admin:
    return empty(tmp_path / "data")


@pytest.fixture
def talked(admin: Admin) -> Admin:
    """A database in which somebody said something."""

    async def talk() -> None:
        async with (
            ChatServer(listen=["tcp://127.0.0.1:0"], data=admin.data) as server,
            connect(server.addresses[0], name="alice") as alice,
        ):
            for number in range(5):
                await alice.say("#lobby", f"message {number}")
            await alice.register(PASSWORD)

    asyncio.run(talk())
    return admin


# --- accounts -------------------------------------------------------------------------------------------------------


async def test_an_account_is_made_and_its_owner_logs_in(admin: Admin) -> None:
    admin("accounts", "create", "Алиса", said=f"{PASSWORD}\n")
    assert admin("accounts", "list") == "Алиса  password\n"
    assert (await admin.welcome("Алиса", PASSWORD)).registered
    assert (await admin.hello(commands.Hello(name="Алиса", password=OTHER))).code == 402
    assert (await admin.hello(commands.Hello(name="Алиса"))).code == 402


async def test_what_is_written_to_a_new_account_waits_for_its_owner(admin: Admin) -> None:
    admin("accounts", "create", "bob", said=f"{PASSWORD}\n")
    async with ChatServer(listen=["tcp://127.0.0.1:0"], data=admin.data) as server:
        async with connect(server.addresses[0], name="alice") as alice:
            await alice.say("bob", "welcome, bob")
        async with await Native.open(server, "bob", password=PASSWORD) as bob:
            assert (await bob.event(events.Said)).text == "welcome, bob"


async def test_a_password_is_made_up(admin: Admin) -> None:
    password = admin("accounts", "create", "bob", "--generate").strip()
    assert len(password) >= 16
    await admin.welcome("bob", password)


@pytest.mark.skipif(os.name != "posix", reason="terminals are POSIX's")
async def test_a_password_is_asked_for_in_a_terminal_and_not_shown(admin: Admin) -> None:
    command = [*PROGRAM, "admin", "--data", str(admin.data), "accounts", "create", "bob"]
    async with terminal(command, {}) as screen:
        await screen.shows("Password:")
        screen.type(PASSWORD)
        await screen.shows("Once more:")
        screen.type(OTHER)
        await screen.shows("asyncchat-server: these are two passwords")
        assert await screen.ended() == 1
    async with terminal(command, {}) as screen:
        await screen.shows("Password:")
        screen.type(PASSWORD)
        await screen.shows("Once more:")
        screen.type(PASSWORD)
        assert await screen.ended() == 0
        assert PASSWORD not in screen.text
    await admin.welcome("bob", PASSWORD)


async def test_a_password_is_reset_and_all_tokens_are_void(talked: Admin) -> None:
    token = (await talked.welcome("alice", PASSWORD)).token
    assert token is not None
    talked("accounts", "reset-password", "alice", said=f"{OTHER}\n")
    assert (await talked.hello(commands.Hello(name="alice", password=PASSWORD))).code == 402
    assert (await talked.hello(commands.Hello(token=token))).code == 402
    await talked.welcome("alice", OTHER)


async def test_administrators_are_made_and_unmade(talked: Admin) -> None:
    talked("accounts", "make-administrator", "alice")
    assert talked("accounts", "list") == "alice  administrator, password\n"
    assert (await talked.welcome("alice", PASSWORD)).administrator
    assert talked.fails("accounts", "make-administrator", "alice") == "alice is an administrator already"
    talked("accounts", "revoke-administrator", "alice")
    assert talked("accounts", "list") == "alice  password\n"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["create", "Alice"], "Alice is taken"),
        (["create", "аlice"], "аlice is taken (it looks like alice)"),
        (["create", "a b"], "a name cannot contain U+0020 SPACE: it is a space"),
        (["create", "bob", "short"], "a password has at least 8 characters"),
        (["reset-password", "nobody"], "no such user: nobody"),
        (["make-administrator", "nobody"], "no such user: nobody"),
        (["revoke-administrator", "alice"], "alice is no administrator"),
    ],
)
def test_what_cannot_be_is_said(talked: Admin, words: list[str], problem: str) -> None:
    task, name, *password = words
    said = talked.fails("accounts", task, name, said=f"{password[0] if password else OTHER}\n")
    assert said == problem


def test_a_name_that_is_reserved_can_be_given_away(admin: Admin) -> None:
    admin("accounts", "create", "admin", said=f"{PASSWORD}\n")
    assert admin("accounts", "list") == "admin  password\n"


def test_a_new_epoch_needs_the_database_for_itself(talked: Admin) -> None:
    with ServerProcess(data=talked.data).started() as server:
        problem = talked.fails("new-epoch")
        assert problem == f"another process uses the database {talked.database}: end it first"
        assert server.stop() == 0


def test_the_settings_of_the_server_count(talked: Admin, tmp_path: Path) -> None:
    config = tmp_path / "chat.toml"
    config.write_text(f"data = '{talked.data}'\nadministrators = ['alice']")
    result = call("admin", "--config", str(config), "accounts", "list")
    assert (result.returncode, result.stdout) == (0, "alice  administrator, password\n")
    config.write_text("nmae = 'x'")
    result = call("admin", "--config", str(config), "accounts", "list")
    assert (result.returncode, result.stderr) == (
        2, "asyncchat-server: nmae: there is no such setting; is name meant?\n"
    )  # fmt: skip


@pytest.mark.parametrize("words", [["accounts", "list"], ["export"], ["check"], ["new-epoch"], ["backup", "copy.db"]])
def test_no_database_is_made_by_looking_for_one(tmp_path: Path, words: list[str]) -> None:
    admin = Admin(tmp_path / "none")
    assert admin.fails(*words) == f"there is no database in {admin.data}"
    assert not admin.data.exists()


@pytest.mark.parametrize("words", [["accounts", "list"], ["check"]])
def test_a_place_that_the_system_refuses_is_told_in_a_line(tmp_path: Path, words: list[str]) -> None:
    place = tmp_path / ("x" * 300)  # longer than any name of a file
    assert str(place) in Admin(place).fails(*words)


@pytest.mark.parametrize("words", [[], ["accounts"], ["explode"], ["accounts", "create"], ["--colour", "check"]])
def test_bad_usage_is_status_2(words: list[str]) -> None:
    result = call("admin", *words)
    assert result.returncode == 2
    assert result.stderr.startswith("usage: asyncchat-server admin")


# --- what root makes ------------------------------------------------------------------------------------------------

SERVICE = 64_321
"""A user as whom a server may run, in no list of users."""

needs_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root makes files for somebody else"
)


def owners(folder: Path) -> dict[str, int]:
    return {file.name: file.lstat().st_uid for file in (folder, *folder.iterdir())}


@pytest.fixture
def of_service(admin: Admin) -> Admin:
    """A directory of the server's user, as systemd makes it."""
    os.chown(admin.data, SERVICE, SERVICE)
    return admin


@needs_root
def test_what_root_makes_in_the_directory_of_the_servers_user_is_theirs(of_service: Admin) -> None:
    of_service("accounts", "create", "alice", said=f"{PASSWORD}\n")
    assert owners(of_service.data) == dict.fromkeys(("data", "asyncchat.db", "asyncchat.db-lock"), SERVICE)


@needs_root
def test_a_server_of_root_makes_nothing_that_the_directorys_owner_cannot_open(of_service: Admin) -> None:
    with ServerProcess(data=of_service.data).started() as server:
        files = ("data", "asyncchat.db", "asyncchat.db-lock", "asyncchat.db-wal", "asyncchat.db-shm")
        server.wait_for("Operate:")
        assert owners(of_service.data) == dict.fromkeys(files, SERVICE) | {"control.sock": 0}  # it acts as root
        assert server.stop() == 0


@needs_root
def test_an_import_of_root_belongs_to_the_directorys_owner(of_service: Admin, talked: Admin, tmp_path: Path) -> None:
    exported = talked("export")
    new = Admin(of_service.data / "deep" / "data")
    new("import", said=exported)
    assert new.data.parent.stat().st_uid == SERVICE
    assert owners(new.data) == dict.fromkeys(("data", "asyncchat.db", "asyncchat.db-lock"), SERVICE)


@needs_root
def test_reading_as_root_leaves_nothing_of_roots(of_service: Admin, tmp_path: Path) -> None:
    of_service("accounts", "create", "alice", said=f"{PASSWORD}\n")
    of_service("backup", str(tmp_path / "copy.db"))
    of_service("export")
    of_service("check")
    of_service("new-epoch")
    assert set(owners(of_service.data).values()) == {SERVICE}


@needs_root
def test_a_link_in_the_place_of_the_lock_gives_nothing_of_roots_away(of_service: Admin, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    (of_service.data / "asyncchat.db-lock").symlink_to(target)
    of_service("accounts", "create", "alice", said=f"{PASSWORD}\n")
    assert target.stat().st_uid == 0


@needs_root
def test_of_a_directory_that_root_makes_it_is_said_whose_it_is(admin: Admin) -> None:
    new = admin.data / "new"
    result = call("admin", "--data", str(new), "accounts", "create", "alice", said=f"{PASSWORD}\n")
    assert result.returncode == 0
    assert result.stderr == (
        f"asyncchat-server: {new} is new and belongs to root: give it to the user as whom the server runs (chown -R)\n"
    )


# --- copies ---------------------------------------------------------------------------------------------------------


def texts(database: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return [text for (text,) in db.execute("SELECT text FROM messages ORDER BY seq")]


SAID = [f"message {number}" for number in range(5)]


def test_a_backup_beside_a_running_server(talked: Admin, tmp_path: Path) -> None:
    with ServerProcess(data=talked.data).started() as server:

        async def say() -> None:
            async with connect(server.addresses[0], name="bob") as bob:
                await bob.say("#lobby", "just now")

        asyncio.run(say())
        assert talked("backup", str(tmp_path / "copy.db")) == ""
        assert "is there already" in talked.fails("backup", str(tmp_path / "copy.db"))
        assert server.stop() == 0
    assert texts(tmp_path / "copy.db") == [*SAID, "just now"]
    restored = Admin(tmp_path / "restored")
    restored.data.mkdir()
    (tmp_path / "copy.db").rename(restored.database)
    assert restored("check") == f"{restored.database} is sound\n"
    assert restored("accounts", "list") == "alice  password\n"


async def test_an_older_state_that_was_put_back_gets_another_epoch(talked: Admin) -> None:
    before = await talked.welcome("alice", PASSWORD)
    assert "an epoch of its own" in talked("new-epoch")
    after = await talked.welcome("alice", PASSWORD)
    assert after.epoch != before.epoch
    assert after.identity == before.identity is not None
    assert texts(talked.database) == SAID


def test_an_export_and_its_import_are_the_same_chat(talked: Admin, tmp_path: Path) -> None:
    exported = talked("export")
    assert [json.loads(line)["fact"]["text"] for line in exported.splitlines() if '"text":"message' in line] == SAID
    new = empty(tmp_path / "new")
    count = len(exported.splitlines()) - 1
    assert new("import", said=exported) == f"{count} records are in {new.database}\n"
    assert texts(new.database) == SAID
    assert new("accounts", "list") == "alice  password\n"
    assert new("check") == f"{new.database} is sound\n"
    assert new.fails("import", said=exported).startswith(f"{new.database} is there already")


def test_export_to_a_file_and_import_from_one(talked: Admin, tmp_path: Path) -> None:
    file, new = tmp_path / "chat.jsonl", empty(tmp_path / "new")
    assert talked("export", str(file)) == ""
    assert file.read_text() == talked("export")
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
    assert talked.fails("export", str(file)) == f"cannot write {file}: File exists"
    new("import", str(file))
    assert texts(new.database) == SAID
    assert new.fails("import", str(tmp_path / "none")) == f"cannot read {tmp_path / 'none'}: No such file or directory"


def test_an_export_whose_reader_leaves_ends_quietly(talked: Admin) -> None:
    words = shlex.join([*PROGRAM, "admin", "--data", str(talked.data), "export"])
    result = subprocess.run(
        ["bash", "-c", f"{words} | head -c 1"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=20
    )
    assert (result.stdout, result.stderr) == ("{", "")


def test_lines_that_are_no_export_make_no_database(admin: Admin) -> None:
    assert admin.fails("import", said="hello\n").startswith("line 1 is no record: ")
    assert not admin.database.exists()


def test_a_newer_database_is_not_called_damaged(talked: Admin) -> None:
    with closing(sqlite3.connect(talked.database)) as db:
        db.execute("PRAGMA user_version = 9999")
    result = call("admin", "--data", str(talked.data), "check")
    assert (result.returncode, result.stdout) == (1, "")
    assert "newer version of this program" in result.stderr


def test_a_damaged_database_is_told(talked: Admin) -> None:
    assert talked("check") == f"{talked.database} is sound\n"
    with closing(sqlite3.connect(talked.database)) as db:
        db.execute("DELETE FROM people")
        db.commit()
    result = call("admin", "--data", str(talked.data), "check")
    assert result.returncode == 1
    assert "messages of nobody" in result.stdout
    assert result.stderr == f"asyncchat-server: {talked.database} is damaged\n"
    talked.database.write_bytes(b"precious notes")
    assert talked.fails("check") == f"{talked.database} is damaged"
