"""The client without a terminal: lines of standard input are sent, and what arrives is printed, a line each."""

import asyncio
import codecs
import contextlib
import json
import sys
from collections import deque
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime

import msgspec

from asyncchat import ChatClient, ChatError, Code, Refused, Resumed, TokenStore, connect, events
from asyncchat.client import new_nonce
from asyncchat.console.cli import Settings, default_name
from asyncchat.console.painter import Painter, event_lines
from asyncchat.console.stdio import Output, Reader, complain, is_terminal, standard_input, standard_output
from asyncchat.console.wrap import terminal_columns, wrapped
from asyncchat.events import Event, Kept, KeptEvent
from asyncchat.text import FULL_CLOCK, View, printable, same
from asyncchat.wire.lines import LineBuffer, TooLong

IN_FLIGHT = 64
"""Lines sent and not yet answered: enough to fill the way to the server, few enough that none waits there long."""

IN_FLIGHT_BYTES = 65_536
"""Bytes of these lines, for the same reason: a server that slows us down counts a long line as many."""

ANY_NAMES = 1_000
"""Names that ``--any-name`` tries: as many jobs may run side by side."""

READ_BYTES = 65_536
"""One read of standard input: what a pipe holds."""

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of a line where the server has no limit."""

BAD_USAGE = 2
"""The exit status when the command line does not do, as with argparse."""


async def run_piped(settings: Settings) -> int:
    """Send and print; returns the exit status. Raises `ChatError` if there is no connection (any more)."""
    if settings.operator:
        complain("--operator needs a terminal; for scripts there is asyncchat-server admin")
        return BAD_USAGE
    name = settings.name or default_name()
    if name is None:
        complain("who are you? Your user name cannot be taken here: use --name")
        return BAD_USAGE
    async with standard_output() as output, _connected(settings, name) as chat:
        refused = await _refused_rooms(settings.rooms or (), chat)
        printer = Printer(settings, chat, output)
        sender = Sender(settings, chat, printer)
        if settings.write:
            await _both(printer, sender)
        elif not refused or refused < len(settings.rooms or ()):
            await printer.run()
        return int(sender.failed or output.failed or refused > 0)


async def _refused_rooms(rooms: Collection[str], chat: ChatClient) -> int:
    """How many of these rooms we cannot be in; why not is said on standard error."""
    refused = 0
    for room in rooms:
        if any(same(room, entered) for entered in chat.welcome.rooms):
            continue
        try:
            await chat.join(room)  # it was refused at the login: this tells why
        except Refused as error:
            refused += 1
            complain(f"not in {printable(room)}: {printable(str(error))}")
    return refused


async def _both(printer: "Printer", sender: "Sender") -> None:
    """Until standard input has ended, all is acknowledged, and what had come until then is printed."""
    async with standard_input() as reader:
        printing = asyncio.create_task(printer.run(), name="asyncchat print")
        sending = asyncio.create_task(_send_and_see(reader, printer, sender), name="asyncchat send")
        try:
            await asyncio.wait({printing, sending}, return_when=asyncio.FIRST_COMPLETED)
            if printing.done():
                # The connection is over. (Or nobody reads what we print: no reason not to send.)
                printing.result()
            await sending
        finally:
            for task in (printing, sending):
                task.cancel()
            await asyncio.wait({printing, sending})


async def _send_and_see(reader: Reader, printer: "Printer", sender: "Sender") -> None:
    await sender.run(reader)
    await printer.printed(sender.last)


@contextlib.asynccontextmanager
async def _connected(settings: Settings, name: str) -> AsyncIterator[ChatClient]:
    chat = await (_connect_as_any(settings, name) if settings.any_name else _connect(settings, name))
    try:
        yield chat
    finally:
        await chat.aclose()


async def _connect_as_any(settings: Settings, name: str) -> ChatClient:
    """Connect with this name, or, where it is taken, with a number appended to it."""
    number = 1
    while True:
        try:
            return await _connect(settings, name if number == 1 else f"{name}-{number}")
        except Refused as refused:
            if refused.code is not Code.CONFLICT or number == ANY_NAMES:
                raise
        number += 1


async def _connect(settings: Settings, name: str) -> ChatClient:
    return await connect(
        settings.address,
        name=name,
        password=settings.password,
        server_password=settings.server_password,
        rooms=settings.rooms,
        token_store=TokenStore(settings.config_dir),
        trust_address=settings.trust_address,
        ca=settings.ca,
        fingerprint=settings.fingerprint,
    )


class Lines:
    """The lines of standard input, none of which is held that is longer than a message may be."""

    def __init__(self, reader: Reader, limit: int) -> None:
        self._reader = reader
        self._buffer = LineBuffer(limit)
        self._ready = deque[bytes | TooLong]()
        self._at_start = True
        self._at_end = False

    async def next(self) -> bytes | TooLong | None:
        """The next line, without its end; None behind the last. Raises OSError."""
        while not self._ready and not self._at_end:
            data = await self._reader.read(READ_BYTES)
            if self._at_start and data:
                data, self._at_start = data.removeprefix(codecs.BOM_UTF8), False
            self._ready += self._buffer.feed(data)
            if not data:
                self._at_end = True
                if rest := self._buffer.take():
                    self._ready.append(rest)
        return self._ready.popleft() if self._ready else None


class InFlight:
    """The lines that are sent and not yet answered, by number. A line too long for the bounds goes alone."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._less = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._sizes)

    @property
    def lines(self) -> list[int]:
        """Their numbers, in the order in which they were sent."""
        return list(self._sizes)

    def add(self, line: int, size: int) -> None:
        """A line of so many bytes is sent."""
        self._sizes[line] = size

    def remove(self, line: int) -> None:
        """It is answered."""
        del self._sizes[line]
        self._less.set()

    async def room_for(self, size: int) -> None:
        """Wait until a line of so many bytes may be sent."""
        while self._sizes and (len(self._sizes) >= IN_FLIGHT or sum(self._sizes.values()) + size > IN_FLIGHT_BYTES):
            self._less.clear()
            await self._less.wait()


