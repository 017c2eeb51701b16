"""What `make bench` runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import run as benchmark
from benchmarks.scenarios import SCENARIOS, Figures, Kind, Scenario

ROOT = Path(__file__).parent.parent.parent


def figures(rate: float = 1000.0, p50: float = 2.0, faults: str = "") -> Figures:
    return Figures(deliveries_per_s=rate, cpu_us=0.5, p50_ms=p50, p99_ms=8.0, generator=0.5, faults=faults)


def test_a_pair_is_measured_beside_the_bare_loop() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", "--only", "D", "--runs", "1"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=50,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    for kind in Kind:
        (line,) = (line for line in ran.stdout.splitlines() if line.strip().startswith(kind.value))
        assert float(line.removeprefix(f"     {kind.value}").split()[0].replace(",", "")) > 0
    assert ran.stdout.count("p50 × ") == 2


async def test_it_fails_on_a_fault(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    told = {Kind.BARE: figures(), Kind.DURABLE: figures(rate=100.0, faults="1 deliveries lost")}

    async def one(scenario: Scenario, kind: Kind, *_: object) -> Figures:
        return told[kind]

    monkeypatch.setattr(benchmark, "one", one)
    assert await benchmark.compare([SCENARIOS[0]], None, 1) == 1
    assert "rate × 0.10, CPU × 1.00  NOT FAULTLESS: 1 deliveries lost" in capsys.readouterr().out


async def test_it_does_not_fail_because_of_a_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {Kind.BARE: figures(), Kind.DURABLE: figures(rate=0.001, p50=1e9)}

    async def one(scenario: Scenario, kind: Kind, *_: object) -> Figures:
        return told[kind]

    monkeypatch.setattr(benchmark, "one", one)
    assert await benchmark.compare([SCENARIOS[0]], None, 1) == 0
