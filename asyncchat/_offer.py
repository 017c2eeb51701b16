"""What ``asyncchat`` offers by its own name."""

from asyncchat import commands, events
from asyncchat._version import __version__
from asyncchat.client import Backoff, ChatClient, ConnectionState, Cursor, Resumed, TokenStore, connect
from asyncchat.core.limits import Limits
from asyncchat.core.settings import Settings
from asyncchat.server import Account, ChatServer, Operator, Stats, serve
from asyncchat.vocabulary.errors import ChatError, ConnectionLost, DatabaseInUse, ProtocolError, Refused, StorageError
from asyncchat.vocabulary.terms import Code, Kind, Role, State

__all__ = [
    "Account",
    "Backoff",
    "ChatClient",
    "ChatError",
    "ChatServer",
    "Code",
    "ConnectionLost",
    "ConnectionState",
    "Cursor",
    "DatabaseInUse",
    "Kind",
    "Limits",
    "Operator",
    "ProtocolError",
    "Refused",
    "Resumed",
    "Role",
    "Settings",
    "State",
    "Stats",
    "StorageError",
    "TokenStore",
    "__version__",
    "commands",
    "connect",
    "events",
    "serve",
]
