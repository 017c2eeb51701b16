"""What is wrong with a line that is no command, in words, and which command it would have been."""

import json
import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, get_args

import msgspec

from asyncchat.vocabulary.commands import Command, CommandId
from asyncchat.vocabulary.events import Event, KeptEvent, Member, Told
from asyncchat.vocabulary.mismatches import QUOTED, mismatches, parse
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.terms import Code, Id
from asyncchat.wire.dialect import Problem
from asyncchat.wire.lines import TooLong

BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""All that decoding any bytes with msgspec can raise: bad JSON or a bad field, bad UTF-8, deep nesting."""


def tags_of(union: UnionType) -> list[str]:
    """The types of a union of Structs as they stand on the wire, in order."""
    return sorted(str(kind.__struct_config__.tag) for kind in get_args(union))


TYPES = tags_of(Command)

NO_OBJECT = "a command is a JSON object"
HALF_A_PAIR = "half of an escaped UTF-16 surrogate pair"

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class _WithId(msgspec.Struct, gc=False):
    id: CommandId | None = None


class _WithType(msgspec.Struct, gc=False):
    type: str


_decode_id = msgspec.json.Decoder(_WithId).decode
_decode_type = msgspec.json.Decoder(_WithType).decode
_decode_bare_id = msgspec.json.Decoder(CommandId).decode

_ID_AT_START = re.compile(rb'\s*\{\s*(?:"type"\s*:\s*"\w*"\s*,\s*)?"id"\s*:\s*(-?\d{1,19}|"[^"\\]*")\s*[,}]', re.ASCII)
"""The ``id`` of a line that cannot be decoded, if it stands where no quoting can make it something else."""

_LONE_HALF = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u)")
"""An escape that is no character without the one after it, which is not there."""


def type_of(line: bytes) -> str | None:
    """The ``type`` of a line, or None if it is no JSON object with one."""
    try:
        return _decode_type(line).type
    except BAD_JSON:
        return None


def id_of(line: bytes) -> Id | None:
    """The ``id`` of a line that is no good command, or None if it has none that could be used."""
    try:
        return _decode_id(line).id
    except BAD_JSON:
        pass
    found = _ID_AT_START.match(line)
    if found is None:
        return None
    try:
        identifier: Id = _decode_bare_id(found[1])
    except BAD_JSON:
        return None
    return identifier


def problem_of_long_line(line: TooLong) -> Problem:
    """The answer to a line over the limit."""
    return Problem(Code.TOO_LONG, "the line is too long", id_of(line.head))


def explain(line: bytes) -> Problem:
    """The answer to a *line* that no command could be decoded from, by what is in it."""
    return Problem(Code.MALFORMED, _explained(line), id_of(line))


def _explained(line: bytes) -> str:
    try:
        line.decode()
    except UnicodeDecodeError:
        return "the line is not UTF-8"
    if line.lstrip()[:1] == b"[":
        return NO_OBJECT  # however deep it is
    try:
        value = parse(line)
    except RecursionError:
        return "the JSON is nested too deeply"
    except ValueError as error:
        return f"the line is not JSON{_where(line, error)}"
    if not isinstance(value, dict):
        return NO_OBJECT
    found = next(mismatches(value, Command), None)
    if found is None:  # the strings are no Unicode text: nothing else is left that JSON can say and a command cannot
        return f"the line is not JSON: {HALF_A_PAIR}" if _holds_surrogate(value) else "the line is no command"
    if found.path == "type" and found.unknown:
        return unknown_type(printable(value["type"][:QUOTED]))
    kind = value.get("type")
    what = kind if found.path != "type" and isinstance(kind, str) else "a command"
    if found.missing is not None:
        return f'{what} needs the field "{found.missing}"'
    return f'{what}: field "{found.path}": {found.text}'


def _where(line: bytes, error: ValueError) -> str:
    """What makes it no JSON, as far as that is known."""
    text = line.decode()
    if _LONE_HALF.search(line):
        return f": {HALF_A_PAIR}"
    bare = _STRING.sub("", text)
    if '"' in bare or sum(map(bare.count, "{[")) > sum(map(bare.count, "}]")):
        return ": it ends too early"
    return f" (character {error.pos + 1})" if isinstance(error, json.JSONDecodeError) else ""


def _holds_surrogate(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def unknown_type(name: str) -> str:
    """The answer to a type that does not exist: which one was probably meant."""
    near = _nearest_type(name)
    hint = f'; did you mean "{near}"?' if near else f"; the types are {', '.join(TYPES)}"
    return f'unknown type "{name}"{hint}'


def _shortened(word: str) -> Iterator[str]:
    """The word itself, and the word without each of its letters."""
    yield word
    for at in range(len(word)):
        yield word[:at] + word[at + 1 :]


_TYPES_SHORTENED = {short: kind for kind in reversed(TYPES) for short in _shortened(kind) if len(short) > 1}


def _nearest_type(name: str) -> str | None:
    """The type that is one slip of the finger away.

    By lookup, not by comparing: a hostile client may send unknown types by the thousand.
    """
    return next((_TYPES_SHORTENED[short] for short in _shortened(name) if short in _TYPES_SHORTENED), None)


_EVENTS = frozenset(tags_of(Event))
_TOLD = frozenset(tags_of(Told))

_LISTS: dict[str, tuple[str, type | UnionType]] = {"history": ("events", KeptEvent), "members": ("members", Member)}
"""Results that can do without some of their items: the field that holds these, and what they are."""


def known_part_of(line: bytes, kind: str) -> Told | None:
    """What is known of a line of this type that could not be decoded; None: nothing, and nobody waits for it.

    Raises `msgspec.DecodeError` for what no server sends, however new it is.
    """
    if kind not in _TOLD:
        return None
    try:
        value = parse(line)
    except (ValueError, RecursionError) as error:
        raise msgspec.DecodeError("no JSON") from error
    if kind in _LISTS:
        field, item_type = _LISTS[kind]
        items = value.get(field)
        if isinstance(items, list):
            value[field] = [item for item in items if not _is_newer(item, item_type)]
        return _told(value)
    if not _is_newer(value, Told):
        return _told(value)
    if kind in _EVENTS:
        return None
    # A result: whoever asked for it must not wait for ever.
    return _told(value | {"type": "error", "code": Code.SERVER_FAULT, "text": "this client is too old for the reply"})


def _is_newer(value: object, type: type | UnionType) -> bool:
    """Does all that is wrong with a value come from what this program does not know yet?"""
    found = list(mismatches(value, type))
    return bool(found) and all(mismatch.unknown for mismatch in found)


def _told(value: dict[str, Any]) -> Told:
    told: Told = msgspec.convert(value, Told)
    return told
