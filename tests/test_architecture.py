"""The state stands as docs/design.md draws it: who imports whom, what is public, how long a file may be."""

import ast
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "asyncchat"

NO_IO = frozenset({"asyncio", "logging", "socket", "sqlite3", "ssl", "threading"})
NO_CLOCK_NO_CHANCE = frozenset({"random", "time"})
PURE = NO_IO | NO_CLOCK_NO_CHANCE
# What would lead around these.
ROUNDABOUT = frozenset(
    {
        *("concurrent", "http", "multiprocessing", "os", "pathlib", "queue", "sched", "secrets", "select"),
        *("selectors", "shutil", "signal", "subprocess", "tempfile", "uuid"),
    }
)
CLOCK_CALLS = frozenset({"now", "today", "utcnow"})  # of datetime, whose types anybody may use


@dataclass(frozen=True, slots=True)
class Room:
    """What the modules of one package may import; None is anything."""

    own: frozenset[str]  # packages of the state, or modules of them, besides itself
    third_party: frozenset[str] | None = None
    forbidden: frozenset[str] = frozenset()  # modules of the standard library
    clock: bool = True
    public: frozenset[str] = frozenset()  # packages of which only what they offer may be used; "" is asyncchat itself


HOUSE = {
    "vocabulary": Room(frozenset(), frozenset({"msgspec", "precis_i18n"}), PURE, clock=False),
    "core": Room(frozenset({"vocabulary"}), frozenset({"msgspec"}), PURE | ROUNDABOUT, clock=False),
    "wire": Room(frozenset({"vocabulary"}), frozenset({"msgspec", "websockets"}), PURE | ROUNDABOUT, clock=False),
    "storage": Room(frozenset({"vocabulary"})),
    "server": Room(frozenset({"vocabulary", "core", "wire", "storage"})),
    "client": Room(frozenset({"vocabulary", "wire"})),
    # The parts of names and addresses, and bytes to lines, say nothing of the protocol.
    "console": Room(
        frozenset({"vocabulary.addresses", "vocabulary.names", "wire.lines"}), public=frozenset({"", "client"})
    ),
}

# What server and client may know of each other: the programs, and the client that lives in the server's process.
DOORS = {
    ("server/__main__.py", "console"),
    ("client/__main__.py", "console"),
    ("server/inprocess.py", "client"),
}


def imports(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    """Every module that a module imports, wherever in it, with the line; `from a import b` is `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


def violations(file: str, source: str) -> list[str]:
    """What the module at this path, from the package's folder, imports or calls against the rules."""
    package = file.partition("/")[0]
    room = HOUSE.get(package)
    if room is None:
        return []  # asyncchat itself, and programs beside the packages
    tree = ast.parse(source)
    module = f"{PACKAGE}.{file.removesuffix('.py').replace('/', '.')}"
    found = []
    for line, name in imports(tree, module):
        why = _refused(file, package, room, name)
        if why:
            found.append(f"{PACKAGE}/{file}:{line}: {package} must not import {name}: {why}")
    if not room.clock:
        found += [f"{PACKAGE}/{file}:{line}: {package} must not look at the clock" for line in clock_calls(tree)]
    return found


def _refused(file: str, package: str, room: Room, name: str) -> str:
    """Why this package must not import this module, or nothing."""
    top, _, rest = name.partition(".")
    if top == PACKAGE:
        other = rest.partition(".")[0]
        allowed = (
            other in {package, "__version__", "_files", "_loops", "_start", "_version"}
            or any(f"{rest}.".startswith(f"{one}.") for one in room.own)
            or any(_is_offered(rest, one) for one in room.public)
            or (file, other) in DOORS
        )
        return "" if allowed else f"it may import {sorted(room.own | {package})}, and what {sorted(room.public)} offer"
    if top in sys.stdlib_module_names:
        return "it does no I/O, and time and chance are arguments" if top in room.forbidden else ""
    if room.third_party is not None and top not in room.third_party:
        return f"it may use {sorted(room.third_party)}"
    return ""


def _is_offered(name: str, package: str) -> bool:
    """Is this one of the names that the package offers, or of those of a module that it offers, but no server's?"""
    offered = [f"{package}.{word}".lstrip(".") for word in import_module(f"{PACKAGE}.{package}".rstrip(".")).__all__]
    words = import_module(f"{PACKAGE}.server").__all__
    return any(f"{name}.".startswith(f"{one}.") for one in offered if one not in words)


def clock_calls(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS:
            holder = node.func.value
            named = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
            if named in {"date", "datetime"}:
                yield node.lineno


def modules() -> list[str]:
    folder = ROOT / PACKAGE
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))


