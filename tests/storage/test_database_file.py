"""Opening a database: modes, the lock, what is refused and then left alone, and the steps of the schema."""

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from asyncchat.storage import database_file, migrations
from asyncchat.storage.integrity import check
from asyncchat.storage.storage import Storage
from asyncchat.storage.store import Store
from asyncchat.storage.transfer import export
from asyncchat.vocabulary import records as r
from asyncchat.vocabulary.errors import DamagedDatabase, DatabaseInUse, NewerDatabase, StorageError
from asyncchat.vocabulary.queries import FindMessage
from tests.storage.facts import FIRST, person, put, said, settle


def made(path: Path, messages: int = 50) -> Path:
    """A sound database that was closed."""
    store = settle(Store.open(path))
    put(store, *(said(f"message {number}") for number in range(messages)))
    store.close()
    return path


def killed(path: Path, folder: Path, statement: str = "") -> Path:
    """A database of some pages as a killed server leaves it, its last message in the log alone; in a new folder."""
    store = settle(Store.open(path))
    put(store, *(said(f"message {number}") for number in range(200)))
    put(store, *(person(f"guest{number}") for number in range(1000)))
    assert store.checkpoint()
    put(store, said("the last one"))
    store.connection.execute(statement)
    folder.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", folder)
    store.close()
    return folder / path.name


def overwrite(file: Path, start: int, length: int = 4096) -> None:
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(b"\xaa" * length)


def contents(folder: Path) -> dict[str, bytes]:
    """The files, but for those that hold nothing: the lock, and SQLite's index of the log, which it makes anew."""
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.suffix in (".db", ".db-wal")}


