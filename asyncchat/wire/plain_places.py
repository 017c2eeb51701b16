"""Where a plain peer has read which message: what ``/react``, ``/reply`` and ``/context`` are about."""

from collections.abc import Mapping
from typing import TypeVar

from asyncchat.vocabulary.names import name_key

PLACES_KEPT = 1000
"""Rooms and conversations of which the last message is remembered, and messages of the past of which the place is."""

K = TypeVar("K")
V = TypeVar("V")


class Places:
    """The last message of each room and conversation; and the places of messages of the past, by their ``seq``."""

    __slots__ = ("_last", "_past")

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._past: dict[int, str] = {}

    @property
    def past(self) -> Mapping[int, str]:
        """The room or person of each message of the past that was shown."""
        return self._past

    def keep(self, seq: int, place: str) -> None:
        """A message of the past was shown."""
        _put(self._past, seq, place)

    def heard(self, place: str, seq: int) -> None:
        """A message was read or said there; the last one is the one with the highest ``seq``."""
        key = name_key(place)
        _put(self._last, key, max(seq, self._last.get(key, 0)))

    def last(self, place: str | None) -> int | None:
        """The last message of a room or conversation, or None."""
        return self._last.get(name_key(place)) if place is not None else None

    def renamed(self, name: str, to: str) -> None:
        """A person has another name: the conversation goes with it."""
        seq = self._last.pop(name_key(name), None)
        if seq is not None:
            _put(self._last, name_key(to), seq)


def _put(bounded: dict[K, V], key: K, value: V) -> None:
    """Set an entry; of too many the one that was set first goes."""
    bounded.pop(key, None)
    bounded[key] = value
    if len(bounded) > PLACES_KEPT:
        del bounded[next(iter(bounded))]
