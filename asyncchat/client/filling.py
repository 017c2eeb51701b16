"""Pages for a hole in the `Inbox`: ``sync`` tells of the rooms of now, so rooms that were left are asked for by name.

Pure: no I/O.
"""

from asyncchat.client.inbox import Hole
from asyncchat.vocabulary.events import History


def rooms_left(hole: Hole, until: int | None) -> dict[str, int]:
    """The rooms that ``sync`` does not tell of any more → up to which ``seq`` they belong to this hole.

    *until*: where the page of ``sync`` was asked to end (None: nowhere).
    """
    ends = {room: end if until is None else min(end, until) for room, end in hole.left.items()}
    return {room: end for room, end in ends.items() if end > hole.after}


def with_room(page: History, said: History, end: int) -> History:
    """A page of ``sync`` and a page of a room's ``history`` as one; the room belongs to it up to *end*.

    It reaches as far as both of them do: what one has beyond that comes once more with the next page.
    """
    reaches = [] if page.complete or page.next is None else [page.next]
    if not said.complete and said.next is not None and said.next < end:
        reaches.append(said.next)
    reach = min(reaches, default=None)
    told = {event.seq: event for event in said.events if event.seq <= end} | {event.seq: event for event in page.events}
    return History(
        events=[told[seq] for seq in sorted(told) if reach is None or seq <= reach],
        complete=reach is None,
        next=page.next if reach is None else reach,
    )
