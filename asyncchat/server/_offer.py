"""What ``asyncchat.server`` offers by its own name."""

from asyncchat.core.limits import Limits
from asyncchat.core.settings import Settings
from asyncchat.server.app import ChatServer, serve
from asyncchat.server.operator import Account, Operator, Stats

__all__ = ["Account", "ChatServer", "Limits", "Operator", "Settings", "Stats", "serve"]
