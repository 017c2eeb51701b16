"""What all connections of a server share."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from asyncchat.core.limits import Limits
from asyncchat.core.rules import Chat
from asyncchat.server.pipeline import Pipeline
from asyncchat.server.writers import Writers
from asyncchat.vocabulary.queries import Query

log = logging.getLogger("asyncchat.server")


class Services:
    """What all connections of a server share. ``answer`` looks up what a command from an address asks for."""

    __slots__ = ("answer", "chat", "clock", "pipeline", "writers")

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
        self.clock = Clock(self._stepped)

    def _stepped(self, step: int) -> None:
        log.warning("The clock was set by %.0f seconds, or this machine slept", step / 1000)
        self.chat.clock_stepped(step)

    @property
    def limits_in_force(self) -> Limits:
        """The limits as they are now."""
        return self.chat.state.limits


STEP = 2_000
"""Milliseconds by which the two clocks of the system part at once when one of them was set; less is their drift."""


class Clock:
    """Unix time in milliseconds, as the system has it now; *stepped* is told by how much, when it was set.

    It was set when it has gone further, or less far, than the monotonic clock has since the last look. A machine that
    slept looks the same: its monotonic clock stood still.
    """

    def __init__(self, stepped: Callable[[int], None]) -> None:
        self._stepped = stepped
        self._ahead = now_ms() - time.monotonic_ns() // 1_000_000

    def now(self) -> int:
        """The time; before it is used, whatever waits knows of a step."""
        now = now_ms()
        ahead = now - time.monotonic_ns() // 1_000_000
        step = ahead - self._ahead
        if step:
            self._ahead = ahead
            if abs(step) > STEP:
                self._stepped(step)
        return now


def now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000
