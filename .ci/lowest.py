"""Prints, as a constraints file, the lowest version of each dependency that pyproject.toml admits."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
groups = [project["dependencies"], *project["optional-dependencies"].values()]
for requirement in (requirement for group in groups for requirement in group):
    if found := re.match(r"([\w-]+)(?:\[\w+\])?>=([\w.]+)", requirement):
        print(f"{found[1]}=={found[2]}")
