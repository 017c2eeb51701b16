"""People who talk through whatever happens to their connections, and a check that nothing was lost or doubled.

Each is a client of the library, in its rooms from before the first message on. Afterwards three accounts of what was
said must agree, message by message: what was acknowledged to those who said it, what the server's history holds, and
what everyone heard.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from asyncchat.client import Backoff, ChatClient, Resumed, connect
from asyncchat.vocabulary import events

TALKERS = 8

END = "the end"
"""The last message of all."""

COMMON = "#common"
"""The room that all are in."""

SOON = Backoff(first=0.02, longest=0.2)

PAUSE = 0.02
"""Seconds at most between two messages of one voice."""

VOICES = 3
"""Messages that one person has in flight at a time."""


class Heard(NamedTuple):
    seq: int
    sender: str
    to: str
    text: str


class Talker:
    """One person: says things in their rooms and to others, and keeps what was acknowledged and what was heard."""

    def __init__(self, chat: ChatClient, places: list[str], chance: random.Random, progress: "Progress") -> None:
        self.chat = chat
        self.places = places
        self.acknowledged: dict[str, int] = {}
        self.heard: list[Heard] = []
        self.resumed = 0
        self._chance = chance
        self._progress = progress
        self._count = 0

    async def talk(self) -> None:
        """Say one thing after the other until it is enough."""
        while not self._progress.enough:
            await self._progress.going_on.wait()
            self._count += 1
            await self.say(self._chance.choice(self.places), f"{self.chat.name} {self._count}")
            await asyncio.sleep(self._chance.random() * PAUSE)

    async def say(self, to: str, text: str) -> int:
        """Say something, and wait for its acknowledgement."""
        said = await self.chat.say(to, text)
        assert (said.sender, said.to, said.text) == (self.chat.name, to, text)
        assert text not in self.acknowledged
        self.acknowledged[text] = said.seq
        self._progress.step()
        return said.seq

    async def listen(self) -> None:
        """Keep what is heard, up to the last message of all."""
        async for event in self.chat:
            if isinstance(event, events.Said):
                self.heard.append(Heard(event.seq, event.sender, event.to, event.text))
                if event.text == END:
                    return
            elif isinstance(event, Resumed):
                assert event.complete
                self.resumed += 1


class Progress:
    """How far all of them are: ``said`` counts the messages that were acknowledged.

    ``going_on``: cleared for a while in which nobody begins anything.
    """

    def __init__(self) -> None:
        self.said = 0
        self.enough = False
        self.going_on = asyncio.Event()
        self.going_on.set()
        self._changed = asyncio.Event()

    def step(self) -> None:
        """One more message was acknowledged."""
        self.said += 1
        self._changed.set()

    async def past(self, said: int) -> None:
        """Wait until so many have been acknowledged."""
        while self.said < said:
            self._changed.clear()
            await self._changed.wait()


@asynccontextmanager
async def talking(
    address: Callable[[int], str], seed: int, *, talkers: int = TALKERS, queue: int = 10_000
) -> AsyncIterator[Progress]:
    """People talk while the block runs; at its end everything is said, heard and compared.

    *address* gives the address to which each of them connects; *queue* is that of `connect`.
    """
    chance = random.Random(seed)
    names = [f"talker{n}" for n in range(talkers)]
    progress = Progress()
    async with contextlib.AsyncExitStack() as stack:
        people = []
        for n, name in enumerate(names):
            rooms = [COMMON, f"#half{n % 2}", f"#quarter{n % 4}"]
            chat = await stack.enter_async_context(
                connect(address(n), name=name, rooms=rooms, reconnect=SOON, queue=queue)
            )
            friend = chance.choice([other for other in names if other != name])
            people.append(Talker(chat, [*rooms, *rooms, friend], random.Random(chance.random()), progress))
        async with asyncio.TaskGroup() as group:
            for person in people:
                group.create_task(person.listen())
            voices = [group.create_task(person.talk()) for person in people for _ in range(VOICES)]
            yield progress
            progress.enough = True
            await asyncio.wait(voices)
            # Everyone hears in the order of the log, so that whoever hears this has heard all.
            await people[0].say(COMMON, END)
        await compare(people)


async def compare(people: list[Talker]) -> None:
    """What was acknowledged, what is kept, and what each of them heard must be the same."""
    kept = await everything_kept(people)
    acknowledged = {text: seq for person in people for text, seq in person.acknowledged.items()}
    assert len(kept) == len({message.text for message in kept}), "a message is kept twice"
    assert {message.text: message.seq for message in kept} == acknowledged
    for person in people:
        places = {*person.chat.joined, person.chat.name}
        expected = [message for message in kept if message.to in places or message.sender == person.chat.name]
        assert person.heard == expected, difference(person, expected)


def difference(person: Talker, expected: list[Heard]) -> str:
    """Where the one begins to differ from the other."""
    at = next((n for n, (one, other) in enumerate(zip(person.heard, expected, strict=False)) if one != other), None)
    missing = sorted(set(expected).difference(person.heard))[:5]
    twice = len(person.heard) - len(set(person.heard))
    return f"{person.chat.name}: differs at {at}, {twice} twice, missing {missing}"


async def everything_kept(people: list[Talker]) -> list[Heard]:
    """All that the server's history holds, in order."""
    kept: set[Heard] = set()
    for person in people:
        for place in {*person.places}:
            after: int | None = 0
            while after is not None:
                page = await person.chat.history(place, after=after)
                said = [event for event in page.events if isinstance(event, events.Said)]
                kept.update(Heard(event.seq, event.sender, event.to, event.text) for event in said)
                after = None if page.complete else page.next
    return sorted(kept)
