"""What all connections of a server share."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from asyncchat.core.chat import Chat
from asyncchat.core.limits import Limits
from asyncchat.server.pipeline import Pipeline
from asyncchat.server.writers import Writers
from asyncchat.vocabulary.queries import Query


class Services:
    """What all connections of a server share. ``answer`` looks up what a command from an address asks for."""

    __slots__ = ("answer", "chat", "pipeline", "writers")

    def __init__(
        self,
        chat: Chat,
        pipeline: Pipeline,
        writers: Writers,
        answer: Callable[[Query, str], Awaitable[Any]],
    ) -> None:
        self.chat = chat
        self.pipeline = pipeline
        self.writers = writers
        self.answer = answer

    @property
    def limits_in_force(self) -> Limits:
        """The limits as they are now."""
        return self.chat.house.limits


def now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000
