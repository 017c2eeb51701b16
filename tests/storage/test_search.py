"""Search: who finds what, before and after it is indexed, and whatever is typed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.storage import maintenance, search, search_index, threads
from asyncchat.storage.database_file import MEMORY
from asyncchat.storage.maintenance import Maintenance
from asyncchat.storage.storage import Storage
from asyncchat.storage.store import Store
from asyncchat.storage.tokenizer import phrases
from asyncchat.vocabulary.errors import SearchTooCostly, StorageError
from asyncchat.vocabulary.events import Said
from asyncchat.vocabulary.queries import FindText, Page, Place
from asyncchat.vocabulary.records import KeptRecord
from asyncchat.vocabulary.terms import Code
from tests.storage.facts import ALICE, ATTIC, BOB, LOBBY, Listener, deleted, edited, put, said, settle, whispered
from tests.storage.histories import ROOMS, histories, people

EVE = 99  # sees nothing but what is said to her
HOUR = 3_600_000


@pytest.fixture(params=["unindexed", "half indexed", "indexed"])
def indexed(request: pytest.FixtureRequest) -> str:
    state: str = request.param
    return state


@pytest.fixture
def library(indexed: str) -> Iterator[Store]:
    """Messages in two rooms and between two people; how much of it is indexed must make no difference."""
    store = settle(Store.open(MEMORY))
    put(
        store,
        said("green tea", time=1 * HOUR),
        said("black TEA", author=BOB, time=2 * HOUR),
        said("coffee", author=BOB, time=3 * HOUR),
        said("tea in the attic", ATTIC, BOB, time=4 * HOUR),
    )
    if indexed == "half indexed":
        index(store)
    put(
        store,
        whispered("secret tea", ALICE, BOB, time=5 * HOUR),
        whispered("tea for me", BOB, BOB, time=6 * HOUR),
        said("white tea", time=7 * HOUR),
    )
    if indexed == "indexed":
        index(store)
    yield store
    store.close()


def index(store: Store) -> None:
    """Bring the index up to date."""
    while store.index_next():
        pass


def found(store: Store, text: str, *, person: int = ALICE, rooms: tuple[int, ...] = (), **narrow: Any) -> list[str]:
    page = ask(store, text, person=person, rooms=rooms, **narrow)
    return [event.text for event in page.events if isinstance(event, Said)]


def ask(store: Store, text: str, *, person: int, rooms: tuple[int, ...], limit: int = 10, **narrow: Any) -> Page:
    page: Page = store.ask(FindText(person, rooms, text, limit, **narrow))
    return page


# --- who finds what -------------------------------------------------------------------------------------------------


def test_only_what_the_asker_may_see(library: Store) -> None:
    assert found(library, "tea", rooms=(LOBBY,), direct=False) == ["green tea", "black TEA", "white tea"]
    assert found(library, "tea", rooms=(ATTIC,), direct=False) == ["tea in the attic"]
    assert found(library, "tea") == ["secret tea"]
    assert found(library, "tea", person=BOB) == ["secret tea", "tea for me"]
    assert found(library, "tea", person=BOB, rooms=(ATTIC,)) == ["tea in the attic", "secret tea", "tea for me"]
    assert found(library, "tea", person=EVE) == []
    assert found(library, "tea", person=EVE, rooms=(77,)) == []


def test_rights_come_first_however_many_rooms_there_are(library: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the asker may not read is not even looked at: the time of an answer tells nothing of it."""
    many = tuple(range(1000, 3000))
    looked_at = list[int]()

    def look(seq: int) -> int:
        looked_at.append(seq)
        return 1

    library.connection.create_function("look", 1, look)
    monkeypatch.setattr(search, "_INDEXED", search._INDEXED.replace("WHERE search", "WHERE look(m.seq) AND search"))
    assert found(library, "attic", rooms=(LOBBY, *many), direct=False) == []
    assert looked_at == []
    assert found(library, "tea", rooms=(LOBBY, *many), direct=False) == ["green tea", "black TEA", "white tea"]
    assert found(library, "tea", rooms=many, direct=False) == []


def test_narrowed_to_a_place(library: Store) -> None:
    assert found(library, "tea", rooms=(LOBBY, ATTIC), place=Place(room=ATTIC)) == ["tea in the attic"]
    assert found(library, "tea", rooms=(LOBBY,), place=Place(room=ATTIC)) == []
    assert found(library, "tea", person=BOB, place=Place(one=ALICE, other=BOB)) == ["secret tea"]
    assert found(library, "tea", person=BOB, place=Place(one=BOB, other=BOB)) == ["tea for me"]
    assert found(library, "tea", person=EVE, place=Place(one=ALICE, other=BOB)) == []


