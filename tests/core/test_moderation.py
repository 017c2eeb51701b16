"""Moderation: kick, ban, mute, purge, in rooms and on the server."""

from typing import Any

import pytest

from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.commands import Ban, Bans, Join, Kick, Mute, Nick, Purge, SetRole, SetRoom, Unban
from asyncchat.vocabulary.terms import Code, Role, State
from tests.core.driver import Client, World


def tea(world: World) -> tuple[Client, Client, Client]:
    """The owner of a room, and two in it."""
    ann, bob, carol = (world.guest(name, "#tea") for name in ("ann", "bob", "carol"))
    ann.forget()
    bob.forget()
    return ann, bob, carol


def join(client: Client) -> int:
    return client.code(Join(id=1, room="#tea"))


# --- kick -----------------------------------------------------------------------------------------------------------


def test_who_is_kicked_is_out_and_may_come_back(world: World) -> None:
    ann, bob, carol = tea(world)
    other = world.again(bob)
    assert ann.code(Kick(id=1, room="#tea", name="bob", reason="be\nkind")) == Code.OK
    kicked = [events.Kicked(sender="ann", name="bob", room="#tea", reason="be kind")]
    assert ann.told == bob.told[-1:] == carol.told == other.told == kicked
    assert bob.say("#tea").code == Code.FORBIDDEN
    assert ann.code(Kick(id=1, room="#tea", name="bob")) == Code.NOT_FOUND
    assert join(bob) == Code.OK


def test_an_invitation_is_void_with_a_kick(world: World) -> None:
    ann, bob, _ = tea(world)
    ann.do(SetRoom(room="#tea", private=True))
    dora = world.guest("dora")
    ann.do(commands.Invite(room="#tea", name="dora"))
    assert join(dora) == Code.OK
    ann.do(Kick(room="#tea", name="dora"))
    assert join(dora) == Code.FORBIDDEN
    assert dora.say("#tea").code == Code.NOT_FOUND, "it is private, and she is not in it any more"
    ann.do(Kick(room="#tea", name="bob"))
    assert join(bob) == Code.FORBIDDEN


def test_nobody_acts_against_their_equals_their_betters_or_themselves(world: World) -> None:
    ann, bob, _ = tea(world)
    for name in ("bob", "carol"):
        ann.do(SetRole(room="#tea", name=name, role=Role.OPERATOR))
    for command in (Kick, Mute, Ban):
        for name in ("ann", "carol", "bob"):
            fields: dict[str, Any] = {"who": name} if command is Ban else {"name": name}
            assert bob.code(command(id=1, room="#tea", **fields)) == Code.FORBIDDEN
    assert [person.name for person in world.room("#tea").members] == ["ann", "bob", "carol"]
    ann.do(SetRole(room="#tea", name="bob", role=Role.OWNER))
    for command in (Kick, Mute, Ban):
        fields = {"who": "bob"} if command is Ban else {"name": "bob"}
        assert bob.code(command(id=1, room="#tea", **fields)) == Code.FORBIDDEN, "nobody against themselves"
    assert bob.code(Kick(id=1, room="#tea", name="ann")) == Code.OK, "owners may, among themselves"


def test_an_administrator_is_out_of_reach(world: World) -> None:
    ann, *_ = tea(world)
    root = world.administrator("root_", "#tea")
    assert ann.code(Kick(id=1, room="#tea", name="root_")) == Code.FORBIDDEN
    assert root.code(Kick(id=1, room="#tea", name="ann")) == Code.OK
    assert root.code(Ban(id=1, who="root_")) == Code.FORBIDDEN
    other = world.administrator("other")
    assert other.code(Ban(id=1, who="root_")) == Code.FORBIDDEN
    assert other.code(Kick(id=1, room="#tea", name="root_")) == Code.OK


# --- bans from a room -----------------------------------------------------------------------------------------------


