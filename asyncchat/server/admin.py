"""``asyncchat-server admin``: a server and its database, from a shell.

What concerns the chat is a command of the vocabulary. A server that runs on the data directory gets it through its
control socket; else a server without listeners does it, so that the rules and the log are those of every server.
"""

import argparse
import asyncio
import contextlib
import getpass
import os
import secrets
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from asyncchat.server.app import DATABASE, MEMORY, ChatServer
from asyncchat.server.config import Config, ConfigError
from asyncchat.server.control import ControlClient, path_of
from asyncchat.storage import database_file
from asyncchat.storage.integrity import check
from asyncchat.storage.store import Store
from asyncchat.storage.transfer import backup, export, import_
from asyncchat.vocabulary import commands, events, render, slash
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.errors import ConnectionLost, DatabaseInUse, ProtocolError, Refused, StorageError
from asyncchat.vocabulary.events import Event, Result
from asyncchat.vocabulary.printable import printable

FAILED = 1
MISUSED = 2

GENERATED_BYTES = 12
"""Random bytes of a generated password: 96 bits, in 16 characters."""

OWN = ("help", "quit", "accounts", "administrator", "backup")
"""Commands of the operator's console that are none of a shell's, or are in another form."""

Load = Callable[[str | None, dict[str, object]], Config]
Task = Callable[[argparse.Namespace, Path, Config], None]


class Failed(Exception):  # noqa: N818 - caught by `main` alone
    """It cannot be done; the text says why."""


class Misused(Exception):  # noqa: N818 - caught by `main` alone
    """The command line is none; the text says how it would be one."""


def main(arguments: Sequence[str], load: Load) -> int:
    """Run an administrator's command; *load* reads the settings. Returns the exit status."""
    said = parser().parse_args(arguments)
    try:
        config = load(said.config, {"data": said.data})
        if config.data == MEMORY:
            raise ConfigError("data", "a database in memory is another one for each process")
        said.run(said, Path(config.data) / DATABASE, config)
    except (ConfigError, Misused) as error:
        return _complain(error, MISUSED)
    except DatabaseInUse as error:
        return _complain(Failed(f"{error}: end it first"), FAILED)
    except (Failed, Refused, StorageError, ConnectionLost, ProtocolError) as error:
        return _complain(error, FAILED)
    except UnicodeEncodeError:
        return _complain(Misused("the command line is not UTF-8"), MISUSED)
    except BrokenPipeError:
        # Whoever read our output has enough; Python would complain once more when it closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        return _complain(Failed(f"{where}{error.strerror or error}"), FAILED)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line behind ``admin``."""
    parser = argparse.ArgumentParser(
        prog="asyncchat-server admin", description="Look after a server and its database.", allow_abbrev=False
    )
    parser.add_argument("--config", metavar="FILE", help="the server's configuration file, which names the data")
    parser.add_argument("--data", metavar="DIR", help="the server's data directory (default: the user's own)")
    tasks = parser.add_subparsers(required=True, metavar="COMMAND")
    task = tasks.add_parser("console", help="type commands to the server that runs, one after the other")
    task.set_defaults(run=_console)
    _accounts(tasks.add_parser("accounts", help="list, create and change accounts"))
    task = tasks.add_parser("backup", help="copy the database to a new file")
    task.add_argument("file", metavar="FILE")
    task.set_defaults(run=_backup)
    task = tasks.add_parser("export", help="write all that is kept as JSON lines")
    task.add_argument("file", metavar="FILE", nargs="?", default="-", help="a new file, or - for standard output")
    task.set_defaults(run=_export)
    task = tasks.add_parser("import", help="make a new database of exported lines")
    task.add_argument("file", metavar="FILE", nargs="?", default="-", help="a file, or - for standard input")
    task.set_defaults(run=_import)
    task = tasks.add_parser("check", help="tell whether the database is sound")
    task.set_defaults(run=_check)
    task = tasks.add_parser("new-epoch", help="tell clients that an older state was put back; the server must not run")
    task.set_defaults(run=_renew_epoch)
    for name in (name.removeprefix("/") for name in slash.names(operator=True)):
        entry = slash.find(name, operator=True)
        if entry is not None and name == entry.names[0] and name not in OWN:
            task = tasks.add_parser(name, help=entry.help, usage=f"{parser.prog} {entry.line.removeprefix('/')}")
            task.add_argument("words", nargs="*")
            task.set_defaults(run=_typed, name=name)
    return parser


