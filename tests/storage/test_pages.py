"""Pages: history of a place and all that happened since, against a naive model and by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.storage.store import Store
from asyncchat.vocabulary.events import Deleted, Edited, KeptEvent, Reacted, Said, TopicChanged
from asyncchat.vocabulary.queries import (
    FindMessage,
    FindNonces,
    FindPage,
    FindReading,
    FindRecent,
    FindSince,
    Page,
    Place,
    Reading,
)
from asyncchat.vocabulary.records import KeptRecord, MarkerSet, Seen, TopicSet
from tests.storage.facts import ALICE, ATTIC, BOB, LOBBY, deleted, edited, put, reacted, said, whispered
from tests.storage.histories import PEOPLE, ROOMS, Model, histories, people

HERE = Place(room=LOBBY)


def everything(store: Store, query: FindSince) -> list[KeptEvent]:
    """All pages of a query, one after the other."""
    events: list[KeptEvent] = []
    after = query.after
    while True:
        page = store.ask(
            FindSince(query.person, query.rooms, after, query.limit, until=query.until, direct=query.direct)
        )
        assert len(page.events) <= query.limit
        events += page.events
        if page.complete:
            return events
        assert page.next == page.events[-1].seq
        after = page.next


# --- against the model ----------------------------------------------------------------------------------------------


@given(
    history=histories,
    cuts=st.sets(st.integers(1, 40)),
    person=people,
    rooms=st.sets(st.sampled_from(ROOMS)).map(tuple),
    after=st.integers(0, 45),
    span=st.integers(0, 45) | st.none(),
    limit=st.integers(1, 10),
    direct=st.booleans(),
)
def test_since_tells_each_event_once_in_order(
    history: list[KeptRecord],
    cuts: set[int],
    person: int,
    rooms: tuple[int, ...],
    after: int,
    span: int | None,
    limit: int,
    direct: bool,
) -> None:
    model = Model(history)
    store = write(history, cuts)
    until = after + span if span is not None else None
    found = everything(store, FindSince(person, rooms, after, limit, until=until, direct=direct))
    store.close()
    assert found == model.since(person, rooms, after, until if until is not None else len(history), direct)


@given(
    history=histories,
    place=st.sampled_from(ROOMS).map(lambda room: Place(room=room))
    | st.builds(lambda one, other: Place(one=one, other=other), people, people),
    limit=st.integers(1, 10),
    edge=st.integers(0, 45),
)
def test_pages_lead_through_all_messages_in_both_directions(
    history: list[KeptRecord], place: Place, limit: int, edge: int
) -> None:
    pair = frozenset() if place.room else frozenset((place.one, place.other))
    expected = Model(history).page(place.room, pair)
    store = write(history, set())
    back: list[Said] = []
    before: int | None = edge
    while before is not None:
        page: Page = store.ask(FindPage(place, limit, before=before))
        back = [*(event for event in page.events if isinstance(event, Said)), *back]
        before = None if page.complete else page.next
        assert before is None or before == page.events[0].seq
    assert back == [event for event in expected if event.seq < edge]
    onward: list[Said] = []
    after: int | None = edge
    while after is not None:
        page = store.ask(FindPage(place, limit, after=after))
        onward += (event for event in page.events if isinstance(event, Said))
        after = None if page.complete else page.next
    store.close()
    assert onward == [event for event in expected if event.seq > edge]


def write(history: list[KeptRecord], cuts: set[int]) -> Store:
    """A store in memory that got this history in several batches."""
    store = Store.open(":memory:")
    placed = list(enumerate(history, start=1))
    start = 0
    for end in sorted(cut for cut in cuts if cut < len(placed)):
        store.write(placed[start:end])
        start = end
    store.write(placed[start:])
    return store


# --- by hand --------------------------------------------------------------------------------------------------------


def test_the_last_page_of_a_room(store: Store) -> None:
    seqs = put(store, *(said(str(number)) for number in range(5)), said("elsewhere", ATTIC))
    page = store.ask(FindPage(HERE, limit=2))
    assert [event.text for event in page.events] == ["3", "4"]
    assert (page.complete, page.next) == (False, seqs[3])
    page = store.ask(FindPage(HERE, limit=3, before=seqs[3]))
    assert [event.text for event in page.events] == ["0", "1", "2"]
    assert page.complete


def test_a_message_keeps_all_that_was_said_with_it(store: Store) -> None:
    record = said("ahoy", kind="action", reply_to=77, nonce="n1", time=1_700_000_000_123)
    (seq,) = put(store, record)
    (event,) = store.ask(FindPage(HERE, limit=1)).events
    assert event == Said(
        seq=seq,
        time="2023-11-14T22:13:20.123Z",
        sender="P1",
        to="#r3",
        text="ahoy",
        kind="action",
        reply_to=77,
        nonce="n1",
    )


@given(text=st.text())
def test_any_text_comes_back_as_it_was(text: str) -> None:
    store = Store.open(":memory:")
    put(store, said(text))
    (event,) = store.ask(FindPage(HERE, limit=1)).events
    store.close()
    assert event.text == text


def test_an_edited_message_shows_its_new_text_alone(store: Store) -> None:
    (seq,) = put(store, said("secret"))
    first, second = put(store, edited(seq, "better", time=5000), edited(seq, "best", time=6000))
    (event,) = store.ask(FindPage(HERE, limit=5)).events
    assert (event.text, event.edited) == ("best", "1970-01-01T00:00:06.000Z")
    since = store.ask(FindSince(ALICE, (LOBBY,), after=seq, limit=10)).events
    assert [(type(event), event.seq, event.text) for event in since] == [
        (Edited, first, "best"),
        (Edited, second, "best"),
    ]


def test_a_deleted_message_has_no_text_and_no_past(store: Store) -> None:
    (seq,) = put(store, said("secret", nonce="n"))
    *_, gone = put(store, edited(seq, "also secret"), reacted(seq, "+1"), deleted(seq))
    put(store, edited(seq, "too late"), reacted(seq, "-1"))
    (event,) = store.ask(FindPage(HERE, limit=5)).events
    assert (event.text, event.deleted, event.edited, event.reactions) == ("", True, None, None)
    since = store.ask(FindSince(ALICE, (LOBBY,), after=seq, limit=10)).events
    assert since == [Deleted(seq=gone, time="1970-01-01T00:00:02.000Z", sender="P1", to="#r3", targets=[seq])]
    assert store.ask(FindMessage(seq)).deleted
    assert store.ask(FindNonces(ALICE, 5)) == {"n": seq}, "sent again it must not come back to life"


def test_reactions_stand_in_the_order_in_which_they_were_put(store: Store) -> None:
    (seq,) = put(store, said())
    by_bob = {"by": BOB, "name": "P2"}
    put(store, reacted(seq, "+1", **by_bob), reacted(seq, "❤"), reacted(seq, "+1"), reacted(seq, "+1"))
    (event,) = store.ask(FindPage(HERE, limit=5)).events
    assert event.reactions == {"+1": ["P2", "P1"], "❤": ["P1"]}
    assert store.ask(FindMessage(seq)).reactions == {"+1", "❤"}
    assert [store.ask(FindMessage(seq, person)).own for person in (ALICE, BOB, 0)] == [{"+1", "❤"}, {"+1"}, set()]
    put(store, reacted(seq, "+1", remove=True, **by_bob), reacted(seq, "❤", remove=True))
    (event,) = store.ask(FindPage(HERE, limit=5)).events
    assert event.reactions == {"+1": ["P1"]}
    since = store.ask(FindSince(ALICE, (LOBBY,), after=seq, limit=10)).events
    assert [type(event) for event in since] == [Reacted] * 6
    assert [event.remove for event in since] == [False] * 4 + [True] * 2
    assert store.ask(FindMessage(put(store, said())[0])).reactions == set(), "each message has its own"


def test_topics_are_told(store: Store) -> None:
    (seq,) = put(store, TopicSet(time=1000, room=LOBBY, to="#lobby", by=ALICE, name="Alice", text="tea"))
    assert store.ask(FindSince(BOB, (LOBBY,), after=0, limit=10)).events == [
        TopicChanged(seq=seq, time="1970-01-01T00:00:01.000Z", sender="Alice", room="#lobby", text="tea")
    ]


def test_a_direct_message_is_both_peoples_and_nobody_elses(store: Store) -> None:
    put(store, whispered("psst", ALICE, BOB), whispered("what", BOB, ALICE), whispered("note", ALICE, ALICE))
    seen = [[e.text for e in store.ask(FindSince(id, (), after=0, limit=10)).events] for id in (*PEOPLE, 9)]
    assert seen == [["psst", "what", "note"], ["psst", "what"], [], []]
    for place in (Place(one=ALICE, other=BOB), Place(one=BOB, other=ALICE)):
        assert [event.text for event in store.ask(FindPage(place, limit=5)).events] == ["psst", "what"]
    alone = Place(one=ALICE, other=ALICE)
    assert [event.text for event in store.ask(FindPage(alone, limit=5)).events] == ["note"]


def test_an_empty_page_is_complete(store: Store) -> None:
    assert store.ask(FindPage(HERE, limit=5)) == Page([], complete=True)
    assert store.ask(FindSince(ALICE, (LOBBY,), after=0, limit=5)) == Page([], complete=True)


def test_since_comes_to_an_end_wherever_it_begins(store: Store) -> None:
    (seq,) = put(store, said())
    for until in (None, seq, 2**63 - 1, 2**70):
        for after in (0, seq - 1, seq, 2**62, 2**63 - 1):
            for limit in (1, 2):
                page = store.ask(FindSince(ALICE, (LOBBY,), after, limit, until=until))
                assert len(page.events) == (after < seq)
                assert page.complete


def test_many_rooms_are_no_more_than_a_query_can_take(store: Store) -> None:
    rooms = range(100, 2100)
    put(store, *(said(str(number), number) for number in rooms))
    page = store.ask(FindSince(ALICE, tuple(rooms), after=0, limit=5000))
    assert [event.text for event in page.events] == [str(number) for number in rooms]


# --- the smaller questions ------------------------------------------------------------------------------------------


def test_nonces_are_a_persons_last_ones_oldest_first(store: Store) -> None:
    seqs = put(store, *(said(nonce=f"n{number}") for number in range(5)), said(nonce="b", author=BOB), said())
    assert store.ask(FindNonces(ALICE, 3)) == {"n2": seqs[2], "n3": seqs[3], "n4": seqs[4]}
    assert list(store.ask(FindNonces(ALICE, 3))) == ["n2", "n3", "n4"]
    assert store.ask(FindNonces(BOB, 3)) == {"b": seqs[5]}


def test_recent_is_what_was_said_under_a_name_since_a_time(store: Store) -> None:
    names = ("Ann", "ANN", "Bob", "Änn")
    seqs = put(store, *(said(name=name, time=hour * 3_600_000) for hour in range(10) for name in names))
    put(store, said(room=ATTIC, name="Ann", time=9 * 3_600_000), deleted(seqs[-4]))
    since = 8 * 3_600_000
    assert store.ask(FindRecent(LOBBY, "ann", since, 10)) == [seqs[32], seqs[33], seqs[37]]
    assert store.ask(FindRecent(LOBBY, "aNN", since, 2)) == [seqs[33], seqs[37]]
    assert store.ask(FindRecent(LOBBY, "nobody at all", since, 2)) == []


def test_recent_is_also_what_the_person_said_under_other_names(store: Store) -> None:
    seqs = put(store, said(name="Ann"), said(name="Mallory", author=BOB), said(name="Anon", author=BOB), said(author=0))
    assert store.ask(FindRecent(LOBBY, "anon", 0, 10)) == [seqs[2]]
    assert store.ask(FindRecent(LOBBY, "anon", 0, 10, person=BOB)) == seqs[1:3]


def test_markers_tell_how_far_a_person_has_read_each_room_and_conversation(store: Store) -> None:
    put(
        store,
        MarkerSet(time=1, person=ALICE, upto=4, room=LOBBY),
        MarkerSet(time=2, person=ALICE, upto=3, room=LOBBY),
        MarkerSet(time=3, person=ALICE, upto=2, peer=BOB),
        MarkerSet(time=4, person=BOB, upto=1, room=LOBBY),
    )
    assert store.ask(FindReading(ALICE)) == Reading({LOBBY: 4, BOB: 2})
    assert store.ask(FindReading(ATTIC)) == Reading({})


def test_how_far_somebody_was_is_known_of_those_who_went_offline(store: Store) -> None:
    put(store, Seen(time=1, person=ALICE, upto=7), Seen(time=1, person=BOB, upto=7), Seen(time=2, person=BOB, upto=0))
    assert store.ask(FindReading(ALICE)) == Reading({}, seen=7)
    assert store.ask(FindReading(BOB)) == Reading({}), "online"


@pytest.mark.parametrize("back", [1, 600_000, 3_500_000])
def test_recent_is_right_though_the_clock_was_set_back(store: Store, back: int) -> None:
    now = 10 * 3_600_000
    early = put(store, *(said(time=now + second * 1000) for second in range(100)))
    late = put(store, *(said(time=now - back + second * 1000) for second in range(300)))
    expected = [
        seq
        for seq, time in (
            *((seq, now + index * 1000) for index, seq in enumerate(early)),
            *((seq, now - back + index * 1000) for index, seq in enumerate(late)),
        )
        if time >= now + 10_000
    ]
    assert store.ask(FindRecent(LOBBY, "P1", now + 10_000, 1000)) == expected
