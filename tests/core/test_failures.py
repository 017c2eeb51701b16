"""The book of wrong passwords."""

from itertools import pairwise

import pytest

from asyncchat.core.quotas import FAILING_ADDRESSES, FAILING_NAMES, FORGIVEN_AFTER, LONGEST_WAIT, Failures
from asyncchat.vocabulary.errors import Refused

FAR = "192.0.2.7"


def waits(failures: Failures, now: int, address: str = FAR) -> float:
    try:
        failures.check(address, now)
    except Refused as refused:
        return refused.wait if refused.wait is not None and refused.code == 429 else -1.0
    return 0.0


def test_the_wait_doubles_up_to_its_longest() -> None:
    failures = Failures(3)
    found = []
    for _ in range(30):
        failures.count(FAR, "x", 0)
        found.append(waits(failures, 0))
    assert found[:6] == [0, 0, 0, 1, 2, 4]
    assert found[-1] == LONGEST_WAIT / 1000
    assert all(one <= two for one, two in pairwise(found))
    assert waits(failures, LONGEST_WAIT) == 0


def test_the_wait_that_is_told_is_long_enough() -> None:
    failures = Failures(1)
    for _ in range(2):
        failures.count(FAR, "x", 0)
    with pytest.raises(Refused, match="try again in 1 s"):
        failures.check(FAR, 600)


def test_what_is_held_against_an_address() -> None:
    failures = Failures(3)
    assert failures.lately(FAR, 0) == 0
    for what in ("a", "b", "b"):
        failures.count(FAR, what, 0)
    assert failures.lately(FAR, FORGIVEN_AFTER) == 3
    assert failures.lately(FAR, FORGIVEN_AFTER + 1) == 0
    failures.forget(FAR, "b")
    assert failures.lately(FAR, 0) == 1


def test_0_free_ones_is_no_limit() -> None:
    failures = Failures(0)
    for _ in range(100):
        failures.count(FAR, "x", 0)
    assert waits(failures, 0) == 0


def test_a_household_is_one_address() -> None:
    failures = Failures(1)
    failures.count("2001:db8::1", "x", 0)
    failures.count("2001:db8::ffff:2", "y", 0)
    assert waits(failures, 0, "2001:db8::3") == 1
    assert waits(failures, 0, "2001:db8:0:1::3") == 0
    assert waits(failures, 0, "") == 0


def test_the_right_password_forgives_slips_for_the_same_name() -> None:
    failures = Failures(3)
    for what in ("a", "a", "b"):
        failures.count(FAR, what, 0)
    failures.forget(FAR, "a")
    for _ in range(2):
        failures.count(FAR, "b", 0)
    assert waits(failures, 0) == 0
    failures.count(FAR, "b", 0)
    assert waits(failures, 0) == 1
    failures.forget(FAR, "a")
    failures.forget("192.0.2.8", "a")
    assert waits(failures, 0) == 1


def test_time_forgives() -> None:
    failures = Failures(3)
    for _ in range(3):
        failures.count(FAR, "x", 0)
    failures.count(FAR, "x", FORGIVEN_AFTER + 1)
    assert waits(failures, FORGIVEN_AFTER + 1) == 0


def test_so_many_names_and_addresses_are_remembered() -> None:
    failures, names = Failures(1), FAILING_NAMES + 100
    for number in range(names):
        failures.count(FAR, f"name {number}", 0)
    failures.forget(FAR, f"name {names - 1}")
    assert waits(failures, 0) == LONGEST_WAIT / 1000, "those beyond are not told apart"
    for number in range(FAILING_ADDRESSES + 10):
        failures.count(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "x", 0)
    assert len(failures._by_address) == FAILING_ADDRESSES
    assert waits(failures, 0) == 0, "the oldest is forgotten"