# --- who imports whom --------------------------------------------------------------------------------------


def test_every_room_of_the_house_is_there() -> None:
    assert {file.partition("/")[0] for file in modules() if "/" in file} >= HOUSE.keys()


@pytest.mark.parametrize("file", modules())
def test_a_module_imports_what_its_package_may(file: str) -> None:
    assert violations(file, (ROOT / PACKAGE / file).read_text(encoding="utf-8")) == []


LOAD = """
import importlib, pkgutil, sys
state, package = sys.argv[1:]
found = importlib.import_module(f"{state}.{package}")
for module in pkgutil.walk_packages(found.__path__, found.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*sys.modules)
"""


@pytest.mark.parametrize("package", HOUSE)
def test_a_package_loads_no_other_than_it_may(package: str) -> None:
    """The same in a running interpreter: what comes in by any way, of the state itself."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD, PACKAGE, package],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    rooms = {name.split(".")[1] for name in run.stdout.split() if name.startswith(f"{PACKAGE}.")}
    doors = {other for file, other in DOORS if file.startswith(f"{package}/")}
    assert package in rooms
    room = HOUSE[package]
    assert rooms & HOUSE.keys() <= {one.partition(".")[0] for one in room.own | room.public} | {package} | doors


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("vocabulary/names.py", "import asyncio"),
        ("vocabulary/names.py", "import platformdirs"),
        ("vocabulary/names.py", "from asyncchat.core.rules import Chat"),
        ("core/rules.py", "import asyncchat.wire"),
        ("core/rules.py", "from asyncchat import storage"),
        ("core/rules.py", "from asyncchat.storage import store"),
        ("core/rules.py", "from .. import wire"),
        ("core/rules.py", "from ..wire import native"),
        ("core/__init__.py", "from ..wire import native"),
        ("core/rules.py", "def f():\n    import time"),
        ("core/rules.py", "if TYPE_CHECKING:\n    from asyncchat.server.app import ChatServer"),
        ("core/rules.py", "from time import monotonic as clock"),
        ("core/rules.py", "import random, re"),
        ("core/rules.py", "import secrets"),
        ("core/rules.py", "import logging.handlers"),
        ("core/rules.py", "from datetime import datetime\nnow = datetime.now()"),
        ("core/rules.py", "import datetime\nnow = datetime.datetime.now(datetime.UTC)"),
        ("core/rules.py", "import asyncchat"),
        ("core/rules.py", "from asyncchat import events"),
        ("wire/irc/parser.py", "import socket"),
        ("wire/native.py", "from asyncchat.core.rules import Chat"),
        ("storage/store.py", "from asyncchat.core.rules import Chat"),
        ("storage/store.py", "import asyncchat.wire.native as native"),
        ("server/app.py", "from asyncchat.client import connect"),
        ("client/chat.py", "from asyncchat.server import ChatServer"),
        ("client/chat.py", "from asyncchat.core import chat"),
        ("client/chat.py", "from asyncchat.storage import store"),
        ("client/console.py", "from asyncchat import ChatServer"),
        ("console/console.py", "from asyncchat.client.chat import NONCE_BYTES"),
        ("console/console.py", "from asyncchat.client import chat"),
        ("console/console.py", "from asyncchat.wire import native"),
        ("console/console.py", "from asyncchat.wire.plain import PlainDialect"),
        ("console/console.py", "from asyncchat import ChatServer"),
        ("console/console.py", "from asyncchat.core.limits import Limits"),
        ("console/console.py", "from asyncchat.vocabulary.render import render"),
        ("client/chat.py", "from asyncchat.console.painter import Painter"),
    ],
)
def test_a_planted_violation_is_found(file: str, source: str) -> None:
    found = violations(file, source)
    assert len(found) == 1
    assert found[0].startswith(f"{PACKAGE}/{file}:")
    assert f": {file.partition('/')[0]} must not " in found[0]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("vocabulary/names.py", "import re\nimport msgspec\nfrom precis_i18n import get_profile"),
        ("core/rules.py", "from datetime import datetime\nt = datetime.fromtimestamp(0)"),
        ("core/rules.py", "from asyncchat.vocabulary import events\nfrom . import rooms\nfrom .rooms import Room"),
        ("core/rules.py", "snapshot = room.now()"),
        ("core/__init__.py", "from . import chat\nfrom .chat import Chat\nfrom ..vocabulary import events"),
        ("server/app.py", "import asyncio, time\nfrom asyncchat import __version__\nimport asyncchat.core.rules"),
        ("server/__main__.py", "from asyncchat.console.terminal import open_terminal"),
        ("console/console.py", "from asyncchat import connect, events, __version__\nfrom asyncchat.events import Said"),
        ("console/console.py", "from asyncchat.client import Address\nfrom asyncchat.text import slash"),
        ("beside/load.py", "import asyncchat.server, asyncchat.client"),
    ],
)
def test_what_is_allowed_is_let_alone(file: str, source: str) -> None:
    assert violations(file, source) == []


# --- what is public ----------------------------------------------------------------------------------------


def declared(package: ModuleType) -> set[str]:
    """The names that a package declares for type checkers: they see nothing of what is imported when asked for."""
    assert package.__file__ is not None
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {node.names[0].name for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)}


OFFERED_MODULES = ("commands", "events")  # so that `events.Joined` is what happened and `commands.Join` what is asked


@pytest.mark.parametrize("name", [PACKAGE, f"{PACKAGE}.client", f"{PACKAGE}.server"])
def test_a_package_has_the_names_that_it_offers_and_no_others(name: str) -> None:
    package = import_module(name)
    assert dir(package) == package.__all__ == sorted(set(package.__all__))
    assert declared(package) == set(package.__all__)
    assert all(getattr(package, word) is not None for word in package.__all__)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nonsense'"):
        package.nonsense  # noqa: B018 - asked for


# What a program imports before it can say what Ctrl+C is to do.
@pytest.mark.parametrize("name", ["client", "server"])
def test_a_program_starts_with_next_to_no_imports(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", f"import {PACKAGE}.{name}.__main__, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    ours = {module for module in run.stdout.split() if module.startswith(PACKAGE)}
    modules = ("", "._start", f".{name}", f".{name}.__main__")
    assert ours == {PACKAGE + module for module in modules}
    assert not {"asyncio", "msgspec"} & set(run.stdout.split())


def defined(source: str) -> set[str]:
    """The names that a module defines at its top and does not hide with an underscore."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in found if not name.startswith("_")}


