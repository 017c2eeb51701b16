"""A clock that is set while people wait: they wait as long as they would have."""

import pytest

from asyncchat.vocabulary import commands
from asyncchat.vocabulary.terms import Code
from tests.core.driver import World


@pytest.mark.parametrize("step", [-86_400_000, 86_400_000 * 365])
def test_what_is_left_of_a_ban_does_not_change_with_the_clock(world: World, step: int) -> None:
    ann = world.guest("ann", "#tea")
    ann.do(commands.Ban(room="#tea", who="mallory", seconds=600))
    mallory = world.guest("mallory")
    world.now += 300_000
    world.now += step
    world.chat.clock_stepped(step)
    assert mallory.code(commands.Join(id=1, room="#tea")) == Code.FORBIDDEN
    world.now += 299_000
    assert mallory.code(commands.Join(id=1, room="#tea")) == Code.FORBIDDEN
    world.now += 2_000
    assert mallory.code(commands.Join(id=1, room="#tea")) == Code.OK


@pytest.mark.parametrize("step", [-86_400_000, 86_400_000])
def test_a_right_password_does_not_wait_for_the_clock(world: World, step: int) -> None:
    world.registered("alice")
    for _ in range(world.settings.limits.wrong_passwords + 2):
        world.client(address="192.0.2.7").login("alice", password="wrong")
    waits = world.client(address="192.0.2.7").login("alice", password="long enough").wait
    world.now += step
    world.chat.clock_stepped(step)
    assert world.client(address="192.0.2.7").login("alice", password="long enough").wait == waits
    world.now += int(waits * 1000)
    assert world.client(address="192.0.2.7").login("alice", password="long enough").code == Code.ACCEPTED


@pytest.mark.parametrize("step", [-86_400_000, 86_400_000])
def test_a_name_is_held_as_long_as_ever(world: World, step: int) -> None:
    alice = world.guest("alice")
    alice.vanish()
    world.now += step
    world.chat.clock_stepped(step)
    held = world.settings.limits.hold_seconds * 1000
    world.now += int(held) - 1000
    world.pending += [(record, None) for record in world.chat.overdue(world.now)]
    world.flush()
    assert world.client().login("alice").code == Code.CONFLICT
    world.now += 2000
    world.pending += [(record, None) for record in world.chat.overdue(world.now)]
    world.flush()
    assert world.client().login("alice").code == Code.ACCEPTED
