"""``python -m asyncchat.server`` as operators know it: what it logs, how it ends, what it says when it cannot run."""

import asyncio
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from asyncchat import __version__, commands, events
from asyncchat.client import connect
from asyncchat.server.config import OPTIONS
from tests.server.peers import Native, Plain, Raw
from tests.server.process import PROGRAM, ROOT, ServerProcess, call, run
from tests.tools import requires_tool

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends servers with the signals of POSIX")

if sys.platform != "win32":
    import resource

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR) {1,5}(\w+) +\S.*")


def one_line(result: subprocess.CompletedProcess[str], text: str) -> None:
    """It ended with status 1, after one line of the log that says this."""
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert LINE.fullmatch(result.stderr.rstrip("\n"))
    assert text in result.stderr


# --- the log --------------------------------------------------------------------------------------------------------


async def test_the_log_tells_who_came_and_went() -> None:
    with ServerProcess().started() as server:
        listening = server.lines[0]
        assert (
            re.sub(r"^[\d-]+ [\d:,]+", "(when)", listening)
            == f"(when) INFO     server     Listening on {server.addresses[0]}"
        )
        async with await Native.open(server.addresses[0], "alice") as alice:
            peer = alice.raw.writer.get_extra_info("sockname")
            await alice.ask(commands.Say(to="#lobby", text="a secret between us"))
            await alice.ask(commands.Say(to="nobody", text="hi"))
            alice.send(commands.Quit())
            await alice.end()
        server.wait_for("Disconnected")
        assert server.stop() == 0
        told = [line.partition("server     ")[2] for line in server.lines]
        where = f"{peer[0]}:{peer[1]}"
        assert told == [
            f"Listening on {server.addresses[0]}",
            "No control socket: the database is in memory",
            f"asyncchat {__version__}, data in memory, configuration by flags alone",
            f"Connect: {sys.executable} -m asyncchat.client {server.addresses[0]}",
            f"Connected {where}",
            "alice logged in from 127.0.0.1",
            "alice joined #lobby",
            "Refused alice: 404 no such user: nobody",
            "alice left #lobby",
            f"Disconnected {where} (alice): quit",
            "Shutting down",
            "Stopped",
        ]
        assert all(LINE.fullmatch(line) for line in server.lines)


def test_the_log_level_leaves_lines_out(tmp_path: Path) -> None:
    with ServerProcess("--log-level", "warning", listen=[f"unix:{tmp_path}/chat"]) as server:
        while not (tmp_path / "chat").exists():
            assert server.process.poll() is None
        assert server.stop() == 0
        assert server.lines == []


async def test_a_log_that_nobody_reads_stops_nothing() -> None:
    with ServerProcess("--limit", "rate=0").started() as server:
        async with await Native.open(server.addresses[0], "alice") as alice:
            for _ in range(60):
                # 12,000 lines in all: the pipe holds some 700 of them, and 10,000 wait.
                alice.raw.send(b"{}\n" * 200)
                await alice.ask(commands.Ping())
            server.send_signal(signal.SIGTERM)
            await alice.event(events.Bye)
            await alice.end()
        assert server.process.wait(20) == 0


async def test_what_is_in_the_log_drives_no_terminal() -> None:
    with ServerProcess().started() as server:
        async with await Native.open(server.addresses[0], "alice") as alice:
            await alice.ask(commands.Say(to="\x1b]0;owned\x07\x9b2J\n2026 ERROR forged", text="x"))
        server.wait_for("Disconnected")
        assert server.stop() == 0
        (refused,) = [line for line in server.lines if "Refused" in line]
        assert "no such user: ␛]0;owned␇\ufffd2J␊2026 ERROR forged" in refused


async def test_a_slip_in_front_of_a_password_does_not_put_it_into_the_log() -> None:
    with ServerProcess().started() as server:
        async with await Plain.enter(server.addresses[0], "alice") as alice:
            alice.send("/passwdhunter22\n")
            assert "/passwdhunter22" in await alice.line()
        server.wait_for("Disconnected")
        assert server.stop() == 0
        assert "hunter22" not in "".join(server.lines)
        assert [line for line in server.lines if line.endswith("Refused alice: 400 no command")]


# --- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_says_goodbye_to_everyone(number: int, tmp_path: Path) -> None:
    with ServerProcess(listen=["tcp://127.0.0.1:0", f"unix:{tmp_path}/chat"]).started(2) as server:
        async with (
            await Native.open(server.addresses[0], "alice") as alice,
            await Plain.enter(server.addresses[1], "bob") as bob,
            await Raw.open(server.addresses[0]) as silent,
        ):
            server.send_signal(number)
            bye = await alice.event(events.Bye)
            assert bye.reconnect is not None
            await alice.end()
            assert "shutting down" in await bob.end()
            await silent.end()
        assert server.ended() == 0
        assert server.lines[-1].endswith("Stopped")
        assert not (tmp_path / "chat").exists()


