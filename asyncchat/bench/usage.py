"""What processes take of the machine: CPU time and memory, as far as the system tells (Linux: /proc), else None."""

import os
import time
from pathlib import Path

_TICK = 1_000_000_000 // (os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100)


def cpu_time(pid: int) -> int | None:
    """CPU time of all of a process's threads, in nanoseconds."""
    times = [_of_thread(thread) for thread in _threads(pid)]
    known = [time for time in times if time is not None]
    return sum(known) if known else None


def memory(pid: int) -> int | None:
    """Memory of a process that is in RAM, in bytes."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return None


def own_time() -> tuple[int, int]:
    """Nanoseconds that this process ran, and that it was kept waiting for a core although it could have run."""
    try:
        _, waited, *_ = Path("/proc/self/schedstat").read_text("ascii").split()
    except (OSError, ValueError):
        waited = "0"
    return time.process_time_ns(), int(waited)


def _threads(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def _of_thread(thread: Path) -> int | None:
    """From schedstat where the kernel has it, else in ticks of a hundredth of a second; None: it has ended."""
    try:
        return int((thread / "schedstat").read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        pass
    try:
        fields = (thread / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK
    except (OSError, ValueError, IndexError):
        return None
