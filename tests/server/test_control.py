"""The control socket: who may use it, what it does, where it is, and that nothing else does the same."""

import asyncio
import io
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat import ChatServer, ConnectionLost, Refused, Settings, commands, events
from asyncchat.client import connect
from asyncchat.server import admin as admin_
from asyncchat.server import control
from asyncchat.server.acceptor import CONTROL_CONNECTIONS
from asyncchat.server.command_line import load_config
from asyncchat.server.control import ControlClient, path_of
from asyncchat.server.operator import schedule, spoken
from asyncchat.vocabulary.terms import Code
from tests.console.terminals import CTRL_C, TAB, UP, terminal
from tests.server.peers import Native, Raw, limited
from tests.server.process import PROGRAM, ROOT, SECONDS, ServerProcess, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no Unix sockets")

PASSWORD = "correct horse battery"


class Host:
    """The program around a server, which notes what is asked of it."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self.refusal: Refused | None = None

    def stop(self) -> None:
        self.stopped.set()

    def reload(self) -> str:
        if self.refusal is not None:
            raise self.refusal
        return "read anew"

    def log_level(self, level: str | None) -> str:
        return level or "INFO"


@asynccontextmanager
async def controlled(
    data: Path, host: Host | None = None, settings: Settings | None = None
) -> AsyncIterator[ChatServer]:
    """A server with a control socket."""
    listen = ["tcp://127.0.0.1:0"]
    async with ChatServer(listen=listen, data=data, settings=settings, control=host or Host()) as server:
        yield server


async def operator(data: Path) -> Native:
    """A connection to the control socket, which was welcomed."""
    peer = Native(await Raw.open(f"unix:{path_of(data)}"))
    peer.welcome = await peer.event(events.Welcome)
    return peer


async def text_of(peer: Native, command: commands.Command) -> str:
    """What a command is answered with, for people."""
    text = (await peer.get(command, events.Ok)).text
    assert text is not None
    return text


# --- the socket -----------------------------------------------------------------------------------------------------


async def test_nobody_but_its_user_may_connect_and_so_it_was_from_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    bind = socket.socket.bind

    def watched(sock: socket.socket, address: Any) -> None:
        bind(sock, address)
        if sock.family == socket.AF_UNIX:
            modes.append(os.stat(address).st_mode & 0o777)

    monkeypatch.setattr(socket.socket, "bind", watched)
    before = os.umask(0)
    try:
        async with controlled(tmp_path):
            assert modes == [0o600]
            assert (tmp_path / control.NAME).stat().st_mode & 0o777 == 0o600
            assert os.umask(0) == 0, "the process's own umask is as it was"
    finally:
        os.umask(before)
    assert not (tmp_path / control.NAME).exists()


async def test_a_server_in_an_app_has_none_unless_asked(tmp_path: Path) -> None:
    async with ChatServer(listen=[], data=tmp_path) as server:
        assert not server.is_controlled
        assert not (tmp_path / control.NAME).exists()
        with pytest.raises(Refused) as refused:
            await server.operator.do(commands.Shutdown())
        assert refused.value.code == Code.FORBIDDEN


async def test_where_a_file_is_in_its_place_the_server_does_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / control.NAME).write_text("precious")
    async with controlled(tmp_path) as server:
        assert not server.is_controlled
        async with await Native.open(server, "alice") as alice:
            await alice.say("hi")
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "No control socket: exists"
    ]
    assert (tmp_path / control.NAME).read_text() == "precious"


async def test_where_the_path_is_too_long_it_is_in_the_runtime_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, data = tmp_path / "run", tmp_path / ("x" * 100)
    monkeypatch.setattr(platformdirs, "user_runtime_path", lambda *_, **__: runtime)
    for _ in range(2):  # what is left of a link is in nobody's way
        async with controlled(data):
            path = path_of(data)
            assert path.parent == runtime
            assert path.stat().st_mode & 0o777 == 0o600
            assert runtime.stat().st_mode & 0o777 == 0o700
            async with await operator(data) as peer:
                assert (await peer.get(commands.Stats(), events.Stats)).rooms == 1
    assert list(runtime.iterdir()) == []
    assert await asyncio.to_thread(ControlClient.open, data) is None


async def test_a_runtime_directory_that_others_can_use_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir()
    runtime.chmod(0o777)
    monkeypatch.setattr(platformdirs, "user_runtime_path", lambda *_, **__: runtime)
    async with controlled(tmp_path / ("x" * 100)) as server:
        assert not server.is_controlled
    assert f"No control socket: {runtime} is not this user's alone" in caplog.messages


async def test_only_a_few_connections_are_taken_and_they_are_no_others(tmp_path: Path) -> None:
    async with controlled(tmp_path, settings=limited(connections=1)) as server:
        async with await Native.open(server, "alice"):
            peers = [await operator(tmp_path) for _ in range(CONTROL_CONNECTIONS)]
            async with Native(await Raw.open(f"unix:{path_of(tmp_path)}")) as late:
                assert (await late.event(events.Bye)).reason == "too many connections"
                await late.end()
            assert server.connected == 1
            await peers.pop().close()
        for peer in peers:
            await peer.close()


# --- the operator ---------------------------------------------------------------------------------------------------


async def test_it_is_the_operator_from_the_first_byte_and_is_seen_by_nobody(tmp_path: Path) -> None:
    async with controlled(tmp_path) as server, await Native.open(server, "alice") as alice:
        async with await operator(tmp_path) as peer:
            assert (peer.welcome.name, peer.welcome.administrator) == ("asyncchat", True)
            assert await peer.refusal(commands.Hello(name="bob")) == Code.FORBIDDEN
            assert await peer.refusal(commands.Join(room="#lobby")) == Code.FORBIDDEN
            await peer.get(commands.Announce(text="tea"), events.Ok)
            assert (await alice.event(events.Notice)).text == "tea"
            await alice.say("a secret")
            await peer.get(commands.Say(to="#lobby", text="closing time"), events.Ok)
            assert (await alice.event(events.Said, text="closing time")).sender == "asyncchat"
            members = await alice.get(commands.Who(), events.Members)
            assert [member.name for member in members.members] == ["alice"]
            stats = await peer.get(commands.Stats(), events.Stats)
            assert (stats.connections, stats.people, stats.listening) == (1, 1, server.addresses)
            peer.send(commands.Quit())
            await peer.event(events.Bye)
            await peer.end()
            assert not any(isinstance(told, events.Said | events.Notice | events.Joined) for told in peer.told)
        assert not any(isinstance(told, events.Left | events.Presence) for told in alice.told)


async def test_a_line_that_is_too_long_or_none_is_refused_there_as_well(tmp_path: Path) -> None:
    async with controlled(tmp_path, settings=limited(line=1000)), await operator(tmp_path) as peer:
        peer.raw.send(b"hello\n" + b"x" * 2000 + b"\n")
        assert (await peer.event(events.Error)).code == Code.MALFORMED
        assert (await peer.event(events.Error)).code == Code.TOO_LONG
        await peer.get(commands.Ping(), events.Ok)


async def test_what_is_its_alone_is_refused_everywhere_else_to_administrators_too(tmp_path: Path) -> None:
    settings = Settings(administrators=frozenset({"alice"}))
    async with controlled(tmp_path, settings=settings) as server, await Native.open(server, "alice") as alice:
        await alice.get(commands.Register(password=PASSWORD), events.Ok)
        await alice.get(commands.Bans(), events.BanList)
        for command in (
            commands.Accounts(),
            commands.CreateAccount(name="bob", password=PASSWORD),
            commands.ResetPassword(name="alice", password=PASSWORD),
            commands.SetAdministrator(name="alice", active=False),
            commands.Log(level="DEBUG"),
            commands.Reload(),
            commands.Backup(path=str(tmp_path / "copy.db")),
            commands.Shutdown(),
        ):
            assert await alice.refusal(command) == Code.FORBIDDEN
        assert not (tmp_path / "copy.db").exists()
        assert (await alice.get(commands.Stats(), events.Stats)).registered == 1
        async with server.connect("bot") as bot:
            with pytest.raises(Refused, match="only the server's control socket"):
                await bot.request(commands.Accounts())


async def test_passwords_are_not_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        async with controlled(tmp_path), await operator(tmp_path) as peer:
            await peer.get(commands.CreateAccount(name="alice", password=PASSWORD), events.Ok)
            await peer.get(commands.ResetPassword(name="alice", password=PASSWORD + "!"), events.Ok)
            assert await peer.refusal(commands.ResetPassword(name="bob", password=PASSWORD)) == Code.NOT_FOUND
            peer.raw.send(f'{{"type":"resetpassword","password":"{PASSWORD}"}}\n')
            await peer.event(events.Error, code=Code.MALFORMED)
    assert "Connected an operator" in caplog.messages
    assert PASSWORD not in caplog.text


async def test_what_the_program_is_asked_for(tmp_path: Path) -> None:
    host = Host()
    async with controlled(tmp_path, host), await operator(tmp_path) as peer:
        assert await text_of(peer, commands.Log(level="DEBUG")) == "the log level is DEBUG"
        assert await text_of(peer, commands.Reload()) == "read anew"
        host.refusal = Refused(Code.CONFLICT, "not reloaded")
        assert await peer.refusal(commands.Reload()) == Code.CONFLICT
        assert not host.stopped.is_set()
        await text_of(peer, commands.Shutdown())
        assert host.stopped.is_set()


async def test_a_backup_is_whole_and_replaces_nothing(tmp_path: Path) -> None:
    copy = tmp_path / "my copy.db"
    async with controlled(tmp_path / "data") as server, await operator(tmp_path / "data") as peer:
        async with await Native.open(server, "alice") as alice:
            await alice.say("keep me")
        assert await text_of(peer, commands.Backup(path=str(copy))) == f"the database is copied to {copy}"
        assert await peer.refusal(commands.Backup(path=str(copy))) == Code.CONFLICT
        for path in ("copy.db", f"{tmp_path}/\0"):
            assert await peer.refusal(commands.Backup(path=path)) == Code.MALFORMED
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT text FROM messages").fetchall() == [("keep me",)]


async def test_a_countdown_is_seen_by_everyone_and_comes_to_its_end(tmp_path: Path) -> None:
    host = Host()
    async with controlled(tmp_path, host) as server, await Native.open(server, "alice") as alice:
        async with await operator(tmp_path) as peer:
            assert await text_of(peer, commands.Shutdown(seconds=3600)) == "the server shuts down in 1 hour"
            assert (await alice.event(events.Notice)).text == "the server shuts down in 1 hour"
            assert await text_of(peer, commands.Shutdown(cancel=True)) == "the shutdown is called off"
            assert (await alice.event(events.Notice)).text == "the shutdown is called off"
            assert await peer.refusal(commands.Shutdown(cancel=True)) == Code.CONFLICT
            await text_of(peer, commands.Shutdown(seconds=1))
        assert (await alice.event(events.Notice)).text == "the server shuts down in 1 second"
        async with asyncio.timeout(SECONDS):
            await host.stopped.wait()


@given(st.integers(1, commands.MAX_COUNTDOWN))
def test_people_are_told_at_once_and_till_the_end(seconds: int) -> None:
    told = schedule(seconds)
    assert told[0][0] == seconds
    assert sum(wait for _, wait in told) == seconds
    assert all(wait > 0 for _, wait in told)
    assert told[-1] == (1, 1)


def test_durations_as_one_says_them() -> None:
    assert [spoken(seconds) for seconds in (1, 60, 90, 3600, 7322)] == [
        "1 second", "1 minute", "1 minute 30 seconds", "1 hour", "2 hours 2 minutes 2 seconds"
    ]  # fmt: skip


# --- the library ----------------------------------------------------------------------------------------------------


async def test_the_library_can_be_the_operator(tmp_path: Path) -> None:
    async with controlled(tmp_path) as server:
        async with connect(f"unix:{path_of(tmp_path)}", operator=True) as chat:
            assert (await chat.stats()).rooms == 1
            result = await chat.request(commands.Accounts())
            assert isinstance(result, events.AccountList)
        with pytest.raises(Exception, match="no control socket"):
            await connect(server.addresses[0], operator=True)
        peers = [await operator(tmp_path) for _ in range(CONTROL_CONNECTIONS)]
        with pytest.raises(Refused, match="too many connections"):
            await connect(f"unix:{path_of(tmp_path)}", operator=True)
        for peer in peers:
            await peer.close()


async def test_the_library_is_told_the_end(tmp_path: Path) -> None:
    async with controlled(tmp_path):
        chat = await connect(f"unix:{path_of(tmp_path)}", operator=True)
    with pytest.raises(ConnectionLost):
        async for _ in chat:
            pass
    await chat.aclose()


# --- admin, beside a real server ------------------------------------------------------------------------------------


class Admin:
    """Runs ``admin`` on a data directory, within this process: to start another one for each command takes its time."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def __call__(self, *words: str, said: str = "", status: int = 0) -> str:
        """What a command that ends with this status says, on the stream that belongs to it."""
        out, errors = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
            patch.setattr(sys, "stdin", io.StringIO(said))
            assert admin_.main(["--data", str(self.data), *words], load_config) == status, errors.getvalue()
        assert (out if status else errors).getvalue() == ""
        return (errors if status else out).getvalue().strip()