def refused(path: Path, error: type[StorageError]) -> str:
    """Open must raise this error and change nothing; returns its text."""
    before = contents(path.parent)
    with pytest.raises(error) as raised:
        Store.open(path)
    assert contents(path.parent) == before
    return str(raised.value)


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_only_their_owner_reads_the_files(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "data" / "chat.db"
    store = settle(Store.open(path))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    store.close()
    assert modes == dict.fromkeys(("chat.db", "chat.db-wal", "chat.db-shm", "chat.db-lock"), 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot make"):
        Store.open(tmp_path / "file" / "chat.db")


def test_a_lock_that_cannot_be_made_is_said(path: Path) -> None:
    made(path)
    Path(f"{path}-lock").unlink()
    Path(f"{path}-lock").mkdir()
    with pytest.raises(StorageError, match="-lock: "):
        Store.open(path)


@pytest.mark.parametrize("step", ["connect", "connect_inspector"])
@pytest.mark.parametrize(
    ("free", "reason"), [(database_file.LOG_INDEX_BYTES - 1, "the disk is full"), (10**9, "I/O error")]
)
def test_a_full_disk_is_told_from_a_broken_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str, free: int, reason: str
) -> None:
    """When SQLite finds no room for its index of the log: it calls both by the same name, and neither is damage."""
    made(path)

    def fail(*_: object) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
        raise error

    monkeypatch.setattr(database_file, step, fail)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(StorageError, match=f"cannot be opened: .*{reason}"):
        Store.open(path)


async def test_a_storage_that_cannot_open_leaves_nothing_open(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    path.write_bytes(b"no database")
    storage = Storage(path)
    with pytest.raises(DamagedDatabase):
        await storage.open()
    await storage.aclose()


async def test_a_start_that_is_cancelled_leaves_nothing_open(path: Path) -> None:
    storage = Storage(path)
    opening = asyncio.create_task(storage.open())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    Store.open(path).close()


def test_a_closed_database_is_one_file(path: Path) -> None:
    made(path)
    assert list(contents(path.parent)) == ["chat.db"]


def test_the_file_says_whose_it_is(path: Path) -> None:
    header = made(path).read_bytes()[:100]
    assert header[68:72] == b"ASCH"
    assert int.from_bytes(header[60:64], "big") == migrations.VERSION


def test_commits_are_synced_and_readers_cannot_write(path: Path) -> None:
    """What a kill of the process does not show: only a power cut would."""
    store = Store.open(path)
    settings = [store.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert settings == ["wal", 2]
    reader = store.reader()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM people")
    reader.close()
    store.close()


# --- one at a time --------------------------------------------------------------------------------------------------


def test_a_database_is_used_by_one(path: Path) -> None:
    store = Store.open(path)
    with pytest.raises(DatabaseInUse, match="another process uses"):
        Store.open(path)
    put(store, said())
    store.close()
    Store.open(path).close()


def test_a_database_has_one_lock_and_one_log_whatever_link_leads_to_it(path: Path, tmp_path: Path) -> None:
    store = settle(Store.open(path))
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    try:
        link.symlink_to(path)
    except OSError:
        store.close()
        pytest.skip("no links here")
    with pytest.raises(DatabaseInUse):
        Store.open(link)
    assert check(link) == [], "which looks into the log"
    lines = len(list(export(link)))
    store.close()
    assert lines == 1 + len(FIRST)


def test_a_lock_that_its_last_owner_removes_while_it_is_taken_is_nobodys(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")  # Windows removes no file that is open
    last, flock = database_file.Lock(path), fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        monkeypatch.undo()
        last.discard()  # the file was open in both
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    lock = database_file.Lock(path)
    with pytest.raises(DatabaseInUse):
        database_file.Lock(path)
    lock.release()


HOLD = """
import sys
from asyncchat.storage.store import Store
store = Store.open(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_a_database_of_another_process_is_free_when_it_is_killed(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(DatabaseInUse):
            Store.open(path)
        child.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    Store.open(path).close()


# --- damaged --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"x", b"hello\n" * 1000, b"SQLite format 3\0", b"SQLite format 3\0" + bytes(4080)])
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path, DamagedDatabase)


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE messages (seq)")
    db.commit()
    db.close()
    assert "another program" in refused(path, DamagedDatabase)


def test_a_start_that_was_killed_before_the_first_table_is_begun_again(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.close()
    assert path.stat().st_size
    made(path)
    assert check(path) == []


def test_a_file_that_was_cut_off_is_refused(path: Path) -> None:
    made(path)
    os.truncate(path, path.stat().st_size - 4096)
    assert "damaged" in refused(path, DamagedDatabase)


@pytest.mark.parametrize("page", range(1, 30))
def test_a_page_of_rubbish_is_found(path: Path, page: int) -> None:
    made(path)
    overwrite(path, page * 4096)
    refused(path, DamagedDatabase)
    assert check(path)


def test_a_large_database_is_not_read_through(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(path)
    monkeypatch.setattr(database_file, "QUICK_CHECK_BYTES", 0)
    overwrite(path, path.stat().st_size - 2 * 4096)
    Store.open(path).close()


# --- damaged, and left by a server that was killed -------------------------------------------------------------------


def test_a_killed_server_left_a_sound_database(path: Path, tmp_path: Path) -> None:
    left = killed(path, tmp_path / "killed")
    store = Store.open(left)
    assert store.ask(FindMessage(store.last_seq)) is not None
    store.close()
    assert check(left) == []


@pytest.mark.parametrize("start", [100, 4096, 20 * 4096])
def test_what_is_damaged_beside_a_log_is_refused(path: Path, tmp_path: Path, start: int) -> None:
    left = killed(path, tmp_path / "killed")
    overwrite(left, start, 4096 - start % 4096)
    assert "damaged" in refused(left, DamagedDatabase)


@pytest.mark.parametrize("checked", [0, database_file.QUICK_CHECK_BYTES])
def test_a_file_that_was_cut_off_beside_a_log_is_refused(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checked: int
) -> None:
    monkeypatch.setattr(database_file, "QUICK_CHECK_BYTES", checked)
    left = killed(path, tmp_path / "killed")
    os.truncate(left, left.stat().st_size // 8192 * 4096)
    assert "damaged" in refused(left, DamagedDatabase)


def test_an_empty_file_beside_a_log_is_refused(path: Path, tmp_path: Path) -> None:
    """SQLite would delete the log, and with it the last messages."""
    left = killed(path, tmp_path / "killed")
    os.truncate(left, 0)
    assert "empty" in refused(left, DamagedDatabase)


# --- newer and older ------------------------------------------------------------------------------------------------


def test_a_newer_database_is_refused(path: Path) -> None:
    made(path)
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {migrations.VERSION + 1}")
    db.close()
    assert f"schema {migrations.VERSION + 1}" in refused(path, NewerDatabase)
    with pytest.raises(NewerDatabase):
        check(path)


def test_a_newer_database_whose_version_stands_in_the_log_is_refused(path: Path, tmp_path: Path) -> None:
    """As a newer program leaves it that was killed."""
    left = killed(path, tmp_path / "killed", f"PRAGMA user_version = {migrations.VERSION + 1}")
    assert f"schema {migrations.VERSION + 1}" in refused(left, NewerDatabase)


def test_an_older_database_takes_the_steps_it_lacks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(path)
    step = "CREATE TABLE extra (a); -- a comment; with a semicolon\nINSERT INTO extra VALUES (';');"
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, step))
    monkeypatch.setattr(migrations, "VERSION", migrations.VERSION + 1)
    for _ in range(2):
        store = Store.open(path)
        assert store.connection.execute("SELECT * FROM extra").fetchall() == [(";",)]
        assert store.ask(FindMessage(5)).seq == 5
        assert migrations.version_of(store.connection) == migrations.VERSION
        store.close()


def test_a_database_of_the_first_schema_keeps_its_rooms(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "VERSION", 1)
        db = sqlite3.connect(path, isolation_level=None)
        migrations.migrate(db)
    db.execute("INSERT INTO people (id, created, touched, name, key) VALUES (1, 5, 5, 'Alice', 'alice')")
    db.execute("INSERT INTO rooms VALUES (2, 5, '#attic', '#attic', 1)")
    db.execute("INSERT INTO options VALUES (2, 6, 1, 1, 0, 1, 30, '$')")
    db.execute("INSERT INTO invites VALUES (2, 1, 7, 1)")
    db.close()
    store = Store.open(path)
    facts = [record for _, record in store.load()]
    assert r.RoomCreated(time=5, name="#attic", key="#attic", founder=1) in facts
    options = r.RoomSet(
        time=6, room=2, by=1, private=True, moderated=False, topic_locked=True, retention=30, password="$"
    )
    assert options in facts
    assert r.InviteSet(time=7, room=2, person=1, by=1) in facts
    store.close()


def test_a_step_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(path)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", (*migrations.STEPS, "DROP TABLE messages; INSERT INTO nowhere VALUES (1);"))
        patch.setattr(migrations, "VERSION", migrations.VERSION + 1)
        with pytest.raises(StorageError, match="nowhere"):
            Store.open(path)
    store = Store.open(path)
    assert store.ask(FindMessage(5)).seq == 5
    store.close()


def test_a_database_of_before_gets_an_identity_and_reactions_that_are_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(migrations, "STEPS", migrations.STEPS[:2])
        before.setattr(migrations, "VERSION", 2)
        db = sqlite3.connect(path, isolation_level=None)
        migrations.migrate(db)
        for reaction in ("\u2764", "\u2764\ufe0f", "\U0001f44d\ufe0f"):
            db.execute("INSERT INTO reactions VALUES (5, ?, 1, 'Alice', 1)", (reaction,))
        db.close()
    store = Store.open(path)
    assert len(store.identity) == 24, "a database of before gets an identity"
    found = store.connection.execute("SELECT reaction FROM reactions ORDER BY reaction").fetchall()
    store.close()
    assert found == [("\u2764",), ("\U0001f44d",)]
