"""What the tests of the rules share."""

import pytest

from tests.core.driver import World


@pytest.fixture
def world() -> World:
    """A server that nobody is on yet."""
    return World()
