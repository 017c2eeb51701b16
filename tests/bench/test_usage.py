import os
import subprocess
import sys
import time

import pytest

from asyncchat.bench.usage import cpu_time, memory, own_time

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")

GONE = 2**22 + 1  # more than the highest process number


def work(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_cpu_time_is_what_the_process_ran() -> None:
    before, own_before = cpu_time(os.getpid()), own_time()[0]
    work(0.05)
    after, own_after = cpu_time(os.getpid()), own_time()[0]
    assert before is not None
    assert after is not None
    assert 45_000_000 <= after - before <= 500_000_000
    assert 45_000_000 <= own_after - own_before <= 500_000_000


def test_memory_grows_with_what_is_held() -> None:
    holding = "import sys; held = bytearray(b'x' * 50_000_000); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        held = memory(process.pid)
        process.communicate()
    assert held is not None
    assert 50_000_000 < held < 200_000_000


def test_a_process_that_is_gone_takes_nothing_that_is_known() -> None:
    assert (cpu_time(GONE), memory(GONE)) == (None, None)
