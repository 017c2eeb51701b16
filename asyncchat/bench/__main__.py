"""``python -m asyncchat.bench``."""

import sys

from asyncchat.bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
