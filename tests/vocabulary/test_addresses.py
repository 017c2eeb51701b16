import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.vocabulary.addresses import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost", Address("tcp", "localhost", 7777)),
        ("chat.example.org:99", Address("tcp", "chat.example.org", 99)),
        ("tcp://10.0.0.1:1234", Address("tcp", "10.0.0.1", 1234)),
        ("tcp://10.0.0.1:1234/", Address("tcp", "10.0.0.1", 1234)),
        ("TLS://host", Address("tls", "host", 7777)),
        ("tls://[2001:db8::1]:99", Address("tls", "2001:db8::1", 99)),
        ("[::1]", Address("tcp", "::1", 7777)),
        ("::1", Address("tcp", "::1", 7777)),
        ("unix:/run/chat.sock", Address("unix", path="/run/chat.sock")),
        ("unix:///run/chat.sock", Address("unix", path="/run/chat.sock")),
        ("unix:chat.sock", Address("unix", path="chat.sock")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "an empty address"),
        ("tcp://", "not an address"),
        ("http://host", "unknown kind of address 'http'"),
        ("host:port", "not a port"),
        ("host:0", "not a port"),
        ("host:65536", "not a port"),
        ("host:٣", "not a port"),
        ("host:" + "9" * 10000, "not a port"),
        ("[::1", "not an address"),
        ("[::1]x", "not an address"),
        ("host name", "not an address"),
        ("tcp://host/path", "not an address"),
        ("unix:", "no path"),
        ("unix:\0abc", "not a path"),
        ("tcp://a\0b:1", "not a host"),
        ("tcp://..:1", "not a host"),
        ("tcp://" + "x" * 64, "not a host"),
        ("tcp://\udc80", "not a host"),
    ],
)
def test_what_is_no_address_is_said_to_be_none(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=part.replace("[", r"\[")):
        parse_address(text)


@given(st.text())
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert parse_address(str(address)) == address


def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    address = parse_address("unix:chat.sock")
    monkeypatch.chdir("/")
    assert address.path == f"{tmp_path}/chat.sock"
    assert parse_address("unix:chat.sock", folder="/etc").path == "/etc/chat.sock"
    assert parse_address("unix:/run/chat.sock", folder="/etc").path == "/run/chat.sock"
    assert Address("unix", path="/" * 3 + "run/chat.sock") == parse_address("unix:/run/chat.sock")


@pytest.mark.skipif(sys.platform == "win32", reason="there it cannot be removed")
def test_a_relative_path_in_a_directory_that_was_removed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ValueError, match="the working directory was removed"):
        parse_address("unix:chat.sock")
    assert parse_address("unix:/chat.sock").socket_path == "/chat.sock"


def test_a_path_that_is_too_long_for_the_system_is_named_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.chdir(deep)
    assert parse_address("unix:chat.sock").socket_path == "chat.sock"
    monkeypatch.chdir("/")
    assert Address("unix", path=f"{deep}/chat.sock").socket_path == f"{deep}/chat.sock"[1:]
    monkeypatch.chdir(tmp_path)
    assert Address("unix", path=f"{tmp_path}//x{deep}").socket_path == f"{tmp_path}//x{deep}"


def test_all_names_of_this_machine_are_one_server() -> None:
    keys = {parse_address(text).key for text in ("localhost:7", "127.0.0.1:7", "[::1]:7", "tls://LOCALHOST.:7")}
    assert keys == {"localhost:7"}
    assert parse_address("Chat.Example.org.").key == parse_address("chat.example.org").key
    assert parse_address("localhost:8").key != parse_address("localhost:7").key
