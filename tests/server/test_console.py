"""The operator's commands: what they do, and what is answered."""

import asyncio
import logging
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncchat import ChatServer, Settings, commands, events
from asyncchat.server.console import ENTRIES, FOR_ALL, SHARED, Console
from asyncchat.server.countdown import schedule, spoken
from tests.server.peers import Native, serving

PASSWORD = "correct horse battery"


class Desk:
    """A server, and a console whose lines are kept."""

    def __init__(self, server: ChatServer) -> None:
        self.server = server
        self.shown: list[str] = []
        self.stopped = asyncio.Event()
        self.reloads = 0
        self.console = Console(self, self.shown.append)

    def stop(self) -> None:
        self.stopped.set()

    def reload(self) -> bool:
        self.reloads += 1
        return True

    async def type(self, line: str) -> list[str]:
        """Type a line; what is shown."""
        self.shown.clear()
        await self.console.run(line)
        return self.shown[:]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with serving() as server:
        desk = Desk(server)
        yield desk
        await desk.console.aclose()


@pytest.fixture
async def alice(desk: Desk) -> AsyncIterator[Native]:
    async with await Native.open(desk.server, "alice") as alice:
        yield alice


@pytest.fixture
async def bob(desk: Desk) -> AsyncIterator[Native]:
    async with await Native.open(desk.server, "bob") as bob:
        yield bob


# --- commands -------------------------------------------------------------------------------------------------------


async def test_who_is_here_and_where(desk: Desk, alice: Native) -> None:
    await alice.ask(commands.Join(room="#ops"))
    assert await desk.type("who") == ["* online: alice"]
    assert await desk.type("/who #ops") == ["* in #ops: alice (owner)"]
    assert await desk.type("rooms") == ["  #lobby  1 person", "  #ops    1 person"]
    (user,) = await desk.type("whois alice")
    assert "from 127.0.0.1" in user


async def test_nobody_is_here(desk: Desk) -> None:
    assert await desk.type("who") == ["* nobody is online"]
    assert await desk.type("bans") == ["* nobody is banned from this server"]


async def test_a_private_room_is_no_secret_to_the_operator(desk: Desk, alice: Native, bob: Native) -> None:
    await alice.ask(commands.Join(room="#den"))
    await alice.ask(commands.SetRoom(room="#den", private=True))
    assert await bob.refusal(commands.Who(room="#den")) == 404
    assert await desk.type("who #den") == ["* in #den: alice (owner)"]


async def test_say_is_told_to_everyone(desk: Desk, alice: Native, bob: Native) -> None:
    await bob.ask(commands.Leave(room="#lobby"))
    assert await desk.type("say the kettle is on") == []
    assert (await alice.event(events.Notice)).text == "the kettle is on"
    assert (await bob.event(events.Notice)).text == "the kettle is on"


@pytest.mark.parametrize("room", ["#lobby", "＃lobby"])
async def test_kick_out_of_a_room(desk: Desk, alice: Native, bob: Native, room: str) -> None:
    assert await desk.type(f"kick {room} bob be kind") == ["* done"]
    kicked = await alice.event(events.Kicked)
    assert (kicked.sender, kicked.name, kicked.room, kicked.reason) == ("asyncchat", "bob", "#lobby", "be kind")
    assert await bob.say("still here", to="alice")


async def test_kick_off_the_server_for_a_minute(desk: Desk, alice: Native, bob: Native) -> None:
    assert await desk.type("kick bob be kind") == ["* done", "* bob may come back in 1 minute"] or desk.shown == [
        "* bob may come back in 1 minute"
    ]
    assert (await bob.event(events.Bye)).reason == "put off this server for 60 seconds: be kind"
    await bob.end()
    assert await desk.type("kick nobody") == ["refused: no such user: nobody (404)"]
    async with await Native.open(desk.server) as again:
        assert await again.refusal(commands.Hello(token=bob.welcome.token)) == 403


async def test_accounts_are_listed(desk: Desk, alice: Native, bob: Native) -> None:
    assert await desk.type("accounts") == ["* nobody is registered"]
    await alice.get(commands.Register(), events.Ok)
    await bob.get(commands.Register(password="correct horse"), events.Ok)
    await desk.type("administrator bob")
    assert await desk.type("accounts") == ["alice  token only", "bob    administrator, password"]


