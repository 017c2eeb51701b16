"""What does not fit is found by looking at the data, exactly where the decoder finds something too."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import Told
from asyncchat.vocabulary.mismatches import QUOTED, mismatches, parse
from tests.wire.structs import structs

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0.5, 1.0, -1, 200, 429, 600, "", "x" * 65, "text", "emperor", "owner", [], ["a"], [1], {}]),
)


def fits(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize("kind", [Command, Told])
@settings(max_examples=40)
@given(st.data())
def test_it_finds_something_exactly_where_the_decoder_does(kind: Any, data: st.DataObject) -> None:
    value = parse(msgspec.json.encode(data.draw(structs(kind))))
    assert list(mismatches(value, kind)) == []
    field = data.draw(st.sampled_from([*value, "type", "id", "seq", "text", "kind", "limit"]))
    if data.draw(st.booleans()):
        value[field] = data.draw(VALUES)
    else:
        value.pop(field, None)
    assert (next(mismatches(value, kind), None) is None) == fits(value, kind), value


def test_what_is_quoted_is_short_and_safe() -> None:
    value = {"type": "role", "room": "#a", "name": "b", "role": "k\x1b" * 1000}
    (found,) = mismatches(value, Command)
    assert found.unknown
    assert len(found.text) < 2 * QUOTED + 60
    assert found.text.isprintable()


def test_a_number_of_any_length_costs_nothing() -> None:
    line = b'{"type":"read","to":"#a","seq":' + b"9" * 60_000 + b"}"
    assert [found.path for found in mismatches(parse(line), Command)] == ["seq"]


@pytest.mark.parametrize("line", [b'{"a":NaN}', b"{", b"\xff", b'{"a":1}x'])
def test_what_is_no_json_is_not_parsed(line: bytes) -> None:
    with pytest.raises(ValueError):
        parse(line)


def test_json_is_parsed_as_it_is() -> None:
    value = {"a": [1, 2.5, None, True, "é"], "b": {"c": -7}}
    assert parse(json.dumps(value).encode()) == value
