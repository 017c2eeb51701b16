"""The fair line: turns, handicaps, and who has to go when it is full."""

import asyncio
from collections import Counter
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.server.turns import FairLine, Turns
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.terms import Code

WHO = "abcd"


def served(line: FairLine[str]) -> list[str]:
    return [line.take() for _ in range(len(line))]


def test_everybody_has_a_turn_in_each_round() -> None:
    line: FairLine[str] = FairLine(10)
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        assert line.add(item[0], item) is None
    assert served(line) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_who_comes_late_waits_for_no_more_than_one_turn_of_each_other() -> None:
    line: FairLine[str] = FairLine(100)
    for n in range(20):
        line.add("a", f"a{n}")
        line.add("b", f"b{n}")
    assert [line.take(), line.take(), line.take()] == ["a0", "b0", "a1"]
    line.add("c", "late")
    assert served(line)[:4] == ["b1", "a2", "b2", "late"]


def test_a_handicap_is_rounds_to_wait() -> None:
    line: FairLine[str] = FairLine(10)
    line.add("a", "a1", handicap=2)
    for item in ("b1", "b2", "b3", "c1"):
        line.add(item[0], item)
    assert served(line) == ["b1", "c1", "b2", "a1", "b3"]


def test_the_last_has_to_go_when_it_is_full() -> None:
    line: FairLine[str] = FairLine(3)
    for item in ("a1", "a2", "a3"):
        line.add("a", item)
    assert line.add("b", "b1") == "a3"
    assert line.add("a", "a4") == "a4", "which may be the newcomer"
    assert line.add("c", "c1", handicap=9) == "c1"
    assert line.add("c", "c2") == "a2", "and what was refused costs nothing"
    assert served(line) == ["a1", "b1", "c2"]


def test_who_gives_up_is_out() -> None:
    line: FairLine[str] = FairLine(3)
    line.add("a", "a1")
    line.add("b", "b1")
    line.remove("a1")
    line.remove("never there")
    assert served(line) == ["b1"]
    with pytest.raises(IndexError):
        line.take()


@given(
    st.integers(1, 8),
    st.lists(st.one_of(st.none(), st.tuples(st.sampled_from(WHO), st.integers(0, 3))), max_size=60),
)
def test_nothing_is_lost_and_everybody_keeps_their_order(room: int, steps: list[tuple[str, int] | None]) -> None:
    line: FairLine[tuple[str, int]] = FairLine(room)
    added: list[tuple[str, int]] = []
    out: list[tuple[str, int]] = []
    gone: list[tuple[str, int]] = []
    for number, step in enumerate(steps):
        if step is None:
            if line:
                out.append(line.take())
            continue
        who, handicap = step
        added.append((who, number))
        last = line.add(who, (who, number), handicap)
        assert len(line) <= room
        if last is not None:
            gone.append(last)
    out += [line.take() for _ in range(len(line))]
    assert Counter(out + gone) == Counter(added)
    for who in WHO:
        mine = [item for item in out if item[0] == who]
        assert mine == sorted(mine)


@given(st.lists(st.sampled_from(WHO), min_size=1, max_size=40))
def test_nobody_has_a_second_turn_while_another_waits_for_the_first(crowd: list[str]) -> None:
    line: FairLine[str] = FairLine(100)
    for who in crowd:
        line.add(who, who)
    turns = Counter(line.take() for _ in range(len(set(crowd))))
    assert set(turns.values()) == {1}


async def answer() -> str:
    return "free"


async def test_turns_are_taken_by_whose_they_are() -> None:
    turns, done, gates = Turns(1, 100), list[str](), list[asyncio.Event]()

    async def work(who: str) -> None:
        gate = asyncio.Event()
        gates.append(gate)
        await gate.wait()
        done.append(who)

    asked = [asyncio.create_task(turns.run(who, partial(work, who))) for who in "aaaab"]
    while len(done) < 5:
        await asyncio.sleep(0)
        assert len(gates) <= 1, "one at a time"
        if gates:
            gates.pop().set()
    await asyncio.gather(*asked)
    assert done.index("b") <= 2, "nobody waits behind all that another asks"
    await turns.run("c", answer)


async def test_who_gives_up_a_turn_leaves_it_to_the_next() -> None:
    turns, gate = Turns(1, 1), asyncio.Event()
    first = asyncio.create_task(turns.run("a", gate.wait))
    await asyncio.sleep(0)
    second = asyncio.create_task(turns.run("b", gate.wait))
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await turns.run("c", gate.wait)
    assert refused.value.code == Code.TOO_FAST
    second.cancel()
    gate.set()
    await first
    with pytest.raises(asyncio.CancelledError):
        await second
    await turns.run("d", answer)
