"""What `make bench` runs."""

import pytest

from benchmarks import run as benchmark
from benchmarks.generator import Result
from tests.programs import python, run


def result(rate: float = 1000.0, p50: float = 2.0, faults: dict[str, int] | None = None) -> Result:
    return Result(
        rate=0.0,
        messages_per_s=rate / 10,
        deliveries=1000,
        deliveries_per_s=rate,
        latency_ms={"p50": p50, "p99": 8.0},
        server_cpu=0.5,
        server_cpu_us=0.5,
        generator_busy=0.5,
        faults=faults or {},
        details=[],
    )


def compare(monkeypatch: pytest.MonkeyPatch, other: Result) -> int:
    """The exit status when a server is measured that is like this."""
    told = {benchmark.BARE: [result(), result(900.0), result(2000.0)], benchmark.DURABLE: [other]}
    monkeypatch.setattr(benchmark, "measure", lambda scenario, kind, core, runs: told[kind])
    monkeypatch.setattr(benchmark, "pin", lambda: None)
    return benchmark.main(["--only", "A"])


async def test_a_pair_is_measured_beside_the_bare_loop() -> None:
    status, out, error = await run(*python("-m", "benchmarks.run", "--only", "D", "--runs", "1"))
    assert (status, error) == (0, "")
    for kind in benchmark.SCENARIOS["D"].servers:
        (line,) = (line for line in out.splitlines() if line.strip().startswith(kind))
        assert float(line.removeprefix(f"     {kind}").split()[0].replace(",", "")) > 0
    assert out.count("p50 × ") == 2


def test_it_fails_on_a_fault(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(monkeypatch, result(rate=100.0, faults={"lost": 1})) == 1
    shown = capsys.readouterr().out
    assert "rate × 0.10, CPU × 1.00" in shown
    assert "FAULTS: {'lost': 1}" in shown


def test_it_does_not_fail_because_of_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compare(monkeypatch, result(rate=0.001, p50=1e9)) == 0
