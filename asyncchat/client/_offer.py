"""What ``asyncchat.client`` offers by its own name."""

from asyncchat.client.backoff import Backoff
from asyncchat.client.chat import ChatClient
from asyncchat.client.connection import Connecting, connect, connect_streams
from asyncchat.client.state import ConnectionState, Cursor, Resumed
from asyncchat.client.tokens import TokenStore
from asyncchat.vocabulary.addresses import Address, parse_address

__all__ = [
    "Address",
    "Backoff",
    "ChatClient",
    "Connecting",
    "ConnectionState",
    "Cursor",
    "Resumed",
    "TokenStore",
    "connect",
    "connect_streams",
    "parse_address",
]
