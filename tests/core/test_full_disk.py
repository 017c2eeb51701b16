"""People who come while the disk is full: they are let in and read; what would be kept of them is refused."""

from typing import Any

import pytest

from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.commands import Hello, Say
from asyncchat.vocabulary.terms import Code
from tests.core.driver import Client, World


def full(world: World, client: Client, command: commands.Command) -> Any:
    """The first reply while the disk is full."""
    ticket = client.start(command)
    world.fail()
    assert ticket.replies is not None
    return ticket.replies[0]


def came(world: World, name: str = "bob", **fields: Any) -> Client:
    """A guest who came while the disk was full."""
    client = world.client()
    welcome = full(world, client, Hello(id=1, name=name, **fields))
    assert isinstance(welcome, events.Welcome)
    client.token = welcome.token
    return client


def test_a_guest_comes_in_and_hears(world: World) -> None:
    ann, bob = world.guest("ann"), came(world)
    assert [member.name for member in ann.do(commands.Who(id=1)).members] == ["ann", "bob"]
    ann.say("#lobby", "hi")
    assert [said.text for said in bob.heard(events.Said)] == ["hi"]
    assert bob.do(commands.History(id=2, to="#lobby")).events != []


@pytest.mark.parametrize(
    "command",
    [
        Say(id=1, to="#lobby", text="hi", nonce="n"),
        Say(id=1, to="ann", text="hi"),
        commands.Join(id=1, room="#new"),
        commands.Topic(id=1, room="#lobby", text="x"),
        commands.Register(id=1, password="long enough"),
        commands.Nick(id=1, name="rob"),
        commands.Read(id=1, to="ann", seq=1),
    ],
)
def test_what_would_be_kept_is_refused_and_works_later(world: World, command: commands.Command) -> None:
    world.guest("ann")
    bob = came(world)
    assert full(world, bob, command).code == Code.NOT_STORED
    assert bob.code(command) in (Code.OK, Code.CREATED, Code.ACCEPTED)
    (created,) = [r for _, r in world.memory.facts if isinstance(r, records.PersonCreated) and r.name == "bob"]
    assert created.was < 0
    assert bob.person.id > 0


def test_a_message_to_such_a_guest_waits_for_them_to_be_kept(world: World) -> None:
    ann, bob = world.guest("ann"), came(world)
    assert full(world, ann, Say(id=1, to="bob", text="psst")).code == Code.NOT_STORED
    assert ann.code(Say(id=1, to="bob", text="psst")) == Code.OK
    assert [(said.sender, said.to) for said in bob.heard(events.Said)] == [("ann", "bob")]
    ((_, message),) = world.memory.messages()
    assert message.peer == bob.person.id > 0


def test_two_messages_at_once_keep_their_order(world: World) -> None:
    world.guest("ann")
    bob = came(world)
    for text in ("one", "two", "three"):
        bob.start(Say(to="#lobby", text=text))
    world.flush()
    assert [message.text for _, message in world.memory.messages()] == ["one", "two", "three"]
    assert {message.author for _, message in world.memory.messages()} == {bob.person.id}


def test_they_are_kept_as_soon_as_anything_is(world: World) -> None:
    ann, bob = world.guest("ann"), came(world)
    world.wait(2)
    assert bob.person.id < 0, "nothing was kept since: it is not tried each second"
    ann.say("#lobby", "hi")
    world.wait(2)
    assert bob.person.id > 0
    world.restart()
    assert world.client().login(token=bob.token).name == "bob"


def test_their_token_is_theirs_while_they_are_not_kept(world: World) -> None:
    bob = came(world)
    bob.vanish()
    again = world.client()
    assert full(world, again, Hello(id=1, token=bob.token)).name == "bob"
    assert again.person is bob.session.person or again.person.as_guest < 0


def test_they_go_as_others_do(world: World) -> None:
    ann, bob = world.guest("ann"), came(world)
    ann.forget()
    bob.quit()
    assert [left.name for left in ann.heard(events.Left)] == ["bob"]
    bob = came(world)
    bob.vanish()
    world.wait(100)
    assert "bob" not in world.state.people.by_key
    assert not world.state.people.passing
    assert ann.code(Say(id=1, to="bob", text="x")) == Code.GONE
    assert not [r for _, r in world.memory.facts if isinstance(r, records.Seen) and r.person < 0]


def test_of_two_who_come_for_a_name_one_gets_it(world: World) -> None:
    clients = [world.client(), world.client()]
    tickets = [client.start(Hello(id=1, name="bob")) for client in clients]
    world.fail()
    codes = [ticket.replies[0].code for ticket in tickets if ticket.replies is not None]  # type: ignore[union-attr]
    assert sorted(codes) == [Code.ACCEPTED, Code.CONFLICT]


def test_who_has_a_password_comes_in_without_a_new_token(world: World) -> None:
    ann = world.registered("ann")
    ann.vanish()
    welcome = full(world, world.client(), Hello(id=1, name="ann", password="long enough"))
    assert isinstance(welcome, events.Welcome)
    assert welcome.token is None


def test_a_guest_whose_name_was_free_again_comes_back_by_token(world: World) -> None:
    bob = world.guest("bob")
    id = bob.person.id
    bob.quit()
    welcome = full(world, world.client(), Hello(id=1, token=bob.token))
    assert (welcome.name, world.state.people.by_key["bob"].id) == ("bob", id)
    world.wait(2)
    world.restart()
    assert "bob" in world.state.people.by_key, "the name is kept when there is room"


def test_a_room_that_does_not_exist_is_told(world: World) -> None:
    client = world.client()
    ticket = client.start(Hello(id=1, name="bob", rooms=["#lobby", "#new"]))
    world.fail()
    assert ticket.replies is not None
    welcome, notice = ticket.replies
    assert isinstance(welcome, events.Welcome)
    assert welcome.rooms == ["#lobby"]
    assert isinstance(notice, events.Notice)


def test_what_is_put_off_for_them_was_never_on_its_way(world: World) -> None:
    """Another one who is about to enter the same room is still counted as such."""
    ann = world.guest("ann", "#tea")
    ann.do(commands.SetRoom(room="#tea", password="sesame"))
    eve, bob = world.guest("eve"), came(world)
    eve.start(commands.Join(id=1, room="#tea", password="sesame"))
    bob.start(commands.Join(id=1, room="#tea", password="sesame"))
    assert world.state.in_flight.joins[world.room("#tea").id] == 1
    world.flush()
    assert {person.name for person in world.room("#tea").members} == {"ann", "eve", "bob"}
