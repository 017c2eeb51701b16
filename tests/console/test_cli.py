"""What a command line of the client means."""

import getpass

import pytest

from asyncchat.console.cli import default_name, parse


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


@pytest.mark.parametrize(
    ("user", "name"), [("alice", "alice"), ("Алиса", "Алиса"), ("root", None), ("no name", None), ("", None)]
)
def test_the_user_of_this_machine_if_the_name_may_be_taken(
    user: str, name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: user)
    assert default_name() == name


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert default_name() is None
