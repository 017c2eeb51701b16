"""Messages are sent a window at a time: more unanswered ones than the server remembers could be kept twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from asyncchat.client import Backoff, ChatClient, connect
from asyncchat.vocabulary import commands, events
from tests.client.scripted import Peer, ScriptedServer

AT_ONCE = Backoff(first=0.001, longest=0.01)


class Unanswering:
    """A server that remembers 12 nonces, and answers messages when it is told to."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self._held: list[tuple[Peer, commands.Say]] = []
        server.limits = {"nonces": 12}
        server.take_over(commands.Say, lambda peer, say: self._held.append((peer, say)))

    async def came(self) -> list[str]:
        """The texts of all messages that have come, once nothing more is on its way."""
        pongs = len(self.server.all(commands.Pong))
        self.server.tell(events.Ping())
        await self.server.wait_for(commands.Pong, pongs + 1)
        return [say.text for say in self.server.all(commands.Say)]

    def answer(self) -> None:
        """Answer the first message that waits."""
        peer, say = self._held.pop(0)
        self.server.answer(peer, say)

    def cut(self) -> None:
        """Keep what has come, and answer nothing."""
        for _, say in self._held:
            self.server.keep(say.text, sender="alice", nonce=say.nonce)
        self._held.clear()
        self.server.cut()


@pytest.fixture
async def unanswering() -> AsyncIterator[Unanswering]:
    async with ScriptedServer() as server:
        yield Unanswering(server)


def say(chat: ChatClient, *texts: str) -> list[asyncio.Task[events.Said]]:
    return [asyncio.create_task(chat.say("#lobby", text)) for text in texts]


async def test_no_more_is_in_flight_than_a_share_of_what_the_server_remembers(unanswering: Unanswering) -> None:
    async with connect(unanswering.server.address, name="alice") as chat:
        said = say(chat, *"abcde")
        behind = asyncio.create_task(chat.topic("#lobby"))
        assert await unanswering.came() == ["a", "b", "c"]
        unanswering.answer()
        assert (await said[0]).text == "a"
        assert await unanswering.came() == ["a", "b", "c", "d"]
        assert not unanswering.server.all(commands.Topic), "it would overtake a message"
        unanswering.answer()
        await behind
        for _ in range(3):
            unanswering.answer()
        await asyncio.gather(*said)
        assert [kept.text for kept in unanswering.server.log] == list("abcde")


async def test_a_message_for_whose_reply_nobody_waits_is_in_flight_all_the_same(unanswering: Unanswering) -> None:
    async with connect(unanswering.server.address, name="alice") as chat:
        first, *said = say(chat, *"abcde")
        await unanswering.came()
        first.cancel()
        said[-1].cancel()
        await asyncio.wait([first, said[-1]])
        assert await unanswering.came() == ["a", "b", "c"]
        unanswering.answer()
        assert await unanswering.came() == ["a", "b", "c", "d"]
        for _ in range(3):
            unanswering.answer()
        assert [message.text for message in await asyncio.gather(*said[:-1])] == ["b", "c", "d"]
        assert await unanswering.came() == ["a", "b", "c", "d"], "the last was given up before its turn"


async def test_after_a_cut_it_goes_on_with_what_was_in_flight_and_nothing_is_kept_twice(
    unanswering: Unanswering,
) -> None:
    server = unanswering.server
    async with connect(server.address, name="alice", reconnect=AT_ONCE) as chat:
        said = say(chat, *"abcde")
        assert await unanswering.came() == ["a", "b", "c"]
        unanswering.cut()
        await server.wait_for(commands.Say, 6)
        assert await unanswering.came() == ["a", "b", "c", "a", "b", "c"]
        server.take_over(commands.Say, None)
        for _ in range(3):
            unanswering.answer()
        assert [message.text for message in await asyncio.gather(*said)] == list("abcde")
    assert [kept.text for kept in server.log] == list("abcde")


@pytest.mark.parametrize(("nonces", "window"), [(1, 1), (3, 1), (8, 2)])
async def test_one_message_at_least_is_in_flight(unanswering: Unanswering, nonces: int, window: int) -> None:
    unanswering.server.limits = {"nonces": nonces}
    async with connect(unanswering.server.address, name="alice") as chat:
        said = say(chat, *"abc")
        assert await unanswering.came() == list("abc"[:window])
        unanswering.server.take_over(commands.Say, None)
        for _ in range(window):
            unanswering.answer()
        await asyncio.gather(*said)


async def test_a_server_that_forgets_no_nonce_gets_all_at_once(unanswering: Unanswering) -> None:
    unanswering.server.limits = {"nonces": 0}
    async with connect(unanswering.server.address, name="alice") as chat:
        said = say(chat, *map(str, range(2_000)))
        assert len(await unanswering.came()) == 2_000
        for _ in said:
            unanswering.answer()
        await asyncio.gather(*said)
