"""The log: order, group commit, what is told when, and what happens when the disk does not take it."""

import asyncio
import gc
import itertools
import logging
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from asyncchat.storage import local_log
from asyncchat.storage.database_file import MEMORY
from asyncchat.storage.local_log import TOGETHER, ThreadLog
from asyncchat.storage.log import Entry
from asyncchat.storage.snapshot import Placed
from asyncchat.storage.storage import Storage
from asyncchat.storage.store import Store
from asyncchat.vocabulary.errors import NotStored, StorageError
from asyncchat.vocabulary.queries import FindMessage, FindPage, Place
from asyncchat.vocabulary.records import Kept, Message, Pruned, Record
from asyncchat.vocabulary.terms import Code
from tests.storage.facts import FIRST, LOBBY, Listener, person, said, typing

BAD = said("\ud800")  # no UTF-8, so SQLite cannot hold it
ALL = FindPage(Place(room=LOBBY), limit=10_000)


async def test_records_are_applied_in_the_order_of_append(storage: Storage, listener: Listener) -> None:
    records: list[Record] = []
    for burst in range(20):
        for number in range(burst):
            record = typing() if number % 3 == 1 else said(f"{burst}.{number}")
            records.append(record)
            storage.log.append(record, origin=record)
        await asyncio.sleep(0)
    await listener.told(len(records))
    assert [entry.record for entry in listener.applied] == records
    assert all(entry.origin is entry.record for entry in listener.applied)


async def test_kept_records_count_up_and_passing_ones_stand_behind_the_last(
    storage: Storage, listener: Listener
) -> None:
    for record in (typing(), said("a"), typing(), typing(), said("b"), typing()):
        storage.log.append(record)
    await listener.told(6)
    assert [entry.seq for entry in listener.applied] == [0, 1, 1, 1, 2, 2]
    assert storage.last_seq == 2


async def test_what_is_applied_can_be_read(storage: Storage, listener: Listener) -> None:
    for number in range(1, 200):
        storage.log.append(said(str(number)))
        await listener.told(number)
        message = await storage.ask(FindMessage(listener.applied[-1].seq))
        assert message is not None


async def test_what_is_pending_is_few_batches(storage: Storage, listener: Listener) -> None:
    gate = threading.Event()
    busy: asyncio.Task[bool] | None = None
    if isinstance(storage.log, ThreadLog):  # the thread is busy while records gather
        busy = asyncio.create_task(storage.log.run(lambda _: gate.wait()))
        await asyncio.sleep(0)
    for number in range(500):
        storage.log.append(said(str(number)))
    assert storage.log.pending == 500
    gate.set()
    await listener.told(500)
    halves = [250, TOGETHER, 250 - TOGETHER]  # the thread commits one while the loop tells of the one before
    assert listener.batches == ([500] if busy is None else halves)
    assert storage.log.pending == 0
    assert busy is None or await busy


async def test_passing_records_make_no_transaction(
    storage: Storage, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object) -> None:
        pytest.fail("something was written")

    monkeypatch.setattr(Store, "write", write)
    for _ in range(3):
        storage.log.append(typing())
    await listener.told(3)
    assert not listener.failed


async def test_what_is_pending_at_the_end_is_committed_and_told(storage: Storage, listener: Listener) -> None:
    for number in range(300):
        storage.log.append(said(str(number)))
    await storage.log.aclose()
    assert len(listener.applied) == 300
    await storage.log.aclose()
    with pytest.raises(StorageError) as refused:
        storage.log.append(said())
    assert refused.value.code is Code.UNAVAILABLE


async def test_records_appended_before_the_start_wait_for_it(storage: Storage) -> None:
    storage.log.append(said("early"))
    listener = Listener()
    await storage.log.start(listener.on_applied, listener.on_failed)
    await listener.told(1)
    assert listener.applied[0].seq == 1


async def test_a_record_appended_by_a_callback_is_applied(storage: Storage) -> None:
    listener = Listener()

    def applied(entries: list[object]) -> None:
        listener.on_applied(entries)  # type: ignore[arg-type]
        if len(listener.applied) < 50:
            storage.log.append(said())

    await storage.log.start(applied, listener.on_failed)  # type: ignore[arg-type]
    storage.log.append(said())
    await listener.told(50)
    assert [entry.seq for entry in listener.applied] == list(range(1, 51))


