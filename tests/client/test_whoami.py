"""Who to be when nobody says."""

import getpass

import pytest

from asyncchat.client.whoami import default_name


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
