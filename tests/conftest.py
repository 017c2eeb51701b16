"""What holds for every test: it leaves nothing behind, and its tools are there.

A test that leaves an asyncio task, a thread, a socket or a file behind fails in its teardown. Warnings are errors
already (pyproject.toml), so that a socket closed by the garbage collector alone is one.
"""

import asyncio
import gc
import itertools
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

CHILD_SECONDS = 5.0
"""For a child's thread to end: it has nothing left to do, unless the child still runs, and the test did wrong."""

_threads_before = pytest.StashKey[set[threading.Thread]]()

# A busy machine is no fault of the code: the time limit of the whole test (pyproject.toml) is enough.
# Examples are other ones in each run, and continuous integration runs the tests many times.
settings.register_profile("any-machine", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")

# What the test that runs has left behind so far: tasks that were not done when their loop was closed.
_left: list[str] = []

FROZEN_EVERY = 50
"""Tests after which what is loaded by then is frozen: pytest keeps some thirty objects of each test."""

_tests = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "asyncio_loop: about what asyncio's own loop does; not run with --uvloop")
    config.addinivalue_line("markers", "requires_tool(name): skip without this program; under CI=true, fail")
    config.addinivalue_line("markers", "slow: takes many seconds; `make slow` runs it, `make test` does not")
    _watch_runners(config)
    _heed_signals()
    if config.getoption("--uvloop"):
        config.pluginmanager.register(OnUvloop())


def _heed_signals() -> None:
    """Programs that tests start end by signals, also where the tests run in the background of a shell.

    Such a shell lets its children ignore Ctrl+C, and our programs go on ignoring what was ignored at their start.
    """
    for name in ("SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--uvloop", action="store_true", help="run the tests that are coroutines on uvloop")


class OnUvloop:
    """Makes the loop of each test that is a coroutine."""

    def pytest_asyncio_loop_factories(self) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
        import uvloop  # noqa: PLC0415 - there is none for Windows

        return {"uvloop": uvloop.new_event_loop}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--uvloop"):
        of_asyncio = [item for item in items if item.get_closest_marker("asyncio_loop")]
        config.hook.pytest_deselected(items=of_asyncio)
        items[:] = [item for item in items if item not in of_asyncio]


def pytest_collection_finish() -> None:
    _freeze()


def _freeze() -> list[str]:
    """All that is loaded stays: the collection after each test need not look at it (16 ms → 1 ms a test)."""
    found = _closed_by_collector()
    gc.freeze()
    return found


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("requires_tool"):
        (tool,) = mark.args
        if shutil.which(tool) is None:
            if os.environ.get("CI") == "true":
                pytest.fail(f"{tool} is not installed", pytrace=False)
            pytest.skip(f"{tool} is not installed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    item.stash[_threads_before] = set(threading.enumerate())
    _left.clear()
    if next(_tests) % FROZEN_EVERY == 0:
        _left.extend(_freeze())  # of the test before, whose fixtures had still been held when it was asked
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    yield
    _join_child_watchers()
    left = [
        *_left,
        *(repr(thread) for thread in threading.enumerate() if thread not in item.stash[_threads_before]),
        *_closed_by_collector(),
    ]
    if left:
        pytest.fail("the test left behind: " + "; ".join(left), pytrace=False)


def _join_child_watchers() -> None:
    """Wait for the threads by which asyncio hears of the end of a process: they end just after they have told of it."""
    for thread in threading.enumerate():
        if thread.name.startswith("asyncio-waitpid-"):
            thread.join(CHILD_SECONDS)


@pytest.fixture
def no_blocking() -> Iterator[None]:
    """A blocking call of asyncchat in a coroutine raises `blockbuster.BlockingError` there."""
    with blockbuster_ctx(scanned_modules=["asyncchat"]):
        yield


def _watch_runners(config: pytest.Config) -> None:
    """Note the tasks that a loop's end would cancel without a word, in pytest-asyncio and in `asyncio.run` alike."""
    close = asyncio.Runner.close

    def watched(runner: asyncio.Runner) -> None:
        try:
            tasks = asyncio.all_tasks(runner.get_loop())
        except RuntimeError:
            tasks = set()  # closed before
        _left.extend(map(repr, tasks))
        close(runner)

    patch = pytest.MonkeyPatch()
    patch.setattr(asyncio.Runner, "close", watched)
    config.add_cleanup(patch.undo)


def _closed_by_collector() -> list[str]:
    """What only the garbage collector closes (ResourceWarning) or ends with an error."""
    found: list[str] = []
    hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: found.append(str(unraisable.exc_value))
    try:
        gc.collect()
    finally:
        sys.unraisablehook = hook
    return found
