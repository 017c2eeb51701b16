"""The control socket: where it is, how it is opened, what it can ask of the program, and how a program uses it.

It speaks the native protocol. Whoever may write to its file (mode 600) is the operator, from the first byte.
"""

import asyncio
import contextlib
import hashlib
import os
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import platformdirs
from msgspec import structs

from asyncchat.server.listeners import ACCEPTED_AT_ONCE, Handler, Listener, remove_stale
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.errors import ConnectionLost, Refused
from asyncchat.vocabulary.events import Result, Told
from asyncchat.wire.native import EventReader, encode_command

NAME = "control.sock"
"""The socket's file in the data directory, or a link to it where the path would be too long."""

LONGEST_PATH = 103
"""Bytes of a socket's path: with a NUL, the 104 of macOS and the BSDs (``sun_path``); Linux has 108."""

PRIVATE = 0o077
"""The permissions that nobody but the user may have."""

UMASK = 0o177
"""What makes a socket's file with mode 600."""

DIGEST_CHARACTERS = 16
"""Of a hash of the data directory's path: 64 bits tell the servers of one user apart."""

READ_BYTES = 65_536
"""One read: the most that a Unix socket usually hands out at a time."""


class Host(Protocol):
    """The program around a server: what the control socket asks of it. Every method may raise `Refused`."""

    def stop(self) -> None:
        """End the server in good order."""
        ...

    def reload(self) -> str:
        """Read the settings anew; returns what to say of it."""
        ...

    def log_level(self, level: str | None) -> str:
        """Log from this level on (None: leave it as it is); returns the level in force."""
        ...


# --- the server's end -----------------------------------------------------------------------------------------------


async def open_control(data: Path, handler: Handler) -> Listener:
    """Open the control socket of a data directory; raises OSError where there can be none.

    The database's lock must be held: what is left of a socket is then a dead server's.
    """
    if sys.platform == "win32":
        raise OSError("there are no Unix sockets here")
    listening, path = _bound(data)
    try:
        server = await asyncio.start_unix_server(handler, sock=listening, backlog=ACCEPTED_AT_ONCE)
    except BaseException:
        listening.close()
        raise
    return Listener(server, f"unix:{path}", path=str(path))


def _bound(data: Path) -> tuple[socket.socket, Path]:
    """A socket in the directory or, where the path would be too long, elsewhere, with a link to it in the directory."""
    named = data.absolute() / NAME
    if named.is_symlink():
        named.unlink()
    path = named
    if len(os.fsencode(named)) > LONGEST_PATH:
        path = _private_folder() / f"{hashlib.sha256(os.fsencode(named)).hexdigest()[:DIGEST_CHARACTERS]}.sock"
    # Not asked whether it answers: that of a server that root ran, and that was killed, refuses everybody else.
    remove_stale(str(path), dead=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _bind(listening, path)
        if path is not named:
            named.symlink_to(path)
    except BaseException:
        listening.close()
        raise
    return listening, path


def _bind(listening: socket.socket, path: Path) -> None:
    """Make the socket's file with mode 600: were it changed after, others could connect before."""
    before = os.umask(UMASK)
    try:
        listening.bind(str(path))
    finally:
        os.umask(before)


def _private_folder() -> Path:
    """The user's runtime directory of this program, made if missing; raises OSError if others can write there."""
    folder = platformdirs.user_runtime_path("asyncchat", appauthor=False)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if sys.platform != "win32" and (found.st_uid != os.geteuid() or found.st_mode & PRIVATE):
        raise PermissionError(f"{folder} is not this user's alone")
    return folder


# --- the administrator's end ----------------------------------------------------------------------------------------


def path_of(data: Path) -> Path:
    """Where the control socket of a data directory is, if it has one."""
    named = data.absolute() / NAME
    return named.readlink() if named.is_symlink() else named


class ControlClient:
    """A connection to the control socket of a running server, which waits for each reply.

    Every method raises `Refused` for what the server refuses, and `ConnectionLost` when it is gone.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._reader = EventReader()
        self._told: list[Told] = []

    @classmethod
    def open(cls, data: Path) -> Self | None:
        """Connect to the server of a data directory, or None if none answers. Raises OSError if it may not be asked."""
        path = path_of(data)
        if sys.platform == "win32" or len(os.fsencode(path)) > LONGEST_PATH:
            return None
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connected.connect(str(path))
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):  # no server, or one that was killed
            connected.close()
            return None
        except BaseException as error:
            connected.close()
            if isinstance(error, OSError):
                error.filename = str(path)
            raise
        return cls(connected)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._socket.close()

    def ask(self, command: Command) -> Result:
        """Send a command; returns its result."""
        command = structs.replace(command, id=1)
        self._send(command)
        while True:
            match self._next():
                case events.Error(code=code, text=text, wait=wait):
                    raise Refused(code, text, wait=wait)
                case events.Bye(code=code, reason=reason):
                    raise Refused(code, reason)
                case events.Ping():
                    self._send(commands.Pong())
                case told if getattr(told, "id", None) == command.id:
                    return told  # type: ignore[return-value]  # only results have an id

    def until_end(self) -> None:
        """Wait until the server has closed the connection."""
        while self._read():
            pass

    def _send(self, command: Command) -> None:
        with contextlib.suppress(OSError):  # the server is gone, and may have said why: that is read next
            self._socket.sendall(encode_command(command))

    def _next(self) -> Told:
        while not self._told:
            data = self._read()
            if not data:
                raise ConnectionLost("the server closed the connection")
            self._told = self._reader.receive(data)
        return self._told.pop(0)

    def _read(self) -> bytes:
        try:
            return self._socket.recv(READ_BYTES)
        except ConnectionError:
            return b""
