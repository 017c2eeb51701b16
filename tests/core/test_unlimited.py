"""0 is unlimited, whichever limit of the rules it is; each is broken many times over here."""

import pytest

from asyncchat.core.limits import LIMIT_NAMES, Limits
from asyncchat.vocabulary import commands, events, queries
from asyncchat.vocabulary.terms import Code, Role
from tests.core.driver import World

TINY = {
    **dict.fromkeys(("text", "name", "room_name", "topic", "rooms", "rooms_in_all", "bans", "sessions", "nonces"), 2),
    **dict.fromkeys(("roles", "invited"), 1),
}


def test_without_limits_nothing_is_too_long_or_too_much() -> None:
    world = World(limits=dict.fromkeys(LIMIT_NAMES, 0))
    long = "x" * 10_000
    alice = world.guest("alice")
    assert alice.say("#lobby", long * 10).code == Code.OK
    assert alice.code(commands.Topic(id=1, room="#lobby", text=long)) == Code.OK
    assert alice.code(commands.Nick(id=1, name=long)) == Code.OK
    assert alice.code(commands.Join(id=1, room=f"#{long}")) == Code.CREATED
    assert {alice.code(commands.Join(id=1, room=f"#{n}")) for n in range(Limits().rooms + 1)} == {Code.CREATED}
    bans = (commands.Ban(id=1, room="#0", who=f"x{n}") for n in range(Limits().bans + 1))
    assert {alice.code(ban) for ban in bans} == {Code.OK}
    for number in range(max(Limits().roles, Limits().invited) + 1):
        world.client().login(f"guest{number}", rooms=[])
        assert alice.code(commands.SetRole(id=1, room="#0", name=f"guest{number}", role=Role.VOICE)) == Code.OK
        assert alice.code(commands.Invite(id=1, room="#0", name=f"guest{number}")) == Code.OK
    for _ in range(Limits().sessions + 1):
        world.again(alice)
    seqs = [alice.say("#lobby", nonce=str(n)).seq for n in range(Limits().nonces + 200)]
    assert [alice.say("#lobby", nonce=str(n)).seq for n in (0, 1)] == seqs[:2]


@pytest.mark.parametrize(
    "command",
    [
        commands.History(to="#lobby", limit=5000),
        commands.Search(text="x", limit=5000),
        commands.Sync(after=0, limit=5000),
    ],
)
def test_a_page_is_as_long_as_asked_for(command: commands.Command) -> None:
    world = World(limits={"page": 0, "sync": 0})
    world.guest("alice").do(command)
    query = world.memory.asked[-1]
    assert isinstance(query, queries.FindPage | queries.FindText | queries.FindSince)
    assert query.limit == 5000


def test_of_so_little_everything_is_too_much() -> None:
    """The test above can fail: with limits each of its commands is refused."""
    world = World(limits=TINY)
    alice = world.guest("al")
    assert alice.say("#lobby", "xxx").code == Code.TOO_LONG
    assert alice.code(commands.Topic(id=1, room="#lobby", text="xxx")) == Code.TOO_LONG
    assert alice.code(commands.Nick(id=1, name="xxx")) == Code.MALFORMED
    assert alice.code(commands.Join(id=1, room="#xxx")) == Code.MALFORMED
    assert [alice.code(commands.Join(id=1, room=f"#{n}")) for n in range(2)] == [Code.CREATED, Code.FORBIDDEN]
    assert [alice.code(commands.Ban(id=1, room="#0", who=f"x{n}")) for n in range(3)][-1] == Code.FORBIDDEN
    for name in ("bo", "cy"):
        world.client().login(name, rooms=[])
    assert alice.code(commands.SetRole(id=1, room="#0", name="bo", role=Role.VOICE)) == Code.FORBIDDEN
    assert [alice.code(commands.Invite(id=1, room="#0", name=name)) for name in ("bo", "cy")][-1] == Code.FORBIDDEN
    world.again(alice)
    assert isinstance(world.client().login(token=alice.token), events.Error)


# --- a limit that was lowered ---------------------------------------------------------------------------------------

LONG = "x" * 200


@pytest.fixture
def lowered() -> World:
    """Alice, registered, and two rooms of hers have names that are too long today; #d is private."""
    world = World(limits={"name": 0, "room_name": 0})
    alice = world.registered(LONG, f"#c{LONG}", f"#d{LONG}")
    alice.do(commands.SetRoom(room=f"#d{LONG}", private=True))
    alice.vanish()
    world.set(World(limits={"name": 10, "room_name": 10}).settings)
    return world


def test_nobody_is_locked_out_of_a_name_by_a_lower_limit(lowered: World) -> None:
    assert lowered.client().login(LONG, password="long enough").code == Code.ACCEPTED
    assert lowered.guest("bob").code(commands.Nick(id=1, name="y" * 11)) == Code.MALFORMED
    assert lowered.client().login("y" * 11).code == Code.MALFORMED


def test_nor_out_of_a_room(lowered: World) -> None:
    bob = lowered.guest("bob")
    assert bob.code(commands.Join(id=1, room=f"#c{LONG}")) == Code.OK
    assert lowered.client().login("carol", rooms=[f"#c{LONG}"]).rooms == [f"#c{LONG}"]
    secret, none = (bob.do(commands.Join(id=1, room=f"#{first}{LONG}", password="x")) for first in "de")
    assert (secret.code, secret.text) == (none.code, none.text) == (Code.MALFORMED, none.text)


def test_who_had_a_long_name_can_be_kept_out(lowered: World) -> None:
    olga = lowered.guest("olga", "#tea")
    assert olga.code(commands.Ban(id=1, room="#tea", who=LONG)) == Code.OK
    assert olga.code(commands.Ban(id=1, room="#tea", who="gone" * 20)) == Code.OK
    assert olga.code(commands.Purge(id=1, room="#tea", name="gone" * 20, seconds=60)) == Code.NOT_FOUND
