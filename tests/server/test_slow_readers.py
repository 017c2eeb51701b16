"""Who reads too slowly becomes a reader of history: told what is missing, and nobody else notices."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asyncchat import ChatServer, connect
from asyncchat.core.limits import LIST_BYTES
from asyncchat.core.rooms import Room
from asyncchat.server import caretaker
from asyncchat.server.writers import HELD, LAGGING
from asyncchat.storage.pages import FEWER, PAGE_BYTES
from asyncchat.vocabulary import commands, events, queries, records
from asyncchat.wire.native import encode_command
from asyncchat.wire.plain import PlainDialect
from tests.server.ends import LONG, lagging, narrow, waiting, without_window, writer_to, writers
from tests.server.peers import Native, Plain, limited, serving, where

BUFFER = 1 << 19
ENOUGH = 200
"""Messages of 10 kB: far more than what waits in the server and in the system for a peer that does not read."""


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with serving(limited(rate=0, buffer=BUFFER)) as server:
        yield server


async def talk(sender: Native, count: int, text: str = LONG) -> list[int]:
    """Say so much, as fast as it is acknowledged; the seqs."""
    seqs = []
    for begin in range(0, count, 20):
        ids = [f"{begin} {n} {len(sender.told)}" for n in range(20)]
        sender.send(*[commands.Say(id=id, to="#lobby", text=text) for id in ids])
        for id in ids:
            ok = await sender.reply(id)
            assert isinstance(ok, events.Ok)
            seqs.append(ok.seq or 0)
        sender.told.clear()
    return seqs


def seqs_of(told: list[Any]) -> list[int]:
    return [event.seq for event in told if isinstance(event, events.Said)]


async def test_a_native_client_is_told_of_the_gap_and_fetches_it(server: ChatServer) -> None:
    async with Native(await without_window(server)) as slow, await Native.open(server, "quick") as quick:
        await slow.get(commands.Hello(name="slow"), events.Welcome)
        narrow(server, "slow")
        listening = asyncio.create_task(hear(quick, ENOUGH))
        async with await Native.open(server, "sender") as sender:
            said = await talk(sender, ENOUGH)
            assert await listening == said, "nobody else notices"
            assert waiting(server) < BUFFER + 40 * len(LONG)
            gap = await slow.event(events.Gap)
            live = seqs_of(slow.told)
            assert live == said[: len(live)]
            assert gap.after >= live[-1]
            fetched: list[int] = []
            after, complete = gap.after, False
            while not complete:
                page = await slow.get(commands.Sync(after=after, until=gap.until), events.History)
                fetched += seqs_of(page.events)
                complete = page.complete
                after = page.next or after
            assert live + fetched == said
            assert fetched
            last = await sender.say("live again")
            assert (await slow.event(events.Said)).seq == last


async def hear(peer: Native, count: int) -> list[int]:
    while len(heard := seqs_of(peer.told)) < count:
        assert await peer.more()
    return heard


async def test_a_plain_client_reads_that_messages_were_skipped(server: ChatServer) -> None:
    async with await without_window(server) as slow, await Native.open(server, "sender") as sender:
        slow.send("slow\n")
        await slow.until("exit leaves\n")
        narrow(server, "slow")
        await talk(sender, ENOUGH)
        lines = (await slow.until("/history shows what you may read\n")).splitlines()
        found = re.fullmatch(r"\* up to (\d+) messages are missing here; /history shows what you may read", lines[-1])
        assert found is not None, lines[-1]
        assert len([line for line in lines if LONG in line]) + int(found[1]) == ENOUGH
        await sender.say("live again")
        assert await slow.line() == "sender: live again"


async def test_what_a_slow_reader_asks_for_waits_until_it_reads(server: ChatServer) -> None:
    """However much that is: pages of history must not pile up, each of as much text as one may have."""
    async with Native(await without_window(server)) as greedy, await Native.open(server, "sender") as sender:
        await talk(sender, 60)
        await greedy.get(commands.Hello(name="greedy"), events.Welcome)
        narrow(server, "greedy")
        greedy.send(*[commands.History(id=n, to="#lobby", limit=50) for n in range(40)])
        await sender.say("others are served meanwhile")
        assert waiting(server) < BUFFER + 2 * PAGE_BYTES
        for n in range(40):
            page = await greedy.reply(n)
            assert isinstance(page, events.History)
            assert not page.complete
            assert PAGE_BYTES // FEWER < len(page.events) * len(LONG) <= PAGE_BYTES
            greedy.told.clear()


FAMOUS = 1_000
"""Rooms with topics of 500 characters: all of them at once would be as much as may wait for a client."""


@pytest.mark.parametrize("dialect", ["native", "plain"])
async def test_who_asks_for_lists_and_does_not_read_them_costs_a_buffer_and_a_reply(
    server: ChatServer, dialect: str
) -> None:
    rooms = server.chat.house.rooms
    for n in range(FAMOUS):
        room = Room(10 + n, f"#r{n}", f"#r{n}")
        room.topic = "t" * 500
        rooms.add(room, 0)
    async with await without_window(server) as greedy, await Native.open(server, "sender") as sender:
        greedy.send('{"type":"hello","name":"greedy"}\n' if dialect == "native" else "greedy\n")
        await sender.event(events.Joined, name="greedy")
        narrow(server, "greedy")
        writer = writer_to(server, "greedy")
        for n in range(QUESTIONS):
            greedy.send(encode_command(commands.Rooms(id=n)) if dialect == "native" else "/rooms\n")
        while writer.state is not LAGGING:
            await sender.say("others are served meanwhile")
        for _ in range(20):
            await sender.say("and still are")
            held = writer.transport.waiting + sum(map(len, writer.pending))
            assert BUFFER < held < BUFFER + LIST_BYTES + SLACK
        for n in range(QUESTIONS):  # none of them is lost, and each gets its first page
            await greedy.until(f'"id":{n},' if dialect == "native" else "* there is more: /rooms after ")


QUESTIONS = 100
"""Questions at once: all first pages of them are some 6 MB."""

SLACK = 2_048
"""Bytes of what else is told: the brackets and commas of a page, or the spaces between its columns."""


async def test_what_waits_for_a_welcome_is_bounded(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database may be busy while a newcomer's letters are looked for: who came so far is told the rest as a gap."""
    async with await Native.open(server, "late") as late:
        token = late.welcome.token
        await late.get(commands.Register(), events.Ok)
    asked, free = asyncio.Event(), asyncio.Event()
    ask = server._storage.ask

    async def busy(query: Any) -> Any:
        if isinstance(query, queries.FindSince):
            asked.set()
            await free.wait()
        return await ask(query)

    monkeypatch.setattr(server._storage, "ask", busy)
    async with await Native.open(server, "sender") as sender, await Native.open(server) as late:
        letter = await sender.say("a letter", to="late")
        late.send(commands.Hello(id="hello", name="late", token=token))
        await asked.wait()
        said = await talk(sender, ENOUGH)
        (held,) = (writer for writer in writers(server) if writer.state is HELD)
        assert sum(map(len, held.pending)) < BUFFER + 40 * len(LONG)
        free.set()
        gap = await late.event(events.Gap)
        live = seqs_of(late.told)
        assert live == [letter, *said[: len(live) - 1]]
        assert (gap.after, gap.until) == (live[-1], said[-1])
        last = await sender.say("live again")
        assert (await late.event(events.Said, text="live again")).seq == last


