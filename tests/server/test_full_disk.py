"""A disk that takes nothing more: what people are told, and the log."""

import logging
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import pytest

from asyncchat import ChatServer, commands, events
from asyncchat.vocabulary.terms import Code
from tests.server.peers import Native, limited, serving


async def limit_pages(server: ChatServer, pages: int) -> None:
    """Make the database full, as SQLite sees it; never below the pages that it has."""
    await server._storage.log.run(lambda store: store.connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())


async def test_a_full_disk_is_told_to_every_sender_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(limited(rate=0), data=tmp_path) as server, await Native.open(server, "alice") as alice:
        caplog.set_level(logging.INFO, "asyncchat")
        await limit_pages(server, 1)
        for _ in range(3):
            assert await alice.refusal(commands.Say(to="#lobby", text="x" * 10_000)) == Code.NOT_STORED
        await limit_pages(server, 100_000)
        await alice.say("there is room")
        complaints = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.levelname for record in complaints] == ["ERROR"]
    assert "Records are stored again; 2 were refused meanwhile" in caplog.messages


async def test_on_a_full_disk_people_come_in_and_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(limited(rate=0), data=tmp_path) as server, await Native.open(server, "alice") as alice:
        caplog.set_level(logging.INFO, "asyncchat")
        await alice.say("before")
        await limit_pages(server, 1)
        people = server.chat.state.people
        async with AsyncExitStack() as guests:
            for number in count():  # the pages that the database has take some more
                await guests.enter_async_context(await Native.open(server, f"guest{number}"))
                if people.passing:
                    break
        async with await Native.open(server, "bob") as bob:
            page = await bob.ask(commands.History(to="#lobby"))
            assert isinstance(page, events.History)
            assert page.events
            assert await bob.refusal(commands.Say(to="#lobby", text="x" * 10_000)) == Code.NOT_STORED
            await limit_pages(server, 100_000)
            await bob.say("there is room")
    async with serving(data=tmp_path) as server, await Native.open(server, "carol") as carol:
        page = await carol.ask(commands.History(to="#lobby"))
        assert isinstance(page, events.History)
        assert [said.sender for said in page.events if isinstance(said, events.Said)][-1] == "bob"
    assert [record.levelname for record in caplog.records if record.levelno >= logging.WARNING] == ["ERROR"]
