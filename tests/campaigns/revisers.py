"""People who change what they have said, take it back, and remove whole rooms, and a check that all of it came true.

What is no longer said leaves the database and its search index in steps of their own, when the log has nothing else to
do; whatever interrupts these, in the end the index must be the one that a new indexing of all messages gives.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from asyncchat.client import ChatClient
from asyncchat.storage.integrity import check
from asyncchat.storage.maintenance import REST_SECONDS, Maintenance
from asyncchat.storage.search_index import renew
from asyncchat.storage.store import Store
from asyncchat.vocabulary import events
from asyncchat.vocabulary.errors import ConnectionLost, Refused
from asyncchat.vocabulary.terms import Code
from tests.campaigns.talkers import Progress

NAME = "reviser"

AT_ONCE = 20
"""Messages that a reviser has in flight at a time."""

SEARCHES = 20
"""Words of each reviser that are looked for in the end, of those that are there and of those that are not."""


class Reviser:
    """One person with rooms of their own: ``kept`` are the texts by seq, empty where deleted, ``gone`` the rest."""

    def __init__(self, chat: ChatClient, chance: random.Random, progress: Progress) -> None:
        self.kept: dict[int, str] = {}
        self.gone: set[str] = set()
        self.rooms: dict[str, dict[int, str]] = {}
        self.removed = 0
        self._chat = chat
        self._chance = chance
        self._progress = progress
        self._words = 0

    async def revise(self) -> None:
        """Fill one room after the other until it is enough; most of them are removed."""
        number = 0
        while not self._progress.enough:
            number += 1
            room = f"#{self._chat.name}-{number}"
            await self._chat.join(room)
            said: dict[int, str] = {}
            for _ in range(self._chance.choice((1, 5, 25))):
                await self._progress.going_on.wait()
                texts = [self._text() for _ in range(AT_ONCE)]
                for one in await asyncio.gather(*(self._chat.say(room, text) for text in texts)):
                    assert one.text in texts
                    said[one.seq] = one.text
                await self._change(said)
            if self._chance.random() < 0.7:
                await surely(lambda room=room: self._chat.destroy_room(room))  # type: ignore[misc]
                self.gone.update(said.values())
                self.removed += 1
            else:
                self.kept |= said
                self.rooms[room] = said

    def _text(self) -> str:
        self._words += 1
        return f"{self._chat.name}x{self._words}"

    async def _change(self, said: dict[int, str]) -> None:
        for seq in self._chance.sample([seq for seq, text in said.items() if text], AT_ONCE // 4):
            self.gone.add(said[seq])
            if self._chance.random() < 0.5:
                said[seq] = self._text()
                await self._chat.edit(seq, said[seq])
            else:
                said[seq] = ""
                await surely(lambda seq=seq: self._chat.delete(seq))  # type: ignore[misc]

    async def compare(self) -> None:
        """The server's history and its searches know what was kept, as it was last said, and nothing else."""
        for room, said in self.rooms.items():
            told = [event for event in await self._chat.last(room, 10 * len(said)) if isinstance(event, events.Said)]
            assert {event.seq: event.text for event in told} == said
        here = {text: seq for seq, text in self.kept.items() if text}
        for text in self._some(here):
            assert [event.seq for event in (await self._chat.search(text)).events] == [here[text]]
        for text in self._some(self.gone):
            assert not (await self._chat.search(text)).events, text

    def _some(self, texts: dict[str, int] | set[str]) -> list[str]:
        return self._chance.sample(sorted(texts), min(SEARCHES, len(texts)))


async def surely(ask: Callable[[], Awaitable[object]]) -> None:
    """Ask again for what may have been done or not when the connection was lost."""
    lost = False
    while True:
        try:
            await ask()
        except ConnectionLost:
            lost = True
            continue
        except Refused as refused:
            if not lost or refused.code != Code.NOT_FOUND:  # else it had been done
                raise
        return


def examine(database: Path, revisers: list[Reviser]) -> None:
    """The database that nobody uses any more is sound, and holds what was kept and nothing else, the index as well."""
    assert check(database) == []
    with closing(Store.open(database)) as store:
        maintenance = Maintenance(store)
        while maintenance.idle() == REST_SECONDS:
            pass
        db = store.connection
        found = db.execute("SELECT seq, text FROM messages WHERE name LIKE ?", (f"{NAME}%",)).fetchall()
        assert dict(found) == {seq: text for reviser in revisers for seq, text in reviser.kept.items()}
        assert db.execute("SELECT count(*) FROM outdated").fetchone() == (0,)
        db.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab (main, search, instance)")
        words = "SELECT doc, col, offset, term FROM temp.words ORDER BY doc, col, offset"
        followed = db.execute(words).fetchall()
        with store.transaction():
            renew(db)
        while store.index_next():
            pass
        assert db.execute(words).fetchall() == followed
    assert check(database) == []
