"""What people do with a chat, over real sockets and the native protocol, in memory and over a file."""

import asyncio

import pytest

from asyncchat import ChatServer
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.terms import Code, State
from asyncchat.wire.native import encode_command
from tests.server.peers import Native

NAMES = ["alice", "Боб", "陈伟", "Ζωή", "محمد", "אברהם", "ひろし", "지우", "Đặng", "आरव"]
"""Latin, Cyrillic, Han, Greek, Arabic, Hebrew, Hiragana, Hangul, Latin with marks, Devanagari."""


async def test_a_login_a_message_and_its_acknowledgement(either: ChatServer) -> None:
    async with await Native.open(either, "alice") as alice, await Native.open(either, "bob") as bob:
        assert (alice.welcome.code, alice.welcome.name, alice.welcome.rooms) == (Code.ACCEPTED, "alice", ["#lobby"])
        seq = await alice.say("hi")
        for peer in (alice, bob):
            said = await peer.event(events.Said)
            assert (said.seq, said.sender, said.to, said.text) == (seq, "alice", "#lobby", "hi")


async def test_the_sender_gets_its_own_message_before_the_ok(either: ChatServer) -> None:
    async with await Native.open(either, "alice") as alice, await Native.open(either, "bob") as bob:
        for id in (10, 11):  # alone
            alice.send(commands.Say(id=id, to="#lobby", text="alone"))
            await alice.reply(id)
        for peer in (alice, bob):  # several of both in a pass of the loop, some without an id
            peer.send(*(commands.Say(id=id, to="#lobby", text="many") for id in (20, None, 21, 22, None)))
        for peer in (alice, bob):
            await peer.reply(22)
        for peer in (alice, bob):
            talk = [told for told in peer.told if isinstance(told, events.Said | events.Ok) and told.seq is not None]
            for place, told in enumerate(talk):
                heard = {said.seq for said in talk[:place] if isinstance(said, events.Said)}
                assert (told.seq in heard) is isinstance(told, events.Ok)


async def test_what_is_there_before_the_first_line_is_read_in_any_portions(server: ChatServer) -> None:
    hello = encode_command(commands.Hello(id=1, name="alice")) + encode_command(
        commands.Say(id=2, to="#lobby", text="é漢")
    )
    async with await Native.open(server) as alice:
        for byte in hello:
            alice.raw.send(bytes([byte]))
            await asyncio.sleep(0)
        assert isinstance(await alice.reply(1), events.Welcome)
        assert isinstance(await alice.reply(2), events.Ok)
        assert alice.texts() == ["é漢"]


async def test_joining_and_speaking_in_one_packet(either: ChatServer) -> None:
    async with await Native.open(either, "alice") as alice:
        alice.send(
            commands.Join(id=1, room="#new"),
            commands.Say(id=2, to="#new", text="first"),
            commands.History(id=3, to="#new"),
            commands.Leave(id=4, room="#new"),
            commands.Say(id=5, to="#new", text="too late"),
        )
        join, say, history, left, late = [await alice.reply(id) for id in range(1, 6)]
        assert isinstance(join, events.Ok)
        assert join.code == Code.CREATED
        assert isinstance(say, events.Ok)
        assert isinstance(history, events.History)
        assert [(event.seq, event.text) for event in history.events if isinstance(event, events.Said)] == [
            (say.seq, "first")
        ]
        assert isinstance(left, events.Ok)
        assert isinstance(late, events.Error)
        assert late.code == Code.FORBIDDEN
        assert [told.id for told in alice.told if hasattr(told, "id")][-5:] == [1, 2, 3, 4, 5]


async def test_hello_and_all_the_rest_in_one_packet(either: ChatServer) -> None:
    async with await Native.open(either) as alice:
        alice.send(
            commands.Hello(id="h", name="alice"),
            *[commands.Say(id=n, to="#lobby", text=str(n)) for n in range(150)],
            commands.History(id="page", to="#lobby", limit=3),
            commands.Quit(id="q"),
        )
        await alice.end()
        assert alice.texts() == [str(n) for n in range(150)]
        page = await alice.reply("page")
        assert isinstance(page, events.History)
        assert [event.text for event in page.events if isinstance(event, events.Said)] == ["147", "148", "149"]
        assert isinstance(alice.told[-1], events.Bye)


