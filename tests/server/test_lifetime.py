"""A server inside an app: it comes up, goes down, and leaves nothing behind, whatever happens meanwhile."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from asyncchat import ChatServer, ConnectionLost, Refused, StorageError, serve
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.terms import Code
from tests.server.peers import Native, Plain, Raw, limited, serving

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
async def listened_before() -> None:
    """The first listener of a loop may open a descriptor for all that come (uvloop's does)."""
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    listener.close()
    await listener.wait_closed()


def surroundings() -> dict[str, Any]:
    """What a server could change around it."""
    gc.collect()
    loggers = [logging.getLogger(), *map(logging.getLogger, ("asyncio", "asyncchat", "asyncchat.server"))]
    return {
        "threads": set(threading.enumerate()),
        "tasks": asyncio.all_tasks(),
        "signals": [signal.getsignal(number) for number in SIGNALS],
        "wakeup": _wakeup_descriptor(),
        "logging": [(logger.level, list(logger.handlers), logger.propagate) for logger in loggers],
        "policy": asyncio.get_event_loop_policy(),
        "exceptions": asyncio.get_running_loop().get_exception_handler(),
        "descriptors": len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0,
        "environment": dict(os.environ),
    }


def _wakeup_descriptor() -> int:
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor)
    return descriptor


