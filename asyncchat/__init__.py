"""A durable chat server on asyncio streams, and its async client.

    async with ChatServer(listen=["tcp://127.0.0.1:7777"], data="chat-data") as server: ...
    async with connect("tcp://127.0.0.1:7777", name="alice") as chat: ...

Events are in `asyncchat.events`, commands in `asyncchat.commands`.
"""

from asyncchat._version import __version__
from asyncchat.client import Backoff, ChatClient, ConnectionState, Cursor, Resumed, TokenStore, connect
from asyncchat.core.house import Settings
from asyncchat.core.limits import Limits
from asyncchat.server import ChatServer, serve
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.errors import ChatError, ConnectionLost, ProtocolError, Refused, StorageError
from asyncchat.vocabulary.terms import Code, Role, State

__all__ = [
    "Backoff",
    "ChatClient",
    "ChatError",
    "ChatServer",
    "Code",
    "ConnectionLost",
    "ConnectionState",
    "Cursor",
    "Limits",
    "ProtocolError",
    "Refused",
    "Resumed",
    "Role",
    "Settings",
    "State",
    "StorageError",
    "TokenStore",
    "__version__",
    "commands",
    "connect",
    "events",
    "serve",
]