class Sender:
    """Sends lines; ``failed`` once one of them is not sent, ``last`` is the ``seq`` of the last one that is.

    Once no line is answered for the timeout, no more are read: there is no server, or as good as none. How long a
    single line takes says nothing: a server that slows us down keeps it waiting behind our own.
    """

    def __init__(self, settings: Settings, chat: ChatClient, printer: "Printer") -> None:
        self._chat = chat
        self._printer = printer
        self._to = settings.to or next(iter(settings.rooms or chat.welcome.rooms), None)
        self._timeout = settings.timeout
        self._patience = asyncio.timeout(None)
        self._in_flight = InFlight()
        self._next = 1
        self._at_end = False
        self.failed = False
        self.last = 0

    async def run(self, reader: Reader) -> None:
        """Send all lines, in order and many at a time, and wait for their acknowledgements. To be called once."""
        if self._to is None:
            self._fail("you are in no room: name one with --to")
            return
        try:
            async with self._patience, asyncio.TaskGroup() as group:
                await self._send_all(reader, self._to, group)
        except TimeoutError:
            for number in self._in_flight.lines:
                self._fail(f"line {number} is not acknowledged after {self._timeout:g} s")
            if not self._at_end:
                self._fail(f"line {self._next} and what follows is not sent")

    async def _send_all(self, reader: Reader, to: str, group: asyncio.TaskGroup) -> None:
        lines = Lines(reader, int(self._chat.welcome.limits.get("text", 0)) or LONGEST_LINE)
        while (line := await self._line(lines)) is not None:
            text = self._text(line)
            if text.strip():  # blanks alone are no message
                size = len(text.encode())
                await self._in_flight.room_for(size)
                if not self._in_flight:
                    self._wait_on(self._timeout)
                self._in_flight.add(self._next, size)
                group.create_task(self._send(to, text, self._next))
            self._next += 1
        self._at_end = True

    async def _line(self, lines: Lines) -> bytes | TooLong | None:
        try:
            return await lines.next()
        except OSError as error:
            self._fail(f"standard input cannot be read: {error.strerror}")
            return None

    def _text(self, line: bytes | TooLong) -> str:
        if isinstance(line, TooLong):
            self._fail(f"line {self._next} is not sent: it is longer than a message may be")
            return ""
        try:
            return line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            self._fail(f"line {self._next} is not sent: it is not UTF-8")
            return ""

    async def _send(self, to: str, text: str, number: int) -> None:
        nonce = new_nonce()
        self._printer.own.add(nonce)
        try:
            said = await self._chat.say(to, text, nonce=nonce)
        except ChatError as error:
            self._fail(f"line {number} is not sent: {printable(str(error))}")
        else:
            self.last = max(self.last, said.seq)
        self._in_flight.remove(number)
        self._wait_on(self._timeout if self._in_flight else None)

    def _wait_on(self, seconds: float | None) -> None:
        """Give up in so many seconds from now; None: there is nothing to wait for."""
        if not self._patience.expired():  # an answer may come in the very moment in which it runs out
            self._patience.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)

    def _fail(self, text: str) -> None:
        self.failed = True
        complain(text)


