"""The one filter that makes any text safe to show: on a terminal, to a plain peer, in a line of the log.

What a text could do to the one who reads it, and what is shown in its place:

- *Drive the terminal*: C0 controls (ESC, BEL, CR, ...), DEL, and the 8-bit C1 controls, which terminals obey as they
  do ESC sequences. C0 and DEL become their control pictures (``␛``), C1 becomes U+FFFD. A tab becomes four spaces.
- *Forge a line*: newlines, NEL, U+2028 and U+2029 become ``␊`` and ``␤``; with ``multiline`` newlines stay.
- *Turn text around or hide it*: bidirectional controls, zero-width and other default-ignorable characters (Unicode
  Standard, 5.21), tags, private use, unassigned code points and lone surrogates become U+FFFD.

- *Cover other lines*: of more than `MARKS_IN_A_ROW` marks on a letter the rest becomes one U+FFFD.
- *Forge a line by filling the one before*: of more than `BLANKS_IN_A_ROW` blanks the rest is left out.

But for blanks nothing is dropped: a reader sees that there was something. Every other character stays as it is.

Some invisible characters are part of how people write, and stay where they do that and nothing else, one at a
time: joiners between letters of the scripts that need them (Persian, the Indic scripts), joiners and
variation selectors in emoji, the variation selectors of Han and Mongolian characters, the tags of the three
flags that are made of them. There they change a glyph's shape and no cell of anybody else's text.
"""

import re
import unicodedata

MARKS_IN_A_ROW = 6
"""Marks on a letter that are shown: no writing stacks more, and each further one is drawn over the lines around."""

BLANKS_IN_A_ROW = 32
"""Blanks in a row that are shown: columns of text need so many, and a terminal's line is not filled by them."""

REPLACEMENT = "\ufffd"
TAB = "    "

_EMOJI = "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff" + (
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
"""Where emoji are or will be: kept even if this Python's Unicode tables do not know the newest yet."""

_JOINING = (  # letters and marks of scripts whose spelling needs joiners (RFC 5892, appendix A.1 and A.2)
    "\u0620-\u06dc\u06de-\u06ef\u06fa-\u06ff\u0710-\u074f\u0750-\u077f\u0780-\u07bf\u0840-\u085f\u08a0-\u08e1\u08e3-\u0dff"
    "\u0f40-\u0fbc\u1000-\u109f\u1780-\u17b3\u17b6-\u17d3\u1820-\u18aa\u1b00-\u1bff\ua840-\ua87f\uaa60-\uaa7f"
    "\ufb50-\ufdff\ufe70-\ufefc\U00011000-\U000110bc"
)
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_MONGOLIAN = "\u1820-\u18aa"
_PREPENDED = "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
"""Format characters that are seen: Arabic number signs and their like (Prepended_Concatenation_Mark)."""

_ORDINARY = " -~\u00a1-\u00a8\u00aa-\u00ac\u00af-\u02ff\u0400-\u0482\u048a-\u052f\u3041-\u3096\u30a1-\u30fa" + (
    "\u4e00-\u9fff\uac00-\ud7a3"
)
"""Letters and punctuation that need no further look: most of most texts."""

_INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
"""Default-ignorable characters that `str.isprintable` takes for printable: fillers and variation selectors."""

_TAGGED_FLAGS = "|".join(
    "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f" for region in ("gbeng", "gbsct", "gbwls")
)

_GAP = " " * (BLANKS_IN_A_ROW + 1)
_blanks = re.compile(f"[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u2800]{{{BLANKS_IN_A_ROW + 1},}}")
_rare = re.compile(f"[^{_ORDINARY}]{{{MARKS_IN_A_ROW + 1},}}")
_hidden = re.compile(f"[{_INVISIBLE}]")
_unusual = re.compile(
    f"(?=[^{_ORDINARY}])(?:"
    f"(?P<emoji>(?<=[{_EMOJI}])(?:\ufe0f?\u200d(?=[{_EMOJI}])|[\ufe0e\ufe0f])|(?<=[#*0-9])\ufe0f(?=\u20e3)"
    f"|(?<=\U0001f3f4)(?:{_TAGGED_FLAGS})|[{_EMOJI}{_PREPENDED}])"
    f"|(?P<joiner>(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}]))"
    f"|(?P<variant>(?<=[{_HAN}])[\ufe00-\ufe02\U000e0100-\U000e01ef]|(?<=[{_MONGOLIAN}])[\u180b-\u180d\u180f])"
    f"|\r\n|.)",
    re.DOTALL,
)
_FIXED = {
    **{chr(code): chr(0x2400 + code) for code in range(0x20)},
    "\t": TAB,
    "\x7f": "\u2421",
    "\x85": "\u2424",
    "\u2028": "\u2424",
    "\u2029": "\u2424",
    "\r\n": "\u240d\u240a",
}
_LINES = {"\n": "\n", "\r\n": "\n"}


def printable(text: str, *, multiline: bool = False) -> str:
    """The text with stand-ins for all that could harm its reader; the same text if there is nothing.

    With *multiline*, newlines stay (and CR LF becomes one). Applied again, it changes nothing.
    """
    if not text.isprintable() or _hidden.search(text) is not None:
        text = _unusual.sub(_shown_in_lines if multiline else _shown, text)
    if text.isascii():
        return text if _GAP not in text else _blanks.sub(_shortened, text)
    return _blanks.sub(_shortened, _rare.sub(_unstacked, text))


def _shortened(match: re.Match[str]) -> str:
    return match[0][:BLANKS_IN_A_ROW]


def _unstacked(match: re.Match[str]) -> str:
    """What no ordinary letter interrupts, with no more marks in a row than are shown."""
    shown: list[str] = []
    marks = 0
    for char in match[0]:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks <= MARKS_IN_A_ROW:
            shown.append(char)
        elif marks == MARKS_IN_A_ROW + 1:
            shown.append(REPLACEMENT)
    return "".join(shown)


def _shown_in_lines(match: re.Match[str]) -> str:
    return _LINES.get(match[0]) or _shown(match)


def _shown(match: re.Match[str]) -> str:
    found = match[0]
    match match.lastgroup:
        case "emoji":
            return found
        case "joiner" | "variant" if _stays_between_shown(match):
            return found
    fixed = _FIXED.get(found)
    if fixed is not None:
        return fixed
    if found.isprintable() and _hidden.match(found) is None:
        return found
    return found if found.isspace() else REPLACEMENT  # spaces of all scripts stay


def _stays_between_shown(match: re.Match[str]) -> bool:
    """The neighbours are shown themselves, so that the filter, applied again, keeps this too."""
    text = match.string
    after = text[match.end() : match.end() + 1] if match.lastgroup == "joiner" else ""
    return text[match.start() - 1].isprintable() and after.isprintable()
