"""Every limit of the server: one name, one default, one unit, one reason. 0 is unlimited.

The names are those of ``--limit NAME=VALUE``, of the configuration file's ``[limits]``, of ``welcome`` and of
the documents.
"""

from msgspec import Struct, structs

LARGEST = 2**53 - 1
"""Of any limit: clients are told the limits, and larger numbers are not exact in JSON everywhere (RFC 8259, 6)."""


LIST_BYTES = 65_536
"""Bytes (JSON) of the entries of one reply to ``rooms``, ``who`` or ``bans``: what the loop makes in a fraction of a
millisecond, and what a client that does not read holds beyond ``buffer``. A single entry has a few thousand."""

LIST_LOOKED_AT = 400
"""Entries of a list that are looked at for one reply: those that the asker must not know of cost time, too."""


class BadSetting(ValueError):  # noqa: N818 - named for what it is about
    """A setting that means nothing: ``setting`` names it, ``why`` is for people."""

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(f"{setting}: {why}")
        self.setting = setting
        self.why = why


class Limits(Struct, frozen=True, kw_only=True):
    """The limits in force. Raises `BadSetting` for what is no number, below 0, or a fraction of what is counted."""

    line: int = 65_536
    """Bytes of a line: what one client may make the server hold before a command is complete."""
    text: int = 16_384
    """Bytes of a message (UTF-8): several pages; more is a file."""
    name: int = 32
    """Characters of a person's name: fits a column on a screen."""
    room_name: int = 64
    """Characters of a room's name."""
    topic: int = 512
    """Characters of a topic, a reason, or an away text: one or two lines."""
    rooms: int = 100
    """Rooms that a person is in at a time: each costs memory, and work at every login."""
    rooms_in_all: int = 10_000
    """Rooms on the server: those where something was said are kept for good."""
    rooms_founded: int = 200
    """Rooms that a person has founded and that are there: those where something was said are kept for good."""
    rooms_per_address: int = 200
    """Rooms that are founded from one IP address (an IPv6 /64 counts as one) in an hour: as ``rooms_founded``, for
    those who come under one name after the other."""
    accounts_per_address: int = 20
    """Names that are registered from one IP address in an hour: they are kept for good. A school sits behind one."""
    bans: int = 500
    """Bans and mutes of a room: anyone may open one, and each is kept until it ends. The server's own have no limit:
    they are its administrators'."""
    roles: int = 1_000
    """People with a role in a room: anyone may open one, and each role is kept for good."""
    invited: int = 1_000
    """People whom operators have invited into a room: as ``roles``."""
    sessions: int = 32
    """Sessions of a person at a time: each gets every message."""
    rate: float = 20.0
    """Commands a second of one session, in the long run; above it, that client's reading is delayed. A long text counts
    once more for each 1,024 bytes that it is in JSON: it costs everybody more."""
    burst: int = 200
    """Commands of one session at once before ``rate`` counts: pasted text, a script's report."""
    connections: int = 20_000
    """Connections in all; held below the file descriptor limit whatever is set."""
    connections_per_address: int = 200
    """Connections from one IP address (an IPv6 /64 counts as one); loopback is exempt."""
    buffer: int = 1_048_576
    """Bytes that wait for one client to read; beyond it the client becomes a history reader."""
    page: int = 200
    """Messages of one reply to history or search; rooms, people or bans of one reply to rooms, who or bans."""
    sync: int = 1_000
    """Events of one reply to sync."""
    in_flight: int = 1_024
    """Messages of one connection on their way through the log; beyond it, reading waits."""
    nonces: int = 1_024
    """Nonces of a person that are remembered: a message sent again is known among the last so many."""
    hashes: int = 2
    """Passwords hashed at a time: each takes a core and 64 MiB for some 50 ms."""
    wrong_passwords: int = 5
    """Wrong passwords from one address before it has to wait, longer each time."""
    reactions: int = 64
    """Different reactions on a message: they come with it, whenever it is read again."""
    reactions_in_all: int = 256
    """Reactions of all people on a message: each comes with its person's name, in every page of the history."""
    search_seconds: float = 2.0
    """How long one search may take: it keeps others from searching. Those that find something take milliseconds."""
    first_line_seconds: float = 10.0
    """From a connection's first byte to its first complete line."""
    line_seconds: float = 300.0
    """From a line's first byte to its last: terminals may send every key, and people think while they type."""
    login_seconds: float = 30.0
    """From the connection to the login."""
    handshake_seconds: float = 10.0
    """For a TLS handshake."""
    ping_seconds: float = 60.0
    """Silence after which a client is pinged."""
    idle_seconds: float = 150.0
    """Silence after which a client is dropped."""
    offline_seconds: float = 10.0
    """From a lost connection to ``presence`` offline: a flaky network is not news."""
    hold_seconds: float = 60.0
    """From a lost connection to ``left``: the name and the rooms are held that long for whoever comes back."""
    flush_seconds: float = 4.0
    """At shutdown, for the last bytes to everyone: the end comes within 5 s."""

    def __post_init__(self) -> None:
        for name, is_counted in _COUNTED.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadSetting(f"limits.{name}", f"a number is expected, not {value!r}")
            if not 0 <= value <= LARGEST:  # nor is what is no number, and it may be too long to be shown
                raise BadSetting(f"limits.{name}", f"a number from 0 to {LARGEST} is expected; 0 is unlimited")
            if is_counted and isinstance(value, float):
                raise BadSetting(f"limits.{name}", f"a whole number is expected, not {value}")


_COUNTED = {field.name: field.type is int for field in structs.fields(Limits)}

LIMIT_NAMES = tuple(_COUNTED)
"""The limits' names, in the order of the documents."""


class TokenBucket:
    """A rate with a burst: *rate* tokens a second flow in, at most *burst* are saved up. Times are seconds."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._tokens = self._burst
        self._at = now

    def shift(self, seconds: float) -> None:
        """The clock was set by so much."""
        self._at += seconds

    def take(self, count: int, now: float) -> float:
        """Take *count* tokens, on credit if need be; returns the seconds to wait until the debt is paid (0.0: none)."""
        wait = self.wait(count, now)
        if self._rate > 0:
            self._tokens = self._there(now) - count
            self._at = now
        return wait

    def wait(self, count: int, now: float) -> float:
        """The seconds to wait if *count* tokens were taken now."""
        left = self._there(now) - count
        return 0.0 if left >= 0 or self._rate <= 0 else -left / self._rate

    def _there(self, now: float) -> float:
        passed = max(0.0, now - self._at)  # a clock may be set back
        return min(self._burst, self._tokens + passed * self._rate)
