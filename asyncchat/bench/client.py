"""One connection: its socket, its login, and its place in its room."""

import contextlib
import enum
import socket
from collections.abc import Callable

from asyncchat.bench.plan import Plan, name_of_client, name_of_room
from asyncchat.bench.room import Member, Room
from asyncchat.vocabulary.addresses import Address
from asyncchat.vocabulary.commands import Hello, Pong
from asyncchat.vocabulary.errors import ProtocolError
from asyncchat.vocabulary.events import Bye, Error, Told, Welcome
from asyncchat.wire.native import EventReader, encode_command

UNIX_SECONDS = 10.0
"""For a Unix socket to be accepted."""

PONG = encode_command(Pong())


class LostError(Exception):
    """The connection is over, or was never made; the text says why."""


class Phase(enum.Enum):
    """How far a client has come."""

    CONNECTING = enum.auto()
    LOGGING_IN = enum.auto()
    IN = enum.auto()


class Client(Member):
    """A client that connects at once; ``number`` is its number among all. ``out``: bytes the socket did not take yet.

    Raises `LostError` when it cannot be connected.
    """

    __slots__ = ("_reader", "handle", "number", "out", "phase", "receive", "sock", "welcome")

    def __init__(self, number: int, room: Room, plan: Plan, address: Address) -> None:
        super().__init__(room)
        self.number = number
        self.phase = Phase.CONNECTING
        self.out = encode_command(
            Hello(
                id=1,
                name=name_of_client(plan.run, number),
                rooms=[name_of_room(room.number)],
                client="asyncchat.bench",
                server_password=plan.server_password,
            )
        )
        self.welcome: Welcome | None = None
        self._reader = EventReader()
        try:
            self.sock = connect(address)
        except OSError as error:
            raise LostError(error.strerror or str(error)) from error
        self.handle = self.sock.fileno()
        self.receive: Callable[[memoryview], int] = self.sock.recv_into

    def connected(self) -> None:
        """The connection is made, or has failed: raises `LostError`."""
        error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise LostError(OSError(error, "").strerror or f"error {error}")
        self.phase = Phase.LOGGING_IN

    def log_in(self, data: bytes) -> bool:
        """Bytes that came before the welcome. Is it in now? Raises `LostError` when the server refuses."""
        try:
            told = self._reader.receive(data)
        except ProtocolError as error:
            raise LostError(str(error)) from error
        for event in told:
            self._one(event)
        if self.welcome is None:
            return False
        self.phase = Phase.IN
        self.skip(data)
        return True

    def _one(self, event: Told) -> None:
        match event:
            case Welcome():
                self.welcome = event
            case Error(code=code, text=text) | Bye(code=code, reason=text):
                raise LostError(f"the server says {code:d}: {text}")
            case _:
                pass  # what happens in the room already

    def skip(self, data: bytes) -> None:
        """Bytes that came while it is not measured: only a line that has begun is kept."""
        end = data.rfind(b"\n") + 1
        self.rest = data[end:] if end else self.rest + data

    def send(self, data: bytes) -> bool:
        """Send, or keep for later what the socket does not take. Is all sent? Raises `LostError`."""
        if self.out:
            self.out += data
            return False
        self.out = data
        return self.flush()

    def flush(self) -> bool:
        """Send what was kept. Is all sent? Raises `LostError`."""
        if self.out:
            try:
                self.out = self.out[self.sock.send(self.out) :]
            except BlockingIOError:
                return False
            except OSError as error:
                raise LostError(error.strerror or str(error)) from error
        return not self.out


def connect(address: Address) -> socket.socket:
    """A socket that is being connected, without waiting for it; raises OSError."""
    if address.scheme == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    else:
        sock = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if address.scheme == "unix":
            # Without blocking, connect(2) gives up where the server is not quick enough to accept.
            sock.settimeout(UNIX_SECONDS)
            sock.connect(address.path)
            sock.setblocking(False)
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect((address.host, address.port))
    except OSError:
        sock.close()
        raise
    return sock
