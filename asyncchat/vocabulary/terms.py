"""Terms that commands, events and records share: codes, roles, states, kinds, and the time format."""

import enum
import unicodedata
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

Id = int | str
"""What a client recognises the reply to its command by: an integer or a string of at most `MAX_ID` characters."""

MAX_ID = 64
"""Characters of a command's ``id``: it is kept per command in flight and sent back."""

MAX_NONCE = 64
"""Characters of a message's ``nonce``: it is stored with the message and sent to all who get it."""

Kind = Literal["text", "action", "notice"]
"""What a message is: plain talk, ``/me`` action, or a notice that programs must not answer (RFC 2812, 3.3.2)."""


EMOJI_STYLE = "\ufe0f"
"""Variation selector 16: the character before it is to be shown as an emoji, as most are anyway."""


def normal_reaction(text: str) -> str:
    """A reaction as it is kept: composed (NFC), without `EMOJI_STYLE`, which keyboards add or leave out."""
    return unicodedata.normalize("NFC", text.replace(EMOJI_STYLE, ""))


class Role(enum.StrEnum):
    """A person's rank in a room, lowest first; each may do what those below it may."""

    MEMBER = "member"
    VOICE = "voice"
    OPERATOR = "operator"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        """The role's place in the order, 0 for the lowest."""
        return _RANKS[self]


_RANKS = {role: rank for rank, role in enumerate(Role)}


class State(enum.StrEnum):
    """Whether a person can be expected to read now."""

    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


class Code(enum.IntEnum):
    """Reply codes; near JIM and HTTP (RFC 9110), so that the numbers are those that people know.

    One that a newer server has added is taken for the first of its hundred, as in HTTP (section 15 of the RFC).
    """

    OK = 200
    CREATED = 201
    ACCEPTED = 202
    MALFORMED = 400
    LOGIN_FIRST = 401
    WRONG_PASSWORD = 402
    FORBIDDEN = 403
    NOT_FOUND = 404
    CONFLICT = 409
    GONE = 410
    TOO_LONG = 413
    TOO_FAST = 429
    SERVER_FAULT = 500
    UNAVAILABLE = 503
    NOT_STORED = 507

    @classmethod
    def _missing_(cls, value: object) -> "Code | None":
        return next((code for code in cls if isinstance(value, int) and code == value // 100 * 100), None)


_MILLISECONDS = tuple(f"{n:03d}Z" for n in range(1000))
"""How times end: to look that up takes 10 ns, to format it 240."""


@lru_cache(maxsize=16)  # messages that come together share their time
def rfc3339(milliseconds: int) -> str:
    """A Unix time in milliseconds as RFC 3339 UTC with milliseconds: ``2026-01-02T03:04:05.678Z``."""
    seconds, rest = divmod(milliseconds, 1000)
    return _second(seconds) + _MILLISECONDS[rest]


@lru_cache(maxsize=16)  # and those of now their second
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}."


def from_rfc3339(text: str) -> datetime:
    """An event's ``time`` as an aware datetime; raises ValueError when *text* is no time in ISO 8601 form."""
    return datetime.fromisoformat(text)
