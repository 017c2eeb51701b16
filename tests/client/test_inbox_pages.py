"""Pages for a hole, some of whose rooms were left."""

from hypothesis import given
from hypothesis import strategies as st

from asyncchat.client.inbox import Hole, rooms_left, with_room
from asyncchat.vocabulary import events
from asyncchat.vocabulary.events import History, KeptEvent


def page(log: list[int], after: int, size: int, until: int | None = None) -> History:
    """What a server answers, when these are the messages that it has for us."""
    wanted = [seq for seq in log if after < seq and (until is None or seq <= until)]
    found: list[KeptEvent] = [
        events.Said(seq=seq, time="2026-01-02T03:04:05.678Z", sender="bob", to="#a", text=str(seq))
        for seq in wanted[:size]
    ]
    complete = len(wanted) <= size
    return History(events=found, complete=complete, next=None if complete else found[-1].seq)


SEQS = st.sets(st.integers(1, 40)).map(sorted)


@given(SEQS, SEQS, SEQS, st.integers(0, 40), st.integers(0, 40), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_all_of_the_rooms_of_now_and_of_those_that_were_left_come_once_and_in_order(
    now: list[int], one: list[int], two: list[int], left_one: int, left_two: int, size: int, other: int, open_: bool
) -> None:
    until = None if open_ else 40
    hole = Hole(0, until, {"#one": left_one, "#two": left_two})
    rooms = {"#one": one, "#two": two}
    told: list[int] = []
    complete = False
    while not complete:
        answer = page(now, hole.after, size, until)
        for room, end in rooms_left(hole, until).items():
            answer = with_room(answer, page(rooms[room], hole.after, other), end)
        told += [event.seq for event in answer.events]
        complete = answer.complete
        if not complete:
            assert answer.next is not None
            assert answer.next > hole.after, "a page brings us on"
            hole.after = answer.next
    before = {seq for seq in one if seq <= left_one} | {seq for seq in two if seq <= left_two}
    assert told == sorted(before | set(now))


def test_a_room_is_not_asked_for_beyond_the_place_where_it_was_left() -> None:
    assert rooms_left(Hole(10, None, {"#a": 10, "#b": 20}), None) == {"#b": 20}
    assert rooms_left(Hole(10, 30, {"#b": 20, "#c": 30}), 15) == {"#b": 15, "#c": 15}
