"""The log's interface, and what goes through it. Why the log comes first: see docs/design.md."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from asyncchat.vocabulary.records import Record


class Entry(Struct):
    """A record on its way through the log.

    ``origin``: whatever came with it, handed back untouched. ``seq``: 0 until the record has its place; for a passing
    record the seq of the last kept one before it.
    """

    record: Record
    origin: object = None
    seq: int = 0


Applied = Callable[[list[Entry]], None]
"""Called on the loop's thread with entries that have their place, in order; the kept ones are durable."""

Failed = Callable[[list[Entry], Exception], None]
"""Called on the loop's thread with entries that were not kept, and the `StorageError` that says why."""


class Log(Protocol):
    """What puts the records of the whole server in one order and makes the kept ones durable.

    A passing record is never refused: when the kept ones around it fail, it is applied all the same. Records that are
    given together are kept together: a crash leaves all of them or none.
    """

    def append(self, *records: Record, origin: object = None) -> None:
        """Give records to the log; raises `StorageError` 503 when the log is closed. Only on the loop's thread."""
        ...

    async def start(self, applied: Applied, failed: Failed) -> None:
        """Begin to commit; every record appended is handed to exactly one of the two, once."""
        ...

    async def aclose(self) -> None:
        """Commit and hand over all that is pending, then stop. Idempotent."""
        ...
