"""What a local log does with a batch: give out seqs, write, and tell what was kept from what was not."""

import logging
from itertools import groupby

from msgspec import Struct

from asyncchat.storage.loading import Placed
from asyncchat.storage.log import Entry
from asyncchat.storage.store import Store
from asyncchat.vocabulary.errors import NotStored, StorageError
from asyncchat.vocabulary.records import Kept, Message

logger = logging.getLogger("asyncchat.storage")


class Done(Struct):
    """A batch after the commit: ``applied`` in order; ``failed`` in order, in runs that failed for the same reason."""

    applied: list[Entry]
    failed: list[tuple[list[Entry], Exception]]


def commit(store: Store, entries: list[Entry]) -> Done:
    """Place a batch behind what the store holds. An error is not raised but part of the result."""
    seq = store.last_seq
    kept: list[Placed] = []
    for entry in entries:
        record = entry.record
        if type(record) is Message or isinstance(record, Kept):  # the first is cheaper, and nearly always true
            seq += 1
            kept.append((seq, record))
        entry.seq = seq
    if not kept:
        return Done(entries, [])
    try:
        store.write(kept)
    except NotStored as error:
        # Without its traceback, whose frames hold the whole batch: it is told to each sender, and may be kept a while.
        return _without(entries, error.with_traceback(None), store.last_seq)
    except StorageError as error:
        return _apart(store, entries, error.with_traceback(None))
    except Exception as error:  # the root of all commits: whatever happens, the log goes on
        logger.exception("a fault in the storage")
        return _apart(store, entries, StorageError(f"the storage failed: {error}"))
    return Done(entries, [])


def _without(entries: list[Entry], error: StorageError, seq: int) -> Done:
    passing: list[Entry] = []
    kept: list[Entry] = []
    for entry in entries:
        if isinstance(entry.record, Kept):
            entry.seq = 0
            kept.append(entry)
        else:
            entry.seq = seq
            passing.append(entry)
    return Done(passing, [(kept, error)])


def _apart(store: Store, entries: list[Entry], error: StorageError) -> Done:
    # One bad record must not take the others down, but for those that were given with it.
    groups = _together(entries)
    if len(groups) == 1:
        return _without(entries, error, store.last_seq)
    done = Done([], [])
    for group in groups:
        one = commit(store, group)
        done.applied += one.applied
        done.failed += one.failed
    return done


def _together(entries: list[Entry]) -> list[list[Entry]]:
    """The entries in groups of those that were given to the log together, by one command."""
    return [list(group) for _, group in groupby(entries, lambda entry: id(entry.origin or entry))]