async def test_ban_and_unban(desk: Desk, alice: Native, bob: Native) -> None:
    assert await desk.type("ban bob 1h too loud") == ["* done"]
    assert (await bob.event(events.Bye)).code == 403
    (line,) = await desk.type("bans")
    assert re.fullmatch(r"  bob: banned until [-\d]+ [:\d]+ UTC, by asyncchat: too loud", line)
    assert await desk.type("unban bob") == ["* done"]
    assert await desk.type("bans") == ["* nobody is banned from this server"]
    async with await Native.open(desk.server, token=bob.welcome.token) as again:
        assert again.welcome.name == "bob"
    assert await desk.type("ban #lobby alice") == ["* done"]
    assert await desk.type("ban #lobby 192.0.2.1") == ["* done"]
    assert (await desk.type("bans #lobby"))[0].startswith("  alice: banned")


async def test_mute_and_unmute(desk: Desk, alice: Native) -> None:
    assert await desk.type("mute #lobby alice 10m hush") == ["* done"]
    assert await alice.refusal(commands.Say(to="#lobby", text="mmm")) == 403
    assert await desk.type("unmute #lobby alice") == ["* done"]
    assert await alice.say("ah")


async def test_roles_topics_and_options(desk: Desk, alice: Native) -> None:
    assert await desk.type("role #lobby alice operator") == ["* done"]
    assert (await alice.event(events.RoleChanged)).sender == "asyncchat"
    assert await desk.type("topic #lobby tea and talk") == ["* done"]
    assert (await alice.event(events.TopicChanged)).text == "tea and talk"
    assert await desk.type("topic #lobby") == ["* tea and talk"]
    assert await desk.type("set #lobby moderated on") == ["* done"]
    assert (await alice.event(events.RoomChanged)).moderated


async def test_purge(desk: Desk, alice: Native) -> None:
    seq = await alice.say("spam")
    assert await desk.type("purge #lobby alice 1h") == ["* done"]
    assert (await alice.event(events.Deleted)).targets == [seq]


async def test_administrators_are_made_and_unmade(desk: Desk, alice: Native) -> None:
    assert await desk.type("administrator alice") == ["refused: alice is a guest, and has no account (403)"]
    await alice.ask(commands.Register(password=PASSWORD))
    assert await alice.refusal(commands.Bans()) == 403
    assert await desk.type("administrator alice") == ["* alice is an administrator"]
    await alice.get(commands.Bans(), events.BanList)
    assert await desk.type("administrator alice") == ["refused: alice is an administrator already (409)"]
    assert await desk.type("administrator alice off") == ["* alice is no administrator any more"]
    assert await alice.refusal(commands.Bans()) == 403


async def test_an_administrator_by_the_settings_stays_one() -> None:
    async with serving(Settings(administrators=frozenset({"Alice"}))) as server:
        desk = Desk(server)
        async with await Native.open(server, "alice") as alice:
            await alice.ask(commands.Register(password=PASSWORD))
            assert await desk.type("administrator alice off") == [
                "refused: alice is an administrator by the settings (409)"
            ]


async def test_the_server_in_numbers(desk: Desk, alice: Native, bob: Native) -> None:
    up, counts, listening = await desk.type("stats")
    assert up.startswith("* up ")
    assert "connections: 2, sessions: 2, people online: 2, registered: 0, rooms: 1, records: " in counts
    assert listening == f"* listening on {desk.server.addresses[0]}"


async def test_the_log_level(desk: Desk) -> None:
    before = logging.getLogger().level
    try:
        assert await desk.type("log debug") == ["* the log level is DEBUG"]
        assert logging.getLogger().level == logging.DEBUG
        assert await desk.type("log loud") == ["usage: log [DEBUG|INFO|WARNING|ERROR]"]
    finally:
        logging.getLogger().setLevel(before)


async def test_reload(desk: Desk) -> None:
    await desk.type("reload")
    assert desk.reloads == 1


