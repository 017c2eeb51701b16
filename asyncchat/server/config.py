"""The settings of the server program, from the configuration file and the flags: checked once, frozen then."""

import argparse
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from msgspec import structs

from asyncchat.core.limits import LIMIT_NAMES, BadSetting, Limits
from asyncchat.core.settings import Founding, Registration, Settings
from asyncchat.server.app import DEFAULT_LISTEN, MEMORY
from asyncchat.vocabulary.addresses import parse_address

Kind = Literal["text", "path", "switch", "texts", "limits"]
"""What a setting takes: a text, a path, true or false, several texts, or a table of numbers."""

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

EXAMPLE_LIMIT = LIMIT_NAMES[1]


@dataclass(frozen=True, slots=True)
class Option:
    """One setting.

    ``flag``: how it is said on the command line, or None for what should not be seen in the system's list of processes.
    """

    name: str
    kind: Kind
    help: str
    flag: str | None
    metavar: str | None = None
    choices: tuple[str, ...] | None = None


OPTIONS = (
    Option(
        "listen", "texts", "listen here: tcp://HOST:PORT, tls://HOST:PORT, unix:PATH, or fd:N for an open socket"
        " (repeatable; default tcp://127.0.0.1:7777)",
        "--listen", "ADDRESS",
    ),
    Option(
        "data", "path", "keep the database in this directory, or :memory: to keep nothing (default: the user's data"
        " directory)",
        "--data", "DIR",
    ),
    Option("name", "text", "the name of the server", "--name", "NAME"),
    Option("motd", "path", "greet everyone with the text in this file", "--motd", "FILE"),
    Option(
        "default_room", "text", "the room that everyone enters (default #lobby)", "--default-room", "ROOM"
    ),
    Option("guests", "switch", "let people in under a free name (default: yes)", "--guests"),
    Option("founding", "text", "who may open a room (default everyone)", "--founding", choices=get_args(Founding)),
    Option(
        "registration", "text", "who may make an account (default open)", "--registration",
        choices=get_args(Registration),
    ),
    Option(
        "invitations", "texts", "a word that lets register once, with --registration invitation (repeatable)",
        "--invitation", "WORD",
    ),
    Option("server_password", "text", "a password that everybody has to say at login", None),
    Option(
        "server_password_file", "path", "a file with the password that everybody has to say at login",
        "--server-password-file", "FILE",
    ),
    Option(
        "insecure_passwords", "switch", "let passwords travel unencrypted from other machines (default: no)",
        "--insecure-passwords",
    ),
    Option(
        "administrators", "texts", "a registered name that has all rights (repeatable)", "--administrator", "NAME"
    ),
    Option("tls_cert", "path", "the certificate, and its chain, for tls:// addresses (PEM)", "--tls-cert", "FILE"),
    Option("tls_key", "path", "its key, where it is not in the same file (PEM)", "--tls-key", "FILE"),
    Option("log_level", "text", "what to log (default INFO)", "--log-level", choices=LOG_LEVELS),
    Option(
        "limits", "limits", f"change a limit, as in {EXAMPLE_LIMIT}=8192; 0 is unlimited (repeatable)", "--limit",
        "NAME=VALUE",
    ),
)  # fmt: skip
"""All settings, in the order of the documents."""

BY_NAME = {option.name: option for option in OPTIONS}


def parser(version: str) -> argparse.ArgumentParser:
    """The command line. What was not said is None, so that the configuration file counts there."""
    parser = argparse.ArgumentParser(
        prog="asyncchat-server",
        usage="%(prog)s [OPTION ...]\n       %(prog)s admin COMMAND ...",
        description="A durable chat server. Every option is a setting of the configuration file too.",
        epilog="admin looks after the database: accounts, backup, export, import, check; see admin --help.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"asyncchat {version}")
    parser.add_argument("--config", metavar="FILE", help="read settings from this TOML file; flags override them")
    for option in OPTIONS:
        if option.flag is not None:
            _add(parser, option, option.flag)
    return parser


def _add(parser: argparse.ArgumentParser, option: Option, flag: str) -> None:
    if option.kind == "switch":
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, dest=option.name, help=option.help)
    elif option.choices is not None:
        parse = str.upper if option.choices is LOG_LEVELS else str
        parser.add_argument(flag, choices=option.choices, type=parse, dest=option.name, help=option.help)
    else:
        action = "append" if option.kind in ("texts", "limits") else "store"
        parser.add_argument(flag, action=action, metavar=option.metavar, dest=option.name, help=option.help)


