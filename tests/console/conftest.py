"""What the tests of the console share: the servers of the client's tests, and ways to run clients as programs."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.client.conftest import address as address
from tests.client.conftest import bob as bob
from tests.client.conftest import scripted as scripted
from tests.client.conftest import server as server
from tests.console.pipes import Program
from tests.console.terminals import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "ASYNCCHAT_CONFIG_DIR": str(tmp_path), "TZ": "UTC", "COLUMNS": "100"}


@pytest.fixture
async def program(environment: dict[str, str]) -> AsyncIterator[Program]:
    program = Program(environment)
    yield program
    await program.close()
