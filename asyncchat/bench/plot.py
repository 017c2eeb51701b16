"""Latency against load, as a picture. matplotlib is the extra ``bench``, loaded only when somebody wants a picture."""

from importlib import import_module
from pathlib import Path

from asyncchat.bench.measure import Measured
from asyncchat.bench.workers import BenchError

INCHES = (8.0, 5.0)
DOTS_PER_INCH = 150

MISSING = "--plot needs matplotlib: pip install 'asyncchat[bench]'"


def check() -> None:
    """Raises `BenchError` when there is no matplotlib: better before the measurement than after."""
    try:
        import_module("matplotlib.figure")
    except ImportError as error:
        raise BenchError(MISSING) from error


def draw(measured: Measured, file: Path) -> None:
    """Draw the runs that had a rate; raises `BenchError` when the file cannot be written."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    plan = measured.plan
    steps = sorted((run for run in measured.runs if run.rate), key=lambda run: run.rate)
    each = plan.clients / plan.rooms
    load = [run.rate * each for run in steps]
    figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    for name, values in (
        ("99.9 %", [run.latency_ms.p999 for run in steps]),
        ("99 %", [run.latency_ms.p99 for run in steps]),
        ("median", [run.latency_ms.p50 for run in steps]),
    ):
        axes.plot(load, values, marker="o", label=name)
    for run in measured.runs:
        if not run.rate:
            axes.axvline(run.deliveries_per_s, linestyle="--", color="grey", label="as fast as possible")
    axes.set(
        xlabel="load: deliveries a second that are asked for",
        ylabel="latency, ms",
        xscale="log",
        yscale="log",
        title=f"{plan.clients:,} clients, {plan.rooms:,} room(s), {plan.size} bytes a message",
    )
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    try:
        figure.savefig(file, format="png")
    except OSError as error:
        raise BenchError(f"cannot write {file}: {error.strerror}") from error
