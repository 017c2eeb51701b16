"""TLS: who gets in, what is counted meanwhile, and certificates that change under way."""

import asyncio
import contextlib
import re
import signal
import ssl
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from asyncchat import ChatServer, commands, events
from asyncchat.client import connect
from asyncchat.server.tls import TLSTransport, reload, server_context
from tests.server.certificates import Authority
from tests.server.ends import writer_to
from tests.server.peers import Native, Raw, limited
from tests.server.process import ServerProcess, run

PASSWORD = "correct horse battery"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.new(tmp_path)


def secured(authority: Authority, **limits: float) -> ChatServer:
    """A server on any free port, with TLS."""
    return ChatServer(listen=["tls://127.0.0.1:0"], tls=server_context(*authority.issue()), settings=limited(**limits))


async def shake(server: ChatServer, context: ssl.SSLContext) -> Native:
    port = int(server.addresses[0].rpartition(":")[2])
    return Native(Raw(*await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")))


async def without_tls(server: ChatServer) -> Raw:
    """A peer that connects, and shakes no hands."""
    return await Raw.open(server.addresses[0].replace("tls", "tcp"))


# --- the way in -----------------------------------------------------------------------------------------------------


async def test_a_client_talks_through_tls(authority: Authority) -> None:
    async with (
        secured(authority) as server,
        connect(server.addresses[0], name="alice", ca=authority.file) as alice,
        connect(server.addresses[0], name="bob", ca=authority.file) as bob,
    ):
        sent = await alice.say("#lobby", "hi")
        said = await anext(event async for event in bob if isinstance(event, events.Said))
        assert (said.seq, said.text) == (sent.seq, "hi")
        assert isinstance(writer_to(server, "bob").transport, TLSTransport), "nothing goes past the encryption"


async def test_much_goes_both_ways(authority: Authority) -> None:
    """More than the buffers of TLS and of the kernel hold, so that reading and writing pause and go on."""
    async with secured(authority, rate=0) as server, await shake(server, authority.trusting()) as alice:
        await alice.ask(commands.Hello(name="alice"))
        texts = [f"{number} " + "x" * 16_000 for number in range(500)]
        alice.send(*(commands.Say(id=number, to="#lobby", text=text) for number, text in enumerate(texts)))
        await alice.reply(len(texts) - 1)
        assert alice.texts() == texts


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_from_1_2_on(authority: Authority, version: ssl.TLSVersion) -> None:
    context = authority.trusting()
    context.minimum_version = context.maximum_version = version
    async with secured(authority) as server, await shake(server, context) as peer:
        assert peer.raw.writer.get_extra_info("ssl_object").version() == version.name.replace("_", ".")
        await peer.get(commands.Hello(name="alice"), events.Welcome)


@pytest.mark.filterwarnings("ignore:.*TLSv1_1 is deprecated:DeprecationWarning")
async def test_no_tls_older_than_1_2(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    context = authority.trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")  # else the client refuses to even ask
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with secured(authority) as server:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await shake(server, context)
    (told,) = [message for message in caplog.messages if message.startswith("Disconnected")]
    assert "no TLS: unsupported protocol" in told


async def test_passwords_may_travel_through_tls(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    # Everything in a test comes from loopback, where passwords may travel anyway.
    monkeypatch.setattr("asyncchat.server.acceptor.is_loopback", lambda address: False)
    context = server_context(*authority.issue())
    listen = ["tls://127.0.0.1:0", "tcp://127.0.0.1:0"]
    async with ChatServer(listen=listen, tls=context) as server:
        async with await shake(server, authority.trusting()) as alice:
            await alice.ask(commands.Hello(name="alice"))
            await alice.get(commands.Register(password=PASSWORD), events.Ok)
        async with await Native.open(server.addresses[1], "bob") as bob:
            assert await bob.refusal(commands.Register(password=PASSWORD)) == 403


async def test_one_address_for_clients_with_and_without_tls(authority: Authority) -> None:
    context = server_context(*authority.issue())
    async with (
        ChatServer(listen=["tcp://127.0.0.1:0"], tls=context) as server,
        await shake(server, authority.trusting()) as alice,
        await Native.open(server, "bob") as bob,
    ):
        await alice.ask(commands.Hello(name="alice"))
        await bob.say("hi")
        assert (await alice.event(events.Said)).text == "hi"
        assert isinstance(writer_to(server, "alice").transport, TLSTransport)
        assert not isinstance(writer_to(server, "bob").transport, TLSTransport)


async def test_no_tls_within_tls(authority: Authority) -> None:
    async with secured(authority) as server, await shake(server, authority.trusting()) as peer:
        peer.raw.send(b"\x16\x03\x01")
        assert "without TLS" in await peer.raw.end()


# --- those who do not get in ----------------------------------------------------------------------------------------


async def test_someone_without_tls_is_closed_and_the_log_says_why(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with secured(authority) as server:
        for opening in (b'{"type":"hello","name":"alice"}\n', b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100):
            async with await without_tls(server) as raw:
                raw.send(opening)
                assert '"code":400,"text":"this address speaks TLS' in await raw.end()
    told = [message for message in caplog.messages if message.startswith("Disconnected")]
    assert len(told) == 3
    assert all(": no TLS: " in message for message in told)
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


async def ended(raw: Raw) -> None:
    with contextlib.suppress(ConnectionResetError):  # it was closed with bytes of ours unread
        await raw.end()


async def test_handshakes_that_stall_are_closed_in_time(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with (
        secured(authority, handshake_seconds=0.05) as server,
        await without_tls(server) as silent,
        await without_tls(server) as slow,
    ):
        slow.send(b"\x16\x03\x01")  # how a handshake begins
        await ended(silent)
        await ended(slow)
        async with await shake(server, authority.trusting()) as alice:
            await alice.get(commands.Hello(name="alice"), events.Welcome)
    told = [message.rpartition(": ")[2] for message in caplog.messages if "no TLS" in message]
    assert told == ["not done in time"] * 2


async def test_handshakes_that_stall_count_as_connections(authority: Authority) -> None:
    async with secured(authority, connections=3) as server:
        stalled = [await without_tls(server) for _ in range(3)]
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shake(server, authority.trusting())
        for raw in stalled:
            await raw.close()


async def test_the_end_waits_for_no_handshake(authority: Authority) -> None:
    """Nor for those who shook hands and are silent: TLS has a goodbye of its own, which they need not answer."""
    async with secured(authority, flush_seconds=1000.0) as server:
        stalled = await without_tls(server)
        silent = await shake(server, authority.trusting())  # came second: the first has been accepted as well
        silent.raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await ended(stalled)
    silent.raw.writer.transport.resume_reading()  # type: ignore[attr-defined]
    await ended(silent.raw)
    await stalled.close()
    await silent.close()


# --- certificates ---------------------------------------------------------------------------------------------------


def serial(peer: Native) -> str:
    return str(peer.raw.writer.get_extra_info("ssl_object").getpeercert()["serialNumber"])


async def test_a_new_certificate_is_for_new_connections_and_drops_nobody(authority: Authority) -> None:
    context = server_context(*authority.issue())
    async with (
        ChatServer(listen=["tls://127.0.0.1:0"], tls=context) as server,
        await shake(server, authority.trusting()) as old,
    ):
        await old.ask(commands.Hello(name="alice"))
        reload(context, *authority.issue())
        async with await shake(server, authority.trusting()) as new:
            assert serial(new) != serial(old)
            await new.ask(commands.Hello(name="bob"))
            await new.say("hi")
        await old.event(events.Said, text="hi")


async def test_a_certificate_of_no_use_leaves_the_old_one(authority: Authority) -> None:
    certificate, key = authority.issue()
    other_key = authority.issue("other")[1]
    context = server_context(certificate, key)
    async with ChatServer(listen=["tls://127.0.0.1:0"], tls=context) as server:
        async with await shake(server, authority.trusting()) as before:
            pass
        with pytest.raises(ValueError, match="the key belongs to another certificate"):
            reload(context, authority.issue()[0], other_key)
        async with await shake(server, authority.trusting()) as after:
            assert serial(after) == serial(before)


def test_files_of_no_use_are_named(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue()
    text, locked, nothing = tmp_path / "text", tmp_path / "locked", tmp_path / "nothing"
    text.write_text("no certificate")
    locked.write_bytes(
        load_pem_private_key(key.read_bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"xyzzy")
        )
    )
    for cert, other, problem in [
        (nothing, key, f"cannot read {nothing}: No such file or directory"),
        (certificate, nothing, f"cannot read {nothing}: No such file or directory"),
        (text, key, f"{text} and {key}: no certificate with its key, in PEM"),
        (certificate, None, f"{certificate}: no certificate with its key, in PEM"),
        (certificate, locked, f"{certificate} and {locked}: the key has a password; it is needed without"),
    ]:
        with pytest.raises(ValueError, match=re.escape(problem)):
            server_context(cert, other)


def test_one_file_may_hold_both(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue()
    both = tmp_path / "both"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    assert server_context(both, None).minimum_version is ssl.TLSVersion.TLSv1_2


# --- the program ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")
async def test_sighup_reads_the_certificate_anew(authority: Authority) -> None:
    certificate, key = authority.issue()
    flags = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with ServerProcess(*flags, listen=["tls://127.0.0.1:0"]).started() as server:

        async def open() -> Native:
            streams = await asyncio.open_connection("127.0.0.1", server.port, ssl=authority.trusting())
            return Native(Raw(*streams))

        async with await open() as old:
            await old.ask(commands.Hello(name="alice"))
            authority.issue()
            server.send_signal(signal.SIGHUP)
            server.wait_for("Reloaded")
            async with await open() as new:
                assert serial(new) != serial(old)
            key.write_text("half a key")
            server.send_signal(signal.SIGHUP)
            assert "Not reloaded: " in server.wait_for("ERROR")
            async with await open() as again:
                assert serial(again) == serial(new)
            await old.say("still here")
            old.send(commands.Quit())
            await old.end()
        assert server.stop() == 0


def test_a_certificate_that_is_missing_is_a_line_and_status_2(authority: Authority) -> None:
    result = run("--listen", "tls://127.0.0.1:0", "--data", ":memory:")
    assert (result.returncode, result.stderr) == (
        2,
        "asyncchat-server: tls_cert: tls://127.0.0.1:0 needs a certificate\n",
    )
    result = run("--listen", "tls://127.0.0.1:0", "--data", ":memory:", "--tls-cert", "/nowhere")
    assert (result.returncode, result.stderr) == (
        2,
        "asyncchat-server: tls_cert: cannot read /nowhere: No such file or directory\n",
    )
