"""What is on its way through the log: known to whoever appends, and no part of the state that records make.

The rules look at it so that two commands at the same moment do not both find the way free: the same message sent twice,
one more reaction than a message may have, a name that is released while its owner logs in.
"""

from collections import Counter, OrderedDict
from collections.abc import Set
from typing import TypeVar

from asyncchat.vocabulary import records
from asyncchat.vocabulary.queries import StoredMessage
from asyncchat.vocabulary.records import MessageReacted, MessagesDeleted, Record

REMEMBERED = 20_000
"""Deletions, and reactions, that are remembered: twice what one `purge` deletes, and far more than are on their way."""

_Reaction = tuple[int, str, int]


class Changes:
    """The latest deletions and reactions, whether they are kept already or still on their way through the log."""

    def __init__(self) -> None:
        self._deleted: OrderedDict[int, None] = OrderedDict()
        self._reacted: OrderedDict[_Reaction, bool] = OrderedDict()  # put, or taken off
        self._under_way: Counter[int] = Counter()  # reactions being put, by message
        self._put: dict[int, Counter[str]] = {}  # of each message, how many of `_reacted` were put

    def note(self, record: MessagesDeleted | MessageReacted) -> None:
        """This is about to be given to the log."""
        if isinstance(record, MessagesDeleted):
            self._deleted.update(dict.fromkeys(record.targets))
            while len(self._deleted) > REMEMBERED:
                self._deleted.popitem(last=False)
            return
        key = record.target, record.reaction, record.by
        self._forget(key)
        self._reacted[key] = not record.remove
        if not record.remove:
            self._under_way[record.target] += 1
            self._put.setdefault(record.target, Counter())[record.reaction] += 1
        if len(self._reacted) > REMEMBERED:
            self._forget(next(iter(self._reacted)))

    def failed(self, record: MessagesDeleted | MessageReacted) -> None:
        """This did not get into the log: storage knows better."""
        if isinstance(record, MessagesDeleted):
            for target in record.targets:
                self._deleted.pop(target, None)
        else:
            self.arrived(record)
            self._forget((record.target, record.reaction, record.by))

    def is_deleted(self, message: StoredMessage) -> bool:
        """Is the message gone, or about to be?"""
        return message.deleted or message.seq in self._deleted

    def has_reacted(self, message: StoredMessage, reaction: str, person: int) -> bool:
        """Is this person's reaction on the message? The answer of storage must have been asked for that person."""
        return self._reacted.get((message.seq, reaction, person), reaction in message.own)

    def reactions(self, message: StoredMessage) -> Set[str]:
        """The different reactions on the message. One that is being taken off counts until storage knows it."""
        return message.reactions | self._put.get(message.seq, Counter()).keys()

    def count(self, message: StoredMessage) -> int:
        """How many reactions of all people are on the message, or on their way; at most a few too many."""
        return message.reacted + self._under_way[message.seq]

    def arrived(self, record: MessageReacted) -> None:
        """This is through the log, or has failed: it is no longer on its way."""
        if not record.remove and self._under_way[record.target] > 0:
            self._under_way[record.target] -= 1
        if not self._under_way[record.target]:
            del self._under_way[record.target]

    def _forget(self, key: _Reaction) -> None:
        if not self._reacted.pop(key, False):
            return
        target, reaction, _ = key
        put = self._put[target]
        put[reaction] -= 1
        if not put[reaction]:
            del put[reaction]
        if not put:
            del self._put[target]


T = TypeVar("T")

TRACKED: frozenset[type[Record]] = frozenset(
    {
        *(records.MessagesDeleted, records.MessageReacted),
        *(records.SessionOpened, records.PersonJoined, records.NoncesRecalled),
    }
)
"""The records that `InFlight` looks at; its ``nonces`` are set where messages pass, which are many."""


class InFlight:
    """Records that were appended and have not come back; `appended` and `returned` are called for each, once.

    ``nonces``: of messages, by author. ``arrivals``: people with a session on its way. ``joins``: rooms that somebody
    is about to enter. ``recalls``: people whose nonces are about to be known. ``changes``: what is done to messages.
    """

    def __init__(self) -> None:
        self.nonces = set[tuple[int, str]]()
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
