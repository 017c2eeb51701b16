"""What stands around the line: what is on its way above it, and the toolbar below it."""

from prompt_toolkit.formatted_text import StyleAndTextTuples

from asyncchat.client.outbox import Outbox
from asyncchat.client.places import Place, Places
from asyncchat.client.render import label_of
from asyncchat.vocabulary.printable import printable

NAMES_SHOWN = 3
"""Names in the toolbar; the others are counted, so that it stays one line."""


def prompt_parts(places: Places, outbox: Outbox, *, offline: bool, writes: bool) -> StyleAndTextTuples:
    """What is on its way, a line each, and the prompt."""
    waiting = "not sent yet" if offline else "sending"
    parts: StyleAndTextTuples = []
    if outbox.hidden:
        parts.append(("class:pending", f"  … {outbox.hidden} more ({waiting})\n"))
    parts += [("class:pending", f"  … {line} ({waiting})\n") for line in outbox.shown()]
    if not writes:
        return [*parts, ("class:pending", "(only listening; Ctrl+C leaves) ")]
    parts.append(("class:prompt", f"{label_of(places.here.name)}> " if places.here is not None else "> "))
    return parts


def toolbar_parts(places: Places, *, offline: str, now: float) -> StyleAndTextTuples:
    """The connection's state (*offline* says what is wrong, if anything is), what is open, who types, who has read."""
    if offline:
        parts: StyleAndTextTuples = [("class:offline", f" ○ offline: {printable(offline)} ")]
    else:
        parts = [("class:online", f" ● {printable(places.me)} ")]
    for number, place in enumerate(places, 1):
        parts += [("", " "), _tab(number, place, places.here)]
    if places.here is not None:
        parts.append(("", _news_of(places.here, now)))
    return parts


def _tab(number: int, place: Place, here: Place | None) -> tuple[str, str]:
    label = f"{number}:{label_of(place.name)}"
    if place is here:
        return "class:here", label
    if place.unread:
        return ("class:mentioned" if place.mentioned else "class:unread"), f"{label}({place.unread})"
    return "", label


def _news_of(place: Place, now: float) -> str:
    typists = place.typists(now)
    if typists:
        return f"  {_some(typists)} {'is' if len(typists) == 1 else 'are'} typing…"
    readers = place.seen_by()
    if readers and place.own == place.last:
        return f"  seen by {_some(readers)}"
    return ""


def _some(names: list[str]) -> str:
    shown = ", ".join(map(printable, names[:NAMES_SHOWN]))
    return f"{shown} and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else shown
