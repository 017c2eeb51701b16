"""What a store knows of people and rooms, and gives back at start-up: every record that is not a message."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from asyncchat.storage import snapshot
from asyncchat.storage.integrity import check
from asyncchat.storage.retention import AT_ONCE
from asyncchat.storage.store import Store
from asyncchat.storage.transfer import export
from asyncchat.vocabulary import records as r
from asyncchat.vocabulary.queries import FindToken, Person
from asyncchat.vocabulary.records import KeptRecord
from asyncchat.vocabulary.terms import Role
from tests.storage.facts import ALICE, ATTIC, BOB, FIRST, LOBBY, person, put, room, said, whispered

TOKEN, OTHER = b"t" * 32, b"o" * 32


def loaded(store: Store, now: int = 0) -> list[KeptRecord]:
    return [record for _, record in store.load(now)]


def ids(store: Store) -> dict[str, int]:
    """The people and rooms that a start-up finds, by name."""
    made = r.PersonCreated | r.RoomCreated
    return {record.name: seq for seq, record in store.load() if isinstance(record, made)}


def test_people_and_rooms_come_back_under_their_ids(store: Store) -> None:
    assert list(store.load()) == list(enumerate(FIRST, start=1))


LASTING: list[KeptRecord] = [
    r.Registered(time=2, person=ALICE, name="Alice", key="alice", password="$argon2id$…", invitation="word"),
    r.AdministratorSet(time=1000, person=ALICE),
    r.Seen(time=1000, person=BOB, upto=3),
    r.RoomSet(time=3, room=LOBBY, by=ALICE, private=True, moderated=True, topic_locked=True, retention=7, password="$"),
    r.TopicSet(time=4, room=LOBBY, to="#lobby", by=ALICE, name="Alice", text="tea"),
    r.RoleSet(time=5, room=LOBBY, person=BOB, role=Role.VOICE, by=ALICE),
    r.RoleSet(time=5, room=LOBBY, person=ALICE, role=Role.MEMBER, by=BOB),
    r.InviteSet(time=6, room=LOBBY, person=BOB, by=ALICE),
    r.InviteSet(time=6, room=LOBBY, person=BOB, by=BOB, by_password=True),
    r.BanSet(time=7, room=LOBBY, by="Alice", who="Bob", person=BOB, mute=True, until=10_000, reason="noise"),
    r.BanSet(time=7, room=0, by="Alice", who="192.0.2.0/24", address="192.0.2.0/24"),
    r.BanSet(time=7, room=LOBBY, by="Alice", who="Eve", key="eve"),
    r.MarkerSet(time=8, person=ALICE, upto=4, room=LOBBY),
    r.MarkerSet(time=8, person=ALICE, upto=3, peer=BOB),
]


@pytest.mark.parametrize("record", LASTING, ids=lambda record: type(record).__name__)
def test_a_lasting_fact_comes_back(store: Store, record: KeptRecord) -> None:
    put(store, record)
    back = loaded(store)
    assert record in back
    assert len(back) == len(FIRST) + 1


def test_what_comes_later_counts(store: Store) -> None:
    put(
        store,
        r.TopicSet(time=1, room=LOBBY, to="#lobby", by=ALICE, name="Alice", text="old"),
        r.TopicSet(time=2, room=LOBBY, to="#lobby", by=ALICE, name="Alice", text="new"),
        r.RoleSet(time=3, room=LOBBY, person=BOB, role=Role.OWNER),
        r.RoleSet(time=4, room=LOBBY, person=BOB, role=Role.MEMBER),
        r.RoomSet(time=5, room=LOBBY, by=ALICE, private=True),
        r.RoomSet(time=6, room=LOBBY, by=BOB, moderated=True, password="$2"),
        r.RoomSet(time=7, room=LOBBY, by=ALICE, retention=7, password=""),
        r.MarkerSet(time=7, person=ALICE, upto=9, room=LOBBY),
        r.MarkerSet(time=8, person=ALICE, upto=5, room=LOBBY),
        r.Seen(time=1000, person=ALICE, upto=3),
        r.Seen(time=1000, person=ALICE, upto=8),
        r.AdministratorSet(time=1000, person=BOB),
        r.AdministratorSet(time=1000, person=BOB, active=False),
    )
    assert loaded(store)[len(FIRST) - 4 :] == [
        FIRST[0],
        r.Seen(time=1000, person=ALICE, upto=8),
        *FIRST[1:],
        r.RoomSet(
            time=7, room=LOBBY, by=ALICE, private=True, moderated=True, topic_locked=False, retention=7, password=None
        ),
        r.TopicSet(time=2, room=LOBBY, to="#lobby", by=ALICE, name="Alice", text="new"),
        r.RoleSet(time=4, room=LOBBY, person=BOB, role=Role.MEMBER),
        r.MarkerSet(time=7, person=ALICE, upto=9, room=LOBBY),
    ]


def test_roles_come_back_in_the_order_in_which_they_were_given(store: Store) -> None:
    first = r.RoleSet(time=2, room=LOBBY, person=BOB, role=Role.OPERATOR)
    put(store, r.RoleSet(time=1, room=LOBBY, person=ALICE, role=Role.VOICE), first)
    second = r.RoleSet(time=3, room=LOBBY, person=ALICE, role=Role.OPERATOR)
    put(store, second)
    assert loaded(store)[len(FIRST) :] == [first, second]


def test_what_was_taken_back_is_gone(store: Store) -> None:
    ban = r.BanSet(time=1, room=LOBBY, by="Alice", who="Bob", person=BOB)
    mute = r.BanSet(time=1, room=LOBBY, by="Alice", who="Bob", person=BOB, mute=True)
    put(store, ban, mute, r.InviteSet(time=1, room=LOBBY, person=BOB, by=ALICE))
    put(
        store,
        r.BanLifted(time=2, room=LOBBY, by="Alice", person=BOB),
        r.InviteSet(time=2, room=LOBBY, person=BOB, by=ALICE, active=False),
    )
    assert loaded(store)[len(FIRST) :] == [mute]


@pytest.mark.parametrize(("said", "counts"), [("$old", False), ("$new", True), (None, True)])
def test_a_password_that_is_no_longer_the_rooms_lets_nobody_in(store: Store, said: str | None, counts: bool) -> None:
    put(store, r.RoomSet(time=1, room=LOBBY, by=ALICE, password="$old"))
    put(
        store,
        r.RoomSet(time=2, room=LOBBY, by=ALICE, password="$new"),
        r.InviteSet(time=2, room=LOBBY, person=BOB, by=BOB, by_password=True, password=said),
    )
    invites = [fact for fact in loaded(store) if isinstance(fact, r.InviteSet)]
    assert invites == [r.InviteSet(time=2, room=LOBBY, person=BOB, by=BOB, by_password=True)] * counts


def test_a_ban_replaces_the_one_on_the_same_target_and_ends_in_time(store: Store) -> None:
    short = r.BanSet(time=1, room=LOBBY, by="Alice", who="Bob", person=BOB, until=50)
    longer = r.BanSet(time=2, room=LOBBY, by="Alice", who="Bob", person=BOB, until=90)
    put(store, short, longer)
    assert loaded(store, now=10)[len(FIRST) :] == [longer]
    assert loaded(store, now=90)[len(FIRST) :] == []


def test_bans_that_have_ended_go_with_the_next_ban(store: Store) -> None:
    def ban(who: str, **fields: Any) -> r.BanSet:
        return r.BanSet(by="Alice", who=who, key=who, **fields)

    ended = ban("eve", time=1, room=LOBBY, until=50)
    still = ban("mallory", time=1, room=LOBBY, until=51)
    elsewhere = ban("eve", time=1, room=ATTIC, until=50)
    put(store, ended, still, elsewhere)
    assert loaded(store, now=0)[len(FIRST) :] == [ended, still, elsewhere]
    last = ban("bob", time=50, room=LOBBY)
    put(store, last)
    assert loaded(store, now=0)[len(FIRST) :] == [still, elsewhere, last]


def test_a_room_that_was_dropped_is_gone_with_all_that_was_set_in_it(store: Store) -> None:
    (attic,) = put(store, room("#cellar", BOB))
    put(
        store,
        r.RoomSet(time=1, room=attic, by=BOB, private=True),
        r.TopicSet(time=2, room=attic, to="#cellar", by=BOB, name="Bob", text="wine"),
        r.RoleSet(time=3, room=attic, person=ALICE, role=Role.VOICE, by=BOB),
        r.InviteSet(time=4, room=attic, person=ALICE, by=BOB),
        r.BanSet(time=5, room=attic, by="Bob", who="Eve", key="eve"),
        r.BanSet(time=5, room=0, by="Alice", who="Eve", key="eve"),
    )
    (dropped,) = put(store, r.RoomDropped(time=6, room=attic))
    assert loaded(store) == [*FIRST, r.BanSet(time=5, room=0, by="Alice", who="Eve", key="eve")]
    assert store.last_seq == dropped
    again = put(store, room("#cellar", ALICE))
    assert ids(store)["#cellar"] == again[0] > dropped


def test_the_messages_of_a_removed_room_go_bit_by_bit_and_never_come_back(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    with closing(Store.open(path)) as store:
        put(store, *FIRST)
        put(store, *(said(f"secret {number}", room=ATTIC) for number in range(AT_ONCE + 1)), said("kept"))
        while store.index_next():
            pass
        put(store, r.RoomDropped(time=6, room=ATTIC, by="Bob"))
        assert store.prune()
        (late,) = put(store, said("on its way", room=ATTIC))
    with closing(Store.open(path)) as store:
        while store.prune() or store.refresh_index():
            pass
        assert [row[0] for row in store.connection.execute("SELECT text FROM messages")] == ["kept"]
        assert store.last_seq == late, "its seq is not given again"
    with closing(Store.open(path)) as store:
        assert store.connection.execute("SELECT count(*) FROM expired").fetchone()[0] == 0
        assert store.last_seq == late
    lines = b"".join(export(path))
    assert b"kept" in lines
    assert b"secret" not in lines


def test_an_export_passes_over_what_is_left_of_a_removed_room(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    with closing(Store.open(path)) as store:
        put(store, *FIRST)
        put(store, said("secret", room=ATTIC), r.RoomDropped(time=6, room=ATTIC, by="Bob"))
        assert b"secret" not in b"".join(export(path))


def test_a_database_of_an_earlier_version_is_exported_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    with closing(Store.open(path)) as store:
        put(store, *FIRST, said("kept"))
        store.connection.execute("DROP TABLE expired")
    assert check(path) == []
    assert b"kept" in b"".join(export(path))


def test_a_room_says_at_the_start_whether_anything_was_said_there(store: Store) -> None:
    put(store, said(), whispered("psst", ALICE, BOB))
    spoken = {record.name: record.spoken for record in loaded(store) if isinstance(record, r.RoomCreated)}
    assert spoken == {"#lobby": True, "#attic": False}


# --- names ----------------------------------------------------------------------------------------------------------


def test_of_two_claims_the_first_counts(store: Store) -> None:
    carol, *_ = put(store, person("Carol"), person("CAROL", token=TOKEN), room("#Lobby"))
    assert ids(store) == {"Alice": 1, "Bob": 2, "Carol": carol, "#lobby": 3, "#attic": 4}
    assert store.ask(FindToken(TOKEN)) is None, "the loser's token proves nothing"
    put(store, r.NameTaken(time=1, person=BOB, name="carol", key="carol"))
    put(store, r.Registered(time=1, person=BOB, name="Alice", key="alice"))
    assert ids(store) == {"Alice": 1, "Bob": 2, "Carol": carol, "#lobby": 3, "#attic": 4}
    assert not any(isinstance(record, r.Registered) for record in loaded(store))


def test_a_released_name_is_free_and_its_guest_comes_back_under_another(store: Store) -> None:
    (carol,) = put(store, person("Carol", token=TOKEN))
    released = r.NameReleased(time=5, person=carol)
    put(store, released)
    assert loaded(store)[:2] == [r.PersonCreated(time=1000, name="Carol", key="carol"), released]
    (second,) = put(store, person("Carol"))
    assert ids(store)["Carol"] == second
    assert store.ask(FindToken(TOKEN)) == Person(carol, "Carol", "carol", registered=False)
    put(store, r.NameTaken(time=6, person=carol, name="Caro", key="caro"))
    assert ids(store) | {"Caro": carol, "Carol": second} == ids(store)


def test_the_latest_of_those_who_have_gone_are_loaded_in_the_order_of_their_going(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = put(store, *(person(name) for name in ("Carol", "Dora", "Eve")))
    put(store, *(r.NameReleased(time=time, person=id) for time, id in zip((9, 7, 8), gone, strict=True)))
    assert departed(store) == [gone[1], gone[2], gone[0]]
    monkeypatch.setattr(snapshot, "DEPARTED", 2)
    assert departed(store) == [gone[2], gone[0]]


def departed(store: Store) -> list[int]:
    return [record.person for record in loaded(store) if isinstance(record, r.NameReleased)]


def test_a_registered_name_is_notdeparted(store: Store) -> None:
    put(store, r.Registered(time=1, person=BOB, name="Bob", key="bob"), r.NameReleased(time=2, person=BOB))
    assert ids(store)["Bob"] == BOB


def test_a_change_of_name_frees_the_old_one(store: Store) -> None:
    put(store, r.NameTaken(time=1, person=BOB, name="Rob", key="rob"))
    (second,) = put(store, person("Bob"))
    assert (ids(store)["Rob"], ids(store)["Bob"]) == (BOB, second)


def test_of_two_registrations_of_one_person_or_with_one_invitation_the_first_counts(store: Store) -> None:
    first = r.Registered(time=1, person=BOB, name="Bob", key="bob", password="$1", invitation="word")
    put(store, first, r.Registered(time=2, person=BOB, name="Bob", key="bob", password="$2"))
    put(store, r.Registered(time=3, person=ALICE, name="Alice", key="alice", password="$3", invitation="word"))
    assert [record for record in loaded(store) if isinstance(record, r.Registered)] == [first]


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_a_token_proves_who_one_is(store: Store) -> None:
    (carol,) = put(store, person("Carol", token=TOKEN))
    put(
        store,
        r.Registered(time=1, person=carol, name="Carol", key="carol", password="$1"),
        r.TokenGiven(time=1, person=carol, token=OTHER),
        r.AdministratorSet(time=1, person=carol),
    )
    known = Person(carol, "Carol", "carol", registered=True, administrator=True, password="$1")
    assert store.ask(FindToken(TOKEN)) == store.ask(FindToken(OTHER)) == known
    assert store.ask(FindToken(b"?" * 32)) is None


def test_another_password_voids_the_tokens(store: Store) -> None:
    (carol,) = put(store, person("Carol", token=TOKEN))
    put(store, r.PasswordSet(time=1, person=carol, password="$2"))
    assert store.ask(FindToken(TOKEN)) is None
    put(store, r.TokenGiven(time=1, person=carol, token=OTHER))
    assert store.ask(FindToken(OTHER)) == Person(carol, "Carol", "carol", registered=False, password="$2")


# --- files ----------------------------------------------------------------------------------------------------------


def test_all_of_it_outlasts_the_process(path: Path) -> None:
    store = Store.open(path)
    put(store, *FIRST, *LASTING, said())
    before, epoch, last_seq = list(store.load()), store.epoch, store.last_seq
    store.close()
    store = Store.open(path)
    assert (list(store.load()), store.epoch, store.last_seq) == (before, epoch, last_seq)
    store.close()


def test_every_database_has_an_epoch_and_an_identity_of_its_own(tmp_path: Path) -> None:
    random = set()
    for name in (":memory:", ":memory:", tmp_path / "one", tmp_path / "two"):
        store = Store.open(name)
        random |= {store.epoch, store.identity}
        store.close()
    assert len(random) == 8
