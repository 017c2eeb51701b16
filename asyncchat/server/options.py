"""Every setting of the server program: its name in the configuration file, its flag, what it takes, what it is for."""

import argparse
from dataclasses import dataclass
from typing import Literal, get_args

from asyncchat.core.limits import LIMIT_NAMES
from asyncchat.core.settings import Founding, Registration

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
