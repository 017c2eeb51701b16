"""``python -m asyncchat.server`` and the console script ``asyncchat-server``."""

import sys

from asyncchat._start import INTERRUPTED, interruptible, survive_any_locale


def main() -> int:
    """Run the server; returns the exit status."""
    survive_any_locale()
    try:
        with interruptible():
            from asyncchat.server import command_line  # noqa: PLC0415 - while Ctrl+C is seen to
        return command_line.main()
    except KeyboardInterrupt:
        return INTERRUPTED  # while the server was not running yet, which ends in good order


if __name__ == "__main__":
    sys.exit(main())
