"""From an address to a client: kinds of addresses, TLS, tokens that are kept, streams that are there already."""

import asyncio
import os
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from asyncchat.client import ChatClient, TokenStore, connect, connect_streams
from asyncchat.client.client_connection import parse_fingerprint
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.errors import ConnectionLost, Refused
from asyncchat.vocabulary.terms import Code
from tests.client.chats import AT_ONCE
from tests.client.scripted import Peer, ScriptedServer
from tests.tools import requires_tool


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


# --- kinds of addresses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["nonsense://host", "", "host:99999"])
def test_what_is_no_address_fails_at_once(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|port"):
        connect(text)


async def test_one_room_is_not_a_list_of_rooms() -> None:
    with pytest.raises(TypeError, match="list of names"):
        await connect("localhost", rooms="#lobby")


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "\u202e", "\udcff", "a\0b"])
@pytest.mark.parametrize("scheme", ["tcp", "tls"])
async def test_what_is_no_host_name_is_no_address(scheme: str, host: str) -> None:
    with pytest.raises(ValueError, match="not a host"):
        await connect(f"{scheme}://{host}")


async def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "chat.sock"
    async with ScriptedServer(path=path), connect(f"unix:{path}", name="alice", reconnect=False) as chat:
        assert chat.name == "alice"


async def test_a_relative_path_is_the_same_one_after_a_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with (
        ScriptedServer(path=tmp_path / "chat.sock") as server,
        connect("unix:chat.sock", name="alice", reconnect=AT_ONCE),
    ):
        monkeypatch.chdir("/")
        server.cut()
        await server.wait_for(commands.Hello, 2)


