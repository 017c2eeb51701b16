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


def test_all_names_of_this_machine_are_one_server() -> None:
    keys = {parse_address(text).key for text in ("localhost:7", "127.0.0.1:7", "[::1]:7", "tls://LOCALHOST.:7")}
    assert keys == {"localhost:7"}
    assert parse_address("Chat.Example.org.").key == parse_address("chat.example.org").key
    assert parse_address("localhost:8").key != parse_address("localhost:7").key