async def test_what_one_dialect_cannot_say_costs_the_others_nothing(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def faulty(self: PlainDialect, told: Any) -> bytes:
        raise KeyError("a fault of ours")

    async with await Plain.enter(server, "carol") as carol, await Native.open(server, "alice") as alice:
        with monkeypatch.context() as patched:
            patched.setattr(PlainDialect, "encode_shared", faulty)
            seq = await alice.say("does everyone hear me?")
            assert (await alice.event(events.Said)).seq == seq
        assert "cannot encode" in caplog.text
        await alice.say("and now?")
        assert await carol.matching("now") == "alice: and now?"


async def test_replies_to_a_slow_reader_close_no_gap(server: ChatServer) -> None:
    """What it is answered while it lags must not take later events along: the gap is one stretch of the log."""
    async with Native(await without_window(server)) as slow, await Native.open(server, "sender") as sender:
        await slow.get(commands.Hello(name="slow"), events.Welcome)
        narrow(server, "slow")
        while not lagging(server):
            await talk(sender, 20)
        (writer,) = lagging(server)
        # In one pass of the loop, so that the answer is still to be written when the message comes.
        (lobby,) = server.chat.house.rooms
        message = records.Message(time=0, author=0, name="sender", to="#lobby", room=lobby.id, text="in that pass")
        server._pipeline.append_own(message)
        server._writers.send(writer, (events.Notice(text="an answer"),))
        said = (await sender.event(events.Said, text="in that pass")).seq
        gap = await slow.event(events.Gap)
        assert said not in seqs_of(slow.told)
        assert gap.after < said <= gap.until


class Valve:
    """A relay in front of a server that can be shut: what the server sends stays in the network."""

    def __init__(self, server: ChatServer) -> None:
        self._server = where(server)
        self._tasks: set[asyncio.Task[None]] = set()
        self.open = asyncio.Event()
        self.open.set()

    async def __aenter__(self) -> str:
        self._listener = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        return f"tcp://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        await asyncio.wait(self._tasks)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        far_reader, far_writer = await asyncio.open_connection(self._server.host, self._server.port, limit=4096)

        async def up() -> None:
            while data := await reader.read(4096):
                far_writer.write(data)
            far_writer.write_eof()

        forth = asyncio.create_task(up())
        while data := await far_reader.read(4096):
            await self.open.wait()
            writer.write(data)
            await writer.drain()
        writer.close()
        await forth
        far_writer.close()
        await far_writer.wait_closed()
        await writer.wait_closed()


async def test_the_library_misses_nothing_when_its_network_stands_still(server: ChatServer) -> None:
    """Neither when the application takes its events late (the queue is short)."""
    valve = Valve(server)
    async with (
        valve as address,
        await Native.open(server, "sender") as sender,
        connect(address, name="slow", queue=100) as chat,
    ):
        first = await sender.say("first")
        narrow(server, "slow")
        valve.open.clear()
        said = await talk(sender, ENOUGH)
        assert lagging(server)
        valve.open.set()
        last = await sender.say("last")
        heard = []
        async for event in chat:
            if isinstance(event, events.Said):
                heard.append(event.seq)
                if event.seq == last:
                    break
        assert heard == [first, *said, last]


# --- those who never read -------------------------------------------------------------------------------------------


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines are looked at often."""
    monkeypatch.setattr(caretaker, "SWEEP_SECONDS", 0.02)


@pytest.mark.parametrize("dialect", ["native", "plain"])
@pytest.mark.usefixtures("hurried")
async def test_who_never_reads_is_dropped_in_time(dialect: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    waits = {"rate": 0, "buffer": BUFFER, "flush_seconds": 0.1, "offline_seconds": 0.01, "hold_seconds": 0.1}
    async with (
        serving(limited(**waits)) as server,
        await Plain.enter(server, "witness") as witness,
        await without_window(server) as deaf,
    ):
        deaf.send('{"type":"hello","name":"deaf"}\n' if dialect == "native" else "deaf\n")
        await witness.matching("deaf joined")
        narrow(server, "deaf")
        left = asyncio.create_task(witness.matching("deaf left"))
        async with await Native.open(server, "sender") as sender:
            await talk(sender, ENOUGH)
            server.reload(limited(**waits, idle_seconds=0.2, ping_seconds=0))  # not before there is much to read
            await left
    assert "does not read" in caplog.text


@pytest.mark.usefixtures("hurried")
async def test_who_reads_slowly_but_reads_is_not_dropped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    idle = 0.3
    settings = limited(rate=0, buffer=1 << 20, idle_seconds=idle, ping_seconds=0)
    async with serving(settings) as server, await without_window(server) as slow:
        slow.send("slow\n")
        await slow.until("exit leaves\n")
        narrow(server, "slow")
        writer = writer_to(server, "slow")
        lagged = []
        async with await Native.open(server, "sender") as sender:
            talking = asyncio.create_task(talk(sender, ENOUGH))
            came = bytearray()
            while b"messages are missing here" not in came:
                data = await slow.reader.read(10_000)
                assert data, "it was dropped"
                came += data
                await asyncio.sleep(0.01)  # that is how slow it is
                if writer.state is LAGGING:
                    lagged.append(asyncio.get_running_loop().time())
            await talking
        assert lagged[-1] - lagged[0] > 2 * idle
    assert "does not read" not in caplog.text
