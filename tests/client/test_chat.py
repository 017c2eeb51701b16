"""The client against a server that does as told: replies, order, cuts, and the way back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest
from msgspec import structs

from asyncchat.client import Backoff, ChatClient, Connecting, ConnectionState, Cursor, Resumed, connect
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.errors import ConnectionLost, ProtocolError, Refused
from asyncchat.vocabulary.events import Event
from asyncchat.vocabulary.terms import Code
from tests.client.scripted import Peer, ScriptedServer

AT_ONCE = Backoff(first=0.001, longest=0.01)
T = TypeVar("T")


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


def to(server: ScriptedServer, **options: object) -> Connecting:
    options = {"name": "alice", "reconnect": AT_ONCE, **options}
    return connect(server.address, **options)  # type: ignore[arg-type]


async def take(chat: ChatClient, count: int) -> list[object]:
    """That many items of the iteration: texts of messages, everything else as it is."""
    items: list[object] = []
    async for item in chat:
        items.append(item.text if isinstance(item, events.Said) else item)
        if len(items) == count:
            break
    return items


async def until(chat: ChatClient, kind: type[T]) -> T:
    async for item in chat:
        if isinstance(item, kind):
            return item
    raise AssertionError("the iteration ended")


class States:
    """The states that a client went through, to be waited for."""

    def __init__(self) -> None:
        self.seen: list[ConnectionState] = []
        self.texts: list[str] = []
        self._changed = asyncio.Event()

    def __call__(self, state: ConnectionState, text: str) -> None:
        self.seen.append(state)
        self.texts.append(text)
        self._changed.set()

    async def reached(self, state: ConnectionState) -> None:
        while state not in self.seen:
            self._changed.clear()
            await self._changed.wait()


# --- logging in -----------------------------------------------------------------------------------------------------


async def test_logging_in_and_out(server: ScriptedServer) -> None:
    async with to(server, rooms=["#ops"], password="pw", server_password="spw") as chat:
        assert (chat.name, chat.state, set(chat.joined)) == ("alice", ConnectionState.ONLINE, {"#ops"})
        assert chat.token == "secret-token"
        (hello,) = server.all(commands.Hello)
        assert (hello.name, hello.rooms, hello.password, hello.server_password) == ("alice", ["#ops"], "pw", "spw")
        assert (hello.since, hello.epoch) == (None, None)
        assert hello.client is not None
        assert hello.client.startswith("asyncchat/")
    assert chat.state is ConnectionState.CLOSED
    assert len(server.all(commands.Quit)) == 1
    await chat.aclose()


async def test_a_client_can_be_awaited_as_well(server: ScriptedServer) -> None:
    chat = await to(server)
    try:
        assert chat.welcome.server == "scripted"
    finally:
        await chat.aclose(hold=True)
    assert not server.all(commands.Quit), "held: no goodbye"


async def test_a_refused_login(server: ScriptedServer) -> None:
    server.take_over(commands.Hello, server.refuse(Code.CONFLICT, "alice is taken"))
    with pytest.raises(Refused, match="alice is taken") as caught:
        await to(server)
    assert caught.value.code == Code.CONFLICT


async def test_a_server_that_says_goodbye_instead(server: ScriptedServer) -> None:
    def full(peer: Peer, _: commands.Hello) -> None:
        peer.tell(events.Bye(code=Code.UNAVAILABLE, reason="the server is full"))
        peer.writer.close()

    server.take_over(commands.Hello, full)
    with pytest.raises(Refused, match="the server is full"):
        await to(server)


async def test_a_server_that_refuses_before_it_has_read(server: ScriptedServer) -> None:
    server.take_over(commands.Hello, lambda peer, _: peer.tell(events.Error(code=Code.UNAVAILABLE, text="full")))
    with pytest.raises(Refused, match="full"):
        await to(server)


async def test_a_connection_that_ends_in_the_login(server: ScriptedServer) -> None:
    server.take_over(commands.Hello, lambda peer, _: peer.cut())
    with pytest.raises(ConnectionLost):
        await to(server)


async def test_a_connection_that_ends_between_welcome_and_what_belongs_to_it(server: ScriptedServer) -> None:
    server.take_over(commands.Ping, lambda peer, _: peer.cut())
    with pytest.raises(ConnectionLost):
        await to(server)


async def test_nobody_listens() -> None:
    async with ScriptedServer() as server:
        address = server.address
    with pytest.raises(ConnectionLost, match=r"cannot connect to tcp://127.0.0.1:\d+: Connection refused"):
        await connect(address, name="alice")


async def test_an_unknown_host() -> None:
    with pytest.raises(ConnectionLost, match=r"cannot connect to tcp://no-such-host\.invalid:7777: "):
        await connect("no-such-host.invalid", name="alice")


async def test_what_listens_is_no_chat_server(server: ScriptedServer) -> None:
    server.take_over(commands.Hello, lambda peer, _: peer.writer.write(b'{"type":"welcome","id":1}\n'))
    with pytest.raises(ProtocolError, match="no event"):
        await to(server)


async def test_a_void_token_gives_way_to_the_password(server: ScriptedServer) -> None:
    def one_token(peer: Peer, hello: commands.Hello) -> None:
        if hello.token is not None:
            peer.tell(events.Error(id=hello.id, code=Code.WRONG_PASSWORD, text="that token is not known here"))
        else:
            server.answer(peer, hello)

    server.take_over(commands.Hello, one_token)
    async with to(server, token="old", password="pw") as chat:
        assert chat.token == "secret-token"
    first, second = server.all(commands.Hello)
    assert (first.token, first.password) == ("old", None)
    assert (second.token, second.password) == (None, "pw")


async def test_a_cancelled_login_leaves_nothing_open(server: ScriptedServer) -> None:
    server.take_over(commands.Hello, lambda peer, _: None)
    task = asyncio.ensure_future(to(server).__aenter__())
    await server.wait_for(commands.Hello)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# --- asking ---------------------------------------------------------------------------------------------------------


async def test_every_reply_belongs_to_its_request(server: ScriptedServer) -> None:
    waiting: list[tuple[Peer, commands.Say]] = []
    server.take_over(commands.Say, lambda peer, say: waiting.append((peer, say)))
    async with to(server) as chat:
        asked = [asyncio.create_task(chat.say("#lobby", f"text {number}")) for number in range(20)]
        await server.wait_for(commands.Say, 20)
        for peer, say in reversed(waiting):
            if say.text.endswith("3"):
                peer.tell(events.Error(id=say.id, code=Code.FORBIDDEN, text=f"not {say.text}"))
            else:
                server.answer(peer, say)
        for number, task in enumerate(asked):
            if number % 10 == 3:
                with pytest.raises(Refused, match=f"not text {number}"):
                    await task
            else:
                said = await task
                assert (said.text, said.sender) == (f"text {number}", "alice")
                assert said.seq == next(kept.seq for kept in server.log if kept.text == said.text)


async def test_commands_reach_the_server_as_they_were_meant(server: ScriptedServer) -> None:
    async with to(server) as chat:
        await chat.edit(7, "new")
        await chat.react(7, "👍", remove=True)
        await chat.join("#ops", "pw")
        await chat.set_topic("#ops", "")
        await chat.mute("#ops", "bob", seconds=0)
        await chat.set_room("#ops", private=True)
        await chat.back()
        chat.typing("#ops")
        await chat.read("#ops", 7)
        sent = [server.received[index] for index in range(2, len(server.received))]
        expected = [
            commands.Edit(seq=7, text="new"),
            commands.React(seq=7, reaction="👍", remove=True),
            commands.Join(room="#ops", password="pw"),
            commands.Topic(room="#ops", text=""),
            commands.Mute(room="#ops", name="bob", seconds=0),
            commands.SetRoom(room="#ops", private=True),
            commands.Away(),
            commands.Typing(to="#ops"),
            commands.Read(to="#ops", seq=7),
        ]
        ids = [command.id for command in sent if not isinstance(command, commands.Typing)]
        assert len(set(ids)) == len(ids)
        assert [_without_id(command) for command in sent] == expected
        assert chat.joined == {"#lobby", "#ops"}


async def test_a_reply_of_another_kind_is_an_error(server: ScriptedServer) -> None:
    async with to(server) as chat:
        with pytest.raises(ProtocolError, match="the reply to 'who' is Ok"):
            await chat.who()


async def test_asking_from_within_the_iteration_works_however_full_the_queue_is(server: ScriptedServer) -> None:
    async with to(server, queue=4) as chat:
        for number in range(50):
            server.said(str(number))
        texts = []
        async for item in chat:
            assert isinstance(item, events.Said)
            texts.append(item.text)
            if item.sender != "alice":
                await chat.say("#lobby", f"echo {item.text}")
            if len(texts) == 100:
                break
    assert texts == [said.text for said in server.log]


async def test_without_an_iteration_everything_goes_on(server: ScriptedServer) -> None:
    async with to(server, queue=10) as chat:
        for number in range(1000):
            server.said(str(number))
        await chat.say("#lobby", "last")
        server.tell(events.Ping())
        await server.wait_for(commands.Pong)
        assert chat.cursor == Cursor("first", 100)
        assert await take(chat, 1001) == [said.text for said in server.log]
        assert chat.cursor == Cursor("first", server.seq)


async def test_only_one_task_iterates(server: ScriptedServer) -> None:
    async with to(server) as chat:
        first = asyncio.create_task(anext(chat))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await anext(chat)
        server.said("hello")
        assert isinstance(await first, events.Said)


async def test_a_cancelled_iteration_loses_nothing(server: ScriptedServer) -> None:
    async with to(server) as chat:
        held: list[tuple[Peer, commands.Sync]] = []
        server.take_over(commands.Sync, lambda peer, sync: held.append((peer, sync)))
        expected = [server.keep(str(number)).text for number in range(5)]
        server.tell(events.Gap(after=100, until=server.seq))
        task = asyncio.create_task(anext(chat))
        await server.wait_for(commands.Sync)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.take_over(commands.Sync, None)
        assert await take(chat, 5) == expected


async def test_what_is_refused_when_fetching_is_told(server: ScriptedServer) -> None:
    async with to(server) as chat:
        server.keep("missed")
        server.tell(events.Gap(after=100, until=101))
        server.take_over(commands.Sync, server.refuse(Code.FORBIDDEN, "not for you"))
        with pytest.raises(Refused, match="not for you"):
            await anext(chat)
        server.take_over(commands.Sync, None)
        assert await take(chat, 1) == ["missed"]


# --- the end --------------------------------------------------------------------------------------------------------


async def test_closing_ends_the_iteration_and_what_waits(server: ScriptedServer) -> None:
    server.take_over(commands.Who, lambda peer, _: None)
    async with to(server) as chat:
        asked = asyncio.create_task(chat.who())
        iterated = asyncio.create_task(_all(chat))
        await server.wait_for(commands.Who)
        await chat.aclose()
        with pytest.raises(ConnectionLost, match="closed"):
            await asked
        assert await iterated == []
        with pytest.raises(ConnectionLost, match="closed"):
            await chat.say("#lobby", "too late")


async def test_without_reconnect_a_lost_connection_is_the_end(server: ScriptedServer) -> None:
    async with to(server, reconnect=False) as chat:
        server.said("one")
        server.tell(events.Notice(text="two"))
        await chat.say("#lobby", "three")
        server.cut()
        assert await take(chat, 3) == ["one", events.Notice(text="two"), "three"]
        with pytest.raises(ConnectionLost):
            await anext(chat)
        assert chat.state is ConnectionState.CLOSED
        with pytest.raises(ConnectionLost):
            await anext(chat)


async def test_a_goodbye_without_a_way_back(server: ScriptedServer) -> None:
    async with to(server) as chat:
        bye = events.Bye(code=Code.FORBIDDEN, reason="you are banned")
        server.part(bye)
        assert await take(chat, 1) == [bye]
        with pytest.raises(ConnectionLost, match="you are banned"):
            await anext(chat)
    assert len(server.all(commands.Hello)) == 1


async def test_a_login_that_is_refused_on_the_way_back_is_the_end(server: ScriptedServer) -> None:
    async with to(server) as chat:
        server.take_over(commands.Hello, server.refuse(Code.FORBIDDEN, "you are banned"))
        waiting = asyncio.create_task(anext(chat))
        server.cut()
        with pytest.raises(Refused, match="you are banned"):
            await waiting
        with pytest.raises(Refused, match="you are banned"):
            await chat.say("#lobby", "hello?")


# --- the way back ---------------------------------------------------------------------------------------------------


async def test_nothing_is_missed_and_nothing_comes_twice(server: ScriptedServer) -> None:
    states = States()
    async with to(server, on_state=states) as chat:
        server.said("before")
        assert await take(chat, 1) == ["before"]
        await server.go_down()
        await states.reached(ConnectionState.OFFLINE)
        missed = [server.keep(f"missed {number}").text for number in range(8)]
        await server.listen()
        await server.wait_for(commands.Hello, 2)
        server.said("after")
        assert await take(chat, 10) == [*missed, Resumed(complete=True, missed=8), "after"]
        hello = server.all(commands.Hello)[1]
        assert (hello.token, hello.since, hello.epoch) == ("secret-token", 101, "first")
        assert hello.rooms == ["#lobby"]
        assert all(sync.until is not None for sync in server.all(commands.Sync))
    assert states.seen[0] is ConnectionState.ONLINE
    assert states.seen[-2:] == [ConnectionState.ONLINE, ConnectionState.CLOSED]


async def test_live_events_wait_behind_what_was_missed(server: ScriptedServer) -> None:
    held: list[tuple[Peer, commands.Sync]] = []
    async with to(server) as chat:
        server.cut()
        server.keep("missed")
        server.take_over(commands.Sync, lambda peer, sync: held.append((peer, sync)))
        taking = asyncio.create_task(take(chat, 4))
        await server.wait_for(commands.Sync)
        server.said("live 1")
        server.said("live 2")
        await chat.say("#lobby", "mine")
        for peer, sync in held:
            server.answer(peer, sync)
        assert await taking == ["missed", Resumed(complete=True, missed=1), "live 1", "live 2"]


async def test_a_cut_while_fetching_repeats_nothing(server: ScriptedServer) -> None:
    async with to(server) as chat:
        server.cut()
        missed = [server.keep(f"missed {number}").text for number in range(7)]
        taken = await take(chat, 4)
        server.cut()
        missed.append(server.keep("missed in the second cut").text)
        taken += await take(chat, 6)
        resumed = [Resumed(complete=True, missed=7), Resumed(complete=True, missed=1)]
        assert [item for item in taken if isinstance(item, str)] == missed
        assert [item for item in taken if isinstance(item, Resumed)] == resumed


async def test_messages_without_an_acknowledgement_are_sent_again_with_their_nonce(server: ScriptedServer) -> None:
    def kept_but_not_acknowledged(peer: Peer, say: commands.Say) -> None:
        if say.text != "three":
            server.keep(say.text, sender="alice", nonce=say.nonce)

    server.take_over(commands.Say, kept_but_not_acknowledged)
    async with to(server) as chat:
        said = [asyncio.create_task(chat.say("#lobby", text)) for text in ("one", "two", "three")]
        await server.wait_for(commands.Say, 3)
        server.take_over(commands.Say, None)
        server.cut()
        kept = await asyncio.gather(*said)
        assert [message.text for message in kept] == ["one", "two", "three"]
        assert [message.seq for message in kept] == [101, 102, 103]
        first, second = server.all(commands.Say)[:3], server.all(commands.Say)[3:]
        assert [say.nonce for say in first] == [say.nonce for say in second]
        assert len({say.nonce for say in first}) == 3
        taken = await take(chat, 4)
        assert [item for item in taken if isinstance(item, str)] == ["one", "two", "three"]
    assert [kept.text for kept in server.log] == ["one", "two", "three"]


async def test_a_message_sent_as_a_command_is_kept_once_as_well(server: ScriptedServer) -> None:
    server.take_over(commands.Say, lambda peer, say: None)
    async with to(server) as chat:
        asked = asyncio.create_task(chat.request(commands.Say("#lobby", "once")))
        await server.wait_for(commands.Say)
        server.take_over(commands.Say, None)
        server.cut()
        assert isinstance(await asked, events.Ok)
    first, second = server.all(commands.Say)
    assert first.nonce == second.nonce is not None


async def test_what_cannot_be_done_twice_says_that_nobody_knows(server: ScriptedServer) -> None:
    server.take_over(commands.Kick, lambda peer, _: None)
    server.take_over(commands.Whois, lambda peer, _: None)
    async with to(server) as chat:
        kick = asyncio.create_task(chat.kick("#lobby", "bob"))
        whois = asyncio.create_task(chat.request(commands.Whois(name="bob")))
        await server.wait_for(commands.Kick)
        await server.wait_for(commands.Whois)
        server.take_over(commands.Whois, None)
        server.cut()
        with pytest.raises(ConnectionLost, match="lost before the reply to 'kick'"):
            await kick
        assert isinstance(await whois, events.Ok)
    assert len(server.all(commands.Kick)) == 1


async def test_what_is_asked_offline_is_sent_on_return(server: ScriptedServer) -> None:
    states = States()
    async with to(server, on_state=states) as chat:
        await server.go_down()
        await states.reached(ConnectionState.OFFLINE)
        asked = [
            asyncio.create_task(chat.say("#lobby", "one")),
            asyncio.create_task(chat.kick("#lobby", "bob")),
            asyncio.create_task(chat.say("#lobby", "two")),
        ]
        chat.typing("#lobby")
        given_up = asyncio.create_task(chat.say("#lobby", "given up"))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])
        await server.listen()
        await asyncio.gather(*asked)
    talk = [command for command in server.received if isinstance(command, commands.Say | commands.Kick)]
    assert [getattr(command, "text", "kick") for command in talk] == ["one", "kick", "two"]
    assert not server.all(commands.Typing)


async def test_typing_that_is_refused_is_no_news(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    server.take_over(commands.Typing, server.refuse(Code.FORBIDDEN, "you may not speak here"))
    async with to(server) as chat:
        chat.typing("#lobby")
        await chat.say("#lobby", "behind it")
        assert not caplog.records
        server.tell(events.Error(code=Code.MALFORMED, text="what was that?"))
        await chat.say("#lobby", "behind that")
        assert "what was that?" in caplog.text


async def test_a_server_that_asks_for_a_delay_gets_it(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[tuple[int, float | None]] = []
    delay = Backoff.delay

    def noted(self: Backoff, attempt: int, chance: float, *, asked: float | None = None) -> float:
        waits.append((attempt, asked))
        return delay(self, attempt, chance) / 10

    monkeypatch.setattr(Backoff, "delay", noted)

    def busy(peer: Peer, hello: commands.Hello) -> None:
        if len(server.all(commands.Hello)) < 3:
            peer.tell(events.Error(id=hello.id, code=Code.UNAVAILABLE, text="starting", wait=2.0))
        else:
            server.answer(peer, hello)

    states = States()
    async with to(server, on_state=states) as chat:
        server.take_over(commands.Hello, busy)
        server.part(events.Bye(reason="restart", reconnect=7.0))
        assert isinstance(await until(chat, Resumed), Resumed)
    assert waits == [(0, 7.0), (1, 2.0), (2, 2.0)]
    assert "restart" in states.texts
    assert "starting (503)" in states.texts


async def test_another_database_is_said_to_be_one(server: ScriptedServer) -> None:
    async with to(server) as chat:
        server.said("old")
        server.cut()
        server.epoch, server.seq, server.log = "second", 5, []
        items = await take(chat, 2)
        assert items == ["old", Resumed(complete=False)]
        server.said("new")
        assert await take(chat, 1) == ["new"]
        assert chat.cursor == Cursor("second", 6)


async def test_a_place_is_remembered_from_one_program_to_the_next(server: ScriptedServer) -> None:
    async with to(server) as chat:
        server.said("one")
        server.said("two")
        assert await take(chat, 1) == ["one"]
        cursor = chat.cursor
    server.keep("three")
    async with to(server, cursor=cursor) as chat:
        assert await take(chat, 3) == ["two", "three", Resumed(complete=True, missed=2)]


async def test_rooms_are_entered_again_and_those_left_are_not(server: ScriptedServer) -> None:
    async with to(server, rooms=["#one", "#two"]) as chat:
        await chat.join("#three")
        await chat.leave("#one")
        server.tell(events.Kicked(sender="bob", name="alice", room="#two"))
        server.tell(events.Renamed(name="alice", to="alicia"))
        await chat.say("#three", "still here")
        assert (chat.name, set(chat.joined)) == ("alicia", {"#three"})
        server.cut()
        hello = (await server.wait_for(commands.Hello, 2))[1]
        assert (hello.name, hello.token, hello.rooms) == (None, "secret-token", ["#three"])


@pytest.mark.parametrize(
    "ask", [lambda chat: chat.join("#secret", "pw"), lambda chat: chat.request(commands.Join("#secret", password="pw"))]
)
async def test_a_room_with_a_password_is_entered_again_and_nothing_of_it_is_missed(
    server: ScriptedServer, ask: Callable[[ChatClient], Awaitable[object]]
) -> None:
    def only_the_lobby(peer: Peer, hello: commands.Hello) -> None:
        peer.name = "alice"
        peer.tell(structs.replace(server.welcome(hello), rooms=["#lobby"]))

    def late(peer: Peer, join: commands.Join) -> None:
        server.keep("between welcome and join", to="#secret")
        server.answer(peer, join)

    async with to(server) as chat:
        await ask(chat)
        await until(chat, events.Joined)
        server.take_over(commands.Hello, only_the_lobby)
        server.take_over(commands.Join, late)
        server.cut()
        server.keep("missed", to="#secret")
        taken = await take(chat, 4)
        assert taken[:3] == ["missed", "between welcome and join", Resumed(complete=True, missed=2)]
        assert taken[3] == events.Joined(name="alice", room="#secret")
        assert server.all(commands.Join)[1].password == "pw"


async def test_a_room_that_stays_shut_is_said_to_be_left(server: ScriptedServer) -> None:
    def nowhere(peer: Peer, hello: commands.Hello) -> None:
        peer.tell(structs.replace(server.welcome(hello), rooms=[]))

    async with to(server) as chat:
        await chat.join("#secret", "pw")
        server.take_over(commands.Hello, nowhere)
        server.take_over(commands.Join, server.refuse(Code.FORBIDDEN, "wrong password"))
        server.cut()
        await until(chat, Resumed)
        left = [item for item in await take(chat, 2) if isinstance(item, events.Left)]
        assert {(event.room, event.reason) for event in left} == {
            ("#lobby", "you are not let in"),
            ("#secret", "wrong password"),
        }
        assert chat.joined == frozenset()


async def test_what_comes_before_the_welcome_hides_no_hole(server: ScriptedServer) -> None:
    def late_welcome(peer: Peer, hello: commands.Hello) -> None:
        welcome = server.welcome(hello)
        peer.tell(server.keep("live before the welcome"), welcome)

    async with to(server) as chat:
        server.cut()
        server.take_over(commands.Hello, late_welcome)
        server.keep("missed")
        assert await take(chat, 3) == ["missed", Resumed(complete=True, missed=1), "live before the welcome"]


async def test_a_gap_during_a_login_takes_its_place(server: ScriptedServer) -> None:
    def busy(peer: Peer, hello: commands.Hello) -> None:
        welcome = server.welcome(hello)
        peer.tell(welcome, server.keep("live"))
        server.keep("skipped")
        peer.tell(events.Gap(after=server.seq - 1, until=server.seq))

    async with to(server) as chat:
        server.cut()
        server.take_over(commands.Hello, busy)
        server.keep("missed")
        assert await take(chat, 4) == ["missed", Resumed(complete=True, missed=1), "live", "skipped"]


async def test_a_room_in_another_spelling_is_not_lost(server: ScriptedServer) -> None:
    def canonical(peer: Peer, hello: commands.Hello) -> None:
        peer.tell(structs.replace(server.welcome(hello), rooms=["#Ops"]))

    server.take_over(commands.Hello, canonical)
    async with to(server, rooms=["#OPS"]) as chat:
        server.said("first")
        assert await take(chat, 1) == ["first"]
        assert set(chat.joined) == {"#Ops"}


async def test_messages_kept_for_me_come_first_at_a_login(server: ScriptedServer) -> None:
    def with_letters(peer: Peer, hello: commands.Hello) -> None:
        letters = [server.keep(text, to="alice") for text in ("letter 1", "letter 2")]
        welcome = server.welcome(hello)
        live = server.keep("live")
        peer.tell(live, welcome, *letters)

    server.take_over(commands.Hello, with_letters)
    async with to(server) as chat:
        server.said("later")
        assert await take(chat, 4) == ["letter 1", "letter 2", "live", "later"]


async def test_a_silent_server_is_asked_and_then_given_up(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncchat.client.link.QUIET_SECONDS", 0.05)
    async with to(server) as chat:
        await server.wait_for(commands.Ping, 3)
        assert chat.state is ConnectionState.ONLINE, "it answers"
        monkeypatch.setattr("asyncchat.client.link.ANSWER_SECONDS", 0.05)
        server.take_over(commands.Ping, lambda peer, ping: None if ping.id == "there?" else server.answer(peer, ping))
        await server.wait_for(commands.Hello, 2)


async def _all(chat: ChatClient) -> list[Event | Resumed]:
    return [event async for event in chat]


def _without_id(command: commands.Base) -> commands.Base:
    return structs.replace(command, id=None)
