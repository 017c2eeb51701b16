"""Wrong passwords, counted by address: who guesses waits, longer each time."""

import math
from collections import OrderedDict
from ipaddress import ip_network

from asyncchat.core.limits import TokenBucket
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.terms import Code

FAILING_ADDRESSES = 10_000
"""Addresses whose wrong passwords are counted; the oldest is forgotten first."""

FAILING_NAMES = 32
"""Names under which the wrong passwords of one address are told apart; those for further ones count together."""

LONGEST_WAIT = 300_000
"""Milliseconds that an address waits at most after wrong passwords: it slows guessing, and locks nobody out."""

FORGIVEN_AFTER = 3_600_000
"""Milliseconds after which the last wrong password of an address is forgotten, and all before it."""


QUOTA_ADDRESSES = 10_000
"""Addresses of which is known what they did in the last hour; the one that was quiet for longest is forgotten first."""

HOUR = 3600.0
"""Seconds of an hour."""


class Quotas:
    """How often something may be done from one address in an hour; local clients are not counted."""

    def __init__(self) -> None:
        self._by_address: OrderedDict[str, TokenBucket] = OrderedDict()

    def check(self, address: str, most: int, what: str, now: int, count: int = 1) -> None:
        """Raise `Refused` 429 when *count* more are too many. *most* 0: no limit; *now*: Unix milliseconds."""
        if not (most and address):
            return
        bucket = self._by_address.get(household(address))
        wait = bucket.wait(count, now / 1000) if bucket is not None else max(0.0, count - most) * HOUR / most
        if wait > 0:
            raise Refused(
                Code.TOO_FAST, f"too many {what} from your address: try again in {math.ceil(wait)} s", wait=wait
            )

    def count(self, address: str, most: int, now: int) -> None:
        """One more was done."""
        if not (most and address):
            return
        place = household(address)
        bucket = self._by_address.pop(place, None) or TokenBucket(most / HOUR, most, now / 1000)
        self._by_address[place] = bucket
        if len(self._by_address) > QUOTA_ADDRESSES:
            self._by_address.popitem(last=False)
        bucket.take(1, now / 1000)

    def shift(self, step: int) -> None:
        """The clock was set by so many milliseconds."""
        for bucket in self._by_address.values():
            bucket.shift(step / 1000)


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

    def shift(self, step: int) -> None:
        """The clock was set by so many milliseconds."""
        for failing in self._by_address.values():
            failing.at += step
            failing.until += step

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
