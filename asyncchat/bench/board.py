"""Where workers see how far the others are: a file in memory, so that a fast one does not run away from a slow one.

One number for each process and room: how many messages all of its members of the room have. The one worker that writes
a number is its process; the others read it when they want to say more.
"""

import mmap
import os
import tempfile
from pathlib import Path

_BYTES = 8


class Board:
    """The board of one measurement, as one of its processes sees it."""

    def __init__(self, path: str, process: int, processes: int, rooms: int) -> None:
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), processes * rooms * _BYTES)
        # Numbers of eight bytes at addresses that eight divides are read and written whole.
        self._numbers = memoryview(self._map).cast("Q")
        self._own = process * rooms
        self._of_others = [other * rooms for other in range(processes) if other != process]

    def tell(self, room: int, delivered: int) -> None:
        """All members of the room here have so many messages."""
        self._numbers[self._own + room] = delivered

    def slowest(self, room: int) -> int:
        """What all members of the room in each of the other processes have."""
        return min(self._numbers[other + room] for other in self._of_others)

    def close(self) -> None:
        """Let go of the file."""
        self._numbers.release()
        self._map.close()


def new_board(processes: int, rooms: int) -> Path:
    """A file for a board, all zero; whoever made it removes it."""
    handle, path = tempfile.mkstemp(prefix="asyncchat-bench-")
    with os.fdopen(handle, "wb") as file:
        file.truncate(processes * rooms * _BYTES)
    return Path(path)
