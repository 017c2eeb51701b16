"""Going: goodbyes, lost connections, names that are held and released, and what a restart makes of it all."""

from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.terms import Code, State
from tests.core.driver import Client, World


def test_a_quit_leaves_at_once_and_frees_the_name(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    bye = alice.do(commands.Quit(reason="good\nnight"))
    assert bye == events.Bye(code=Code.OK, reason="good night")
    assert bob.told == [events.Left(name="alice", room="#lobby", reason="good night")]
    assert world.client().login("alice").code == Code.ACCEPTED


def test_quit_before_the_login_is_a_goodbye_too(world: World) -> None:
    assert isinstance(world.client().do(commands.Quit(id=1)), events.Bye)


def test_the_quit_of_one_session_of_several_is_no_news(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    other = world.again(alice)
    other.quit()
    assert bob.told == []
    assert alice.code(commands.Say(id=1, to="#lobby", text="here")) == Code.OK
    assert other.heard(events.Said) == []


def test_a_lost_connection_is_told_after_a_while_and_the_name_is_held_for_longer(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    alice.vanish()
    world.wait(9)
    assert bob.told == []
    assert world.client().login("alice").code == Code.CONFLICT
    world.wait(1)
    assert bob.told == [events.Presence(name="alice", state=State.OFFLINE)]
    world.wait(49)
    assert world.client().login("alice").code == Code.CONFLICT
    assert len(bob.told) == 1
    world.wait(1)
    assert bob.told[1:] == [events.Left(name="alice", room="#lobby", reason="connection lost")]
    assert world.client().login("alice").code == Code.ACCEPTED


def test_a_clock_that_was_set_back_holds_no_name_for_longer(world: World) -> None:
    away = [world.guest(f"guest{number}") for number in range(3)]
    ci = world.guest("ci")
    for client in away:
        client.vanish()
    world.now -= 3_600_000
    world.sweep()
    ci.vanish()
    world.wait(59)
    assert world.client().login("ci").code == Code.CONFLICT
    world.wait(1)
    for name in ("guest0", "guest1", "guest2", "ci"):
        assert world.client().login(name).code == Code.ACCEPTED


def test_being_offline_is_told_once_however_slow_the_log_is(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    alice.vanish()
    world.now += 10_000
    for _ in range(2):
        world.pending += [(record, None) for record in world.chat.overdue(world.now)]
    world.flush()
    assert bob.told == [events.Presence(name="alice", state=State.OFFLINE)]


def test_who_comes_back_soon_is_no_news_and_later_is_online_again(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    alice.vanish()
    world.wait(9)
    again = world.again(alice)
    world.wait(100)
    assert bob.told == []
    again.vanish()
    world.wait(30)
    third = world.again(alice)
    world.wait(100)
    assert bob.told == [
        events.Presence(name="alice", state=State.OFFLINE),
        events.Presence(name="alice", state=State.ONLINE),
    ]
    assert third.session in world.room().audience


def test_a_client_that_cannot_come_back_leaves_at_once(world: World) -> None:
    bob = world.guest("bob")
    nc = world.guest("carol", resumable=False)
    bob.forget()
    nc.vanish()
    assert bob.told == [events.Left(name="carol", room="#lobby", reason="connection lost")]
    assert "carol" not in world.state.people.by_key


def test_a_registered_person_leaves_the_rooms_and_keeps_the_name(world: World) -> None:
    alice, bob = world.registered("alice"), world.guest("bob")
    alice.do(commands.Away(text="lunch"))
    bob.forget()
    alice.vanish()
    world.wait(61)
    assert bob.told == [
        events.Presence(name="alice", state=State.OFFLINE),
        events.Left(name="alice", room="#lobby", reason="connection lost"),
    ]
    assert alice.person.nonces is None
    assert world.client().login("alice").code == Code.WRONG_PASSWORD
    again = world.again(alice)
    assert again.do(commands.Whois(name="alice")).state is State.ONLINE, "away was for the last time"


def test_a_hold_of_0_is_for_ever_and_offline_after_0_is_never() -> None:
    world = World(limits={"hold_seconds": 0})
    alice, bob = world.guest("alice"), world.guest("bob")
    alice.vanish()
    world.wait(3600)
    assert bob.told == [events.Presence(name="alice", state=State.OFFLINE)]
    world = World(limits={"offline_seconds": 0})
    alice, bob = world.guest("alice"), world.guest("bob")
    alice.vanish()
    world.wait(61)
    assert bob.told == [events.Left(name="alice", room="#lobby", reason="connection lost")]


def test_the_last_session_that_goes_while_another_comes_takes_nobody_along(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    again = world.client()
    ticket = again.start(commands.Hello(id=1, token=alice.token))
    alice.start(commands.Quit())
    world.flush()
    assert ticket.replies is not None
    assert isinstance(ticket.replies[0], events.Welcome)
    assert bob.told == []
    alice = again
    again = world.client()
    again.token = "token-1"
    alice.start(commands.Quit())
    ticket = again.start(commands.Hello(id=1, token="token-1"))
    world.flush()
    assert ticket.replies is not None
    assert isinstance(ticket.replies[0], events.Welcome | events.Error)
    in_room = list(world.room().members)
    assert [person for person in in_room if person.sessions] == [again.person, bob.person] or in_room == [bob.person]


def test_the_name_of_a_guest_who_was_back_before_it_was_released_is_theirs_after_a_kill_too(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    alice.vanish()
    again = world.client()
    again.start(commands.Hello(id=1, token=alice.token))
    world.pending.append((records.NameReleased(time=world.now, person=alice.person.id), None))
    world.flush()
    world.pending += [(record, None) for record in world.chat.overdue(world.now)]
    world.fail()
    world.sweep()
    assert bob.told == [], "no news"
    world.restart()
    assert world.client().login("alice").code == Code.CONFLICT
    assert back(world, alice).person is world.state.people.by_key["alice"]


def test_a_release_that_cannot_be_kept_is_tried_again(world: World) -> None:
    alice = world.guest("alice")
    alice.vanish()
    world.now += 60_000
    world.pending += [(record, None) for record in world.chat.overdue(world.now)]
    world.fail()
    assert "alice" in world.state.people.by_key
    assert not world.room().members, "what is not kept goes on"
    world.wait(61)
    assert "alice" not in world.state.people.by_key


def test_a_goodbye_while_the_disk_is_full_ends_the_session_all_the_same(world: World) -> None:
    alice = world.guest("alice")
    ticket = alice.start(commands.Quit())
    world.flush(failing=records.NameReleased)
    assert ticket.replies is not None
    assert alice.session not in world.state.sessions
    world.wait(61)
    assert "alice" not in world.state.people.by_key


# --- presence -------------------------------------------------------------------------------------------------------


def test_away_and_back_are_told_to_those_in_the_same_rooms(world: World) -> None:
    alice, bob, carol = world.guest("alice", "#a", "#b"), world.guest("bob", "#b"), world.guest("carol", "#c")
    alice.forget()
    assert alice.code(commands.Away(id=1, text="lunch\nbreak")) == Code.OK
    assert alice.code(commands.Away(id=1, text="lunch break")) == Code.OK
    away = events.Presence(name="alice", state=State.AWAY, text="lunch break")
    assert (alice.told, bob.told, carol.told) == ([away], [away], [])
    assert bob.do(commands.Whois(name="alice")).away == "lunch break"
    assert alice.code(commands.Away(id=1)) == Code.OK
    assert alice.code(commands.Away(id=1)) == Code.OK
    assert bob.told[1:] == [events.Presence(name="alice", state=State.ONLINE)]
    assert alice.code(commands.Away(id=1, text="x" * 513)) == Code.TOO_LONG


def test_who_tells_the_states(world: World) -> None:
    alice, bob, carol = world.registered("alice"), world.guest("bob"), world.guest("carol")
    bob.do(commands.Away(text="tea"))
    carol.vanish()
    here = alice.do(commands.Who(room="#lobby")).members
    assert [(member.name, member.state, member.away, member.registered) for member in here] == [
        ("alice", State.ONLINE, None, True),
        ("bob", State.AWAY, "tea", False),
        ("carol", State.OFFLINE, None, False),
    ]
    assert [member.name for member in alice.do(commands.Who()).members] == ["alice", "bob"]


# --- restarts -------------------------------------------------------------------------------------------------------


def back(world: World, client: Client) -> Client:
    other = world.client()
    other.token = client.token
    assert isinstance(other.login(token=client.token), events.Welcome)
    return other


def test_after_a_kill_a_guest_is_waited_for_and_then_gone(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    id = alice.person.id
    world.restart()
    assert world.client().login("alice").code == Code.CONFLICT
    assert back(world, alice).person.id == id
    world.wait(61)
    assert "bob" not in world.state.people.by_key
    assert back(world, bob).person.name == "bob"


def test_a_name_that_was_released_before_a_kill_is_free_after_it(world: World) -> None:
    world.guest("alice").quit()
    world.restart()
    assert world.client().login("alice").code == Code.ACCEPTED


def test_direct_messages_that_came_while_away_follow_the_welcome(world: World) -> None:
    alice, bob = world.registered("alice"), world.guest("bob")
    bob.say("alice", "live")
    alice.vanish()
    assert bob.say("alice", "later").code == Code.ACCEPTED
    world.wait(100)
    assert bob.say("alice", "much later").code == Code.ACCEPTED
    assert said_at_login(world, token=alice.token) == ["later", "much later"]
    assert said_at_login(world, token=alice.token) == [], "only to the first session"


def test_direct_messages_that_did_not_come_through_follow_the_next_welcome(world: World) -> None:
    """A cable was pulled, or nothing was read: what was told after the last word of the client may be lost."""
    alice, bob = world.registered("alice"), world.guest("bob")
    heard = bob.say("alice", "one").seq
    assert bob.say("alice", "two").code == Code.OK
    alice.vanish(received=heard)
    bob.say("alice", "three")
    world.restart()
    assert said_at_login(world, token=alice.token) == ["two", "three"]


def test_what_one_session_missed_another_may_have_got(world: World) -> None:
    alice, bob = world.registered("alice"), world.guest("bob")
    other = world.client()
    other.login(token=alice.token)
    heard = bob.say("alice", "one").seq
    bob.say("alice", "two")
    alice.vanish(received=heard)
    other.vanish()
    assert said_at_login(world, token=alice.token) == []


def test_after_a_kill_what_is_in_doubt_is_sent_again_to_those_who_were_online(world: World) -> None:
    alice, carol, bob = world.registered("alice"), world.registered("carol"), world.guest("bob")
    arrived = bob.say("alice", "one").seq
    bob.say("carol", "to carol")
    carol.vanish()
    bob.say("alice", "two")
    world.restart(arrived)
    assert said_at_login(world, token=alice.token) == ["two"]
    assert said_at_login(world, token=carol.token) == []


def said_at_login(world: World, **hello: object) -> list[str]:
    client = world.client()
    ticket = client.start(commands.Hello(id=1, **hello))  # type: ignore[arg-type]
    world.flush()
    assert ticket.replies is not None
    assert isinstance(ticket.replies[0], events.Welcome)
    return [event.text for event in ticket.replies if isinstance(event, events.Said)]


def test_a_guest_who_is_waited_for_gets_them_too(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    alice.vanish()
    assert bob.say("alice", "later").code == Code.ACCEPTED
    assert said_at_login(world, token=alice.token) == ["later"]


def test_a_guest_who_comes_back_late_gets_them_too(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    bob.say("alice", "live")
    alice.vanish()
    assert bob.say("alice", "later").code == Code.ACCEPTED
    world.wait(61)
    assert "alice" not in world.state.people.by_key
    assert said_at_login(world, token=alice.token) == ["later"]
    assert said_at_login(world, token=alice.token) == [], "only to the first session"


def test_a_guest_gets_them_after_a_restart_however_late(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    alice.vanish()
    assert bob.say("alice", "before").code == Code.ACCEPTED
    world.restart()
    assert back(world, bob).say("alice", "after").code == Code.ACCEPTED
    world.wait(61)
    assert said_at_login(world, token=alice.token) == ["before", "after"]


def test_what_came_after_a_kill_is_sent_though_there_was_a_second_one(world: World) -> None:
    alice, carol, bob = world.registered("alice"), world.guest("carol"), world.guest("bob")
    bob.say("alice", "live")
    world.restart()
    bob = back(world, bob)
    for name in ("alice", "carol"):
        assert bob.say(name, "later").code == Code.ACCEPTED
    world.restart()
    assert said_at_login(world, token=alice.token) == ["later"]
    assert said_at_login(world, token=carol.token) == ["later"]


def test_a_cursor_makes_them_the_clients_business_unless_it_is_anothers(world: World) -> None:
    alice, bob = world.registered("alice"), world.guest("bob")
    for since, epoch, expected in [(1, "epoch", []), (1, None, []), (1, "another", ["later"]), (None, None, ["later"])]:
        alice.vanish()
        bob.say("alice", "later")
        alice = world.client()
        ticket = alice.start(commands.Hello(id=1, name="alice", password="long enough", since=since, epoch=epoch))
        world.flush()
        assert ticket.replies is not None
        assert [event.text for event in ticket.replies if isinstance(event, events.Said)] == expected


def test_more_than_a_page_of_them_ends_in_a_gap() -> None:
    world = World(limits={"page": 3})
    alice, bob = world.registered("alice"), world.guest("bob")
    alice.vanish()
    seqs = [bob.say("alice", "later").seq for _ in range(5)]
    client = world.client()
    ticket = client.start(commands.Hello(id=1, token=alice.token))
    world.flush()
    assert ticket.replies is not None
    _, *said, gap = ticket.replies
    assert [event.seq for event in said] == seqs[:3]  # type: ignore[union-attr]
    assert isinstance(ticket.replies[0], events.Welcome)
    assert gap == events.Gap(after=seqs[2], until=ticket.replies[0].seq)


def test_after_a_kill_what_came_before_it_is_not_sent_again(world: World) -> None:
    alice, bob = world.registered("alice"), world.guest("bob")
    alice.vanish()
    bob.say("alice", "one")
    alice = back(world, alice)
    world.sweep()
    bob.say("alice", "two")
    world.restart()
    assert said_at_login(world, token=alice.token) == []
    bob = back(world, bob)
    world.restart()
    alice_is_offline = world.state.people.by_key["alice"]
    assert not alice_is_offline.sessions


def test_after_a_kill_what_came_while_away_is_sent(world: World) -> None:
    alice, bob = world.registered("alice"), world.guest("bob")
    alice.vanish()
    bob.say("alice", "one")
    world.restart()
    back(world, bob).say("alice", "two")
    assert said_at_login(world, token=alice.token) == ["one", "two"]


def test_that_somebody_is_online_is_kept_though_the_disk_was_full(world: World) -> None:
    alice, bob = world.registered("alice"), world.guest("bob")
    alice.vanish()
    alice = back(world, alice)
    world.pending += [(record, None) for record in world.chat.overdue(world.now)]
    world.fail()
    bob.say("alice", "two")
    world.sweep()
    world.restart()
    assert said_at_login(world, token=alice.token) == []


def test_who_was_online_only_for_a_moment_is_offline_for_the_storage_too(world: World) -> None:
    alice, bob = world.registered("alice"), world.guest("bob")
    alice.vanish()
    back(world, alice).vanish()
    world.sweep()
    bob.say("alice", "one")
    world.restart()
    assert said_at_login(world, token=alice.token) == ["one"]


def test_what_is_said_while_the_last_session_ends_is_sent_at_the_next_login(world: World) -> None:
    alice, bob = world.registered("alice"), world.guest("bob")
    alice.start(commands.Quit())
    tickets = [bob.start(commands.Say(id=1, to="alice", text=text)) for text in ("one", "two")]
    world.flush()
    assert all(ticket.replies and ticket.replies[0].code < 300 for ticket in tickets)  # type: ignore[union-attr]
    assert said_at_login(world, token=alice.token) == ["one", "two"]


def test_what_is_said_between_the_last_session_and_one_on_its_way_in_is_sent_to_that_one(world: World) -> None:
    alice, bob = world.registered("alice"), world.guest("bob")
    world.drop(alice)
    bob.start(commands.Say(id=1, to="alice", text="one"))
    assert said_at_login(world, token=alice.token) == ["one"]


def test_a_session_that_is_over_at_once_does_not_hide_what_was_said(world: World) -> None:
    alice, bob = world.registered("alice"), world.guest("bob")
    alice.vanish()
    again = world.again(alice)
    world.drop(again)
    world.pending += [(record, None) for record in world.chat.overdue(world.now)]
    bob.start(commands.Say(id=1, to="alice", text="one"))
    world.flush()
    assert said_at_login(world, token=alice.token) == ["one"]
