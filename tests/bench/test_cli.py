import itertools
import sys
from pathlib import Path

import msgspec
import pytest

from asyncchat.bench import cli, plot, report
from asyncchat.bench.measure import Job, Joining, Measured, ladder
from asyncchat.bench.orders import Done, Talked
from asyncchat.bench.plan import Plan, Run
from asyncchat.bench.result import Result, summarise

PLAN = Plan(address="", run="abc123", clients=4, senders=2)
SECOND = 1_000_000_000


def done(**changes: object) -> Done:
    counted = Done(
        deliveries=40,
        duplicates=0,
        disorder=0,
        strays=0,
        gaps=0,
        disconnects=0,
        last=SECOND,
        latency={100: 40},
        latency_highest=100,
        latency_total=4000,
        order={0: 1},
        send_lag=0,
        busy=SECOND // 2,
        kept_waiting=0,
        wall=SECOND,
        troubles=[],
    )
    return msgspec.structs.replace(counted, **changes)


def result(*of: Done, run: Run | None = None, said: int = 10) -> Result:
    return summarise(PLAN, run or Run(), 0, [Talked({0: said}, {})], list(of) or [done()], SECOND)


def measured(*runs: Result, limits: dict[str, int | float] | None = None) -> Measured:
    return Measured(
        server="tcp://127.0.0.1:7777",
        version="asyncchat 1",
        plan=PLAN,
        limits=limits or {},
        joining=Joining(seconds=1.0, server_cpu=None, memory=10240),
        runs=list(runs),
    )


def told(*runs: Result) -> str:
    return "\n".join(report.lines(measured(*runs)))


# --- results --------------------------------------------------------------------------------------------------------


def test_figures_are_made_of_the_counts_of_all_processes() -> None:
    half = done(deliveries=20, latency={100: 20}, latency_total=2000, last=SECOND // 2)
    together = result(half, msgspec.structs.replace(half, last=2 * SECOND))
    assert (together.expected, together.deliveries, together.lost) == (40, 40, 0)
    assert together.seconds == 2.0
    assert together.deliveries_per_s == 20.0
    assert together.server_cpu_us == 25_000.0
    assert together.latency_ms.p50 == together.latency_ms.max == 0.0001
    assert together.faultless


def test_what_did_not_come_is_lost() -> None:
    assert result(done(deliveries=39)).lost == 1
    assert not result(done(deliveries=39)).faultless


def test_another_order_in_another_process_is_disorder() -> None:
    half = done(deliveries=20)
    assert result(half, msgspec.structs.replace(half, order={0: 2})).disorder == 1
    assert result(half, half).disorder == 0


@pytest.mark.parametrize(
    ("changes", "limited"),
    [
        ({"busy": SECOND // 2}, False),
        ({"busy": SECOND}, True),
        ({"busy": SECOND // 2, "kept_waiting": SECOND // 2}, True),
    ],
)
def test_a_generator_that_has_no_more_to_give_says_so(changes: dict[str, int], limited: bool) -> None:
    run = result(done(**changes))
    assert run.generator_limited is limited
    assert ("THE GENERATOR WAS THE BOTTLENECK" in told(run)) is limited


def test_one_busy_process_of_the_generator_is_enough() -> None:
    assert result(done(deliveries=20, busy=SECOND), done(deliveries=20, busy=0)).generator_limited


def test_a_server_that_does_not_keep_up_is_told() -> None:
    assert "did not keep up" in told(result(run=Run(rate=20.0)))
    assert "did not keep up" not in told(result(run=Run(rate=10.0)))


def test_faults_are_told_and_nothing_is_praised() -> None:
    text = told(result(done(deliveries=38, duplicates=3, troubles=["client 7: the server closed the connection"])))
    assert "2 deliveries lost, 3 delivered again" in text
    assert "client 7: the server closed the connection" in text
    assert "all came" not in text


def test_several_runs_end_with_a_table() -> None:
    text = told(result(), result(run=Run(rate=10.0)))
    *_, head, fast, steady = text.splitlines()
    assert "deliveries/s" in head
    assert fast.split()[:5] == ["as", "fast", "as", "possible", "40"]
    assert steady.split()[:3] == ["10", "messages/s", "40"]


def test_a_ladder_leads_up_to_what_the_server_takes() -> None:
    first = result(said=1000)
    rates = [run.rate for run in ladder(Run(seconds=3), first)]
    assert rates == sorted(set(rates))
    assert 0 < rates[0] < rates[-1] < first.messages_per_s
    assert all(run.seconds == 3 for run in ladder(Run(seconds=3), first))


# --- the command line -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--clients", "0"],
        ["--clients", "1000000"],
        ["--clients", "many"],
        ["--clients", "2", "--rooms", "3"],
        ["--clients", "2", "--senders", "3"],
        ["--clients", "2", "--processes", "3"],
        ["--size", "10"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--rate", "10,"],
        ["--duration", "inf"],
        ["--pid", "1"],
        ["localhost", "--data", ":memory:"],
        ["tls://localhost"],
        ["192.0.2.1"],
        ["tcp://"],
        ["--no-such-option"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "asyncchat.bench: error: " in shown.err


def jobs(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Job:
    """The job of a command line, not done."""
    asked: list[Job] = []

    def run(job: Job, _: object) -> Measured:
        asked.append(job)
        return measured(result())

    monkeypatch.setattr(cli, "run_job", run)
    assert cli.main(arguments) == 0
    return asked[0]


def test_what_is_not_said_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    job = jobs(monkeypatch)
    assert (job.plan.clients, job.plan.rooms, job.plan.senders, job.plan.window) == (100, 1, 4, 64)
    assert (job.address, job.data, job.ladder) == (None, None, False)
    (run,) = job.runs
    assert (run.rate, run.seconds) == (0.0, cli.SECONDS)


def test_another_machine_needs_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    job = jobs(monkeypatch, "192.0.2.1:7000", "--remote")
    assert str(job.address) == "tcp://192.0.2.1:7000"


def test_rates_are_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    job = jobs(monkeypatch, "--rate", "10,20.5")
    assert [(run.rate, run.seconds) for run in job.runs] == [(10.0, cli.STEP_SECONDS), (20.5, cli.STEP_SECONDS)]


def test_two_measurements_have_different_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert jobs(monkeypatch).plan.run != jobs(monkeypatch).plan.run


def test_the_clients_of_all_processes_are_all_clients() -> None:
    for clients, rooms, processes in ((10, 1, 3), (10, 3, 2), (7, 5, 4), (4, 4, 4)):
        plan = Plan(address="", run="abc123", clients=clients, rooms=rooms, processes=processes)
        shares = [plan.clients_of(process) for process in range(processes)]
        assert sorted(itertools.chain(*shares)) == list(range(clients))
        assert all(shares) or rooms >= processes
        assert sum(plan.members(room) for room in range(rooms)) == clients


# --- the picture ----------------------------------------------------------------------------------------------------


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "latency.png"
    plot.draw(measured(result(), *(result(run=Run(rate=rate)) for rate in (5.0, 10.0))), file)
    assert file.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_a_picture_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "run_job", lambda *_: measured(result(run=Run(rate=5.0))))
    assert cli.main(["--plot", str(tmp_path / "none" / "latency.png")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_a_picture_without_matplotlib_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    monkeypatch.setattr(cli, "run_job", lambda *_: pytest.fail("it was measured"))
    assert cli.main(["--plot", "latency.png"]) == 1
    assert "pip install 'asyncchat[bench]'" in capsys.readouterr().err
