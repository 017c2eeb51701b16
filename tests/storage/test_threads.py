"""Those who read let the others go first, and are interrupted when they take too long."""

import asyncio
import os
import sqlite3
import sys
import threading
import time
from contextlib import closing
from functools import partial

import pytest

from asyncchat.storage.threads import REST_SECONDS, Reader, Threads, time_limit

COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT max(i) FROM n"


@pytest.mark.parametrize("kind", [Reader, sqlite3.Connection])
def test_what_takes_too_long_is_interrupted(kind: type[sqlite3.Connection]) -> None:
    with closing(sqlite3.connect(":memory:", factory=kind)) as db:
        with pytest.raises(sqlite3.OperationalError, match="interrupted"), time_limit(db, 0.01):
            db.execute(COUNT.format(10**9)).fetchone()
        assert db.execute(COUNT.format(10_000)).fetchone() == (10_000,), "and the next one is not"


def test_a_reader_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr(time, "sleep", rests.append)
    with closing(sqlite3.connect(":memory:", factory=Reader)) as db:
        db.execute(COUNT.format(3))
        assert not rests, "a short question needs no rest"
        db.execute(COUNT.format(10_000)).fetchone()
    assert len(rests) > 10
    assert set(rests) == {REST_SECONDS}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
async def test_threads_go_behind_others() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    threads = Threads(1, "behind", 3)
    assert await threads.run(priority) == priority() + 3
    await threads.aclose()


async def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    threads, begun, gate = Threads(1, "reader"), asyncio.Event(), threading.Event()
    loop, done = asyncio.get_running_loop(), list[int]()

    def first() -> None:
        loop.call_soon_threadsafe(begun.set)
        gate.wait()
        done.append(0)

    tasks = [asyncio.create_task(threads.run(first))]
    await begun.wait()
    tasks += [asyncio.create_task(threads.run(partial(done.append, number))) for number in (1, 2, 3)]
    await asyncio.sleep(0)  # they stand in line
    for task in tasks[:3]:
        task.cancel()
    await asyncio.wait(tasks[:3])
    gate.set()
    await threads.aclose()
    assert done == [0, 3], "what was begun is finished, and what somebody waits for is done"
    await tasks[3]
