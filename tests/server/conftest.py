"""A server for the tests of it: in memory, in a file, or both."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from asyncchat import ChatServer
from tests.server.peers import serving


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    """A server that keeps nothing."""
    async with serving() as server:
        yield server


@pytest.fixture(params=["memory", "file"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ChatServer]:
    """A server in memory, then one over a file: a test of what must hold for both.

    Over a file, whatever blocks the loop while it serves fails the test.
    """
    if request.param == "memory":
        async with serving() as server:
            yield server
    else:
        async with serving(data=tmp_path) as server:
            with blockbuster_ctx(scanned_modules=["asyncchat"]):
                yield server
