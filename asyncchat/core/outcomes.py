"""What the rules give back: an `Outcome` of a command for its session, and `Tell`s for everyone else.

No result has an ``id`` here: which request it answers is known to the connection that handed the command in.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from typing import Any

from msgspec import Struct

from asyncchat.core.session import Session
from asyncchat.vocabulary.events import Event, Ok, Result
from asyncchat.vocabulary.queries import Query
from asyncchat.vocabulary.records import Kept, Record
from asyncchat.vocabulary.terms import Code


class Append(Struct, frozen=True):
    """Put these records (at least one) into the log; when all are applied, go on with ``then`` (given their ``seq`` s).

    Without a ``then`` the command is done, and `answer` is what it gets. ``not_stored``: how to go on, if at all, when
    the disk is full.
    """

    records: tuple[Record, ...]
    code: Code = Code.OK
    then: "Callable[[Sequence[int]], Outcome] | None" = None
    not_stored: "Callable[[], Outcome] | None" = None


class Ask(Struct, frozen=True):
    """Find this out, and go on with ``then`` (given the answer)."""

    query: Query
    then: "Callable[[Any], Outcome]"


class Reply(Struct, frozen=True):
    """The command is done: send these to its session, in order."""

    results: tuple[Result | Event, ...] = ()


class Done(Struct, frozen=True):
    """The command is done, and all there is to tell is that: it is told to those who asked for an acknowledgement."""

    result: Ok


class Close(Struct, frozen=True):
    """The session is over: send its last words and close it. ``quit``: it asked for that itself."""

    results: tuple[Result | Event, ...] = ()
    reason: str = "quit"


Outcome = Append | Ask | Reply | Done | Close

NOTHING = Reply()
"""Done, and nothing to say."""


def done(code: Code = Code.OK, seq: int | None = None) -> Done:
    """Done without a record of its own."""
    return Done(Ok(code=code, seq=seq))


def answer(append: Append, seqs: Sequence[int]) -> Ok:
    """What is said to a command whose records are applied: the last one's ``seq``, if the log keeps it."""
    return Ok(code=append.code, seq=seqs[-1] if isinstance(append.records[-1], Kept) else None)


class Tell(Struct, frozen=True):
    """Send ``event`` to these sessions. ``origin``: the session that caused it, which may know it already.

    ``to`` may be a live set of the state: it is right until the next record is applied.
    """

    event: Event | Result
    to: Collection[Session]
    origin: Session | None = None


class Together(Collection[Session]):
    """Several sets of sessions that have none in common, as one, without a copy: a room may have thousands."""

    __slots__ = ("_parts",)

    def __init__(self, *parts: Collection[Session]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[Session]:
        return chain.from_iterable(self._parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __contains__(self, session: object) -> bool:
        return any(session in part for part in self._parts)


class Disconnect(Struct, frozen=True):
    """End these sessions, with a last word."""

    to: Collection[Session]
    event: Event
    reason: str


Effect = Tell | Disconnect
