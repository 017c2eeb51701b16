"""The line that a person edits at the bottom of the terminal, with what stands above and below it."""

import contextlib
from collections.abc import Callable, Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_completions, has_focus, to_filter
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style

from asyncchat.console.places import Places
from asyncchat.console.terminal import BUNDLE_SECONDS, suspending
from asyncchat.text import is_room, name_key, printable, slash

STYLE = Style.from_dict(
    {
        "bottom-toolbar": "noreverse bg:ansiblack fg:ansiwhite",
        "here": "bold reverse",
        "unread": "bold fg:ansiyellow",
        "mentioned": "bold fg:ansired",
        "online": "fg:ansigreen",
        "offline": "bold fg:ansired",
        "pending": "italic fg:ansibrightblack",
        "prompt": "fg:ansicyan",
    }
)


class LineHistory(InMemoryHistory):
    """The lines typed before, but those that hold passwords."""

    def append_string(self, string: str) -> None:
        """A line was typed."""
        if not slash.holds_password(string):
            super().append_string(string)


class ChatCompleter(Completer):
    """Completes the word before the cursor.

    A slash at the start of a line begins a command, ``#`` a room, anything else a name, with or without its ``@``:
    ``bob: `` at the start of a line, where people are spoken to, and ``bob `` elsewhere. *rooms* gives the rooms known
    besides those that are open. *operator*: the commands are the operator's.
    """

    def __init__(self, places: Places, rooms: Callable[[], Iterable[str]], *, operator: bool = False) -> None:
        self._places = places
        self._rooms = rooms
        self._commands = sorted(slash.names(client=True, operator=operator))

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """The completions of the word before the cursor; prompt_toolkit calls this."""
        before = document.text_before_cursor
        word = before.rsplit(maxsplit=1)[-1] if before and not before[-1].isspace() else ""
        for found in self._found(word, first=word == before):
            yield Completion(found, start_position=-len(word))

    def _found(self, word: str, *, first: bool) -> list[str]:
        if first and word.startswith("/"):
            return [f"{command} " for command in self._commands if command.startswith(word.lower())]
        if is_room(word):
            return [f"{room} " for room in self._matching(word, self._all_rooms())]
        if not word:
            return []
        sign, end = "@" if word.startswith("@") else "", ": " if first else " "
        return [f"{sign}{name}{end}" for name in self._matching(word.removeprefix("@"), self._people())]

    def _matching(self, word: str, names: Iterable[str]) -> list[str]:
        key = name_key(word)
        found = {name for name in names if name_key(name).startswith(key) and printable(name) == name}
        return sorted(found, key=name_key)

    def _all_rooms(self) -> Iterable[str]:
        return [*(place.name for place in self._places if place.is_room), *self._rooms()]

    def _people(self) -> Iterable[str]:
        here = self._places.here
        yield from here.people.values() if here is not None else ()
        for place in self._places:
            if place is not here:
                yield from place.people.values()
            if not place.is_room:
                yield place.name


class LineEditor:
    """Edits one line after the other until `leave`; *on_leave* is called when the person wants to.

    *on_line* gets each line; when it returns False the line stays, to be changed or entered again.

    With *writes* false nothing can be typed, but keys still do what they do. *prompt* and *toolbar*, which gets the
    columns it has, are asked for at every redraw. *on_change* is told what stands in the line while it is typed;
    *on_switch* gets the number of a place (Alt+1 to 9), and *on_step* 1 or -1 (Ctrl+N, Ctrl+P).
    """

    def __init__(
        self,
        keys: Input | None,
        *,
        completer: Completer,
        prompt: Callable[[], StyleAndTextTuples],
        toolbar: Callable[[int], StyleAndTextTuples],
        on_line: Callable[[str], bool],
        on_change: Callable[[str], None],
        on_switch: Callable[[int], None],
        on_step: Callable[[int], None],
        on_leave: Callable[[], None],
        writes: bool,
        colour: bool,
    ) -> None:
        self._on_line = on_line
        self._on_change = on_change
        self._on_switch = on_switch
        self._on_step = on_step
        self._on_leave = on_leave
        self._prompt = prompt
        self._completer = completer
        self._session: PromptSession[None] = PromptSession(
            input=keys,
            history=LineHistory(),
            completer=completer,
            complete_while_typing=False,
            bottom_toolbar=lambda: toolbar(self._session.app.output.get_size().columns),
            key_bindings=self._bindings(),
            erase_when_done=True,
            style=STYLE,
            color_depth=None if colour else ColorDepth.MONOCHROME,
        )
        self._session.app.min_redraw_interval = BUNDLE_SECONDS
        buffer = self._session.default_buffer
        buffer.read_only = to_filter(not writes)
        buffer.accept_handler = self._accept
        buffer.on_text_changed += lambda changed: on_change(changed.text)

    async def run(self) -> None:
        """Edit until `leave`, until the terminal is gone, or until the program is interrupted."""
        with contextlib.suppress(EOFError, KeyboardInterrupt):
            await self._session.prompt_async(self._prompt)

    @property
    def is_empty(self) -> bool:
        """Is nothing typed?"""
        return not self._session.default_buffer.text

    def refresh(self) -> None:
        """What is shown around the line has changed."""
        self._session.app.invalidate()

    def leave(self) -> None:
        """End `run`."""
        app = self._session.app
        if app.is_running and not app.is_done:
            app.exit()

    def _accept(self, buffer: Buffer) -> bool:
        return not self._on_line(buffer.text)  # False: it is in the history, and a new line begins

    def _bindings(self) -> KeyBindings:
        bindings = suspending()
        editing = has_focus(DEFAULT_BUFFER)  # and not searching (Ctrl+R), where keys mean what prompt_toolkit says

        # Eager, since prompt_toolkit has longer sequences that begin so while something is selected.
        @bindings.add("c-c", filter=editing, eager=True)
        def _(event: KeyPressEvent) -> None:
            self._step_back(event.current_buffer)

        @bindings.add("c-d", filter=editing)
        def _(event: KeyPressEvent) -> None:
            if event.current_buffer.text:
                event.current_buffer.delete()
            else:
                self._on_leave()

        @bindings.add("tab", filter=editing & ~has_completions)
        def _(event: KeyPressEvent) -> None:
            self._complete(event.current_buffer)

        @bindings.add("c-n", filter=editing & ~has_completions)
        def _(event: KeyPressEvent) -> None:
            self._on_step(1)

        @bindings.add("c-p", filter=editing & ~has_completions)
        def _(event: KeyPressEvent) -> None:
            self._on_step(-1)

        for number in range(1, 10):
            self._bind_number(bindings, number)
        return bindings

    def _step_back(self, buffer: Buffer) -> None:
        """End what was begun last: the completion, the selection, the line, or the program."""
        if buffer.complete_state is not None:
            buffer.cancel_completion()
        elif buffer.selection_state is not None:
            buffer.exit_selection()
        elif buffer.text:
            buffer.reset()
            self._on_change("")  # a reset is no change to prompt_toolkit
        else:
            self._on_leave()

    def _complete(self, buffer: Buffer) -> None:
        """Complete at once if there is one way: prompt_toolkit does it later, after the keys that came with Tab."""
        found = list(self._completer.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
        if len(found) == 1:
            buffer.apply_completion(found[0])
        elif found:
            buffer.start_completion(insert_common_part=True)

    def _bind_number(self, bindings: KeyBindings, number: int) -> None:
        @bindings.add("escape", str(number))
        def _(event: KeyPressEvent) -> None:
            self._on_switch(number)
