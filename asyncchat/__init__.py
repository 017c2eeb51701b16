"""A durable chat server on asyncio streams, and its async client.

    async with ChatServer(listen=["tcp://127.0.0.1:7777"], data="chat-data") as server: ...
    async with connect("tcp://127.0.0.1:7777", name="alice") as chat: ...

Events are in `asyncchat.events`, commands in `asyncchat.commands`.
"""

from typing import TYPE_CHECKING

from asyncchat._start import offered_by
from asyncchat._version import __version__ as __version__

if TYPE_CHECKING:
    from asyncchat._offer import *  # noqa: F403 - its names are all in its __all__
    from asyncchat._offer import __all__ as __all__
else:
    __getattr__, __dir__ = offered_by(__name__)
