"""From times to seqs: what is in doubt after a crash."""

import pytest

from asyncchat.storage import snapshot
from asyncchat.storage.store import Store
from tests.storage.facts import FIRST, put, said


def test_what_was_said_shortly_before_a_crash_may_not_have_arrived(store: Store) -> None:
    assert store.arrived() is None
    early = put(store, *(said(time=time) for time in (1000, 2000)))
    put(store, *(said(time=time) for time in (2001, 2001 + snapshot.IN_DOUBT)))
    assert store.arrived() == early[-1]


def test_of_very_much_only_the_latest_is_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "IN_DOUBT_AT_MOST", 3)
    seqs = put(store, *(said() for _ in range(5)))
    assert store.arrived() == seqs[1] == len(FIRST) + 2
