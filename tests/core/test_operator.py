"""The operator at the server itself: every right, no person."""

from typing import get_args

import pytest

from asyncchat.core.operator_commands import operator_session, operator_welcome
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.terms import Code, Role
from tests.core.driver import Client, World


@pytest.fixture
def world() -> World:
    return World(name="Teahouse")


def console(world: World) -> Client:
    client = world.client()
    client.session = operator_session(world.state)
    client.session.peer = client
    return client


def test_it_has_every_right_everywhere_and_is_nowhere(world: World) -> None:
    ann, bob = world.guest("ann", "#tea", "#lobby"), world.guest("bob", "#tea")
    ann.do(commands.SetRoom(room="#tea", private=True, moderated=True, topic_locked=True, password="x"))
    seq = ann.say("#tea", "hi").seq
    root = console(world)
    for command in (
        commands.Say(id=1, to="#tea", text="closing time"),
        commands.Say(id=1, to="bob", text="psst"),
        commands.Topic(id=1, room="#tea", text="closed"),
        commands.Invite(id=1, room="#lobby", name="bob"),
        commands.SetRole(id=1, room="#tea", name="bob", role=Role.OWNER),
        commands.SetRoom(id=1, room="#tea", private=False),
        commands.Mute(id=1, room="#lobby", name="ann"),
        commands.Delete(id=1, seq=seq),
        commands.Purge(id=1, room="#tea", name="console", seconds=60),
        commands.Kick(id=1, room="#tea", name="ann"),
        commands.Ban(id=1, room="#tea", who="ann"),
        commands.Unban(id=1, room="#tea", who="ann"),
        commands.Bans(id=1, room="#tea"),
        commands.Bans(id=1),
        commands.History(id=1, to="#tea"),
        commands.Search(id=1, text="hi"),
        commands.Rooms(id=1),
        commands.Who(id=1, room="#tea"),
        commands.Whois(id=1, name="bob"),
        commands.Ping(id=1),
    ):
        assert root.code(command) in (Code.OK, Code.NOT_FOUND), command
    assert root.told == []
    said = bob.heard(events.Said)
    assert [(event.sender, event.to) for event in said] == [("ann", "#tea"), ("Teahouse", "#tea"), ("Teahouse", "bob")]
    assert [event.sender for event in bob.heard(events.Kicked)] == ["Teahouse"]
    assert all(person.id for person in world.state.people)
    assert bob.code(commands.Whois(id=1, name="Teahouse")) == Code.NOT_FOUND
    assert bob.code(commands.Ban(id=1, room="#tea", who="Teahouse")) == Code.OK
    assert root.code(commands.Say(id=1, to="#tea", text="still here")) == Code.OK


@pytest.mark.parametrize(
    "command",
    [
        commands.Hello(name="x"),
        commands.Join(room="#tea"),
        commands.Leave(room="#lobby"),
        commands.Nick(name="x"),
        commands.Away(text="x"),
        commands.Register(password="long enough"),
        commands.Passwd(new="long enough"),
        commands.Read(to="#lobby", seq=1),
        commands.Typing(to="#lobby"),
        commands.React(seq=1, reaction="x"),
        commands.Sync(after=0),
    ],
)
def test_what_only_a_person_can_do_it_cannot(world: World, command: commands.Command) -> None:
    assert console(world).code(command) == Code.FORBIDDEN


