"""What the tests of the plain dialect share."""

import pytest

from tests.wire.talk import Talk


@pytest.fixture
def talk() -> Talk:
    """Carol is logged in, is in two rooms, and has seen who is there."""
    talk = Talk()
    talk.enter("#lobby", "#ops")
    talk.wishes()
    return talk
