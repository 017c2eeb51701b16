"""The library with real servers: resume over restarts and kills, letters, rooms with passwords, inside the process."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asyncchat import ChatServer, Limits, Settings
from asyncchat.client import Backoff, ChatClient, Connecting, Resumed, TokenStore, connect
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.errors import ChatError, Refused
from asyncchat.vocabulary.terms import Code
from tests.client.chats import cut, texts
from tests.client.processes import reaped
from tests.client.scripted import ScriptedServer

AT_ONCE = Backoff(first=0.02, longest=0.1)


def to(server: ChatServer, name: str, **options: object) -> Connecting:
    return connect(server.addresses[0], name=name, reconnect=AT_ONCE, **options)  # type: ignore[arg-type]


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    settings = Settings(limits=Limits(rate=0))  # these tests talk faster than people
    async with ChatServer(listen=["tcp://127.0.0.1:0"], data=":memory:", settings=settings) as server:
        yield server


# --- one server -----------------------------------------------------------------------------------------------------


async def test_lists_are_whole_however_short_the_servers_pages_are() -> None:
    settings = Settings(limits=Limits(rate=0, page=2))
    async with (
        ChatServer(listen=["tcp://127.0.0.1:0"], data=":memory:", settings=settings) as server,
        to(server, "alice", rooms=[f"#r{n}" for n in range(5)]) as alice,
        to(server, "bob", rooms=["#r0"]),
        to(server, "carl", rooms=["#r0"]),
    ):
        for name in ("x", "y", "z"):
            await alice.ban(name, "#r0")
        assert [room.name for room in await alice.rooms()] == ["#lobby", *(f"#r{n}" for n in range(5))]
        assert [member.name for member in await alice.who("#r0")] == ["alice", "bob", "carl"]
        assert [member.name for member in await alice.who()] == ["alice", "bob", "carl"]
        assert [ban.who for ban in await alice.bans("#r0")] == ["x", "y", "z"]


async def test_every_method_reaches_the_server(server: ChatServer) -> None:
    async with to(server, "alice") as alice, to(server, "bob") as bob:
        await alice.join("#ops")
        await bob.join("#ops")
        assert await alice.topic("#ops") == ""
        await alice.set_topic("#ops", "all about ops")
        assert await bob.topic("#ops") == "all about ops"
        assert [(room.name, room.members) for room in await bob.rooms()] == [("#lobby", 2), ("#ops", 2)]
        assert {member.name for member in await bob.who("#ops")} == {"alice", "bob"}
        said = await alice.say("#ops", "hello")
        answer = await bob.say("#ops", "hi", reply_to=said.seq)
        await alice.edit(said.seq, "hello all")
        await bob.react(said.seq, "👍")
        await bob.read("#ops", answer.seq)
        page = await alice.history("#ops")
        first, second = page.events
        assert isinstance(first, events.Said)
        assert isinstance(second, events.Said)
        assert (first.text, first.reactions, second.reply_to) == ("hello all", {"👍": ["bob"]}, said.seq)
        found = await bob.search("hello")
        assert [event.seq for event in found.events] == [said.seq]
        await alice.delete(said.seq)
        await alice.mute("#ops", "bob", seconds=60)
        with pytest.raises(Refused, match=r"muted|403") as muted:
            await bob.say("#ops", "mmm")
        assert muted.value.code == 403
        await alice.mute("#ops", "bob", seconds=0)
        await bob.say("#ops", "thank you")
        await bob.away("lunch")
        assert (await alice.whois("bob")).away == "lunch"
        await bob.back()
        await bob.nick("rob")
        await alice.ban("rob", "#ops", seconds=60)
        assert [ban.who for ban in await alice.bans("#ops")] == ["rob"]
        await alice.unban("rob", "#ops")
        await alice.set_room("#ops", private=True)
        await alice.invite("#ops", "rob")
        await alice.leave("#ops")
        assert alice.joined == {"#lobby"}


async def test_a_connection_that_is_lost_is_resumed(server: ChatServer) -> None:
    async with to(server, "alice") as alice, to(server, "bob") as bob:
        await bob.join("#ops")
        await alice.join("#ops")
        await bob.say("#ops", "before")
        for number in range(3):
            cut(alice)
            await bob.say("#ops", f"room {number}")
            await bob.say("alice", f"direct {number}")
        await bob.say("#ops", "after")
        expected = ["before", *(f"{kind} {number}" for number in range(3) for kind in ("room", "direct")), "after"]
        assert await texts(alice, len(expected)) == expected
        assert alice.joined == {"#lobby", "#ops"}


async def test_a_room_with_a_password_is_entered_again(server: ChatServer) -> None:
    async with to(server, "olga") as olga, to(server, "alice", rooms=[]) as alice:
        await olga.join("#secret")
        await olga.set_room("#secret", password="open sesame")
        await alice.join("＃Secret", "open sesame")
        await olga.say("#secret", "one")
        cut(alice)
        await olga.say("#secret", "two")
        assert await texts(alice, 2) == ["one", "two"]
        assert alice.joined == {"#secret"}


async def test_rooms_are_the_same_however_they_are_spelled(server: ChatServer) -> None:
    async with to(server, "bob", rooms=["#café", "#ops"]), to(server, "alice", rooms=["#cafe\u0301", "＃ops"]) as alice:
        assert alice.joined == {"#café", "#ops"}
        await alice.say("#ops", "hello")
        async for event in alice:
            assert not isinstance(event, events.Left)
            if isinstance(event, events.Said):
                break


async def test_a_client_with_another_password_comes_back_with_the_new_token(server: ChatServer, tmp_path: Path) -> None:
    """To set a password makes all earlier tokens void."""
    store = TokenStore(tmp_path)
    async with to(server, "alice", token_store=store) as alice, to(server, "bob") as bob:
        await alice.register("correct horse")
        await alice.passwd("staple correct", old="correct horse")
        cut(alice)
        await bob.say("#lobby", "after")
        assert await texts(alice, 1) == ["after"]
        async with to(server, "alice", token_store=store) as again:
            assert again.name == "alice"


async def test_who_was_asleep_for_too_long_comes_back() -> None:
    """A laptop that was closed, or a program that was stopped, finds the server's goodbye when it goes on."""
    settings = Settings(limits=Limits(idle_seconds=0.1, ping_seconds=0))
    async with ChatServer(listen=["tcp://127.0.0.1:0"], settings=settings) as server, to(server, "alice") as alice:
        link = alice._reconnector.connection
        assert link is not None
        link._writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that also reads
        while server.connected:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)
        server.reload(Settings())
        async with to(server, "bob") as bob:
            await bob.say("#lobby", "good morning")
        link._writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert await texts(alice, 1) == ["good morning"]


