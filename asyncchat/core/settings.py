"""What the operator decides about the rules."""

from typing import Literal, get_args

from msgspec import Struct

from asyncchat.core.limits import BadSetting, Limits
from asyncchat.vocabulary.names import BadName, parse_room_name, parse_user_name
from asyncchat.vocabulary.printable import printable

MOTD_BYTES = 16_384
"""Of the message of the day: it travels with every login, in one line."""

SERVER_NAME = 64
"""Characters of the server's name: it stands in lines of text, and in every IRC reply."""

Founding = Literal["everyone", "registered", "administrators"]
"""Who opens rooms."""

Registration = Literal["open", "invitation", "closed"]
"""Who may make an account."""


class Settings(Struct, frozen=True, kw_only=True):
    """The settings in force; what means nothing raises `BadSetting`, a ValueError.

    ``guests``: anyone may take a free name. ``founding``: who opens rooms; they alone find out by joining that a name
    is taken by a private room. ``invitations``: the words that let register, each once. ``server_password``: everybody
    has to say it at login. ``insecure_passwords``: passwords may travel unencrypted from anywhere. ``administrators``:
    registered names that have all rights; as long as such a name is not registered, it is taken and registered from the
    server's own machine only, lest a stranger is first.
    """

    name: str = "asyncchat"
    version: str = ""
    motd: str | None = None
    default_room: str = "#lobby"
    guests: bool = True
    founding: Founding = "everyone"
    registration: Registration = "open"
    invitations: frozenset[str] = frozenset()
    server_password: str | None = None
    insecure_passwords: bool = False
    administrators: frozenset[str] = frozenset()
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        _check_text("name", self.name)
        if not self.name.strip() or len(self.name) > SERVER_NAME or printable(self.name) != self.name:
            raise BadSetting("name", f"a name of 1 to {SERVER_NAME} printable characters is expected")
        if self.motd is not None:
            _check_text("motd", self.motd)
            if len(self.motd.encode()) > MOTD_BYTES:
                raise BadSetting("motd", f"more than {MOTD_BYTES} bytes")
        if self.server_password is not None:
            _check_text("server_password", self.server_password)
            if not self.server_password:
                raise BadSetting("server_password", "it is empty")
        _check_choice("founding", self.founding, get_args(Founding))
        _check_choice("registration", self.registration, get_args(Registration))
        if "" in self.invitations:
            raise BadSetting("invitations", "a word is empty")
        try:
            parse_room_name(self.default_room, 0)  # the limit is for those that people make
        except BadName as error:
            raise BadSetting("default_room", f"{self.default_room!r} is no room: {error}") from None
        for name in self.administrators:
            try:
                parse_user_name(name, 0)  # registered before, under whatever limit
            except BadName as error:
                raise BadSetting("administrators", f"{name!r} is no name: {error}") from None


def _check_text(setting: str, value: object) -> None:
    if not isinstance(value, str):
        raise BadSetting(setting, f"a text is expected, not {value!r}")


def _check_choice(setting: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise BadSetting(setting, f"{value!r} is none of {', '.join(choices)}")
