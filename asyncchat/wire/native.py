"""The native protocol: one JSON object a line. The Structs of the vocabulary are its definition."""

from collections.abc import Callable, Collection

import msgspec

from asyncchat.vocabulary import events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.errors import ProtocolError
from asyncchat.vocabulary.events import Told
from asyncchat.vocabulary.terms import Id, from_rfc3339
from asyncchat.wire.dialect import Context, Problem, Request
from asyncchat.wire.lines import LineBuffer, TooLong
from asyncchat.wire.native_problems import BAD_JSON, explain, known_part_of, problem_of_long_line, type_of

_encoder = msgspec.json.Encoder()
_encode = _encoder.encode
_encode_lines: Callable[[Collection[Told]], bytes] = _encoder.encode_lines
_decode_command: Callable[[bytes], Command] = msgspec.json.Decoder(Command).decode
_RESULTS: frozenset[type] = frozenset(events.Result.__args__)
_decode_told: Callable[[bytes], Told] = msgspec.json.Decoder(Told).decode


def encode_event(event: Told) -> bytes:
    """An event or result as one line, its newline included."""
    return _encode(event) + b"\n"


def encode_command(command: Command) -> bytes:
    """A command as one line, its newline included.

    The ``id`` stands before all that may be long: of a line that is too long the server knows the beginning only, and
    must say whose refusal it is.
    """
    if command.id is None:
        return _encode(command) + b"\n"
    rest = _encode(msgspec.structs.replace(command, id=None))
    head = len(b'{"type":""') + len(str(command.__struct_config__.tag))
    return b'%b,"id":%b%b\n' % (rest[:head], _encode(command.id), rest[head:])


class NativeDialect:
    """One connection that speaks the native protocol; ``limit`` bytes a line (0: unlimited).

    The context of a request is its ``id``.
    """

    __slots__ = ("_lines",)

    variant = "native"
    echo = True
    resumable = True
    pings = True
    wishes = False
    quiet_after: float | None = None

    def __init__(self, limit: int) -> None:
        self._lines = LineBuffer(limit)

    def receive(self, data: bytes) -> list[Request | Problem]:
        """The commands that are complete now, with a `Problem` in the place of each line that is none."""
        received: list[Request | Problem] = []
        for line in self._lines.feed(data):
            if type(line) is TooLong:
                received.append(problem_of_long_line(line))
            elif line:
                try:
                    command = _decode_command(line)
                    received.append((command, command.id))
                except BAD_JSON:
                    if not line.isspace():
                        received.append(explain(line))
        return received

    def end(self) -> list[Request | Problem]:
        """Nothing: a line without its newline may be half a line."""
        return []

    @property
    def partial(self) -> bool:
        """There are bytes waiting for the rest of a line."""
        return self._lines.partial

    def quiet(self) -> list[Request | Problem]:
        """Nothing: silence completes no line."""
        return []

    def encode_shared(self, events: Collection[Told]) -> bytes:
        """Events for many as bytes."""
        return _encode_lines(events)

    def encode(self, told: Told, context: Id | None = None) -> bytes:
        """An event or result for this connection alone as bytes."""
        if context is not None:
            if type(told) is events.Ok:  # that of each message: by `replace` it would take twice as long
                told = events.Ok(id=context, code=told.code, seq=told.seq, text=told.text, token=told.token)
            elif type(told) in _RESULTS:
                told = msgspec.structs.replace(told, id=context)
        return encode_event(told)

    def outgoing(self, context: Context) -> bytes:
        """Nothing: all that a client is told is an event or a result."""
        return b""

    def follow_up(self) -> list[Request]:
        """Nothing: native clients ask for what they want."""
        return []


def _check_times(told: Told) -> None:
    """Raise ProtocolError where a time is none, so that nobody who shows it has to expect that."""
    match told:
        case events.History(events=inside):
            times = [event.time for event in inside]
        case events.Kept(time=time):
            times = [time]
        case events.BanList(bans=bans):
            times = [ban.until for ban in bans if ban.until is not None]
        case events.User(since=str(time)) | events.Muted(until=str(time)):
            times = [time]
        case _:
            return
    for time in times:
        try:
            usable = 1 < from_rfc3339(time).year < 9999  # in every time zone
        except ValueError:
            usable = False
        if not usable:
            raise ProtocolError("the server sent a time that is none")


MAX_EVENT_LINE = 64 * 1024 * 1024
"""Bytes of a line that a client accepts. Pages end at some 256 KiB of text; other servers may be set otherwise."""


class EventReader:
    """The client's half: bytes become events and results.

    What a newer server may add is skipped: unknown fields by the decoder, the rest as `known_part_of` does. So
    are lines that are no JSON before the first event, since a server greets whoever is silent for a second in
    plain text.
    """

    __slots__ = ("_begun", "_lines")

    def __init__(self, limit: int = MAX_EVENT_LINE) -> None:
        self._lines = LineBuffer(limit)
        self._begun = False

    def receive(self, data: bytes) -> list[Told]:
        """The events and results that are complete now.

        Raises ProtocolError when the server sends what is neither: the connection cannot be trusted any more.
        """
        told: list[Told] = []
        for line in self._lines.feed(data):
            event = self._read(line)
            if event is not None:
                _check_times(event)
                self._begun = True
                told.append(event)
        return told

    def _read(self, line: bytes | TooLong) -> Told | None:
        if isinstance(line, TooLong):
            raise ProtocolError("the server sent a line that is too long")
        try:
            return self._understood(line)
        except BAD_JSON as error:
            raise ProtocolError("the server sent what is no event") from error

    def _understood(self, line: bytes) -> Told | None:
        try:
            return _decode_told(line)
        except BAD_JSON:
            kind = type_of(line)
            if not line.strip() or (kind is None and not self._begun):
                return None
            if kind is None:
                raise
            return known_part_of(line, kind)
