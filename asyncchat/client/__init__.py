"""The async client: `connect`, and what it gives."""

from typing import TYPE_CHECKING

from asyncchat._start import offered_by

if TYPE_CHECKING:
    __all__: list[str]
    from asyncchat.client.chat import ChatClient as ChatClient
    from asyncchat.client.chat import Connecting as Connecting
    from asyncchat.client.chat import OnState as OnState
    from asyncchat.client.chat import connect as connect
    from asyncchat.client.chat import connect_streams as connect_streams
    from asyncchat.client.chat import new_nonce as new_nonce
    from asyncchat.client.client_connection import parse_fingerprint as parse_fingerprint
    from asyncchat.client.inbox import Cursor as Cursor
    from asyncchat.client.inbox import Resumed as Resumed
    from asyncchat.client.reconnect import Backoff as Backoff
    from asyncchat.client.reconnect import ConnectionState as ConnectionState
    from asyncchat.client.tokens import TokenStore as TokenStore
    from asyncchat.vocabulary.addresses import Address as Address
    from asyncchat.vocabulary.addresses import parse_address as parse_address
else:
    __all__, __getattr__, __dir__ = offered_by(
        __name__,
        {
            "asyncchat.client.chat": "ChatClient Connecting OnState connect connect_streams new_nonce",
            "asyncchat.client.inbox": "Cursor Resumed",
            "asyncchat.client.reconnect": "Backoff ConnectionState",
            "asyncchat.client.client_connection": "parse_fingerprint",
            "asyncchat.client.tokens": "TokenStore",
            "asyncchat.vocabulary.addresses": "Address parse_address",
        },
    )
