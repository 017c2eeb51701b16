"""Logging in: every way to prove who one is, and everything that can stand against it."""

import pytest

from asyncchat.core.quotas import FORGIVEN_AFTER
from asyncchat.vocabulary import commands, events, queries, records
from asyncchat.vocabulary.commands import Hello
from asyncchat.vocabulary.terms import Code
from tests.core.driver import START, Client, World

FAR = "192.0.2.7"


# --- guests ---------------------------------------------------------------------------------------------------------


def test_a_guest_is_welcomed_into_the_default_room(world: World) -> None:
    alice = world.client()
    welcome = alice.login("Alice", since=None)
    assert welcome == events.Welcome(
        id="hello", code=Code.ACCEPTED, name="Alice", server="asyncchat", version="", epoch="epoch",
        identity="identity", seq=world.last_seq, time="2023-11-14T22:13:20.000Z", rooms=["#lobby"], token="token-1",
        limits=world.state.limits_told,
    )  # fmt: skip
    assert alice.told == [events.Joined(name="Alice", room="#lobby")]
    assert alice.session in world.room().audience


def test_commands_need_a_login_and_a_login_is_once(world: World) -> None:
    alice = world.client()
    assert alice.code(commands.Say(id=1, to="#lobby", text="hi")) == Code.LOGIN_FIRST
    assert alice.code(commands.Rooms(id=1)) == Code.LOGIN_FIRST
    assert alice.code(commands.Ping(id=1)) == Code.OK
    alice.login("alice")
    assert alice.login("alice").code == Code.CONFLICT
    assert alice.code(commands.Rooms(id=1)) == Code.OK


def test_hello_needs_a_name_or_a_token(world: World) -> None:
    assert world.client().login().code == Code.MALFORMED
    assert world.client().login("#room").code == Code.MALFORMED
    assert world.client().login("x" * 33).code == Code.MALFORMED


@pytest.mark.parametrize("taken", ["alice", "ALICE", "ａｌｉｃｅ", "аlice", "a1ice"])
def test_a_name_that_is_or_looks_taken_is_refused(world: World, taken: str) -> None:
    world.guest("alice")
    assert world.client().login(taken).code == Code.CONFLICT
    assert [person.name for person in world.state.people] == ["alice"]


@pytest.mark.parametrize("name", ["admin", "Server", "аdmin", "asyncchat", "NickServ"])
def test_reserved_names_are_refused(world: World, name: str) -> None:
    assert world.client().login(name).code == Code.CONFLICT


def test_an_address_is_no_name_for_a_ban_could_not_name_it(world: World) -> None:
    assert world.client().login("192.0.2.1").code == Code.MALFORMED


def test_the_name_of_the_server_is_nobodys(world: World) -> None:
    world = World(name="Teahouse")
    assert world.client().login("teahouse").code == Code.CONFLICT


def test_guests_may_be_kept_out(world: World) -> None:
    world = World(guests=False)
    assert world.client().login("alice").code == Code.FORBIDDEN


def test_of_two_who_come_at_once_the_first_has_the_name(world: World) -> None:
    one, two = world.client(), world.client()
    first, second = one.start(Hello(id=1, name="alice")), two.start(Hello(id=1, name="ALICE"))
    world.flush()
    assert first.replies is not None
    assert second.replies is not None
    assert isinstance(first.replies[0], events.Welcome)
    assert second.replies[0] == events.Error(id=1, code=Code.CONFLICT, text="ALICE is taken")
    assert two.login("bob").name == "bob"


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_a_token_is_the_same_person_in_several_places(world: World) -> None:
    one = world.guest("alice")
    two = world.again(one)
    assert two.person is one.person
    assert list(one.person.sessions) == [one.session, two.session]
    assert list(world.room().audience) == [one.session, two.session]
    assert not one.heard(events.Joined)


def test_an_unknown_token_is_refused(world: World) -> None:
    assert world.client().login("alice", token="token-99").code == Code.WRONG_PASSWORD
    assert world.client().login("alice", token="\ud800").code == Code.WRONG_PASSWORD


def test_a_token_brings_a_guest_back_after_the_name_was_released(world: World) -> None:
    alice = world.guest("alice")
    id = alice.person.id
    alice.quit()
    assert "alice" not in world.state.people.by_key
    again = world.client()
    assert again.login(token=alice.token).name == "alice"
    assert again.person.id == id