def test_who_is_banned_is_out_and_stays_out(world: World) -> None:
    ann, bob, carol = tea(world)
    assert ann.code(Ban(id=1, room="#tea", who="BOB", reason="spam")) == Code.OK
    assert carol.told == [events.Kicked(sender="ann", name="bob", room="#tea", reason="spam")]
    assert bob.do(Join(id=1, room="#tea")).text == "#tea: you are banned"
    assert ann.do(Bans(id=1, room="#tea")).bans == [events.Ban(who="bob", by="ann", reason="spam")]
    world.restart()
    bob = world.again(bob)
    assert join(bob) == Code.FORBIDDEN
    ann = world.again(ann)
    assert ann.code(Unban(id=1, room="#tea", who="Bob")) == Code.OK
    assert ann.code(Unban(id=1, room="#tea", who="bob")) == Code.NOT_FOUND
    assert join(bob) == Code.OK


def test_a_ban_is_not_evaded_by_another_name_or_another_login(world: World) -> None:
    ann, bob, _ = tea(world)
    ann.do(Ban(room="#tea", who="bob"))
    bob.do(Nick(name="rob"))
    assert join(bob) == Code.FORBIDDEN
    bob.quit()
    assert join(world.guest("Bob")) == Code.FORBIDDEN, "the name, without the token"
    again = world.client()
    again.login("bobby", token=bob.token)
    assert join(again) == Code.FORBIDDEN, "the token, without the name"
    assert ann.code(Unban(id=1, room="#tea", who="bobby")) == Code.OK
    assert join(again) == Code.OK


def test_a_ban_of_a_registered_person_is_on_the_account_alone(world: World) -> None:
    ann = world.guest("ann", "#tea")
    bob = world.registered("bob", "#tea")
    ann.do(Ban(room="#tea", who="bob"))
    bob.do(Nick(name="robert"))
    assert join(bob) == Code.FORBIDDEN
    assert join(world.guest("bob")) == Code.OK, "the name is somebody else's now"
    assert ann.code(Unban(id=1, room="#tea", who="bob")) == Code.OK, "as it is listed"
    assert join(bob) == Code.OK


def test_a_name_that_nobody_has_can_be_banned(world: World) -> None:
    ann, *_ = tea(world)
    assert ann.code(Ban(id=1, room="#tea", who="Mallory")) == Code.OK
    assert join(world.guest("mallory")) == Code.FORBIDDEN
    assert ann.code(Ban(id=1, room="#tea", who="bad name")) == Code.MALFORMED
    assert ann.code(Unban(id=1, room="#tea", who="MALLORY")) == Code.OK


@pytest.mark.parametrize("who", ["999.1.1.1", "1.2.3", "10.0.0.0/99", "::g", "10.0.0.256/8", "2001:db8::/200"])
def test_a_mistyped_address_is_not_taken_for_a_name(world: World, who: str) -> None:
    alice, root = world.guest("alice", "#tea"), world.administrator()
    for client, room in ((alice, "#tea"), (root, None)):
        refused = client.do(commands.Ban(id=1, room=room, who=who))
        assert (refused.code, refused.text) == (Code.MALFORMED, f"no such address: {who}")
    assert client.code(commands.Ban(id=1, who="7")) == Code.OK, "a number is a name"


def test_a_name_that_looks_like_a_mistyped_address_can_be_banned_while_somebody_has_it(world: World) -> None:
    odd, root = world.guest("1.2.3"), world.administrator()
    assert root.code(commands.Ban(id=1, who="1.2.3")) == Code.OK
    assert odd.heard(events.Bye)


def test_a_banned_operator_is_one_no_more(world: World) -> None:
    ann, bob, _ = tea(world)
    ann.do(SetRole(room="#tea", name="bob", role=Role.OPERATOR))
    ann.do(Ban(room="#tea", who="bob"))
    assert join(bob) == Code.FORBIDDEN
    assert bob.code(Kick(id=1, room="#tea", name="carol")) == Code.FORBIDDEN
    assert world.room("#tea").role(bob.person) is Role.MEMBER


