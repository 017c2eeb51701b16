"""Lists come in pages: what stays in them is on exactly one, and a page is short, however long the list."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.core import numbered_set
from asyncchat.core.limits import LIST_BYTES
from asyncchat.core.numbered_set import NumberedSet, first_page
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.terms import Code
from tests.core.driver import Client, World

UNLIMITED = {"rooms": 0, "rooms_in_all": 0, "rooms_founded": 0, "rooms_per_address": 0, "bans": 0}


def through(client: Client, command: Any, between: Callable[[], object] = lambda: None) -> list[Any]:
    """All pages of a list; *between* is done after each."""
    found = []
    while True:
        page = client.do(command)
        found.append(page)
        if page.complete:
            assert page.next is None
            return found
        between()
        command = msgspec.structs.replace(command, after=page.next)


def rooms(found: list[events.RoomList]) -> list[str]:
    return [room.name for page in found for room in page.rooms]


def people(found: list[events.Members]) -> list[str]:
    return [member.name for page in found for member in page.members]


# --- the order ------------------------------------------------------------------------------------------------------


@given(
    start=st.integers(0, 15),
    changes=st.lists(st.tuples(st.integers(0, 1), st.sets(st.integers(0, 30), max_size=8)), max_size=20),
    length=st.integers(1, 4),
)
def test_what_stays_is_on_exactly_one_page(start: int, changes: list[tuple[int, set[int]]], length: int) -> None:
    """Between two pages the log goes on by so much, or not at all, and things come or go."""
    everything, came, stayed = NumberedSet[int](), list(range(start)), set(range(start))
    for item in came:
        everything.add(item, 0)
    listed: list[int] = []
    seq, next, complete = 0, None, False
    between = iter(changes)
    while not complete:
        entries = ((number, events.Ban(who=str(item))) for number, item in everything.after(next))
        page, complete, next = first_page(entries, length)
        assert len(page) == length or complete
        listed += [int(ban.who) for ban in page]
        step, toggled = next_of(between)
        seq += step
        for item in toggled:
            if item in everything:
                everything.remove(item)
                came.remove(item)
                stayed.discard(item)
            else:
                everything.add(item, seq)
                came.append(item)
        assert list(everything) == came
        assert list(everything.values()) == sorted(set(everything.values())), "numbers grow"
    assert [item for item in listed if item in stayed] == sorted(stayed)


def next_of(changes: Iterator[tuple[int, set[int]]]) -> tuple[int, set[int]]:
    return next(changes, (0, set()))


def test_nothing_happens_to_what_is_not_there() -> None:
    numbered = NumberedSet[str]()
    numbered.remove("x")
    numbered.add("x", 5)
    numbered.remove("y")
    assert list(numbered.after(None)) == list(numbered.after(4)) == [(5, "x")]
    assert list(numbered.after(5)) == []


# --- rooms ----------------------------------------------------------------------------------------------------------


def test_rooms_vanish_and_appear_between_two_pages() -> None:
    world = World(limits=UNLIMITED | {"page": 3})
    ann = world.guest("ann", *(f"#r{n}" for n in range(10)))
    before = [room.name for room in world.state.rooms]
    doomed, new = iter(["#r1", "#r6", "#r9"]), iter(["#n1", "#n2", "#n3"])

    def between() -> None:
        if (room := next(doomed, None)) is not None:
            assert ann.code(commands.Destroy(id=1, room=room, confirm=room)) == Code.OK
            assert ann.code(commands.Join(id=1, room=next(new))) == Code.CREATED

    found = through(ann, commands.Rooms(), between)
    # #r1 was on the first page before it went; #r6 and #r9 went before their turn.
    assert rooms(found) == [name for name in before if name not in ("#r6", "#r9")] + ["#n1", "#n2", "#n3"]
    assert [len(page.rooms) for page in found] == [3, 3, 3, 3]


def test_the_asker_may_ask_for_less_but_not_for_more_than_the_limit() -> None:
    world = World(limits=UNLIMITED | {"page": 3})
    ann = world.guest("ann", *(f"#r{n}" for n in range(10)))
    assert [len(page.rooms) for page in through(ann, commands.Rooms(limit=2))] == [2] * 5 + [1]
    assert len(ann.do(commands.Rooms(limit=50)).rooms) == 3
    world.state.settings = msgspec.structs.replace(
        world.settings, limits=msgspec.structs.replace(world.settings.limits, page=0)
    )
    assert len(ann.do(commands.Rooms(limit=50)).rooms) == 11


@pytest.mark.parametrize("topic", ["x" * 512, "\N{WATER WAVE}" * 512, '"' * 512])
def test_a_page_is_bounded_by_its_bytes(topic: str) -> None:
    world = World(limits=UNLIMITED)
    ann = world.guest("ann", *(f"#r{n}" for n in range(300)))
    for n in range(300):
        assert ann.code(commands.Topic(id=1, room=f"#r{n}", text=topic)) == Code.OK
    found = through(ann, commands.Rooms())
    sizes = [len(msgspec.json.encode(page.rooms)) for page in found]
    assert max(sizes) <= LIST_BYTES + 2 + 200  # brackets, and the commas between 200 rooms
    assert min(sizes[:-1]) > LIST_BYTES - 4096
    assert len(rooms(found)) == len(set(rooms(found))) == 301


def test_a_single_room_that_is_too_long_for_a_page_is_one_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbered_set, "LIST_BYTES", 1)
    world = World()
    ann = world.guest("ann", "#a", "#b")
    assert [len(page.rooms) for page in through(ann, commands.Rooms())] == [1, 1, 1]


def test_hidden_rooms_are_passed_over_some_at_a_time_and_never_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbered_set, "LIST_LOOKED_AT", 4)
    world = World(limits=UNLIMITED)
    ann = world.guest("ann", *(f"#r{n}" for n in range(10)))
    for n in range(10):
        ann.do(commands.SetRoom(room=f"#r{n}", private=True))
    bob = world.guest("bob", "#seen")
    found = through(bob, commands.Rooms())
    assert [[room.name for room in page.rooms] for page in found] == [["#lobby"], [], ["#seen"]]
    assert rooms(through(ann, commands.Rooms())) == ["#lobby", *(f"#r{n}" for n in range(10)), "#seen"]


# --- people ---------------------------------------------------------------------------------------------------------


def test_people_come_go_and_take_other_names_between_two_pages() -> None:
    world = World(limits={"page": 2})
    clients = {name: world.guest(name) for name in ("ann", "bob", "carl", "dora", "eve")}
    changes: Iterator[Callable[[], object]] = iter(
        [
            lambda: clients["ann"].do(commands.Nick(name="zoe")),  # was listed, and is not again
            clients["bob"].quit,
            lambda: clients["eve"].do(commands.Nick(name="abe")),  # is still to come
            lambda: world.guest("fred"),
        ]
    )

    def between() -> None:
        for _ in range(2):
            if (change := next(changes, None)) is not None:
                change()

    found = through(clients["carl"], commands.Who(room="#lobby"), between)
    assert people(found) == ["ann", "bob", "carl", "dora", "abe", "fred"]


def test_the_topic_is_on_the_first_page() -> None:
    world = World(limits={"page": 2})
    ann = world.guest("ann", "#tea")
    ann.do(commands.Topic(room="#tea", text="green"))
    for name in ("bob", "carl", "dora"):
        world.guest(name, "#tea")
    found = through(ann, commands.Who(room="#tea"))
    assert [(page.room, page.topic) for page in found] == [("#tea", "green"), ("#tea", "")]


def test_whoever_is_online_is_listed_once_however_many_sessions_they_have() -> None:
    world = World(limits={"page": 2})
    ann, bob = world.registered("ann"), world.guest("bob")
    world.again(ann)
    world.guest("carl").vanish()
    world.guest("dora")
    assert people(through(bob, commands.Who())) == ["ann", "bob", "dora"]
    ann.vanish()
    assert people(through(bob, commands.Who())) == ["ann", "bob", "dora"], "one of two sessions"


# --- bans -----------------------------------------------------------------------------------------------------------


def test_bans_end_and_are_set_between_two_pages() -> None:
    world = World(limits={"page": 2})
    ann = world.guest("ann", "#tea")
    for name in ("b0", "b1", "b2", "b3"):
        ann.do(commands.Ban(room="#tea", who=name, seconds=10 if name == "b2" else None))

    def between() -> None:
        world.now += 60_000  # b2 is over
        if ann.code(commands.Unban(id=1, room="#tea", who="b0")) == Code.OK:
            ann.do(commands.Ban(room="#tea", who="b4"))

    found = through(ann, commands.Bans(room="#tea"), between)
    assert [[ban.who for ban in page.bans] for page in found] == [["b0", "b1"], ["b3", "b4"]]


def test_pages_of_bans_go_on_after_a_new_start() -> None:
    world = World(limits={"page": 2})
    root = world.administrator()
    for n in range(5):
        root.do(commands.Ban(who=f"b{n}"))
    first = root.do(commands.Bans())
    world.restart()
    again = world.client()
    assert isinstance(again.login(token=root.token), events.Welcome)
    rest = through(again, commands.Bans(after=first.next))
    assert [ban.who for page in (first, *rest) for ban in page.bans] == [f"b{n}" for n in range(5)]


def test_the_servers_own_bans_have_no_limit_but_their_page_has() -> None:
    world = World(limits={"page": 0})
    root = world.administrator()
    for n in range(700):
        world.append(
            records.BanSet(time=world.now, room=records.NOBODY, by="root_", who=f"x{n}", key=f"x{n}", reason="y" * 512)
        )
    found = through(root, commands.Bans(limit=700))
    assert len(found) > 5
    assert all(len(msgspec.json.encode(page.bans)) <= LIST_BYTES + 702 for page in found)
    assert [ban.who for page in found for ban in page.bans] == [f"x{n}" for n in range(700)]