def test_narrowed_to_a_person_whatever_the_case(library: Store) -> None:
    assert found(library, "tea", rooms=(LOBBY,), author="p1") == ["green tea", "secret tea", "white tea"]
    assert found(library, "tea", rooms=(LOBBY,), author="P2") == ["black TEA"]
    assert found(library, "tea", rooms=(LOBBY,), author="nobody: at all") == []


def test_narrowed_to_a_time(library: Store) -> None:
    everywhere: dict[str, Any] = {"rooms": (LOBBY, ATTIC)}
    assert found(library, "tea", since=5 * HOUR, **everywhere) == ["secret tea", "white tea"]
    assert found(library, "tea", until=2 * HOUR, **everywhere) == ["green tea", "black TEA"]
    assert found(library, "tea", since=2 * HOUR, until=4 * HOUR, **everywhere) == ["black TEA", "tea in the attic"]


def test_without_a_word_all_that_fits(library: Store) -> None:
    assert found(library, " ", rooms=(LOBBY,), author="P2", direct=False) == ["black TEA", "coffee"]


def test_newest_first_page_by_page(library: Store) -> None:
    page = ask(library, "tea", person=BOB, rooms=(LOBBY, ATTIC), limit=2)
    pages = [[event.text for event in page.events if isinstance(event, Said)]]
    while not page.complete:
        assert page.next == page.events[0].seq
        page = ask(library, "tea", person=BOB, rooms=(LOBBY, ATTIC), limit=2, before=page.next)
        pages.append([event.text for event in page.events if isinstance(event, Said)])
    assert pages == [
        ["tea for me", "white tea"],
        ["tea in the attic", "secret tea"],
        ["green tea", "black TEA"],
    ]


# --- what changes ---------------------------------------------------------------------------------------------------


def test_an_edited_message_is_found_by_its_new_words_only(library: Store) -> None:
    put(library, edited(5, "hot chocolate"), edited(5, "hot milk"))
    assert found(library, "green", rooms=(LOBBY,)) == []
    assert found(library, "chocolate", rooms=(LOBBY,)) == []
    assert found(library, "milk", rooms=(LOBBY,)) == ["hot milk"]
    index(library)
    assert found(library, "milk", rooms=(LOBBY,)) == ["hot milk"]


def test_a_deleted_message_is_not_found(library: Store) -> None:
    put(library, deleted(5, 6, 11))
    assert found(library, "tea", rooms=(LOBBY,), direct=False) == []
    index(library)
    assert found(library, "tea", rooms=(LOBBY,), direct=False) == []


def test_the_index_is_made_anew_when_words_are_folded_in_another_way(path: Path) -> None:
    store = settle(Store.open(path))
    put(store, said("tea"))
    index(store)
    with store.transaction() as db:
        db.execute("UPDATE server SET folding = 'of old'")
    store.close()
    store = Store.open(path)
    assert store.unindexed
    assert found(store, "tea", rooms=(LOBBY,)) == ["tea"]
    index(store)
    put(store, deleted(5))
    assert found(store, "tea", rooms=(LOBBY,)) == []
    store.close()


# --- whatever is typed ----------------------------------------------------------------------------------------------

SYNTAX = (
    '"',
    '""',
    "'",
    "*",
    "a*",
    "^a",
    "text:a",
    "tags:r3",
    "a AND",
    "OR",
    "NOT a",
    "NEAR(a b)",
    "(",
    ")",
    "+",
    "-a",
)
ODD = ("{text}:a", "a+b", ";", "--", "\x00", "a\x00b", "%", "_", "\\", "日", '"日', "❤️", "İ", "ﬀ", "\u0300", "\ufeff")
TRICKS = st.sampled_from((*SYNTAX, *ODD))
typed = st.lists(TRICKS | st.text(max_size=8), max_size=5).map(" ".join)


@given(texts=st.lists(typed, min_size=1, max_size=8), query=typed)
def test_any_text_is_searched_alike_before_and_after_indexing(texts: list[str], query: str) -> None:
    store = settle(Store.open(MEMORY))
    put(store, *(said(text) for text in texts))
    queries = [query, *texts, *(piece for text in texts for piece in text.split())]
    queries = [one for one in queries if phrases(one) or not one.strip()]
    before = [found(store, one, rooms=(LOBBY,)) for one in queries]
    index(store)
    after = [found(store, one, rooms=(LOBBY,)) for one in queries]
    store.close()
    assert after == before