async def test_streams_that_are_there_already(server: ScriptedServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with connect_streams(reader, writer, name="bot", rooms=[]) as chat:
        server.said("hello")
        async for event in chat:
            assert isinstance(event, events.Said)
            break
        server.cut()
        with pytest.raises(ConnectionLost):
            await anext(chat)


# --- TLS ------------------------------------------------------------------------------------------------------------


class Certified:
    """A TLS server with a certificate that it signed itself."""

    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "certificate.pem"
        key = directory / "key.pem"
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        files = ["-keyout", str(key), "-out", str(self.certificate)]
        subprocess.run(["openssl", "req", *kind, *subject, *files], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)

    @property
    def printed(self) -> str:
        """Its fingerprint as openssl prints it."""
        command = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", str(self.certificate)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    @property
    def fingerprint(self) -> str:
        return self.printed.split("=")[1].strip()


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return Certified(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def address(certified: Certified) -> AsyncIterator[str]:
    async with ScriptedServer(tls=certified.context) as server:
        yield server.address


needs_openssl = requires_tool("openssl")


@needs_openssl
async def test_a_certificate_that_nobody_trusts_is_refused(address: str) -> None:
    with pytest.raises(ConnectionLost, match=r"cannot trust tls://127.0.0.1.*self-signed certificate"):
        await connect(address, name="alice")


@needs_openssl
async def test_a_certificate_of_ones_own(address: str, certified: Certified) -> None:
    async with connect(address, name="alice", ca=certified.certificate) as chat:
        assert chat.name == "alice"


@needs_openssl
async def test_a_certificate_is_for_its_host(certified: Certified) -> None:
    async with ScriptedServer(tls=certified.context, host="127.0.0.2") as server:
        with pytest.raises(ConnectionLost, match=r"cannot trust .*IP address mismatch"):
            await connect(server.address, name="alice", ca=certified.certificate)


@needs_openssl
async def test_a_pinned_certificate(address: str, certified: Certified) -> None:
    for spelling in (certified.fingerprint, certified.fingerprint.replace(":", "").lower(), certified.printed):
        async with connect(address, name="alice", fingerprint=spelling) as chat:
            assert chat.name == "alice"
    with pytest.raises(ConnectionLost, match=f"cannot trust .* {certified.fingerprint.lower()}"):
        await connect(address, name="alice", fingerprint="00" * 32)


@needs_openssl
async def test_tls_towards_a_server_without(server: ScriptedServer) -> None:
    with pytest.raises(ConnectionLost, match="cannot connect to tls://"):
        await connect(server.address.replace("tcp", "tls"), name="alice")


@pytest.mark.parametrize("text", ["00:11", "sha1 Fingerprint=" + "00:" * 19 + "00", "sha256", "sha256:" + "zz" * 32])
def test_what_is_no_fingerprint_fails_at_once(text: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        connect("tls://localhost", fingerprint=text)


@pytest.mark.parametrize("prefix", ["", "sha256:", "SHA256=", "sha256/", "SHA256 Fingerprint=", "sha256 Fingerprint="])
def test_spellings_of_a_fingerprint(prefix: str) -> None:
    assert parse_fingerprint(prefix + "8E:" * 31 + "8E") == b"\x8e" * 32


async def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConnectionLost, match=r"cannot use the certificates in .*: No such file"):
        await connect("tls://localhost:1", ca=tmp_path / "missing.pem")


# --- tokens ---------------------------------------------------------------------------------------------------------


def guests(server: ScriptedServer) -> None:
    """Every login without a token is another person, who gets a token; a name can be taken once."""
    tokens: dict[str, str] = {}

    def hello(peer: Peer, command: commands.Hello) -> None:
        name = command.name or ""
        if command.token is None and name in tokens:
            peer.tell(events.Error(id=command.id, code=Code.CONFLICT, text=f"{name} is taken"))
        elif command.token is not None and tokens.get(name) != command.token:
            peer.tell(events.Error(id=command.id, code=Code.WRONG_PASSWORD, text="that token is not known here"))
        else:
            server.token = tokens.setdefault(name, f"token {len(tokens)}")
            server.answer(peer, command)

    server.take_over(commands.Hello, hello)


async def test_a_kept_token_makes_the_same_person(server: ScriptedServer, tmp_path: Path) -> None:
    guests(server)
    store = TokenStore(tmp_path)
    async with connect(server.address, name="alice", token_store=store) as first:
        async with connect(server.address, name="alice", token_store=TokenStore(tmp_path)) as second:
            assert second.token == first.token
        with pytest.raises(Refused, match="alice is taken"):
            await connect(server.address, name="alice")
        with pytest.raises(Refused, match="alice is taken"):
            await connect(server.address, name="alice", token_store=TokenStore(tmp_path / "elsewhere"))


async def test_clients_that_start_in_one_moment_are_one_person(server: ScriptedServer, tmp_path: Path) -> None:
    guests(server)

    async def start() -> ChatClient:
        return await connect(server.address, name="alice", token_store=TokenStore(tmp_path))

    clients = await asyncio.gather(*(start() for _ in range(5)))
    assert len({client.token for client in clients}) == 1
    await asyncio.gather(*(client.aclose() for client in clients))


async def test_a_kept_token_that_is_void_gives_way_to_a_new_guest(server: ScriptedServer, tmp_path: Path) -> None:
    guests(server)
    store = TokenStore(tmp_path)
    store.save(f"localhost:{server.port}", "alice", "of another database")
    async with connect(server.address, name="alice", token_store=store) as chat:
        assert chat.token == "token 0"
    assert store.load(f"localhost:{server.port}", "alice") == "token 0"


@pytest.mark.parametrize("ask", [lambda chat: chat.nick("alicia"), lambda chat: chat.request(commands.Nick("alicia"))])
async def test_a_new_name_has_the_token_as_well(
    server: ScriptedServer, tmp_path: Path, ask: Callable[[ChatClient], Awaitable[object]]
) -> None:
    def nick(peer: Peer, command: commands.Nick) -> None:
        peer.tell(events.Renamed(name="alice", to=command.name), events.Ok(id=command.id, code=Code.OK))

    server.take_over(commands.Nick, nick)
    store = TokenStore(tmp_path)
    async with connect(server.address, name="alice", token_store=store) as chat:
        await ask(chat)
        assert store.load(f"localhost:{server.port}", "alicia") == chat.token


async def test_waiting_for_another_login_can_be_cancelled(server: ScriptedServer, tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    handle = store.try_lock(f"localhost:{server.port}", "alice")
    assert handle is not None
    try:
        connecting = connect(server.address, name="alice", token_store=TokenStore(tmp_path))
        task = asyncio.ensure_future(connecting.__aenter__())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(task, 0.1)
    finally:
        store.unlock(handle)
    assert not server.received


async def test_many_who_log_in_under_one_name_at_once_wait_for_each_other_alone(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """More than the default executor has threads: none of them may wait in one."""
    count = (os.cpu_count() or 1) + 12
    chats = await asyncio.gather(
        *(connect(server.address, name="robot", token_store=TokenStore(tmp_path)) for _ in range(count))
    )
    assert {chat.name for chat in chats} == {"robot"}
    for chat in chats:
        await chat.aclose()


async def test_the_loop_is_not_blocked(server: ScriptedServer, tmp_path: Path, no_blocking: None) -> None:
    async with connect(server.address, name="alice", token_store=TokenStore(tmp_path)) as chat:
        await chat.say("#lobby", "hi")


async def test_secrets_stay_out_of_logs(
    server: ScriptedServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    (tmp_path / "tokens").write_text("in the way")
    store = TokenStore(tmp_path)
    async with connect(
        server.address, name="alice", token_store=store, password="my-password", server_password="their-password"
    ) as chat:
        await chat.say("#lobby", "my words")
        server.cut()
        await server.wait_for(commands.Hello, 2)
        assert "password" not in repr(chat._login)
        assert "secret-token" not in repr(chat._login)
    assert "cannot keep the token of alice" in caplog.text
    for secret in ("my-password", "their-password", "secret-token", "my words"):
        assert secret not in caplog.text