def test_a_guest_whose_name_is_taken_meanwhile_comes_back_under_another(world: World) -> None:
    alice = world.guest("alice")
    id = alice.person.id
    alice.quit()
    world.guest("alice")
    again = world.client()
    assert again.login(token=alice.token).code == Code.CONFLICT
    assert again.login("alice2", token=alice.token).name == "alice2"
    assert again.person.id == id


def test_a_token_with_another_name_renames_a_guest_who_is_waited_for(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    alice.vanish()
    again = world.client()
    assert again.login("alicia", token=alice.token).name == "alicia"
    assert bob.heard(events.Renamed) == [events.Renamed(name="alice", to="alicia")]


def test_a_token_with_an_old_name_renames_nobody_who_is_here_or_registered(world: World) -> None:
    alice = world.guest("alice")
    alice.do(commands.Nick(name="al"))
    other = world.client()
    assert other.login("alice", token=alice.token).name == "al"
    alice.do(commands.Register(id=1, password="long enough"))
    alice.vanish()
    other.vanish()
    assert world.client().login("alice", token=alice.token).name == "al"


def test_a_token_does_not_help_where_guests_are_kept_out_now(world: World) -> None:
    alice = world.guest("alice")
    alice.quit()
    world.set(World(guests=False).settings)
    assert world.client().login(token=alice.token).code == Code.FORBIDDEN


def test_a_guest_who_is_waited_for_is_kept_out_as_well_and_one_who_registered_is_not(world: World) -> None:
    alice, bob = world.guest("alice"), world.registered("bob")
    alice.vanish()
    world.settings = World(guests=False).settings
    world.restart()
    assert world.client().login(token=alice.token).code == Code.FORBIDDEN
    assert world.client().login(token=bob.token).code == Code.ACCEPTED


def test_a_login_that_is_overtaken_by_the_release_of_the_name_is_told_to_try_again(world: World) -> None:
    alice = world.guest("alice")
    alice.vanish()
    world.now += 60_000
    world.pending += [(record, None) for record in world.chat.overdue(world.now)]
    ticket = world.client().start(Hello(id=1, token=alice.token))
    world.flush()
    assert ticket.replies == (
        events.Error(id=1, code=Code.UNAVAILABLE, text="your name was released just now: try again"),
    )
    assert world.client().login(token=alice.token).name == "alice"


def test_a_login_on_its_way_keeps_the_name_from_being_released(world: World) -> None:
    alice = world.guest("alice")
    alice.vanish()
    world.now += 59_500
    ticket = world.client().start(Hello(id=1, token=alice.token))
    world.now += 1_000
    assert world.chat.overdue(world.now) == []
    world.flush()
    assert ticket.replies is not None
    assert isinstance(ticket.replies[0], events.Welcome)


# --- passwords ------------------------------------------------------------------------------------------------------


def test_a_registered_name_needs_its_password_or_token(world: World) -> None:
    alice = world.registered("alice")
    for name in ("alice", "Alice"):
        assert world.client().login(name).code == Code.WRONG_PASSWORD
    assert world.client().login("alice", password="wrong password").code == Code.WRONG_PASSWORD
    welcome = world.client().login("Alice", password="long enough")
    assert (welcome.name, welcome.registered, welcome.token) == ("alice", True, "token-2")
    assert world.client().login(token=alice.token).token is None
    assert len(alice.person.sessions) == 3


@pytest.mark.parametrize("name", ["nobody_here", "guesty", "tokenonly"])
def test_a_wrong_name_is_answered_as_a_wrong_password_is_and_costs_a_hash(world: World, name: str) -> None:
    world.guest("guesty")
    world.registered("tokenonly", password=None)
    world.memory.asked.clear()
    reply = world.client().login(name, password="")
    assert (reply.code, reply.text) == (Code.WRONG_PASSWORD, "wrong name or password")
    assert [type(query) for query in world.memory.asked] == [queries.VerifyPassword]


def test_a_client_that_cannot_keep_a_token_gets_none(world: World) -> None:
    world.registered("alice")
    nc = world.client(resumable=False)
    assert nc.login("alice", password="long enough").token is None
    assert world.client(resumable=False).login("bob").token is None


def test_passwords_travel_only_where_others_cannot_read_them(world: World) -> None:
    world.registered("alice")
    far = world.client(secure=False)
    assert far.login("alice", password="long enough").code == Code.FORBIDDEN
    assert far.login("bob", server_password="x").code == Code.FORBIDDEN
    assert far.login("bob").code == Code.ACCEPTED
    assert far.code(commands.Register(id=1, password="long enough")) == Code.FORBIDDEN
    assert far.code(commands.Join(id=1, room="#new", password="word")) == Code.FORBIDDEN
    assert "#new" not in world.state.rooms.by_key
    world.set(World(insecure_passwords=True).settings)
    assert world.client(secure=False).login("alice", password="long enough").code == Code.ACCEPTED


def test_no_password_is_asked_for_where_others_could_read_it(world: World) -> None:
    world.registered("alice")
    refused = world.client(secure=False).login("Alice")
    assert (refused.code, refused.text) == (Code.FORBIDDEN, "alice is registered: log in over TLS")
    assert world.client().login("Alice").code == Code.WRONG_PASSWORD
    closed = World(server_password="sesame")
    refused = closed.client(secure=False).login("bob")
    assert (refused.code, refused.text) == (
        Code.FORBIDDEN, "this server asks everyone for a password: log in over TLS"
    )  # fmt: skip
    open_hearted = World(server_password="sesame", insecure_passwords=True)
    assert open_hearted.client(secure=False).login("bob").code == Code.LOGIN_FIRST


def test_a_server_password_that_is_missing_is_asked_for_and_a_wrong_one_is_told() -> None:
    alice = World(server_password="sesame").client()
    assert alice.login("alice").text == "this server asks everyone for a password"
    assert alice.login("alice", server_password="simsim").text == "that is not this server's password"


def test_a_server_password_is_asked_of_everybody() -> None:
    world = World(server_password="sesame")
    alice = world.client()
    for _ in range(10):  # none is no guess
        assert alice.login("alice").code == Code.LOGIN_FIRST
    assert alice.login("alice", server_password="simsim").code == Code.LOGIN_FIRST
    assert alice.login("alice", server_password="sesame").code == Code.ACCEPTED
    assert world.client().login(token=alice.token).code == Code.LOGIN_FIRST
    assert world.client().login(token=alice.token, server_password="sesame").code == Code.ACCEPTED


def test_a_password_that_was_changed_while_it_was_looked_at_does_not_count(world: World) -> None:
    alice = world.registered("alice")
    other = world.client()
    outcome = world.chat.handle(other.session, Hello(name="alice", password="long enough"), world.now)
    alice.do(commands.Passwd(id=1, old="long enough", new="longer still"))
    with pytest.raises(Exception, match="wrong name or password"):
        outcome.then(True)  # type: ignore[union-attr,misc,arg-type]


def test_the_apps_own_client_needs_no_proof_and_takes_nobodys_place() -> None:
    world = World(server_password="sesame", guests=False)
    bot = world.client(inside=True)
    assert bot.login("bot").code == Code.ACCEPTED
    assert bot.code(commands.Register(id=1, password="long enough")) == Code.CREATED
    assert world.client(inside=True).login("bot").code == Code.WRONG_PASSWORD, "the bot is here"
    bot.quit()
    again = world.client(inside=True)
    assert again.login("bot").registered
    assert again.person is bot.person


# --- wrong passwords ------------------------------------------------------------------------------------------------


def guess(world: World, address: str, name: str = "alice", password: str = "wrong password") -> int:
    reply = world.client(address=address).login(name, password=password)
    assert isinstance(reply, events.Error | events.Welcome)
    return reply.code


def test_wrong_passwords_slow_their_address_down_and_nobody_else(world: World) -> None:
    alice = world.registered("alice")
    alice.vanish()
    assert [guess(world, FAR) for _ in range(7)] == [Code.WRONG_PASSWORD] * 6 + [Code.TOO_FAST]
    assert guess(world, FAR, password="long enough") == Code.TOO_FAST
    assert guess(world, "192.0.2.8", password="long enough") == Code.ACCEPTED
    assert world.client(address=FAR).login(token=alice.token).code == Code.ACCEPTED
    world.now += 1000
    assert guess(world, FAR, password="long enough") == Code.ACCEPTED


def test_the_wait_is_told_and_grows(world: World) -> None:
    world.registered("alice")
    waits = []
    for _ in range(8):
        while guess(world, FAR) != Code.TOO_FAST:
            pass
        waits.append(world.client(address=FAR).login("alice", password="x").wait)
        world.now += int(waits[-1] * 1000)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128]