@pytest.fixture(params=["memory", "file"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return ":memory:" if request.param == "memory" else tmp_path / "data"


async def test_it_leaves_nothing_behind(data: Path | str) -> None:
    async with serving(data=data):
        pass  # what is loaded once (tables, modules) stays
    before = surroundings()
    async with serving(data=data) as server:
        inside = surroundings()
        assert {name for name in before if before[name] != inside[name]} <= {"threads", "tasks", "descriptors"}
        async with await Native.open(server, "alice") as alice, await Plain.enter(server, "bob"):
            await alice.say("hi")
            await alice.get(commands.History(to="#lobby"), events.History)
            await alice.get(commands.Register(password="a long password"), events.Ok)
            async with server.connect("bot") as bot:
                await bot.say("#lobby", "beep")
    assert surroundings() == before
    await server.aclose()


async def test_clients_that_are_connected_do_not_hold_it_up(data: Path | str) -> None:
    """Those who are silent, in the middle of a login, of a line, and those who do not read."""
    before = surroundings()
    server = ChatServer(listen=["tcp://127.0.0.1:0"], data=data, settings=limited(flush_seconds=0.2))
    await server.start()
    silent = await Raw.open(server)
    naming = await Raw.open(server)
    naming.send("al")
    deaf = await Native.open(server, "deaf")
    deaf.raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
    alice = await Native.open(server, "alice")
    alice.raw.send('{"type":"say",')
    bob = await Plain.enter(server, "bob")

    await server.aclose()

    await alice.end()
    bye = alice.told[-1]
    assert isinstance(bye, events.Bye)
    assert bye.code == Code.UNAVAILABLE
    assert bye.reconnect is not None
    assert "goodbye: the server is shutting down" in await bob.end()
    assert "goodbye" in await naming.end()
    assert await silent.end() == ""
    for peer in (silent, naming, deaf, alice, bob):
        await peer.close()
    assert surroundings() == before


async def test_a_port_in_use(data: Path | str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        before = surroundings()
        port = other.getsockname()[1]
        server = ChatServer(listen=["tcp://127.0.0.1:0", f"tcp://127.0.0.1:{port}"], data=data)
        with pytest.raises(OSError, match=str(port)):
            await server.start()
        assert surroundings() == before
        await server.aclose()
    async with serving(data=data) as again, await Native.open(again, "alice"):
        pass  # the database is free


@pytest.mark.parametrize("address", ["", "tls://127.0.0.1:0", "gopher://x", "tcp://127.0.0.1:99999", "nonsense://"])
async def test_an_address_that_is_none(data: Path | str, address: str) -> None:
    before = surroundings()
    with pytest.raises(ValueError):
        await ChatServer(listen=["tcp://127.0.0.1:0", address], data=data).start()
    assert surroundings() == before


async def test_a_database_that_is_none(tmp_path: Path) -> None:
    database = tmp_path / "asyncchat.db"
    database.write_bytes(b"this is no database " * 100)
    before = surroundings()
    server = ChatServer(listen=["tcp://127.0.0.1:0"], data=tmp_path)
    with pytest.raises(StorageError, match="not a database"):
        await server.start()
    assert surroundings() == before
    assert database.read_bytes() == b"this is no database " * 100
    await server.aclose()


async def test_a_database_that_another_server_has(tmp_path: Path) -> None:
    async with serving(data=tmp_path) as server:
        before = surroundings()
        with pytest.raises(StorageError, match="another process"):
            await ChatServer(listen=["tcp://127.0.0.1:0"], data=tmp_path).start()
        assert surroundings() == before
        async with await Native.open(server, "alice") as alice:
            await alice.say("undisturbed")


async def test_it_may_be_closed_before_it_is_started_and_is_started_once() -> None:
    await ChatServer(listen=[]).aclose()
    async with serving() as server:
        with pytest.raises(RuntimeError):
            await server.start()


async def test_closing_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Writers in flight: what got its `ok` is there after the restart, once, and everyone was told goodbye."""
    for round in range(3):
        async with serving(limited(rate=0), data=tmp_path) as server:
            peers = [await Native.open(server, f"writer{round}-{n}") for n in range(8)]
            for number, peer in enumerate(peers):
                commands_ = [
                    commands.Say(id=n, to="#lobby", text=f"{round} {number} {n}", nonce=f"{round} {number} {n}")
                    for n in range(150)
                ]
                peer.send(*commands_)
            await peers[0].reply(round * 50)
            closing = asyncio.create_task(server.aclose())
            acknowledged = set()
            for number, peer in enumerate(peers):
                await peer.end()
                assert isinstance(peer.told[-1], events.Bye)
                oks = [told for told in peer.told if isinstance(told, events.Ok)]
                acknowledged |= {(ok.seq, f"{round} {number} {ok.id}") for ok in oks}
                await peer.close()
            await closing
        assert acknowledged
        async with serving(data=tmp_path) as server, await Native.open(server, f"reader{round}") as reader:
            kept = await everything(reader)
            assert acknowledged <= set(kept)
            assert len({text for _, text in kept}) == len(kept)


async def everything(peer: Native, to: str = "#lobby") -> list[tuple[int, str]]:
    """All messages of a room, page by page."""
    kept: list[tuple[int, str]] = []
    after: int | None = 0
    while True:
        page = await peer.get(commands.History(to=to, after=after), events.History)
        kept += [(event.seq, event.text) for event in page.events if isinstance(event, events.Said)]
        if page.complete:
            return kept
        after = page.next


async def test_starting_and_closing_many_times_with_clients_at_the_door(tmp_path: Path) -> None:
    path = f"unix:{tmp_path}/chat"

    async def visit() -> None:
        while True:
            try:
                async with await Raw.open(path) as raw:
                    raw.send('{"type":"hello","name":"visitor"}\n')
                    await raw.reader.read(100)
            except OSError:
                await asyncio.sleep(0.001)  # not there yet, or no more

    before = surroundings()
    visitors = [asyncio.create_task(visit()) for _ in range(5)]
    for n in range(15):
        async with ChatServer(listen=[path], data=tmp_path), await Native.open(path, f"alice{n}") as alice:
            await alice.say("hi")
    for visitor in visitors:
        visitor.cancel()
    await asyncio.wait(visitors)
    assert surroundings() == before


async def test_serve_until_cancelled(tmp_path: Path) -> None:
    before = surroundings()
    path = f"unix:{tmp_path}/chat"
    task = asyncio.create_task(serve(listen=[path]))
    raw = None
    while raw is None:
        await asyncio.sleep(0)
        with contextlib.suppress(OSError):  # not yet
            raw = await Raw.open(path)
    async with Native(raw) as alice:
        await alice.get(commands.Hello(name="alice"), events.Welcome)
        task.cancel()
        await alice.end()
        assert isinstance(alice.told[-1], events.Bye)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert surroundings() == before


async def test_one_address_is_no_list_of_addresses() -> None:
    with pytest.raises(TypeError, match="listen"):
        ChatServer(listen="tcp://127.0.0.1:0")


async def test_a_server_that_is_started_has_its_default_room(data: Path | str) -> None:
    async with ChatServer(listen=[], data=data) as server:
        await server.operator.do(commands.Say(to="#lobby", text="the first word"))


async def test_what_needs_a_server_that_runs() -> None:
    server = ChatServer(listen=[])
    for use in (lambda: server.operator, lambda: server.reload(limited()), lambda: server.connect("bot")):
        with pytest.raises(RuntimeError, match="not started"):
            use()


async def closing(server: ChatServer, steps: int) -> asyncio.Task[None]:
    """A task that closes the server and has been at it for so many steps of the loop."""
    task = asyncio.create_task(server.aclose())
    for _ in range(steps):
        await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("steps", range(0, 24, 2))
async def test_who_closes_a_server_may_be_cancelled(tmp_path: Path, steps: int) -> None:
    """Wherever that hits, it is closed when they go on, and its database is free."""
    before = surroundings()
    server = await ChatServer(listen=["tcp://127.0.0.1:0"], data=tmp_path).start()
    deaf = await Native.open(server, "deaf")
    deaf.raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
    task = await closing(server, steps)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.aclose()
    await deaf.close()
    assert surroundings() == before
    async with serving(data=tmp_path):
        pass


async def test_two_may_close_a_server_at_once(caplog: pytest.LogCaptureFixture) -> None:
    server = await ChatServer(listen=["tcp://127.0.0.1:0"]).start()
    async with await Native.open(server, "alice") as alice:
        first = await closing(server, 1)
        await server.aclose()
        assert first.done(), "neither comes back before it is closed"
        await alice.end()
    assert "with an error" not in caplog.text


async def test_a_listener_of_the_apps_own() -> None:
    async with ChatServer(listen=[]) as server:
        listener = await asyncio.start_server(server.handle_client, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        async with await Native.open(f"tcp://127.0.0.1:{port}", "alice") as alice, server.connect("bot") as bot:
            await alice.event(events.Joined, name="bot")
            await bot.say("#lobby", "beep")
            assert (await alice.event(events.Said)).text == "beep"
        listener.close()
        await listener.wait_closed()


async def test_a_listener_of_the_apps_own_that_goes_on_after_the_server() -> None:
    server = ChatServer(listen=[])
    listener = await asyncio.start_server(server.handle_client, "127.0.0.1", 0)
    address = f"tcp://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with await Raw.open(address) as early:
        await early.end()
    async with server, await Native.open(address, "alice") as alice:
        await alice.say("served")
    async with await Raw.open(address) as late:
        assert await late.end() == "The server is shutting down. Try again later.\n"
    listener.close()
    await listener.wait_closed()


async def test_an_app_may_give_up_on_a_client() -> None:
    """The task in which a client is served is the app's: it can be cancelled, and its deadlines hold."""
    async with ChatServer(listen=[]) as server:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=theirs)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await server.handle_client(reader, writer)
        assert await _hung_up(ours)
        assert server.connected == 0


async def test_a_task_of_the_apps_own_goes_on_when_the_server_has_ended_its_client() -> None:
    """Neither does the server wait for the task, nor is the task cancelled: not even one whose client does not read."""
    settings = limited(flush_seconds=0.01)
    finish, served = asyncio.Event(), asyncio.Event()

    async def of_the_app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.handle_client(reader, writer)
        served.set()
        await finish.wait()

    server = await ChatServer(listen=[], settings=settings).start()
    ours, theirs = socket.socketpair()
    task = asyncio.create_task(of_the_app(*await asyncio.open_connection(sock=theirs)))
    async with Native(Raw(*await asyncio.open_connection(sock=ours))) as alice:
        await alice.get(commands.Hello(name="alice"), events.Welcome)
        await server.aclose()
        assert served.is_set()
        assert not task.done()
        finish.set()
        await task


async def _hung_up(end: socket.socket) -> bool:
    reader, writer = await asyncio.open_connection(sock=end)
    data = await reader.read()
    writer.close()
    await writer.wait_closed()
    return not data


async def test_a_client_inside_the_process_that_is_refused() -> None:
    async with serving() as server:
        with pytest.raises(Refused):
            async with server.connect("no such name"):
                pass
        async with server.connect("bot"):
            with pytest.raises(Refused):
                async with server.connect("bot"):
                    pass
    with pytest.raises(ConnectionLost):
        async with server.connect("late"):
            pass


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets")
async def test_a_server_that_ends_leaves_the_socket_of_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "chat"
    async with ChatServer(listen=[f"unix:{path}"]) as old:
        path.rename(tmp_path / "old")  # and not removed, or its number could be given again
        async with ChatServer(listen=[f"unix:{path}"]) as new:
            await old.aclose()
            async with await Native.open(new, "alice") as alice:
                assert await alice.say("served")
        assert not path.exists()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets")
@pytest.mark.parametrize("before", ["made", "started"])
async def test_relative_paths_stay_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """The app may go elsewhere, as daemons do."""
    monkeypatch.chdir(tmp_path)
    server = ChatServer(listen=["unix:chat.sock"], data="data")
    if before == "made":
        monkeypatch.chdir("/")
    async with server:
        monkeypatch.chdir("/")
        assert server.addresses == [f"unix:{tmp_path}/chat.sock"]
        async with await Native.open(server, "alice") as alice:
            await alice.say("hi")
            await alice.get(commands.History(to="#lobby"), events.History)
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6")
async def test_all_addresses_that_are_listened_on_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as free:
        port = free.getsockname()[1]
    async with ChatServer(listen=[f"tcp://:{port}"]) as server:
        assert server.addresses == [f"tcp://0.0.0.0:{port}"]
    assert f"Listening on tcp://0.0.0.0:{port} and tcp://[::]:{port}" in caplog.messages
