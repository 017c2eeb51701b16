"""Names and accounts: taking another name, registering it, its password, its administrators."""

from typing import Any

import pytest
from msgspec import structs

from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.commands import Nick, Passwd, Register
from asyncchat.vocabulary.terms import Code
from tests.core.driver import Client, World

FAR = "192.0.2.7"


def register(client: Client, password: str | None = "long enough", **fields: Any) -> int:
    return client.code(Register(id=1, password=password, **fields))


# --- names ----------------------------------------------------------------------------------------------------------


def test_a_change_of_name_is_told_to_those_in_the_same_rooms(world: World) -> None:
    alice, bob, carol = world.guest("alice"), world.guest("bob"), world.guest("carol", "#elsewhere")
    assert alice.code(Nick(id=1, name="Alicia")) == Code.OK
    assert alice.told[-1:] == bob.told == [events.Renamed(name="alice", to="Alicia")]
    assert carol.told == []
    assert bob.say("alice").code == Code.NOT_FOUND
    assert bob.say("alicia").code == Code.OK
    assert world.client().login("alice").code == Code.ACCEPTED


def test_the_same_name_is_no_change_and_another_way_of_writing_it_is(world: World) -> None:
    alice = world.guest("alice")
    assert alice.code(Nick(id=1, name="alice")) == Code.OK
    assert alice.told == []
    assert alice.code(Nick(id=1, name="ALICE")) == Code.OK
    assert alice.told == [events.Renamed(name="alice", to="ALICE")]


@pytest.mark.parametrize("name", ["bob", "BOB", "ЬоЬ", "root", "#x", "a b", "10.0.0.1"])
def test_a_name_that_cannot_be_taken_changes_nothing(world: World, name: str) -> None:
    alice, _ = world.guest("alice"), world.guest("bob")
    assert alice.code(Nick(id=1, name=name)) in (Code.CONFLICT, Code.MALFORMED)
    assert alice.person.name == "alice"