@asynccontextmanager
async def somebody_deaf(server: ServerProcess) -> AsyncIterator[Native]:
    """Alice, beside somebody to whom the server has more to say than the sockets hold, and who does not read it."""
    async with await Raw.open(server.addresses[0]) as deaf:
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        deaf.send(b'{"type":"hello","name":"deaf"}\n')
        async with await Native.open(server.addresses[0], "alice") as alice:
            for _ in range(300):
                await alice.say("x" * 16_000)
            yield alice
        deaf.abort()


async def test_who_does_not_read_delays_the_end_for_less_than_5_seconds() -> None:
    with ServerProcess("--limit", "rate=0").started() as server:
        async with somebody_deaf(server) as alice:
            began = time.monotonic()
            server.send_signal(signal.SIGTERM)
            await alice.end()
            assert server.ended() == 0
            assert time.monotonic() - began < 5.0


async def test_a_second_signal_waits_for_nobody() -> None:
    with ServerProcess("--limit", "flush_seconds=1000", "--limit", "rate=0").started() as server:
        async with somebody_deaf(server) as alice:
            server.send_signal(signal.SIGTERM)
            await alice.end()
            server.wait_for("Disconnected")
            assert server.process.poll() is None
            server.send_signal(signal.SIGTERM)
            assert server.ended() == 0


def test_what_is_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    async def say(address: str) -> None:
        async with connect(address, name="alice") as chat:
            await chat.say("#lobby", "remember me")

    async def recall(address: str) -> list[str]:
        async with connect(address, name="bob") as chat:
            return [event.text for event in (await chat.history("#lobby")).events if isinstance(event, events.Said)]

    with ServerProcess(data=tmp_path / "new" / "data").started() as server:
        asyncio.run(say(server.addresses[0]))
        server.process.kill()
    with ServerProcess(data=tmp_path / "new" / "data").started() as server:
        assert asyncio.run(recall(server.addresses[0])) == ["remember me"]
        assert server.stop() == 0


# --- what cannot be -------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("--data", ":memory:", "--listen", f"tcp://127.0.0.1:{port}")
    one_line(result, f"ERROR    server     cannot listen on tcp://127.0.0.1:{port}: Address already in use")


def test_a_unix_socket_in_use_is_one_line_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/chat"
    with ServerProcess(listen=[address]).started() as server:
        one_line(run("--data", ":memory:", "--listen", address), f"cannot listen on {address}: Address already in use")
        server.process.kill()
        server.process.wait()
    assert (tmp_path / "chat").is_socket()
    with ServerProcess(listen=[address]).started() as server:
        assert server.stop() == 0
    (tmp_path / "chat").write_text("precious")
    one_line(run("--data", ":memory:", "--listen", address), f"cannot listen on {address}: File exists")
    assert (tmp_path / "chat").read_text() == "precious"


def test_a_host_that_nobody_knows_is_one_line() -> None:
    one_line(
        run("--data", ":memory:", "--listen", "tcp://nowhere.invalid:7777"), "cannot listen on tcp://nowhere.invalid"
    )


def test_a_descriptor_that_is_no_listening_socket_is_one_line() -> None:
    one_line(run("--data", ":memory:", "--listen", "fd:0"), "cannot listen on fd:0: ")
    one_line(run("--data", ":memory:", "--listen", "fd:77"), "cannot listen on fd:77: Bad file descriptor")


def test_a_database_in_use_is_one_line(tmp_path: Path) -> None:
    with ServerProcess(data=tmp_path).started() as server:
        result = run("--data", str(tmp_path), "--listen", "tcp://127.0.0.1:0")
        assert server.stop() == 0
    one_line(result, "another process uses the database")


def test_a_damaged_database_is_one_line_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "asyncchat.db"
    path.write_bytes(b"precious notes\n" * 1000)
    one_line(run("--data", str(tmp_path), "--listen", "tcp://127.0.0.1:0"), f"{path} is not a database")
    assert path.read_bytes() == b"precious notes\n" * 1000


def test_a_newer_database_is_one_line(tmp_path: Path) -> None:
    with ServerProcess(data=tmp_path).started() as server:
        assert server.stop() == 0
    db = sqlite3.connect(tmp_path / "asyncchat.db")
    db.execute("PRAGMA user_version = 9999")
    db.close()
    one_line(run("--data", str(tmp_path), "--listen", "tcp://127.0.0.1:0"), "newer version of this program")


@requires_tool("setpriv")
def test_a_database_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with ServerProcess(data=tmp_path).started() as server:
        assert server.stop() == 0
    database = tmp_path / "asyncchat.db"
    database.chmod(0o400)
    # Root without its capabilities minds the mode of a file as everybody else does.
    before = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
    result = subprocess.run(
        [*before, *PROGRAM, "--data", str(tmp_path), "--listen", "tcp://127.0.0.1:0"],
        capture_output=True, encoding="utf-8", timeout=20, check=False, cwd=ROOT,
    )  # fmt: skip
    one_line(result, f"{database} cannot be opened: attempt to write a readonly database")