@pytest.mark.parametrize("name", OFFERED_MODULES)
def test_an_offered_module_offers_its_whole_vocabulary(name: str) -> None:
    offered, vocabulary = import_module(f"{PACKAGE}.{name}"), import_module(f"{PACKAGE}.vocabulary.{name}")
    assert set(offered.__all__) == defined((ROOT / PACKAGE / "vocabulary" / f"{name}.py").read_text(encoding="utf-8"))
    assert all(getattr(offered, word) is getattr(vocabulary, word) for word in offered.__all__)


# What a program that uses a part of this pays for.
@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("from asyncchat import connect", {"asyncchat.core", "asyncchat.server", "argon2", "sqlite3"}),
        ("from asyncchat import connect", {"asyncchat.console", "aioconsole", "prompt_toolkit"}),
        ("from asyncchat import ChatServer", {"asyncchat.client", "asyncchat.console", "prompt_toolkit"}),
        ("import asyncchat.console.pipes", {"asyncchat.server", "prompt_toolkit", "sqlite3"}),
    ],
)
def test_what_is_not_needed_is_not_imported(statement: str, absent: set[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert not absent & set(run.stdout.split())


# --- what stands in the files ------------------------------------------------------------------------------


@cache
def tracked() -> list[Path]:
    """The files of the repository; the test is skipped where there is none, as in an unpacked archive."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False, encoding="utf-8"
    )
    if listed.returncode:
        pytest.skip("this is no git repository")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def of_this_machine() -> list[str]:
    """Texts that only a file made for one machine would hold: where this checkout is, and hosts of registries."""
    places = [ROOT, ROOT.parent, Path.home()]
    common = {Path(place) for place in ("/", "/home", "/opt", "/srv", "/usr", "/var", "/app", tempfile.gettempdir())}
    hosts = ["py" + "pi.org", "python" + "hosted.org", "--index" + "-url", "--extra-index" + "-url", "npm" + "js"]
    return [f"{place.as_posix()}/" for place in places if place not in common] + hosts


def named(needles: list[str], text: str) -> list[str]:
    return [needle for needle in needles if needle in text]


def test_no_file_names_a_machine_or_a_registry() -> None:
    needles = of_this_machine()
    found = {
        path.relative_to(ROOT).as_posix(): hits
        for path in tracked()
        if (hits := named(needles, path.read_bytes().decode("utf-8", "replace")))
    }
    assert found == {}


def test_a_machine_or_a_registry_that_is_named_is_found() -> None:
    needles = of_this_machine()
    for needle in needles:
        assert needle in named(needles, f"see {needle}x")
    assert len(needles) >= 5
