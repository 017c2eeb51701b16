"""What an operator does with a database: retention, backup, check, export and import."""

import contextlib
import errno
import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncchat.storage import database_file, retention
from asyncchat.storage.integrity import check
from asyncchat.storage.storage import DAY, Storage
from asyncchat.storage.store import Store
from asyncchat.storage.transfer import backup, export, import_
from asyncchat.vocabulary import records as r
from asyncchat.vocabulary.errors import DatabaseInUse, NotStored, StorageError
from asyncchat.vocabulary.queries import FindMessage, FindPage, FindSince, FindText, FindToken, Place
from asyncchat.vocabulary.records import KeptRecord
from asyncchat.vocabulary.terms import Code, Role
from tests.storage.facts import (
    ALICE,
    ATTIC,
    BOB,
    FIRST,
    LOBBY,
    Listener,
    deleted,
    edited,
    person,
    put,
    reacted,
    said,
    settle,
    whispered,
)
from tests.storage.histories import PEOPLE, ROOMS, histories
from tests.storage.test_state import LASTING, TOKEN

HERE = Place(room=LOBBY)


def texts(store: Store, room: int = LOBBY) -> list[str]:
    return [event.text for event in store.ask(FindPage(Place(room=room), limit=1000)).events]


# --- retention ------------------------------------------------------------------------------------------------------


def prune(store: Store, room: int, before: int) -> int:
    """Delete what is older; the number of steps that it took."""
    put(store, r.Pruned(time=before, room=room, before=before))
    steps = 0
    while store.prune():
        steps += 1
    return steps - 1  # the last finds that there is no more


def test_old_messages_of_a_room_go_with_all_that_belongs_to_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seqs = put(store, *(said(str(number), time=number) for number in range(10)))
    put(store, said("kept", ATTIC, time=1), whispered("kept too", ALICE, BOB, time=1))
    put(store, reacted(seqs[0], "+1", time=20), edited(seqs[1], "x", time=20), deleted(seqs[2], time=3))
    put(store, r.TopicSet(time=2, room=LOBBY, to="#lobby", by=ALICE, name="Alice", text="tea"))
    while store.index_next():
        pass
    monkeypatch.setattr(retention, "AT_ONCE", 4)
    assert prune(store, LOBBY, before=6) == 2
    assert texts(store) == ["6", "7", "8", "9"]
    assert texts(store, ATTIC) == ["kept"]
    since = store.ask(FindSince(ALICE, (LOBBY, ATTIC), after=0, limit=100)).events
    assert [event.text for event in since] == ["6", "7", "8", "9", "kept", "kept too"]
    assert store.ask(FindText(ALICE, (LOBBY,), "x", 10)).events == []
    assert store.ask(FindMessage(seqs[0])) is None
    assert any(isinstance(record, r.TopicSet) for _, record in store.load()), "the topic still stands"
    assert put(store, said()) == [seqs[-1] + 8]


def test_a_room_whose_messages_are_all_gone_is_one_where_something_was_said(path: Path, tmp_path: Path) -> None:
    store = settle(Store.open(path))
    put(store, said(time=1))
    prune(store, LOBBY, before=2)
    assert texts(store) == []
    assert spoken(store) == {"#lobby": True, "#attic": False}
    store.close()
    import_(export(path), tmp_path / "two.db")
    copy = Store.open(tmp_path / "two.db")
    assert spoken(copy) == {"#lobby": True, "#attic": False}
    copy.close()


def spoken(store: Store) -> dict[str, bool]:
    return {record.name: record.spoken for _, record in store.load() if isinstance(record, r.RoomCreated)}


def test_messages_of_a_clock_that_was_ahead_are_not_in_the_way(store: Store) -> None:
    put(store, *(said(f"ahead {number}", time=1_000_000) for number in range(300)))
    put(store, *(said(f"old {number}", time=1) for number in range(5)), said("new", time=100))
    assert retention.is_due(store.connection, LOBBY, 50)
    prune(store, LOBBY, before=50)
    assert not retention.is_due(store.connection, LOBBY, 50)
    assert texts(store)[-2:] == ["ahead 299", "new"]


