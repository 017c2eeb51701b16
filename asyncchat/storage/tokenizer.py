"""What counts as a word when messages are searched: in any script, whatever the case, width or accents.

FTS5 is given text in which every word stands between spaces, folded; its ``ascii`` tokenizer then splits it and leaves
all other scripts alone. Scripts that put no spaces between words (Chinese, Japanese, Thai, Khmer, …), and Hangul, whose
words carry endings, become overlapping pairs of characters: 日本語 is ``日本 本語 語``. To look for 日本 is to look for
a word then, to look for 日本語 for two words in a row, and to look for 語 for words that begin with it.

Punctuation is not in the index. What is typed with it (``C++``, ``.NET``, ``a/b``) is looked for by its words, and the
texts that have these are looked at: see `literals`.
"""

import re
import unicodedata

FOLDING = f"1/{unicodedata.unidata_version}"
"""Names this way to fold. An index made in another way must be made anew, or words could not be removed from it."""

_UNSPACED = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf"  # Thai, Lao, Burmese, Khmer, Tai
    "\u3005\u3007\u3041-\u312f\u31a0-\u31bf\u31f0-\u31ff"  # kana, bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\uac00-\ud7a3"  # Hangul
)
_RUN = re.compile(f"[{_UNSPACED}]+")
_RUN_AT_END = re.compile(f"[{_UNSPACED}]+$")

# Accents of Latin and Greek, the dots of ё, Hebrew points, Arabic vowels and the tatweel: some write them, most do not.
_MARKS = re.compile(
    "(?<=[a-z\u0370-\u03ff])[\u0300-\u036f]+|(?<=\u0435)\u0308"
    "|[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0640]+"
)

_VARIATION_SELECTORS = range(0xFE00, 0xFE10)  # they choose how the character before is drawn

CACHED_CHARACTERS = 20_000
"""Characters whose nature is remembered: more than a conversation uses, less than somebody could send."""


class _Characters(dict[int, str]):
    """For `str.translate`: letters, digits and marks stay, symbols (emoji too) are words of one, the rest separates."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if code in _VARIATION_SELECTORS:
            result = ""
        elif category[0] in "LNM" or category == "Co":
            result = character
        elif category[0] == "S":
            result = f" {character} "
        else:
            result = "" if category == "Cf" else " "
        if len(self) < CACHED_CHARACTERS:
            self[code] = result
        return result


_CHARACTERS = _Characters({ord(letter): plain for letter, plain in zip("ıłøđ", "ilod", strict=True)})
_CHARACTERS |= {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}


_APOSTROPHES = "'’‘"


class _Written(dict[int, str]):
    """For `str.translate`: all characters stay that `_Characters` keeps, or has as a word or as a separator."""

    def __missing__(self, code: int) -> str:
        kept = _CHARACTERS[code]
        result = "'" if chr(code) in _APOSTROPHES else kept.strip() or (kept and chr(code))
        if len(self) < CACHED_CHARACTERS:
            self[code] = result
        return result


_WRITTEN = _Written()


def index_text(text: str) -> str:
    """A message's text as the index gets it: words in ASCII letters and digits, or in any other characters."""
    return text.lower() if text.isascii() else _RUN.sub(_pairs, _fold(text))


def phrases(text: str) -> list[str]:
    """What a search looks for: each phrase is FTS5 syntax, and all must be found. Empty when there is no word in it.

    A piece between spaces is one phrase (``snake_case``, ``bob@example.com``): its words follow one another.
    """
    found = (_phrase(piece) for piece in text.split())
    return list(dict.fromkeys(phrase for phrase in found if phrase))


def _phrase(piece: str) -> str:
    folded = piece.lower() if piece.isascii() else _fold(piece)
    words = " ".join(_words(folded))
    if not words:
        return ""
    end = _RUN_AT_END.search(" ".join(folded.split()))
    if end is None:
        return f'"{words}"'
    if len(end[0]) == 1:
        return f'"{words}" *'
    # In a message the run may go on, so that its last character is not known to stand alone.
    return f'"{words[:-2]}"'


def _words(folded: str) -> list[str]:
    return _WORD.findall(_RUN.sub(_pairs, folded))


_OPENING = "\"'([{“‘„«¿¡「『"
_CLOSING = "\"')]}”’»」』,.;:!?。、"
"""Punctuation around a word that belongs to the sentence."""


def literals(text: str) -> list[str]:
    """What must stand in a message as it is typed, for `written`: the pieces that hold punctuation, but apostrophes.

    What belongs to the sentence around a word is left out: ``(hello!)`` is no more than hello. Opening dots stay.
    """
    pieces = (written(piece).lstrip(_OPENING).rstrip(_CLOSING) for piece in text.split())
    return list(dict.fromkeys(piece for piece in pieces if not all(map(_is_held, piece))))


def _is_held(character: str) -> bool:
    return character in _APOSTROPHES or not _CHARACTERS[ord(character)].isspace()


def written(text: str) -> str:
    """A text with its punctuation: whatever the case, width, accents, invisible characters and form of apostrophes."""
    return text.lower() if text.isascii() else _decomposed(text).translate(_WRITTEN)


_WORD = re.compile("[0-9a-z\u0080-\U0010ffff]+")
"""What the ``ascii`` tokenizer takes for a word, once letters are small."""


def _fold(text: str) -> str:
    return _decomposed(text).translate(_CHARACTERS)


def _decomposed(text: str) -> str:
    # What compatibility makes of a character may be a capital: ℡ is TEL.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFKC", _MARKS.sub("", decomposed))


def _pairs(run: re.Match[str]) -> str:
    characters = run[0]
    pairs = [characters[at : at + 2] for at in range(len(characters) - 1)]
    return f" {' '.join([*pairs, characters[-1]])} "


class Finder:
    """Finds in plain text what FTS5 finds in its index, for messages that are not in it yet."""

    def __init__(self, looked_for: list[str]) -> None:
        self._needles = [self._needle(phrase) for phrase in looked_for]

    def __call__(self, text: str) -> bool:
        """Does this message hold all that is looked for?"""
        words = f" {' '.join(_WORD.findall(index_text(text)))} "
        return all(needle in words for needle in self._needles)

    @staticmethod
    def _needle(phrase: str) -> str:
        words, _, prefix = phrase[1:].partition('"')
        return f" {words}" if prefix else f" {words} "