async def test_an_answer_that_another_database_does_not_understand_is_refused_and_not_lost() -> None:
    """It was on its way to a server whose database was replaced by an older one before it came back."""
    async with ScriptedServer() as old, connect(old.address, name="alice", reconnect=AT_ONCE) as alice:
        old.take_over(commands.Say, lambda peer, say: None)
        asked = old.said("tea?")
        answer = asyncio.create_task(alice.say("#lobby", "yes", reply_to=asked.seq))
        await old.wait_for(commands.Say)
        await old.go_down()
        async with ChatServer(listen=[old.address]):
            with pytest.raises(Refused, match=f"no such message: {asked.seq}") as refused:
                await answer
            assert refused.value.code is Code.NOT_FOUND
            assert (await alice.say("#lobby", "yes")).text == "yes"


async def test_letters_to_a_registered_person_who_was_away(server: ChatServer) -> None:
    async with to(server, "alice") as alice:
        await alice.register("correct horse")
    async with to(server, "bob") as bob:
        for number in range(3):
            await bob.say("alice", f"letter {number}")
        async with to(server, "alice", password="correct horse") as alice:
            await bob.say("alice", "live")
            assert await texts(alice, 4) == ["letter 0", "letter 1", "letter 2", "live"]


async def test_more_letters_than_a_server_sends_by_itself(server: ChatServer) -> None:
    async with to(server, "alice") as alice:
        await alice.register("correct horse")
    async with to(server, "bob") as bob:
        letters = [f"letter {number}" for number in range(450)]
        for start in range(0, len(letters), 150):
            await asyncio.gather(*(bob.say("alice", text) for text in letters[start : start + 150]))
        async with to(server, "alice", password="correct horse", rooms=[]) as alice:
            await bob.say("alice", "live")
            assert await texts(alice, 451) == [*letters, "live"]


async def test_a_client_inside_the_process(server: ChatServer) -> None:
    async with server.connect("bot") as bot, to(server, "alice") as alice:
        await alice.say("bot", "ping")
        assert await texts(bot, 1) == ["ping"]
        await bot.say("alice", "pong")
        assert await texts(alice, 2) == ["ping", "pong"]


async def test_an_application_that_is_too_slow_misses_nothing(server: ChatServer) -> None:
    async with to(server, "alice", queue=50) as alice, to(server, "bob") as bob:
        sent = [f"message {number}" for number in range(1000)]
        for start in range(0, len(sent), 100):
            await asyncio.gather(*(bob.say("#lobby", text) for text in sent[start : start + 100]))
        assert await texts(alice, len(sent)) == sent


