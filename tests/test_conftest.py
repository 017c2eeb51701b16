"""The checks that hold for every test can fail: each is given a test that breaks it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.tools import requires_tool

HERE = Path(__file__).parent

CULPRITS = """
import asyncio, os, socket, threading, time
import pytest

async def test_leaves_nothing():
    reader, writer = await asyncio.open_connection(sock=pair()[0])
    writer.close()
    await asyncio.gather(asyncio.to_thread(int), writer.wait_closed())

def pair():
    ours, theirs = socket.socketpair()
    theirs.close()
    return ours, theirs

async def test_leaves_a_task():
    kept.append(asyncio.create_task(asyncio.Event().wait()))

def test_leaves_a_task_in_its_own_loop():
    async def main():
        kept.append(asyncio.create_task(asyncio.Event().wait()))
    asyncio.run(main())

def test_leaves_a_thread():
    kept.append(threading.Event())
    threading.Thread(target=kept[-1].wait, daemon=True).start()

def test_leaves_a_socket():
    pair()

def test_leaves_a_socket_in_a_cycle():
    cycle = [pair()]
    cycle.append(cycle)

async def test_leaves_a_transport():
    await asyncio.open_connection(sock=pair()[0])

async def test_leaves_a_file():
    open(__file__)

async def test_leaves_a_coroutine():
    asyncio.sleep(0)

@pytest.mark.requires_tool("no-such-tool")
def test_lacks_a_tool():
    pass

@pytest.mark.requires_tool("python3")
def test_has_its_tool():
    pass

kept = []
"""


def outcomes(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """What became of each of the tests above: its outcome at its last phase."""
    (folder / "conftest.py").write_bytes((HERE / "conftest.py").read_bytes())
    (folder / "test_culprits.py").write_text(CULPRITS)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", HERE.parent / "pyproject.toml", "-rA", "--tb=no", folder],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, str] = {}
    for line in run.stdout.splitlines():
        outcome, _, rest = line.partition(" ")
        if outcome in {"PASSED", "FAILED", "ERROR"} and "::" in rest:
            name = rest.partition("::")[2].split()[0]
            found[name] = "failed" if outcome != "PASSED" or found.get(name) == "failed" else "passed"
    assert found, run.stdout + run.stderr
    return found


def test_what_is_left_behind_fails_the_test_that_left_it(tmp_path: Path) -> None:
    found = outcomes(tmp_path, {"CI": "true"})
    assert {name for name, outcome in found.items() if outcome == "passed"} == {
        "test_leaves_nothing",
        "test_has_its_tool",
    }
    assert len(found) == CULPRITS.count("def test_")


def test_a_missing_tool_fails_in_ci_only(tmp_path: Path) -> None:
    found = outcomes(tmp_path, {"CI": ""})
    assert "test_lacks_a_tool" not in found  # skipped


@requires_tool("sh")
def test_a_tool_that_is_there_is_used() -> None:
    assert subprocess.run(["sh", "-c", "exit 3"], check=False).returncode == 3
