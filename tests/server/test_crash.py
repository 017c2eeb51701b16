"""A server process that is killed: what it acknowledged is there when it is started again."""

import asyncio
import signal
from pathlib import Path

from asyncchat.client import Backoff, ConnectionState, Resumed, connect
from asyncchat.vocabulary import commands, events
from tests.server.peers import Native, Plain, limited, serving
from tests.server.process import ServerProcess


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    with ServerProcess("--limit", "rate=0", data=tmp_path).started() as process:
        async with await Native.open(process.addresses[0], "alice") as alice:
            token = alice.welcome.token
            await alice.get(commands.Join(room="#ops"), events.Ok)
            await alice.get(commands.Topic(room="#ops", text="what goes on"), events.Ok)
            seqs = [await alice.say(f"message {n}", to="#ops", nonce=f"n{n}") for n in range(3)]
            await alice.get(commands.Edit(seq=seqs[0], text="edited"), events.Ok)
            await alice.get(commands.Delete(seq=seqs[1]), events.Ok)
            await alice.get(commands.React(seq=seqs[2], reaction="👍"), events.Ok)
            await alice.get(commands.Register(password="a long password"), events.Ok)
            # More are on their way when it dies; those of them that are acknowledged count.
            alice.send(*[commands.Say(id=n, to="#ops", text=f"late {n}", nonce=f"late{n}") for n in range(1000)])
            await alice.reply(50)
            process.stop(signal.SIGKILL)
            await alice.end()
            seqs += [
                told.seq for told in alice.told if isinstance(told, events.Ok) and isinstance(told.id, int) and told.seq
            ]

    async with (
        serving(limited(rate=0), data=tmp_path) as server,
        await Native.open(server, token=token, rooms=["#ops"]) as alice,
    ):
        assert alice.welcome.registered
        kept = []
        after = 0
        while True:
            page = await alice.get(commands.History(to="#ops", after=after), events.History)
            kept += [event for event in page.events if isinstance(event, events.Said)]
            if page.complete:
                break
            assert page.next is not None
            after = page.next
        assert {event.seq for event in kept} >= set(seqs)
        assert len({event.nonce for event in kept}) == len(kept)
        assert kept[0].text == "edited"
        assert kept[1].deleted
        assert kept[2].reactions == {"👍": ["alice"]}
        # Sent again, it is the same message; a new one comes after all that anybody has seen.
        assert await alice.say("late 0", to="#ops", nonce="late0") in seqs
        assert await alice.say("new", to="#ops") > max(seqs)


async def test_a_client_goes_on_after_a_kill(tmp_path: Path) -> None:
    """With the same person, in the same rooms, and with all that was said."""
    path = f"unix:{tmp_path}/chat"
    states: list[ConnectionState] = []
    backoff = Backoff(first=0.02, longest=0.1)
    with ServerProcess(data=tmp_path, listen=[path]).started() as process:
        alice = await connect(
            path, name="alice", rooms=["#a"], reconnect=backoff, on_state=lambda s, _: states.append(s)
        )
        bob = await connect(path, name="bob", rooms=["#a"], reconnect=backoff)
        await alice.say("#a", "before")
        process.stop(signal.SIGKILL)
    saying = asyncio.create_task(alice.say("#a", "while it was down"))
    with ServerProcess(data=tmp_path, listen=[path]).started():
        first = await saying
        second = await bob.say("#a", "after")
        heard: list[str] = []
        async for event in bob:
            if isinstance(event, events.Said):
                heard.append(event.text)
            if isinstance(event, events.Said) and event.seq == max(first.seq, second.seq):
                break
            if isinstance(event, Resumed):
                assert event.complete
        assert sorted(heard) == ["after", "before", "while it was down"]
        assert ConnectionState.OFFLINE in states
        await alice.aclose()
        await bob.aclose()


async def test_a_person_with_nc_comes_again_after_a_kill(tmp_path: Path) -> None:
    """Nobody can prove to be the guest with nc: another name is offered while the old one is held."""
    with ServerProcess(data=tmp_path).started() as process:
        async with (
            await Native.open(process.addresses[0], "alice") as alice,
            await Plain.enter(process.addresses[0], "carol") as carol,
        ):
            carol.send("hello\n")
            await alice.event(events.Said)
            process.stop(signal.SIGKILL)
            await carol.end()
    async with serving(data=tmp_path) as server, await Plain.open(server) as carol:
        carol.send("carol\n\n")
        shown = await carol.until("exit leaves")
        assert "* you are carol" in shown
        assert "carol: hello" in shown
