"""The client in a terminal: what arrives goes to the screen, what is typed goes to the server."""

import asyncio
import logging
import sys
import time
from collections.abc import Coroutine, Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input

from asyncchat import ChatClient, ChatError, Code, ConnectionState, Refused, Resumed, TokenStore, connect, events
from asyncchat.console.cli import HISTORY, Settings, default_name
from asyncchat.console.dispatcher import Dispatcher
from asyncchat.console.dumb_terminal import DumbTerminal, LineReader, is_dumb, open_dumb_terminal
from asyncchat.console.editor import ChatCompleter, LineEditor
from asyncchat.console.painter import Painter
from asyncchat.console.places import TYPING_SECONDS, Ignores, Place, Places
from asyncchat.console.screen import Outbox, Screen, prompt_parts, toolbar_parts
from asyncchat.console.terminal import open_terminal, suspending
from asyncchat.console.wrap import terminal_columns, wrapped
from asyncchat.events import Event
from asyncchat.text import INDENT, printable, same

logger = logging.getLogger("asyncchat.client")

TYPING_AGAIN_SECONDS = 5.0
"""How often others are told that I am still typing; sooner than they would stop showing it."""

NO_AUTOWRAP, AUTOWRAP = "\x1b[?7l", "\x1b[?7h"
"""The terminal does not, or does, begin another line by itself (DECAWM, as xterm has it)."""

REPLYING = "/r"
"""How a reply begins: from there on it is settled whom it answers."""

Keys = Input | DumbTerminal | None
"""What a person types comes from here; None: prompt_toolkit reads the keys itself."""


Work = Coroutine[object, object, None]


