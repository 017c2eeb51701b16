"""Mentions: where names stand in a text. One answer for the server, which counts them, and clients, which highlight.

The text is folded as names are (see `names`: width, case, composition), so that ``STRASSE`` mentions ``Straße``. A name
is mentioned where it stands as a word of its own, in the spirit of Unicode's word boundaries (UAX 29): beside it is no
letter, mark, digit or connector (``_``). Four things differ from that annex, for what people write in a chat:

- In scripts that put no spaces between words (`_SPACELESS`) a name is found inside running text, as no dictionary of
  words is here; but not in the middle of a syllable, so no mark follows it.
- In Korean a particle or a form of address may follow (``철수야``), and after an ``@`` anything in Hangul.
- A change between Hangul and another script is a boundary (``bob님``).
- An apostrophe, a full stop or a colon between letters is one (``bob's``, ``bob:hi``).
"""

import re
import sys
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Final

LOOKUPS = 1_000
"""Names that `MentionIndex.find` tries in one text, about 0.5 µs each: a text made of beginnings of names costs no
more than others, and mentions nobody behind these."""

MENTIONED = 50
"""People that one text mentions, at most: each may be a notification."""

AT: Final = "@"
"""What stands before a name that is meant as one, in all widths."""

# Thai, Lao, Myanmar, Khmer and their neighbours: scripts of the line-break class SA. Then Han, kana, Bopomofo, Yi.
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf"
    "\u3005-\u3007\u3040-\u3130\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uf900-\ufaff"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_HANGUL = "\u1100-\u11ff\u3131-\u318f\ua960-\ua97f\uac00-\ud7ff"

_is_spaceless = re.compile(f"[{_SPACELESS}]").match
_is_hangul = re.compile(f"[{_HANGUL}]").match

# A run of letters and digits of all other scripts, in which a name begins only at the beginning.
_WORD = re.compile(rf"[^\W{_SPACELESS}{_HANGUL}]+")

# What belongs to the letter before it though it is no mark: joiners, and vowels of Thai and Lao.
_FOLLOWING = frozenset("\u200c\u200d\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3")
# Vowels that are written before the consonant after which they are spoken.
_LEADING = frozenset("\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4")
_VIRAMA = 9  # the combining class of the marks that tie a consonant to the next

# 이 and a form of address, then up to three particles, as in 지민이한테만은; nothing else of the word is left.
_PARTICLES = re.compile(
    "이?(?:님|씨|군|양|형|누나|언니|오빠|선배님?|선생님|쌤)?[들네]?"
    "(?:이?(?:랑|여|나|라도|라고|다|야|며|고|지|죠|면)|[이가은는을를의에께도만와과야아요로]|에게|한테|에서|께서|서|하고"
    "|까지|부터|조차|마저|밖에|보다|처럼|같이|만큼|대로|으로|이?(?:네요?|에요|예요|입니다|인데요?|랑은|면서)|입니다|인데요?){0,3}"
    f"(?![{_HANGUL}])"
).match

_WIDE = re.compile("[\u3000\uff01-\uffee]+")
_WIDTH = {code: unicodedata.normalize("NFKC", chr(code)) for code in (0x3000, *range(0xFF01, 0xFFEF))}


def folded(text: str) -> str:
    """A text as names are folded for their keys: the folding of a name is its key."""
    if text.isascii():
        return text.lower()
    return _composed(_composed(_in_one_width(text)).casefold())


def mentions(text: str, name: str) -> bool:
    """Does the text mention this name?"""
    return next(_found(folded(text), folded(name)), None) is not None


def mention_spans(text: str, name: str) -> list[tuple[int, int]]:
    """Where the text mentions this name, in order: slices of the text, which do not overlap."""
    of_text, key = folded(text), folded(name)
    places = list(_found(of_text, key))
    if not places:
        return []
    origin = range(len(text) + 1) if _keeps_places(text) else _origins(text)
    return [(origin[place], origin[place + len(key)]) for place in places]


