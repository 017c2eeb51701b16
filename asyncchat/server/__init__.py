"""The server: `ChatServer` and `serve` for asyncio apps, ``python -m asyncchat.server`` for everyone else."""

from typing import TYPE_CHECKING

from asyncchat._start import offered_by

if TYPE_CHECKING:
    __all__: list[str]
    from asyncchat.core.limits import Limits as Limits
    from asyncchat.core.settings import Settings as Settings
    from asyncchat.server.app import ChatServer as ChatServer
    from asyncchat.server.app import serve as serve
    from asyncchat.server.control import Host as Host
    from asyncchat.server.operator import Operator as Operator
else:
    __all__, __getattr__, __dir__ = offered_by(
        __name__,
        {
            "asyncchat.core.limits": "Limits",
            "asyncchat.core.settings": "Settings",
            "asyncchat.server.app": "ChatServer serve",
            "asyncchat.server.control": "Host",
            "asyncchat.server.operator": "Operator",
        },
    )
