"""What is wrong with a line that is no command, in words, and which command it would have been."""

import re
from collections.abc import Iterator
from types import UnionType
from typing import get_args

import msgspec

from asyncchat.vocabulary.commands import Command, CommandId
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

SHOWN = 40
"""Characters of the client's own words that are quoted back: enough to recognise them."""


class _WithId(msgspec.Struct, gc=False):
    id: CommandId | None = None


class _WithType(msgspec.Struct, gc=False):
    type: str


_decode_id = msgspec.json.Decoder(_WithId).decode
_decode_type = msgspec.json.Decoder(_WithType).decode
_decode_bare_id = msgspec.json.Decoder(CommandId).decode

_ID_AT_START = re.compile(rb'\s*\{\s*(?:"type"\s*:\s*"\w*"\s*,\s*)?"id"\s*:\s*(-?\d{1,19}|"[^"\\]*")\s*[,}]', re.ASCII)
"""The ``id`` of a line that cannot be decoded, if it stands where no quoting can make it something else."""

_HALF_A_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u)")
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


def explain(line: bytes, error: Exception) -> Problem:
    """The answer to a *line* that was not decoded because of *error* (one of `BAD_JSON`)."""
    match error:
        case msgspec.ValidationError():
            text = _what_is_invalid(line, str(error))
        case UnicodeDecodeError():
            text = "the line is not UTF-8"
        case RecursionError():
            text = "the JSON is nested too deeply"
        case _:
            text = f"the line is not JSON: {_what_is_malformed(line, str(error))}"
    return Problem(Code.MALFORMED, text, id_of(line))


def _what_is_malformed(line: bytes, error: str) -> str:
    """Where the decoder says that the line ends too early, it may have looked for the other half of a pair there."""
    if error == "Input data was truncated" and _HALF_A_PAIR.search(line):
        return "half of an escaped utf-16 surrogate pair"
    return _lowered(error.removeprefix("JSON is malformed: "))


def _what_is_invalid(line: bytes, error: str) -> str:
    """Where msgspec says ``Expected `int`, got `str` - at `$.seq` ``, people are told which field of what."""
    message, _, path = error.rpartition(" - at `$")
    field = path.strip("`").removeprefix(".")
    kind = type_of(line)
    if field == "type" and kind is not None:
        return unknown_type(printable(kind[:SHOWN]))
    if not message:  # about the line as a whole
        missing = error.removeprefix("Object missing required field ")
        if missing == error:
            return "a command is a JSON object"
        return f'{kind or "a command"} needs the field "{missing.strip("`")}"'
    if len(message) > 2 * SHOWN:
        message = "the value is not allowed"
    return f'{kind or "a command"}: field "{field}": {_lowered(printable(message.replace("`", "")))}'


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


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
