"""The mark in each message: who said it, which of theirs it is, and when. It is found again in what comes back.

``@RUN.SENDER.NUMBER.NANOSECONDS@``, in characters that no encoder of JSON escapes. A mark that is found is one
delivery, whatever the server put around it.
"""

import re
from typing import NamedTuple

from asyncchat.bench.plan import Plan, name_of_room
from asyncchat.vocabulary.commands import Say
from asyncchat.wire.native import encode_command

_NUMBERS = 32  # bits of a number in a key


_SEQ = re.compile(rb'"seq": ?(\d{1,19})\b').search


class Mark(NamedTuple):
    """``key`` is who said it and which of theirs it is, in one integer; ``stamp`` when, in nanoseconds of the clock.

    ``seq``: the place that the server gave it, or None if it tells none.
    """

    key: int
    stamp: int
    seq: int | None

    @property
    def sender(self) -> int:
        """The client who said it."""
        return sender_of(self.key)

    @property
    def number(self) -> int:
        """Which message of the sender's it is, from 0."""
        return self.key & ((1 << _NUMBERS) - 1)


def key_of(sender: int, number: int) -> int:
    """The key of a sender's message; those of one sender follow each other."""
    return sender << _NUMBERS | number


def sender_of(key: int) -> int:
    """The client who said the message with this key."""
    return key >> _NUMBERS


class Marks:
    """Finds the marks of one measurement."""

    __slots__ = ("_search",)

    def __init__(self, run: str) -> None:
        self._search = re.compile(rb"@%b\.(\d{1,9})\.(\d{1,9})\.(\d{1,19})@" % run.encode()).search

    def find(self, line: bytes) -> Mark | None:
        """The mark in a line, if it has one."""
        found = self._search(line)
        if found is None:
            return None
        sender, number, stamp = found.groups()
        seq = _SEQ(line)
        return Mark(key_of(int(sender), int(number)), int(stamp), None if seq is None else int(seq[1]))


class Lines:
    """The lines that one sender says: all but the mark is made once."""

    __slots__ = ("_after", "_before", "_size")

    def __init__(self, plan: Plan, sender: int) -> None:
        line = encode_command(Say(to=name_of_room(plan.room_of(sender)), text="@"))
        before, _, after = line.rpartition(b"@")
        self._before = before + b"@%b.%d." % (plan.run.encode(), sender)
        self._after = after
        self._size = len(before) + plan.size

    def line(self, number: int, stamp: int) -> bytes:
        """The command that says the message *number*, its newline included."""
        return (b"%b%d.%d@" % (self._before, number, stamp)).ljust(self._size, b"x") + self._after
