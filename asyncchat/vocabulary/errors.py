"""The error tree.

    ChatError
    ├── Refused            a command was answered with an error: a stable code, fields, and a text for people
    ├── ConnectionLost     the peer is gone, and no reconnect is left to try
    ├── ProtocolError      the peer sent what the protocol does not allow
    └── StorageError       the database could not do it; has a code and a text, as `Refused` has
        ├── NotStored          507: the disk is full, or cannot be written; nothing of the batch was kept
        ├── SearchTooCostly    413: the search looks at too much; the text says how to narrow it
        ├── DatabaseInUse      another process has it
        ├── DamagedDatabase    the file is damaged, or no database of ours
        └── NewerDatabase      the file was written by a newer version of this program

`Refused` is raised by the rules on the server, travels as the ``error`` result, and is raised again by the client
library: one class on both ends. Programs look at ``code``; ``text`` is for people and may change.
"""

from asyncchat.vocabulary.terms import Code


class ChatError(Exception):
    """Root of all errors that asyncchat raises on purpose."""


class Refused(ChatError):  # noqa: N818 - named for what happened, as it reads in a caller's ``except Refused``
    """The server refused a command.

    ``code`` is one of `Code`; ``text`` is for people; ``wait`` is a number of seconds after which the same command may
    succeed (with 429), else None. ``identity`` is what the server says of itself where it refuses a login, else None.
    """

    def __init__(self, code: int, text: str, *, wait: float | None = None, identity: str | None = None) -> None:
        super().__init__(code, text)
        self.code = Code(code)
        self.text = text
        self.wait = wait
        self.identity = identity

    def __str__(self) -> str:
        return f"{self.text} ({self.code.value})"


class ConnectionLost(ChatError):  # noqa: N818 - as above
    """The connection ended and is not coming back; ``text`` says why."""


class ProtocolError(ChatError):
    """The peer sent something that its protocol does not allow."""


class StorageError(ChatError):
    """The storage could not do what was asked: ``code`` is one of `Code`, ``text`` is for people."""

    code = Code.SERVER_FAULT

    def __init__(self, text: str, code: Code | None = None) -> None:
        super().__init__(text)
        self.text = text
        if code is not None:
            self.code = code


class NotStored(StorageError):  # noqa: N818 - named for what happened
    """The records were not kept: no room on the disk, or it cannot be written. Trying later may succeed."""

    code = Code.NOT_STORED


class SearchTooCostly(StorageError):  # noqa: N818 - as above
    """The search would look at more than one search may."""

    code = Code.TOO_LONG


class DatabaseInUse(StorageError):  # noqa: N818 - as above
    """Another process uses this database."""

    code = Code.UNAVAILABLE


class DamagedDatabase(StorageError):  # noqa: N818 - as above
    """The file is damaged, or is not a database of this program. It was not touched."""


class NewerDatabase(StorageError):  # noqa: N818 - as above
    """The database was written by a newer version of this program. It was not touched."""
