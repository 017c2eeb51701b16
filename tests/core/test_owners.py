"""Whose a room is: roles, and who inherits it when its owner is gone."""

import pytest

from asyncchat.vocabulary import events
from asyncchat.vocabulary.commands import Join, Leave, SetRole, SetRoom
from asyncchat.vocabulary.terms import Code, Role
from tests.core.driver import World


def owner_of(world: World, room: str = "#tea") -> list[str]:
    return [person.name for person in world.state.people if person.id in world.room(room).owners]


# --- roles ----------------------------------------------------------------------------------------------------------


def test_a_role_is_told_and_stays(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea")
    assert ann.code(SetRole(id=1, room="#tea", name="bob", role=Role.OPERATOR)) == Code.OK
    assert bob.heard(events.RoleChanged) == [
        events.RoleChanged(sender="ann", name="bob", room="#tea", role=Role.OPERATOR)
    ]
    bob.do(Leave(room="#tea"))
    bob.forget()
    assert ann.code(SetRole(id=1, room="#tea", name="bob", role=Role.VOICE)) == Code.OK
    assert bob.heard(events.RoleChanged), "told though not in the room"
    bob.do(Join(room="#tea"))
    assert bob.heard(events.Joined) == [events.Joined(name="bob", room="#tea", role=Role.VOICE)]
    world.restart()
    assert world.room("#tea").roles[bob.person.id] is Role.VOICE


ROLES = list(Role)


@pytest.mark.parametrize("giver", ROLES)
@pytest.mark.parametrize("present", ROLES)
@pytest.mark.parametrize("wanted", ROLES)
def test_who_may_give_which_role_to_whom(world: World, giver: Role, present: Role, wanted: Role) -> None:
    """An operator gives at most that, to those below; an owner anything to anyone; the others nothing."""
    ann, bob, carol = (world.guest(name, "#tea") for name in ("ann", "bob", "carol"))
    ann.do(SetRole(room="#tea", name="bob", role=giver))
    ann.do(SetRole(room="#tea", name="carol", role=present))
    allowed = giver is Role.OWNER or (
        giver is Role.OPERATOR and present.rank < Role.OPERATOR.rank and wanted.rank <= Role.OPERATOR.rank
    )
    expected = Code.OK if allowed else Code.FORBIDDEN
    assert bob.code(SetRole(id=1, room="#tea", name="carol", role=wanted)) == expected
    assert world.room("#tea").role(carol.person) is (wanted if allowed else present)


def test_ones_own_role_can_be_laid_down_but_by_the_last_owner(world: World) -> None:
    ann, bob, root = world.guest("ann", "#tea"), world.guest("bob", "#tea"), world.administrator()
    lay_down = SetRole(id=1, room="#tea", name="ann", role=Role.MEMBER)
    assert ann.code(lay_down) == Code.CONFLICT
    ann.do(SetRole(room="#tea", name="bob", role=Role.OWNER))
    assert ann.code(lay_down) == Code.OK
    assert ann.code(SetRole(id=1, room="#tea", name="ann", role=Role.OWNER)) == Code.FORBIDDEN
    assert bob.code(SetRole(id=1, room="#tea", name="bob", role=Role.OPERATOR)) == Code.CONFLICT
    assert root.code(SetRole(id=1, room="#tea", name="bob", role=Role.MEMBER)) == Code.OK
    assert not world.room("#tea").owners
    world.wait(5)
    assert not world.room("#tea").owners, "what an administrator decides stays so"


def test_the_last_owner_who_is_still_there_stays(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea")
    ann.do(SetRole(room="#tea", name="bob", role=Role.OWNER))
    ann.quit()
    assert bob.code(SetRole(id=1, room="#tea", name="bob", role=Role.MEMBER)) == Code.CONFLICT


def test_a_room_whose_two_owners_lay_down_their_role_at_once_gets_a_new_one(world: World) -> None:
    ann, bob, _ = (world.guest(name, "#tea") for name in ("ann", "bob", "carol"))
    for name, role in (("bob", Role.OWNER), ("carol", Role.OPERATOR)):
        ann.do(SetRole(room="#tea", name=name, role=role))
    for client, name in ((ann, "ann"), (bob, "bob")):
        client.start(SetRole(room="#tea", name=name, role=Role.MEMBER))
    world.flush()
    world.wait(1)
    assert owner_of(world) == ["carol"]


def test_a_room_that_an_administrator_leaves_without_an_owner_has_none_after_a_restart_either(world: World) -> None:
    ann, bob, root = world.guest("ann", "#tea"), world.guest("bob", "#tea"), world.administrator()
    ann.do(SetRole(room="#tea", name="bob", role=Role.OWNER))
    ann.do(SetRole(room="#tea", name="ann", role=Role.MEMBER))
    assert root.code(SetRole(id=1, room="#tea", name="bob", role=Role.MEMBER)) == Code.OK
    # As storage gives them back: the last role of each.
    world.memory.facts = [fact for fact in world.memory.facts if getattr(fact[1], "role", None) is not Role.OWNER]
    world.restart()
    world.again(bob).do(Join(room="#tea"))
    world.wait(2)
    assert owner_of(world) == []


# --- owners who are gone --------------------------------------------------------------------------------------------


def test_the_operator_who_was_made_first_inherits(world: World) -> None:
    ann, *others = (world.guest(name, "#tea") for name in ("ann", "bob", "carol", "dora"))
    for name in ("bob", "carol"):
        ann.do(SetRole(room="#tea", name=name, role=Role.VOICE))
    for name in ("dora", "carol"):
        ann.do(SetRole(room="#tea", name=name, role=Role.OPERATOR))
    for client in others:
        client.forget()
    ann.quit()
    world.wait(1)
    assert owner_of(world) == ["dora"]
    assert others[0].heard(events.RoleChanged) == [
        events.RoleChanged(sender="asyncchat", name="dora", room="#tea", role=Role.OWNER)
    ]
    assert world.room("#tea").owners == {others[2].person.id}, "who is gone for good owns nothing"


def test_else_the_member_who_has_been_there_longest(world: World) -> None:
    ann, bob, carol = (world.guest(name, "#tea") for name in ("ann", "bob", "carol"))
    bob.do(Leave(room="#tea"))
    bob.do(Join(room="#tea"))
    ann.vanish()
    world.wait(59)
    assert owner_of(world) == ["ann"]
    world.wait(2)
    assert owner_of(world) == ["carol"]
    world.restart()
    assert owner_of(world) == ["carol"]
    assert world.again(carol).code(SetRoom(id=1, room="#tea", moderated=True)) == Code.OK


def test_a_registered_owner_stays_one(world: World) -> None:
    ann, _ = world.registered("ann", "#tea"), world.guest("bob", "#tea")
    ann.quit()
    world.wait(100)
    assert owner_of(world) == ["ann"]


def test_another_owner_is_enough(world: World) -> None:
    ann, bob, _ = (world.guest(name, "#tea") for name in ("ann", "bob", "carol"))
    ann.do(SetRole(room="#tea", name="bob", role=Role.OWNER))
    bob.do(Leave(room="#tea"))
    ann.quit()
    world.wait(2)
    assert owner_of(world) == ["bob"]


def test_an_empty_room_waits_for_the_next_to_come_or_its_owner(world: World) -> None:
    ann = world.guest("ann", "#tea")
    ann.say("#tea")
    ann.quit()
    world.wait(100)
    again = world.client()
    again.login(token=ann.token, rooms=["#tea"])
    world.wait(1)
    assert owner_of(world) == ["ann"]
    again.quit()
    world.restart()
    world.wait(1)
    world.guest("bob", "#tea")
    world.wait(1)
    assert owner_of(world) == ["bob"]
    assert len(world.room("#tea").roles) == 1


def test_nobody_inherits_the_default_room(world: World) -> None:
    world.guest("ann")
    world.wait(10)
    assert owner_of(world, "#lobby") == []


def test_an_inheritance_that_cannot_be_kept_is_tried_again(world: World) -> None:
    ann, _ = world.guest("ann", "#tea"), world.guest("bob", "#tea")
    ann.quit()
    world.pending += [(record, None) for record in world.chat.overdue(world.now)]
    world.fail()
    assert owner_of(world) == []
    world.wait(1)
    assert owner_of(world) == ["bob"]


def test_who_is_let_in_for_good_as_they_leave_is_told_of_no_invitation(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob")
    ann.do(SetRoom(room="#tea", private=True))
    ann.do(SetRole(room="#tea", name="bob", role=Role.OPERATOR))
    assert bob.code(Join(id=1, room="#tea")) == Code.OK
    bob.start(Leave(room="#tea"))
    ann.start(SetRole(room="#tea", name="bob", role=Role.MEMBER))
    world.flush()
    assert bob.heard(events.Invited) == []