def _accounts(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_subparsers(required=True, metavar="COMMAND")
    task = tasks.add_parser("list", help="every account in a line")
    task.set_defaults(run=_list)
    for name, run, text in (
        ("create", _create, "register a name; its password is asked for, or read from standard input"),
        ("reset-password", _reset, "set another password; all tokens are void"),
        ("make-administrator", _promote, "give a registered person all rights"),
        ("revoke-administrator", _demote, "take these rights back"),
    ):
        task = tasks.add_parser(name, help=text)
        task.add_argument("name", metavar="NAME")
        if run in (_create, _reset):
            task.add_argument("--generate", action="store_true", help="make up a password, and print it")
        task.set_defaults(run=run)


def _complain(error: Exception, status: int) -> int:
    text = error.text if isinstance(error, Refused) else str(error)
    print(f"asyncchat-server: {printable(text)}", file=sys.stderr)  # noqa: T201 - a command line program
    return status


def _say(text: str) -> None:
    print(printable(text))  # noqa: T201 - a command line program


# --- commands of the vocabulary -------------------------------------------------------------------------------------


def _ask(database: Path, config: Config, command: Command, *, new: bool = False) -> Result | Event | None:
    """What a command is answered with, whether a server runs or not; *new*: the database may have to be made."""
    control = ControlClient.open(database.parent)
    if control is not None:
        with control:
            result = control.ask(command)
            if isinstance(command, commands.Shutdown) and not (command.seconds or command.cancel):
                control.until_end()
            return result
    if command.needs_server:
        raise Failed(f"no server with a control socket runs on {database.parent}")
    if not new:
        _check_there(database)
    with _telling_owner(database.parent):
        return asyncio.run(_do(database, config, command))


async def _do(database: Path, config: Config, command: Command) -> Result | Event | None:
    async with ChatServer(listen=(), data=database.parent, settings=config.settings) as server:
        return next(iter(await server.operator.do(command)), None)


def _typed(said: argparse.Namespace, database: Path, config: Config) -> None:
    """A command of the operator's console, from a shell."""
    line = " ".join([f"/{said.name}", *said.words])
    parsed = slash.parse(line, slash.Context(everywhere=True), operator=True)
    if isinstance(parsed, slash.Usage):
        raise Misused(parsed.text.replace("usage: /", "usage: "))
    if isinstance(parsed, slash.Action):
        raise Misused(f"{said.name} is for the console: what is the text?")
    for command in parsed:
        _show(command, _ask(database, config, command))


def _show(command: Command, result: Result | Event | None) -> None:
    view = render.View(numbered=True, clock=render.CLOCK)
    if isinstance(result, Result):
        for line in render.plain(render.answer(command, result, view)):
            _say(line)


def _console(said: argparse.Namespace, database: Path, config: Config) -> None:
    """Become the client's program, which is the operator's where it speaks through the control socket."""
    control = ControlClient.open(database.parent)
    if control is None:
        raise Failed(f"no server with a control socket runs on {database.parent}")
    control.close()
    address = f"unix:{path_of(database.parent)}"
    os.execv(sys.executable, [sys.executable, "-m", "asyncchat.client", "--operator", address])


# --- accounts -------------------------------------------------------------------------------------------------------


def _list(said: argparse.Namespace, database: Path, config: Config) -> None:
    result = _ask(database, config, commands.Accounts())
    if isinstance(result, events.AccountList) and result.accounts:  # a line each, for scripts
        _show(commands.Accounts(), result)


def _create(said: argparse.Namespace, database: Path, config: Config) -> None:
    password = _password(said)
    _ask(database, config, commands.CreateAccount(name=said.name, password=password), new=True)
    _tell(said, password)


def _reset(said: argparse.Namespace, database: Path, config: Config) -> None:
    password = _password(said)
    _ask(database, config, commands.ResetPassword(name=said.name, password=password))
    _tell(said, password)


def _promote(said: argparse.Namespace, database: Path, config: Config) -> None:
    _ask(database, config, commands.SetAdministrator(name=said.name))


def _demote(said: argparse.Namespace, database: Path, config: Config) -> None:
    _ask(database, config, commands.SetAdministrator(name=said.name, active=False))


def _password(said: argparse.Namespace) -> str:
    if said.generate:
        return secrets.token_urlsafe(GENERATED_BYTES)
    if not sys.stdin.isatty():
        return sys.stdin.readline().removeprefix("\ufeff").rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise Failed("these are two passwords")
    return password


def _tell(said: argparse.Namespace, password: str) -> None:
    if said.generate:
        _say(password)


# --- the whole database ---------------------------------------------------------------------------------------------


def _check_there(database: Path) -> None:
    if not database.exists():
        raise Failed(f"there is no database in {database.parent}")


@contextlib.contextmanager
def _telling_owner(folder: Path) -> Iterator[None]:
    """Say so if the data directory is made in this block and belongs to root, as whom few servers run."""
    new = not folder.exists()
    yield
    if new and sys.platform != "win32" and folder.stat().st_uid == 0:
        print(  # noqa: T201 - a command line program
            f"asyncchat-server: {printable(str(folder))} is new and belongs to root: give it to the user as whom the"
            " server runs (chown -R)",
            file=sys.stderr,
        )


def _backup(said: argparse.Namespace, database: Path, config: Config) -> None:
    control = ControlClient.open(database.parent)
    if control is not None:
        with control:
            control.ask(commands.Backup(path=os.path.abspath(said.file)))  # the server stands in another directory
        return
    _check_there(database)
    database_file.inspect(database)
    try:
        with contextlib.closing(database_file.connect_reader(database)) as db:
            backup(db, Path(said.file))
    except sqlite3.Error as error:
        raise Failed(f"{database} cannot be read: {error}") from error


def _export(said: argparse.Namespace, database: Path, config: Config) -> None:
    _check_there(database)
    if said.file == "-":
        _write(export(database), sys.stdout.buffer)
        return
    try:
        descriptor = os.open(said.file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)  # hashes of passwords are in it
    except OSError as error:
        raise Failed(f"cannot write {said.file}: {error.strerror}") from None
    try:
        with open(descriptor, "wb") as file:
            _write(export(database), file)
    except BaseException:
        Path(said.file).unlink()
        raise


def _write(lines: Iterable[bytes], file: BinaryIO) -> None:
    try:
        for line in lines:
            file.write(line + b"\n")
        file.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Failed(f"cannot write: {error.strerror}") from None


def _import(said: argparse.Namespace, database: Path, config: Config) -> None:
    with _lines(said.file) as lines, _telling_owner(database.parent):
        count = import_(lines, database)
    _say(f"{count} records are in {database}")


@contextlib.contextmanager
def _lines(file: str) -> Iterator[Iterable[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        opened = open(file, "rb")  # noqa: SIM115 - closed below; only its opening is tried
    except OSError as error:
        raise Failed(f"cannot read {file}: {error.strerror}") from None
    with opened:
        yield opened


def _check(said: argparse.Namespace, database: Path, config: Config) -> None:
    _check_there(database)
    problems = check(database)
    for problem in problems:
        _say(problem)
    if problems:
        raise Failed(f"{database} is damaged")
    _say(f"{database} is sound")


def _renew_epoch(said: argparse.Namespace, database: Path, config: Config) -> None:
    _check_there(database)
    with contextlib.closing(Store.open(database)) as store:
        store.renew_epoch()
    _say(f"{database} has an epoch of its own now")
