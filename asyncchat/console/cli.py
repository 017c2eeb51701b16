"""The command line of the client: its options, and what they mean together."""

import argparse
import getpass
import os
from dataclasses import dataclass
from pathlib import Path

from asyncchat._files import CONFIG_DIR_VARIABLE, config_dir
from asyncchat._version import __version__
from asyncchat.client import Address, parse_address, parse_fingerprint
from asyncchat.vocabulary.addresses import DEFAULT_PORT
from asyncchat.vocabulary.names import BadName, as_room, is_reserved, is_room, name_key, parse_user_name

DEFAULT_ADDRESS = f"tcp://localhost:{DEFAULT_PORT}"
PASSWORD_VARIABLE = "ASYNCCHAT_PASSWORD"
SERVER_PASSWORD_VARIABLE = "ASYNCCHAT_SERVER_PASSWORD"

HISTORY = 20
"""Messages of the past shown in a terminal at the start: about a screen with what belongs to it."""

ACKNOWLEDGED_SECONDS = 30.0
"""From one acknowledgement to the next, for lines from a pipe: a script wants an answer, not to wait for ever."""

DESCRIPTION = "Chat with the people on an asyncchat server: in a terminal, or from and to pipes."

EPILOG = f"""\
in a terminal:
  Type and press Enter. /help lists the commands, Tab completes names, rooms and
  commands, the arrow keys bring lines back, Alt+1 to Alt+9 and Ctrl+N/Ctrl+P
  change the room, Ctrl+D leaves.

with pipes:
  Each line of standard input is sent as a message (a slash means nothing there),
  to --to or the first room. What others say is printed, a line each, until
  standard input ends and all is acknowledged; with -r, until the connection ends.
  --json prints every event as the protocol has it, one's own messages too.

exit status:
  0  all was sent and acknowledged
  1  something was refused, output is lost, or the server cannot be reached
  2  the command line is wrong

environment:
  {PASSWORD_VARIABLE}         the password of a registered name
  {SERVER_PASSWORD_VARIABLE}  the password of the server
  {CONFIG_DIR_VARIABLE}       where tokens are kept
  NO_COLOR                    no colours, if set

examples:
  asyncchat --name alice
  asyncchat tls://chat.example.org --room '#ops' --room '#lobby'
  echo deployed | asyncchat --name ci --to '#ops' -w
  asyncchat -r --json | jq -r 'select(.type == "said").text'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line asks for. ``history`` None: as many as suit where they are shown."""

    address: Address
    operator: bool
    name: str | None
    any_name: bool
    rooms: list[str] | None
    to: str | None
    read: bool
    write: bool
    json: bool
    history: int | None
    colour: bool
    password: str | None
    server_password: str | None
    ca: Path | None
    fingerprint: str | None
    trust_address: bool
    config_dir: Path
    timeout: float