def test_an_address_or_network_puts_out_those_below(world: World) -> None:
    ann = world.guest("ann", "#tea", address="192.0.2.1")
    bob = world.guest("bob", "#tea", address="192.0.2.2")
    carol = world.guest("carol", "#tea", address="192.0.3.1")
    dora = world.guest("dora", "#tea", address="192.0.2.4")
    ann.do(SetRole(room="#tea", name="dora", role=Role.OPERATOR))
    assert dora.code(Ban(id=1, room="#tea", who="192.0.2.9/24")) == Code.OK
    assert [person.name for person in world.room("#tea").members] == ["ann", "carol", "dora"]
    assert join(bob) == Code.FORBIDDEN
    carol.do(commands.Leave(room="#tea"))
    assert join(carol) == Code.OK
    dora.do(commands.Leave(room="#tea"))
    assert join(dora) == Code.OK, "who keeps order is not kept out by an address"
    assert ann.do(Bans(room="#tea")).bans[0].who == "192.0.2.0/24"
    assert ann.code(Unban(id=1, room="#tea", who="192.0.2.0/24")) == Code.OK
    assert join(bob) == Code.OK


BANNED = "192.0.2.7"


def banning(world: World) -> tuple[Client, Client]:
    """Ann, whose room bans an address; and Bob, who is there from another one."""
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea", address="192.0.2.1")
    ann.do(Ban(room="#tea", who=BANNED, reason="spam"))
    return ann, bob