@given(text=typed)
def test_a_message_is_found_by_its_own_pieces(text: str) -> None:
    store = settle(Store.open(MEMORY))
    put(store, said(text))
    index(store)
    for piece in text.split():
        if phrases(piece):
            assert found(store, piece, rooms=(LOBBY,)) == [text]
    store.close()


@given(history=histories, at=st.integers(0, 40), person=people, rooms=st.sets(st.sampled_from(ROOMS)).map(tuple))
def test_edits_and_deletions_leave_nothing_wrong_behind(
    history: list[KeptRecord], at: int, person: int, rooms: tuple[int, ...]
) -> None:
    indexed, plain = Store.open(MEMORY), Store.open(MEMORY)
    put(plain, *history)
    put(indexed, *history[:at])
    index(indexed)
    put(indexed, *history[at:])
    index(indexed)
    for event in ask(plain, " ", person=person, rooms=rooms, limit=100).events:
        assert isinstance(event, Said)
        if not phrases(event.text):
            continue
        for store in (plain, indexed):
            assert event.text in found(store, event.text, person=person, rooms=rooms, limit=100)
        assert found(indexed, event.text, person=person, rooms=rooms) == found(
            plain, event.text, person=person, rooms=rooms
        )
    indexed.connection.execute("INSERT INTO search (search) VALUES ('integrity-check')")
    indexed.close()
    plain.close()


# --- limits ---------------------------------------------------------------------------------------------------------


def test_a_search_that_takes_too_long_is_ended(library: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "STEPS", 1)
    with pytest.raises(SearchTooCostly) as refused:
        found(library, "tea", rooms=(LOBBY,), seconds=-1.0)
    assert refused.value.code is Code.TOO_LONG
    assert found(library, "coffee", rooms=(LOBBY,)) == ["coffee"], "and the next one is not"


def test_punctuation_is_looked_for_in_the_texts_that_have_the_words(library: Store, indexed: str) -> None:
    texts = ["plan c", "C++ is hard", "c, d", "learn c++17", "Ｃ＋＋ wide", "vitamin C"]
    put(library, *(said(text) for text in texts))
    if indexed == "indexed":
        index(library)
    hits = ["C++ is hard", "learn c++17", "Ｃ＋＋ wide"]
    assert found(library, "C++", rooms=(LOBBY,)) == hits
    page = ask(library, "c++", person=ALICE, rooms=(LOBBY,), limit=2)
    assert not page.complete
    before = page.next
    older = ask(library, "c++", person=ALICE, rooms=(LOBBY,), limit=2, before=before)
    assert [event.text for event in [*older.events, *page.events] if isinstance(event, Said)] == hits
    assert older.complete
    put(library, edited(13, "c++ now"), edited(14, "c only"))
    assert found(library, "C++", rooms=(LOBBY,)) == ["c++ now", "learn c++17", "Ｃ＋＋ wide"]


async def test_punctuation_in_memory_and_in_a_file(storage: Storage, listener: Listener) -> None:
    """One search after the other, of different punctuation, by those who read for everybody."""
    texts = ["plan c", "C++ is hard", "C# too", "c++ and c#"]
    for text in texts:
        storage.log.append(said(text))
    await listener.told(len(texts))
    for query, hits in (("c++", [1, 3]), ("c#", [2, 3]), ("c", [0, 1, 2, 3]), ("C++ c#", [3])):
        page = await storage.ask(FindText(ALICE, (LOBBY,), query, 10))
        assert [event.text for event in page.events] == [texts[number] for number in hits]
    with pytest.raises(StorageError, match="a search needs a word"):
        await storage.ask(FindText(ALICE, (LOBBY,), "???", 10))


def test_without_a_word_to_look_for_it_is_said_why(library: Store) -> None:
    for text in ("???", "++ ->", "。"):
        with pytest.raises(StorageError, match="a search needs a word") as refused:
            found(library, text, rooms=(LOBBY,))
        assert refused.value.code is Code.MALFORMED


def test_too_long_a_text_is_refused(library: Store) -> None:
    with pytest.raises(SearchTooCostly):
        found(library, "x" * (search.SEARCH_CHARACTERS + 1), rooms=(LOBBY,))