def test_guests_who_never_wrote_are_forgotten(store: Store) -> None:
    silent, author, reader, member = put(store, *(person(name, token=name.encode() * 8) for name in "cdef"))
    put(store, said(author=author), whispered("hi", ALICE, reader))
    put(store, r.RoleSet(time=1, room=LOBBY, person=silent, role=Role.VOICE))
    put(store, *(r.NameReleased(time=500, person=id) for id in (silent, author, reader)))
    db = store.connection
    assert retention.silent_guests(db, before=400, after=0, limit=10) == ([], None)
    assert retention.silent_guests(db, before=501, after=0, limit=2) == ([silent], author)
    assert retention.silent_guests(db, before=501, after=author, limit=2) == ([], reader)
    assert retention.silent_guests(db, before=501, after=reader, limit=2) == ([], None)
    put(store, r.PeopleForgotten(time=600, people=[silent], before=500))
    assert store.ask(FindToken(b"c" * 8)) is not None, "one who was seen meanwhile stays"
    put(store, r.PeopleForgotten(time=600, people=[silent, member, ALICE], before=501))
    assert {"Alice", "f"} <= {record.name for _, record in store.load() if isinstance(record, r.PersonCreated)}
    assert store.ask(FindToken(b"c" * 8)) is None
    assert store.ask(FindToken(b"d" * 8)).id == author
    assert not any(isinstance(record, r.RoleSet) for _, record in store.load())


async def test_silent_guests_are_found_some_at_a_time(
    storage: Storage, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 31):
        storage.log.append(person(f"g{number}"))
        storage.log.append(r.NameReleased(time=1, person=number * 2 - 1))
    storage.log.append(r.PersonCreated(time=100 * 365 * DAY, name="now", key="now"))
    storage.log.append(r.NameReleased(time=100 * 365 * DAY, person=61))
    await listener.told(62)
    monkeypatch.setattr("asyncchat.storage.storage.GUESTS_AT_ONCE", 7)
    found = [guests async for guests in storage.silent_guests(before=DAY)]
    assert [id for guests in found for id in guests] == [number * 2 - 1 for number in range(1, 31)]
    assert max(map(len, found)) == 7


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir() if file.is_file()}


# --- backup ---------------------------------------------------------------------------------------------------------


async def test_a_backup_is_a_database_as_it_was(storage: Storage, listener: Listener, tmp_path: Path) -> None:
    for record in (*FIRST, *LASTING, said("before")):
        storage.log.append(record)
    await listener.told(len(FIRST) + len(LASTING) + 1)
    last_seq = storage.last_seq
    await storage.backup(tmp_path / "copy.db")
    storage.log.append(said("after"))
    await listener.told(len(FIRST) + len(LASTING) + 2)
    assert modes(tmp_path) == {"copy.db": 0o600} or os.name == "nt"
    assert check(tmp_path / "copy.db") == []
    copy = Store.open(tmp_path / "copy.db")
    assert texts(copy) == ["before"]
    assert copy.last_seq == last_seq
    assert copy.epoch != storage.epoch, "its next message has the seq of another one here"
    assert copy.identity == storage.identity, "tokens are as good there"
    copy.close()


async def test_a_backup_replaces_nothing(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    with pytest.raises(StorageError) as refused:
        await storage.backup(tmp_path / "precious")
    assert refused.value.code is Code.CONFLICT
    assert (tmp_path / "precious").read_text() == "precious"
    with pytest.raises(NotStored):
        await storage.backup(tmp_path / "no" / "folder")


async def test_a_backup_that_fails_leaves_nothing(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(sqlite3.Connection):
        def execute(self, *_: object) -> sqlite3.Cursor:
            raise sqlite3.OperationalError("disk is full")

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **named: connect(*args, factory=Full, **named))
    with pytest.raises(NotStored, match="full"):
        await storage.backup(tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_backup_that_is_interrupted_leaves_no_copy_with_the_same_epoch(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("asyncchat.storage.transfer.new_epoch", interrupted)
    with contextlib.closing(Store.open(path)) as store, pytest.raises(KeyboardInterrupt):
        backup(store.connection, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


# --- check ----------------------------------------------------------------------------------------------------------


def test_a_sound_database_has_no_problems_in_use_or_not(path: Path) -> None:
    store = settle(Store.open(path))
    (seq,) = put(store, said())
    put(store, *LASTING, reacted(seq, "+1"), edited(seq, "x"))
    assert check(path) == []
    store.close()
    before = path.read_bytes()
    assert check(path) == []
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir() if not file.name.endswith("-lock")] == ["chat.db"]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("INSERT INTO tokens VALUES (x'00', 77)", "1 tokens of nobody"),
        ("UPDATE messages SET room = 77", "2 messages to no room"),
        ("UPDATE messages SET author = 77 WHERE text = 'a'", "1 messages of nobody"),
        ("UPDATE messages SET deleted = 1", "2 deleted messages with a text"),
        ("INSERT INTO reactions VALUES (77, '+1', 1, 'Alice', 5)", "1 reactions on no message"),
    ],
)
def test_what_does_not_fit_together_is_listed(path: Path, damage: str, problem: str) -> None:
    store = settle(Store.open(path))
    put(store, said("a"), said("b"))
    store.connection.execute(damage)
    store.close()
    assert check(path) == [problem]


def test_no_database_at_all_is_a_problem(tmp_path: Path) -> None:
    assert len(check(tmp_path / "none.db")) == 1
    assert list(tmp_path.iterdir()) == []


# --- export and import ----------------------------------------------------------------------------------------------


def everything(store: Store) -> list[object]:
    """All that can be asked, for comparison."""
    found: list[object] = [list(store.load()), store.last_seq]
    for id in PEOPLE:
        found.append(store.ask(FindSince(id, ROOMS, after=0, limit=1000)))
        found += [store.ask(FindPage(Place(one=id, other=other), limit=1000)) for other in PEOPLE]
    return found + [store.ask(FindPage(Place(room=room), limit=1000)) for room in ROOMS]


@settings(max_examples=30)
@given(history=histories)
def test_an_import_of_an_export_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, history: list[KeptRecord]
) -> None:
    folder = tmp_path_factory.mktemp("transfer")
    store = Store.open(folder / "one.db")
    put(store, *history)
    expected = everything(store)
    lines = list(export(folder / "one.db"))  # while it is in use
    store.close()
    assert import_(lines, folder / "two.db") == len(lines) - 1
    copy = Store.open(folder / "two.db")
    assert everything(copy) == expected
    copy.close()
    assert list(export(folder / "two.db")) == lines
    assert check(folder / "two.db") == []


