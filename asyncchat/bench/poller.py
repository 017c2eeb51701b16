"""Which sockets are ready: epoll itself where there is one, since the layer over it costs more than a small read."""

import select
import selectors
import sys
from typing import Protocol

READ = 1
WRITE = 4
"""The numbers of EPOLLIN and EPOLLOUT. What is neither (EPOLLHUP, EPOLLERR) is found out by reading."""


class Poller(Protocol):
    """Sockets by file descriptor; all are watched for reading, some for writing as well."""

    def watch(self, handle: int, *, write: bool) -> None:
        """Watch one more."""

    def change(self, handle: int, *, write: bool) -> None:
        """Watch it for writing too, or no more."""

    def forget(self, handle: int) -> None:
        """Watch it no more."""

    def poll(self, seconds: float) -> list[tuple[int, int]]:
        """Those that are ready, with what for; waits for the first, so many seconds at most."""

    def close(self) -> None:
        """Let go of what the system gave."""


def new_poller() -> Poller:
    """The fastest one that the system has."""
    return EpollPoller() if sys.platform == "linux" else SelectorPoller()


if sys.platform == "linux":

    class EpollPoller:
        """By epoll(7)."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self.poll = self._epoll.poll
            self.forget = self._epoll.unregister
            self.close = self._epoll.close

        def watch(self, handle: int, *, write: bool) -> None:
            """Watch one more."""
            self._epoll.register(handle, READ | WRITE if write else READ)

        def change(self, handle: int, *, write: bool) -> None:
            """Watch it for writing too, or no more."""
            self._epoll.modify(handle, READ | WRITE if write else READ)


class SelectorPoller:
    """By whatever the system has."""

    _READ = selectors.EVENT_READ
    _BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, handle: int, *, write: bool) -> None:
        """Watch one more."""
        self._selector.register(handle, self._BOTH if write else self._READ)

    def change(self, handle: int, *, write: bool) -> None:
        """Watch it for writing too, or no more."""
        self._selector.modify(handle, self._BOTH if write else self._READ)

    def forget(self, handle: int) -> None:
        """Watch it no more."""
        self._selector.unregister(handle)

    def poll(self, seconds: float) -> list[tuple[int, int]]:
        """Those that are ready, with what for; waits for the first, so many seconds at most."""
        return [
            (key.fd, bool(ready & selectors.EVENT_READ) * READ | bool(ready & selectors.EVENT_WRITE) * WRITE)
            for key, ready in self._selector.select(seconds)
        ]

    def close(self) -> None:
        """Let go of what the system gave."""
        self._selector.close()
