"""Bans and mutes: on whom they are, how long, and whether they hit somebody."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from asyncchat.vocabulary.records import BanLifted, BanSet

Target = tuple[int, str, str, bool]
"""What a ban is on: a person's id, a name's key, a network, and whether it is a mute."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Bans:
    """The bans and mutes of one room, or of the server. An expired one no longer counts, and is dropped when met.

    ``mutes``: how many mutes may be among them. Whom a ban hits is looked up, since it is asked with every message of a
    room that has mutes; the index is made anew when it is asked first after a change.
    """

    __slots__ = ("_all", "_index", "_networks", "mutes")

    def __init__(self) -> None:
        self._all: dict[Target, BanSet] = {}
        self._index: dict[int | str, list[BanSet]] | None = None
        self._networks: list[tuple[Network, BanSet]] = []
        self.mutes = 0

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, ban: BanSet) -> None:
        """Put a ban in force; it replaces one on the same target."""
        self._drop(_target(ban))
        self._all[_target(ban)] = ban
        self.mutes += ban.mute
        self._index = None

    def lift(self, like: BanLifted) -> None:
        """Lift the ban on the same target."""
        self._drop(_target(like))

    def active(self, now: int) -> list[BanSet]:
        """The bans that count at a time (Unix ms), in the order in which they were set."""
        for target in [target for target, ban in self._all.items() if not _counts(ban, now)]:
            self._drop(target)
        return list(self._all.values())

    def match(self, now: int, *, person: int, key: str, address: str, mute: bool = False) -> BanSet | None:
        """The ban (or with *mute*, the mute) on a person's id, a name's key, or an IP address (empty: none)."""
        if not self._all:
            return None
        index = self._index if self._index is not None else self._make_index()
        for ban in index.get(person, []) + index.get(key, []):
            if ban.mute is mute and _counts(ban, now):
                return ban
        return self._match_address(now, address, mute) if address and self._networks else None

    def _match_address(self, now: int, address: str, mute: bool) -> BanSet | None:
        ip = parse_address(address)
        for network, ban in self._networks:
            if ip is not None and ip in network and ban.mute is mute and _counts(ban, now):
                return ban
        return None

    def _drop(self, target: Target) -> None:
        ban = self._all.pop(target, None)
        if ban is not None:
            self.mutes -= ban.mute
            self._index = None

    def _make_index(self) -> dict[int | str, list[BanSet]]:
        index: dict[int | str, list[BanSet]] = {}
        for ban in self._all.values():
            if ban.person:
                index.setdefault(ban.person, []).append(ban)
            if ban.key:
                index.setdefault(ban.key, []).append(ban)
        self._networks = [(ip_network(ban.address), ban) for ban in self._all.values() if ban.address]
        self._index = index
        return index


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


def any_in(addresses: Iterable[str], network: str) -> bool:
    """Is one of these IP addresses in the network? Empty ones, of peers that have none, are not."""
    if not network:
        return False
    wanted = ip_network(network)
    return any(ip is not None and ip in wanted for ip in map(parse_address, addresses))
