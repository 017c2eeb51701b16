"""Settings that mean nothing are refused where they are made, in a program as in a configuration file."""

from typing import Any

import pytest

from asyncchat.core.limits import BadSetting
from asyncchat.core.settings import MOTD_BYTES, SERVER_NAME, Settings


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("name", ""),
        ("name", "a\nb"),
        ("name", "x" * (SERVER_NAME + 1)),
        ("name", 5),
        ("motd", 5),
        ("motd", "é" * (MOTD_BYTES // 2 + 1)),
        ("server_password", ""),
        ("founding", "nobody"),
        ("registration", "Closed"),
        ("registration", "closd"),
        ("default_room", "lobby"),
        ("administrators", frozenset({"no name"})),
        ("invitations", frozenset({"word", ""})),
    ],
)
def test_a_setting_that_means_nothing(setting: str, value: Any) -> None:
    with pytest.raises(BadSetting) as bad:
        Settings(**{setting: value})
    assert bad.value.setting == setting
    assert str(bad.value).startswith(f"{setting}: ")
    assert isinstance(bad.value, ValueError)
