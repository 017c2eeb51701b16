"""What stands around the line: what is on its way above it, and the toolbar below it."""

from itertools import accumulate

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.utils import get_cwidth

from asyncchat.commands import Say
from asyncchat.console.places import Place, Places
from asyncchat.text import label_of, printable

NAMES_SHOWN = 3
"""Names in the toolbar; the others are counted, so that it stays one line."""

SHOWN = 5
"""Lines on their way that are shown; the rest is counted, so that they never fill the screen."""


class Outbox:
    """What was typed and is on its way, in that order: messages, by nonce, and commands, by number.

    It is shown as such until it has come back with everybody's messages, or is answered.
    """

    def __init__(self) -> None:
        self._lines: dict[str | int, str] = {}
        self._commands = 0

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, say: Say) -> None:
        """A message was typed; it has a nonce."""
        assert say.nonce is not None, "it is recognised by its nonce when it comes back"
        self._lines[say.nonce] = printable(f"{label_of(say.to)} {say.text}")

    def add_command(self, line: str) -> int:
        """A command was typed, as this line, which holds no password; returns its number."""
        self._commands += 1
        self._lines[self._commands] = printable(line)
        return self._commands

    def done(self, key: str | int | None) -> bool:
        """The message came back, the command was answered, or one of them failed; False if it is none of these."""
        return key is not None and self._lines.pop(key, None) is not None

    def shown(self) -> list[str]:
        """The last lines, oldest first, safe for a terminal."""
        return list(self._lines.values())[-SHOWN:]

    @property
    def hidden(self) -> int:
        """How many are not `shown`."""
        return max(len(self._lines) - SHOWN, 0)


def prompt_parts(places: Places, outbox: Outbox, *, offline: bool, writes: bool) -> StyleAndTextTuples:
    """What is on its way, a line each, and the prompt."""
    waiting = "not sent yet" if offline else "sending"
    parts: StyleAndTextTuples = []
    if outbox.hidden:
        parts.append(("class:pending", f"  … {outbox.hidden} more ({waiting})\n"))
    parts += [("class:pending", f"  … {line} ({waiting})\n") for line in outbox.shown()]
    if not writes:
        return [*parts, ("class:pending", "(only listening; Ctrl+C leaves) ")]
    parts.append(("class:prompt", f"{places.here.label}> " if places.here is not None else "> "))
    return parts


def toolbar_parts(places: Places, *, offline: str, now: float, columns: int) -> StyleAndTextTuples:
    """The connection's state, what is open, who types, who has read, and what is wrong (*offline*), if anything is.

    It is one line of *columns*, what is least needed at its end: what does not fit there is cut off.
    """
    state = ("class:offline", " ○ offline ") if offline else ("class:online", f" ● {printable(places.me)} ")
    parts: StyleAndTextTuples = [state, *_tabs(places, columns - get_cwidth(state[1]))]
    if places.here is not None:
        parts.append(("", _news_of(places.here, now)))
    if offline:
        parts.append(("class:offline", f"  {printable(offline)}"))
    return parts


def _tabs(places: Places, columns: int) -> StyleAndTextTuples:
    """A tab for each place, if so many fit; if not, first for where one is, is called, has something unread."""
    here = places.here
    tabs = [(place, _tab(number, place, here)) for number, place in enumerate(places, 1)]
    needed = sorted(tabs, key=lambda tab: (tab[0] is not here, not tab[0].mentioned, not tab[0].unread))
    shown = _fitting([text for _, (_, text) in needed], columns)
    if shown < len(tabs):
        shown = max(_fitting([text for _, (_, text) in needed], columns - len(f" +{len(tabs)}")), 1)
    chosen = [id(place) for place, _ in needed[:shown]]
    parts: StyleAndTextTuples = []
    for place, tab in tabs:
        if id(place) in chosen:
            parts += [("", " "), tab]
    return [*parts, ("", f" +{len(tabs) - shown}")] if shown < len(tabs) else parts


def _fitting(texts: list[str], columns: int) -> int:
    """How many of these texts, in their order and with a blank before each, fit into so many columns."""
    ends = accumulate(get_cwidth(text) + 1 for text in texts)
    return sum(1 for end in ends if end <= columns)


def _tab(number: int, place: Place, here: Place | None) -> tuple[str, str]:
    label = f"{number}:{place.label}"
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
