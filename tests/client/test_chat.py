"""The client against a server that does as told: logging in, replies and their order, and the end."""

import asyncio

import pytest
from msgspec import structs

from asyncchat.client import ChatClient, ConnectionState, Cursor, Resumed, connect
from asyncchat.client import actions as chat_commands
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.errors import ConnectionLost, ProtocolError, Refused
from asyncchat.vocabulary.events import Event
from asyncchat.vocabulary.terms import Code, State
from tests.client.chats import take, to
from tests.client.scripted import Peer, ScriptedServer

# --- logging in -----------------------------------------------------------------------------------------------------


async def test_logging_in_and_out(scripted: ScriptedServer) -> None:
    async with to(scripted, rooms=["#ops"], password="pw", server_password="spw") as chat:
        assert (chat.name, chat.state, set(chat.joined)) == ("alice", ConnectionState.ONLINE, {"#ops"})
        assert chat.token == "secret-token"
        (hello,) = scripted.all(commands.Hello)
        assert (hello.name, hello.rooms, hello.password, hello.server_password) == ("alice", ["#ops"], "pw", "spw")
        assert (hello.since, hello.epoch) == (None, None)
        assert hello.client is not None
        assert hello.client.startswith("asyncchat/")
    assert chat.state is ConnectionState.CLOSED
    assert len(scripted.all(commands.Quit)) == 1
    await chat.aclose()


async def test_a_client_can_be_awaited_as_well(scripted: ScriptedServer) -> None:
    chat = await to(scripted)
    try:
        assert chat.welcome.server == "scripted"
    finally:
        await chat.aclose(hold=True)
    assert not scripted.all(commands.Quit), "held: no goodbye"


async def test_a_refused_login(scripted: ScriptedServer) -> None:
    scripted.take_over(commands.Hello, scripted.refuse(Code.CONFLICT, "alice is taken"))
    with pytest.raises(Refused, match="alice is taken") as caught:
        await to(scripted)
    assert caught.value.code == Code.CONFLICT


async def test_a_server_that_says_goodbye_instead(scripted: ScriptedServer) -> None:
    def full(peer: Peer, _: commands.Hello) -> None:
        peer.tell(events.Bye(code=Code.UNAVAILABLE, reason="the server is full"))
        peer.writer.close()

    scripted.take_over(commands.Hello, full)
    with pytest.raises(Refused, match="the server is full"):
        await to(scripted)


async def test_a_server_that_refuses_before_it_has_read(scripted: ScriptedServer) -> None:
    scripted.take_over(commands.Hello, lambda peer, _: peer.tell(events.Error(code=Code.UNAVAILABLE, text="full")))
    with pytest.raises(Refused, match="full"):
        await to(scripted)


async def test_a_connection_that_ends_in_the_login(scripted: ScriptedServer) -> None:
    scripted.take_over(commands.Hello, lambda peer, _: peer.cut())
    with pytest.raises(ConnectionLost):
        await to(scripted)


async def test_a_connection_that_ends_between_welcome_and_what_belongs_to_it(scripted: ScriptedServer) -> None:
    scripted.take_over(commands.Ping, lambda peer, _: peer.cut())
    with pytest.raises(ConnectionLost):
        await to(scripted)


async def test_nobody_listens() -> None:
    async with ScriptedServer() as scripted:
        address = scripted.address
    with pytest.raises(ConnectionLost, match=r"cannot connect to tcp://127.0.0.1:\d+: Connection refused"):
        await connect(address, name="alice")


async def test_an_unknown_host() -> None:
    with pytest.raises(ConnectionLost, match=r"cannot connect to tcp://no-such-host\.invalid:7777: "):
        await connect("no-such-host.invalid", name="alice")


async def test_what_listens_is_no_chat_server(scripted: ScriptedServer) -> None:
    scripted.take_over(commands.Hello, lambda peer, _: peer.writer.write(b'{"type":"welcome","id":1}\n'))
    with pytest.raises(ProtocolError, match="no event"):
        await to(scripted)


async def test_a_void_token_gives_way_to_the_password(scripted: ScriptedServer) -> None:
    def one_token(peer: Peer, hello: commands.Hello) -> None:
        if hello.token is not None:
            peer.tell(events.Error(id=hello.id, code=Code.WRONG_PASSWORD, text="that token is not known here"))
        else:
            scripted.answer(peer, hello)

    scripted.take_over(commands.Hello, one_token)
    async with to(scripted, token="old", password="pw") as chat:
        assert chat.token == "secret-token"
    first, second = scripted.all(commands.Hello)
    assert (first.token, first.password) == ("old", None)
    assert (second.token, second.password) == (None, "pw")


