"""Lines of a server that is newer than this client: what is known of them is taken, the rest passed over."""

from types import UnionType
from typing import Any

import msgspec

from asyncchat.vocabulary.events import Event, KeptEvent, Member, Told
from asyncchat.vocabulary.mismatches import mismatches, parse
from asyncchat.vocabulary.terms import Code
from asyncchat.wire.native_problems import tags_of

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