class Console:
    """One client's terminal. *read* and *write* false make one that only writes, or only listens.

    *operator*: it is the server's operator who types, and is in no room.
    """

    def __init__(
        self,
        chat: ChatClient,
        painter: Painter,
        ignores: Ignores,
        keys: Keys,
        *,
        read: bool = True,
        write: bool = True,
        operator: bool = False,
    ) -> None:
        self.chat = chat
        self.operator = operator
        self.places = Places(chat.name)
        self.outbox = Outbox()
        write_lines = _write if isinstance(keys, DumbTerminal) else _write_guarded
        self.screen = Screen(painter, self.places, self.outbox, ignores, write_lines, read=read)
        self.room_names: set[str] = set()
        self.parting: str | None = None
        self._offline = ""
        self._warned = False
        self._typing_told = 0.0
        self._marked: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._dispatcher = Dispatcher(self)
        self.editor = self._editor_of(keys, writes=write, colour=painter.colour)

    def _editor_of(self, keys: Keys, *, writes: bool, colour: bool) -> LineEditor | LineReader:
        if isinstance(keys, DumbTerminal):
            return LineReader(keys, here=self._label, on_line=self._line, writes=writes)
        return LineEditor(
            keys,
            completer=ChatCompleter(self.places, lambda: self.room_names, operator=self.operator),
            prompt=lambda: prompt_parts(self.places, self.outbox, offline=bool(self._offline), writes=writes),
            toolbar=self._toolbar,
            on_line=self._line,
            on_change=self._changed,
            on_switch=self._switch,
            on_step=self._step,
            on_leave=self.leave,
            writes=writes,
            colour=colour,
        )

    def _toolbar(self, columns: int) -> StyleAndTextTuples:
        return toolbar_parts(self.places, offline=self._offline, now=time.monotonic(), columns=columns)

    def _label(self) -> str:
        return self.places.here.label if self.places.here is not None else ""

    async def run(self, *, to: str | None, history: int) -> None:
        """Show and send until the person leaves; raises the `ChatError` with which the connection ended, if it did."""
        for room in self.chat.welcome.rooms:
            self.places.open(room)
        self.places.go(self.places.open(to) if to is not None else self.places.number(1))
        self._greet()
        receiving = asyncio.create_task(self._receive(history), name="asyncchat receive")
        running = {receiving, asyncio.create_task(self.editor.run(), name="asyncchat editor")}
        try:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                receiving.result()
        finally:
            running |= self._tasks
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    # --- what arrives -----------------------------------------------------------------------------------------------

    async def _receive(self, history: int) -> None:
        if self.screen.read:
            await self.show_past(history, list(self.places))  # before what comes live, which waits
        self._refresh_people()
        async for event in self.chat:
            place = self.screen.event(event)
            if isinstance(event, Resumed):
                self._refresh_people()
            else:
                self._after(event, place)
            self.editor.refresh()

    def _after(self, event: Event, place: Place | None) -> None:
        match event:
            case events.Typing():
                asyncio.get_running_loop().call_later(TYPING_SECONDS, self.editor.refresh)
            case events.Joined() if place is not None and same(event.name, self.places.me):
                self.spawn(self._load_people(place))
            case events.Left() | events.Kicked() if same(event.name, self.places.me):
                self.places.close(event.room)
            case events.Destroyed():
                self.places.close(event.room)
            case events.Renamed() if event.name in self.screen.ignores:
                self.spawn(self.save_ignores())
            case _:
                pass

    def _greet(self) -> None:
        welcome = self.chat.welcome
        me = f"its operator (asyncchat {printable(welcome.version)})" if self.operator else printable(self.chat.name)
        self.screen.note(f"{printable(welcome.server)}: you are {me}. /help lists the commands")
        if welcome.motd:
            self.screen.show(*(INDENT + line for line in printable(welcome.motd, multiline=True).split("\n")))

    async def show_past(self, count: int, places: Iterable[Place]) -> None:
        """Show the last messages of these places, in one order."""
        past: list[events.Said] = []
        for place in places if count > 0 else ():
            try:
                last = await self.chat.last(place.name, count)
            except ChatError as error:
                self.screen.note(f"no history of {printable(place.name)}: {printable(str(error))}", "error")
            else:
                past += [event for event in last if isinstance(event, events.Said)]
        self.screen.past(past)

    def _refresh_people(self) -> None:
        """Learn who is in the rooms: nobody tells that while there is no connection."""
        for place in self.places:
            if place.is_room:
                self.spawn(self._load_people(place))

    async def save_ignores(self) -> None:
        """Keep who is ignored; the person is told if that cannot be done."""
        try:
            await asyncio.to_thread(self.screen.ignores.save)
        except OSError as error:
            self.screen.note(f"only for now, as it cannot be kept: {error.strerror}", "error")

    async def _load_people(self, place: Place) -> None:
        try:
            members = await self.chat.who(place.name)
        except ChatError as error:  # nobody has asked: it may be a room that is left meanwhile
            logger.debug("people not known: %s", printable(str(error)))
            return
        place.set_people(member.name for member in members)
        for member in members:
            if member.read is not None and not same(member.name, self.places.me):
                place.readers[member.name] = member.read

    def spawn(self, work: Work) -> None:
        """Do something beside the rest; if the server refuses, the person is told."""

        async def told() -> None:
            try:
                await work
            except ChatError as error:
                self.screen.note(printable(str(error)), "error")
            self.editor.refresh()

        task = asyncio.create_task(told())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- what is typed ----------------------------------------------------------------------------------------------

    def _line(self, text: str) -> bool:
        """A line is typed; False: it is left to the person, as it has nowhere to go."""
        self._typing_told = 0.0
        self._warned = False
        taken = not text.strip() or self._dispatcher.line(text)
        self.places.replying(False)
        self._mark_read()
        return taken

    def _changed(self, text: str) -> None:
        self.places.replying(text.lstrip().lower().startswith(REPLYING))
        here, now = self.places.here, time.monotonic()
        if here is None or text.lstrip().startswith("/"):
            return
        if text and now - self._typing_told >= TYPING_AGAIN_SECONDS:
            self._typing_told = now
            self.chat.typing(here.name)
            self._mark_read()
        elif not text and self._typing_told:
            self._typing_told = 0.0
            self.chat.typing(here.name, active=False)

    def _mark_read(self) -> None:
        """Who types has read what stands above: tell the others."""
        here = self.places.here
        if here is None or here.last is None or not self.screen.read or self._offline:
            return
        if here.last > self._marked.get(here.name, 0):
            self._marked[here.name] = here.last
            self.spawn(self._tell_read(here.name, here.last))

    async def _tell_read(self, name: str, seq: int) -> None:
        try:
            await self.chat.read(name, seq)
        except ChatError as error:  # nothing that the person could do anything about
            logger.debug("not marked as read: %s", printable(str(error)))

    def go(self, place: Place | None) -> None:
        """From now on lines go to that place, or nowhere."""
        self.places.go(place)
        self._mark_read()
        self.editor.refresh()

    def turn_back(self, place: Place, before: Place | None) -> None:
        """A place that was gone to is shut: go back, but not with a half-typed line, which was meant for there."""
        was_here = self.places.here is place
        self.places.close(place.name)
        if was_here and self.editor.is_empty and before is not None and before in self.places:
            self.go(before)

    def _switch(self, number: int) -> None:
        place = self.places.number(number)
        if place is not None:
            self.go(place)

    def _step(self, step: int) -> None:
        place = self.places.beside(step)
        if place is not None:
            self.go(place)

    def leave(self, parting: str | None = None) -> None:
        """End `run`; who has something on its way is warned first."""
        if self.outbox and not self._warned:
            self._warned = True
            self.screen.note(f"{len(self.outbox)} not sent yet: once more to leave without them", "error")
            return
        self.parting = parting
        self.editor.leave()

    def state_changed(self, state: ConnectionState, text: str) -> None:
        """The connection's state changed, or there is news of it."""
        if state is ConnectionState.OFFLINE and not self._offline and not self.operator:  # whose console ends then
            self.screen.note(
                f"the connection is lost: {printable(text)}. What you type is sent when it is back", "error"
            )
        self._offline = text if state is ConnectionState.OFFLINE else ""
        self.editor.refresh()


