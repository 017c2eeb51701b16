"""The program itself: real servers, good and bad, and real processes."""

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
from tests.bench.faulty import Fault, Server, drop, duplicate, faultless, serve, swap
from tests.programs import python, running

SECONDS = 40.0  # for the program to end: a busy machine starts processes slowly


async def bench(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "asyncchat.bench", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


async def measured(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and the results as they are in JSON."""
    status, out, error = await bench(*arguments, "--json")
    assert error == ""
    return status, json.loads(out)


async def test_a_server_of_its_own_is_measured_with_rooms_and_processes() -> None:
    status, told = await measured(
        *("--data", ":memory:", "--clients", "12", "--rooms", "3", "--senders", "6", "--processes", "2"),
        *("--messages", "300", "--window", "5", "--size", "80"),
    )
    (run,) = told["runs"]
    assert (run["messages"], run["expected"], run["deliveries"]) == (300, 1200, 1200)
    assert status == 0
    assert (run["lost"], run["disorder"], run["duplicates"], run["troubles"]) == (0, 0, 0, [])
    late = run["latency_ms"]
    assert 0 < late["p50"] <= late["p90"] <= late["p99"] <= late["p999"] <= late["max"]
    assert told["plan"]["clients"] == 12
    assert told["limits"]["rate"] == 0
    if sys.platform == "linux":
        assert run["server_cpu_us"] > 0


# The program, which gets a signal as soon as people log in to its server.
SIGNALLED = """
import os, signal, sys
from asyncchat.bench import cli, report
number = signal.Signals[sys.argv[1]]
report.Bar.show = lambda *_: os.kill(os.getpid(), number)
sys.exit(cli.main(sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
async def test_ended_by_a_signal_it_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    async with running(*python("-c", SIGNALLED, name, "--data", tmp_path, "--clients", "2")) as program:
        status, errors = await program.end()
        assert (status, errors) == (128 + signal.Signals[name], "")
        with pytest.raises(ProcessLookupError):  # its server and its workers were in its group
            os.killpg(program.process.pid, 0)
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


async def test_one_room_in_several_processes_is_in_one_order() -> None:
    status, told = await measured(
        *("--data", ":memory:", "--clients", "9", "--senders", "9", "--processes", "3", "--messages", "600")
    )
    (run,) = told["runs"]
    assert (status, run["deliveries"], run["disorder"]) == (0, 5400, 0)


async def test_a_running_server_is_measured_at_several_rates() -> None:
    async with ChatServer(listen=["tcp://127.0.0.1:0"], data=":memory:") as server:
        status, out, error = await bench(
            *(server.addresses[0], "--clients", "4", "--rate", "50,100", "--duration", "0.4", "--quiet")
        )
    assert (status, error) == (0, "")
    assert out.count("all came, once and in order") == 2
    assert "80 of 80" in out
    assert "160 of 160" in out
    assert "the server lets a client say 20 messages a second" in out  # 100 of 4 senders is more


async def test_a_limit_of_the_server_is_told() -> None:
    settings = Settings(limits=Limits(rate=5, burst=3))
    async with ChatServer(listen=["tcp://127.0.0.1:0"], data=":memory:", settings=settings) as server:
        status, out, _ = await bench(server.addresses[0], "--clients", "2", "--duration", "0.3", "--window", "1")
    assert status == 0
    assert "the server lets a client say 5 messages a second" in out


@pytest.mark.parametrize(
    ("fault", "counts"),
    [
        (faultless, {}),
        (drop, {"lost": 1}),
        (duplicate, {"duplicates": 1}),
        (swap(), {"disorder": 1}),
    ],
    ids=["faultless", "drop", "duplicate", "swap"],
)
async def test_a_fault_is_found(fault: Fault, counts: dict[str, int]) -> None:
    async with serve(Server(fault)) as address:
        status, told = await measured(
            *(address, "--clients", "6", "--senders", "2", "--messages", "40", "--window", "4", "--stall", "0.5")
        )
    (run,) = told["runs"]
    faults = ("lost", "duplicates", "disorder", "strays", "refused", "gaps", "disconnects")
    assert {name: run[name] for name in faults if run[name]} == counts
    assert run["expected"] == 240
    assert status == (1 if counts else 0)


async def test_a_fault_is_told_in_words() -> None:
    async with serve(Server(drop, refuse=20)) as address:
        status, out, _ = await bench(
            *(address, "--clients", "6", "--senders", "2", "--messages", "40", "--window", "4", "--stall", "0.5")
        )
    assert status == 1
    assert "NOT FAULTLESS: 1 deliveries lost, 1 messages refused" in out
    assert "the server says 507: not stored: the disk is full" in out
    assert "all came" not in out


async def test_a_lost_connection_is_told_and_the_others_go_on() -> None:
    async with serve(Server(hang_up=10)) as address:
        status, told = await measured(
            *(address, "--clients", "4", "--senders", "1", "--messages", "40", "--window", "4", "--stall", "0.5")
        )
    (run,) = told["runs"]
    assert status == 1
    assert run["disconnects"] == 1
    assert run["messages"] == 40
    assert 3 * 39 <= run["deliveries"] < 160


async def test_pings_are_answered_and_gaps_told_while_it_is_measured() -> None:
    server = Server(ask=20)
    async with serve(server) as address:
        status, told = await measured(address, "--clients", "5", "--senders", "1", "--messages", "40", "--window", "4")
    (run,) = told["runs"]
    assert (status, server.pongs, run["gaps"], run["deliveries"]) == (1, 5, 5, 200)
    assert run["troubles"][0].endswith(": was not read fast enough: the server left out 4 to 5")


async def test_a_server_that_lets_nobody_in_is_told() -> None:
    settings = Settings(guests=False)
    async with ChatServer(listen=["tcp://127.0.0.1:0"], data=":memory:", settings=settings) as server:
        status, out, error = await bench(server.addresses[0], "--clients", "3")
    assert (status, out) == (1, "")
    assert error.startswith("asyncchat.bench: client 0: the server says 4")


async def test_a_server_that_cannot_be_reached_is_told() -> None:
    async with serve(Server()) as address:
        pass
    status, out, error = await bench(address)
    assert (status, out) == (1, "")
    assert error.startswith(f"asyncchat.bench: cannot connect to tcp://{address}: ")