async def test_a_backup_is_whole_and_replaces_nothing(tmp_path: Path) -> None:
    async with serving(data=tmp_path) as server:
        desk = Desk(server)
        async with await Native.open(server, "alice") as alice:
            await alice.say("keep me")
            copy = tmp_path / "my copy.db"
            await desk.type(f"backup {copy}")
            await desk.console.aclose()
            assert desk.shown == [f"* the database is copied to {copy}"]
            await desk.type(f"backup {copy}")
            await desk.console.aclose()
            assert desk.shown == [f"no backup: {copy} is there already: a backup replaces nothing"]
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT text FROM messages").fetchall() == [("keep me",)]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("", []),
        ("   ", []),
        ("whos", ["unknown command: whos; did you mean whois?"]),
        ("\x1b[2J", ["unknown command: ␛[2J; help lists the commands"]),
        ("say", ["usage: say TEXT"]),
        ("kick", ["usage: kick [#ROOM] NAME [REASON]"]),
        ("mute bob", ["which room?; usage: mute [#ROOM] NAME [DURATION] [REASON]"]),
        ("ban", ["usage: ban [#ROOM|*] NAME|ADDRESS [DURATION] [REASON]"]),
        ("backup", ["usage: backup FILE"]),
        ("backup ~no such user/copy", ["~no such user/copy: there is no such user"]),
        ("shutdown soon", ["usage: shutdown [SECONDS|off]"]),
        ("shutdown off", ["there is no countdown"]),
        ("shutdown 100000", ["a countdown is at most 24 hours"]),
        ("administrator", ["usage: administrator NAME [on|off]"]),
        ("administrator bob maybe", ["usage: administrator NAME [on|off]"]),
        ("who #nowhere", ["refused: no such room: #nowhere (404)"]),
        ("help nothing", ["unknown command: nothing; help lists the commands"]),
    ],
)
async def test_a_line_that_does_nothing_says_why(desk: Desk, line: str, shown: list[str]) -> None:
    assert await desk.type(line) == shown
    assert not desk.stopped.is_set()


@settings(max_examples=30)
@given(line=st.text())
async def test_no_line_is_too_strange(line: str) -> None:
    async with ChatServer(listen=[]) as server:
        await Desk(server).type(line)


async def test_help_tells_of_every_command(desk: Desk) -> None:
    shown = "\n".join(await desk.type("help"))
    for name in (*ENTRIES, *SHARED, *FOR_ALL):
        assert re.search(rf"^{name}\b", shown, re.MULTILINE)
        assert (await desk.type(f"help {name}"))[0].split()[0] == name


# --- the countdown --------------------------------------------------------------------------------------------------


async def test_shutdown_at_once(desk: Desk) -> None:
    await desk.type("shutdown")
    assert desk.stopped.is_set()


async def test_a_countdown_is_seen_by_everyone_and_comes_to_its_end(desk: Desk, alice: Native) -> None:
    assert await desk.type("shutdown 1") == ["* the server shuts down in 1 second; shutdown off calls it off"]
    assert (await alice.event(events.Notice)).text == "the server shuts down in 1 second"
    assert not desk.stopped.is_set()
    async with asyncio.timeout(20):
        await desk.stopped.wait()


async def test_a_countdown_is_called_off(desk: Desk, alice: Native) -> None:
    await desk.type("shutdown 1h")
    assert (await alice.event(events.Notice)).text == "the server shuts down in 1 hour"
    await desk.type("shutdown 90")
    assert (await alice.event(events.Notice)).text == "the server shuts down in 1 minute 30 seconds"
    assert await desk.type("shutdown off") == ["* the shutdown is called off"]
    assert (await alice.event(events.Notice)).text == "the shutdown is called off"
    assert not desk.stopped.is_set()


@given(st.integers(1, 86_400))
def test_people_are_told_at_once_and_till_the_end(seconds: int) -> None:
    told = schedule(seconds)
    assert told[0][0] == seconds
    assert sum(wait for _, wait in told) == seconds
    assert all(wait > 0 for _, wait in told)
    assert told[-1] == (1, 1)


def test_durations_as_one_says_them() -> None:
    assert [spoken(seconds) for seconds in (1, 60, 90, 3600, 7322)] == [
        "1 second", "1 minute", "1 minute 30 seconds", "1 hour", "2 hours 2 minutes 2 seconds"
    ]  # fmt: skip
