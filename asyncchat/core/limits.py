"""Every limit of the server: one name, one default, one unit, one reason. 0 is unlimited.

The names are those of ``--limit NAME=VALUE``, of the configuration file's ``[limits]``, of ``welcome`` and of
the documents.
"""

import math
from ipaddress import ip_network

from msgspec import Struct, structs

from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.terms import Code


class Limits(Struct, frozen=True, kw_only=True):
    """The limits in force."""

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
    bans: int = 500
    """Bans and mutes of a room: anyone may open one, and each is kept until it ends. The server's own have no limit:
    they are its administrators'."""
    sessions: int = 32
    """Sessions of a person at a time: each gets every message."""
    rate: float = 20.0
    """Commands a second of one session, in the long run; above it, that client's reading is delayed. A long text counts
    once more for each 1,024 characters: it costs everybody more."""
    burst: int = 200
    """Commands of one session at once before ``rate`` counts: pasted text, a script's report."""
    connections: int = 20_000
    """Connections in all; held below the file descriptor limit whatever is set."""
    connections_per_address: int = 200
    """Connections from one IP address (an IPv6 /64 counts as one); loopback is exempt."""
    buffer: int = 1_048_576
    """Bytes that wait for one client to read; beyond it the client becomes a history reader."""
    page: int = 200
    """Messages of one reply to history, or search."""
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


LIMIT_NAMES = tuple(field.name for field in structs.fields(Limits))
"""The limits' names, in the order of the documents."""


class TokenBucket:
    """A rate with a burst: *rate* tokens a second flow in, at most *burst* are saved up. Times are seconds."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._tokens = self._burst
        self._at = now

    def take(self, count: int, now: float) -> float:
        """Take *count* tokens, on credit if need be; returns the seconds to wait until the debt is paid (0.0: none)."""
        if self._rate <= 0:
            return 0.0
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - count
        self._at = now
        return 0.0 if self._tokens >= 0 else -self._tokens / self._rate


FAILING_ADDRESSES = 10_000
"""Addresses whose wrong passwords are counted; the oldest is forgotten first."""

FAILING_NAMES = 32
"""Names under which the wrong passwords of one address are told apart; those for further ones count together."""

LONGEST_WAIT = 300_000
"""Milliseconds that an address waits at most after wrong passwords: it slows guessing, and locks nobody out."""

FORGIVEN_AFTER = 3_600_000
"""Milliseconds after which the last wrong password of an address is forgotten, and all before it."""


class _Failing:
    """One address: how many wrong passwords for what, when the last one came, and until when it waits (Unix ms)."""

    __slots__ = ("at", "counts", "until")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.at = self.until = 0


class Failures:
    """Wrong passwords by address; the addresses of an IPv6 /64 are one, since one household has them all.

    The first *free* ones cost nothing; each further one doubles the wait, from 1 s on. *free* 0: nobody waits.
    """

    def __init__(self, free: int) -> None:
        self.free = free
        self._by_address: dict[str, _Failing] = {}

    def check(self, address: str, now: int) -> None:
        """Raise `Refused` 429 while an address has to wait; *now* is Unix milliseconds."""
        failing = self._by_address.get(household(address))
        if failing is not None and now < failing.until:
            wait = (failing.until - now) / 1000
            raise Refused(Code.TOO_FAST, f"too many wrong passwords: try again in {math.ceil(wait)} s", wait=wait)

    def lately(self, address: str, now: int) -> int:
        """How many wrong passwords are held against this address."""
        failing = self._by_address.get(household(address))
        return sum(failing.counts.values()) if failing is not None and now - failing.at <= FORGIVEN_AFTER else 0

    def count(self, address: str, what: str, now: int) -> None:
        """One more wrong password from this address, for *what*: the key of a name or of a room."""
        if not self.free:
            return
        address = household(address)
        failing = self._by_address.pop(address, None)
        if failing is None or now - failing.at > FORGIVEN_AFTER:
            failing = _Failing()
        counts = failing.counts
        if what not in counts and len(counts) >= FAILING_NAMES:
            what = ""
        counts[what] = counts.get(what, 0) + 1
        beyond = sum(counts.values()) - self.free
        failing.at = now
        failing.until = now + min(1000 << min(beyond - 1, 20), LONGEST_WAIT) if beyond > 0 else 0
        self._by_address[address] = failing
        if len(self._by_address) > FAILING_ADDRESSES:
            del self._by_address[next(iter(self._by_address))]

    def forget(self, address: str, what: str) -> None:
        """A right password: the wrong ones before it were slips.

        Only those for the same name: who has an account of their own must not buy guesses at others with it.
        """
        address = household(address)
        failing = self._by_address.get(address)
        if failing is not None and failing.counts.pop(what, 0) and not failing.counts:
            del self._by_address[address]


def household(address: str) -> str:
    """What counts as one address: an IPv4 address, or a /64 of IPv6."""
    return str(ip_network(f"{address}/64", strict=False)) if ":" in address else address
