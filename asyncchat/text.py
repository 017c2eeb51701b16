"""Words for people: events and results as lines, what can be typed after a slash, mentions, and what is safe to show.

for line in plain(render(event, View("alice"))):
print(printable(line))
"""

from asyncchat.vocabulary import slash
from asyncchat.vocabulary.mentions import mention_spans, mentions
from asyncchat.vocabulary.names import is_room, name_key
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.render import (
    CLOCK,
    FULL_CLOCK,
    INDENT,
    Line,
    Part,
    Style,
    View,
    answer,
    day_line,
    label_of,
    place_of,
    plain,
    render,
    same,
)

__all__ = [
    "CLOCK",
    "FULL_CLOCK",
    "INDENT",
    "Line",
    "Part",
    "Style",
    "View",
    "answer",
    "day_line",
    "is_room",
    "label_of",
    "mention_spans",
    "mentions",
    "name_key",
    "place_of",
    "plain",
    "printable",
    "render",
    "same",
    "slash",
]