def test_an_address_puts_out_who_has_any_session_there(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea", address="192.0.2.1")
    other = world.again(bob, address=BANNED)
    ann.do(Ban(room="#tea", who=BANNED))
    assert bob.person not in world.room("#tea").members
    assert join(bob) == Code.FORBIDDEN, "the other one would hear the room"
    assert join(other) == Code.FORBIDDEN
    other.vanish()
    assert join(bob) == Code.OK


def test_who_is_in_and_comes_from_a_banned_address_is_put_out(world: World) -> None:
    ann, bob = banning(world)
    other = world.client(address=BANNED)
    assert other.login(token=bob.token, rooms=["#tea", "#lobby"]).rooms == ["#lobby"]
    for client in (ann, bob, other):
        assert client.heard(events.Kicked) == [events.Kicked(sender="ann", name="bob", room="#tea", reason="spam")]
    ann.say("#tea")
    assert not other.heard(events.Said)
    assert other.say("#tea").code == Code.FORBIDDEN


def test_who_comes_back_from_a_banned_address_is_not_in_the_room_any_more(world: World) -> None:
    _, bob = banning(world)
    bob.vanish()
    back = world.again(bob, address=BANNED)
    assert back.person not in world.room("#tea").members
    assert join(back) == Code.FORBIDDEN


def test_who_keeps_order_may_come_from_any_address(world: World) -> None:
    ann, bob = banning(world)
    ann.do(SetRole(room="#tea", name="bob", role=Role.OPERATOR))
    other = world.again(bob, address=BANNED)
    ann.say("#tea")
    assert other.heard(events.Said)


def test_who_was_on_the_way_from_an_address_when_it_was_banned_is_put_out(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea", address="192.0.2.1")
    world.client(address=BANNED).start(commands.Hello(token=bob.token))
    on_the_way, world.pending = world.pending, []
    ann.do(Ban(room="#tea", who=BANNED))
    world.pending = on_the_way
    world.flush()
    assert bob.person not in world.room("#tea").members


def test_a_ban_ends_in_time(world: World) -> None:
    ann, bob, _ = tea(world)
    assert ann.code(Ban(id=1, room="#tea", who="bob", seconds=10)) == Code.OK
    assert ann.do(Bans(room="#tea")).bans == [events.Ban(who="bob", by="ann", until="2023-11-14T22:13:30.000Z")]
    assert join(bob) == Code.FORBIDDEN
    world.wait(10)
    assert ann.do(Bans(room="#tea")).bans == []
    assert join(bob) == Code.OK
    assert ann.code(Ban(id=1, room="#tea", who="bob", seconds=0)) == Code.MALFORMED


def test_a_longer_ban_replaces_a_shorter_one(world: World) -> None:
    ann, bob, _ = tea(world)
    for seconds in (10, 20):
        ann.do(Ban(room="#tea", who="bob", seconds=seconds))
    world.wait(15)
    assert len(ann.do(Bans(room="#tea")).bans) == 1
    assert join(bob) == Code.FORBIDDEN


def test_a_room_has_so_many_bans_and_mutes() -> None:
    world = World(limits={"bans": 2})
    ann, _, _ = tea(world)
    ban_eve = Ban(id=1, room="#tea", who="eve")
    full = events.Error(id=1, code=Code.FORBIDDEN, text="#tea has 2 bans and mutes already: lift one first")
    assert ann.code(Mute(id=1, room="#tea", name="bob", seconds=10)) == Code.OK
    assert ann.code(Ban(id=1, room="#tea", who="192.0.2.1")) == Code.OK
    assert ann.do(ban_eve) == full
    assert ann.do(Mute(id=1, room="#tea", name="carol")) == full
    assert ann.code(Ban(id=1, room="#tea", who="192.0.2.1", seconds=60)) == Code.OK, "it replaces the other"
    world.wait(10)
    assert ann.code(ban_eve) == Code.OK, "a mute has ended"
    assert ann.do(Mute(id=1, room="#tea", name="carol")) == full
    assert ann.code(Unban(id=1, room="#tea", who="192.0.2.1")) == Code.OK
    assert ann.code(Mute(id=1, room="#tea", name="carol")) == Code.OK


def test_the_servers_own_bans_have_no_limit() -> None:
    world = World(limits={"bans": 1})
    root = world.administrator()
    assert [root.code(Ban(id=1, who=f"192.0.2.{number}")) for number in range(3)] == [Code.OK] * 3


# --- mutes ----------------------------------------------------------------------------------------------------------


def test_who_is_muted_listens(world: World) -> None:
    ann, bob, carol = tea(world)
    assert ann.code(Mute(id=1, room="#tea", name="bob", seconds=10, reason="shh")) == Code.OK
    muted = events.Muted(sender="ann", name="bob", room="#tea", until="2023-11-14T22:13:30.000Z", reason="shh")
    assert carol.told == bob.told == [muted]
    for command in (
        commands.Say(id=1, to="#tea", text="hi"),
        commands.Typing(id=1, to="#tea"),
        commands.Topic(id=1, room="#tea", text="hi"),
    ):
        assert bob.do(command) == events.Error(id=1, code=Code.FORBIDDEN, text="#tea: you are muted")
    assert bob.code(commands.Read(id=1, to="#tea", seq=1)) == Code.OK
    assert carol.say("#tea").code == Code.OK
    assert bob.heard(events.Said)
    world.wait(10)
    assert bob.say("#tea").code == Code.OK


def test_who_may_not_speak_says_nothing_by_going_either(world: World) -> None:
    ann, bob, carol = tea(world)
    dora = world.guest("dora", "#tea", "#lobby")
    eve = world.guest("eve")
    for client in (bob, carol):
        client.do(Join(room="#lobby"))
    ann.do(Mute(room="#tea", name="bob"))
    ann.do(Mute(room="#tea", name="dora"))
    for client in (ann, carol, dora, eve):
        client.forget()
    bob.do(commands.Away(text="spam"))
    silent, away = (events.Presence(name="bob", state=State.AWAY, text=text) for text in (None, "spam"))
    assert (ann.told, carol.told, eve.told) == ([silent], [away], [away])
    assert away in bob.told
    assert silent not in bob.told
    bob.do(commands.Leave(room="#lobby", reason="lunch"))
    assert eve.heard(events.Left) == [events.Left(name="bob", room="#lobby", reason="lunch")]
    bob.do(commands.Leave(room="#tea", reason="spam"))
    assert dora.do(commands.Quit(reason="spam")) == events.Bye(code=Code.OK, reason="spam")
    assert ann.heard(events.Left) == [events.Left(name="bob", room="#tea"), events.Left(name="dora", room="#tea")]


def test_a_mute_is_lifted_with_0_seconds(world: World) -> None:
    ann, bob, carol = tea(world)
    ann.do(Mute(room="#tea", name="bob"))
    assert ann.do(Bans(room="#tea")).bans == [events.Ban(who="bob", mute=True, by="ann")]
    assert ann.code(Unban(id=1, room="#tea", who="bob")) == Code.NOT_FOUND, "it is no ban"
    assert ann.code(Mute(id=1, room="#tea", name="bob", seconds=0)) == Code.OK
    assert carol.told[-1] == events.Muted(sender="ann", name="bob", room="#tea", active=False)
    assert bob.say("#tea").code == Code.OK
    assert ann.code(Mute(id=1, room="#tea", name="bob", seconds=0)) == Code.NOT_FOUND


def test_a_mute_is_not_evaded_by_another_name_or_another_login(world: World) -> None:
    ann, bob, _ = tea(world)
    ann.do(Mute(room="#tea", name="bob"))
    bob.do(Nick(name="rob"))
    assert bob.say("#tea").code == Code.FORBIDDEN
    bob.quit()
    nc = world.guest("bob", "#tea", resumable=False)
    assert nc.say("#tea").code == Code.FORBIDDEN
    assert ann.code(Mute(id=1, room="#tea", name="bob", seconds=0)) == Code.OK
    assert nc.say("#tea").code == Code.OK


def test_who_keeps_order_is_not_muted(world: World) -> None:
    ann, bob, _ = tea(world)
    ann.do(SetRole(room="#tea", name="bob", role=Role.OPERATOR))
    assert ann.code(Mute(id=1, room="#tea", name="bob")) == Code.CONFLICT
    ann.do(SetRole(room="#tea", name="bob", role=Role.VOICE))
    assert ann.code(Mute(id=1, room="#tea", name="bob")) == Code.OK
    assert bob.say("#tea").code == Code.FORBIDDEN
    ann.do(SetRole(room="#tea", name="bob", role=Role.OPERATOR))
    assert bob.say("#tea").code == Code.OK, "a role speaks louder"


# --- purge ----------------------------------------------------------------------------------------------------------


def test_purge_deletes_what_somebody_said_lately(world: World) -> None:
    ann, bob, carol = tea(world)
    bob.say("#tea", "old")
    world.now += 3_600_000
    seqs = [bob.say("#tea", "spam").seq for _ in range(3)]
    ham = carol.say("#tea", "ham").seq
    assert ann.code(Purge(id=1, room="#tea", name="Bob", seconds=60)) == Code.OK
    (deleted,) = carol.heard(events.Deleted)
    assert (deleted.sender, deleted.to, deleted.targets) == ("ann", "#tea", seqs)
    page = ann.do(commands.History(to="#tea"))
    assert [event.text for event in page.events] == ["old", "", "", "", "ham"]
    assert ann.code(Purge(id=1, room="#tea", name="bob", seconds=60)) == Code.NOT_FOUND
    assert ham not in deleted.targets


def test_purge_finds_what_was_said_under_another_name_or_by_one_who_is_gone(world: World) -> None:
    ann, bob, _ = tea(world)
    seqs = [bob.say("#tea", "spam").seq]
    bob.do(Nick(name="rob"))
    seqs.append(bob.say("#tea", "spam").seq)
    assert ann.code(Purge(id=1, room="#tea", name="rob", seconds=60)) == Code.OK
    assert ann.heard(events.Deleted)[-1].targets == seqs
    seq = bob.say("#tea", "more").seq
    bob.quit()
    assert ann.code(Purge(id=1, room="#tea", name="rob", seconds=60)) == Code.OK
    assert ann.heard(events.Deleted)[-1].targets == [seq]
    assert ann.code(Purge(id=1, room="#tea", name="no name", seconds=60)) == Code.MALFORMED


# --- the server -----------------------------------------------------------------------------------------------------


def test_who_is_banned_from_the_server_is_put_off_it(world: World) -> None:
    root, bob, carol = world.administrator(), world.guest("bob"), world.guest("carol")
    other = world.again(bob)
    assert carol.code(Ban(id=1, who="bob")) == Code.FORBIDDEN
    assert root.code(Ban(id=1, who="bob", reason="spam")) == Code.OK
    bye = events.Bye(code=Code.FORBIDDEN, reason="banned from this server: spam")
    assert bob.told[-1] == other.told[-1] == bye
    assert not bob.person.sessions
    assert root.do(Bans()).bans == [events.Ban(who="bob", by="root_", reason="spam")]


def test_what_a_banned_session_has_sent_already_counts_no_more(world: World) -> None:
    root, bob = world.administrator(), world.guest("bob")
    outcome = world.chat.handle(root.session, Ban(who="bob"), world.now)
    ticket = world.carry(root, outcome)
    batch, world.pending = world.pending, []
    for record, _ in batch:
        world.chat.apply(world.last_seq + 1, record, root.session)
    assert ticket.replies is None
    assert bob.say("#lobby") == events.Error(id=1, code=Code.FORBIDDEN, text="you are off this server")
    bob.vanish()
    assert bob.session not in world.state.sessions


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(60, "put off this server for 60 seconds: spam"), (61, "banned from this server: spam"),
     (None, "banned from this server: spam")],
)  # fmt: skip
def test_a_ban_of_a_minute_is_no_ban_in_words(world: World, seconds: int | None, told: str) -> None:
    root, bob = world.administrator(), world.guest("bob")
    assert root.code(commands.Ban(id=1, who="bob", seconds=seconds, reason="spam")) == Code.OK
    assert bob.heard(events.Bye)[0].reason == told


