"""Bans and mutes: on whom they are, how long, and whether they hit somebody."""

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import structs

from asyncchat.core.numbered_set import NumberedSet
from asyncchat.vocabulary.records import BanLifted, BanSet

Target = tuple[int, str, str, bool]
"""What a ban is on: a person's id, a name's key, a network, and whether it is a mute."""

Length = tuple[int, int]
"""How long a network's prefix is: the IP version, and the bits."""

Mark = int | str | tuple[Length, int]
"""One thing that gives somebody away: a person's id, a name's key, or the prefix of a network."""

Address = IPv4Address | IPv6Address


class Bans:
    """The bans and mutes of one room, or of the server. An expired one no longer counts, and is dropped when met.

    ``mutes``: how many mutes may be among them. Whom a ban hits is looked up, since it is asked with every message of a
    room that has mutes, and with every login: an address by its prefixes, as long as those of the networks are.
    """

    __slots__ = ("_all", "_by_mark", "_lengths", "_listed", "mutes")

    def __init__(self) -> None:
        self._all: dict[Target, BanSet] = {}
        self._listed = NumberedSet[Target]()
        self._by_mark: dict[Mark, dict[Target, BanSet]] = {}
        self._lengths: Counter[Length] = Counter()
        self.mutes = 0

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, ban: BanSet, seq: int) -> None:
        """Put a ban in force, which is in the log at *seq*; it replaces one on the same target."""
        target = _target(ban)
        self._drop(target)
        self._all[target] = ban
        self._listed.add(target, seq)
        self.mutes += ban.mute
        for mark in _marks(ban):
            self._by_mark.setdefault(mark, {})[target] = ban
            if isinstance(mark, tuple):
                self._lengths[mark[0]] += 1

    def lift(self, like: BanLifted) -> None:
        """Lift the ban on the same target."""
        self._drop(_target(like))

    def shift(self, step: int) -> None:
        """The clock was set by so many milliseconds: what is left of each ban stays as long as it was."""
        for ban in list(self._all.values()):
            if ban.until is not None:
                moved = structs.replace(ban, until=ban.until + step)
                target = _target(ban)
                self._all[target] = moved
                for mark in _marks(ban):
                    self._by_mark[mark][target] = moved

    def active(self, now: int) -> list[BanSet]:
        """The bans that count at a time (Unix ms), in the order in which they were set."""
        for target in [target for target, ban in self._all.items() if not _counts(ban, now)]:
            self._drop(target)
        return list(self._all.values())

    def after(self, number: int | None, now: int) -> Iterator[tuple[int, BanSet | None]]:
        """The bans behind a number, as `NumberedSet.after`; None for one that does not count any more at a time."""
        for own, target in self._listed.after(number):
            ban = self._all[target]
            yield own, ban if _counts(ban, now) else None

    def others(self, ban: BanSet, now: int) -> int:
        """How many bans count at a time (Unix ms) beside this one, which may be in force already."""
        return len(self.active(now)) - (_target(ban) in self._all)

    def match(self, now: int, *, person: int, key: str, address: str, mute: bool = False) -> BanSet | None:
        """The ban (or with *mute*, the mute) on a person's id, a name's key, or an IP address (empty: none)."""
        if not self._all:
            return None
        for mark in (person, key, *self._prefixes(address)):
            for ban in self._by_mark.get(mark, {}).values():
                if ban.mute is mute and _counts(ban, now):
                    return ban
        return None

    def _prefixes(self, address: str) -> Iterator[Mark]:
        ip = parse_address(address) if address and self._lengths else None
        if ip is None:
            return
        for length in self._lengths:
            version, bits = length
            if version == ip.version:
                yield length, int(ip) >> (ip.max_prefixlen - bits)

    def _drop(self, target: Target) -> None:
        ban = self._all.pop(target, None)
        if ban is None:
            return
        self._listed.remove(target)
        self.mutes -= ban.mute
        for mark in _marks(ban):
            alike = self._by_mark[mark]
            del alike[target]
            if not alike:
                del self._by_mark[mark]
            if isinstance(mark, tuple):
                self._lengths[mark[0]] -= 1
                if not self._lengths[mark[0]]:
                    del self._lengths[mark[0]]


def _marks(ban: BanSet) -> Iterator[Mark]:
    """By what those whom a ban hits are known."""
    if ban.person:
        yield ban.person
    if ban.key:
        yield ban.key
    if ban.address:
        network = ip_network(ban.address)
        length = network.version, network.prefixlen
        yield length, int(network.network_address) >> (network.max_prefixlen - network.prefixlen)


def _target(ban: BanSet | BanLifted) -> Target:
    return ban.person, ban.key, ban.address, ban.mute


def _counts(ban: BanSet, now: int) -> bool:
    return ban.until is None or ban.until > now


def parse_address(text: str) -> Address | None:
    """The IP address that this is, or None. An IPv4 address in an IPv6 one is that IPv4 address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def parse_network(text: str) -> str:
    """The IP address or network that this is, in the one form in which it is kept; empty if it is none."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return ""
    if isinstance(network, IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if (
            mapped is not None and network.prefixlen >= 96
        ):  # ::ffff:0:0/96 is where IPv4 addresses are (RFC 4291, 2.5.5.2)
            network = IPv4Network((mapped, network.prefixlen - 96))
        elif network.network_address.scope_id is not None:
            return ""
    return str(network)


def is_meant_as_address(text: str) -> bool:
    """Would whoever types this mean an IP address or network, be it one or not?"""
    if ":" in text or "/" in text:
        return True
    return "." in text and set(text) <= set("0123456789.")


def any_in(addresses: Iterable[str], network: str) -> bool:
    """Is one of these IP addresses in the network? Empty ones, of peers that have none, are not."""
    if not network:
        return False
    wanted = ip_network(network)
    return any(ip is not None and ip in wanted for ip in map(parse_address, addresses))