def test_of_two_who_want_a_name_at_once_the_first_gets_it(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    first, second = alice.start(Nick(id=1, name="carol")), bob.start(Nick(id=2, name="Carol"))
    world.flush()
    assert first.replies is not None
    assert first.replies[0].code == Code.OK  # type: ignore[union-attr]
    assert second.replies == (events.Error(id=2, code=Code.CONFLICT, text="Carol is taken"),)
    assert (alice.person.name, bob.person.name) == ("carol", "bob")


def test_two_who_swap_names_at_once_both_lose(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    assert alice.code(Nick(id=1, name="bob")) == bob.code(Nick(id=1, name="alice")) == Code.CONFLICT


def test_of_two_look_alikes_at_once_both_stay_and_the_server_starts_again(world: World) -> None:
    one, two = world.client(), world.client()
    one.start(commands.Hello(id=1, name="alice"))
    two.start(commands.Hello(id=1, name="аlice"))
    world.flush()
    assert (one.person.name, two.person.name) == ("alice", "аlice")
    world.restart()
    assert {person.name for person in world.state.people} == {"alice", "аlice"}
    assert world.client().login("alicе").code == Code.CONFLICT


def test_a_name_banned_in_a_room_is_not_taken_by_those_in_it(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea")
    ann.do(commands.Ban(room="#tea", who="mallory"))
    assert bob.code(Nick(id=1, name="Mallory")) == Code.FORBIDDEN
    bob.do(commands.Leave(room="#tea"))
    assert bob.code(Nick(id=1, name="Mallory")) == Code.OK
    assert bob.code(commands.Join(id=1, room="#tea")) == Code.FORBIDDEN
    assert ann.code(Nick(id=1, name="mallory2")) == Code.OK


# --- registering ----------------------------------------------------------------------------------------------------


def test_registering_makes_a_name_ones_own_for_good(world: World) -> None:
    alice = world.guest("alice")
    assert register(alice) == Code.CREATED
    assert register(alice) == Code.CONFLICT
    assert alice.do(commands.Whois(name="alice")).registered
    alice.quit()
    world.restart()
    assert world.client().login("alice").code == Code.WRONG_PASSWORD
    assert world.client().login("alice", password="long enough").registered


def test_a_name_may_be_bound_to_the_token_alone(world: World) -> None:
    alice, nc = world.guest("alice"), world.guest("carol", resumable=False)
    assert register(alice, None) == Code.CREATED
    assert register(nc, None) == Code.MALFORMED, "it has no token"
    alice.quit()
    assert world.client().login(token=alice.token).registered


@pytest.mark.parametrize(
    ("password", "code"), [("1234567", 400), ("x" * 257, 413), ("12345678", 201), ("x" * 256, 201)]
)
def test_a_password_has_a_length(world: World, password: str, code: int) -> None:
    assert register(world.guest("alice"), password) == code


def test_an_account_goes_with_a_change_of_name(world: World) -> None:
    alice = world.registered("alice")
    alice.do(Nick(name="al"))
    world.restart()
    assert world.client().login("al", password="long enough").name == "al"
    assert world.client().login("alice").code == Code.ACCEPTED


def test_registration_may_be_closed() -> None:
    assert register(World(registration="closed").guest("alice")) == Code.FORBIDDEN


def test_an_invitation_lets_one_register() -> None:
    world = World(registration="invitation", invitations=frozenset({"tea", "cake"}))
    alice, bob = world.guest("alice"), world.guest("bob")
    assert register(alice) == Code.FORBIDDEN
    assert register(alice, invitation="beer") == Code.FORBIDDEN
    assert register(alice, invitation="tea") == Code.CREATED
    assert register(bob, invitation="tea") == Code.FORBIDDEN
    world.restart()
    assert world.state.used_invitations == {"tea"}
    bob.login(token=bob.token)


def test_an_invitation_that_was_not_asked_for_is_not_used_up() -> None:
    world = World(invitations=frozenset({"tea"}))
    assert register(world.guest("alice"), invitation="tea") == Code.CREATED
    assert world.state.used_invitations == set()


def test_of_two_with_one_invitation_at_once_the_first_registers() -> None:
    world = World(registration="invitation", invitations=frozenset({"tea"}))
    alice, bob = world.guest("alice"), world.guest("bob")
    tickets = [client.start(Register(id=1, password="long enough", invitation="tea")) for client in (alice, bob)]
    world.flush()
    assert [ticket.replies[0].code for ticket in tickets if ticket.replies] == [201, 403]  # type: ignore[union-attr]
    assert (alice.person.registered, bob.person.registered) == (True, False)


def test_of_two_sessions_that_register_at_once_the_first_sets_the_password(world: World) -> None:
    alice = world.guest("alice")
    other = world.again(alice)
    tickets = [
        client.start(Register(id=1, password=password))
        for client, password in ((alice, "first password"), (other, "second password"))
    ]
    world.flush()
    assert [ticket.replies[0].code for ticket in tickets if ticket.replies] == [201, 409]  # type: ignore[union-attr]
    assert world.client().login("alice", password="first password").code == Code.ACCEPTED


def test_a_registration_under_a_name_that_was_changed_meanwhile_is_for_the_name_registered(world: World) -> None:
    alice = world.guest("alice")
    other = world.again(alice)
    alice.start(Nick(id=1, name="al"))
    other.start(Register(id=1, password="long enough"))
    world.flush()
    assert (alice.person.name, alice.person.registered) == ("alice", True)
    live = alice.person.name
    world.restart()
    assert [person.name for person in world.state.people] == [live]


# --- passwords ------------------------------------------------------------------------------------------------------


def test_another_password_voids_all_tokens_and_gives_a_new_one(world: World) -> None:
    alice = world.registered("alice")
    missing = alice.do(Passwd(id=1, new="another one"))
    assert (missing.code, missing.text) == (Code.WRONG_PASSWORD, "the old password is missing")
    assert alice.code(Passwd(id=1, old="wrong password", new="another one")) == Code.WRONG_PASSWORD
    reply = alice.do(Passwd(id=1, old="long enough", new="another one"))
    assert reply == events.Ok(id=1, code=Code.OK, token="token-2")
    assert world.client().login(token=alice.token).code == Code.WRONG_PASSWORD
    assert world.client().login(token="token-2").code == Code.ACCEPTED
    assert world.client().login("alice", password="long enough").code == Code.WRONG_PASSWORD
    assert world.client().login("alice", password="another one").code == Code.ACCEPTED


def test_who_has_no_password_sets_one_without_an_old_one(world: World) -> None:
    alice = world.registered("alice", password=None)
    assert alice.code(Passwd(id=1, new="long enough")) == Code.OK
    assert alice.code(Passwd(id=1, new="another one")) == Code.WRONG_PASSWORD


def test_a_guest_has_no_password_to_change(world: World) -> None:
    assert world.guest("alice").code(Passwd(id=1, new="long enough")) == Code.FORBIDDEN


def test_the_old_password_cannot_be_guessed_at_any_speed(world: World) -> None:
    alice = world.registered("alice", address=FAR)
    codes = [alice.code(Passwd(id=1, old=f"guess {number}", new="another one")) for number in range(8)]
    assert codes == [Code.WRONG_PASSWORD] * 6 + [Code.TOO_FAST] * 2


def test_of_two_changes_at_once_from_the_same_old_password_the_second_is_wrong(world: World) -> None:
    alice = world.registered("alice")
    other = world.again(alice)
    outcome = world.chat.handle(other.session, Passwd(id=1, old="long enough", new="second one"), world.now)
    alice.do(Passwd(id=1, old="long enough", new="the first one"))
    with pytest.raises(Exception, match="the old password is wrong"):
        outcome.then(True)  # type: ignore[union-attr,misc,arg-type]


def test_a_password_is_not_set_where_others_could_read_it(world: World) -> None:
    alice = world.registered("alice", password=None, secure=False)
    assert alice.code(Passwd(id=1, new="long enough")) == Code.FORBIDDEN


# --- administrators -------------------------------------------------------------------------------------------------


def test_an_administrators_name_is_taken_from_the_servers_own_machine() -> None:
    world = World(administrators=frozenset({"Root", "alice"}))
    for address, code in ((FAR, Code.CONFLICT), ("127.0.0.1", Code.ACCEPTED), ("::1", Code.CONFLICT)):
        assert world.client(address=address).login("alice").code == code
    assert world.client().login("root").code == Code.ACCEPTED, "reserved, but for the administrator"
    far = world.guest("bob", address=FAR)
    world.state.people.by_key["alice"].sessions.clear()
    world.append(records.NameReleased(time=world.now, person=world.state.people.by_key["alice"].id))
    assert far.code(Nick(id=1, name="Alice")) == Code.CONFLICT


def test_a_guest_who_has_the_name_already_cannot_register_it_from_afar(world: World) -> None:
    far, here = world.guest("alice", address=FAR), world.guest("bob")
    world.set(World(administrators=frozenset({"alice", "bob"})).settings)
    assert register(far) == Code.CONFLICT
    assert register(here) == Code.CREATED
    assert world.state.is_administrator(here.person)
    assert not world.state.is_administrator(far.person), "a guest may borrow any name"


def test_an_administrators_account_works_from_anywhere() -> None:
    world = World(administrators=frozenset({"alice"}))
    world.registered("alice")
    far = world.client(address=FAR)
    assert far.login("alice", password="long enough").administrator
    assert far.code(Nick(id=1, name="ALICE")) == Code.OK


def test_an_administrator_may_be_made_and_unmade(world: World) -> None:
    alice = world.registered("alice")
    for active in (True, False):
        world.append(records.AdministratorSet(time=world.now, person=alice.person.id, active=active))
        assert alice.do(commands.Whois(name="alice")).administrator is active
        assert (alice.code(commands.Bans(id=1)) == Code.OK) is active


# --- names kept for administrators ------------------------------------------------------------------------------------


def test_a_look_alike_of_an_administrators_name_is_kept_too() -> None:
    world = World(administrators=frozenset({"chef"}))
    stranger = world.guest("stranger", address=FAR)
    for look_alike in ("\u0441hef", "CHEF", "ch\u0435f"):
        assert stranger.code(Nick(id=1, name=look_alike)) == Code.CONFLICT
        assert world.client(address=FAR).login(look_alike).code == Code.CONFLICT


def test_whoever_was_first_under_a_look_alike_does_not_keep_an_administrator_out(world: World) -> None:
    squatter = world.registered("\u0441hef", address=FAR)
    world.set(structs.replace(world.settings, administrators=frozenset({"chef"})))
    chef = world.guest("chef", address="127.0.0.1")
    assert register(chef) == Code.CREATED
    assert world.state.is_administrator(chef.person)
    assert not world.state.is_administrator(squatter.person)
    assert world.client(address=FAR).login("chef").code == Code.WRONG_PASSWORD


# --- another password -------------------------------------------------------------------------------------------------


def test_another_password_ends_the_other_sessions(world: World) -> None:
    alice = world.registered("alice")
    thief = world.again(alice)
    assert alice.code(Passwd(id=1, old="long enough", new="longer still")) == Code.OK
    (bye,) = thief.heard(events.Bye)
    assert bye.code == Code.LOGIN_FIRST
    assert bye.reconnect is None
    assert thief.code(Nick(id=1, name="mallory")) == Code.LOGIN_FIRST
    assert alice.person.name == "alice"
    assert alice.code(Nick(id=1, name="alicia")) == Code.OK


def test_other_sessions_stay_where_that_is_asked_for(world: World) -> None:
    alice = world.registered("alice")
    phone = world.again(alice)
    assert alice.code(Passwd(id=1, old="long enough", new="longer still", keep_sessions=True)) == Code.OK
    assert phone.heard(events.Bye) == []
    assert phone.say("#lobby").code == Code.OK


def test_a_reset_by_the_operator_ends_all_sessions(world: World) -> None:
    alice = world.registered("alice")
    world.append(records.PasswordSet(time=world.now, person=alice.person.id, password="hash of another"))
    assert [bye.code for bye in alice.heard(events.Bye)] == [Code.LOGIN_FIRST]
    assert alice.code(Nick(id=1, name="mallory")) == Code.LOGIN_FIRST


# --- shares of an address ---------------------------------------------------------------------------------------------


def test_so_many_accounts_are_registered_from_an_address_in_an_hour() -> None:
    world = World(limits={"accounts_per_address": 3})
    clients = [world.guest(f"guest{number}", address=FAR) for number in range(5)]
    assert [register(client, None) for client in clients[:4]] == [201, 201, 201, Code.TOO_FAST]
    assert register(world.guest("near", address="192.0.2.8"), None) == Code.CREATED
    assert register(world.guest("local"), None) == Code.CREATED
    world.now += 20 * 60_000
    assert register(clients[3], None) == Code.CREATED
    refused = clients[4].do(Register(id=1))
    assert (refused.code, round(refused.wait)) == (Code.TOO_FAST, 20 * 60)
