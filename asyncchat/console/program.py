"""The client as a program: in a terminal or with pipes, until it ends or a signal ends it."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine

from asyncchat import ChatError
from asyncchat._start import SIGNALLED, interruptible
from asyncchat.console.cli import Settings, parse
from asyncchat.console.stdio import complain, is_terminal
from asyncchat.text import printable

FAILED = 1


def run(arguments: list[str]) -> int:
    """Run the client with these arguments; returns the exit status. Raises KeyboardInterrupt for Ctrl+C."""
    settings = parse(arguments)
    with interruptible():
        work = _work_for(settings)
    try:
        return asyncio.run(_until_signal(work(settings)))
    except ChatError as error:
        complain(printable(str(error)))
        return FAILED


def _work_for(settings: Settings) -> Callable[[Settings], Coroutine[object, object, int]]:
    """The console or the pipes, imported: each needs much that the other does not."""
    if not settings.json and is_terminal(sys.stdin) and is_terminal(sys.stdout):
        from asyncchat.console.console import run_in_terminal  # noqa: PLC0415 - pipes need no line editor

        return run_in_terminal
    from asyncchat.console.pipes import run_piped  # noqa: PLC0415 - as above

    return run_piped


async def _until_signal(work: Coroutine[object, object, int]) -> int:
    """Run; when the system asks to end, end in order, so that the terminal and the name are given back."""
    task = asyncio.ensure_future(work)
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        task.cancel()

    if sys.platform != "win32":
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_IGN:  # as nohup wants it
                continue
            loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if received:
            return SIGNALLED + received[0]
        raise