def test_guesses_made_at_once_cost_as_much_as_in_turn(world: World) -> None:
    world.registered("alice")
    outcomes = [
        (client, world.chat.handle(client.session, Hello(id=1, name="alice", password="guess"), world.now))
        for client in [world.client(address=FAR) for _ in range(50)]
    ]
    codes = []
    for client, outcome in outcomes:
        ticket = world.carry(client, outcome)
        assert ticket.replies is not None
        codes.append(ticket.replies[0].code)  # type: ignore[union-attr]
    assert codes == [Code.WRONG_PASSWORD] * 6 + [Code.TOO_FAST] * 44


def test_an_account_of_ones_own_buys_no_guesses_at_others(world: World) -> None:
    world.registered("alice")
    world.registered("mallory")
    codes = []
    for _ in range(10):
        codes.append(guess(world, FAR))
        guess(world, FAR, "mallory", "long enough")
    assert codes == [Code.WRONG_PASSWORD] * 6 + [Code.TOO_FAST] * 4


def test_slips_are_forgiven_by_the_right_password_or_by_time(world: World) -> None:
    world.registered("alice")
    for _ in range(20):
        assert guess(world, FAR) == Code.WRONG_PASSWORD
        assert guess(world, FAR, password="long enough") == Code.ACCEPTED
    for _ in range(4):
        guess(world, FAR)
    world.now += FORGIVEN_AFTER + 1
    assert [guess(world, FAR) for _ in range(6)] == [Code.WRONG_PASSWORD] * 6


