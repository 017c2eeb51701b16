"""Servers are known again by their identity, and tokens sent only to addresses where they were given or used."""

from collections.abc import Callable
from pathlib import Path

import pytest

from asyncchat import ChatServer, Refused, TokenStore
from asyncchat.client import Connecting, connect
from asyncchat.vocabulary import commands
from asyncchat.vocabulary.addresses import parse_address
from asyncchat.vocabulary.terms import Code
from tests.client.scripted import Peer, ScriptedServer

FREE = "tcp://127.0.0.1:0"


def port_of(server: ChatServer) -> int:
    return parse_address(server.addresses[0]).port


def to(address: str, folder: Path, *, trust_address: bool = False) -> Connecting:
    return connect(address, name="alice", token_store=TokenStore(folder), trust_address=trust_address)


def sent(scripted: ScriptedServer) -> set[str | None]:
    """The tokens that a server got."""
    return {hello.token for hello in scripted.all(commands.Hello)}


@pytest.mark.parametrize("spelling", ["127.0.0.1:{}", "LOCALHOST:{}", "tcp://LocalHost:{}/"])
async def test_all_spellings_of_this_machine_are_one_address(server: ChatServer, tmp_path: Path, spelling: str) -> None:
    port = port_of(server)
    async with to(f"localhost:{port}", tmp_path) as alice:
        await alice.register()
    async with to(spelling.format(port), tmp_path) as alice:
        assert alice.welcome.registered


async def test_a_refused_hello_tells_the_identity_and_nothing_else_does(server: ChatServer, tmp_path: Path) -> None:
    async with to(server.addresses[0], tmp_path) as alice:
        with pytest.raises(Refused) as taken:
            await connect(server.addresses[0], name="alice")
        assert taken.value.identity == alice.welcome.identity is not None
        with pytest.raises(Refused) as unknown:
            await alice.say("#nowhere", "hi")
        assert unknown.value.identity is None


async def test_who_repeats_an_identity_at_another_address_gets_no_token(
    server: ChatServer, scripted: ScriptedServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with to(server.addresses[0], tmp_path) as alice:
        token = alice.token
        scripted.identity = alice.welcome.identity
        await alice.register()
    for _ in range(2):
        async with to(scripted.address, tmp_path):
            pass
    assert sent(scripted) == {None, "secret-token"}, "nothing, and then what it gave itself"
    (warning,) = caplog.messages
    assert f"{scripted.address} says that it is the one that you know as localhost:{port_of(server)};" in warning
    assert "--trust-address (trust_address=True)" in warning
    async with to(server.addresses[0], tmp_path) as alice:
        assert (alice.token, alice.welcome.registered) == (token, True)


async def test_who_refuses_under_a_known_identity_gets_no_token_either(
    scripted: ScriptedServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.identity = "known"
    TokenStore(tmp_path).save("chat.example.org:7777", "alice", "precious", "known")
    scripted.take_over(commands.Hello, scripted.refuse(Code.WRONG_PASSWORD, "alice is registered"))
    with pytest.raises(Refused, match="alice is registered"):
        await to(scripted.address, tmp_path)
    assert sent(scripted) == {None}
    assert "that you know as chat.example.org:7777" in caplog.text


async def test_a_server_at_a_new_address_is_trusted_on_request(tmp_path: Path) -> None:
    async with ChatServer(listen=[FREE], data=tmp_path / "data") as server:
        first = server.addresses[0]
        async with to(first, tmp_path) as alice:
            await alice.register("correct horse")
    async with ChatServer(listen=[first, FREE], data=tmp_path / "data") as server:
        second = server.addresses[1]
        with pytest.raises(Refused) as refused:
            await to(second, tmp_path)
        assert refused.value.code is Code.WRONG_PASSWORD
        async with to(second, tmp_path, trust_address=True) as alice:
            assert alice.welcome.registered
        async with to(second, tmp_path) as alice:  # from now on without being told
            await alice.passwd("staple correct", old="correct horse")
        async with to(first, tmp_path) as alice:
            assert alice.welcome.registered, "the new token is known at the other address too"


async def test_a_guest_at_a_new_address_becomes_who_they_were_when_it_is_trusted(
    scripted: ScriptedServer, tmp_path: Path
) -> None:
    scripted.identity = "known"
    store = TokenStore(tmp_path)
    store.save("chat.example.org:7777", "alice", "precious", "known")
    scripted.take_over(commands.Hello, careful(scripted, "precious"))
    async with to(scripted.address, tmp_path) as alice:
        assert alice.token == "secret-token"
    async with to(scripted.address, tmp_path, trust_address=True) as alice:
        assert alice.token == "precious"
    (kept,) = store.find("alice")
    assert kept.addresses == ("chat.example.org:7777", f"localhost:{scripted.port}")


async def test_a_trusted_address_that_does_not_know_the_token_makes_a_guest(
    server: ChatServer, scripted: ScriptedServer, tmp_path: Path
) -> None:
    async with to(server.addresses[0], tmp_path) as alice:
        identity = alice.welcome.identity
    store = TokenStore(tmp_path / "other")
    store.save("chat.example.org:7777", "alice", "of an older state", identity)
    async with to(server.addresses[0], tmp_path / "other", trust_address=True) as alice:
        assert alice.token not in (None, "of an older state")
    assert store.load("chat.example.org:7777", "alice") == "of an older state"


async def test_servers_that_take_turns_at_one_address_get_their_own_tokens_alone(
    scripted: ScriptedServer, tmp_path: Path
) -> None:
    scripted.take_over(commands.Hello, careful(scripted))
    got: list[set[str | None]] = []
    for name in ("first", "second", "first", "second"):
        scripted.identity, scripted.token = name, f"of the {name}"
        scripted.received.clear()
        async with to(scripted.address, tmp_path) as alice:
            assert alice.token == scripted.token
        got.append(sent(scripted))
    # The second one, when it is new, is where a token of the first was given.
    assert got == [{None}, {"of the first", None}, {None, "of the first"}, {None, "of the second"}]


def careful(scripted: ScriptedServer, *more: str) -> Callable[[Peer, commands.Hello], None]:
    """A server that knows its own token, and more, and lets nobody in who says nothing."""
    nameless = scripted.refuse(Code.MALFORMED, "hello needs a name or a token")
    unknown = scripted.refuse(Code.WRONG_PASSWORD, "that token is not known here")

    def hello(peer: Peer, command: commands.Hello) -> None:
        if command.name is None and command.token is None:
            nameless(peer, command)
        elif command.token not in (None, scripted.token, *more):
            unknown(peer, command)
        else:
            scripted.answer(peer, command)

    return hello
