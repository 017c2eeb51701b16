"""What a command line of the client means."""

import pytest

from asyncchat.client.cli import parse


@pytest.mark.parametrize(
    ("arguments", "rooms"),
    [
        ([], None),
        (["--room", "ops", "--room", "#lobby"], ["#ops", "#lobby"]),
        (["--room", "＃ops"], ["＃ops"]),
        (["--to", "#ops"], ["#ops"]),
        (["--to", "＃ops"], ["＃ops"]),
        (["--to", "＃OPS", "--room", "ops"], ["#ops"]),
        (["--to", "#b", "--room", "a"], ["#a", "#b"]),
        (["--to", "bob"], []),
    ],
)
def test_the_rooms_that_are_entered(arguments: list[str], rooms: list[str] | None) -> None:
    assert parse(arguments).rooms == rooms
