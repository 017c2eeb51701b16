"""The list of bans by itself: what it matches, replaces and forgets."""

import pytest

from asyncchat.core.bans import Bans, any_in, parse_network
from asyncchat.vocabulary.records import BanLifted, BanSet


def ban(**fields: object) -> BanSet:
    return BanSet(time=0, room=1, by="ann", who="x", **fields)  # type: ignore[arg-type]


def lifted(**fields: object) -> BanLifted:
    return BanLifted(time=0, room=1, by="ann", **fields)  # type: ignore[arg-type]


def hits(bans: Bans, person: int = 9, key: str = "nine", address: str = "", now: int = 0, mute: bool = False) -> bool:
    return bans.match(now, person=person, key=key, address=address, mute=mute) is not None


def test_a_ban_is_on_an_id_a_name_or_a_network() -> None:
    bans = Bans()
    assert not bans
    for each in (ban(person=7), ban(key="eve"), ban(person=8, key="eight"), ban(address="192.0.2.0/24")):
        bans.add(each, 0)
    assert bans
    for person, key, address in (
        (7, "x", ""), (9, "eve", ""), (8, "x", ""), (9, "eight", ""), (9, "x", "192.0.2.1"),
        (9, "x", "::ffff:192.0.2.1"),
    ):  # fmt: skip
        assert hits(bans, person, key, address)
    for person, key, address in ((9, "x", ""), (0, "", ""), (9, "x", "192.0.3.1"), (9, "x", "::1"), (9, "x", "?")):
        assert not hits(bans, person, key, address)


def test_a_mute_is_no_ban() -> None:
    bans = Bans()
    bans.add(ban(person=7, mute=True), 0)
    assert bans.mutes == 1
    assert not hits(bans, 7)
    assert hits(bans, 7, mute=True)
    bans.lift(lifted(person=7))
    assert bans.mutes == 1
    bans.lift(lifted(person=7, mute=True))
    assert bans.mutes == 0


def test_a_ban_replaces_one_on_the_same_target_and_ends() -> None:
    bans = Bans()
    bans.add(ban(person=7, until=10), 0)
    bans.add(ban(person=7, until=20, mute=True), 0)
    bans.add(ban(person=7, until=30), 0)
    assert [each.until for each in bans.active(0)] == [20, 30]
    assert hits(bans, 7, now=29)
    assert not hits(bans, 7, now=30)
    assert bans.active(30) == []
    assert bans.mutes == 0
    assert not bans


def test_what_was_lifted_is_lifted() -> None:
    bans = Bans()
    bans.add(ban(person=7, key="eve"), 0)
    bans.lift(lifted(person=7))
    assert hits(bans, 7), "that is another target"
    bans.lift(lifted(person=7, key="eve"))
    assert not hits(bans, 7, "eve")


@pytest.mark.parametrize(
    ("network", "within", "outside"),
    [
        ("0.0.0.0/0", "198.51.100.1", "::1"),
        ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
        ("192.0.2.7/32", "192.0.2.7", "192.0.2.6"),
        ("::/0", "2001:db8::1", "192.0.2.7"),
        ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
        ("2001:db8::7/128", "2001:db8::7", "2001:db8::6"),
    ],
)
def test_a_network_of_any_length_is_found_among_others(network: str, within: str, outside: str) -> None:
    bans = Bans()
    for each in ("203.0.113.0/24", "203.0.113.0/28", network, "2001:db8:1::/48"):
        bans.add(ban(address=each), 0)
    assert hits(bans, address=within)
    assert not hits(bans, address=outside)
    bans.lift(lifted(address=network))
    assert not hits(bans, address=within)
    assert hits(bans, address="203.0.113.1")


def test_a_ban_beside_others() -> None:
    bans = Bans()
    for each in (ban(person=7), ban(key="eve"), ban(person=8, until=10)):
        bans.add(each, 0)
    assert bans.others(ban(person=9), 9) == 3
    assert bans.others(ban(person=8), 9) == 2
    assert bans.others(ban(person=8), 10) == 2
    assert bans.others(ban(person=8, mute=True), 10) == 2


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.1", "192.0.2.1/32"),
        ("192.0.2.1/24", "192.0.2.0/24"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ("::ffff:192.0.2.1/120", "192.0.2.0/24"),
        ("::/0", "::/0"),
        ("fe80::1%eth0", ""),
        ("eve", ""),
        ("1", ""),
        ("192.0.2.1/33", ""),
        ("", ""),
    ],
)
def test_a_network_has_one_form(text: str, network: str) -> None:
    assert parse_network(text) == network


def test_peers_without_an_address_are_in_no_network() -> None:
    assert not any_in(("",), "0.0.0.0/0")
    assert not any_in(("192.0.2.1",), "")
    assert any_in(("", "192.0.2.1"), "192.0.2.0/24")
