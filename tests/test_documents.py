"""The documents agree with one another, with the files, and with what the programs say of themselves."""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

from asyncchat.vocabulary import slash
from tests.markdown import DOCUMENTS, ROOT, anchors, blocks, links, prose_of
from tests.programs import python
from tests.test_architecture import HOUSE

DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
PROGRAMS = {
    "asyncchat.server": "asyncchat-server",
    "asyncchat.client": "asyncchat",
    "benchmarks.load": "benchmarks.load",
}

named = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@named
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for link in links(document):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue  # another site
        file = (document.parent / target).resolve() if target else document
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
    assert broken == []


def test_links_are_found_and_broken_ones_too(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("# One two\n\n[x](#one-two), [y](b.md)\n\n```sh\n# [z](c.md)\n```\n\n## `One` two!\n", "utf-8")
    assert links(document) == ["#one-two", "b.md"]
    assert anchors(document) == {"one-two", "one-two-1"}
    assert [(block.language, block.heading, block.line) for block in blocks(document)] == [("sh", "One two", 6)]


@named
def test_files_that_are_named_exist(document: Path) -> None:
    """What looks like a path of the repository, or of the package, in a document."""
    text = document.read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:[\w.-]+/)+(?:[\w-]+\.(?:py|md|sh|toml|c))?)`", text))
    places = [ROOT, ROOT / "asyncchat", document.parent]
    assert [path for path in sorted(paths) if not any((place / path).exists() for place in places)] == []


def test_the_design_lists_the_packages_and_what_they_import() -> None:
    rows = re.findall(r"^\| `asyncchat\.(\w+)` \| .* \| (.*) \|$", DESIGN, re.MULTILINE)
    above = {name for name, _ in rows[: [imports for _, imports in rows].index("all of the above")]}
    words = {"nothing of ours": set[str](), "all of the above": above}
    listed = {name: words.get(imports) or set(re.findall(r"`([\w.]+)`", imports)) for name, imports in rows}
    assert listed == {name: room.own | {one or "asyncchat" for one in room.public} for name, room in HOUSE.items()}


@cache
def options(program: str) -> set[str]:
    """The options that a program's help names, and that of what it does besides."""
    helps = [["--help"], ["admin", "--help"], ["admin", "accounts", "create", "--help"]]
    output = ""
    for words in helps if program == "asyncchat.server" else helps[:1]:
        command = python("-m", program, *words)
        output += subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", output))


@pytest.mark.parametrize("program", PROGRAMS)
def test_options_that_are_named_exist(program: str) -> None:
    """In the commands of all documents: what stands after the program's name, up to a pipe or the line's end."""
    offered = options(program)
    call = rf"(?:{re.escape(program)}|(?<![\w/.-]){PROGRAMS[program]})(?= )((?:'[^'\n]*'|[^|&;`\n'])*)"
    unknown = []
    for document in DOCUMENTS:
        for words in re.findall(call, document.read_text(encoding="utf-8")):
            unknown += [
                f"{document.name}: {option}"
                for option in re.findall(r"(?<!\S)--?[a-zA-Z][\w-]*", words)
                if option not in offered
            ]
    assert unknown == []


@named
def test_long_options_that_are_named_exist_in_some_program(document: Path) -> None:
    offered = set[str]().union(*map(options, PROGRAMS))
    inline = set(re.findall(r"`(--[a-z][\w-]*)", document.read_text(encoding="utf-8")))
    assert inline - offered == set()


@named
def test_slash_commands_that_are_named_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named_here = set(re.findall(r"`(/[a-z]+)(?= [^`]*`|`)", text))
    others = {"/healthz", "/metrics", "/text"}  # paths of HTTP, and the text that //text says
    assert named_here - set(slash.names(client=True)) - others == set()


def test_the_package_shows_the_readme() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["readme"] == "README.md"


def test_the_changelog_speaks_of_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (Unreleased|\d+\.\d+\.\d+ · \d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)


@named
def test_lines_of_text_fit_a_screen(document: Path) -> None:
    """Tables and examples excepted, whose lines cannot be broken."""
    lines = enumerate(prose_of(document.read_text(encoding="utf-8")).splitlines(), start=1)
    assert [number for number, line in lines if len(line) > 120 and not line.startswith(("|", "    "))] == []
