"""``python -m asyncchat.server``."""

import sys

from asyncchat.server.cli import main

if __name__ == "__main__":
    sys.exit(main())
