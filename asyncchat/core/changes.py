"""What was done to messages lately, for whoever is about to change one.

Storage is asked about a message before it is changed. Its answer may lack what was decided while it was on its way, or
is on its way through the log still: so that a message which its author has just deleted could be edited once more, and
everyone would be told its new text.
"""

from collections import Counter, OrderedDict
from collections.abc import Set

from asyncchat.vocabulary.queries import StoredMessage
from asyncchat.vocabulary.records import MessageReacted, MessagesDeleted

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
