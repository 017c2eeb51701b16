import errno
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from asyncchat._files import config_dir
from asyncchat.client import TokenStore
from asyncchat.client.tokens import SERVERS, choose, claimed

SERVER = "localhost:7777"
OTHER = "other:7777"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def tokens(store: TokenStore, server: str) -> list[str]:
    """Alice's for an address."""
    return [one.token for one in store.find("alice") if server in one.addresses]


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


def test_servers_that_were_met_at_one_address_keep_their_tokens(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.save(SERVER, "alice", "one", "first")
    store.save(SERVER, "alice", "two", "second")
    assert tokens(store, SERVER) == ["two", "one"]
    store.save(SERVER, "alice", "one", "first")
    assert tokens(store, SERVER) == ["one", "two"], "the one used last comes first"
    store.save(SERVER, "alice", "three", "first")
    assert tokens(store, SERVER) == ["three", "two"], "one token a server"


def test_a_token_is_good_at_all_addresses_where_it_was_used(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.save(SERVER, "alice", "one", "first")
    store.save(OTHER, "alice", "one", "first")
    assert tokens(store, OTHER) == ["one"]
    store.save(SERVER, "alice", "two", "first")
    assert tokens(store, OTHER) == tokens(store, SERVER) == ["two"]
    store.forget(SERVER, "alice")
    assert (tokens(store, OTHER), tokens(store, SERVER)) == (["two"], [])


def test_what_another_address_gives_takes_the_place_of_nothing(tmp_path: Path) -> None:
    """Anybody can say that they are the first server."""
    store = TokenStore(tmp_path)
    store.save(SERVER, "alice", "one", "first")
    store.save(OTHER, "alice", "bait", "first")
    assert (tokens(store, SERVER), tokens(store, OTHER)) == (["one"], ["bait"])
    store.save(OTHER, "alice", "one", "first")  # the person trusted it after all
    assert (tokens(store, SERVER), tokens(store, OTHER)) == (["one"], ["one"])


def test_a_server_that_takes_any_token_does_not_get_that_of_another_to_itself(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.save(SERVER, "alice", "one", "first")
    store.save(SERVER, "alice", "one", "second")
    assert choose(store.find("alice"), SERVER, "first", trusted=False) == ["one"]
    assert choose(store.find("alice"), SERVER, "second", trusted=False) == ["one"]


def test_tokens_of_earlier_versions_are_read_and_kept_on(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.directory.mkdir()
    earlier = store.directory / "0123456789abcdef0123456789abcdef.json"
    earlier.write_text(json.dumps({"server": SERVER, "name": "alice", "token": "one"}))
    assert store.load(SERVER, "Alice") == "one"
    assert choose(store.find("alice"), SERVER, "first", trusted=False) == ["one"]
    store.save(SERVER, "alice", "one", "first")
    assert list(store.directory.glob("*.json")) == [earlier]
    (kept,) = store.find("alice")
    assert (kept.identity, kept.addresses, kept.token) == ("first", (SERVER,), "one")


def test_a_token_of_an_earlier_version_is_kept_when_another_server_is_at_its_address(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.save(SERVER, "alice", "one")
    store.save(SERVER, "alice", "two", "second")
    assert choose(store.find("alice"), SERVER, "second", trusted=False) == ["two"]
    assert choose(store.find("alice"), SERVER, "first", trusted=False) == ["one"]
    assert choose(store.find("alice"), SERVER, None, trusted=False) == ["two", "one"]


def test_so_many_servers_at_one_address_are_remembered(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    for number in range(SERVERS + 3):
        store.save(SERVER, "alice", f"token {number}", f"identity {number}")
    assert tokens(store, SERVER) == [f"token {number}" for number in reversed(range(3, SERVERS + 3))]


def test_only_who_is_trusted_gets_a_token_that_was_used_elsewhere(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.save(SERVER, "alice", "one", "first")
    store.save(SERVER, "bob", "bobs", "first")
    store.save("third:1", "alice", "three", "third")
    store.save("third:1", "alice", "unknown")
    kept = store.find("alice")
    assert choose(kept, OTHER, "first", trusted=False) == []
    assert choose(kept, OTHER, "first", trusted=True) == ["one"]
    assert choose(kept, OTHER, "other", trusted=True) == []
    assert choose(kept, OTHER, None, trusted=True) == []
    assert claimed(kept, OTHER, "first") == [SERVER]
    assert claimed(kept, OTHER, "other") == claimed(kept, OTHER, None) == []
    assert claimed(kept, SERVER, "first") == []
    store.save(OTHER, "alice", "a guest's", "first")
    assert choose(store.find("alice"), OTHER, "first", trusted=True) == ["one", "a guest's"]
    assert claimed(store.find("alice"), OTHER, "first") == []


def test_two_programs_that_save_at_once_lose_nothing(tmp_path: Path) -> None:
    TokenStore(tmp_path).save("server:0", "alice", "one", "first")
    with ThreadPoolExecutor() as pool:
        for number in range(1, 20):
            pool.submit(TokenStore(tmp_path).save, f"server:{number}", "alice", "one", "first")
    (kept,) = TokenStore(tmp_path).find("alice")
    assert sorted(kept.addresses) == sorted(f"server:{number}" for number in range(20))


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
    assert len(files) == 3  # with two locks
    assert {mode(file) for file in files} == {0o600}


def test_a_damaged_file_is_no_token(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.save(SERVER, "alice", "one")
    (path,) = store.directory.glob("*.json")
    for damaged in (b"", b"\xff\xff", b"[1]", b'{"token": 7}', b'{"addresses": [7], "name": "alice", "token": "one"}'):
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