def test_an_index_far_behind_is_said(library: Store, indexed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "TAIL", 2)
    if indexed == "indexed":
        assert found(library, "coffee", rooms=(LOBBY,)) == ["coffee"]
        return
    with pytest.raises(StorageError) as refused:
        found(library, "coffee", rooms=(LOBBY,))
    assert refused.value.code is Code.UNAVAILABLE


def test_a_long_tail_is_searched_in_slices(library: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "TAIL_SLICE", 1)
    assert found(library, "tea", rooms=(LOBBY,), direct=False) == ["green tea", "black TEA", "white tea"]


# --- maintenance ----------------------------------------------------------------------------------------------------


def test_upkeep_indexes_in_chunks_and_then_rests(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_index, "ROWS", 3)
    put(store, *(said(str(number)) for number in range(7)))
    care = Maintenance(store)
    left = [store.unindexed]
    while care.idle() is not None:
        left.append(store.unindexed)
    assert list(dict.fromkeys(left)) == [11, 4, 1, 0], "three, three and one, the first of which has seq 5"
    assert found(store, "5", rooms=(LOBBY,)) == ["5"]


def test_upkeep_between_batches_begins_when_the_index_is_far_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, *(said(str(number)) for number in range(7)))
    care = Maintenance(store)
    care.busy()
    behind = store.unindexed
    monkeypatch.setattr(maintenance, "BEHIND", 3)
    monkeypatch.setattr(search_index, "ROWS", 2)
    care.busy()
    assert store.unindexed < behind
    behind = store.unindexed
    care.busy()
    assert store.unindexed == behind, "its share of the time is used up"


