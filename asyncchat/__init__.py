"""A durable chat server on asyncio streams, and its async client.

    async with ChatServer(listen=["tcp://127.0.0.1:7777"], data="chat-data") as server: ...
    async with connect("tcp://127.0.0.1:7777", name="alice") as chat: ...

Events are in `asyncchat.events`, commands in `asyncchat.commands`, words for people in `asyncchat.text`.
"""

from typing import TYPE_CHECKING

from asyncchat._start import offered_by

if TYPE_CHECKING:
    __all__: list[str]
    from asyncchat import commands as commands
    from asyncchat import events as events
    from asyncchat import text as text
    from asyncchat._version import __version__ as __version__
    from asyncchat.client import Backoff as Backoff
    from asyncchat.client import ChatClient as ChatClient
    from asyncchat.client import ConnectionState as ConnectionState
    from asyncchat.client import Cursor as Cursor
    from asyncchat.client import Resumed as Resumed
    from asyncchat.client import TokenStore as TokenStore
    from asyncchat.client import connect as connect
    from asyncchat.core.limits import Limits as Limits
    from asyncchat.core.settings import Settings as Settings
    from asyncchat.server import ChatServer as ChatServer
    from asyncchat.server import Host as Host
    from asyncchat.server import Operator as Operator
    from asyncchat.server import serve as serve
    from asyncchat.vocabulary.errors import ChatError as ChatError
    from asyncchat.vocabulary.errors import ConnectionLost as ConnectionLost
    from asyncchat.vocabulary.errors import DatabaseInUse as DatabaseInUse
    from asyncchat.vocabulary.errors import ProtocolError as ProtocolError
    from asyncchat.vocabulary.errors import Refused as Refused
    from asyncchat.vocabulary.errors import StorageError as StorageError
    from asyncchat.vocabulary.terms import Code as Code
    from asyncchat.vocabulary.terms import Kind as Kind
    from asyncchat.vocabulary.terms import Role as Role
    from asyncchat.vocabulary.terms import State as State
else:
    __all__, __getattr__, __dir__ = offered_by(
        __name__,
        {
            "asyncchat._version": "__version__",
            "asyncchat.client": "Backoff ChatClient ConnectionState Cursor Resumed TokenStore connect",
            "asyncchat.commands": "commands",
            "asyncchat.core.limits": "Limits",
            "asyncchat.core.settings": "Settings",
            "asyncchat.events": "events",
            "asyncchat.server": "ChatServer Host Operator serve",
            "asyncchat.text": "text",
            "asyncchat.vocabulary.errors": "ChatError ConnectionLost DatabaseInUse ProtocolError Refused StorageError",
            "asyncchat.vocabulary.terms": "Code Kind Role State",
        },
    )
