"""Sockets that are handed over at the start, by systemd or anybody else, and what the service manager is told."""

import configparser
import os
import shlex
import signal
import socket
import sys
from pathlib import Path

import pytest

from asyncchat import commands, events
from asyncchat.server.config import Config, configure, parser
from asyncchat.server.running import Running, handed_over, notify
from tests.server.certificates import Authority
from tests.server.peers import Native, Plain
from tests.server.process import ROOT, ServerProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no descriptors are handed over there")

# Does what systemd does between its fork and its exec: the descriptor becomes 3, and the variables say so.
ACTIVATE = """
import os, sys
descriptor, names, *command = sys.argv[1:]
os.dup2(int(descriptor), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES=names, LISTEN_PID=str(os.getpid()))
os.execv(command[0], command)
"""


def activated(listener: socket.socket, *flags: str, name: str = "chat.socket") -> ServerProcess:
    """The server, started with this listening socket."""
    before = [sys.executable, "-c", ACTIVATE, str(listener.fileno()), name]
    return ServerProcess(*flags, before=before, listen=None, pass_fds=[listener.fileno()])


# --- what the variables say -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "addresses"),
    [
        ({}, []),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "77"}, ["fd:3", "fd:4"]),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "78"}, []),
        ({"LISTEN_FDS": "2"}, []),
        ({"LISTEN_FDS": "many", "LISTEN_PID": "77"}, []),
        ({"LISTEN_FDS": "0", "LISTEN_PID": "77"}, []),
        ({"LISTEN_FDS": "3", "LISTEN_PID": "77", "LISTEN_FDNAMES": "chat.socket:tls:tls-office"},
         ["fd:3", "tls+fd:4", "tls+fd:5"]),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "77", "LISTEN_FDNAMES": "tls"}, ["tls+fd:3", "fd:4"]),
    ],
)  # fmt: skip
def test_sockets_are_taken_by_the_process_that_is_meant(variables: dict[str, str], addresses: list[str]) -> None:
    environment = {**variables, "HOME": "/root"}
    assert handed_over(environment, 77) == addresses
    assert environment == {"HOME": "/root"}


# --- a server that is given its socket ------------------------------------------------------------------------------


async def test_a_socket_handed_over_is_served_and_outlives_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        with activated(listener).started() as server:
            assert f"Listening on fd:3 ({address})" in server.lines[0]
            async with await Native.open(address, "alice") as alice:
                server.send_signal(signal.SIGTERM)
                await alice.event(events.Bye)
                await alice.end()
            assert server.ended() == 0
        # Nobody is refused while there is no server: the next one answers.
        waiting = await Native.open(address)
        waiting.send(commands.Hello(id=1, name="alice"))
        with activated(listener).started() as server:
            assert isinstance(await waiting.reply(1), events.Welcome)
            await waiting.close()
            assert server.stop() == 0


async def test_a_unix_socket_handed_over_keeps_its_file(tmp_path: Path) -> None:
    path = tmp_path / "chat"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with activated(listener).started() as server:
            assert f"Listening on fd:3 (unix:{path})" in server.lines[0]
            async with await Plain.enter(f"unix:{path}", "alice") as alice:
                assert "alice" in alice.shown
            assert server.stop() == 0
    assert path.is_socket()


async def test_a_socket_that_is_named_tls_speaks_it(tmp_path: Path) -> None:
    authority = Authority.new(tmp_path)
    certificate, key = authority.issue()
    flags = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        activated(listener, *flags, name="tls").started() as server,
    ):
        assert "Listening on tls+fd:3" in server.lines[0]
        with (
            socket.create_connection(listener.getsockname()) as raw,
            authority.trusting().wrap_socket(raw, server_hostname="localhost") as secured,
        ):
            secured.sendall(b'{"type":"hello","name":"alice"}\n')
            assert b'"welcome"' in secured.recv(4096)
        assert server.stop() == 0


def test_any_descriptor_can_be_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        with ServerProcess(listen=[f"fd:{number}", "tcp://127.0.0.1:0"], pass_fds=[number]).started(2) as server:
            assert server.addresses[0] == f"fd:{number}"
            assert server.stop() == 0


# --- the service manager --------------------------------------------------------------------------------------------


def test_the_service_manager_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        with ServerProcess(env={**os.environ, "NOTIFY_SOCKET": path}) as server:
            assert manager.recv(100) == b"READY=1"
            server.started()
            server.send_signal(signal.SIGHUP)
            assert manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(100) == b"READY=1"
            assert server.stop() == 0
            assert manager.recv(100) == b"STOPPING=1"


def test_a_reload_that_hits_a_fault_is_over_for_the_service_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would wait for the end of it, and kill the server when its patience is over."""
    told: list[str] = []
    monkeypatch.setattr("asyncchat.server.running.notify", told.append)

    def fault() -> Config:
        raise RuntimeError("a fault")

    running = Running(configure({}, {}, folder=Path(), data=Path(), read=Path.read_text), fault)
    running._started = True
    with pytest.raises(RuntimeError, match="a fault"):
        running.reload()
    assert [text.partition("=")[0] for text in told] == ["RELOADING", "READY"]


def test_a_manager_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "@asyncchat-test-nobody")
    notify("READY=1")


def test_the_example_units_run_the_program_with_flags_that_it_has() -> None:
    units = {}
    for name in ("asyncchat.service", "asyncchat.socket"):
        units[name] = configparser.ConfigParser(interpolation=None)
        units[name].optionxform = str  # type: ignore[assignment, method-assign]
        units[name].read(ROOT / "examples" / name)
    program, *words = shlex.split(units["asyncchat.service"]["Service"]["ExecStart"])
    assert Path(program).name == "asyncchat-server"
    assert parser("1").parse_args(words).data == "${STATE_DIRECTORY}"
    assert units["asyncchat.service"]["Unit"]["Requires"] == "asyncchat.socket"
    assert units["asyncchat.socket"]["Socket"]["ListenStream"] == "127.0.0.1:7777"
