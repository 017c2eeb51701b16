"""What a local log does with a batch: give out seqs, write, and tell what was kept from what was not."""

import logging
from itertools import groupby

from msgspec import Struct

from asyncchat.storage.log import Entry
from asyncchat.storage.store import Store
from asyncchat.vocabulary.errors import NotStored, StorageError
from asyncchat.vocabulary.records import Kept

logger = logging.getLogger("asyncchat.storage")


class Done(Struct, gc=False):
    """A batch after the commit: ``applied`` in order; ``failed`` in order, in runs that failed for the same reason."""

    applied: list[Entry]
    failed: list[tuple[list[Entry], Exception]]


def commit(store: Store, entries: list[Entry]) -> Done:
    """Place a batch behind what the store holds. An error is not raised but part of the result."""
    kept = _place(entries, store.last_seq)
    if not kept:
        return Done(entries, [])
    try:
        store.write([(entry.seq, entry.record) for entry in kept])  # type: ignore[misc]  # `_place` chose the kept ones
    except NotStored as error:
        return _without(entries, kept, error, store.last_seq)
    except StorageError as error:
        return _apart(store, entries, kept, error)
    except Exception as error:  # the root of all commits: whatever happens, the log goes on
        logger.exception("a fault in the storage")
        return _apart(store, entries, kept, StorageError(f"the storage failed: {error}"))
    return Done(entries, [])


def _place(entries: list[Entry], seq: int) -> list[Entry]:
    kept: list[Entry] = []
    for entry in entries:
        if isinstance(entry.record, Kept):
            seq += 1
            kept.append(entry)
        entry.seq = seq
    return kept


def _without(entries: list[Entry], kept: list[Entry], error: StorageError, seq: int) -> Done:
    passing = [entry for entry in entries if not isinstance(entry.record, Kept)]
    for entry in passing:
        entry.seq = seq
    for entry in kept:
        entry.seq = 0
    return Done(passing, [(kept, error)])


def _apart(store: Store, entries: list[Entry], kept: list[Entry], error: StorageError) -> Done:
    # One bad record must not take the others down, but for those that were given with it.
    groups = _together(entries)
    if len(groups) == 1:
        return _without(entries, kept, error, store.last_seq)
    done = Done([], [])
    for group in groups:
        one = commit(store, group)
        done.applied += one.applied
        done.failed += one.failed
    return done


def _together(entries: list[Entry]) -> list[list[Entry]]:
    """The entries in groups of those that were given to the log together, by one command."""
    return [list(group) for _, group in groupby(entries, lambda entry: id(entry.origin or entry))]
