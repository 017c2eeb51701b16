"""Clients in tests: how one is made, and what is taken from it."""

import asyncio
from typing import TypeVar

from asyncchat.client import Backoff, ChatClient, Connecting, ConnectionState, connect
from asyncchat.vocabulary import events
from tests.client.scripted import ScriptedServer

AT_ONCE = Backoff(first=0.001, longest=0.01)
T = TypeVar("T")


def to(scripted: ScriptedServer, **options: object) -> Connecting:
    """A client on its way to a server that does as told, and back as soon as it is cut off."""
    options = {"name": "alice", "reconnect": AT_ONCE, **options}
    return connect(scripted.address, **options)  # type: ignore[arg-type]


async def take(chat: ChatClient, count: int) -> list[object]:
    """That many items of the iteration: texts of messages, everything else as it is."""
    items: list[object] = []
    async for item in chat:
        items.append(item.text if isinstance(item, events.Said) else item)
        if len(items) == count:
            break
    return items


async def texts(chat: ChatClient, count: int) -> list[str]:
    """The texts of that many messages."""
    found: list[str] = []
    async for event in chat:
        if isinstance(event, events.Said):
            found.append(event.text)
            if len(found) == count:
                break
    return found


async def until(chat: ChatClient, kind: type[T]) -> T:
    """The next item of this kind."""
    async for item in chat:
        if isinstance(item, kind):
            return item
    raise AssertionError("the iteration ended")


def cut(chat: ChatClient) -> None:
    """Break its connection, if it has one."""
    link = chat._reconnector.connection
    if link is not None:
        link.abort()


async def joined(chat: ChatClient, name: str) -> None:
    """Wait until somebody is in the room with us."""
    async for event in chat:
        if isinstance(event, events.Joined) and event.name == name:
            return
    raise AssertionError(f"the connection ended before {name} joined")


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