def parse(arguments: list[str]) -> Settings:
    """The settings of a command line; exits with status 2 and the usage if it is wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        return Settings(
            address=_address(given.address, proof=given.ca or given.fingerprint),
            operator=given.operator,
            name=given.name,
            any_name=given.any_name,
            rooms=_rooms(given.room, given.to),
            to=given.to,
            read=not given.write_only,
            write=not given.read_only,
            json=given.json,
            history=given.history,
            colour=not given.no_color and not os.environ.get("NO_COLOR"),
            password=_secret(given.password_file, PASSWORD_VARIABLE),
            server_password=_secret(given.server_password_file, SERVER_PASSWORD_VARIABLE),
            ca=given.ca,
            fingerprint=given.fingerprint,
            trust_address=given.trust_address,
            config_dir=given.config_dir or config_dir(),
            timeout=given.timeout,
        )
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")


def default_name() -> str | None:
    """The user of this machine, or None if no server lets that name be taken.

    (``root`` speaks for a machine, not for a person.)
    """
    try:
        name = parse_user_name(getpass.getuser())
    except (BadName, OSError, KeyError):  # KeyError up to 3.12: this user has no name
        return None
    return None if is_reserved(name) else name.text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asyncchat",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "address",
        nargs="?",
        default=DEFAULT_ADDRESS,
        metavar="ADDRESS",
        help="tcp://HOST:PORT, tls://HOST:PORT, unix:PATH, or HOST[:PORT] (default: %(default)s)",
    )
    parser.add_argument("--version", action="version", version=f"asyncchat {__version__}")
    who = parser.add_argument_group("who")
    who.add_argument(
        "--name", type=_name, metavar="NAME", help="your name (default: asked for, or your user name in a pipe)"
    )
    who.add_argument(
        "--any-name", action="store_true", help="in a pipe: if the name is taken, one with a number behind it"
    )
    who.add_argument("--operator", action="store_true", help="the server's operator: ADDRESS is its control socket")
    who.add_argument("--password-file", type=Path, metavar="FILE", help="a file with your name's password")
    who.add_argument("--server-password-file", type=Path, metavar="FILE", help="a file with the server's password")
    where = parser.add_argument_group("where")
    where.add_argument(
        "--room",
        action="append",
        type=_room,
        metavar="ROOM",
        help="a room to be in; may be given more than once (default: the server's default room)",
    )
    where.add_argument(
        "--to",
        type=_place,
        metavar="ROOM|NAME",
        help="where lines go; without --room, only that room is entered (a person: none)",
    )
    what = parser.add_argument_group("what")
    only = what.add_mutually_exclusive_group()
    only.add_argument("-r", "--read-only", action="store_true", help="only listen: standard input is not read")
    only.add_argument("-w", "--write-only", action="store_true", help="only write: what others say is not shown")
    what.add_argument("--json", action="store_true", help="print events as JSON, a line each")
    what.add_argument(
        "--history",
        type=_count,
        metavar="N",
        help=f"show the last N messages of each room first (default: {HISTORY} in a terminal, else 0)",
    )
    what.add_argument("--no-color", action="store_true", help="no colours")
    what.add_argument(
        "--timeout",
        type=_seconds,
        default=ACKNOWLEDGED_SECONDS,
        metavar="SECONDS",
        help="give up when no line from a pipe is acknowledged for so long (default: %(default).0f)",
    )
    how = parser.add_argument_group("how")
    how.add_argument("--ca", type=_file, metavar="FILE", help="trust the certificates in this file (PEM) for tls://")
    how.add_argument(
        "--fingerprint",
        type=_fingerprint,
        metavar="SHA256",
        help="trust only the certificate with this SHA-256 fingerprint for tls://",
    )
    how.add_argument(
        "--trust-address",
        action="store_true",
        help="if the server says that it is one that knows you, believe it, though you met that at other addresses",
    )
    how.add_argument("--config-dir", type=Path, metavar="DIR", help="where tokens are kept")
    return parser


def _rooms(rooms: list[str] | None, to: str | None) -> list[str] | None:
    """The rooms to enter: those named; with a room to write to, that one as well; with a person, no others."""
    if to is None:
        return rooms
    named = rooms or []
    is_another = is_room(to) and name_key(to) not in map(name_key, named)
    return [*named, to] if is_another else named


def _address(text: str, *, proof: Path | str | None) -> Address:
    address = parse_address(text)
    if proof is not None and address.scheme != "tls":
        raise ValueError("--ca and --fingerprint are for tls:// addresses")  # or one would believe to be safe
    return address


def _name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("an empty name")
    if not _is_utf8(text):
        raise argparse.ArgumentTypeError(f"not UTF-8: {text!r}")
    return text


def _is_utf8(text: str) -> bool:
    """Is what the system gave us UTF-8? Python keeps bytes that are not as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _room(text: str) -> str:
    return as_room(_name(text))


def _place(text: str) -> str:
    """A room, or a person as they are shown: with an ``@``, which is not part of the name."""
    return _name(text.removeprefix("@"))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"not a number of messages: {text!r}")
    return int(text[:9])


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}")
    return seconds


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no such file: {text!r}")
    return path


def _fingerprint(text: str) -> str:
    try:
        parse_fingerprint(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _secret(path: Path | None, variable: str) -> str | None:
    """A secret from a file's first line, or from the environment; never from the command line, which all can see."""
    if path is None:
        secret = os.environ.get(variable) or None
    else:
        lines = path.read_text("utf-8-sig", "surrogateescape").splitlines()
        if not lines or not lines[0]:
            raise ValueError(f"{path}: no password in the first line")
        secret = lines[0]
    if secret is not None and not _is_utf8(secret):
        raise ValueError(f"{path or variable}: not UTF-8")
    return secret
