"""The settings: from a file, from flags, and what is wrong with them, said with the setting's name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from asyncchat.core.limits import LIMIT_NAMES, Limits
from asyncchat.core.settings import Settings
from asyncchat.server.config import BY_NAME, OPTIONS, Config, ConfigError, configure, fixed_changes, parser

FILES = {Path("/etc/chat/motd.txt"): "Welcome.\nBe kind.\n\n", Path("secret"): "xyzzy\n", Path("empty"): "\n"}


def read(path: Path) -> str:
    if path not in FILES:
        raise FileNotFoundError(2, "No such file or directory")
    return FILES[path]


def configured(
    file: Mapping[str, object] | None = None, flags: Mapping[str, object] | None = None, **more: Any
) -> Config:
    return configure(
        file or {}, flags or {}, folder=Path("/etc/chat"), data=Path("/home/alice/data"), **{"read": read, **more}
    )


def problem(file: Mapping[str, object] | None = None, flags: Mapping[str, object] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        configured(file, flags)
    assert str(caught.value).startswith(caught.value.setting)
    return str(caught.value)


def said(*words: str) -> dict[str, object]:
    """The flags of a command line."""
    return vars(parser("1").parse_args(words))


# --- what is taken --------------------------------------------------------------------------------------------------


def test_nothing_said_is_a_chat_on_this_machine() -> None:
    config = configured()
    assert config.listen == ("tcp://127.0.0.1:7777",)
    assert config.data == Path("/home/alice/data")
    assert config.settings == Settings()


def test_relative_paths_count_from_the_file_or_from_where_the_program_was_started() -> None:
    said = {"listen": ["unix:chat.sock"], "data": "data", "tls_cert": "chat.pem"}
    config = configured(said)
    assert config.listen == ("unix:/etc/chat/chat.sock",)
    assert (config.data, config.tls_cert) == (Path("/etc/chat/data"), Path("/etc/chat/chat.pem"))
    config = configured({}, said, here=Path("/home/alice"))
    assert config.listen == ("unix:/home/alice/chat.sock",)
    assert (config.data, config.tls_cert) == (Path("/home/alice/data"), Path("/home/alice/chat.pem"))


def test_every_setting_of_a_file() -> None:
    config = configured(
        {
            "listen": ["tcp://:7777", "tls://[::]:7778", "unix:/run/chat"],
            "data": "/var/lib/chat",
            "name": "The Chat",
            "motd": "motd.txt",
            "default_room": "#Hall",
            "guests": False,
            "founding": "registered",
            "registration": "invitation",
            "invitations": ["apple", "pear"],
            "server_password": "xyzzy",
            "insecure_passwords": True,
            "administrators": ["alice"],
            "tls_cert": "cert.pem",
            "tls_key": "/keys/key.pem",
            "log_level": "debug",
            "limits": {"text": 100, "rate": 2},
        }
    )
    assert config.listen == ("tcp://:7777", "tls://[::]:7778", "unix:/run/chat")
    assert config.data == Path("/var/lib/chat")
    assert (config.tls_cert, config.tls_key) == (Path("/etc/chat/cert.pem"), Path("/keys/key.pem"))
    assert config.log_level == "DEBUG"
    assert config.settings == Settings(
        name="The Chat",
        motd="Welcome.\nBe kind.",
        default_room="#Hall",
        guests=False,
        founding="registered",
        registration="invitation",
        invitations=frozenset({"apple", "pear"}),
        server_password="xyzzy",
        insecure_passwords=True,
        administrators=frozenset({"alice"}),
        limits=Limits(text=100, rate=2.0),
    )


def test_flags_override_the_file_and_leave_the_rest() -> None:
    file = {"name": "file", "guests": True, "listen": ["tcp://:1"], "limits": {"text": 1, "line": 2}}
    flags = said("--name", "flag", "--no-guests", "--listen", "tcp://:2", "--limit", "text=3", "--data", ":memory:")
    config = configured({**file, "registration": "closed"}, flags)
    assert config.settings.name == "flag"
    assert config.settings.guests is False
    assert config.settings.registration == "closed"
    assert config.listen == ("tcp://:2",)
    assert config.data == ":memory:"
    assert (config.settings.limits.text, config.settings.limits.line) == (3, 2)


def test_paths_count_from_the_file_that_names_them_and_flags_from_here() -> None:
    assert configured({"data": "chat"}).data == Path("/etc/chat/chat")
    assert configured({}, {"data": "chat"}).data == Path("chat")


def test_a_password_file_on_the_command_line_overrides_the_password_of_the_file() -> None:
    config = configured({"server_password": "old"}, {"server_password_file": "secret"})
    assert config.settings.server_password == "xyzzy"


@given(st.dictionaries(st.sampled_from(LIMIT_NAMES), st.integers(0, 2**40)))
def test_every_limit_from_the_file_and_from_flags_is_the_same(limits: dict[str, int]) -> None:
    words = [word for name, value in limits.items() for word in ("--limit", f"{name}={value}")]
    by_file, by_flags = configured({"limits": limits}), configured({}, said(*words))
    assert by_file == by_flags
    assert structs.asdict(by_file.settings.limits) == structs.asdict(Limits()) | limits


def test_sockets_handed_over_are_listened_on() -> None:
    assert configured(inherited=["fd:3", "fd:4"]).listen == ("fd:3", "fd:4")
    assert configured({"listen": ["tcp://:1"]}, inherited=["fd:3"]).listen == ("tcp://:1", "fd:3")
    assert configured({"listen": ["fd:3"]}, inherited=["fd:3", "fd:4"]).listen == ("fd:3", "fd:4")
    named = {"listen": ["tls+fd:3"], "tls_cert": "c"}
    assert configured(named, inherited=["fd:3"]).listen == ("tls+fd:3",)


# --- what is not ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ({"nmae": "x"}, "nmae: there is no such setting; is name meant?"),
        ({"colour": "x"}, "colour: there is no such setting"),
        ({"name": 5}, "name: a text is expected, not 5"),
        ({"name": ""}, "name: a name of 1 to 64 printable characters is expected"),
        ({"name": "a\x1b[2J"}, "name: a name of 1 to 64 printable characters is expected"),
        ({"guests": "yes"}, "guests: true or false is expected, not 'yes'"),
        ({"listen": "tcp://:1"}, "listen: a list of texts is expected, not 'tcp://:1'"),
        ({"listen": []}, "listen: no address"),
        ({"listen": ["tcp://:1", 5]}, "listen: a list of texts is expected, not ['tcp://:1', 5]"),
        ({"listen": ["tcp://:99999"]}, "listen: not a port: '99999'"),
        ({"listen": ["ftp://x"]}, "listen: unknown kind of address 'ftp'"),
        ({"listen": ["tcp://..:1"]}, "listen: not a host: '..' in 'tcp://..:1'"),
        ({"listen": ["unix:\0abc"]}, "listen: not a path: '\\x00abc'"),
        ({"listen": ["fd:x"]}, "listen: not a file descriptor: 'fd:x'"),
        ({"listen": ["tls://:1"]}, "tls_cert: tls://:1 needs a certificate"),
        ({"tls_key": "key"}, "tls_cert: tls_key is of no use without it"),
        ({"data": ""}, "data: an empty path"),
        ({"data": "~nouser/x"}, "data: '~nouser/x': there is no such user"),
        ({"motd": "~nouser/m"}, "motd: '~nouser/m': there is no such user"),
        ({"motd": "\0"}, "motd: '\\x00' is no path: it contains U+0000"),
        ({"registration": "no"}, "registration: 'no' is none of open, invitation, closed"),
        ({"founding": "no"}, "founding: 'no' is none of everyone, registered, administrators"),
        ({"log_level": "LOUD"}, "log_level: 'LOUD' is none of DEBUG, INFO, WARNING, ERROR"),
        ({"motd": "nowhere"}, "motd: cannot read /etc/chat/nowhere: No such file or directory"),
        ({"default_room": "lobby"}, "default_room: 'lobby' is no room: "),
        ({"administrators": ["a b"]}, "administrators: 'a b' is no name: "),
        ({"server_password": ""}, "server_password: it is empty"),
        ({"server_password": "a", "server_password_file": "b"}, "server_password_file: server_password is set as well"),
        ({"limits": 5}, "limits: a table is expected"),
        ({"limits": {"txet": 5}}, "limits.txet: there is no such limit; is text meant?"),
        ({"limits": {"text": "5"}}, "limits.text: a number is expected, not '5'"),
        ({"limits": {"text": True}}, "limits.text: a number is expected, not True"),
        ({"limits": {"text": 5.5}}, "limits.text: a whole number is expected, not 5.5"),
        ({"limits": {"text": -1}}, "limits.text: a number from 0 to 9007199254740991 is expected"),
        ({"limits": {"text": 10**400}}, "limits.text: a number from 0 to"),
        ({"limits": {"text": 1 << 20_000}}, "limits.text: a number from 0 to"),
        ({"limits": {"rate": float("nan")}}, "limits.rate: a number from 0 to 9007199254740991 is expected"),
        ({"limits": {"rate": float("inf")}}, "limits.rate: a number from 0 to 9007199254740991 is expected"),
    ],
)
def test_a_setting_that_is_wrong_is_named(file: dict[str, object], text: str) -> None:
    assert problem(file).startswith(text)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--limit", "text"], "limit: write NAME=VALUE, as in text=8192, not 'text'"),
        (["--limit", "text=many"], "limit text: a number is expected, not 'many'"),
        (["--limit", "txet=1"], "limit txet: there is no such limit; is text meant?"),
        (["--limit", "text=-1"], "limit text: a number from 0 to 9007199254740991 is expected"),
        (["--limit", "text=" + "1" * 5000], "limit text: a number from 0 to"),
        (["--motd", "nowhere"], "motd: cannot read nowhere"),
        (["--server-password-file", "empty"], "server_password_file: empty is empty"),
    ],
)
def test_a_flag_that_is_wrong_is_named(words: list[str], text: str) -> None:
    assert problem({}, said(*words)).startswith(text)


def test_names_of_the_operators_own_may_be_as_long_as_they_like() -> None:
    """The limits ``name`` and ``room_name`` are for what people make, and may be others."""
    config = configured({"default_room": "#" + "x" * 90, "administrators": ["x" * 90], "limits": {"name": 100}})
    assert config.settings.default_room == "#" + "x" * 90
    assert config.settings.administrators == {"x" * 90}


def test_a_message_of_the_day_has_its_limit() -> None:
    with pytest.raises(ConfigError, match=r"motd: more than 16384 bytes"):
        configured({"motd": "x"}, read=lambda _: "é" * 8193)


def test_a_file_that_is_no_text_is_named() -> None:
    with pytest.raises(ConfigError, match=r"motd: /etc/chat/x is no UTF-8 text"):
        configured({"motd": "x"}, read=lambda _: b"\xff".decode())


# --- the table ------------------------------------------------------------------------------------------------------


def test_every_field_of_the_settings_can_be_set() -> None:
    names = {field.name for field in structs.fields(Settings)} - {"version"}
    assert names | set(Config.__dataclass_fields__) - {"settings"} <= BY_NAME.keys()


def test_every_flag_gives_its_setting() -> None:
    values = {"limits": "text=1", "founding": "registered", "registration": "closed", "log_level": "warning"}
    for option in OPTIONS:
        if option.flag is None:
            continue
        words = [option.flag] if option.kind == "switch" else [option.flag, values.get(option.name, "x")]
        given = {name: value for name, value in said(*words).items() if value is not None}
        assert given.keys() == {option.name}


def test_what_only_a_restart_changes_is_told() -> None:
    old = configured({"listen": ["tcp://:1"], "name": "old"})
    new = configured({"listen": ["tcp://:2"], "name": "new", "default_room": "#x", "limits": {"hashes": 9, "text": 9}})
    assert fixed_changes(old, new) == ["listen", "default_room", "limits.hashes"]
    assert fixed_changes(old, configured({"listen": ["tcp://:1"], "data": ":memory:"})) == ["data"]
