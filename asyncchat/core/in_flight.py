"""What is on its way through the log: known to whoever appends, and no part of the state that records make.

The rules look at it so that two commands at the same moment do not both find the way free: the same message sent twice,
one more reaction than a message may have, a name that is released while its owner logs in.
"""

from collections import Counter
from typing import TypeVar

from asyncchat.core.changes import Changes
from asyncchat.vocabulary import records
from asyncchat.vocabulary.records import Record

T = TypeVar("T")

TRACKED: frozenset[type[Record]] = frozenset(
    {
        *(records.Message, records.MessagesDeleted, records.MessageReacted),
        *(records.SessionOpened, records.PersonJoined, records.NoncesRecalled),
    }
)
"""The records that `InFlight` looks at."""


class InFlight:
    """Records that were appended and have not come back; `appended` and `returned` are called for each, once.

    ``nonces``: of messages, by author. ``arrivals``: people with a session on its way. ``joins``: rooms that somebody
    is about to enter. ``recalls``: people whose nonces are about to be known. ``changes``: what is done to messages.
    """

    def __init__(self) -> None:
        self.nonces = Counter[tuple[int, str]]()
        self.arrivals = Counter[int]()
        self.joins = Counter[int]()
        self.recalls = Counter[int]()
        self.changes = Changes()

    def appended(self, record: Record) -> None:
        """This was given to the log."""
        if isinstance(record, records.MessagesDeleted | records.MessageReacted):
            self.changes.note(record)
        else:
            self._count(record, 1)

    def returned(self, record: Record, *, failed: bool = False) -> None:
        """This is applied, or has *failed*."""
        if isinstance(record, records.MessageReacted) and not failed:
            self.changes.arrived(record)
        elif isinstance(record, records.MessagesDeleted | records.MessageReacted):
            if failed:
                self.changes.failed(record)
        else:
            self._count(record, -1)

    def _count(self, record: Record, step: int) -> None:
        match record:
            case records.Message(nonce=str(nonce), author=author):
                _add(self.nonces, (author, nonce), step)
            case records.SessionOpened(person=person):
                _add(self.arrivals, person, step)
            case records.PersonJoined(room=room):
                _add(self.joins, room, step)
            case records.NoncesRecalled(person=person):
                _add(self.recalls, person, step)
            case _:
                pass


def _add(counter: Counter[T], key: T, step: int) -> None:
    counter[key] += step
    if counter[key] <= 0:
        del counter[key]