def test_a_data_directory_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    one_line(run("--data", str(tmp_path / "file" / "data"), "--listen", "tcp://127.0.0.1:0"), "Not a directory")


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--limit", "colour=5"], "limit colour: there is no such limit"),
        (["--listen", "gopher://x"], "listen: unknown kind of address 'gopher'"),
        (["--motd", "/nowhere"], "motd: cannot read /nowhere: No such file or directory"),
        (["--config", "/nowhere"], "config: cannot read /nowhere: No such file or directory"),
        (["--registration", "maybe"], "argument --registration: invalid choice: 'maybe'"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_bad_usage_is_a_line_that_names_the_setting_and_status_2(flags: list[str], text: str) -> None:
    result = call(*flags)
    assert result.returncode == 2
    assert text in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_configuration_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / "chat.toml"
    for text, problem in [
        ("name = ", f"config: {path} is no TOML: "),
        ("limits.text = 1" + "0" * 5000, f"config: {path} is no TOML: "),
        ("nmae = 'x'", "nmae: there is no such setting; is name meant?"),
        ("[limits]\ntext = 'long'", "limits.text: a number is expected, not 'long'"),
    ]:
        path.write_text(text)
        result = call("--config", str(path))
        assert result.returncode == 2
        assert result.stderr.startswith(f"asyncchat-server: {problem}")
        assert len(result.stderr.splitlines()) == 1


# --- settings -------------------------------------------------------------------------------------------------------


def test_the_version_and_the_help() -> None:
    assert call("--version").stdout == f"asyncchat {__version__}\n"
    shown = call("--help").stdout
    assert all(option.flag in shown for option in OPTIONS if option.flag is not None)


def test_without_a_data_directory_the_users_own_is_used(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)}
    words = [sys.executable, "-m", "asyncchat.server", "--listen", "tcp://127.0.0.1:0"]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, cwd=ROOT)
    with process:
        assert process.stderr is not None
        assert b"Listening" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 0
    assert [path.parent.name for path in tmp_path.rglob("asyncchat.db")] == ["asyncchat"]


async def test_sighup_reads_the_settings_anew_and_keeps_everyone(tmp_path: Path) -> None:
    path, motd = tmp_path / "chat.toml", tmp_path / "motd.txt"
    motd.write_text("old words")
    path.write_text("name = 'old'\nmotd = 'motd.txt'\nlimits.text = 100")
    with ServerProcess("--config", str(path), "--limit", "topic=50").started() as server:
        async with await Native.open(server.addresses[0], "alice") as alice:
            assert (alice.welcome.server, alice.welcome.motd) == ("old", "old words")
            assert (alice.welcome.limits["text"], alice.welcome.limits["topic"]) == (100, 50)

            motd.write_text("new words")
            path.write_text("name = 'new'\nmotd = 'motd.txt'\ndefault_room = '#hall'\nlimits.text = 5")
            server.send_signal(signal.SIGHUP)
            assert "Only a restart changes default_room" in server.wait_for("WARNING")
            server.wait_for("Reloaded the settings")
            async with await Native.open(server.addresses[0], "bob") as bob:
                assert (bob.welcome.server, bob.welcome.motd, bob.welcome.rooms) == ("new", "new words", ["#lobby"])
                assert (bob.welcome.limits["text"], bob.welcome.limits["topic"]) == (5, 50)
            assert await alice.refusal(commands.Say(to="#lobby", text="too long")) == 413

            path.write_text("nmae = 'newest'")
            server.send_signal(signal.SIGHUP)
            assert "Not reloaded: nmae: there is no such setting" in server.wait_for("ERROR")
            assert await alice.refusal(commands.Say(to="#lobby", text="too long")) == 413
        assert server.stop() == 0


# --- descriptors ----------------------------------------------------------------------------------------------------


def test_the_soft_limit_of_descriptors_is_raised_to_the_hard_one() -> None:
    with ServerProcess(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 333))).started() as server:
        assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE) == (333, 333)
        assert server.stop() == 0


async def test_connections_stay_below_the_descriptors_and_whoever_leaves_makes_room() -> None:
    limits = (100, 100)  # of which the server keeps 64 for itself
    with ServerProcess(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits)).started() as server:
        here = [await Native.open(server.addresses[0], f"guest{number}") for number in range(36)]
        for _ in range(100):
            async with await Raw.open(server.addresses[0]) as late:
                assert await late.end() == "Too many connections. Try again later.\n"
        assert await here[0].say("still here") > 0
        await here[-1].event(events.Said, text="still here")
        await here.pop().close()
        server.wait_for("Disconnected")
        async with await Native.open(server.addresses[0], "late") as late_guest:
            await late_guest.say("made it")
        for guest in here:
            await guest.close()
        assert server.stop() == 0