async def test_ten_names_in_several_scripts(either: ChatServer) -> None:
    peers = []
    try:
        for name in NAMES:
            peers.append(await Native.open(either, name))
            assert peers[-1].welcome.name == name
            await peers[-1].say(f"I am {name}")
        for peer in peers:
            await peer.event(events.Said, sender=NAMES[-1])
            came_before = NAMES.index(peer.welcome.name)
            assert peer.texts() == [f"I am {name}" for name in NAMES[came_before:]], "each speaks when it has come"
        who = await peers[0].get(commands.Who(room="#lobby"), events.Members)
        assert {member.name for member in who.members} == set(NAMES)
    finally:
        for peer in peers:
            await peer.close()


@pytest.mark.parametrize("second", ["alice", "ALICE", "ａｌｉｃｅ", "аlice"])
async def test_the_same_name_twice(server: ChatServer, second: str) -> None:
    """Also in other letter case, in full-width letters, and with a Cyrillic а."""
    async with await Native.open(server, "alice") as alice, await Native.open(server) as other:
        assert await other.refusal(commands.Hello(name=second)) == Code.CONFLICT
        await other.get(commands.Hello(name="alice2"), events.Welcome)
        await alice.event(events.Joined, name="alice2")


async def test_two_who_want_one_name_at_once(either: ChatServer) -> None:
    peers = [await Native.open(either) for _ in range(8)]
    for peer in peers:
        peer.send(commands.Hello(id=1, name="alice"))
    results = [await peer.reply(1) for peer in peers]
    welcomed = [result for result in results if isinstance(result, events.Welcome)]
    refused = [result.code for result in results if isinstance(result, events.Error)]
    assert len(welcomed) == 1
    assert refused == [Code.CONFLICT] * 7
    for peer in peers:
        await peer.close()


async def test_an_error_belongs_to_the_request_that_caused_it(either: ChatServer) -> None:
    """To somebody who is not there, with other traffic before, between and after."""
    async with await Native.open(either, "alice") as alice, await Native.open(either, "bob") as bob:
        everything: list[commands.Command] = []
        for n in range(60):
            to = "nobody" if n % 3 == 1 else "#lobby"
            everything.append(commands.Say(id=n, to=to, text=f"message {n}"))
        alice.send(*everything)
        bob.send(*[commands.Say(id=n, to="#lobby", text=f"bob {n}") for n in range(60)])
        for n in range(60):
            reply = await alice.reply(n)
            if n % 3 == 1:
                assert isinstance(reply, events.Error), (n, reply)
                assert reply.code == Code.NOT_FOUND
                assert "nobody" in reply.text
            else:
                assert isinstance(reply, events.Ok), (n, reply)
                said = await alice.event(events.Said, seq=reply.seq)
                assert said.text == f"message {n}"
            assert isinstance(await bob.reply(n), events.Ok)
        assert len(alice.texts()) == 40 + len([text for text in alice.texts() if text.startswith("bob")])


async def test_direct_messages_reach_two_people_only(either: ChatServer) -> None:
    async with (
        await Native.open(either, "alice") as alice,
        await Native.open(either, "bob") as bob,
        await Native.open(either, "carol") as carol,
    ):
        ok = await alice.get(commands.Say(to="BOB", text="psst"), events.Ok)
        assert ok.code == Code.OK
        for peer in (alice, bob):
            said = await peer.event(events.Said)
            assert (said.sender, said.to, said.text) == ("alice", "bob", "psst")
        await alice.say("for all")
        await carol.event(events.Said, text="for all")
        assert not [told for told in carol.told if isinstance(told, events.Said) and told.text == "psst"]
        page = await bob.get(commands.History(to="alice"), events.History)
        assert len(page.events) == 1
        assert not (await carol.get(commands.History(to="alice"), events.History)).events


async def test_a_message_for_a_registered_person_who_is_away_is_accepted_and_kept(either: ChatServer) -> None:
    async with await Native.open(either, "alice") as alice:
        async with await Native.open(either, "bob") as bob:
            token = bob.welcome.token
            await bob.get(commands.Register(), events.Ok)
            bob.send(commands.Quit())
            await bob.end()
        await alice.event(events.Left, name="bob")
        ok = await alice.get(commands.Say(to="bob", text="for later"), events.Ok)
        assert ok.code == Code.ACCEPTED
        async with await Native.open(either, token=token) as bob:
            assert (await bob.event(events.Said)).text == "for later"


