"""The client's way back after a cut, against a server that does as told: nothing is missed, and nothing comes twice."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec import structs

from asyncchat.client import Backoff, ChatClient, ConnectionState, Cursor, Resumed
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.errors import ConnectionLost
from asyncchat.vocabulary.terms import Code
from tests.client.chats import States, take, to, until
from tests.client.scripted import Peer, ScriptedServer


async def test_nothing_is_missed_and_nothing_comes_twice(scripted: ScriptedServer) -> None:
    states = States()
    async with to(scripted, on_state=states) as chat:
        scripted.said("before")
        assert await take(chat, 1) == ["before"]
        await scripted.go_down()
        await states.reached(ConnectionState.OFFLINE)
        missed = [scripted.keep(f"missed {number}").text for number in range(8)]
        await scripted.listen()
        await scripted.wait_for(commands.Hello, 2)
        scripted.said("after")
        assert await take(chat, 10) == [*missed, Resumed(complete=True, missed=8), "after"]
        hello = scripted.all(commands.Hello)[1]
        assert (hello.token, hello.since, hello.epoch) == ("secret-token", 101, "first")
        assert hello.rooms == ["#lobby"]
        assert all(sync.until is not None for sync in scripted.all(commands.Sync))
    assert states.seen[0] is ConnectionState.ONLINE
    assert states.seen[-2:] == [ConnectionState.ONLINE, ConnectionState.CLOSED]


async def test_live_events_wait_behind_what_was_missed(scripted: ScriptedServer) -> None:
    held: list[tuple[Peer, commands.Sync]] = []
    async with to(scripted) as chat:
        scripted.cut()
        scripted.keep("missed")
        scripted.take_over(commands.Sync, lambda peer, sync: held.append((peer, sync)))
        taking = asyncio.create_task(take(chat, 4))
        await scripted.wait_for(commands.Sync)
        scripted.said("live 1")
        scripted.said("live 2")
        await chat.say("#lobby", "mine")
        for peer, sync in held:
            scripted.answer(peer, sync)
        assert await taking == ["missed", Resumed(complete=True, missed=1), "live 1", "live 2"]


async def test_a_cut_while_fetching_repeats_nothing(scripted: ScriptedServer) -> None:
    async with to(scripted) as chat:
        scripted.cut()
        missed = [scripted.keep(f"missed {number}").text for number in range(7)]
        taken = await take(chat, 4)
        scripted.cut()
        missed.append(scripted.keep("missed in the second cut").text)
        taken += await take(chat, 6)
        resumed = [Resumed(complete=True, missed=7), Resumed(complete=True, missed=1)]
        assert [item for item in taken if isinstance(item, str)] == missed
        assert [item for item in taken if isinstance(item, Resumed)] == resumed


async def test_messages_without_an_acknowledgement_are_sent_again_with_their_nonce(scripted: ScriptedServer) -> None:
    def kept_but_not_acknowledged(peer: Peer, say: commands.Say) -> None:
        if say.text != "three":
            scripted.keep(say.text, sender="alice", nonce=say.nonce)

    scripted.take_over(commands.Say, kept_but_not_acknowledged)
    async with to(scripted) as chat:
        said = [asyncio.create_task(chat.say("#lobby", text)) for text in ("one", "two", "three")]
        await scripted.wait_for(commands.Say, 3)
        scripted.take_over(commands.Say, None)
        scripted.cut()
        kept = await asyncio.gather(*said)
        assert [message.text for message in kept] == ["one", "two", "three"]
        assert [message.seq for message in kept] == [101, 102, 103]
        first, second = scripted.all(commands.Say)[:3], scripted.all(commands.Say)[3:]
        assert [say.nonce for say in first] == [say.nonce for say in second]
        assert len({say.nonce for say in first}) == 3
        taken = await take(chat, 4)
        assert [item for item in taken if isinstance(item, str)] == ["one", "two", "three"]
    assert [kept.text for kept in scripted.log] == ["one", "two", "three"]


async def test_a_message_sent_as_a_command_is_kept_once_as_well(scripted: ScriptedServer) -> None:
    scripted.take_over(commands.Say, lambda peer, say: None)
    async with to(scripted) as chat:
        asked = asyncio.create_task(chat.request(commands.Say("#lobby", "once")))
        await scripted.wait_for(commands.Say)
        scripted.take_over(commands.Say, None)
        scripted.cut()
        assert isinstance(await asked, events.Ok)
    first, second = scripted.all(commands.Say)
    assert first.nonce == second.nonce is not None


async def test_what_cannot_be_done_twice_says_that_nobody_knows(scripted: ScriptedServer) -> None:
    scripted.take_over(commands.Kick, lambda peer, _: None)
    scripted.take_over(commands.Whois, lambda peer, _: None)
    async with to(scripted) as chat:
        kick = asyncio.create_task(chat.kick("#lobby", "bob"))
        whois = asyncio.create_task(chat.request(commands.Whois(name="bob")))
        await scripted.wait_for(commands.Kick)
        await scripted.wait_for(commands.Whois)
        scripted.take_over(commands.Whois, None)
        scripted.cut()
        with pytest.raises(ConnectionLost, match="lost before the reply to 'kick'"):
            await kick
        assert isinstance(await whois, events.Ok)
    assert len(scripted.all(commands.Kick)) == 1


async def test_what_is_asked_offline_is_sent_on_return(scripted: ScriptedServer) -> None:
    states = States()
    async with to(scripted, on_state=states) as chat:
        await scripted.go_down()
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
        await scripted.listen()
        await asyncio.gather(*asked)
    talk = [command for command in scripted.received if isinstance(command, commands.Say | commands.Kick)]
    assert [getattr(command, "text", "kick") for command in talk] == ["one", "kick", "two"]
    assert not scripted.all(commands.Typing)


async def test_typing_that_is_refused_is_no_news(scripted: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    scripted.take_over(commands.Typing, scripted.refuse(Code.FORBIDDEN, "you may not speak here"))
    async with to(scripted) as chat:
        chat.typing("#lobby")
        await chat.say("#lobby", "behind it")
        assert not caplog.records
        scripted.tell(events.Error(code=Code.MALFORMED, text="what was that?"))
        await chat.say("#lobby", "behind that")
        assert "what was that?" in caplog.text


async def test_a_server_that_asks_for_a_delay_gets_it(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[tuple[int, float | None]] = []
    delay = Backoff.delay

    def noted(self: Backoff, attempt: int, chance: float, *, asked: float | None = None) -> float:
        waits.append((attempt, asked))
        return delay(self, attempt, chance) / 10

    monkeypatch.setattr(Backoff, "delay", noted)

    def busy(peer: Peer, hello: commands.Hello) -> None:
        if len(scripted.all(commands.Hello)) < 3:
            peer.tell(events.Error(id=hello.id, code=Code.UNAVAILABLE, text="starting", wait=2.0))
        else:
            scripted.answer(peer, hello)

    states = States()
    async with to(scripted, on_state=states) as chat:
        scripted.take_over(commands.Hello, busy)
        scripted.part(events.Bye(reason="restart", reconnect=7.0))
        assert isinstance(await until(chat, Resumed), Resumed)
    assert waits == [(0, 7.0), (1, 2.0), (2, 2.0)]
    assert "restart" in states.texts
    assert "starting (503)" in states.texts


async def test_another_database_is_said_to_be_one(scripted: ScriptedServer) -> None:
    async with to(scripted) as chat:
        scripted.said("old")
        scripted.cut()
        scripted.epoch, scripted.seq, scripted.log = "second", 5, []
        items = await take(chat, 2)
        assert items == ["old", Resumed(complete=False)]
        scripted.said("new")
        assert await take(chat, 1) == ["new"]
        assert chat.cursor == Cursor("second", 6)


async def test_a_place_is_remembered_from_one_program_to_the_next(scripted: ScriptedServer) -> None:
    async with to(scripted) as chat:
        scripted.said("one")
        scripted.said("two")
        assert await take(chat, 1) == ["one"]
        cursor = chat.cursor
    scripted.keep("three")
    async with to(scripted, cursor=cursor) as chat:
        assert await take(chat, 3) == ["two", "three", Resumed(complete=True, missed=2)]


async def test_rooms_are_entered_again_and_those_left_are_not(scripted: ScriptedServer) -> None:
    async with to(scripted, rooms=["#one", "#two"]) as chat:
        await chat.join("#three")
        await chat.leave("#one")
        scripted.tell(events.Kicked(sender="bob", name="alice", room="#two"))
        scripted.tell(events.Renamed(name="alice", to="alicia"))
        await chat.say("#three", "still here")
        assert (chat.name, set(chat.joined)) == ("alicia", {"#three"})
        scripted.cut()
        hello = (await scripted.wait_for(commands.Hello, 2))[1]
        assert (hello.name, hello.token, hello.rooms) == (None, "secret-token", ["#three"])


@pytest.mark.parametrize(
    "ask", [lambda chat: chat.join("#secret", "pw"), lambda chat: chat.request(commands.Join("#secret", password="pw"))]
)
async def test_a_room_with_a_password_is_entered_again_and_nothing_of_it_is_missed(
    scripted: ScriptedServer, ask: Callable[[ChatClient], Awaitable[object]]
) -> None:
    def only_the_lobby(peer: Peer, hello: commands.Hello) -> None:
        peer.name = "alice"
        peer.tell(structs.replace(scripted.welcome(hello), rooms=["#lobby"]))

    def late(peer: Peer, join: commands.Join) -> None:
        scripted.keep("between welcome and join", to="#secret")
        scripted.answer(peer, join)

    async with to(scripted) as chat:
        await ask(chat)
        await until(chat, events.Joined)
        scripted.take_over(commands.Hello, only_the_lobby)
        scripted.take_over(commands.Join, late)
        scripted.cut()
        scripted.keep("missed", to="#secret")
        taken = await take(chat, 4)
        assert taken[:3] == ["missed", "between welcome and join", Resumed(complete=True, missed=2)]
        assert taken[3] == events.Joined(name="alice", room="#secret")
        assert scripted.all(commands.Join)[1].password == "pw"


async def test_a_room_that_stays_shut_is_said_to_be_left(scripted: ScriptedServer) -> None:
    def nowhere(peer: Peer, hello: commands.Hello) -> None:
        peer.tell(structs.replace(scripted.welcome(hello), rooms=[]))

    async with to(scripted) as chat:
        await chat.join("#secret", "pw")
        scripted.take_over(commands.Hello, nowhere)
        scripted.take_over(commands.Join, scripted.refuse(Code.FORBIDDEN, "wrong password"))
        scripted.cut()
        await until(chat, Resumed)
        left = [item for item in await take(chat, 2) if isinstance(item, events.Left)]
        assert {(event.room, event.reason) for event in left} == {
            ("#lobby", "you are not let in"),
            ("#secret", "wrong password"),
        }
        assert chat.joined == frozenset()


async def test_what_comes_before_the_welcome_hides_no_hole(scripted: ScriptedServer) -> None:
    def late_welcome(peer: Peer, hello: commands.Hello) -> None:
        welcome = scripted.welcome(hello)
        peer.tell(scripted.keep("live before the welcome"), welcome)

    async with to(scripted) as chat:
        scripted.cut()
        scripted.take_over(commands.Hello, late_welcome)
        scripted.keep("missed")
        assert await take(chat, 3) == ["missed", Resumed(complete=True, missed=1), "live before the welcome"]


async def test_a_gap_during_a_login_takes_its_place(scripted: ScriptedServer) -> None:
    def busy(peer: Peer, hello: commands.Hello) -> None:
        welcome = scripted.welcome(hello)
        peer.tell(welcome, scripted.keep("live"))
        scripted.keep("skipped")
        peer.tell(events.Gap(after=scripted.seq - 1, until=scripted.seq))

    async with to(scripted) as chat:
        scripted.cut()
        scripted.take_over(commands.Hello, busy)
        scripted.keep("missed")
        assert await take(chat, 4) == ["missed", Resumed(complete=True, missed=1), "live", "skipped"]


async def test_a_room_in_another_spelling_is_not_lost(scripted: ScriptedServer) -> None:
    def canonical(peer: Peer, hello: commands.Hello) -> None:
        peer.tell(structs.replace(scripted.welcome(hello), rooms=["#Ops"]))

    scripted.take_over(commands.Hello, canonical)
    async with to(scripted, rooms=["#OPS"]) as chat:
        scripted.said("first")
        assert await take(chat, 1) == ["first"]
        assert set(chat.joined) == {"#Ops"}


async def test_messages_kept_for_me_come_first_at_a_login(scripted: ScriptedServer) -> None:
    def with_letters(peer: Peer, hello: commands.Hello) -> None:
        letters = [scripted.keep(text, to="alice") for text in ("letter 1", "letter 2")]
        welcome = scripted.welcome(hello)
        live = scripted.keep("live")
        peer.tell(live, welcome, *letters)

    scripted.take_over(commands.Hello, with_letters)
    async with to(scripted) as chat:
        scripted.said("later")
        assert await take(chat, 4) == ["letter 1", "letter 2", "live", "later"]


async def test_a_silent_server_is_asked_and_then_given_up(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncchat.client.client_connection.QUIET_SECONDS", 0.05)
    async with to(scripted) as chat:
        await scripted.wait_for(commands.Ping, 3)
        assert chat.state is ConnectionState.ONLINE, "it answers"
        monkeypatch.setattr("asyncchat.client.client_connection.ANSWER_SECONDS", 0.05)
        scripted.take_over(
            commands.Ping, lambda peer, ping: None if ping.id == "there?" else scripted.answer(peer, ping)
        )
        await scripted.wait_for(commands.Hello, 2)