async def test_a_cancelled_login_leaves_nothing_open(scripted: ScriptedServer) -> None:
    scripted.take_over(commands.Hello, lambda peer, _: None)
    task = asyncio.ensure_future(to(scripted).__aenter__())
    await scripted.wait_for(commands.Hello)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# --- asking ---------------------------------------------------------------------------------------------------------


async def test_every_reply_belongs_to_its_request(scripted: ScriptedServer) -> None:
    waiting: list[tuple[Peer, commands.Say]] = []
    scripted.take_over(commands.Say, lambda peer, say: waiting.append((peer, say)))
    async with to(scripted) as chat:
        asked = [asyncio.create_task(chat.say("#lobby", f"text {number}")) for number in range(20)]
        await scripted.wait_for(commands.Say, 20)
        for peer, say in reversed(waiting):
            if say.text.endswith("3"):
                peer.tell(events.Error(id=say.id, code=Code.FORBIDDEN, text=f"not {say.text}"))
            else:
                scripted.answer(peer, say)
        for number, task in enumerate(asked):
            if number % 10 == 3:
                with pytest.raises(Refused, match=f"not text {number}"):
                    await task
            else:
                said = await task
                assert (said.text, said.sender) == (f"text {number}", "alice")
                assert said.seq == next(kept.seq for kept in scripted.log if kept.text == said.text)


async def test_commands_reach_the_server_as_they_were_meant(scripted: ScriptedServer) -> None:
    async with to(scripted) as chat:
        await chat.edit(7, "new")
        await chat.react(7, "👍", remove=True)
        await chat.join("#ops", "pw")
        await chat.set_topic("#ops", "")
        await chat.mute("#ops", "bob", seconds=0)
        await chat.set_room("#ops", private=True)
        await chat.back()
        chat.typing("#ops")
        await chat.read("#ops", 7)
        sent = [scripted.received[index] for index in range(2, len(scripted.received))]
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


async def test_a_reply_of_another_kind_is_an_error(scripted: ScriptedServer) -> None:
    async with to(scripted) as chat:
        with pytest.raises(ProtocolError, match="the reply to 'who' is Ok"):
            await chat.who()


def online(*names: str) -> list[events.Member]:
    return [events.Member(name=name, state=State.ONLINE) for name in names]


async def test_a_list_is_fetched_page_by_page(scripted: ScriptedServer) -> None:
    pages = {None: (["ann", "bob"], 0), 0: ([], 7), 7: (["carl"], None)}

    def answer(peer: Peer, who: commands.Who) -> None:
        names, next = pages[who.after]
        page = events.Members(id=who.id, room=who.room, members=online(*names), complete=next is None, next=next)
        peer.tell(page)

    scripted.take_over(commands.Who, answer)
    async with to(scripted) as chat:
        assert [member.name for member in await chat.who("#lobby")] == ["ann", "bob", "carl"]
        assert [(who.room, who.after) for who in scripted.all(commands.Who)] == [
            ("#lobby", None), ("#lobby", 0), ("#lobby", 7)
        ]  # fmt: skip


async def test_a_list_goes_on_after_a_lost_connection(scripted: ScriptedServer) -> None:
    def cut(peer: Peer, rooms: commands.Rooms) -> None:
        if rooms.after is not None:
            scripted.take_over(commands.Rooms, last)
            scripted.cut()
        else:
            first = [events.Room(name="#a", members=1)]
            peer.tell(events.RoomList(id=rooms.id, rooms=first, complete=False, next=7))

    def last(peer: Peer, rooms: commands.Rooms) -> None:
        assert rooms.after == 7
        peer.tell(events.RoomList(id=rooms.id, rooms=[events.Room(name="#b", members=1)]))

    scripted.take_over(commands.Rooms, cut)
    async with to(scripted) as chat:
        assert [room.name for room in await chat.rooms()] == ["#a", "#b"]


@pytest.mark.parametrize("next", [None, 5, 4])
async def test_a_list_that_does_not_go_on_is_an_error(scripted: ScriptedServer, next: int | None) -> None:
    def answer(peer: Peer, bans: commands.Bans) -> None:
        peer.tell(events.BanList(id=bans.id, bans=[], complete=False, next=5 if bans.after is None else next))

    scripted.take_over(commands.Bans, answer)
    async with to(scripted) as chat:
        with pytest.raises(ProtocolError, match="the list of 'bans' does not end"):
            await chat.bans()


async def test_a_list_without_an_end_does_not_fill_the_memory(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_commands, "LONGEST_LIST", 10)

    def answer(peer: Peer, who: commands.Who) -> None:
        peer.tell(events.Members(id=who.id, members=online("x", "y"), complete=False, next=(who.after or 0) + 1))

    scripted.take_over(commands.Who, answer)
    async with to(scripted) as chat:
        with pytest.raises(ProtocolError, match="does not end"):
            await chat.who()
    assert len(scripted.all(commands.Who)) == 6


