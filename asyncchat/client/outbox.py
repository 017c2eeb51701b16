"""My messages on their way: shown as such until they come back with everybody's."""

from asyncchat.vocabulary.commands import Say

SHOWN = 5
"""Messages on their way that are shown; the rest is counted, so that they never fill the screen."""


class Outbox:
    """The messages on their way, by nonce, in the order in which they were typed."""

    def __init__(self) -> None:
        self._says: dict[str, Say] = {}

    def __len__(self) -> int:
        return len(self._says)

    def add(self, say: Say) -> None:
        """A message was typed; it has a nonce."""
        assert say.nonce is not None, "it is recognised by its nonce when it comes back"
        self._says[say.nonce] = say

    def done(self, nonce: str | None) -> bool:
        """It came back, or failed; False if it is none of these."""
        return nonce is not None and self._says.pop(nonce, None) is not None

    def shown(self) -> list[Say]:
        """The last ones, oldest first."""
        return list(self._says.values())[-SHOWN:]

    @property
    def hidden(self) -> int:
        """How many are not `shown`."""
        return max(len(self._says) - SHOWN, 0)
