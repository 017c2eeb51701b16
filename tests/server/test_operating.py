"""docs/operating.md names every setting, flag, limit and command, with the defaults that count."""

import re
import tomllib
from pathlib import Path

import pytest
from msgspec import structs

from asyncchat.core import expiry
from asyncchat.core.limits import LIMIT_NAMES, Limits
from asyncchat.core.settings import Settings
from asyncchat.server import admin, control, logs
from asyncchat.server.acceptor import CONTROL_CONNECTIONS
from asyncchat.server.config import BY_NAME, OPTIONS, Config, configure, parser
from asyncchat.server.listeners import RESERVED_DESCRIPTORS
from asyncchat.vocabulary import slash
from tests.markdown import ROOT, blocks
from tests.server.test_cli import LINE

DOCUMENT = ROOT / "docs" / "operating.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, list[str]]:
    """The rows of the table in a section, by the name in their first column."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert section
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section[1].splitlines() if line.startswith("| `")]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in lines}


def example() -> Config:
    (toml,) = blocks(DOCUMENT, "toml")
    return configure(
        tomllib.loads(toml.text), {}, folder=Path("/etc"), data=Path("/data"), read=lambda path: f"{path.name}\n"
    )


def test_every_setting_has_a_row_with_its_flags() -> None:
    table = rows("Settings")
    assert list(table) == [option.name for option in OPTIONS]
    offered = {action.dest: set(action.option_strings) for action in parser("1")._actions}
    for name, (flags, *_) in table.items():
        assert set(re.findall(r"--[\w-]+", flags)) == offered.get(name, set()), name


def test_every_flag_is_named() -> None:
    flags = {flag for action in parser("1")._actions for flag in action.option_strings}
    assert {flag for flag in flags - {"-h"} if f"`{flag}`" not in TEXT} == set()


def test_the_defaults_of_settings_are_right() -> None:
    table = rows("Settings")
    for name in ("name", "default_room", "founding", "registration"):
        assert table[name][2] == f"`{getattr(Settings(), name)}`"
    for name in ("guests", "insecure_passwords"):
        assert table[name][2] == str(getattr(Settings(), name)).lower()
    for option in OPTIONS:
        for choice in option.choices or ():
            assert f"`{choice}`" in table[option.name][1]


def test_every_limit_has_a_row_with_its_default_and_its_reason() -> None:
    table = rows("Limits")
    assert tuple(table) == LIMIT_NAMES
    defaults = {name: float(row[0].replace(",", "")) for name, row in table.items()}
    assert defaults == {name: float(value) for name, value in structs.asdict(Limits()).items()}
    assert all(of and why for _, of, why in table.values())


def test_the_example_loads_and_has_every_setting() -> None:
    (toml,) = blocks(DOCUMENT, "toml")
    named = tomllib.loads(toml.text).keys()
    assert BY_NAME.keys() - named == {"server_password"}  # it has its file there
    config = example()
    assert config.settings.motd == "motd.txt"
    assert config.settings.server_password == "password.txt"
    assert config.settings.limits == structs.replace(Limits(), text=8192, connections_per_address=20, rate=5.0)


def test_every_command_of_the_operator_is_named() -> None:
    section = TEXT.partition("## Operating a running server")[2].partition("\n## ")[0]
    names = {entry.names[0] for entry in slash.COMMANDS if slash.find(entry.names[0], operator=True)}
    assert "shutdown" in names
    assert {name for name in names if not re.search(rf"`{name}[ `]", section)} == set()


@pytest.mark.parametrize("words", re.findall(r"^asyncchat-server admin ([^#\n]+)", TEXT, re.MULTILINE))
def test_the_commands_of_admin_are_there(words: str) -> None:
    assert admin.parser().parse_args(words.split()).run


def test_every_command_of_admin_is_shown() -> None:
    shown = set(
        re.findall(r"^asyncchat-server admin (?:--(?:data|config) \S+ )?(accounts \S+|\S+)", TEXT, re.MULTILINE)
    )
    top = admin.parser()._subparsers
    assert top is not None
    (tasks,) = top._group_actions
    assert isinstance(tasks.choices, dict)
    (accounts,) = tasks.choices["accounts"]._subparsers._group_actions
    typed = {name for name in tasks.choices if slash.find(name, operator=True)} - {"accounts", "backup"}
    own = (tasks.choices.keys() - typed - {"accounts"}) | {f"accounts {name}" for name in accounts.choices}
    assert own <= shown
    assert shown - own <= typed


def test_the_lines_of_the_log_are_such_lines() -> None:
    (log,) = [block for block in blocks(DOCUMENT, "text") if block.heading == "The log"]
    assert all(LINE.fullmatch(line) for line in log.text.splitlines())


def test_the_numbers_in_the_text_are_right() -> None:
    assert expiry.EMPTY_ROOM_SECONDS == 60
    assert "goes a minute after the last person has left" in TEXT
    assert f"beyond\n{logs.WAITING:,} the newest are left out" in TEXT
    assert re.search(rf"keeps\s{RESERVED_DESCRIPTORS} for itself", TEXT)
    assert CONTROL_CONNECTIONS == 8
    assert "Eight connections to it" in TEXT
    assert control.NAME == "control.sock"