FIXED_LIMITS = ("hashes",)
"""Limits that only a restart changes; the others count from a reload on."""


class ConfigError(ValueError):
    """A setting that cannot be used; the text begins with its name."""

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(f"{setting}: {why}")
        self.setting = setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the server program was told. ``data``: a directory, or `MEMORY`. ``settings``: what the rules need."""

    listen: tuple[str, ...]
    data: Path | str
    tls_cert: Path | None
    tls_key: Path | None
    log_level: str
    settings: Settings


def configure(
    file: Mapping[str, object],
    flags: Mapping[str, Any],
    *,
    folder: Path,
    here: Path = Path(),
    data: Path | None,
    read: Callable[[Path], str],
    inherited: Sequence[str] = (),
) -> Config:
    """The settings of a configuration file, overridden by flags; raises `ConfigError`.

    ``file``: the parsed TOML; its relative paths count from ``folder``. ``flags``: by the settings' names, None where
    nothing was said; theirs count from ``here``. ``data``: the directory if none is named, or None without a home
    directory. ``read``: gives the text of a file, or raises OSError. ``inherited``: addresses of sockets that the
    process was started with.
    """
    values = {name: _from_file(name, value, folder) for name, value in file.items()}
    values |= {name: _from_flag(BY_NAME[name], value, here) for name, value in flags.items() if value is not None}
    values["limits"] = _limits(file.get("limits", {}), flags.get("limits"))
    if flags.get("server_password_file") is not None:
        values.pop("server_password", None)
    secret = _password(values, read)
    try:
        settings = Settings(
            name=values.get("name", "asyncchat"),
            motd=_motd(values.get("motd"), read),
            default_room=values.get("default_room", "#lobby"),
            guests=values.get("guests", True),
            founding=values.get("founding", "everyone"),
            registration=values.get("registration", "open"),
            invitations=frozenset(values.get("invitations", ())),
            server_password=secret,
            insecure_passwords=values.get("insecure_passwords", False),
            administrators=frozenset(values.get("administrators", ())),
            limits=values["limits"],
        )
    except BadSetting as error:
        raise ConfigError(error.setting, error.why) from None
    return Config(
        listen=_addresses(values, inherited),
        data=_data(values.get("data", data)),
        tls_cert=values.get("tls_cert"),
        tls_key=values.get("tls_key"),
        log_level=values.get("log_level", "INFO"),
        settings=settings,
    )


def _data(data: Path | str | None) -> Path | str:
    if data is None:
        raise ConfigError("data", "there is no home directory here: name a directory with --data")
    return data


def fixed_changes(old: Config, new: Config) -> list[str]:
    """The settings that differ and that only a restart changes."""
    changed = [name for name in ("listen", "data") if getattr(old, name) != getattr(new, name)]
    if old.settings.default_room != new.settings.default_room:
        changed.append("default_room")
    before, after = old.settings.limits, new.settings.limits
    return changed + [f"limits.{name}" for name in FIXED_LIMITS if getattr(before, name) != getattr(after, name)]


# --- one value ------------------------------------------------------------------------------------------------------


def _from_file(name: str, value: object, folder: Path) -> Any:
    option = BY_NAME.get(name)
    if option is None:
        raise ConfigError(name, f"there is no such setting{_nearest(name, (option.name for option in OPTIONS))}")
    match option.kind, value:
        case "limits", _:
            return value  # checked with the flags'
        case "switch", bool():
            return value
        case "path", str(text):
            return _path(option, text, folder)
        case "text", str(text):
            return _choice(option, text)
        case "texts", list() if all(isinstance(item, str) for item in value):
            return _texts(option, value, folder)
    wanted = {"switch": "true or false", "texts": "a list of texts"}.get(option.kind, "a text")
    raise ConfigError(name, f"{wanted} is expected, not {value!r}")


def _from_flag(option: Option, value: Any, here: Path) -> Any:
    if option.kind == "path":
        return _path(option, value, here)
    return _texts(option, value, here) if option.kind == "texts" else value


def _texts(option: Option, texts: Iterable[str], folder: Path) -> tuple[str, ...]:
    if option.name != "listen":
        return tuple(texts)
    try:
        return tuple(str(parse_address(text, listening=True, folder=folder)) for text in texts)
    except ValueError as error:
        raise ConfigError("listen", str(error)) from None


def _path(option: Option, text: str, folder: Path) -> Path | str:
    if not text:
        raise ConfigError(option.name, "an empty path")
    if option.name == "data" and text == MEMORY:
        return MEMORY
    if "\0" in text:
        raise ConfigError(option.name, f"{text!r} is no path: it contains U+0000")
    try:
        return folder / Path(text).expanduser()
    except RuntimeError:
        raise ConfigError(option.name, f"{text!r}: there is no such user") from None


def _choice(option: Option, text: str) -> str:
    if option.choices is None:
        return text
    found = next((choice for choice in option.choices if choice.lower() == text.lower()), None)
    if found is None:
        raise ConfigError(option.name, f"{text!r} is none of {', '.join(option.choices)}")
    return found


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), 1)
    return f"; is {near[0]} meant?" if near else ""


# --- limits ---------------------------------------------------------------------------------------------------------


def _limits(table: object, flags: Iterable[str] | None) -> Limits:
    if not isinstance(table, dict):
        raise ConfigError("limits", "a table is expected: [limits]")
    limits = Limits()
    for name, value in table.items():
        limits = _with_limit(limits, f"limits.{name}", name, value)
    for text in flags or ():
        name, equals, number = text.partition("=")
        if not equals:
            raise ConfigError("limit", f"write NAME=VALUE, as in {EXAMPLE_LIMIT}=8192, not {text!r}")
        limits = _with_limit(limits, f"limit {name}", name, _number(f"limit {name}", number))
    return limits


def _with_limit(limits: Limits, setting: str, name: str, value: Any) -> Limits:
    if name not in LIMIT_NAMES:
        raise ConfigError(setting, f"there is no such limit{_nearest(name, LIMIT_NAMES)}")
    try:
        return structs.replace(limits, **{name: value})
    except BadSetting as error:
        raise ConfigError(setting, error.why) from None


def _number(setting: str, text: str) -> int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise ConfigError(setting, f"a number is expected, not {text!r}")


# --- what the values mean -------------------------------------------------------------------------------------------


def _addresses(values: Mapping[str, Any], inherited: Sequence[str]) -> tuple[str, ...]:
    listen: tuple[str, ...] = values.get("listen", () if inherited else (DEFAULT_LISTEN,))
    named = {text.partition(":")[2] for text in listen if text.startswith(("fd:", "tls+fd:"))}
    listen += tuple(text for text in inherited if text.partition(":")[2] not in named)
    if not listen:
        raise ConfigError("listen", "no address")
    for text in listen:
        if parse_address(text, listening=True).scheme in ("tls", "tls+fd") and values.get("tls_cert") is None:
            raise ConfigError("tls_cert", f"{text} needs a certificate")
    if values.get("tls_key") is not None and values.get("tls_cert") is None:
        raise ConfigError("tls_cert", "tls_key is of no use without it")
    return listen


def _password(values: Mapping[str, Any], read: Callable[[Path], str]) -> str | None:
    if "server_password_file" not in values:
        secret: str | None = values.get("server_password")
        if secret == "":
            raise ConfigError("server_password", "it is empty")
        return secret
    if "server_password" in values:
        raise ConfigError("server_password_file", "server_password is set as well")
    secret = _read("server_password_file", values["server_password_file"], read).rstrip("\r\n")
    if not secret:
        raise ConfigError("server_password_file", f"{values['server_password_file']} is empty")
    return secret


def _motd(path: Path | None, read: Callable[[Path], str]) -> str | None:
    if path is None:
        return None
    return _read("motd", path, read).rstrip() or None


def _read(setting: str, path: Path, read: Callable[[Path], str]) -> str:
    try:
        return read(path)
    except OSError as error:
        raise ConfigError(setting, f"cannot read {path}: {error.strerror}") from None
    except UnicodeError:
        raise ConfigError(setting, f"{path} is no UTF-8 text") from None
