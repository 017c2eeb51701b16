"""Another load generator, in C, in the place of our own: the one file of it is compiled into a temporary directory.

It is not part of this project. It prints one JSON object, with the fields that are read below.
"""

import asyncio
import json
import os
import subprocess
from pathlib import Path

from benchmarks.scenarios import Figures, Scenario

HELLO = '{"type":"hello","id":1,"name":"{name}","rooms":["#bench{room}"]}'
SAY = '{"type":"say","to":"#bench{room}","text":"{payload}"}'


def compile_into(folder: Path, source: Path) -> Path:
    """The program; raises CalledProcessError when it does not compile."""
    program = folder / source.stem
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", program, source, "-lm"], check=True)
    return program


async def measure(program: Path, scenario: Scenario, port: int, pid: int, cores: list[int]) -> Figures:
    """One measurement of the server that listens on this port."""
    options = {
        "port": port,
        "proto": "jsonl",
        "pid": pid,
        "clients": scenario.clients,
        "senders": scenario.senders,
        "messages": max(1, scenario.messages // scenario.senders),
        "window": scenario.window,
        "rate": scenario.rate,
        "login": HELLO,
        "login-ok": '"welcome"',
        "publish": SAY,
        "expect": scenario.clients,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    process = await asyncio.create_subprocess_exec(program, *words, "--json", stdout=asyncio.subprocess.PIPE)
    if cores:
        os.sched_setaffinity(process.pid, cores)
    out, _ = await process.communicate()
    told = json.loads(out)
    return Figures(
        deliveries_per_s=told["deliveries_per_s"],
        cpu_us=told["server_cpu_us_per_delivery"],
        p50_ms=told["p50_ms"],
        p99_ms=told["p99_ms"],
        generator=told["own_cpu_share"],
        faults=", ".join(f"{told[name]} {name}" for name in ("lost", "surplus", "torn", "disconnects") if told[name]),
    )
