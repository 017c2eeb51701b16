"""Rooms that end: which, when, and what becomes of those who are in them or on their way in."""

from asyncchat.core.expiry import EMPTY_ROOM_SECONDS
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.commands import Invite, Join, Leave, SetRole, SetRoom, Topic
from asyncchat.vocabulary.terms import Code, Role
from tests.core.driver import Client, World


def wait_for_the_end(world: World) -> None:
    world.wait(EMPTY_ROOM_SECONDS)


def rooms(world: World) -> list[str]:
    return [room.name for room in world.state.rooms]


def test_a_room_in_which_nothing_was_said_ends_when_it_is_empty(world: World) -> None:
    ann = world.guest("ann", "#tea", "#beer")
    ann.say("#beer")
    ann.do(Topic(room="#tea", text="green"))
    ann.quit()
    world.wait(EMPTY_ROOM_SECONDS - 1)
    assert rooms(world) == ["#lobby", "#tea", "#beer"]
    world.wait(1)
    assert rooms(world) == ["#lobby", "#beer"]
    world.restart()
    assert rooms(world) == ["#lobby", "#beer"]
    bob = world.guest("bob")
    assert bob.code(Join(id=1, room="#tea")) == Code.CREATED
    assert bob.do(Topic(id=1, room="#tea")).text == ""


def test_a_clock_that_was_set_back_lets_no_room_stay_for_longer(world: World) -> None:
    ann, bob = world.guest("ann", "#tea", "#beer"), world.guest("bob", "#wine")
    ann.quit()
    world.now -= 3_600_000
    world.sweep()
    bob.quit()
    world.wait(EMPTY_ROOM_SECONDS)
    assert rooms(world) == ["#lobby"]


def test_it_makes_place_for_others() -> None:
    world = World(limits={"rooms_in_all": 3})
    ann, bob = world.guest("ann", "#a", "#b"), world.guest("bob")
    assert bob.code(Join(id=1, room="#c")) == Code.FORBIDDEN
    ann.quit()
    wait_for_the_end(world)
    assert bob.code(Join(id=1, room="#c")) == Code.CREATED


def test_a_registered_persons_room_stays(world: World) -> None:
    ann, bob = world.registered("ann", "#tea"), world.guest("bob", "#beer", "#wine")
    carol = world.registered("carol", "#beer")
    bob.do(SetRole(room="#beer", name="carol", role=Role.VOICE))
    for client in (ann, bob, carol):
        client.quit()
    wait_for_the_end(world)
    assert rooms(world) == ["#lobby", "#tea", "#beer"]


def test_the_default_room_stays_whoever_opened_it(world: World) -> None:
    world.guest("ann", "#tea").quit()
    world.settings = World(default_room="#TEA").settings
    world.restart()
    wait_for_the_end(world)
    assert rooms(world) == ["#lobby", "#tea"]


def test_a_room_that_nobody_came_into_after_a_restart_ends(world: World) -> None:
    world.guest("ann", "#tea")
    world.restart()
    wait_for_the_end(world)
    world.wait(2)
    assert rooms(world) == ["#lobby"]


def test_somebody_on_the_way_in_is_waited_for(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob")
    ann.quit()
    world.wait(EMPTY_ROOM_SECONDS - 0.5)
    bob.start(Join(id=1, room="#tea"))
    world.now += 1000
    assert world.chat.overdue(world.now) == []
    world.flush()
    assert [person.name for person in world.room("#tea").members] == ["bob"]


def test_an_end_that_cannot_be_kept_is_tried_again(world: World) -> None:
    world.guest("ann", "#tea").quit()
    world.now += EMPTY_ROOM_SECONDS * 1000
    world.pending += [(record, None) for record in world.chat.overdue(world.now)]
    world.fail()
    assert rooms(world) == ["#lobby", "#tea"]
    wait_for_the_end(world)
    assert rooms(world) == ["#lobby"]


def drop(world: World, room: str) -> None:
    world.pending.append((records.RoomDropped(time=world.now, room=world.room(room).id), None))


def test_who_is_in_a_room_that_ends_is_told(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea")
    ann.forget()
    drop(world, "#tea")
    ticket = bob.start(commands.Say(id=1, to="#tea", text="hi"))
    world.flush()
    assert ann.told == [events.Destroyed(sender="asyncchat", room="#tea")]
    *told, said = bob.told
    assert told == ann.told
    assert isinstance(said, events.Said), "what is in the log its author must know of"
    assert ticket.replies == (events.Ok(id=1, code=Code.OK, seq=said.seq),)
    assert not ann.person.rooms
    assert rooms(world) == ["#lobby"]


def test_who_joins_a_room_that_ends_at_that_moment_opens_it_anew(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob")
    ann.do(Leave(room="#tea"))
    drop(world, "#tea")
    ticket = bob.start(Join(id=1, room="#tea"))
    world.flush()
    assert ticket.replies == (events.Ok(id=1, code=Code.CREATED),)
    assert world.room("#tea").owners == {bob.person.id}


def test_facts_about_a_room_that_has_ended_change_nothing(world: World) -> None:
    ann, bob, _ = world.guest("ann", "#tea"), world.guest("bob", "#tea"), world.guest("eve")
    drop(world, "#tea")
    for command in (
        Topic(id=1, room="#tea", text="x"),
        SetRoom(id=1, room="#tea", private=True),
        SetRole(id=1, room="#tea", name="bob", role=Role.VOICE),
        commands.Mute(id=1, room="#tea", name="bob"),
        commands.Kick(id=1, room="#tea", name="bob"),
        Invite(id=1, room="#tea", name="eve"),
        Leave(id=1, room="#tea"),
    ):
        client: Client = ann
        client.start(command)
    bob.start(commands.Typing(id=1, to="#tea"))
    bob.start(Invite(id=1, room="#tea", name="eve"))
    world.flush()
    assert rooms(world) == ["#lobby"]
    assert [type(event) for event in bob.told] == [events.Destroyed]
