"""kill -9 while records are written: what was told as applied is there, and no seq is given twice."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asyncchat.storage.integrity import check
from asyncchat.storage.store import Store
from asyncchat.vocabulary.queries import FindMessage, FindPage, Place
from tests.storage.facts import LOBBY, settle

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")

RUNS = 5

# Says what is applied, as fast as it can, until it is killed. Some records are passing, some are not messages.
TALK = """
import asyncio, json, sys
from asyncchat.storage.storage import Storage
from tests.storage.facts import LOBBY, person, said, typing

async def main(path, run):
    storage = Storage(path)
    await storage.open()
    number = 0

    def say():
        nonlocal number
        for _ in range(7):
            number += 1
            storage.log.append(said(f"{run}/{number}"))
        storage.log.append(typing())
        if number % 3 == 0:
            storage.log.append(person(f"p{run}.{number}"))

    def applied(entries):
        told = [(e.seq, getattr(e.record, "text", None)) for e in entries if type(e.record).__name__ != "PersonTyping"]
        sys.stdout.write(json.dumps(told) + "\\n")
        sys.stdout.flush()
        say()

    await storage.log.start(applied, lambda entries, error: sys.exit(str(error)))
    say()
    await asyncio.Event().wait()

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def test_what_was_applied_outlives_a_kill(path: Path) -> None:
    settle(Store.open(path)).close()
    told: dict[int, str | None] = {}
    for run in range(RUNS):
        for line in talk(path, run, batches=random.Random(run).randint(1, 60)):
            for seq, text in json.loads(line):
                assert seq not in told, "a seq was given twice"
                told[seq] = text
    store = Store.open(path)
    for seq, text in told.items():
        if text is not None:
            assert store.ask(FindMessage(seq)) is not None
    events = store.ask(FindPage(Place(room=LOBBY), limit=1_000_000)).events
    stored = {event.seq: event.text for event in events}
    assert {seq: text for seq, text in told.items() if text is not None}.items() <= stored.items()
    assert store.last_seq >= max(told)
    assert len(told) > RUNS * 7
    store.close()
    assert check(path) == []


def talk(path: Path, run: int, batches: int) -> list[bytes]:
    """What a process told as applied until it was killed, after so many batches."""
    with subprocess.Popen([sys.executable, "-c", TALK, str(path), str(run)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(batches)]
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    return [line for line in lines if line.endswith(b"\n")]
