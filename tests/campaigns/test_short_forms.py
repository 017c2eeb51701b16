"""The short forms of the campaigns; each module tells how to run its long one by hand."""

from pathlib import Path

import pytest

from tests.campaigns import hostile, killing, proxy, weather

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
]  # ten starts of a server, on a machine that has other things to do


async def test_the_server_is_killed(tmp_path: Path) -> None:
    assert await killing.kill(10, seed=1, data=tmp_path) > 500


async def test_a_network_in_bad_weather(tmp_path: Path) -> None:
    said, fates = await weather.storm(40, seed=2, data=tmp_path)
    assert said > 500
    assert set(fates) == set(proxy.FATES)


async def test_hostile_clients(tmp_path: Path) -> None:
    hostile.check(await hostile.campaign(0, tmp_path, full=False), full=False)
