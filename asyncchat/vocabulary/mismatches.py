"""Why decoded JSON does not fit a type of the vocabulary, found by looking at the data.

A decoding library says so as well, but its words are no interface: they change between its versions. What people are
told, and what a client takes for the word of a newer server, is decided here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import UnionType
from typing import Any, assert_never

from msgspec import inspect

from asyncchat.vocabulary.printable import printable

QUOTED = 40
"""Characters of foreign text that are quoted back: enough to recognise it."""

LONGEST_INTEGER = 20
"""Characters of the longest integer that any field takes (64 bits and a sign); longer ones are not converted at all."""

_OUT_OF_RANGE = float("inf")

_JSON = (
    inspect.StructType | inspect.StrType | inspect.IntType | inspect.FloatType | inspect.BoolType | inspect.NoneType
    | inspect.ListType | inspect.DictType | inspect.UnionType | inspect.EnumType | inspect.LiteralType
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One value that does not fit. ``path``: where it is, as ``rooms[1]`` (empty: the whole).

    ``unknown``: it is of the right kind but none of the values that are known, so that a newer program may have meant
    something by it. ``missing``: the name of a field that is not there.
    """

    path: str
    text: str
    unknown: bool = False
    missing: str | None = None


def parse(line: bytes) -> Any:
    """Any JSON as builtins; raises ValueError for what is none (bad UTF-8 too), RecursionError for deep nesting."""
    return json.loads(line.decode(), parse_int=_integer, parse_constant=_no_constant)


def mismatches(value: object, type: type | UnionType) -> Iterator[Mismatch]:
    """All that does not fit in a value as `parse` gives it; *type* is a Struct or a union of Structs."""
    return _find(value, _described(type), "")


@lru_cache(maxsize=256)
def _described(type: type | UnionType) -> inspect.Type:
    return inspect.type_info(type)


def _find(value: object, kind: Any, path: str) -> Iterator[Mismatch]:
    type: _JSON = kind
    match type:
        case inspect.UnionType():
            yield from _find_in_union(value, type, path)
        case inspect.StructType():
            yield from _find_in_struct(value, type, path)
        case inspect.ListType():
            if isinstance(value, list):
                for at, item in enumerate(value):
                    yield from _find(item, type.item_type, f"{path}[{at}]")
            else:
                yield _wrong_kind(value, type, path)
        case inspect.DictType():
            if isinstance(value, dict):
                for key, item in value.items():
                    yield from _find(item, type.value_type, f"{path}.{printable(key[:QUOTED])}")
            else:
                yield _wrong_kind(value, type, path)
        case inspect.EnumType() | inspect.LiteralType():
            yield from _find_in_choice(value, type, path)
        case inspect.StrType():
            if not isinstance(value, str):
                yield _wrong_kind(value, type, path)
            elif type.max_length is not None and len(value) > type.max_length:
                yield Mismatch(path, f"at most {type.max_length} characters")
            elif type.min_length is not None and len(value) < type.min_length:
                yield Mismatch(path, f"at least {type.min_length} characters")
        case inspect.IntType() | inspect.FloatType():
            yield from _find_in_number(value, type, path)
        case inspect.BoolType() | inspect.NoneType():
            if not _is_of(value, type):
                yield _wrong_kind(value, type, path)
        case _:
            assert_never(type)


def _find_in_union(value: object, type: inspect.UnionType, path: str) -> Iterator[Mismatch]:
    structs = [each for each in type.types if isinstance(each, inspect.StructType)]
    if structs and isinstance(value, dict):
        field = structs[0].tag_field
        if field is None or len(structs) == 1:
            yield from _find(value, structs[0], path)
        elif field not in value:
            yield Mismatch(path, f'the field "{field}" is missing', missing=field)
        elif not isinstance(value[field], str):
            yield Mismatch(_at(path, field), f"expected a string, got {_kind_of(value[field])}")
        else:
            meant = next((each for each in structs if each.tag == value[field]), None)
            if meant is None:
                yield Mismatch(_at(path, field), f"unknown: {_quoted(value[field])}", unknown=True)
            else:
                yield from _find(value, meant, path)
        return
    fitting = [each for each in type.types if _is_of(value, each)]
    if fitting:
        yield from _find(value, fitting[0], path)
    else:
        yield _wrong_kind(value, type, path)


