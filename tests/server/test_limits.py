"""Limits of what one client, one address, and all of them may take; and deadlines."""

import asyncio
import logging
from typing import Any

import pytest
from msgspec import structs

from asyncchat import ChatServer, Limits, Settings
from asyncchat.server import periodic
from asyncchat.server.connection import Pace
from asyncchat.server.services import Clock
from asyncchat.storage import threads
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.terms import Code
from tests.server.ends import served
from tests.server.peers import Native, Plain, Raw, limited, serving


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines are looked at often."""
    monkeypatch.setattr(periodic, "SWEEP_SECONDS", 0.01)


NOWHERE, RESET = "nowhere", "reset"
"""A transport that tells nothing of its peer; a connection of TCP that was reset before it was accepted."""


class From(asyncio.StreamWriter):
    """A stream from somewhere else."""

    address = ""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if self.address == NOWHERE and name in ("peername", "socket"):
            return default
        if self.address == RESET and name == "peername":
            return default
        return (self.address, 40_000) if name == "peername" else super().get_extra_info(name, default)


class Elsewhere:
    """A listener of a server's whose clients seem to come from an address of one's choice."""

    def __init__(self, server: ChatServer) -> None:
        self._server = server
        self.address = ""

    async def __aenter__(self) -> "Elsewhere":
        self._listener = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.port = f"tcp://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        await self._listener.wait_closed()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.__class__ = From
        writer.address = self.address  # type: ignore[attr-defined]
        await self._server.handle_client(reader, writer)

    async def open(self, address: str) -> Raw:
        """Come from there."""
        self.address = address
        return await Raw.open(self.port)


async def let_in(raw: Raw) -> bool:
    """Is this newcomer served?"""
    raw.send("somebody\n")
    first = await raw.read()
    return bool(first) and b"Too many" not in first


# --- connections ----------------------------------------------------------------------------------------------------


async def test_connections_in_all() -> None:
    async with serving(limited(connections=2)) as server, await Native.open(server, "alice") as alice:
        async with await Native.open(server, "bob"), await Raw.open(server) as third:
            assert not await let_in(third)
            assert await third.end() == ""
        await alice.event(events.Joined, name="bob")
        while True:  # bob's place is free once his handler has ended
            async with await Raw.open(server) as third:
                if await let_in(third):
                    break


async def test_connections_from_one_address() -> None:
    """Others are let in, an IPv6 household counts as one, loopback is exempt, and who leaves makes room."""
    async with serving(limited(connections_per_address=2)) as server, Elsewhere(server) as elsewhere:
        held = [await elsewhere.open("203.0.113.7") for _ in range(2)]
        assert all([await let_in(raw) for raw in held])
        for address, served in (
            ("203.0.113.7", False),
            ("::ffff:203.0.113.7", False),
            ("203.0.113.8", True),
            ("2001:db8:1:2::1", True),
            ("2001:db8:1:2::2", True),
            ("2001:db8:1:2:ffff::3", False),
            ("2001:db8:1:3::1", True),
        ):
            raw = await elsewhere.open(address)
            assert await let_in(raw) is served, address
            held.append(raw)
        held += [(await Native.open(server, f"local{n}")).raw for n in range(5)]
        for raw in held:
            await raw.close()
        while True:
            async with await elsewhere.open("203.0.113.7") as raw:
                if await let_in(raw):
                    break


async def test_unlimited() -> None:
    async with (
        serving(limited(connections=0, connections_per_address=0, rate=0, buffer=0, line=0, text=0)) as server,
        await Native.open(server, "alice") as alice,
    ):
        await alice.say("x" * 200_000)
        await alice.event(events.Said)


async def test_passwords_are_not_taken_from_elsewhere_without_tls() -> None:
    login = '{"type":"hello","id":1,"name":"alice","password":"secret"}\n'
    for settings, code in ((Settings(), Code.FORBIDDEN), (Settings(insecure_passwords=True), Code.WRONG_PASSWORD)):
        async with (
            serving(settings) as server,
            Elsewhere(server) as elsewhere,
            Native(await elsewhere.open("203.0.113.7")) as alice,
        ):
            alice.raw.send(login)
            refused = await alice.reply(1)
            assert isinstance(refused, events.Error)
            assert refused.code == code


# --- how fast -------------------------------------------------------------------------------------------------------


async def test_who_is_too_fast_is_delayed_and_loses_nothing() -> None:
    async with (
        serving(limited(rate=100, burst=10)) as server,
        await Native.open(server, "fast") as fast,
        await Native.open(server, "other") as other,
    ):
        begin = asyncio.get_running_loop().time()
        fast.send(*[commands.Say(id=n, to="#lobby", text=str(n)) for n in range(40)])
        await other.say("not delayed")
        assert asyncio.get_running_loop().time() - begin < 0.25
        for n in range(40):
            assert isinstance(await fast.reply(n), events.Ok)
        assert asyncio.get_running_loop().time() - begin > 0.25
        assert [text for text in fast.texts() if text != "not delayed"] == [str(n) for n in range(40)]


@pytest.mark.parametrize("line", [b"nonsense\n", b'{"type":"rooms","id":1}\n', b'{"type":"nick","name":"fast"}\n'])
async def test_everything_counts_also_what_is_refused(line: bytes) -> None:
    async with serving(limited(rate=50, burst=10)) as server, await Native.open(server, "fast") as fast:
        begin = asyncio.get_running_loop().time()
        fast.raw.send(line * 30)
        fast.send(commands.Ping(id="last"))
        await fast.reply("last")
        assert asyncio.get_running_loop().time() - begin > 0.3


# --- how slow -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "said nothing"),
        ("NI", "said nothing"),
        ('{"type":"hel', "no complete line in time"),
        ('{"type":"ping"}\n', "no login in time"),
        ('{"type":"ping"}\n{', "no complete line in time"),
    ],
)
@pytest.mark.usefixtures("hurried")
async def test_who_does_not_log_in_is_dropped(said: str, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(limited(first_line_seconds=0.1, login_seconds=0.3)) as server, await Raw.open(server) as raw:
        raw.send(said)
        await raw.end()
    assert reason in caplog.text


@pytest.mark.usefixtures("hurried")
async def test_a_line_that_never_ends(caplog: pytest.LogCaptureFixture) -> None:
    """One byte after the other, each in time: it is the line that has a deadline."""
    caplog.set_level(logging.INFO)
    async with serving(limited(line_seconds=0.2, idle_seconds=5)) as server, await Native.open(server, "slow") as slow:
        ended = asyncio.create_task(slow.end())
        while not ended.done():
            slow.raw.send(b"x")
            await asyncio.wait({ended}, timeout=0.01)
        await ended
        assert isinstance(slow.told[-1], events.Bye)
    assert "no complete line in time" in caplog.text


@pytest.mark.usefixtures("hurried")
async def test_a_busy_client_whose_packets_end_within_lines_keeps_every_deadline() -> None:
    """Each line is complete in time, though there is never a moment without a part of one."""
    line = '{"type":"say","to":"#lobby","text":"hi"}\n'
    async with serving(limited(line_seconds=0.2, rate=0)) as server, await Native.open(server, "busy") as busy:
        busy.raw.send(line[:10])
        begin = asyncio.get_running_loop().time()
        count = 0
        while asyncio.get_running_loop().time() - begin < 0.6:
            busy.raw.send(line[10:] + line[:10])
            count += 1
            while len(busy.texts()) < count:
                assert await busy.more(), "it was dropped"


@pytest.mark.usefixtures("hurried")
async def test_the_silent_are_pinged_and_dropped_if_they_do_not_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    settings = limited(ping_seconds=0.1, idle_seconds=0.3)
    async with (
        serving(settings) as server,
        await Plain.enter(server, "quiet") as quiet,
        await Native.open(server, "alive") as alive,
        await Native.open(server, "dead") as dead,
    ):
        ended = asyncio.create_task(dead.end())
        while not ended.done():
            await alive.event(events.Ping)
            alive.send(commands.Pong())
        await ended
        assert [type(told) for told in dead.told[-2:]] == [events.Ping, events.Bye]
        await alive.say("still here")
        # People who only read are no less there: nc answers no ping.
        await quiet.matching("alive: still here")
    assert caplog.text.count("silent for too long") == 1


@pytest.mark.usefixtures("hurried")
async def test_who_is_made_to_wait_is_not_taken_for_silent() -> None:
    """What a client has sent is handled, however long the server takes for it."""
    async with (
        serving(limited(rate=50, burst=1, ping_seconds=0.1, idle_seconds=0.2)) as server,
        await Native.open(server, "fast") as fast,
    ):
        fast.send(*[commands.Say(id=n, to="#lobby", text=str(n)) for n in range(30)])
        for n in range(30):
            assert isinstance(await fast.reply(n), events.Ok)


async def test_who_is_made_to_wait_does_not_hold_up_the_end() -> None:
    """However much it has still to say."""
    async with serving(limited(rate=0.1, burst=2)) as server, await Native.open(server, "fast") as fast:
        fast.send(*[commands.Say(id=n, to="#lobby", text=str(n)) for n in range(30)])
        await fast.reply(0)
        begin = asyncio.get_running_loop().time()
        await server.aclose()
        assert asyncio.get_running_loop().time() - begin < 2
        await fast.end()
        assert isinstance(fast.told[-1], events.Bye)


async def test_a_search_takes_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "STEPS", 1)
    search = commands.Search(id=2, text="tea")
    async with serving(limited(search_seconds=1e-9)) as server, await Native.open(server, "alice") as alice:
        await alice.say("green tea")
        assert await alice.refusal(search) == Code.TOO_LONG
    async with serving(limited(search_seconds=0)) as server, await Native.open(server, "alice") as alice:
        seq = await alice.say("green tea")
        assert [event.seq for event in (await alice.get(search, events.History)).events] == [seq]


async def entered(raw: Raw, name: str) -> Native:
    """A native peer who is logged in."""
    peer = Native(raw)
    await peer.get(commands.Hello(name=name), events.Welcome)
    return peer


# --- no address is no proof -------------------------------------------------------------------------------------------


async def test_a_connection_without_an_address_is_nobodys(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving() as server, Elsewhere(server) as elsewhere:
        async with await elsewhere.open(RESET) as raw:
            raw.send("alice\n")
            assert await raw.end() == ""
        assert server.connected == 0
        assert not [message for message in caplog.messages if "Connected" in message]


async def test_who_comes_through_a_transport_that_tells_no_address_is_not_local() -> None:
    settings = structs.replace(limited(connections_per_address=2), administrators=frozenset({"chef"}))
    async with serving(settings) as server, Elsewhere(server) as elsewhere:
        alice = await entered(await elsewhere.open(NOWHERE), "alice")
        async with alice:
            (session,) = server.chat.state.person("alice").sessions
            assert not session.local
            assert not session.secure
            assert await alice.refusal(commands.Nick(name="chef")) == Code.CONFLICT
            assert await alice.refusal(commands.Register(password="long enough")) == Code.FORBIDDEN
            async with await entered(await elsewhere.open(NOWHERE), "bob"), await elsewhere.open(NOWHERE) as third:
                assert not await let_in(third), "all of them count as one address"


# --- pace -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cost"), [("x" * 100, 1), ("x" * 10_240, 11), ("\x07" * 10_240, 61), ("ж" * 5_120, 11)]
)
def test_a_text_counts_by_the_bytes_that_are_sent(text: str, cost: int) -> None:
    pace = Pace(Limits(rate=1.0, burst=1), now=0.0)
    assert pace.wait(commands.Say(to="#lobby", text=text), 0.0) == cost - 1


async def test_whoever_does_not_read_has_to_keep_the_pace_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    paused = asyncio.Event()

    async def pause(_: Pace, seconds: float) -> None:
        assert seconds > 0
        paused.set()

    monkeypatch.setattr(Pace, "pause", pause)
    async with serving(limited(rate=0.001, burst=1)) as server, await Native.open(server, "alice") as alice:
        has_read = asyncio.Event()
        writer = served(server, "alice").writer
        writer.drained = asyncio.create_task(has_read.wait())  # type: ignore[arg-type]
        alice.raw.send('{"type":"ping","id":1}\n' * 3)
        await asyncio.sleep(0)
        assert not paused.is_set()
        has_read.set()
        await writer.drained
        writer.drained = None
        await paused.wait()


# --- the clock --------------------------------------------------------------------------------------------------------


def test_a_step_of_the_clock_is_told_once_and_its_drift_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, running, steps = 1_000_000_000_000, 0, list[int]()
    monkeypatch.setattr("asyncchat.server.services.time.time_ns", lambda: wall * 1_000_000)
    monkeypatch.setattr("asyncchat.server.services.time.monotonic_ns", lambda: running * 1_000_000)
    clock = Clock(steps.append)
    for drift, passed in ((0, 1000), (500, 1000), (500, 1000), (-400, 60_000)):
        wall, running = wall + passed + drift, running + passed
        assert clock.now() == wall
    assert steps == []
    wall -= 86_400_000
    assert clock.now() == wall
    assert clock.now() == wall
    assert steps == [-86_400_000]
