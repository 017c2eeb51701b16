"""The client as a program: in a terminal or with pipes, until it ends or a signal ends it."""

import asyncio
import signal
import sys
from collections.abc import Coroutine

from asyncchat._start import SIGNALLED
from asyncchat.client.cli import Settings, parse
from asyncchat.client.interactive import run_in_terminal
from asyncchat.client.pipes import run_piped
from asyncchat.client.standard import complain
from asyncchat.vocabulary.errors import ChatError
from asyncchat.vocabulary.printable import printable

FAILED = 1


def run(arguments: list[str]) -> int:
    """Run the client with these arguments; returns the exit status. Raises KeyboardInterrupt for Ctrl+C."""
    settings = parse(arguments)
    try:
        return asyncio.run(_until_signal(settings))
    except ChatError as error:
        complain(printable(str(error)))
        return FAILED


async def _until_signal(settings: Settings) -> int:
    """Run; when the system asks to end, end in order, so that the terminal and the name are given back."""
    in_terminal = not settings.json and _is_terminal(sys.stdin) and _is_terminal(sys.stdout)
    work: Coroutine[object, object, int] = run_in_terminal(settings) if in_terminal else run_piped(settings)
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


def _is_terminal(file: object) -> bool:
    return file is not None and bool(getattr(file, "isatty", lambda: False)())
