"""``python -m asyncchat.server`` and the console script ``asyncchat-server``."""

import contextlib
import sys
from typing import Any

from asyncchat._start import INTERRUPTED, interruptible, survive_any_locale


def main() -> int:
    """Run the server; returns the exit status."""
    survive_any_locale()
    try:
        with interruptible():
            from asyncchat.server import cli  # noqa: PLC0415 - while Ctrl+C is seen to
        return cli.main(terminal=_terminal)
    except KeyboardInterrupt:
        return INTERRUPTED  # while the server was not running yet, which ends in good order


def _terminal() -> contextlib.AbstractAsyncContextManager[Any]:
    """The terminal, taken as the console client takes it."""
    # Imported where somebody types: a service needs nothing of it.
    from asyncchat.console.terminal import open_terminal  # noqa: PLC0415

    return open_terminal()


if __name__ == "__main__":
    sys.exit(main())