# --- bans -----------------------------------------------------------------------------------------------------------


def ban(world: World, **target: object) -> None:
    world.append(records.BanSet(time=world.now, room=0, by="root", who="x", **target))  # type: ignore[arg-type]


def test_a_banned_address_is_kept_out_but_for_administrators(world: World) -> None:
    alice = world.registered("alice")
    ban(world, address="192.0.2.0/24")
    far = world.client(address=FAR)
    assert far.login("bob").code == Code.FORBIDDEN
    assert far.login(token=alice.token).code == Code.FORBIDDEN
    assert far.login("alice", password="long enough").code == Code.FORBIDDEN
    assert world.client(address="192.0.3.1").login("bob").code == Code.ACCEPTED
    world.append(records.AdministratorSet(time=world.now, person=alice.person.id))
    assert far.login(token=alice.token).code == Code.ACCEPTED


def test_a_banned_name_is_kept_out_whoever_comes_with_it(world: World) -> None:
    ban(world, key="troll")
    assert world.client().login("Troll").code == Code.FORBIDDEN
    guest = world.guest("trill")
    assert guest.code(commands.Nick(id=1, name="TROLL")) == Code.FORBIDDEN
    guest.vanish()
    assert world.client().login("troll", token=guest.token).code == Code.FORBIDDEN


def test_a_banned_guest_is_kept_out_by_name_without_the_token_and_by_token_without_the_name(world: World) -> None:
    root, troll = world.administrator(), world.guest("troll")
    assert root.code(commands.Ban(id=1, who="troll")) == Code.OK
    world.wait(61)
    assert world.client().login("troll").code == Code.FORBIDDEN
    assert world.client().login("innocent", token=troll.token).code == Code.FORBIDDEN
    assert root.code(commands.Unban(id=1, who="troll")) == Code.OK
    assert world.client().login("innocent", token=troll.token).code == Code.ACCEPTED


def test_a_ban_ends_in_time(world: World) -> None:
    ban(world, key="troll", until=START + 5_000)
    assert world.client().login("troll").code == Code.FORBIDDEN
    world.now = START + 5_000
    assert world.client().login("troll").code == Code.ACCEPTED


def test_a_ban_that_overtakes_a_login_wins(world: World) -> None:
    alice = world.guest("alice")
    again = world.client()
    ticket = again.start(Hello(id=1, token=alice.token))
    world.pending.insert(
        0, (records.BanSet(time=world.now, room=0, by="root", who="alice", person=alice.person.id), None)
    )
    world.flush()
    assert ticket.replies is not None
    assert isinstance(ticket.replies[0], events.Error)
    assert again.session not in world.state.sessions


# --- many sessions --------------------------------------------------------------------------------------------------


def test_a_person_has_so_many_sessions(world: World) -> None:
    world = World(limits={"sessions": 3})
    alice = world.guest("alice")
    for _ in range(2):
        world.again(alice)
    assert world.client().login(token=alice.token).code == Code.TOO_FAST


def test_those_who_come_all_at_once_are_counted_too() -> None:
    world = World(limits={"sessions": 3})
    alice = world.guest("alice")
    tickets = [world.client().start(Hello(id=1, token=alice.token)) for _ in range(5)]
    world.flush()
    replies = [ticket.replies[0] for ticket in tickets if ticket.replies]
    assert [reply.code for reply in replies] == [202, 202, 429, 429, 429]  # type: ignore[union-attr]
    assert len(alice.person.sessions) == len(world.room().audience) == 3