class Printer:
    """Prints what arrives; ``own``: the nonces of lines that were sent from here, which only JSON shows."""

    def __init__(self, settings: Settings, chat: ChatClient, output: Output) -> None:
        self._settings = settings
        self._chat = chat
        self._output = output
        self._at = 0
        self._moved = asyncio.Event()
        self.own: set[str] = set()

    async def run(self) -> None:
        """Print until the connection ends, which raises, or until nobody reads what is printed."""
        if self._settings.read and self._settings.history:
            await self._past(self._settings.history)
        watching = asyncio.create_task(self._output.gone.wait(), name="asyncchat output")
        printing = asyncio.create_task(self._live(), name="asyncchat live")
        try:
            await asyncio.wait({watching, printing}, return_when=asyncio.FIRST_COMPLETED)
            if printing.done():
                printing.result()
        finally:
            for task in (watching, printing):
                task.cancel()
            await asyncio.wait({watching, printing})
            self._moved.set()  # perhaps nobody reads any more, which `printed` has to see

    async def printed(self, seq: int) -> None:
        """Wait until all up to this ``seq`` is printed, or nobody reads it; `run` tells of a connection that ended."""
        while self._at < seq and not self._output.gone.is_set():
            self._moved.clear()
            await self._moved.wait()

    async def _past(self, count: int) -> None:
        past: list[KeptEvent] = []
        for room in self._chat.welcome.rooms:
            past += await self._chat.last(room, count, before=self._chat.welcome.seq + 1)
        for event in sorted(past, key=lambda kept: kept.seq):
            await self._print(event)

    async def _live(self) -> None:
        async for event in self._chat:
            await self._print(event)
            if isinstance(event, Kept):
                self._at = event.seq
                self._moved.set()

    async def _print(self, event: Event | Resumed) -> None:
        mine = isinstance(event, events.Said) and event.nonce in self.own
        if isinstance(event, events.Said) and event.nonce is not None:
            self.own.discard(event.nonce)
        line = self._json_line(event, mine) if self._settings.json else self._plain_line(event, mine)
        if line is not None:
            await self._output.line(line)

    def _plain_line(self, event: Event | Resumed, mine: bool) -> str | None:
        if mine or not self._settings.read or self._is_my_coming_or_going(event):
            return None
        when = event.when if isinstance(event, Kept) else datetime.now(UTC)
        view = View(self._chat.name, clock=FULL_CLOCK, zone=None, multiline=False)
        line = "\n".join(Painter(colour=False).lines(event_lines(event, view, when)))
        # Only what is piped is one line each: a terminal would wrap it, and show what follows as a line of its own.
        return wrapped(line, terminal_columns()) if is_terminal(sys.stdout) else line or None

    def _is_my_coming_or_going(self, event: Event | Resumed) -> bool:
        return isinstance(event, events.Joined | events.Left) and same(event.name, self._chat.name)

    def _json_line(self, event: Event | Resumed, mine: bool) -> str | None:
        """The event as the protocol has it, in ASCII: no character of it can drive a terminal."""
        if not (mine or self._settings.read):
            return None
        if isinstance(event, Resumed):
            told: object = {"type": "resumed", "complete": event.complete, "missed": event.missed}
        else:
            told = msgspec.to_builtins(event)
        return json.dumps(told, separators=(",", ":")).replace("\x7f", "\\u007f")
