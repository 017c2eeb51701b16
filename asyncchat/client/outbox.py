"""What was typed and is on its way: shown as such until it has come back with everybody's, or is answered."""

from asyncchat.client.render import label_of
from asyncchat.vocabulary.commands import Say
from asyncchat.vocabulary.printable import printable

SHOWN = 5
"""Lines on their way that are shown; the rest is counted, so that they never fill the screen."""


class Outbox:
    """Messages, by nonce, and commands, by number, in the order in which they were typed."""

    def __init__(self) -> None:
        self._lines: dict[str | int, str] = {}
        self._commands = 0

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, say: Say) -> None:
        """A message was typed; it has a nonce."""
        assert say.nonce is not None, "it is recognised by its nonce when it comes back"
        self._lines[say.nonce] = f"{label_of(say.to)} {printable(say.text)}"

    def add_command(self, line: str) -> int:
        """A command was typed, as this line, which holds no password; returns its number."""
        self._commands += 1
        self._lines[self._commands] = printable(line)
        return self._commands

    def done(self, key: str | int | None) -> bool:
        """The message came back, the command was answered, or one of them failed; False if it is none of these."""
        return key is not None and self._lines.pop(key, None) is not None

    def shown(self) -> list[str]:
        """The last lines, oldest first, safe for a terminal."""
        return list(self._lines.values())[-SHOWN:]

    @property
    def hidden(self) -> int:
        """How many are not `shown`."""
        return max(len(self._lines) - SHOWN, 0)
