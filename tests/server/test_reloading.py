"""What a reload changes for those who are here, and what it leaves as it was when they came."""

from asyncchat import ChatServer
from asyncchat.server.writers import LAGGING
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.terms import Code
from tests.server.ends import LONG, narrow, without_window, writer_to
from tests.server.peers import Native, Raw, limited, serving


async def wrong(server: ChatServer) -> int:
    """What a wrong password for alice is answered with."""
    async with Native(await Raw.open(server)) as guesser:
        return await guesser.refusal(commands.Hello(name="alice", password="wrong"))


async def test_wrong_passwords_count_by_the_new_limit() -> None:
    async with serving(limited(wrong_passwords=0)) as server, await Native.open(server, "alice") as alice:
        await alice.get(commands.Register(password="a long password"), events.Ok)
        assert [await wrong(server) for _ in range(3)] == [Code.WRONG_PASSWORD] * 3
        server.reload(limited(wrong_passwords=1))
        # However slow the machine is: each further guess doubles the wait, from a second on.
        answers = [await wrong(server)]
        while answers[-1] == Code.WRONG_PASSWORD:
            answers.append(await wrong(server))
        assert answers[-1] == Code.TOO_FAST
        assert len(answers) > 2, "the first one is free"


async def lags(server: ChatServer, name: str, sender: Native) -> bool:
    """Say to one who does not read more than the system takes for them: are they taken for a slow reader?"""
    async with Native(await without_window(server)) as peer:
        await peer.get(commands.Hello(name=name), events.Welcome)
        narrow(server, name)
        writer = writer_to(server, name)
        server.reload(limited(rate=0, buffer=1))
        while not writer.transport.waiting:
            await sender.say(LONG)
        return writer.state is LAGGING


async def test_who_was_here_keeps_the_buffer_that_they_came_with() -> None:
    async with serving(limited(rate=0)) as server, await Native.open(server, "sender") as sender:
        assert not await lags(server, "early", sender)
        assert await lags(server, "late", sender), "who comes now has the new one"