def _find_in_struct(value: object, type: inspect.StructType, path: str) -> Iterator[Mismatch]:
    if not isinstance(value, dict):
        yield _wrong_kind(value, type, path)
        return
    for field in type.fields:
        if field.encode_name in value:
            yield from _find(value[field.encode_name], field.type, _at(path, field.encode_name))
        elif field.required:
            yield Mismatch(path, f'the field "{field.encode_name}" is missing', missing=field.encode_name)


def _find_in_choice(value: object, type: inspect.EnumType | inspect.LiteralType, path: str) -> Iterator[Mismatch]:
    known = [member.value for member in type.cls] if isinstance(type, inspect.EnumType) else list(type.values)
    if not any(value.__class__ is each.__class__ for each in known):
        yield _wrong_kind(value, type, path)
    elif isinstance(type, inspect.EnumType):
        try:
            type.cls(value)  # an enum may know what to take a value for that it has not
        except ValueError:
            yield Mismatch(path, _none_of(value, known), unknown=True)
    elif value not in known:
        yield Mismatch(path, _none_of(value, known), unknown=True)


def _find_in_number(value: object, type: inspect.IntType | inspect.FloatType, path: str) -> Iterator[Mismatch]:
    if not _is_of(value, type):
        yield _wrong_kind(value, type, path)
        return
    assert isinstance(value, int | float)
    if abs(value) == _OUT_OF_RANGE:
        yield Mismatch(path, "the number is out of range")
    elif type.ge is not None and value < type.ge:
        yield Mismatch(path, f"at least {type.ge}")
    elif type.le is not None and value > type.le:
        yield Mismatch(path, f"at most {type.le}")


# --- words ------------------------------------------------------------------------------------------------------------


def _at(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field


def _wrong_kind(value: object, type: _JSON, path: str) -> Mismatch:
    return Mismatch(path, f"expected {_kind(type)}, got {_kind_of(value)}")


def _none_of(value: object, known: list[Any]) -> str:
    return f"{_quoted(value)} is none of {', '.join(map(str, known))}"


def _quoted(value: object) -> str:
    text = str(value)
    return '"' + printable(text[:QUOTED]) + ('…"' if len(text) > QUOTED else '"')


def _is_of(value: object, type: Any) -> bool:
    match type:
        case inspect.NoneType():
            return value is None
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return (isinstance(value, int) and not isinstance(value, bool)) or value == _OUT_OF_RANGE
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case inspect.ListType():
            return isinstance(value, list)
        case inspect.DictType() | inspect.StructType():
            return isinstance(value, dict)
        case inspect.EnumType():
            return any(value.__class__ is member.value.__class__ for member in type.cls)
        case inspect.LiteralType():
            return any(value.__class__ is each.__class__ for each in type.values)
        case _:
            return isinstance(value, str)


def _kind(type: Any) -> str:
    match type:
        case inspect.UnionType():
            return " or ".join(dict.fromkeys(map(_kind, type.types)))
        case inspect.NoneType():
            return "null"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number"
        case inspect.FloatType():
            return "a number"
        case inspect.ListType():
            return "a list"
        case inspect.DictType() | inspect.StructType():
            return "an object"
        case inspect.EnumType():
            return _kind_of(next(iter(type.cls)).value)
        case inspect.LiteralType():
            return _kind_of(type.values[0])
        case _:
            return "a string"


def _kind_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_INTEGER else _OUT_OF_RANGE


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
