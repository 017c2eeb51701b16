import socket
import sys
from collections.abc import Callable, Iterator

import pytest

from asyncchat.bench import poller as pollers
from asyncchat.bench.poller import READ, WRITE, Poller, SelectorPoller, new_poller


@pytest.fixture(params=[new_poller, SelectorPoller], ids=["fastest", "any system's"])
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    make: Callable[[], Poller] = request.param
    made = make()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_what_can_be_read_is_told_until_it_was(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    poller.watch(ours.fileno(), write=False)
    assert poller.poll(0) == []
    theirs.send(b"x")
    for _ in range(2):
        assert poller.poll(5) == [(ours.fileno(), READ)]
    ours.recv(1)
    assert poller.poll(0) == []


def test_what_can_be_written_is_told_if_it_is_wanted(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    poller.watch(ours.fileno(), write=True)
    assert poller.poll(5) == [(ours.fileno(), WRITE)]
    poller.change(ours.fileno(), write=False)
    assert poller.poll(0) == []
    poller.change(ours.fileno(), write=True)
    assert poller.poll(5) == [(ours.fileno(), WRITE)]


def test_what_is_forgotten_is_not_told(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    poller.watch(ours.fileno(), write=True)
    theirs.send(b"x")
    poller.forget(ours.fileno())
    assert poller.poll(0) == []


def test_the_end_of_a_connection_is_found_by_reading(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    poller.watch(ours.fileno(), write=False)
    theirs.close()
    ((handle, ready),) = poller.poll(5)
    assert handle == ours.fileno()
    assert ready & ~WRITE


@pytest.mark.skipif(sys.platform != "linux", reason="epoll is Linux's")
def test_linux_has_its_own() -> None:
    made = new_poller()
    made.close()
    assert isinstance(made, pollers.EpollPoller)
