"""How a program starts: what it needs is imported while Ctrl+C ends it without a word.

Most of the time until a program runs goes into imports. So the packages import what they offer when somebody asks for
it, and not before the program could say what Ctrl+C is to do.
"""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

SIGNALLED = 128
"""A program that ends by a signal has this and the signal's number as its status, by the shells' convention."""

INTERRUPTED = SIGNALLED + signal.SIGINT
"""Exit status after Ctrl+C."""


def survive_any_locale() -> None:
    """Show what the locale has no character for in another way, instead of failing: others may write in any script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where the stream was closed from the start
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """For the imports of a program: Ctrl+C ends the process at once, with `INTERRUPTED`. Nothing is open yet."""
    # An exception would not do: a few callbacks of an import can only print it, and go on.
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # ignored, as in a shell's background
        return
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def offered_by(
    package: str, names: Mapping[str, str]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """``__all__``, ``__getattr__`` and ``__dir__`` of a package that offers *names*: by module, separated by blanks.

    A module is imported when somebody asks for one of its names. ``__getattr__`` raises AttributeError for others; so
    `from package import module` goes on to import the module.
    """
    modules = {name: module for module, offered in names.items() for name in offered.split()}

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        module = import_module(modules[name])
        return module if module.__name__ == f"{package}.{name}" else getattr(module, name)

    return sorted(modules), get, lambda: sorted(modules)
