"""Ctrl+C while a program starts: it ends at once, without a word."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asyncchat._start import INTERRUPTED
from tests.programs import ROOT

# Stops in the middle of the imports, at one of a module that both programs need, until a signal comes.
STOPPED = """
import runpy, signal, sys

class Stop:
    def find_spec(self, name, path=None, target=None):
        if name == "msgspec":
            print("importing", flush=True)
            signal.pause()

sys.meta_path.insert(0, Stop())
"""

AS_MODULE = 'runpy.run_module("asyncchat.{}", run_name="__main__", alter_sys=True)'
AS_SCRIPT = "from asyncchat.{}.__main__ import main; sys.exit(main())"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signal.pause, mkfifo")


def started(*words: str, stdout: int | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", *words], stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


@pytest.mark.parametrize("start", [AS_MODULE, AS_SCRIPT])
@pytest.mark.parametrize("name", ["client", "server"])
def test_during_its_imports(name: str, start: str) -> None:
    with started("-c", STOPPED + start.format(name), stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "importing\n"
        program.send_signal(signal.SIGINT)
        assert program.communicate()[1] == ""
    assert program.returncode == INTERRUPTED


@pytest.mark.parametrize(("name", "option"), [("client", "--password-file"), ("server", "--config")])
def test_while_it_reads_its_settings(name: str, option: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with started("-m", f"asyncchat.{name}", option, str(pipe)) as program, pipe.open("w"):  # it has opened it as well
        program.send_signal(signal.SIGINT)
        assert program.communicate()[1] == ""
    assert program.returncode == INTERRUPTED
