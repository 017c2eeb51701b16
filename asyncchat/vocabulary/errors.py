"""The error tree.

    ChatError
    ├── Refused            a command was answered with an error: a stable code, fields, and a text for people
    ├── ConnectionLost     the peer is gone, and no reconnect is left to try
    └── ProtocolError      the peer sent what the protocol does not allow

`Refused` is raised by the rules on the server, travels as the ``error`` result, and is raised again by the client
library: one class on both ends. Programs look at ``code``; ``text`` is for people and may change.
"""

from asyncchat.vocabulary.terms import Code


class ChatError(Exception):
    """Root of all errors that asyncchat raises on purpose."""


class Refused(ChatError):  # noqa: N818 - named for what happened, as it reads in a caller's ``except Refused``
    """The server refused a command.

    ``code`` is one of `Code`; ``text`` is for people; ``wait`` is a number of seconds after which the same command may
    succeed (with 429), else None.
    """

    def __init__(self, code: int, text: str, *, wait: float | None = None) -> None:
        super().__init__(code, text)
        self.code = Code(code)
        self.text = text
        self.wait = wait

    def __str__(self) -> str:
        return f"{self.text} ({self.code.value})"


class ConnectionLost(ChatError):  # noqa: N818 - as above
    """The connection ended and is not coming back; ``text`` says why."""


class ProtocolError(ChatError):
    """The peer sent something that its protocol does not allow."""
