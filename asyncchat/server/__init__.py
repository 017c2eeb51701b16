"""The server: `ChatServer` and `serve` for asyncio apps, ``python -m asyncchat.server`` for everyone else."""

from typing import TYPE_CHECKING

from asyncchat._start import offered_by

if TYPE_CHECKING:
    from asyncchat.server._offer import *  # noqa: F403 - its names are all in its __all__
    from asyncchat.server._offer import __all__ as __all__
else:
    __getattr__, __dir__ = offered_by(__name__)