async def test_codes_for_what_is_wrong(server: ChatServer) -> None:
    async with await Native.open(server) as alice:
        assert await alice.refusal(commands.Say(to="#lobby", text="hi")) == Code.LOGIN_FIRST
        alice.raw.send(b'{"type":"dance","id":"a"}\nnot json\n{"type":"say","id":"b","to":7}\n')
        for id in ("a", "b"):
            reply = await alice.reply(id)
            assert isinstance(reply, events.Error)
            assert reply.code == Code.MALFORMED
        await alice.get(commands.Hello(name="alice"), events.Welcome)
        assert await alice.refusal(commands.Hello(name="alice")) == Code.CONFLICT
        assert await alice.refusal(commands.Say(to="#nowhere", text="hi")) == Code.NOT_FOUND
        assert await alice.refusal(commands.Say(to="#lobby", text="")) == Code.MALFORMED
        assert await alice.refusal(commands.Say(to="#lobby", text="x" * 16_385)) == Code.TOO_LONG
        async with await Native.open(server, "bob") as bob:
            bob.send(commands.Quit())
            await bob.end()
        await alice.event(events.Left, name="bob")
        assert await alice.refusal(commands.Say(to="bob", text="hi")) == Code.GONE
        # After all that the session is as good as new.
        await alice.say("still here")


async def test_an_over_long_line_is_refused_once_and_smuggles_nothing(server: ChatServer) -> None:
    async with await Native.open(server, "alice") as alice:
        smuggled = encode_command(commands.Say(to="#lobby", text="smuggled")).rstrip(b"\n")
        alice.raw.send(b'{"type":"say","id":"long","to":"#lobby","text":"' + b"x" * 300_000 + b'"}' + smuggled + b"\n")
        reply = await alice.reply("long")
        assert isinstance(reply, events.Error)
        assert reply.code == Code.TOO_LONG
        await alice.say("after")
        assert alice.texts() == ["after"]


async def test_people_come_go_and_are_listed(either: ChatServer) -> None:
    async with await Native.open(either, "alice") as alice:
        async with await Native.open(either, "bob") as bob:
            await alice.event(events.Joined, name="bob", room="#lobby")
            await bob.get(commands.Nick(name="robert"), events.Ok)
            renamed = await alice.event(events.Renamed)
            assert (renamed.name, renamed.to) == ("bob", "robert")
            await bob.get(commands.Away(text="lunch"), events.Ok)
            assert (await alice.event(events.Presence)).text == "lunch"
            members = (await alice.get(commands.Who(room="#lobby"), events.Members)).members
            assert {(member.name, member.state) for member in members} == {
                ("alice", State.ONLINE),
                ("robert", State.AWAY),
            }
            bob.send(commands.Quit(reason="home"))
            await bob.end()
        left = await alice.event(events.Left)
        assert (left.name, left.reason) == ("robert", "home")
        everyone = (await alice.get(commands.Who(), events.Members)).members
        assert [member.name for member in everyone] == ["alice"]


async def test_several_sessions_of_one_person_hear_the_same(either: ChatServer) -> None:
    async with await Native.open(either, "alice") as one:
        async with await Native.open(either, token=one.welcome.token) as two:
            assert two.welcome.name == "alice"
            await one.say("from one")
            await two.say("from two")
            for peer in (one, two):
                await peer.event(events.Said, text="from two")
                assert peer.texts() == ["from one", "from two"]
        # The other session goes on when one ends.
        await one.say("still here")


async def test_a_message_sent_again_is_kept_once(either: ChatServer) -> None:
    async with await Native.open(either, "alice") as alice:
        alice.send(*[commands.Say(id=n, to="#lobby", text="once", nonce="n1") for n in range(5)])
        replies = [await alice.reply(n) for n in range(5)]
        seqs = {reply.seq for reply in replies if isinstance(reply, events.Ok)}
        assert len(seqs) == 1
        assert seqs == {await alice.say("once", nonce="n1")}
        assert alice.texts() == ["once"]