async def test_one_command_a_run(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy.db"
    relative = os.path.relpath(copy)  # noqa: ASYNC240 - it asks for the working directory, and no file
    admin = Admin(data)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # It does not stand in our folder, from which a relative path counts.
    with ServerProcess(data=data, cwd=tmp_path, env=environment).started() as server:
        server.wait_for("Operate:")
        async with await Native.open(server.addresses[0], "alice") as alice:
            assert admin("who") == "* online: alice"
            assert admin("rooms") == "#lobby  1 person"
            assert "from 127.0.0.1" in admin("whois", "alice")
            assert admin("announce", "the kettle", "is on") == ""
            assert (await alice.event(events.Notice)).text == "the kettle is on"
            assert "people online: 1" in admin("stats")
            assert admin("kick", "#lobby", "alice") == ""
            assert (await alice.event(events.Kicked)).sender == "asyncchat"
            assert admin("accounts", "create", "bob", said=f"{PASSWORD}\n") == ""
            assert admin("accounts", "make-administrator", "bob") == ""
            assert admin("accounts", "list") == "bob  administrator, password"
            assert admin("log", "debug") == "* the log level is DEBUG"
            assert "the log levels are" in admin("log", "loud", status=1)
            assert admin("backup", relative) == ""
            assert copy.stat().st_mode & 0o777 == 0o600
            assert admin("whois", "nobody", status=1) == "asyncchat-server: no such user: nobody"
            assert "usage: ban" in admin("ban", status=2)
            assert admin("shutdown", "1h") == "* the server shuts down in 1 hour"
            assert admin("shutdown", "off") == "* the shutdown is called off"
            assert admin("shutdown") == "* the server shuts down"
            await alice.event(events.Bye)
            await alice.end()
        assert server.ended() == 0
        assert PASSWORD not in "".join(server.lines)


def test_what_a_reload_makes_of_the_settings(tmp_path: Path) -> None:
    config = tmp_path / "chat.toml"
    config.write_text("name = 'old'")
    admin = Admin(tmp_path / "data")
    with ServerProcess("--config", str(config), data=admin.data).started() as server:
        server.wait_for("Operate:")
        config.write_text("name = 'new'\ndefault_room = '#hall'")
        assert admin("reload") == "* the settings are read anew; only a restart changes default_room"
        assert (
            "asyncchat-server: not reloaded: nmae: " in (config.write_text("nmae = 'x'"), admin("reload", status=1))[1]
        )
        assert server.stop() == 0


def test_without_a_server_the_files_are_used_where_that_makes_sense(tmp_path: Path) -> None:
    admin = Admin(tmp_path)
    assert "there is no database in" in admin("ban", "mallory", status=1)
    admin("accounts", "create", "alice", "--generate")
    admin("ban", "mallory", "1h", "spam")
    assert admin("bans").startswith("mallory: banned until")
    admin("topic", "#lobby", "tea")
    assert admin("topic", "#lobby") == "* topic of #lobby: tea"
    admin("backup", str(tmp_path / "copy.db"))
    for words in (["stats"], ["who"], ["announce", "x"], ["reload"], ["shutdown"], ["log"], ["console"]):
        assert f"no server with a control socket runs on {admin.data}" in admin(*words, status=1)


def test_a_server_that_was_killed_is_none_and_its_socket_is_replaced(tmp_path: Path) -> None:
    admin = Admin(tmp_path)
    with ServerProcess(data=tmp_path).started() as server:
        server.wait_for("Operate:")
        admin("stats")
        second = run("--data", str(tmp_path), "--listen", "tcp://127.0.0.1:0")
        assert second.returncode == 1, "it has not the lock, and leaves the socket alone"
        admin("stats")
        server.send_signal(signal.SIGKILL)
        server.process.wait()
    assert (tmp_path / control.NAME).is_socket()
    assert "no server" in admin("stats", status=1)
    assert admin("accounts", "list") == ""
    with ServerProcess(data=tmp_path).started() as server:
        server.wait_for("Operate:")
        admin("stats")
        assert server.stop() == 0
    assert not (tmp_path / control.NAME).exists()


async def test_a_socket_in_the_way_is_replaced_without_being_asked(tmp_path: Path) -> None:
    """It may be another user's, whom the server cannot ask; the database's lock says that no server has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(tmp_path / control.NAME))
        other.listen()
        async with controlled(tmp_path) as server, await operator(tmp_path):
            assert server.is_controlled


def test_the_first_lines_say_what_runs_and_how_to_use_it(tmp_path: Path) -> None:
    config = tmp_path / "chat.toml"
    config.write_text("name = 'x'")
    data = tmp_path / "my data"
    with ServerProcess("--config", str(config), data=data).started() as server:
        server.wait_for("Operate:")
        assert server.stop() == 0
    address = server.addresses[0]
    told = [line.partition("server     ")[2] for line in server.lines]
    assert told[1].startswith("asyncchat ")
    assert told[1].endswith(f", data in {data}, configuration in {config}")
    assert told[2:4] == [
        f"Connect: {sys.executable} -m asyncchat.client {address}",
        f"Operate: {sys.executable} -m asyncchat.server admin --data '{data}' console",
    ]


async def test_the_console(tmp_path: Path) -> None:
    with ServerProcess(data=tmp_path).started() as server:
        server.wait_for("Operate:")
        command = [*PROGRAM, "admin", "--data", str(tmp_path), "console"]
        async with (
            await Native.open(server.addresses[0], "alice") as alice,
            terminal(command, {"ASYNCCHAT_CONFIG_DIR": str(tmp_path / "config")}) as screen,
        ):
            await screen.shows("asyncchat: you are its operator (asyncchat ", "/help lists the commands")
            screen.type("who")
            await screen.shows("* online: alice")
            screen.type("/announce tea is ready")
            assert (await alice.event(events.Notice)).text == "tea is ready"
            screen.press("/sta" + TAB)
            await screen.until(lambda: "> /stats" in screen.text, "whole word")
            screen.type("")
            await screen.shows("connections: 1, sessions: 1, people online: 1")
            screen.press(UP)
            await screen.until(lambda: screen.text.count("> /stats") == 1, "line before")
            screen.press(CTRL_C)
            screen.type("help shutdown")
            await screen.shows("end the server, after a countdown")
            screen.type("accounts")
            await screen.shows("nobody is registered")
            screen.type("/msg #lobby closing time")
            assert (await alice.event(events.Said)).text == "closing time"
            await screen.shows("-- said to #lobby as ^")
            await screen.lacks("(sending)")
            screen.type("nick bob")
            await screen.shows("unknown command: /nick")
            screen.type(f"backup {tmp_path / 'copy.db'}")
            await screen.shows("the database is copied to")
            screen.type("kick #lobby alice")
            await screen.shows("-- done")
            await alice.event(events.Kicked)
            screen.type("shutdown")
            await alice.event(events.Bye)
            await alice.end()
            assert await screen.ended() == 1
            await screen.shows("asyncchat: the server is shutting down")
            assert "is sent when it is back" not in screen.text
        assert server.ended() == 0


async def test_the_console_is_left_and_the_server_goes_on(tmp_path: Path) -> None:
    with ServerProcess(data=tmp_path).started() as server:
        server.wait_for("Operate:")
        async with terminal([*PROGRAM, "admin", "--data", str(tmp_path), "console"], {}) as screen:
            await screen.shows("you are its operator")
            screen.type("quit")
            assert await screen.ended() == 0
        server.wait_for("Disconnected an operator")
        assert server.stop() == 0


def test_the_console_needs_a_terminal(tmp_path: Path) -> None:
    with ServerProcess(data=tmp_path).started() as server:
        server.wait_for("Operate:")
        result = run("admin", "--data", str(tmp_path), "console")
        assert (result.returncode, result.stdout) == (2, "")
        assert "--operator needs a terminal" in result.stderr
        assert server.stop() == 0