def _write(text: str) -> None:
    """Write whole lines, on any terminal."""
    sys.stdout.write(wrapped(text, terminal_columns()))  # looked up at each call: it is replaced while a line is edited
    sys.stdout.flush()


def _write_guarded(text: str) -> None:
    """Write whole lines; what takes more columns than were counted is cut off, and begins no line either."""
    lines = wrapped(text.removesuffix("\n"), terminal_columns())
    sys.stdout.write(f"{NO_AUTOWRAP}{lines}{AUTOWRAP}\n")
    sys.stdout.flush()


# --- from the first question to the last word -------------------------------------------------------------------------


class Left(Exception):  # noqa: N818 - nothing went wrong
    """The person left before there was anything to leave."""


async def run_in_terminal(settings: Settings) -> int:
    """Chat until the person leaves; returns the exit status. Raises `ChatError` if the connection is over before."""
    async with open_dumb_terminal() if is_dumb() else open_terminal() as keys:
        logging.getLogger("asyncchat").addHandler(_Above())
        try:
            return await _chat(settings, keys)
        except Left:
            return 0


async def _chat(settings: Settings, keys: Keys) -> int:
    relay = _Relay()
    chat = await _log_in(settings, keys, relay)
    parting: str | None = None
    try:
        ignores = await asyncio.to_thread(Ignores, settings.address.key, settings.config_dir)
        painter = Painter(colour=settings.colour and not isinstance(keys, DumbTerminal))
        console = Console(
            chat, painter, ignores, keys, read=settings.read, write=settings.write, operator=settings.operator
        )
        relay.console = console
        await console.run(to=settings.to, history=HISTORY if settings.history is None else settings.history)
        parting = console.parting
        return 1 if console.outbox else 0
    finally:
        relay.console = None
        await chat.aclose(reason=parting)


class _Relay:
    """Passes the connection's state on to the console, once there is one."""

    console: Console | None = None

    def __call__(self, state: ConnectionState, text: str) -> None:
        if self.console is not None:
            self.console.state_changed(state, text)


class _Above(logging.StreamHandler):  # type: ignore[type-arg]
    """Shows log records above the line: standard error, as it is now."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter("-- %(message)s"))

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines, as they fit into the terminal."""
        return wrapped(super().format(record), terminal_columns())


async def _log_in(settings: Settings, keys: Keys, relay: _Relay) -> ChatClient:
    """Log in, and ask for a name or a password where one is missing."""
    if settings.operator:
        return await connect(settings.address, operator=True, on_state=relay)
    name = settings.name or await _ask(keys, "Your name", default=default_name())
    password, server_password = settings.password, settings.server_password
    while True:
        try:
            return await connect(
                settings.address,
                name=name,
                password=password,
                server_password=server_password,
                rooms=settings.rooms,
                token_store=TokenStore(settings.config_dir),
                trust_address=settings.trust_address,
                ca=settings.ca,
                fingerprint=settings.fingerprint,
                on_state=relay,
            )
        except Refused as error:
            _say(printable(error.text))
            match error.code:
                case Code.CONFLICT | Code.MALFORMED:
                    name = await _ask(keys, "Another name")
                case Code.LOGIN_FIRST:
                    server_password = await _ask(keys, "Password of the server", secret=True)
                case Code.WRONG_PASSWORD:
                    password = await _ask(keys, f"Password of {printable(name)}", secret=True)
                case _:
                    raise


async def _ask(keys: Keys, question: str, *, default: str | None = None, secret: bool = False) -> str:
    """Ask until there is an answer; Enter alone gives the default, if there is one."""
    prompt = f"{question} [{default}]: " if default else f"{question}: "
    try:
        while not (answer := await _answer(keys, prompt, secret=secret)).strip():
            if default:
                return default
    except (EOFError, KeyboardInterrupt):
        raise Left from None
    return answer if secret else answer.strip()


async def _answer(keys: Keys, prompt: str, *, secret: bool) -> str:
    if isinstance(keys, DumbTerminal):
        return await keys.ask(prompt, secret=secret)
    session: PromptSession[str] = PromptSession(input=keys, key_bindings=suspending())
    return await session.prompt_async(prompt, is_password=secret)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