class MentionIndex:
    """Names that are looked for in texts all at once, by their keys. Bounded by `LOOKUPS` and `MENTIONED`.

    A text of 16 KB takes about 1 ms with 10,000 names. It finds the names of which `mentions` is true.
    """

    def __init__(self) -> None:
        self._keys = set[str]()
        #: The lengths of the keys with one beginning, which is a word, or one or two characters of others as a number.
        self._lengths = dict[str | int, Counter[int]]()

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: str) -> None:
        """Look for this name from now on. Idempotent."""
        if key and key not in self._keys:
            self._keys.add(key)
            self._lengths.setdefault(_beginning(key), Counter())[len(key)] += 1

    def discard(self, key: str) -> None:
        """Look for this name no longer. Idempotent."""
        if key in self._keys:
            self._keys.remove(key)
            beginning = _beginning(key)
            self._lengths[beginning] -= Counter((len(key),))  # which keeps no zero
            if not self._lengths[beginning]:
                del self._lengths[beginning]

    def find(self, text: str) -> list[str]:
        """The keys of the names that the text mentions, each once, in the order of the text."""
        text = folded(text)
        found = dict[str, None]()
        tried = ((start, start + length) for start, lengths in self._starts(text) for length in lengths)
        for start, end in islice(tried, LOOKUPS):
            key = text[start:end]
            if key in self._keys and key not in found and _stands_alone(text, start, end):
                found[key] = None
                if len(found) == MENTIONED:
                    break
        return list(found)

    def _starts(self, text: str) -> list[tuple[int, Counter[int]]]:
        """Where names may begin, in order, and how long these are."""
        known = self._lengths
        # Pairs of characters as numbers, which cost half of what strings do.
        data = text.encode("utf-32-le", "surrogatepass")
        even, odd = array("Q", data[: len(data) & ~7]), array("Q", data[4:][: (len(data) - 4) & ~7])
        starts = (
            ((match.start(), known[match[0]]) for match in _WORD.finditer(text) if match[0] in known),
            ((2 * at, known[pair]) for at, pair in enumerate(even) if pair in known),
            ((2 * at + 1, known[pair]) for at, pair in enumerate(odd) if pair in known),
            ((at, known[one]) for at, one in enumerate(array("I", data)) if one in known),
        )
        # Each start is tried once at least, so that the first of all are among the first of each kind.
        first = chain.from_iterable(islice(some, LOOKUPS) for some in starts)
        return sorted(first, key=itemgetter(0))


def _beginning(key: str) -> str | int:
    word = _WORD.match(key)
    if word is not None:
        return word[0]
    return int.from_bytes(key[:2].encode("utf-32-le", "surrogatepass"), sys.byteorder)


# --- where a name stands ----------------------------------------------------------------------------------------------


def _found(text: str, key: str) -> Iterator[int]:
    """Where a name stands alone in a folded text, without overlaps."""
    start = text.find(key) if key else -1
    while start >= 0:
        alone = _stands_alone(text, start, start + len(key))
        if alone:
            yield start
        start = text.find(key, start + (len(key) if alone else 1))


def _stands_alone(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return (not before or _parts(before, text[start])) and (
        not after or _ends(text[end - 1], text, end, called=before == AT)
    )


def _parts(before: str, first: str) -> bool:
    """May a name begin between these two?"""
    if before in _LEADING or unicodedata.combining(before) == _VIRAMA:
        return False
    return _is_bound(before, first)


def _ends(last: str, text: str, end: int, *, called: bool) -> bool:
    """May a name end here, where something follows? *called*: it has an @."""
    after = text[end]
    if after in _FOLLOWING or unicodedata.category(after).startswith("M"):
        return False
    if _is_hangul(last) and _is_hangul(after):
        return called or _PARTICLES(text, end) is not None
    return _is_bound(after, last)


def _is_bound(beside: str, edge: str) -> bool:
    """Is a character beside a name no part of the word that the name's own edge is part of?"""
    if _is_spaceless(edge) or _is_spaceless(beside):
        return True
    category = unicodedata.category(beside)
    if category[0] not in "LMN" and category != "Pc":
        return True
    return (_is_hangul(edge) is None) != (_is_hangul(beside) is None)


# --- folding, and the way back ----------------------------------------------------------------------------------------


def _in_one_width(text: str) -> str:
    return _WIDE.sub(lambda wide: wide[0].translate(_WIDTH), text)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _keeps_places(text: str) -> bool:
    """Does folding leave each character where it is? Then no step makes characters more, or one of several."""
    if text.isascii():
        return True
    even = _in_one_width(text)
    small = even.casefold()
    return len(even) == len(small) == len(text) and _is_composed(even) and _is_composed(small)


def _is_composed(text: str) -> bool:
    return unicodedata.is_normalized("NFC", text)


def _origins(text: str) -> Sequence[int]:
    """For each place in the folded text, and its end: where in the text that comes from what is folded to it.

    Characters that compose are one piece, and so are the several that one is folded to.
    """
    origins = [0]
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or not _composes(text[end]):
            # Inside a piece its end: there a name cannot begin, but might end.
            origins += [end] * len(folded(text[start:end]))
            start = end
    return origins


def _composes(char: str) -> bool:
    """May this character become one with that before it?"""
    one = _WIDTH.get(ord(char), char)
    return unicodedata.category(one[0]).startswith("M") or "\u1160" <= one[0] <= "\u11ff"
