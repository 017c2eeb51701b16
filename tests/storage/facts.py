"""Records to store, short to write, and what a log hands back."""

import asyncio
from typing import Any

from asyncchat.storage.log import Entry
from asyncchat.storage.store import Store
from asyncchat.vocabulary import records as r
from asyncchat.vocabulary.records import KeptRecord

ALICE, BOB, LOBBY, ATTIC = 1, 2, 3, 4  # the seqs of the first records of `settle`


def person(name: str, **fields: Any) -> r.PersonCreated:
    return r.PersonCreated(time=1000, name=name, key=name.casefold(), **fields)


def room(name: str, founder: int = ALICE) -> r.RoomCreated:
    return r.RoomCreated(time=1000, name=name, key=name.casefold(), founder=founder)


def said(text: str = "hi", room: int = LOBBY, author: int = ALICE, **fields: Any) -> r.Message:
    fields = {"time": 1000, "name": f"P{author}", "to": f"#r{room}", **fields}
    return r.Message(author=author, room=room, text=text, **fields)


def whispered(text: str, author: int, peer: int, **fields: Any) -> r.Message:
    return said(text, 0, author, peer=peer, to=f"P{peer}", **fields)


def change(fields: dict[str, Any]) -> dict[str, Any]:
    return {"time": 2000, "by": ALICE, "name": "P1", "to": "#r3", "room": LOBBY, **fields}


def edited(target: int, text: str, **fields: Any) -> r.MessageEdited:
    return r.MessageEdited(target=target, text=text, **change(fields))


def deleted(*targets: int, **fields: Any) -> r.MessagesDeleted:
    return r.MessagesDeleted(targets=list(targets), **change(fields))


def reacted(target: int, reaction: str, **fields: Any) -> r.MessageReacted:
    return r.MessageReacted(target=target, reaction=reaction, **change(fields))


def typing() -> r.PersonTyping:
    return r.PersonTyping(time=1000, person=ALICE, to="#lobby", room=LOBBY)


FIRST: tuple[KeptRecord, ...] = (person("Alice"), person("Bob"), room("#lobby"), room("#attic", BOB))


def put(store: Store, *records: KeptRecord) -> list[int]:
    """Write records behind the others in one transaction; returns their seqs."""
    first = store.last_seq + 1
    store.write(list(enumerate(records, start=first)))
    return list(range(first, first + len(records)))


def settle(store: Store) -> Store:
    """Two people and two rooms."""
    put(store, *FIRST)
    return store


class Listener:
    """What a log told: the entries applied and failed, in order."""

    def __init__(self) -> None:
        self.applied: list[Entry] = []
        self.failed: list[tuple[Entry, Exception]] = []
        self.batches: list[int] = []
        self._news = asyncio.Event()

    def on_applied(self, entries: list[Entry]) -> None:
        self.applied += entries
        self.batches.append(len(entries))
        self._news.set()

    def on_failed(self, entries: list[Entry], error: Exception) -> None:
        self.failed += [(entry, error) for entry in entries]
        self._news.set()

    async def told(self, count: int) -> None:
        """Wait until the log has told of so many entries."""
        while len(self.applied) + len(self.failed) < count:
            self._news.clear()
            await self._news.wait()
