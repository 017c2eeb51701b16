"""What Tab offers: commands, rooms, and the people who are here."""

from collections.abc import Callable, Iterable

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from asyncchat.client.places import Places
from asyncchat.vocabulary.names import is_room, name_key
from asyncchat.vocabulary.printable import printable
from asyncchat.wire import slash


class ChatCompleter(Completer):
    """Completes the word before the cursor.

    A slash at the start of a line begins a command, ``#`` a room, anything else a name, with or without its ``@``:
    ``bob: `` at the start of a line, where people are spoken to, and ``bob `` elsewhere. *rooms* gives the rooms known
    besides those that are open.
    """

    def __init__(self, places: Places, rooms: Callable[[], Iterable[str]]) -> None:
        self._places = places
        self._rooms = rooms
        self._commands = sorted(slash.names(client=True))

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
