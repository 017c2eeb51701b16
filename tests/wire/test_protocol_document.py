"""docs/protocol.md says what the code does: all types, all fields, their types, and examples that are real."""

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from msgspec import inspect

from asyncchat.core.limits import Limits
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import Event, Result
from asyncchat.vocabulary.terms import Code, Role, State
from asyncchat.wire import sniff
from asyncchat.wire.dialect import Problem
from asyncchat.wire.native import EventReader, NativeDialect, encode_command, encode_event

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
CHAPTERS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
KINDS = [
    *(("Commands", kind) for kind in get_args(Command)),
    *(("Events", kind) for kind in get_args(Event)),
    *(("Results", kind) for kind in get_args(Result)),
]
WORDS = {Role: "role", State: "state", Code: "code"}


def sections(chapter: str) -> dict[str, str]:
    return dict(re.findall(r"^### `(.+?)`\n(.*?)(?=^### |\Z)", CHAPTERS[chapter], re.MULTILINE | re.DOTALL))


def tag(kind: Any) -> str:
    return str(kind.__struct_config__.tag)


def rows(text: str) -> list[list[str]]:
    """The cells of a table's rows, its head left out."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines if "---" not in line[0]][1:]


def described(kind: inspect.Type) -> str:
    """How the document calls a type."""
    match kind:
        case inspect.UnionType(types=types):
            known = [each for each in types if not isinstance(each, inspect.NoneType)]
            return described(known[0])
        case inspect.Metadata(type=inner):
            return described(inner)
        case inspect.StrType():
            return "string"
        case inspect.IntType():
            return "integer"
        case inspect.FloatType():
            return "number"
        case inspect.BoolType():
            return "boolean"
        case inspect.LiteralType():
            return "kind"
        case inspect.EnumType(cls=cls):
            return WORDS[cls]
        case inspect.ListType(item_type=item):
            return {"string": "list of strings", "integer": "list of integers", "object": "list of objects"}[
                described(item)
            ]
        case inspect.DictType() | inspect.StructType():
            return "object"
    raise TypeError(kind)


def fields(kind: Any) -> list[tuple[str, str]]:
    """The fields of a Struct, and of the Structs that are its lines, as the document should list them."""
    found: list[tuple[str, str]] = []
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        if field.encode_name == "id":
            continue  # described once for all
        found.append((field.encode_name, described(field.type) + ("" if field.required else ", optional")))
        if isinstance(field.type, inspect.ListType) and isinstance(field.type.item_type, inspect.StructType):
            found += fields(field.type.item_type.cls)
    return found


@pytest.mark.parametrize("chapter", ["Commands", "Events", "Results"])
def test_every_type_has_its_section_and_no_other_has(chapter: str) -> None:
    assert list(sections(chapter)) == [tag(kind) for where, kind in KINDS if where == chapter]


@pytest.mark.parametrize(("chapter", "kind"), KINDS)
def test_every_field_is_described(chapter: str, kind: Any) -> None:
    table = rows(sections(chapter)[tag(kind)])
    listed = [(row[0].strip("`"), row[1]) for row in table]
    assert sorted(listed) == sorted(fields(kind))
    assert all(row[2] for row in table)


@pytest.mark.parametrize(("chapter", "kind"), KINDS)
def test_every_example_is_real(chapter: str, kind: Any) -> None:
    (example,) = re.findall(r"```json\n(.*?)\n```", sections(chapter)[tag(kind)], re.DOTALL)
    assert "\n" not in example
    line = example.encode() + b"\n"
    if chapter == "Commands":
        (request,) = NativeDialect(0).receive(line)
        assert isinstance(request, tuple)
        command, _ = request
        assert command is not None
        assert type(command) is kind
        back = encode_command(command)
    else:
        (event,) = EventReader().receive(line)
        assert type(event) is kind
        back = encode_event(event)
    assert msgspec.json.decode(back) == msgspec.json.decode(line)


def test_every_line_of_the_talk_is_real() -> None:
    lines = re.findall(r"^    ([→←]) (\{.*\})$", CHAPTERS["A talk"], re.MULTILINE)
    assert len(lines) == 8
    for arrow, line in lines:
        line = line.replace(",…}", "}")
        if '"welcome"' in line:
            line = line[:-1] + ',"server":"","version":"","time":"","limits":{}}'
        if arrow == "→":
            (request,) = NativeDialect(0).receive(line.encode() + b"\n")
            assert not isinstance(request, Problem)
        else:
            assert len(EventReader().receive(line.encode() + b"\n")) == 1


def test_every_code_is_described() -> None:
    assert [int(row[0]) for row in rows(CHAPTERS["Codes"])] == list(Code)
    assert all(row[1] for row in rows(CHAPTERS["Codes"]))


def test_every_limit_is_described() -> None:
    listed = {row[0].strip("`"): row[1].replace(",", "") for row in rows(CHAPTERS["Limits"])}
    assert listed == {
        name: f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in msgspec.structs.asdict(Limits()).items()
    }


@pytest.mark.parametrize("opening", sniff.OPENINGS)
def test_the_first_bytes_are_described(opening: bytes) -> None:
    kind = sniff.OPENINGS[opening]
    described_as = {
        sniff.Kind.NATIVE: "the native protocol",
        sniff.Kind.HTTP: "HTTP",
        sniff.Kind.REFUSED_HTTP: "405",
        sniff.Kind.IRC: "IRC",
        sniff.Kind.TLS: "TLS",
    }[kind]
    (first,) = [row[0] for row in rows(CHAPTERS["What the port speaks"]) if row[1].startswith(described_as)]
    match kind:
        case sniff.Kind.TLS:
            assert "TLS handshake" in first
        case sniff.Kind.REFUSED_HTTP:
            assert "any other HTTP verb and a target" in first
        case sniff.Kind.HTTP:
            assert f"`{opening.decode().split()[0]} /`" in first
        case _:
            assert f"`{opening.decode()}`" in first


def test_links_lead_somewhere() -> None:
    headings: list[str] = []
    for heading in re.findall(r"^##+ (.+)$", DOCUMENT, re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        seen = sum(
            known == anchor or re.fullmatch(rf"{re.escape(anchor)}-\d+", known) is not None for known in headings
        )
        headings.append(f"{anchor}-{seen}" if seen else anchor)
    for link in re.findall(r"\]\(#(.+?)\)", DOCUMENT):
        assert link in headings