# --- rooms in hello -------------------------------------------------------------------------------------------------


def notices(client: Client, **fields: object) -> list[str]:
    ticket = client.start(Hello(id=1, **fields))  # type: ignore[arg-type]
    client.world.flush()
    assert ticket.replies is not None
    assert isinstance(ticket.replies[0], events.Welcome)
    return [event.text for event in ticket.replies if isinstance(event, events.Notice)]


def test_exactly_the_rooms_of_hello_are_joined(world: World) -> None:
    alice = world.client()
    assert alice.login("alice", rooms=["#Ops", "#tea", "#OPS"]).rooms == ["#Ops", "#tea"]
    assert world.client().login("bob", rooms=[]).rooms == []
    assert world.room("#ops").owners == {alice.person.id}


def test_what_hinders_at_a_room_is_a_notice_and_the_login_succeeds(world: World) -> None:
    owner = world.guest("ann", "#open", "#hidden", "#locked", "#banned")
    owner.do(commands.SetRoom(room="#hidden", private=True))
    owner.do(commands.SetRoom(room="#locked", password="word"))
    owner.do(commands.Ban(room="#banned", who="alice"))
    alice = world.client()
    asked = ["bad name", "#Hidden", "#LOCKED", "#banned", "#open", "#" + "x" * 1000]
    assert notices(alice, name="alice", rooms=asked) == [
        "bad name: a room's name begins with #",
        "#" + "x" * 79 + "…: a room's name has at most 64 characters",
        "#Hidden cannot be joined",
        "#locked has a password: join it by itself",
        "#banned: you are banned",
    ]
    assert [room.name for room in alice.person.rooms.values()] == ["#open"]


def test_rooms_beyond_the_limits_are_notices_too() -> None:
    world = World(limits={"rooms": 3, "rooms_in_all": 5})
    alice = world.guest("alice", "#a", "#b")
    assert notices(world.client(), token=alice.token, rooms=["#a", "#b", "#c", "#d", "#a"]) == [
        "#d: you are in 3 rooms already"
    ]
    bob = world.client()
    assert notices(bob, name="bob", rooms=["#e", "#f", "#lobby"]) == ["#f: this server has 5 rooms already"]
    assert [room.name for room in bob.person.rooms.values()] == ["#e", "#lobby"]
    again = world.client()
    assert notices(again, token=alice.token, rooms=["#a", "#b", "#c", "#lobby"]) == [
        "#lobby: you are in 3 rooms already"
    ]


def test_a_login_with_a_thousand_bad_rooms_is_told_of_some(world: World) -> None:
    assert len(notices(world.client(), name="alice", rooms=["bad"] * 1000)) == 20


def test_rooms_that_two_open_at_once_belong_to_the_first(world: World) -> None:
    one, two = world.client(), world.client()
    for client, name in ((one, "alice"), (two, "bob")):
        client.start(Hello(id=1, name=name, rooms=["#new"]))
    world.flush()
    assert world.room("#new").owners == {one.person.id}
    assert list(world.room("#new").members) == [one.person, two.person]


# --- what is left when a login fails half-way -----------------------------------------------------------------------


def test_a_login_that_fails_half_way_holds_no_name_for_ever(world: World) -> None:
    alice = world.client()
    ticket = alice.start(Hello(id=1, name="alice", rooms=["#new"]))
    record, _ = world.pending.pop()
    world.pending.append((record, ticket))
    world.chat.apply(1000, record, alice.session)  # stored, and then the connection is cut: nobody goes on
    world.pending.clear()
    assert "alice" in world.state.people.by_key
    world.wait(61)
    assert "alice" not in world.state.people.by_key
    assert world.client().login("alice").code == Code.ACCEPTED


def test_a_cursor_beyond_the_end_of_the_log_is_one_of_another_log(world: World) -> None:
    """After the server was set back to an older copy: whoever comes back is sent what they may have missed."""
    alice, bob = world.registered("alice"), world.guest("bob")
    alice.quit()
    bob.say("alice", "a letter")
    back = world.client()
    ticket = back.start(commands.Hello(id=1, token=alice.token, since=world.last_seq + 100, epoch="epoch"))
    world.flush()
    assert ticket.replies is not None
    assert [told.text for told in ticket.replies if isinstance(told, events.Said)] == ["a letter"]