def test_an_address_is_put_off_the_server(world: World) -> None:
    root = world.administrator()
    bob = world.guest("bob", address="192.0.2.7")
    here = world.again(bob)
    v6 = world.guest("carol", address="2001:db8::7")
    assert root.code(Ban(id=1, who="::ffff:192.0.2.7")) == Code.OK
    assert isinstance(bob.told[-1], events.Bye)
    assert not here.heard(events.Bye), "another place of the same person"
    assert root.do(Bans()).bans[0].who == "192.0.2.7/32"
    assert root.code(Ban(id=1, who="2001:db8::/32", seconds=60)) == Code.OK
    assert isinstance(v6.told[-1], events.Bye)
    assert root.code(Unban(id=1, who="192.0.2.7")) == Code.OK


def test_an_administrator_does_not_lock_themselves_out(world: World) -> None:
    root = world.administrator()
    assert root.code(Ban(id=1, who="0.0.0.0/0")) == Code.OK
    assert root.code(Ban(id=1, who="::/0")) == Code.OK
    assert world.again(root, address="192.0.2.1").code(Unban(id=1, who="0.0.0.0/0")) == Code.OK


def test_the_server_says_a_word_to_all_or_to_one(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob", "#elsewhere")
    alice.forget()
    world.append(records.Announced(time=world.now, text="tea!"))
    world.append(records.Announced(time=world.now, text="you!", person=bob.person.id))
    world.append(records.Announced(time=world.now, text="gone!", person=999))
    assert alice.told == [events.Notice(text="tea!")]
    assert bob.told == [events.Notice(text="tea!"), events.Notice(text="you!")]