def test_an_export_shows_one_moment_of_a_database_in_use(path: Path) -> None:
    store = settle(Store.open(path))
    assert store.checkpoint(), "all is in the file, and the log beside it is empty"
    lines = export(path)
    first = [next(lines)]
    put(store, *(said("x" * 1000) for _ in range(100)))
    assert not store.checkpoint(), "the export is in the way"
    assert len([*first, *lines]) == 1 + len(FIRST)
    assert store.checkpoint()
    store.close()


def test_people_rights_and_tokens_are_exported(path: Path, tmp_path: Path) -> None:
    store = settle(Store.open(path))
    (carol,) = put(store, person("Carol", token=TOKEN))
    put(store, r.NameReleased(time=5, person=carol), *LASTING)
    (second,) = put(store, person("Carol"))
    expected, epoch, identity, last_seq = list(store.load()), store.epoch, store.identity, store.last_seq
    store.close()
    import_((json.dumps(json.loads(line)) for line in export(path)), tmp_path / "two.db")
    copy = Store.open(tmp_path / "two.db")
    assert sorted(map(repr, copy.load())) == sorted(map(repr, expected))
    assert copy.ask(FindToken(TOKEN)).id == carol != second
    assert copy.epoch != epoch
    assert copy.identity == identity
    assert put(copy, said()) == [last_seq + 1]
    copy.close()


def test_what_earlier_versions_exported_becomes_a_server_of_its_own(tmp_path: Path) -> None:
    import_([GOOD], tmp_path / "new.db")
    store = Store.open(tmp_path / "new.db")
    assert store.identity
    store.close()


GOOD = b'{"format":"asyncchat records","version":1,"last_seq":0}'


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"{}"],
        [b'{"format":"something else","version":1,"last_seq":0}'],
        [b'{"format":"asyncchat records","version":2,"last_seq":0}'],
        [GOOD, b"nonsense"],
        [GOOD, b"\xff"],
        [GOOD, b'{"seq":1,"fact":{"record":"Nothing","time":1}}'],
        [GOOD, b'{"seq":1,"fact":{"record":"PersonCreated","time":"x","name":"a","key":"a"}}'],
    ],
)
def test_lines_that_are_no_export_are_refused_and_leave_nothing(tmp_path: Path, lines: list[bytes]) -> None:
    with pytest.raises(StorageError) as refused:
        import_(lines, tmp_path / "new.db")
    assert refused.value.code is Code.MALFORMED
    assert [file.name for file in tmp_path.iterdir()] == (["new.db-lock"] if os.name == "nt" else [])