def test_whom_it_invites_to_a_private_room_is_told_and_may_enter(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob")
    ann.do(commands.SetRoom(room="#tea", private=True))
    assert console(world).code(commands.Invite(id=1, room="#tea", name="bob")) == Code.OK
    (invited,) = bob.heard(events.Invited)
    assert (invited.sender, invited.name, invited.room) == ("Teahouse", "bob", "#tea")
    assert bob.code(commands.Join(id=1, room="#tea")) == Code.OK
    assert ann.heard(events.Invited) == []  # she stays in as the room closes, and nobody invited her


def test_nobody_takes_the_name_under_which_it_speaks(world: World) -> None:
    assert world.client().login("teahouse").code == Code.CONFLICT
    assert world.guest("bob").code(commands.Nick(id=1, name="Тeahouse")) == Code.CONFLICT


def test_what_it_says_twice_is_said_twice(world: World) -> None:
    bob, root = world.guest("bob"), console(world)
    for _ in range(2):
        assert root.say("#lobby", nonce="n").code == Code.OK
    assert len(bob.heard(events.Said)) == 2


def test_an_account_is_made_for_anybody(world: World) -> None:
    root = console(world)
    assert root.code(commands.CreateAccount(id=1, name="admin", password="long enough")) == Code.CREATED
    assert world.client().login("admin", password="long enough").registered
    for name in ("Admin", "аdmin"):
        assert root.code(commands.CreateAccount(id=1, name=name, password="long enough")) == Code.CONFLICT
    assert root.code(commands.CreateAccount(id=1, name="bob", password="short")) == Code.MALFORMED
    world.wait(100)
    world.restart()
    assert "admin" in world.state.people.by_key


def test_what_is_written_to_a_new_account_waits_for_its_first_login(world: World) -> None:
    console(world).do(commands.CreateAccount(id=1, name="bob", password="long enough"))
    assert world.guest("ann").say("bob", "welcome").code == Code.ACCEPTED
    client = world.client()
    ticket = client.start(commands.Hello(id=1, name="bob", password="long enough"))
    world.flush()
    assert ticket.replies is not None
    assert [event.text for event in ticket.replies if isinstance(event, events.Said)] == ["welcome"]


def test_administrators_are_made_of_registered_people(world: World) -> None:
    bob, root = world.registered("bob"), console(world)
    world.guest("ann")
    for name, active, wrong in (("ann", True, 403), ("nobody_", True, 404), ("bob", False, 409)):
        assert root.code(commands.SetAdministrator(id=1, name=name, active=active)) == wrong
    assert root.code(commands.SetAdministrator(id=1, name="BOB")) == Code.OK
    assert bob.code(commands.Bans(id=1)) == Code.OK
    accounts = root.do(commands.Accounts(id=1))
    assert accounts.accounts == [events.Account(name="bob", password=True, administrator=True)]


def test_an_administrator_by_the_settings_stays_one() -> None:
    world = World(administrators=frozenset({"Bob"}))
    world.registered("bob")
    assert console(world).code(commands.SetAdministrator(id=1, name="bob", active=False)) == Code.CONFLICT


def test_a_password_is_reset(world: World) -> None:
    bob = world.registered("bob")
    assert console(world).code(commands.ResetPassword(id=1, name="bob", password="another one")) == Code.OK
    assert world.client().login(token=bob.token).code == Code.WRONG_PASSWORD
    assert world.client().login("bob", password="another one").registered


def test_a_word_to_all_is_for_administrators(world: World) -> None:
    ann, bob = world.administrator("ann"), world.guest("bob")
    for teller in (console(world), ann):
        assert teller.code(commands.Announce(id=1, text="closing")) == Code.OK
        assert bob.told == [events.Notice(text="closing")]
        bob.forget()
    assert ann.code(commands.Announce(id=1, text=" ")) == Code.MALFORMED
    assert bob.code(commands.Announce(id=1, text="opening")) == Code.FORBIDDEN
    assert bob.code(commands.Stats(id=1)) == Code.FORBIDDEN
    assert bob.told == []


OF_THE_SOCKET = (
    commands.Accounts(id=1),
    commands.CreateAccount(id=1, name="eve", password="long enough"),
    commands.ResetPassword(id=1, name="ann", password="long enough"),
    commands.SetAdministrator(id=1, name="ann", active=False),
    commands.Log(id=1),
    commands.Reload(id=1),
    commands.Backup(id=1, path="/copy.db"),
    commands.Shutdown(id=1),
)


@pytest.mark.parametrize("command", OF_THE_SOCKET)
def test_only_the_operator_may_do_what_is_the_control_sockets(world: World, command: commands.Command) -> None:
    ann = world.administrator("ann")
    inside = world.guest("bot", inside=True)
    for client in (ann, inside, world.client()):
        refused = client.do(command)
        assert (refused.code, refused.text) == (Code.FORBIDDEN, "only the server's control socket takes that")
    assert [record for record, _ in world.pending] == []
    console(world).session.require(type(command))


def test_these_are_all_such_commands() -> None:
    assert (
        {type(command) for command in OF_THE_SOCKET}
        == {kind for kind in get_args(commands.Command) if kind.control}
        == {kind for kind in get_args(commands.Command) if issubclass(kind, commands.ControlCommand)}
    )


def test_it_is_welcomed_and_its_end_is_nobodys(world: World) -> None:
    root = console(world)
    welcome = operator_welcome(world.state, root.session, world.now)
    assert (welcome.name, welcome.administrator, welcome.rooms) == ("Teahouse", True, [])
    bob = world.guest("bob")
    root.vanish()
    assert isinstance(console(world).do(commands.Quit()), events.Bye)
    assert bob.told == []
