"""The load generator as a program: real servers, good and bad."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from asyncchat import ChatServer, Limits
from asyncchat.core.settings import Settings
from benchmarks import load
from benchmarks.server import cpu_time, memory
from tests.benchmarks.faulty import Fault, Server, serve
from tests.programs import python, run, running


async def measured(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and the results."""
    status, out, error = await run(*python("-m", "benchmarks.load", "--json", *arguments))
    assert error == ""
    return status, json.loads(out)


async def test_a_server_of_its_own_is_measured_in_rooms() -> None:
    status, told = await measured(
        *("--data", ":memory:", "--clients", "12", "--rooms", "3", "--senders", "6", "--rate", "300,600"),
        *("--seconds", "0.5", "--size", "80"),
    )
    assert [(one["deliveries"], one["faults"]) for one in told["runs"]] == [(600, {}), (1200, {})]
    assert status == 0
    for one in told["runs"]:
        latencies = list(one["latency_ms"].values())
        assert latencies[0] > 0
        assert latencies == sorted(latencies)
        assert one["generator_busy"] > 0
    assert told["plan"]["clients"] == 12
    assert told["login"]["seconds"] > 0
    if sys.platform == "linux":
        assert told["runs"][0]["server_cpu_us"] > 0


async def test_it_goes_as_fast_as_the_windows_allow() -> None:
    async with ChatServer(
        listen=["tcp://127.0.0.1:0"], data=":memory:", settings=Settings(limits=Limits(rate=0))
    ) as server:
        status, told = await measured("--connect", server.addresses[0], "--clients", "5", "--seconds", "0.3")
    (one,) = told["runs"]
    assert (status, one["faults"]) == (0, {})
    assert one["deliveries"] > 4 * 64 * 5  # more than one window
    assert one["server_cpu"] is None


async def test_what_it_measured_is_told_in_words() -> None:
    settings = Settings(limits=Limits(rate=5, burst=3))
    async with ChatServer(listen=["tcp://127.0.0.1:0"], data=":memory:", settings=settings) as server:
        status, out, error = await run(
            *python("-m", "benchmarks.load", "--connect", server.addresses[0], "--clients", "2", "--rate", "20"),
            *("--seconds", "0.5"),
        )
    assert (status, error) == (0, "")
    assert "20 messages/s: all 20 deliveries came, once and in order" in out
    assert "20 messages/s: the server lets all senders send 10 messages a second" in out


def drop(client: int, message: int, line: bytes) -> list[bytes]:
    return [] if (client, message) == (3, 7) else [line]


def repeat(client: int, message: int, line: bytes) -> list[bytes]:
    return [line, line] if (client, message) == (3, 7) else [line]


@pytest.mark.parametrize(
    ("fault", "faults"),
    [(drop, {"lost": 1}), (repeat, {"out of order or repeated": 1})],
)
async def test_a_fault_is_found(fault: Fault, faults: dict[str, int]) -> None:
    async with serve(Server(fault)) as address:
        status, told = await measured(
            *("--connect", address, "--clients", "6", "--senders", "2", "--rate", "100", "--seconds", "0.4"),
            *("--timeout", "1.5"),
        )
    assert (status, told["runs"][0]["faults"]) == (1, faults)


async def test_faults_are_told_in_words() -> None:
    server = Server(refuse=20, hang_up=25, ask=10)
    async with serve(server) as address:
        status, out, _ = await run(
            *python("-m", "benchmarks.load", "--connect", address, "--clients", "3", "--senders", "1"),
            *("--rate", "100", "--seconds", "0.4", "--timeout", "1.5"),
        )
    assert status == 1
    assert "FAULTS: 3 gaps, 1 refused, 1 disconnects, 17 lost" in out  # 14 of who has gone, and 3 of that message
    assert "the server says 507: not stored: the disk is full" in out
    assert "the server left out 4 to 5" in out
    assert "once and in order" not in out
    assert server.pongs == 3


async def test_a_server_that_lets_nobody_in_is_told() -> None:
    async with ChatServer(listen=["tcp://127.0.0.1:0"], data=":memory:", settings=Settings(guests=False)) as server:
        status, out, error = await run(*python("-m", "benchmarks.load", "--connect", server.addresses[0]))
    assert (status, out) == (1, "")
    assert error.startswith("benchmarks.load: client 0: the server says 4")


async def test_a_server_that_cannot_be_reached_is_told() -> None:
    async with serve(Server()) as address:
        pass
    status, out, error = await run(*python("-m", "benchmarks.load", "--connect", address))
    assert (status, out) == (1, "")
    assert error.startswith(f"benchmarks.load: cannot connect to {address}: ")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
async def test_ended_by_a_signal_it_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    number = signal.Signals[name]
    signalled = (
        "import os, sys; from benchmarks import load\n"
        f"load._progress = lambda *_: os.kill(os.getpid(), {number:d})\n"
        "sys.exit(load.main(sys.argv[1:]))"
    )
    async with running(*python("-c", signalled, "--data", tmp_path, "--clients", "2")) as program:
        status, errors = await program.end()
        assert (status, errors) == (128 + number, "")
        with pytest.raises(ProcessLookupError):  # its server was in its group
            os.killpg(program.process.pid, 0)
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--clients", "0"],
        ["--clients", "many"],
        ["--size", "10"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--rate", "10,"],
        ["--seconds", "inf"],
        ["--connect", "localhost", "--data", ":memory:"],
        ["--connect", "tls://localhost"],
        ["--connect", "tcp://"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        load.main(arguments)
    assert ended.value.code == 2
    assert "benchmarks.load: error: " in capsys.readouterr().err


async def test_a_picture_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "latency.png"
    status, told = await measured("--data", ":memory:", "--clients", "2", "--seconds", "0.1", "--plot", str(file))
    assert status == 0
    rates = [one["rate"] for one in told["runs"]]
    assert rates == sorted(rates)
    assert len(rates) > 1
    assert file.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_a_picture_without_matplotlib_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    monkeypatch.setattr(load, "_measure", lambda _: pytest.fail("it was measured"))
    assert load.main(["--plot", "latency.png"]) == 1
    assert "matplotlib" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell of other processes")
def test_cpu_time_and_memory_of_another_process_are_known() -> None:
    with subprocess.Popen([*python("-c", "print(sum(range(10**7)), flush=True); input()")],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        used, resident = cpu_time(process.pid), memory(process.pid)
        process.communicate(b"\n")
    assert used is not None
    assert used > 10_000_000
    assert resident is not None
    assert resident > 1_000
    assert cpu_time(process.pid) is None
    assert memory(process.pid) is None