@pytest.mark.parametrize("place", [MEMORY])
async def test_in_memory_what_goes_ahead_is_decided_by_passes_of_the_loop(storage: Storage, listener: Listener) -> None:
    async def say(count: int) -> list[int]:
        """Say so much in one pass of the loop: the batches that are told at once, and all that are told of it."""
        before = len(listener.batches)
        for _ in range(count):
            storage.log.append(said())
        at_once = len(listener.batches) - before
        for _ in range(3):  # the end of the pass, one that adds nothing, and what begins then
            await asyncio.sleep(0)
        return [at_once, *listener.batches[before:]]

    assert await say(1) == [0, 1]  # nobody knows yet
    assert await say(1) == [1, 1]
    assert await say(1) == [1, 1]
    assert await say(3) == [1, 1, 2]  # a crowd, unforeseen
    assert await say(3) == [0, 3]
    for _ in range(20):
        assert await say(64) == [0, 64]
    assert await say(1) == [0, 1]
    assert await say(1) == [1, 1]


@pytest.mark.parametrize("place", [MEMORY])
async def test_however_long_a_pass_takes_a_crowd_is_one_batch(
    storage: Storage, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No clock decides: on a machine of any speed the records of a pass are told together."""
    moments = itertools.count()
    for name in ("monotonic", "perf_counter", "time"):
        monkeypatch.setattr(time, name, lambda: float(next(moments)))
        monkeypatch.setattr(local_log, name, lambda: float(next(moments)), raising=False)
    for _ in range(10):
        for _ in range(64):
            storage.log.append(said())
        for _ in range(3):
            await asyncio.sleep(0)
    assert listener.batches == [64] * 10


@pytest.mark.parametrize("place", [MEMORY])
async def test_what_comes_in_pass_after_pass_gathers_up_to_a_bound(storage: Storage, listener: Listener) -> None:
    for _ in range(2 * TOGETHER):
        storage.log.append(said())
        storage.log.append(said())
        await asyncio.sleep(0)
    await listener.told(4 * TOGETHER)
    assert listener.batches == [TOGETHER] * 4


async def test_nothing_is_told_amid_the_telling(storage: Storage) -> None:
    telling = 0
    told: list[Entry] = []
    done = asyncio.Event()

    def applied(entries: list[Entry]) -> None:
        nonlocal telling
        telling += 1
        assert telling == 1
        told.extend(entries)
        if len(told) < 20:
            storage.log.append(said())
        else:
            done.set()
        telling -= 1

    def failed(entries: list[Entry], error: Exception) -> None:
        pytest.fail(f"{len(entries)} records failed: {error}")

    await storage.log.start(applied, failed)
    storage.log.append(said())
    await done.wait()
    assert [entry.seq for entry in told] == list(range(1, 21))


async def test_a_job_runs_between_batches_and_gives_its_result_or_error(storage: Storage, listener: Listener) -> None:
    assert await storage.log.run(lambda store: store.epoch) == storage.epoch
    with pytest.raises(ZeroDivisionError):
        await storage.log.run(lambda _: 1 // 0)
    storage.log.append(said())
    await listener.told(1)


async def test_the_loop_is_not_blocked(path: Path, no_blocking: None) -> None:
    storage = Storage(path)
    await storage.open()
    listener = Listener()
    await storage.log.start(listener.on_applied, listener.on_failed)
    for _ in range(100):
        storage.log.append(said())
    await listener.told(100)
    await storage.ask(ALL)
    await storage.aclose()


async def test_what_is_appended_while_a_batch_is_taken_is_not_lost(path: Path) -> None:
    """The loop may append at any moment of the thread's; here it does at the worst."""
    storage = Storage(path)
    await storage.open()
    log = storage.log
    assert isinstance(log, ThreadLog)

    class Pending(list[Entry]):
        """Grows as soon as it was copied for the first time."""

        grown = False

        def __getitem__(self, index: Any) -> Any:
            copy = super().__getitem__(index)
            if copy and not self.grown:
                self.grown = True
                self.append(Entry(said("late")))
            return copy

    log._pending = Pending()
    listener = Listener()
    await log.start(listener.on_applied, listener.on_failed)
    log.append(said("early"))
    await log.aclose()
    await storage.aclose()
    texts = [entry.record.text for entry in listener.applied if isinstance(entry.record, Message)]
    assert texts == ["early", "late"]


async def test_what_is_appended_while_the_thread_lies_down_wakes_it(path: Path) -> None:
    storage = Storage(path)
    await storage.open()

    class Restless(ThreadLog):
        """Gets a record in the moment before it would have to be woken for one: the second time, when for good."""

        @property
        def _asleep(self) -> bool:
            return self._lies

        @_asleep.setter
        def _asleep(self, lies: bool) -> None:
            self._times += lies
            if lies and self._times == 2:
                self._pending.append(Entry(said()))
            self._lies = lies

        _lies = False
        _times = 0

    storage.log = log = Restless(storage.log._store, storage.log._maintenance)
    listener = Listener()
    await log.start(listener.on_applied, listener.on_failed)
    await asyncio.wait_for(listener.told(1), timeout=5)
    await storage.aclose()


# --- when it fails --------------------------------------------------------------------------------------------------


async def limit_pages(storage: Storage, pages: int) -> None:
    """Make the database full: as SQLite sees it there is no room beyond so many pages."""
    await storage.log.run(lambda store: store.connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())


@pytest.mark.parametrize("place", ["file"], indirect=True)  # in memory messages are stored later
async def test_a_full_disk_refuses_until_there_is_room_again(storage: Storage, listener: Listener) -> None:
    storage.log.append(said("before"))
    await listener.told(1)
    await limit_pages(storage, 1)  # SQLite makes it as many as there are
    sent = 1
    while not listener.failed:
        storage.log.append(said("x" * 10_000))
        sent += 1
        await listener.told(sent)
    kept = storage.last_seq

    storage.log.append(said("y" * 10_000))
    storage.log.append(typing())
    await listener.told(sent + 2)
    refused, error = listener.failed[-1]
    assert isinstance(error, NotStored)
    assert error.code is Code.NOT_STORED
    assert refused.seq == 0
    assert listener.applied[-1].record == typing(), "a passing record needs no room"
    assert listener.applied[-1].seq == kept
    assert storage.last_seq == kept
    assert (await storage.ask(ALL)).events[0].text == "before", "reading goes on"

    await limit_pages(storage, 100_000)
    storage.log.append(said("after"))
    await listener.told(sent + 3)
    assert listener.applied[-1].seq == kept + 1
    texts = [event.text for event in (await storage.ask(ALL)).events]
    assert texts[-1] == "after"
    assert len(texts) == len([entry for entry in listener.applied if isinstance(entry.record, Kept)])


@pytest.mark.parametrize("place", ["file"], indirect=True)  # in memory messages are stored later
async def test_a_full_disk_is_logged_once_and_when_it_is_over(
    storage: Storage, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "asyncchat.storage")
    await limit_pages(storage, 1)
    for number in range(1, 4):
        storage.log.append(said("x" * 10_000))
        storage.log.append(typing())
        await listener.told(2 * number)
    await limit_pages(storage, 100_000)
    storage.log.append(said("a private word"))
    await listener.told(7)
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert "private" not in caplog.text


@pytest.mark.parametrize("place", ["file"], indirect=True)  # in memory messages are stored later
async def test_a_full_batch_fails_as_a_whole(storage: Storage, listener: Listener) -> None:
    await limit_pages(storage, 1)
    for _ in range(50):
        storage.log.append(said("x" * 10_000))
    await listener.told(50)
    assert len(listener.failed) == 50
    assert len({id(error) for _, error in listener.failed}) == 1
    assert (await storage.ask(ALL)).events == []


@pytest.mark.parametrize("place", ["file"], indirect=True)  # in memory messages are stored later
async def test_a_bad_record_fails_alone(storage: Storage, listener: Listener) -> None:
    for record in (*FIRST, said("one"), BAD, typing(), said("two"), said("three", author=2**70), said("four")):
        storage.log.append(record)
    await listener.told(10)
    assert [entry.record for entry, _ in listener.failed] == [BAD, said("three", author=2**70)]
    assert all(type(error) is StorageError for _, error in listener.failed)
    texts = [entry.record.text for entry in listener.applied if isinstance(entry.record, Message)]
    assert texts == ["one", "two", "four"]
    assert [entry.seq for entry in listener.applied] == [1, 2, 3, 4, 5, 5, 6, 7]
    assert [event.text for event in (await storage.ask(ALL)).events] == texts


async def test_what_is_given_together_is_kept_together_or_not_at_all(path: Path) -> None:
    storage = Storage(path)
    await storage.open()
    listener = Listener()
    await storage.log.start(listener.on_applied, listener.on_failed)
    storage.log.append(said("one"))
    storage.log.append(said("with it"), BAD, typing(), origin="a command")
    storage.log.append(said("two"))
    await listener.told(5)
    assert [entry.record for entry in listener.applied] == [said("one"), typing(), said("two")]
    assert [entry.record for entry, _ in listener.failed] == [said("with it"), BAD]
    await storage.aclose()


def test_no_batch_ends_between_what_was_given_together() -> None:
    alone = [Entry(said()) for _ in range(TOGETHER - 1)]
    together = [Entry(said(), "a command") for _ in range(5)]
    assert local_log._half([*alone, *together, *alone]) == TOGETHER - 1 + 5
    assert local_log._half([*alone, *together]) == TOGETHER - 1 + 5
    assert local_log._half([*alone, *alone, *alone]) == max(3 * (TOGETHER - 1) // 2, TOGETHER)
    assert local_log._half(together) == 5


async def test_in_memory_a_bad_message_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    storage, listener = Storage(MEMORY), Listener()
    await storage.open()
    await storage.log.start(listener.on_applied, listener.on_failed)
    for record in (*FIRST, said("one"), BAD, said("two")):
        storage.log.append(record)
    await listener.told(len(FIRST) + 3)
    assert [event.text for event in (await storage.ask(ALL)).events] == ["one", "two"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    await storage.aclose()


async def test_a_fault_of_the_program_fails_the_record_and_no_more(
    storage: Storage, listener: Listener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = Store.write

    def faulty(store: Store, facts: Sequence[Placed]) -> None:
        if any(record == said("lost") for _, record in facts):
            raise ZeroDivisionError
        write(store, facts)

    monkeypatch.setattr(Store, "write", faulty)
    for record in (typing(), said("lost"), typing(), said("found")):
        storage.log.append(record)
    await listener.told(4)
    ((refused, error),) = listener.failed
    assert (refused.record, refused.seq, type(error)) == (said("lost"), 0, StorageError)
    assert "ZeroDivisionError" in caplog.text
    assert [(entry.record, entry.seq) for entry in listener.applied] == [
        (typing(), 0),
        (typing(), 0),
        (said("found"), 1),
    ]


# --- seqs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", [said(), person("Carol"), typing()])
async def test_a_seq_is_not_given_again_after_a_restart(path: Path, last: Record) -> None:
    seen = []
    for _ in range(3):
        storage = Storage(path)
        await storage.open()
        listener = Listener()
        await storage.log.start(listener.on_applied, listener.on_failed)
        for record in (said(), last):
            storage.log.append(record)
        await listener.told(2)
        await storage.aclose()
        seen += [entry.seq for entry in listener.applied if isinstance(entry.record, Kept)]
    assert seen == list(range(1, len(seen) + 1))


async def test_a_seq_is_not_given_again_after_its_message_was_pruned(path: Path) -> None:
    for expected in (1, 3, 5):
        storage = Storage(path)
        await storage.open()
        listener = Listener()
        await storage.log.start(listener.on_applied, listener.on_failed)
        storage.log.append(said(time=1))
        await listener.told(1)
        assert listener.applied[0].seq == expected
        storage.log.append(Pruned(time=2, room=LOBBY, before=2))
        await listener.told(2)
        while await storage.log.run(Store.prune):
            pass
        assert not await storage.is_expired(LOBBY, before=2)
        await storage.aclose()


async def test_what_was_refused_is_forgotten(
    storage: Storage, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal has a traceback, whose frames have the record: a circle that only the collector ends."""

    class Text(str):
        """A text that can be watched."""

    def full(store: Store, kept: Sequence[Placed]) -> None:
        raise NotStored("the disk is full")

    monkeypatch.setattr(Store, "write", full)
    watched: weakref.WeakSet[Text] = weakref.WeakSet()

    def say(number: int) -> None:
        text = Text(number)
        watched.add(text)
        storage.log.append(said(text))

    for number in range(50):
        say(number)
    await listener.told(50)
    assert len(listener.failed) == 50
    listener.failed.clear()
    await storage.aclose()  # the thread may be busy with the end of the batch still
    gc.collect()
    assert not watched