async def test_asking_from_within_the_iteration_works_however_full_the_queue_is(scripted: ScriptedServer) -> None:
    async with to(scripted, queue=4) as chat:
        for number in range(50):
            scripted.said(str(number))
        texts = []
        async for item in chat:
            assert isinstance(item, events.Said)
            texts.append(item.text)
            if item.sender != "alice":
                await chat.say("#lobby", f"echo {item.text}")
            if len(texts) == 100:
                break
    assert texts == [said.text for said in scripted.log]


async def test_without_an_iteration_everything_goes_on(scripted: ScriptedServer) -> None:
    async with to(scripted, queue=10) as chat:
        for number in range(1000):
            scripted.said(str(number))
        await chat.say("#lobby", "last")
        scripted.tell(events.Ping())
        await scripted.wait_for(commands.Pong)
        assert chat.cursor == Cursor("first", 100)
        assert await take(chat, 1001) == [said.text for said in scripted.log]
        assert chat.cursor == Cursor("first", scripted.seq)


async def test_only_one_task_iterates(scripted: ScriptedServer) -> None:
    async with to(scripted) as chat:
        first = asyncio.create_task(anext(chat))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await anext(chat)
        scripted.said("hello")
        assert isinstance(await first, events.Said)


async def test_a_cancelled_iteration_loses_nothing(scripted: ScriptedServer) -> None:
    async with to(scripted) as chat:
        held: list[tuple[Peer, commands.Sync]] = []
        scripted.take_over(commands.Sync, lambda peer, sync: held.append((peer, sync)))
        expected = [scripted.keep(str(number)).text for number in range(5)]
        scripted.tell(events.Gap(after=100, until=scripted.seq))
        task = asyncio.create_task(anext(chat))
        await scripted.wait_for(commands.Sync)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        scripted.take_over(commands.Sync, None)
        assert await take(chat, 5) == expected


async def test_what_is_refused_when_fetching_is_told(scripted: ScriptedServer) -> None:
    async with to(scripted) as chat:
        scripted.keep("missed")
        scripted.tell(events.Gap(after=100, until=101))
        scripted.take_over(commands.Sync, scripted.refuse(Code.FORBIDDEN, "not for you"))
        with pytest.raises(Refused, match="not for you"):
            await anext(chat)
        scripted.take_over(commands.Sync, None)
        assert await take(chat, 1) == ["missed"]


# --- the end --------------------------------------------------------------------------------------------------------


async def test_closing_ends_the_iteration_and_what_waits(scripted: ScriptedServer) -> None:
    scripted.take_over(commands.Who, lambda peer, _: None)
    async with to(scripted) as chat:
        asked = asyncio.create_task(chat.who())
        iterated = asyncio.create_task(_all(chat))
        await scripted.wait_for(commands.Who)
        await chat.aclose()
        with pytest.raises(ConnectionLost, match="closed"):
            await asked
        assert await iterated == []
        with pytest.raises(ConnectionLost, match="closed"):
            await chat.say("#lobby", "too late")


async def test_without_reconnect_a_lost_connection_is_the_end(scripted: ScriptedServer) -> None:
    async with to(scripted, reconnect=False) as chat:
        scripted.said("one")
        scripted.tell(events.Notice(text="two"))
        await chat.say("#lobby", "three")
        scripted.cut()
        assert await take(chat, 3) == ["one", events.Notice(text="two"), "three"]
        with pytest.raises(ConnectionLost):
            await anext(chat)
        assert chat.state is ConnectionState.CLOSED
        with pytest.raises(ConnectionLost):
            await anext(chat)


async def test_a_goodbye_without_a_way_back(scripted: ScriptedServer) -> None:
    async with to(scripted) as chat:
        bye = events.Bye(code=Code.FORBIDDEN, reason="you are banned")
        scripted.part(bye)
        assert await take(chat, 1) == [bye]
        with pytest.raises(ConnectionLost, match="you are banned"):
            await anext(chat)
    assert len(scripted.all(commands.Hello)) == 1


async def test_a_login_that_is_refused_on_the_way_back_is_the_end(scripted: ScriptedServer) -> None:
    async with to(scripted) as chat:
        scripted.take_over(commands.Hello, scripted.refuse(Code.FORBIDDEN, "you are banned"))
        waiting = asyncio.create_task(anext(chat))
        scripted.cut()
        with pytest.raises(Refused, match="you are banned"):
            await waiting
        with pytest.raises(Refused, match="you are banned"):
            await chat.say("#lobby", "hello?")


async def _all(chat: ChatClient) -> list[Event | Resumed]:
    return [event async for event in chat]


def _without_id(command: commands.Base) -> commands.Base:
    return structs.replace(command, id=None)
