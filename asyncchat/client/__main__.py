"""``python -m asyncchat.client`` and the console script ``asyncchat``."""

import sys

from asyncchat._start import INTERRUPTED, interruptible, survive_any_locale


def main() -> int:
    """Run the client; returns the exit status."""
    survive_any_locale()
    try:
        with interruptible():
            from asyncchat.console.program import run  # noqa: PLC0415 - while Ctrl+C is seen to
        return run(sys.argv[1:])
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
