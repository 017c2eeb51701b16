"""Pages end before their length is reached when they hold many bytes; page by page nothing is lost."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.storage import pages
from asyncchat.storage.database_file import MEMORY
from asyncchat.storage.store import Store
from asyncchat.vocabulary.events import KeptEvent
from asyncchat.vocabulary.queries import FindPage, FindSince, FindText, Page, Place
from asyncchat.vocabulary.records import KeptRecord
from tests.storage.facts import ALICE, BOB, LOBBY, edited, put, reacted, said, settle, whispered
from tests.storage.histories import ROOMS, Model, histories, people

LONGEST = 16_384
MESSAGES = 120


@pytest.fixture(params=["indexed", "unindexed"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Long messages in a room and between two people, some changed."""
    store = settle(Store.open(MEMORY))
    seqs = put(store, *(said(f"{n} " + "word " * (LONGEST // 5 - 2)) for n in range(MESSAGES)))
    put(store, *(edited(seq, "y" * LONGEST) for seq in seqs[::7]), *(reacted(seq, "+1") for seq in seqs[::3]))
    put(store, *(whispered("x" * LONGEST, ALICE, BOB) for _ in range(50)))
    if request.param == "indexed":
        while store.index_next():
            pass
    yield store
    store.close()


def through(ask: Callable[[int | None], Page], *, back: bool = False) -> list[KeptEvent]:
    """All pages, one after the other; none of them holds too much."""
    events: list[KeptEvent] = []
    place: int | None = None
    while True:
        page = ask(place)
        assert len(page.events) <= 1 or pages.size_of(page.events) <= pages.PAGE_BYTES
        events = [*page.events, *events] if back else [*events, *page.events]
        if page.complete:
            assert [event.seq for event in events] == sorted({event.seq for event in events})
            return events
        assert page.events
        place = page.next


@pytest.mark.parametrize("limit", [3, 200, 1000])
def test_pages_of_long_messages(store: Store, limit: int) -> None:
    for place, count in ((Place(room=LOBBY), MESSAGES), (Place(one=ALICE, other=BOB), 50)):

        def before(seq: int | None, place: Place = place) -> Page:
            page: Page = store.ask(FindPage(place, limit, before=seq))
            return page

        def after(seq: int | None, place: Place = place) -> Page:
            page: Page = store.ask(FindPage(place, limit, after=seq or 0))
            return page

        back, onward = through(before, back=True), through(after)
        assert len(back) == count
        assert onward == back


@pytest.mark.parametrize("limit", [3, 200, 1000])
def test_since(store: Store, limit: int) -> None:
    events = through(lambda after: store.ask(FindSince(BOB, (LOBBY,), after or 0, limit)))
    assert len(events) == MESSAGES + len(range(0, MESSAGES, 7)) + len(range(0, MESSAGES, 3)) + 50


@pytest.mark.parametrize("limit", [3, 200])
def test_search(store: Store, limit: int) -> None:
    found = through(lambda before: store.ask(FindText(BOB, (LOBBY,), "word", limit, before=before)), back=True)
    assert len(found) == MESSAGES - len(range(0, MESSAGES, 7))


@pytest.mark.parametrize("limit", [200, 1000])
def test_bytes_count_as_json_has_them(limit: int) -> None:
    """A control character is six, and reactions come with the names of all who put them."""
    store = settle(Store.open(MEMORY))
    bells = put(store, *(said("\a" * 8_000) for _ in range(50)))
    liked = put(store, *(said("hi") for _ in range(50)))
    names = ("\N{CJK UNIFIED IDEOGRAPH-4E00}" * 30 + str(n) for n in range(100))
    put(store, *(reacted(seq, "+1", by=n, name=name) for n, name in enumerate(names, 10) for seq in liked))
    found = through(lambda after: store.ask(FindPage(Place(room=LOBBY), limit, after=after or 0)))
    assert [event.seq for event in found] == bells + liked
    assert pages.size_of(found) > 5 * pages.PAGE_BYTES
    assert len(through(lambda after: store.ask(FindSince(BOB, (LOBBY,), after or 0, limit)))) == 100 + 100 * 50
    assert len(through(lambda before: store.ask(FindText(BOB, (LOBBY,), "hi", limit, before=before)), back=True)) == 50
    store.close()


@given(
    history=histories,
    person=people,
    rooms=st.sets(st.sampled_from(ROOMS)).map(tuple),
    limit=st.integers(1, 10),
    size=st.integers(0, 2_000),
)
def test_pages_full_of_text_against_the_model(
    history: list[KeptRecord], person: int, rooms: tuple[int, ...], limit: int, size: int
) -> None:
    model = Model(history)
    store = Store.open(MEMORY)
    store.write(list(enumerate(history, start=1)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "PAGE_BYTES", size)
        since = through(lambda after: store.ask(FindSince(person, rooms, after or 0, limit)))
        for room in rooms:

            def after(seq: int | None, room: int = room) -> Page:
                page: Page = store.ask(FindPage(Place(room=room), limit, after=seq or 0))
                return page

            assert through(after) == model.page(room, frozenset())
    store.close()
    assert since == model.since(person, rooms, 0, len(history), True)
