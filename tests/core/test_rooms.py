"""Rooms: entering and leaving, who finds back into a closed one, topic, options, invitations."""

from typing import Any

import pytest
from msgspec import structs

from asyncchat.core import membership
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Invite, Join, Leave, SetRole, SetRoom, Topic
from asyncchat.vocabulary.terms import Code, Role
from tests.core.driver import Client, World


def names(world: World, room: str) -> list[str]:
    return [person.name for person in world.room(room).members]


# --- entering and leaving -------------------------------------------------------------------------------------------


def test_a_room_is_opened_by_whoever_comes_first_and_theirs(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    alice.forget()
    assert alice.code(Join(id=1, room="#Tea")) == Code.CREATED
    assert bob.code(Join(id=1, room="＃TEA")) == Code.OK
    assert alice.told == [
        events.Joined(name="alice", room="#Tea", role=Role.OWNER),
        events.Joined(name="bob", room="#Tea"),
    ]
    assert bob.told == alice.told[1:]
    assert names(world, "#tea") == ["alice", "bob"]


@pytest.mark.parametrize(
    ("founding", "who"),
    [("everyone", "gra"), ("registered", "ra"), ("administrators", "a")],
)
def test_who_may_open_rooms_is_the_operators_to_say(founding: str, who: str) -> None:
    world = World(founding=founding)
    people = {"g": world.guest("guest_"), "r": world.registered("robin"), "a": world.administrator()}
    for letter, client in people.items():
        opened = letter in who
        assert client.code(Join(id=1, room=f"#{letter}")) == (Code.CREATED if opened else Code.FORBIDDEN)
        assert (f"#{letter}" in world.state.rooms.by_key) == opened
        welcome = world.client().login(token=client.token, rooms=["#lobby", f"#{letter}{letter}"])
        assert (f"#{letter}{letter}" in welcome.rooms) == opened
    assert people["g"].code(Join(id=2, room="#a")) == Code.OK, "once it is open, it is open to all"


def test_the_apps_own_clients_open_rooms() -> None:
    world = World(founding="administrators")
    client = world.client(inside=True)
    assert client.login("bot", rooms=["#status"]).rooms == ["#status"]
    assert client.code(Join(id=1, room="#news")) == Code.CREATED


def test_to_join_again_is_no_news(world: World) -> None:
    alice = world.guest("alice")
    assert alice.do(Join(id=1, room="#LOBBY")) == events.Ok(id=1, code=Code.OK, text="you are in #lobby already")
    assert alice.told == []


def test_a_person_is_in_a_room_with_all_sessions(world: World) -> None:
    alice = world.guest("alice")
    other = world.again(alice)
    alice.do(Join(room="#tea"))
    assert other.heard(events.Joined) == [events.Joined(name="alice", room="#tea", role=Role.OWNER)]
    assert other.say("#tea").code == Code.OK
    other.do(Leave(room="#tea", reason="so\nlong"))
    assert alice.heard(events.Left) == [events.Left(name="alice", room="#tea", reason="so long")]
    assert alice.say("#tea").code == Code.FORBIDDEN


def test_who_leaves_is_told_and_hears_no_more(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    alice.forget()
    assert alice.code(Leave(id=1, room="#lobby")) == Code.OK
    left = events.Left(name="alice", room="#lobby")
    assert (alice.told, bob.told) == ([left], [left])
    bob.say("#lobby")
    assert alice.told == [left]
    assert alice.code(Leave(id=1, room="#lobby")) == Code.CONFLICT
    assert alice.code(Leave(id=1, room="#nowhere")) == Code.NOT_FOUND


def test_of_two_who_open_a_room_at_once_the_first_owns_it(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    tickets = [client.start(Join(id=1, room=room)) for client, room in ((alice, "#Tea"), (bob, "#TEA"))]
    world.flush()
    assert [ticket.replies[0].code for ticket in tickets if ticket.replies] == [201, 200]  # type: ignore[union-attr]
    assert world.room("#tea").owners == {alice.person.id}
    assert len(world.state.rooms) == 2


def test_so_many_rooms_a_person_and_in_all() -> None:
    world = World(limits={"rooms": 3, "rooms_in_all": 5})
    alice, bob = world.guest("alice", "#a", "#b", "#c"), world.guest("bob")
    assert alice.code(Join(id=1, room="#d")) == Code.FORBIDDEN
    assert alice.code(Join(id=1, room="#lobby")) == Code.FORBIDDEN
    assert alice.code(Join(id=1, room="#a")) == Code.OK
    assert bob.code(Join(id=1, room="#d")) == Code.CREATED
    assert bob.code(Join(id=1, room="#e")) == Code.FORBIDDEN
    assert bob.code(Join(id=1, room="#a")) == Code.OK


@pytest.mark.parametrize("room", ["lobby", "#", "#a b", "#a,b", "#" + "x" * 64, "##\x00"])
def test_what_is_no_name_opens_no_room(world: World, room: str) -> None:
    assert world.guest("alice").code(Join(id=1, room=room)) == Code.MALFORMED


def test_a_room_with_a_password_is_joined_with_it(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", address="192.0.2.7")
    assert ann.code(SetRoom(id=1, room="#tea", password="sesame")) == Code.OK
    assert bob.code(Join(id=1, room="#tea")) == Code.FORBIDDEN
    assert bob.code(Join(id=1, room="#tea", password="simsim")) == Code.WRONG_PASSWORD
    assert bob.code(Join(id=1, room="#tea", password="sesame")) == Code.OK
    carol = world.guest("carol", address="192.0.2.7")
    assert [carol.code(Join(id=1, room="#tea", password="x")) for _ in range(7)] == [402] * 6 + [429]
    ann.do(SetRoom(room="#tea", password=""))
    assert carol.code(Join(id=1, room="#tea")) == Code.OK


def test_a_password_that_was_changed_while_it_was_looked_at_opens_no_room(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob")
    ann.do(SetRoom(room="#tea", password="sesame"))
    outcome = world.chat.handle(bob.session, Join(id=1, room="#tea", password="sesame"), world.now)
    ann.do(SetRoom(room="#tea", password="another"))
    ticket = world.carry(bob, outcome)
    assert ticket.replies is not None
    assert ticket.replies[0].code == Code.WRONG_PASSWORD  # type: ignore[union-attr]


@pytest.mark.parametrize("private", [False, True])
def test_the_old_password_lets_nobody_in_while_another_is_on_its_way(world: World, private: bool) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob")
    ann.do(SetRoom(room="#tea", password="sesame", private=private))
    ann.start(SetRoom(room="#tea", password="another"))
    ticket = bob.start(Join(id=1, room="#tea", password="sesame"))
    world.flush()
    assert ticket.replies is not None
    assert ticket.replies[0].code == (Code.FORBIDDEN if private else Code.WRONG_PASSWORD)  # type: ignore[union-attr]
    assert names(world, "#tea") == ["ann"]
    world.restart()
    assert come_back(world, bob) == []


def come_back(world: World, client: Client, room: str = "#tea") -> list[str]:
    """Log in again by token, into this room and no other; returns the rooms that let the person in."""
    again = world.client()
    rooms: list[str] = again.login(token=client.token, rooms=[room]).rooms
    return rooms


def test_members_find_back_into_a_room_that_has_closed(world: World) -> None:
    ann, bob, carol = (world.guest(name, "#tea") for name in ("ann", "bob", "carol"))
    carol.do(Leave(room="#tea"))
    ann.do(SetRoom(room="#tea", private=True))
    assert not bob.heard(events.Invited), "nobody has invited them"
    world.restart()
    assert [come_back(world, client) for client in (ann, bob, carol)] == [["#tea"], ["#tea"], []]


def test_who_has_said_the_password_finds_back_without_it(world: World) -> None:
    ann, bob, carol = world.guest("ann", "#tea"), world.registered("bob", "#b"), world.guest("carol", "#c")
    ann.do(SetRoom(room="#tea", password="sesame", private=True))
    for client in (bob, carol):
        assert client.code(Join(id=1, room="#tea", password="sesame")) == Code.OK
        assert not client.heard(events.Invited)
    bob.vanish()
    world.wait(100)
    assert come_back(world, bob) == ["#tea"]
    world.restart()
    assert come_back(world, carol) == ["#tea"]


def test_who_was_put_out_does_not_find_back(world: World) -> None:
    ann, bob, carol = world.guest("ann", "#tea"), world.guest("bob", "#tea"), world.guest("carol")
    ann.do(SetRoom(room="#tea", password="sesame"))
    carol.do(Join(room="#tea", password="sesame"))
    for name in ("bob", "carol"):
        ann.do(commands.Kick(room="#tea", name=name))
    world.restart()
    assert [come_back(world, client) for client in (bob, carol)] == [[], []]


@pytest.mark.parametrize("password", ["another", "sesame"])
def test_another_password_counts_for_those_who_are_out(world: World, password: str) -> None:
    ann, bob, carol, dora = world.guest("ann", "#tea"), *(world.guest(name) for name in ("bob", "carol", "dora"))
    ann.do(SetRoom(room="#tea", password="sesame"))
    ann.do(Invite(room="#tea", name="dora"))
    for client in (bob, carol, dora):
        client.do(Join(room="#tea", password="sesame"))
    for client in (bob, dora):
        client.do(Leave(room="#tea"))
    ann.do(SetRoom(room="#tea", password=password))
    world.restart()
    assert [come_back(world, client) for client in (bob, carol, dora)] == [[], ["#tea"], ["#tea"]]


def test_of_those_who_said_the_password_guests_who_have_gone_are_forgotten_one_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "REMEMBERED", 3)
    ann, bob = world.guest("ann", "#tea"), world.registered("bob")
    dora, *guests = (world.guest(f"guest{number}") for number in range(6))
    ann.do(SetRoom(room="#tea", password="sesame"))
    ann.do(Invite(room="#tea", name="guest0"))
    for client in (dora, bob, *guests):
        client.do(Join(room="#tea", password="sesame"))
        client.quit()
        assert len(world.room("#tea").invited) <= 4
    world.restart()
    assert [come_back(world, client) for client in (dora, bob, guests[0])] == [["#tea"], ["#tea"], []]


def test_who_is_banned_while_the_password_is_on_its_way_is_not_let_in_by_it_later(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob")
    ann.do(SetRoom(room="#tea", password="sesame"))
    bob.start(Join(room="#tea", password="sesame"))
    ann.start(commands.Ban(room="#tea", who="bob"))
    world.flush()
    ann.do(commands.Unban(room="#tea", who="bob"))
    assert bob.code(Join(id=1, room="#tea")) == Code.FORBIDDEN


def test_the_list_of_rooms(world: World) -> None:
    ann = world.guest("ann", "#tea", "#beer")
    ann.do(Topic(room="#tea", text="green"))
    ann.do(SetRoom(room="#beer", moderated=True, password="x"))
    ann.do(Topic(room="#beer", text="lager"))
    bob = world.guest("bob")
    assert bob.do(commands.Rooms()).rooms == [
        events.Room(name="#lobby", members=1),
        events.Room(name="#tea", members=1, topic="green"),
        events.Room(name="#beer", members=1, moderated=True, password=True),
    ]


def test_a_ban_that_comes_while_a_password_is_looked_at_counts(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob")
    ann.do(SetRoom(room="#tea", password="sesame"))
    outcome = world.chat.handle(bob.session, Join(id=1, room="#tea", password="sesame"), world.now)
    ann.do(commands.Ban(room="#tea", who="bob"))
    ticket = world.carry(bob, outcome)
    world.flush()
    assert ticket.replies is not None
    assert ticket.replies[0].code == Code.FORBIDDEN  # type: ignore[union-attr]
    assert names(world, "#tea") == ["ann"]


BANS = [commands.Ban(room="#tea", who=who) for who in ("bob", "192.0.2.0/24")]


@pytest.mark.parametrize("order", [*BANS, SetRoom(room="#tea", private=True), SetRoom(room="#tea", password="sesame")])
def test_who_comes_while_the_room_closes_to_them_stays_out(world: World, order: commands.Command) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", address="192.0.2.7")
    late = world.client(address="192.0.2.7")
    ann.start(order)
    tickets = [
        bob.start(Join(id=1, room="#tea")),
        late.start(commands.Hello(id=1, token=bob.token, rooms=["#lobby", "#tea"])),
    ]
    world.flush()
    assert names(world, "#tea") == ["ann"]
    joined, (welcome, *told) = (ticket.replies or () for ticket in tickets)
    assert [reply.code for reply in joined] == [Code.FORBIDDEN]  # type: ignore[union-attr]
    assert (welcome.rooms, told) == (["#lobby"], [events.Notice(text="#tea cannot be joined")])  # type: ignore[union-attr]


@pytest.mark.parametrize("ban", BANS)
def test_who_comes_just_before_a_ban_is_put_out(world: World, ban: commands.Ban) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", address="192.0.2.7")
    bob.start(Join(room="#tea"))
    ticket = ann.start(structs.replace(ban, id=1))
    world.flush()
    assert names(world, "#tea") == ["ann"]
    assert bob.heard(events.Kicked) == [events.Kicked(sender="ann", name="bob", room="#tea")]
    assert ticket.replies is not None
    assert ticket.replies[0].code == Code.OK  # type: ignore[union-attr]


def test_who_is_thrown_out_while_a_room_closes_is_not_admitted(world: World) -> None:
    ann, op, bob = world.guest("ann", "#tea"), world.guest("op", "#tea"), world.guest("bob", "#tea")
    ann.do(commands.SetRole(id=1, room="#tea", name="op", role=Role.OPERATOR))
    for first, second in (
        ((op, commands.Kick(id=1, room="#tea", name="bob")), (ann, commands.SetRoom(id=2, room="#tea", private=True))),
        ((ann, commands.SetRoom(id=2, room="#tea", private=True)), (op, commands.Kick(id=1, room="#tea", name="bob"))),
    ):
        ann.do(commands.SetRoom(id=1, room="#tea", private=False))
        bob.do(commands.Join(id=1, room="#tea"))
        for client, command in (first, second):
            client.start(command)
        world.flush()
        assert bob.code(commands.Join(id=1, room="#tea")) == Code.FORBIDDEN
        assert bob.person.id not in world.room("#tea").invited


def test_who_comes_in_while_a_room_closes_is_admitted_as_well(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob")
    bob.start(commands.Join(id=1, room="#tea"))
    ann.start(commands.SetRoom(id=1, room="#tea", private=True))
    world.flush()
    assert bob.person in world.room("#tea").members
    assert bob.person.id in world.room("#tea").invited
    assert not bob.heard(events.Invited)


def test_a_ban_of_an_address_ends_the_admissions_of_those_it_puts_out(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea", address="192.0.2.7")
    ann.do(commands.SetRoom(id=1, room="#tea", private=True))
    ann.do(commands.Ban(id=1, room="#tea", who="192.0.2.7"))
    elsewhere = world.client(address="192.0.2.8")
    elsewhere.login(token=bob.token)
    assert elsewhere.code(commands.Join(id=1, room="#tea")) == Code.FORBIDDEN


def test_who_loses_a_role_in_a_closed_room_comes_back_all_the_same(world: World) -> None:
    ann, bob = world.registered("ann", "#tea"), world.registered("bob")
    ann.do(commands.SetRoom(id=1, room="#tea", private=True))
    ann.do(commands.SetRole(id=1, room="#tea", name="bob", role=Role.OPERATOR))
    assert bob.code(commands.Join(id=1, room="#tea")) == Code.OK
    ann.do(commands.SetRole(id=1, room="#tea", name="bob", role=Role.MEMBER))
    world.restart()
    again = world.client()
    assert again.login(token=bob.token, rooms=["#tea"]).rooms == ["#tea"]


# --- removing -------------------------------------------------------------------------------------------------------


def test_a_room_is_removed_once_that_is_confirmed(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea")
    ann.say("#tea", "secret")
    for confirm in (None, "", "#lobby", "tea", "x" * 5000):
        assert ann.code(commands.Destroy(id=1, room="#tea", confirm=confirm)) == Code.MALFORMED
    bob.forget()
    ann.forget()
    assert ann.code(commands.Destroy(id=1, room="#tea", confirm="#TEA", reason="moved")) == Code.OK
    told = [events.Destroyed(sender="ann", room="#tea", reason="moved")]
    assert (ann.told, bob.told) == (told, told)
    assert bob.code(commands.History(id=1, to="#tea")) == Code.NOT_FOUND
    assert not any(client.person.rooms for client in (ann, bob))


def test_the_name_of_a_removed_room_is_free_and_what_was_said_stays_gone(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob")
    said = ann.say("#tea", "secret")
    ann.do(commands.Destroy(room="#tea", confirm="#tea"))
    assert bob.code(Join(id=1, room="#tea")) == Code.CREATED
    assert bob.do(commands.History(id=1, to="#tea")).events == []
    assert bob.code(commands.Edit(id=1, seq=said.seq, text="x")) == Code.NOT_FOUND
    assert bob.do(commands.Search(id=1, text="secret")).events == []
    world.restart()
    assert world.room("#tea").founder == bob.person.id


def test_the_servers_own_room_stays(world: World) -> None:
    admin = world.administrator()
    assert admin.code(commands.Destroy(id=1, room="#lobby", confirm="#lobby")) == Code.CONFLICT


def test_a_message_on_its_way_into_a_room_that_is_removed(world: World) -> None:
    """It is in the log, so its author hears of it; nobody finds it any more."""
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea")
    ann.start(commands.Destroy(id=1, room="#tea", confirm="#tea"))
    ticket = bob.start(commands.Say(id=2, to="#tea", text="late"))
    world.flush()
    assert ticket.replies is not None
    assert ticket.replies[0] == events.Ok(id=2, code=Code.OK, seq=bob.heard(events.Said)[0].seq)
    assert [said.text for said in bob.heard(events.Said)] == ["late"]
    assert bob.do(commands.Search(id=3, text="late")).events == []


# --- topic and options ----------------------------------------------------------------------------------------------


def test_a_topic_is_set_asked_for_and_cleared(world: World) -> None:
    alice, bob, carol = world.guest("alice"), world.guest("bob"), world.guest("carol", "#elsewhere")
    assert alice.code(Topic(id=1, room="#LOBBY", text=" tea\n at  four ")) == Code.OK
    assert bob.heard(events.TopicChanged) == [
        events.TopicChanged(
            seq=world.last_seq, time="2023-11-14T22:13:20.000Z", sender="alice", room="#lobby", text="tea at four"
        )
    ]
    assert carol.do(Topic(id=1, room="#lobby")).text == "tea at four"
    assert bob.do(commands.Who(room="#lobby")).topic == "tea at four"
    assert carol.code(Topic(id=1, room="#lobby", text="x")) == Code.FORBIDDEN
    assert alice.code(Topic(id=1, room="#lobby", text="x" * 513)) == Code.TOO_LONG
    world.restart()
    again = world.again(bob)
    assert again.do(Topic(id=1, room="#lobby")).text == "tea at four"
    assert again.code(Topic(id=1, room="#lobby", text="")) == Code.OK
    assert again.do(Topic(id=1, room="#lobby")).text == ""


def test_options_stay_unless_named(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea")
    for fields in ({"moderated": True}, {"retention": 7}, {"password": "x"}, {"private": True}):
        assert ann.code(SetRoom(id=1, room="#tea", **fields)) == Code.OK
    expected: dict[str, Any] = {"private": True, "moderated": True, "retention": 7, "password": True}
    assert bob.heard(events.RoomChanged)[-1] == events.RoomChanged(sender="ann", room="#tea", **expected)
    ann.do(SetRoom(room="#tea", moderated=False, password=""))
    expected |= {"moderated": False, "password": False}
    assert bob.heard(events.RoomChanged)[-1] == events.RoomChanged(sender="ann", room="#tea", **expected)
    room = world.room("#tea")
    world.restart()
    again = world.room("#tea")
    for option in ("private", "moderated", "topic_locked", "retention", "password"):
        assert getattr(again, option) == getattr(room, option)


def test_of_options_that_two_set_at_once_none_is_lost(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea")
    ann.do(SetRole(room="#tea", name="bob", role=Role.OWNER))
    ann.start(SetRoom(room="#tea", private=True))
    bob.start(SetRoom(room="#tea", moderated=True, password="sesame"))
    ann.start(SetRoom(room="#tea", retention=7))
    world.flush()
    both = events.RoomChanged(sender="ann", room="#tea", private=True, moderated=True, retention=7, password=True)
    assert bob.heard(events.RoomChanged)[-1] == both


@pytest.mark.parametrize(("password", "code"), [("x", 200), ("x" * 256, 200), ("x" * 257, 413)])
def test_a_rooms_password_has_a_length(world: World, password: str, code: int) -> None:
    assert world.guest("ann", "#tea").code(SetRoom(id=1, room="#tea", password=password)) == code


# --- invitations ----------------------------------------------------------------------------------------------------


def test_an_invitation_lets_in_and_is_told_to_the_one_invited(world: World) -> None:
    ann, bob, carol = world.guest("ann", "#tea"), world.guest("bob"), world.guest("carol")
    ann.do(SetRoom(room="#tea", private=True, password="x"))
    assert bob.code(Join(id=1, room="#tea")) == Code.FORBIDDEN
    other = world.again(bob)
    assert ann.code(Invite(id=1, room="#tea", name="bob")) == Code.OK
    assert (
        bob.heard(events.Invited)
        == other.heard(events.Invited)
        == [events.Invited(sender="ann", name="bob", room="#tea")]
    )
    assert not carol.heard(events.Invited)
    assert not ann.heard(events.Invited)
    assert [room.name for room in bob.do(commands.Rooms()).rooms] == ["#lobby", "#tea"]
    assert bob.code(Join(id=1, room="#tea")) == Code.OK
    bob.do(Leave(room="#tea"))
    assert bob.code(Join(id=1, room="#tea")) == Code.OK, "the invitation stays"
    assert ann.code(Invite(id=1, room="#tea", name="bob")) == Code.CONFLICT
    assert ann.code(Invite(id=1, room="#tea", name="nobody_")) == Code.NOT_FOUND


def test_only_an_operator_invites_for_the_time_when_a_room_has_closed(world: World) -> None:
    ann, bob, carol = (world.guest(name, "#tea") for name in ("ann", "bob", "carol"))
    eve, friend = world.guest("eve"), world.guest("friend")
    ann.do(SetRole(room="#tea", name="carol", role=Role.OPERATOR))
    for inviting, invited in ((bob, eve), (carol, friend)):
        name = invited.person.name
        assert inviting.code(Invite(id=1, room="#tea", name=name)) == Code.OK
        told = events.Invited(sender=inviting.person.name, name=name, room="#tea")
        assert invited.heard(events.Invited) == [told]
    ann.do(SetRoom(room="#tea", private=True, password="sesame"))
    assert eve.code(Join(id=1, room="#tea")) == Code.FORBIDDEN
    assert friend.code(Join(id=1, room="#tea")) == Code.OK


def test_operators_invite_so_many_people() -> None:
    world = World(limits={"invited": 2})
    ann, bob, _ = world.guest("ann", "#tea"), world.guest("bob", "#tea"), world.guest("dora")
    carol, eve = world.registered("carol"), world.guest("eve")

    def invite(name: str) -> Any:
        return ann.do(Invite(id=1, room="#tea", name=name))

    assert [invite(name).code for name in ("carol", "eve", "carol")] == [Code.OK] * 3
    assert invite("dora") == events.Error(
        id=1, code=Code.FORBIDDEN, text="#tea has 2 people invited already: put somebody out first"
    )
    assert bob.code(Invite(id=1, room="#tea", name="dora")) == Code.OK, "which is no more than to tell them"
    ann.do(SetRoom(room="#tea", private=True))  # and who is in is let in for good, without an invitation
    carol.quit()
    assert invite("dora").code == Code.FORBIDDEN, "whoever is registered is not forgotten"
    eve.quit()
    assert invite("dora").code == Code.OK, "a guest who has gone is"
    ann.do(commands.Ban(room="#tea", who="dora"))
    world.guest("fred")
    assert invite("fred").code == Code.OK
    world.restart()
    assert world.room("#tea").by_operators == {carol.person.id, world.state.people.by_key["fred"].id}


def test_a_room_has_so_many_people_with_a_role() -> None:
    world = World(limits={"roles": 3})
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea")
    carol, _ = world.registered("carol", "#tea"), world.guest("dora", "#tea")

    def give(name: str, role: Role = Role.VOICE) -> Any:
        return ann.do(SetRole(id=1, room="#tea", name=name, role=role))

    assert [give(name).code for name in ("bob", "carol")] == [Code.OK] * 2
    assert give("dora") == events.Error(
        id=1, code=Code.FORBIDDEN, text="#tea has 3 people with a role already: make one a member first"
    )
    assert give("bob", Role.OPERATOR).code == Code.OK, "they have one already"
    assert give("dora", Role.MEMBER).code == Code.OK, "which is none"
    carol.quit()
    assert give("dora").code == Code.FORBIDDEN, "whoever is registered is not forgotten"
    bob.quit()
    assert give("dora").code == Code.OK, "a guest who has gone is"
    back = world.client()
    back.login(token=bob.token, rooms=["#tea"])
    assert world.room("#tea").role(back.person) is Role.MEMBER
    assert give("bob").code == Code.FORBIDDEN
    assert give("dora", Role.MEMBER).code == Code.OK
    assert give("bob").code == Code.OK


def test_no_owner_who_has_gone_is_forgotten_for_another_role() -> None:
    world = World(limits={"roles": 2})
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea")
    world.guest("carol", "#tea")
    ann.do(SetRole(room="#tea", name="bob", role=Role.OPERATOR))
    ann.quit()
    assert bob.code(SetRole(id=1, room="#tea", name="carol", role=Role.VOICE)) == Code.FORBIDDEN


def test_who_is_banned_is_not_invited(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob")
    ann.do(SetRoom(room="#tea", private=True))
    ann.do(Invite(room="#tea", name="bob"))
    ann.do(commands.Ban(room="#tea", who="bob"))
    assert bob.do(Join(id=1, room="#tea")).text == "#tea cannot be joined"
    assert ann.code(Invite(id=1, room="#tea", name="bob")) == Code.CONFLICT
    ann.do(commands.Unban(room="#tea", who="bob"))
    assert bob.code(Join(id=1, room="#tea")) == Code.FORBIDDEN
    assert ann.code(Invite(id=1, room="#tea", name="bob")) == Code.OK
    assert bob.code(Join(id=1, room="#tea")) == Code.OK


# --- shares -----------------------------------------------------------------------------------------------------------


def test_a_person_founds_so_many_rooms() -> None:
    world = World(limits={"rooms_founded": 2})
    alice = world.guest("alice")
    assert [alice.code(commands.Join(id=1, room=room)) for room in ("#a", "#b", "#c")] == [201, 201, Code.FORBIDDEN]
    assert alice.code(commands.Join(id=1, room="#a")) == Code.OK
    bob = world.client()
    bob.login("bob", rooms=["#x", "#y", "#z"])
    assert sorted(room.name for room in bob.person.rooms.values()) == ["#x", "#y"]


def test_so_many_rooms_are_founded_from_an_address_in_an_hour() -> None:
    world = World(limits={"rooms_per_address": 3, "rooms_founded": 2})
    far = "192.0.2.7"
    codes = []
    for number in range(4):
        guest = world.guest(f"guest{number}", address=far)
        codes.append(guest.code(commands.Join(id=1, room=f"#room{number}")))
    assert codes == [201, 201, 201, Code.TOO_FAST]
    assert world.guest("local").code(commands.Join(id=1, room="#another")) == Code.CREATED
    world.now += 20 * 60_000
    assert world.guest("later", address=far).code(commands.Join(id=1, room="#later")) == Code.CREATED
