"""Prints the oldest and the newest Python of this machine that pyproject.toml names, one a line.

It looks on PATH, among the versions of pyenv, and at the one that runs this. A Python counts if it works, which a shim
of pyenv need not, and can make environments, for which that of Debian needs python3-venv.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

NAMED = {
    (int(major), int(minor))
    for major, minor in re.findall(r"Python :: (\d+)\.(\d+)", Path("pyproject.toml").read_text(encoding="utf-8"))
}
ASK = "import ensurepip, sys, venv; print(*sys.version_info[:3])"


def version(program: Path) -> tuple[int, ...]:
    """Of a Python; empty if it is of no use."""
    asked = subprocess.run([program, "-c", ASK], capture_output=True, text=True, check=False)
    return () if asked.returncode else tuple(map(int, asked.stdout.split()))


folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep)]
folders += Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin")
programs = [folder / f"python{major}.{minor}" for folder in folders for major, minor in NAMED]
programs.append(Path(sys.executable))
found = {version(program): program for program in programs if os.access(program, os.X_OK)}
usable = sorted(version for version in found if version[:2] in NAMED)
print(found[usable[0]], found[usable[-1]], sep="\n")
