"""A store and a storage, each in memory and in a file: what holds for one holds for the other."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from asyncchat.storage.database_file import MEMORY
from asyncchat.storage.storage import Storage
from asyncchat.storage.store import Store
from tests.storage.facts import Listener, settle


@pytest.fixture(params=["memory", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return MEMORY if request.param == "memory" else tmp_path / "data" / "chat.db"


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    """Alice, Bob and two rooms."""
    store = settle(Store.open(place))
    yield store
    store.close()


@pytest.fixture
async def storage(place: Path | str) -> AsyncIterator[Storage]:
    storage = Storage(place)
    await storage.open()
    yield storage
    await storage.aclose()


@pytest.fixture
async def listener(storage: Storage) -> Listener:
    """Hears what the log of `storage` tells, which is started."""
    listener = Listener()
    await storage.log.start(listener.on_applied, listener.on_failed)
    return listener


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be made."""
    return tmp_path / "chat.db"
