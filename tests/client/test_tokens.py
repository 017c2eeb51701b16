import errno
import os
import stat
from pathlib import Path

import pytest

from asyncchat._files import config_dir
from asyncchat.client import TokenStore

SERVER = "localhost:7777"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_token_is_kept_for_its_server_and_name(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.save(SERVER, "alice", "one")
    store.save(SERVER, "bob", "two")
    store.save("other:7777", "alice", "three")
    store.save(SERVER, "Alice", "four")
    again = TokenStore(tmp_path)
    assert again.load(SERVER, "ALICE") == "four"
    assert again.load(SERVER, "bob") == "two"
    assert again.load("other:7777", "alice") == "three"
    assert again.load(SERVER, "carol") is None
    again.forget(SERVER, "bob")
    again.forget(SERVER, "bob")
    assert store.load(SERVER, "bob") is None


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_nobody_else_can_read_tokens(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        store = TokenStore(tmp_path / "new" / "configuration")
        store.save(SERVER, "alice", "one")
        handle = store.try_lock(SERVER, "alice")
        assert handle is not None
        store.unlock(handle)
    finally:
        os.umask(mask)
    assert mode(store.directory) == 0o700
    files = list(store.directory.iterdir())
    assert len(files) == 2
    assert {mode(file) for file in files} == {0o600}


def test_a_damaged_file_is_no_token(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.save(SERVER, "alice", "one")
    (path,) = store.directory.iterdir()
    for damaged in (b"", b"\xff\xff", b"[1]", b'{"token": 7}'):
        path.write_bytes(damaged)
        assert store.load(SERVER, "alice") is None
    store.save(SERVER, "alice", "two")
    assert store.load(SERVER, "alice") == "two"


def test_a_directory_that_cannot_be_made_stops_nobody_from_logging_in(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    store = TokenStore(in_the_way)
    assert store.load(SERVER, "alice") is None
    handle = store.try_lock(SERVER, "alice")
    assert handle == -1
    store.unlock(handle)
    with pytest.raises(OSError):
        store.save(SERVER, "alice", "one")


def test_one_at_a_time_logs_in_under_a_name(tmp_path: Path) -> None:
    first, second = TokenStore(tmp_path), TokenStore(tmp_path)
    mine = first.try_lock(SERVER, "alice")
    assert mine is not None
    assert mine >= 0
    assert second.try_lock(SERVER, "alice") is None
    other = second.try_lock(SERVER, "bob")
    assert other is not None, "another name is not waited for"
    second.unlock(other)
    first.unlock(mine)
    again = second.try_lock(SERVER, "alice")
    assert again is not None
    second.unlock(again)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_where_the_file_system_knows_no_locks_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def unknown(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("asyncchat.client.tokens._try_lock", unknown)
    assert TokenStore(tmp_path).try_lock(SERVER, "alice") == -1


def test_another_configuration_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCCHAT_CONFIG_DIR", str(tmp_path / "mine"))
    assert config_dir() == tmp_path / "mine"
    assert TokenStore().directory == tmp_path / "mine" / "tokens"
    monkeypatch.delenv("ASYNCCHAT_CONFIG_DIR")
    assert "asyncchat" in str(config_dir())
