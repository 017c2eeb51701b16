"""Guests who came while the disk was full: they are here and read; they are kept before anything that names them is."""

from collections.abc import Callable, Iterator

from asyncchat.core.outcomes import Append, Ask, Outcome
from asyncchat.core.people import Person
from asyncchat.core.state import ChatState
from asyncchat.vocabulary.records import Kept, PersonCreated, Record

NAMING = ("person", "author", "peer", "by", "founder")
"""The fields of records that hold people's ids."""


def keep_first(state: ChatState, outcome: Outcome, now: int, again: Callable[[], Outcome]) -> Outcome:
    """The outcome, unless records that are to be kept name guests who are not: these are kept first, then *again*."""
    match outcome:
        case Append(records=wanted, then=then):
            unkept = dict.fromkeys(person for record in wanted for person in _unkept(state, record))
            if unkept:
                return Append(tuple(creation(state, person, now) for person in unkept), then=lambda _: again())
            if then is None:
                return outcome
            follow = then
            return Append(
                wanted,
                outcome.code,
                lambda seqs: keep_first(state, follow(seqs), now, again),
                outcome.not_stored,
            )
        case Ask(query=query, then=go_on):
            return Ask(query, lambda found: keep_first(state, go_on(found), now, again))
        case _:
            return outcome


def creation(state: ChatState, person: Person, now: int) -> PersonCreated:
    """The record by which a guest is kept."""
    token = state.people.passing[person].token
    return PersonCreated(time=now, name=person.name, key=person.key, token=token, was=person.id)


def due(state: ChatState, now: int) -> list[PersonCreated]:
    """The records of guests to be kept, now that something was kept since they came."""
    found = [person for person, unkept in state.people.passing.items() if unkept.tried < state.seq]
    return [creation(state, person, now) for person in found]


def failed(state: ChatState, record: PersonCreated) -> None:
    """A guest could not be kept: try again when something else was."""
    person = state.people.by_id.get(record.was)
    if person is not None and person in state.people.passing:
        state.people.passing[person].tried = state.seq


def _unkept(state: ChatState, record: Record) -> Iterator[Person]:
    if isinstance(record, Kept):
        for name in NAMING:
            person = state.people.by_id.get(getattr(record, name, 0))
            if person is not None and person in state.people.passing:
                yield person