async def test_a_log_with_nothing_to_do_indexes(
    storage: Storage, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    idle = Maintenance.idle

    def watched(care: Maintenance) -> float | None:
        again = idle(care)
        if again is None:
            loop.call_soon_threadsafe(done.set)
        return again

    monkeypatch.setattr(Maintenance, "idle", watched)
    for number in range(50):
        storage.log.append(said(str(number)))
    await listener.told(50)
    done.clear()
    await done.wait()
    assert await storage.log.run(lambda store: store.unindexed) == 0


SECRET = "xylophonequartz"


def test_the_words_of_a_deleted_message_vanish_from_the_file(path: Path) -> None:
    store = settle(Store.open(path))
    seqs = put(store, *(said(f"message {number} {number * 7919} {'pad ' * 20}") for number in range(300)))
    (secret,) = put(store, said(f"the password is {SECRET}"))
    care = Maintenance(store)
    run(care)
    put(store, *(said(f"later {number}") for number in range(300)))
    run(care)
    put(store, edited(seqs[0], f"my password is {SECRET}"), edited(seqs[0], "nothing"))
    put(store, deleted(secret))
    assert found(store, SECRET, rooms=(LOBBY,)) == []
    run(care)
    files = [file for file in path.parent.iterdir() if SECRET[4:].encode() in file.read_bytes()]
    store.close()
    assert files == []


def run(care: Maintenance) -> None:
    """All that is to do now."""
    while (again := care.idle()) is not None and again < 1:
        pass


def test_the_index_is_purged_but_once_in_a_while(store: Store) -> None:
    care = Maintenance(store)
    for _ in range(2):
        (seq,) = put(store, said("tea"))
        run(care)
        put(store, deleted(seq))
        assert store.purge_is_due
        run(care)
    assert store.purge_is_due
    again = care.idle()
    assert again is not None
    assert 0 < again <= maintenance.PURGE_SECONDS


# --- what indexing costs others ---------------------------------------------------------------------------------------


def test_an_index_that_cannot_be_written_is_told_once_in_a_while(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk, for example: it is tried again, far behind after each batch."""

    def fail() -> bool:
        raise StorageError("full")

    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr(maintenance, "BEHIND", 0)
    monkeypatch.setattr(store, "refresh_index", fail)
    care = Maintenance(store)
    for _ in range(3):
        assert care.idle() == maintenance.RETRY_SECONDS
        care.busy()
    assert caplog.messages == ["maintenance of the database: full"]
    now += maintenance.REMINDER_SECONDS
    care.busy()
    assert caplog.messages == ["maintenance of the database: full"] * 2


def test_long_texts_are_indexed_one_at_a_time(store: Store) -> None:
    """In Han each character is a word: eleven texts of 16 KB took as long as 250 short ones each."""
    texts = ["".join(chr(0x4E00 + (number * 977 + at * 31) % 20_000) for at in range(5_400)) for number in range(11)]
    put(store, *map(said, texts))
    while store.unindexed > 11:
        store.index_next()
    left = [store.unindexed]
    while store.index_next():
        left.append(store.unindexed)
    assert left[:11] == list(range(10, -1, -1)), "one at a time"


def test_short_texts_are_indexed_many_at_a_time(store: Store) -> None:
    put(store, *(said(f"number {number}") for number in range(600)))
    steps = 1
    while store.index_next():
        steps += 1
    assert steps <= 5


@pytest.mark.parametrize("change", ["edited", "deleted", "purged"])
def test_no_change_of_messages_waits_for_the_index(store: Store, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    seqs = put(store, *(said(f"green tea {number}") for number in range(300)))
    index(store)
    with monkeypatch.context() as watched:
        watched.setattr(
            search_index, "index_text", lambda _: pytest.fail("words are counted while a commit is under way")
        )
        match change:
            case "edited":
                put(store, *(edited(seq, "black coffee") for seq in seqs))
            case "deleted":
                put(store, *(deleted(seq) for seq in seqs))
            case "purged":
                put(store, deleted(*seqs))
        assert found(store, "tea", rooms=(LOBBY,)) == [], "out of every answer at once"
        assert len(found(store, "coffee", rooms=(LOBBY,), limit=1000)) == (300 if change == "edited" else 0)
    run(Maintenance(store))
    assert store.connection.execute("SELECT count(*) FROM outdated").fetchone() == (0,)
    assert found(store, "tea", rooms=(LOBBY,)) == []
    assert len(found(store, "coffee", rooms=(LOBBY,), limit=1000)) == (300 if change == "edited" else 0)


@pytest.mark.parametrize("place", ["file"], indirect=True)
def test_what_was_outdated_at_the_end_is_put_in_order_first_after_a_start(store: Store) -> None:
    seqs = put(store, *(said(f"green tea {number}") for number in range(3)))
    index(store)
    put(store, edited(seqs[0], "black coffee"), deleted(seqs[1]), said("new"))
    path = store.path
    assert path is not None
    store.close()
    again = Store.open(path)
    try:
        assert found(again, "tea", rooms=(LOBBY,)) == ["green tea 2"]
        assert found(again, "coffee", rooms=(LOBBY,)) == ["black coffee"]
        unindexed = again.unindexed
        Maintenance(again).idle()
        assert again.unindexed == unindexed, "the new message comes later"
        assert again.connection.execute("SELECT count(*) FROM outdated").fetchone() == (0,)
    finally:
        again.close()


def test_pages_with_edited_messages_go_on_where_they_ended(store: Store) -> None:
    seqs = put(store, *(said(f"tea {number}") for number in range(9)))
    index(store)
    put(store, *(edited(seq, f"tea again {seq}") for seq in seqs[::2]))
    before, every = None, list[str]()
    while True:
        page = ask(store, "tea", person=ALICE, rooms=(LOBBY,), limit=2, before=before)
        every = [event.text for event in page.events if isinstance(event, Said)] + every
        if page.complete:
            break
        before = page.next
    assert every == [f"tea again {seq}" if at % 2 == 0 else f"tea {at}" for at, seq in enumerate(seqs)]


# --- a clock that was wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [-400 * 24 * HOUR, 400 * 24 * HOUR])
@pytest.mark.parametrize("how", ["indexed", "unindexed"])
def test_searches_by_day_find_all_though_the_clock_was_wrong_for_a_while(
    store: Store, monkeypatch: pytest.MonkeyPatch, wrong: int, how: str
) -> None:
    monkeypatch.setattr(search_index, "STRETCH", 4)
    start = 1_000_000 * HOUR
    times = [start + at * HOUR for at in range(40)]
    times[13:21] = [time + wrong for time in times[13:21]]
    put(store, *(said(f"tea {at}", time=time) for at, time in enumerate(times)))
    if how == "indexed":
        index(store)
    for since, until in ((start, None), (None, start + 39 * HOUR), (start + 5 * HOUR, start + 30 * HOUR)):
        expected = [
            f"tea {at}"
            for at, time in enumerate(times)
            if (since is None or time >= since) and (until is None or time <= until)
        ]
        assert found(store, "tea", rooms=(LOBBY,), since=since, until=until, limit=100) == expected
