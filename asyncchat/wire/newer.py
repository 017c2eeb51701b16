"""Lines of a server that is newer than this client: what is known of them is taken, the rest passed over."""

from typing import Any

import msgspec

from asyncchat.vocabulary.events import Event, KeptEvent, Member, Told
from asyncchat.vocabulary.terms import Code
from asyncchat.wire.native_problems import tags_of

_EVENTS = frozenset(tags_of(Event))
_TOLD = frozenset(tags_of(Told))

_LISTS: dict[str, tuple[str, Any]] = {"history": ("events", KeptEvent), "members": ("members", Member)}
"""Results that can do without some of their items: the field that holds these, and what they are."""

_UNKNOWN = ("Invalid value", "Invalid enum value")
"""How msgspec begins when a type, or a value where only some are allowed, is none of those that it knows."""


def known_part_of(line: bytes, kind: str, error: msgspec.ValidationError) -> Told | None:
    """What is known of a line of this type, which was not decoded because of *error*; None: nothing, and nobody waits.

    Raises `msgspec.DecodeError` for what no server sends, however new it is.
    """
    if kind not in _TOLD:
        return None
    if kind in _LISTS:
        return _without_newer_items(line, *_LISTS[kind])
    if not _is_newer(error):
        raise error
    if kind in _EVENTS:
        return None
    # A result: who asked for it must not wait for ever.
    reply = {"type": "error", "code": Code.SERVER_FAULT, "text": "this client is too old to understand the reply"}
    told: Told = msgspec.convert(msgspec.json.decode(line, type=dict[str, Any]) | reply, Told)
    return told


def _without_newer_items(line: bytes, field: str, item_type: Any) -> Told:
    result = msgspec.json.decode(line, type=dict[str, Any])
    items = result.get(field)
    if isinstance(items, list):
        result[field] = [item for item in items if not _is_newer_item(item, item_type)]
    told: Told = msgspec.convert(result, Told)
    return told


def _is_newer_item(item: object, item_type: Any) -> bool:
    try:
        msgspec.convert(item, item_type)
    except msgspec.ValidationError as error:
        return _is_newer(error)
    return False


def _is_newer(error: msgspec.ValidationError) -> bool:
    return str(error).startswith(_UNKNOWN)