def test_an_import_makes_the_database_at_its_end(path: Path, tmp_path: Path) -> None:
    """So that one that is killed leaves no half of a database for a server to open."""
    settle(Store.open(path)).close()
    new = tmp_path / "new" / "new.db"

    def lines() -> Iterator[bytes]:
        for line in export(path):
            yield line
            assert not new.exists()
            with pytest.raises(DatabaseInUse):
                Store.open(new)
            new.unlink()  # the empty file of who was refused

    assert import_(lines(), new) == len(FIRST)
    assert sorted(file.name for file in new.parent.iterdir()) == ["new.db", "new.db-lock"]
    assert modes(new.parent) == dict.fromkeys(("new.db", "new.db-lock"), 0o600) or os.name == "nt"
    Store.open(new).close()


def test_an_import_replaces_nothing(path: Path) -> None:
    settle(Store.open(path)).close()
    with pytest.raises(StorageError) as refused:
        import_([GOOD], path)
    assert refused.value.code is Code.CONFLICT
    assert len(list(export(path))) == 1 + len(FIRST)


def test_an_import_leaves_no_log_of_another_database_beside_its_own(path: Path) -> None:
    """SQLite would play it into the new one."""
    wal = database_file.wal_of(path)
    wal.write_bytes(b"left over")
    with pytest.raises(StorageError, match="move it away") as refused:
        import_([GOOD], path)
    assert refused.value.code is Code.CONFLICT
    assert wal.read_bytes() == b"left over"


@given(lines=st.lists(st.binary(max_size=40) | st.text(max_size=40), max_size=3))
def test_any_lines_are_records_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes | str]
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "new.db"
    with pytest.raises(StorageError):
        import_([GOOD, *lines, b"{"], path)


# --- files that are gone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", ["database", "write-ahead log", "directory", "replaced"])
async def test_nothing_is_acknowledged_that_is_written_to_a_file_that_is_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, gone: str
) -> None:
    folder = tmp_path / "data"
    storage, listener = Storage(folder / "chat.db"), Listener()
    await storage.open()
    await storage.log.start(listener.on_applied, listener.on_failed)
    storage.log.append(person("Alice"))
    await listener.told(1)
    match gone:
        case "database":
            (folder / "chat.db").unlink()
        case "write-ahead log":
            (folder / "chat.db-wal").unlink()
        case "directory":
            folder.rename(tmp_path / "elsewhere")
        case "replaced":
            (folder / "chat.db").rename(folder / "old.db")
            (folder / "chat.db").touch()
    for _ in range(3):
        storage.log.append(person("Bob"))
    await listener.told(4)
    assert len(listener.failed) == 3
    assert all(isinstance(error, NotStored) for _, error in listener.failed)
    assert [record.levelname for record in caplog.records if "was it removed?" in record.message] == ["ERROR"]
    await storage.aclose()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks_is_no_other_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def unknown(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", unknown)
    with pytest.raises(StorageError, match="put the database on a file system with locks") as refused:
        Store.open(tmp_path / "chat.db")
    assert not isinstance(refused.value, DatabaseInUse)


def test_a_process_that_was_forked_meanwhile_does_not_keep_the_lock(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "chat.db")
    kept = os.dup(store._lock._fd)  # type: ignore[union-attr] # as a child has it
    try:
        store.close()
        Store.open(tmp_path / "chat.db").close()
    finally:
        os.close(kept)


@pytest.mark.parametrize("days", [-3, 3, 400])
async def test_no_message_is_deleted_for_its_age_for_a_day_after_the_clock_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, days: int
) -> None:
    running = 0.0
    monkeypatch.setattr("asyncchat.storage.storage.monotonic", lambda: running)
    storage, listener = Storage(tmp_path / "chat.db"), Listener()
    await storage.open()
    await storage.log.start(listener.on_applied, listener.on_failed)
    now = 1_000 * DAY
    assert await storage.trusts(now)
    now, running = now + 600_000, 600.0
    assert await storage.trusts(now)
    now += days * DAY
    for _ in range(3):
        now, running = now + 600_000, running + 600.0
        assert not await storage.trusts(now)
    assert len([record for record in caplog.records if "days have passed" in record.message]) == 1
    now, running = now + DAY // 2, running + DAY / 2000
    assert not await storage.trusts(now)
    now, running = now + DAY // 2, running + DAY / 2000
    assert await storage.trusts(now)
    await storage.aclose()


async def test_a_stop_of_days_counts_as_a_clock_that_was_set(tmp_path: Path) -> None:
    for now, trusted in ((1_000 * DAY, True), (1_000 * DAY + 1000, True), (1_002 * DAY, False)):
        storage, listener = Storage(tmp_path / "chat.db"), Listener()
        await storage.open()
        await storage.log.start(listener.on_applied, listener.on_failed)
        assert await storage.trusts(now) is trusted
        await storage.aclose()
