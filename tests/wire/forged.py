"""Texts by which somebody tries to write a line of somebody else's."""

from typing import Any

import msgspec

FORGED = "dave: I quit"
ENDS_OF_LINES = ("\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")

_TEXTS = frozenset({"text", "topic", "reason", "away", "nonce", "by", "who", "client"})
"""The fields that people write freely. The server's own words to all (its motd) may have lines."""


def forged(value: Any, end: str) -> Any:
    """The same with what would be two lines of dave's in all that people write."""
    if isinstance(value, list):
        return [forged(each, end) for each in value]
    if not isinstance(value, msgspec.Struct):
        return value
    return type(value)(
        **{
            name: f"{end}{FORGED}{end}{FORGED}" if name in _TEXTS and isinstance(field, str) else forged(field, end)
            for name, field in msgspec.structs.asdict(value).items()
        }
    )
