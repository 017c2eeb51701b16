"""The console client in a terminal that can only show lines."""

import os

import pytest

from asyncchat import ChatServer
from asyncchat.client import ChatClient, connect
from tests.console.terminals import CLIENT, CTRL_C, CTRL_D, Desk, terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="terminals are POSIX's")


async def test_talking_line_by_line(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with terminal([*CLIENT, str(server.addresses[0])], _dumb(desk)) as alice:
        await alice.shows("Your name")
        alice.type("alice")
        await alice.shows("you are alice", "-- you write to #lobby")
        await bob.say("#lobby", "hello alice")
        await alice.shows("bob: hello alice")
        alice.type("hello bob")
        await alice.shows("alice: hello bob")
        alice.type("/msg bob")
        await alice.shows("-- you write to @bob")
        alice.type("psst")
        await alice.shows("@bob alice: psst")
        alice.type("/quit")
        assert await alice.ended() == 0
    assert b"\x1b" not in alice.raw


@pytest.mark.parametrize(("key", "status"), [(CTRL_C, 130), (CTRL_D, 0)])
async def test_leaving_by_a_key(server: ChatServer, desk: Desk, key: str, status: int) -> None:
    async with terminal([*CLIENT, str(server.addresses[0]), "--name", "alice"], _dumb(desk)) as alice:
        await alice.shows("-- you write to #lobby")
        alice.press(key)
        assert await alice.ended() == status


async def test_a_password_is_not_shown(server: ChatServer, desk: Desk) -> None:
    async with connect(server.addresses[0], name="alice") as owner:
        await owner.register("correct horse")
    async with terminal([*CLIENT, str(server.addresses[0]), "--name", "alice"], _dumb(desk)) as alice:
        await alice.shows("Password of alice:")
        alice.type("wrong horse")
        await alice.shows("wrong name or password")
        await alice.until(lambda: alice.text.endswith("Password of alice:"), "second question")
        alice.type("correct horse")
        await alice.shows("you are alice")
        alice.type("seen again")
        await alice.shows("alice: seen again")
    assert b"horse" not in alice.raw


async def test_who_only_listens_cannot_write(server: ChatServer, bob: ChatClient, desk: Desk) -> None:
    async with terminal([*CLIENT, str(server.addresses[0]), "--name", "alice", "-r"], _dumb(desk)) as alice:
        await alice.shows("you are alice")
        alice.type("not said")
        await alice.shows("not said")
        alice.press(CTRL_D)
        assert await alice.ended() == 0
    assert not (await bob.history("#lobby")).events


def _dumb(desk: Desk) -> dict[str, str]:
    return {**desk.environment("alice"), "TERM": "dumb"}