async def test_what_was_said_before_one_left_comes_to_a_slow_application_too(server: ChatServer) -> None:
    async with to(server, "alice", queue=10, rooms=["#a", "#b"]) as alice, to(server, "bob", rooms=["#a", "#b"]) as bob:
        sent = []
        for number in range(300):  # more than a page of either room
            sent += [f"a {number}", f"b {number}"]
            await asyncio.gather(bob.say("#a", f"a {number}"), bob.say("#b", f"b {number}"))
        await alice.leave("#a")
        await bob.say("#a", "not for alice")
        await bob.say("#b", "last")
        assert await texts(alice, len(sent) + 1) == [*sent, "last"]


async def test_what_may_not_be_read_any_more_is_said_to_be_missing(server: ChatServer) -> None:
    async with to(server, "bob", rooms=["#ours"]) as bob, to(server, "alice", rooms=["#ours"], queue=10) as alice:
        await bob.set_room("#ours", private=True)
        seqs = [(await bob.say("#ours", str(number))).seq for number in range(30)]
        await bob.kick("#ours", "alice")
        with pytest.raises(Refused, match="no such room"):
            await alice.history("#ours")
        told: list[int] = []
        missing: events.Gap | None = None
        while missing is None:
            match await anext(alice):
                case events.Said(seq=seq):
                    told.append(seq)
                case events.Gap() as missing:
                    pass
        assert told == seqs[: len(told)]
        assert (missing.after, missing.until) == (told[-1], seqs[-1])


# --- a server that dies ---------------------------------------------------------------------------------------------


class Mortal:
    """A server process over one database and one port, that can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{found.getsockname()[1]}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        command = [sys.executable, "-m", "asyncchat.server", "--listen", self.address, "--data", str(self._directory)]
        command += ["--limit", "rate=0", "--log-level", "WARNING"]
        self._process = await asyncio.create_subprocess_exec(*command)

    async def end(self, signal_number: int) -> None:
        assert self._process is not None
        self._process.send_signal(signal_number)
        await self._process.wait()


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[Mortal]:
    server = Mortal(tmp_path)
    await server.start()
    yield server
    await server.end(signal.SIGKILL)
    await reaped()


async def _enter(server: Mortal, name: str) -> ChatClient:
    while True:
        with contextlib.suppress(ChatError):
            return await connect(server.address, name=name, reconnect=AT_ONCE)


async def _talk(chat: ChatClient, count: int) -> list[events.Said]:
    return [await chat.say("#lobby", f"{chat.name} {number}") for number in range(count)]


class Listener:
    """Hears everything up to the end, and can be waited for until so much was heard."""

    def __init__(self, chat: ChatClient) -> None:
        self._chat = chat
        self._heard = asyncio.Condition()
        self.seen: list[events.Said] = []
        self.resumed: list[Resumed] = []

    async def run(self) -> None:
        async for event in self._chat:
            if isinstance(event, Resumed):
                self.resumed.append(event)
            elif isinstance(event, events.Said):
                async with self._heard:
                    self.seen.append(event)
                    self._heard.notify_all()
                if event.text == "end":
                    return

    async def heard(self, count: int) -> None:
        async with self._heard:
            await self._heard.wait_for(lambda: len(self.seen) >= count)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("number", "times"), [(signal.SIGKILL, 3), (signal.SIGTERM, 1)])
async def test_a_server_that_dies_loses_nothing_and_repeats_nothing(mortal: Mortal, number: int, times: int) -> None:
    clients = [await _enter(mortal, name) for name in ("alice", "bob", "carol")]
    listeners = [Listener(chat) for chat in clients]
    listening = [asyncio.create_task(listener.run()) for listener in listeners]
    talking = [asyncio.create_task(_talk(chat, 120)) for chat in clients]
    for deaths in range(1, times + 1):
        await listeners[0].heard(deaths * 80)  # something in the midst of which to die
        await mortal.end(number)
        await mortal.start()
    acknowledged = [said for talk in await asyncio.gather(*talking) for said in talk]
    await clients[0].say("#lobby", "end")
    await asyncio.gather(*listening)
    everything = [said.seq for said in listeners[0].seen]
    assert everything == sorted(set(everything)), "each once, in order"
    for listener in listeners:
        assert [said.seq for said in listener.seen] == everything, "and the same for all"
        assert listener.resumed
        assert all(resumed.complete for resumed in listener.resumed)
    assert {said.seq for said in acknowledged} <= set(everything)
    assert len(acknowledged) == len({said.text for said in acknowledged}) == 360
    assert {said.text for said in listeners[0].seen} - {said.text for said in acknowledged} == {"end"}
    assert len(everything) == 361
    await asyncio.gather(*(chat.aclose() for chat in clients))
