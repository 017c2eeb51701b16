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


@pytest.mark.parametrize(("given", "to"), [("bob", "bob"), ("@bob", "bob"), ("#ops", "#ops"), ("@@bob", "@bob")])
def test_a_person_to_write_to_may_have_their_sign(given: str, to: str) -> None:
    assert parse(["--to", given]).to == to
