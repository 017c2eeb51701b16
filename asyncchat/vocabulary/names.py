"""Names of people and rooms: parsed once at the edge, a `Name` or a `RoomName` inside.

A name may be written in any script. It has a ``text``, which people see, and a ``key``, by which it is
compared: names that differ only in case, in width (``ＢＯＢ``, ``bob``) or in how their characters are
composed have one key. The rules are those of PRECIS (RFC 8264): the text is what its profile
UsernameCasePreserved makes of it, the key what UsernameCaseMapped makes of that (RFC 8265, section 3), with
full case folding, since people write one name as ``Straße`` and ``STRASSE``. On top of them stands what a
chat needs: no characters to which IRC, the slash commands or ``bob: hi`` give a meaning, nothing invisible at
all, no heaps of marks.

Names that differ and yet look alike (``alice``, ``аlice``) are found by `look_alike_keys` (Unicode TS 39).
Who may take which name is not decided here: a reserved name is parsed like any other.
"""

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from itertools import groupby
from typing import TypeVar

import msgspec
from precis_i18n import get_profile

NAME_LIMIT = 32
"""Characters of a person's name: what fits beside a message, and what IRC clients have room for."""

ROOM_NAME_LIMIT = 64
"""Characters of a room's name, its `#` included."""

MARKS_LIMIT = 4
"""Nonspacing marks in a row: what languages need (Unicode TS 39, section 5.4); more cover other lines."""

CACHED_NAMES = 8192
"""Names of each kind that are remembered parsed; about 400 bytes each, and every message names its target."""

ROOM_PREFIX = "#"
"""The first character of every room's name, and of no person's."""

TYPED_ROOM_PREFIXES = (ROOM_PREFIX, "＃", "﹟")
"""What a room's name may begin with as it is typed: input methods of East Asia make a # of their own."""

LONGEST_NAME = 256
"""Characters of a name that is not in ASCII, also where the limit is off: to read one takes up to a millisecond."""

CONTEXT_WORK = 2_048
"""Bound of the context rules' work on one name: characters that have such a rule (RFC 5892, appendix A), times all
characters. Each of these rules may look at the whole name; so the work grows with the square of the length, and 1,024
middle dots took 3 s. A name of 32 characters may consist of nothing else."""

RESERVED = frozenset(
    {
        # those who speak for the server
        *("admin", "administrator", "asyncchat", "console", "daemon", "mod", "moderator", "oper", "operator"),
        *("owner", "root", "security", "server", "staff", "support", "sysop", "system"),
        # words that stand for somebody in commands and in talk
        *("all", "anyone", "channel", "everybody", "everyone", "guest", "help", "here", "me", "myself"),
        *("nobody", "none", "null", "room", "self", "somebody", "someone", "you"),
        # services to which people of IRC send their passwords
        *("authserv", "botserv", "chanserv", "global", "helpserv", "histserv", "hostserv", "infoserv"),
        *("memoserv", "nickserv", "operserv", "saslserv"),
    }
)
"""Keys of the names that nobody may take: `is_reserved` knows them and what looks like them."""

CACHED_REFUSALS = 1_024
"""Texts that are no names and are remembered as such: whoever sends one again and again pays once."""

# A cached text must not be long where the limit is off: together they would hold half a gigabyte.
_LONGEST_CACHED = 256  # characters

# Those whose rule looks at all other characters: digits of two kinds, and the middle dot of katakana.
_IN_CONTEXT = frozenset(["\u30fb", *map(chr, range(0x660, 0x66A)), *map(chr, range(0x6F0, 0x6FA))])

# NFC makes at most four characters one, so that what is longer than this many times the limit stays too long.
_LONGEST_COMPOSITION = 4  # characters

N = TypeVar("N")

# PRECIS lets these invisible characters stand in some places; with and without them a name may look the same.
_JOINERS = "\u200c\u200d"

_PRESERVED = get_profile("UsernameCasePreserved")
_FOLDED = get_profile("UsernameCaseMapped:CaseFold")

# What precis_i18n calls the rule that a character breaks → what a person reads.
_WHY = {
    "arabic_indic": "digits of two kinds do not mix",
    "controls": "it is a control character",
    "extended_arabic_indic": "digits of two kinds do not mix",
    "has_compat": "it is a variant of another character",
    "other_letter_digits": "it is a variant of another character",
    "precis_ignorable_properties": "it is invisible",
    "punctuation": "it is punctuation",
    "spaces": "it is a space",
    "symbols": "it is a symbol",
    "unassigned": "it is not a known character",
}


class BadName(ValueError):  # noqa: N818 - named for what happened, as it reads in an `except`
    """A text that cannot be a name; its message says why, in words for people and safe to print."""


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name. Names with the same key are equal, whatever their text."""

    text: str = field(compare=False)
    key: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class RoomName:
    """A room's name, its `#` included. Names with the same key are equal, whatever their text."""

    text: str = field(compare=False)
    key: str

    def __str__(self) -> str:
        return self.text


def parse_user_name(text: str, limit: int = NAME_LIMIT) -> Name:
    """Parse a person's name.

    Args:
        text: What somebody typed. White space around it is not removed.
        limit: The most characters that the name may have; 0 is no limit.

    Raises:
        BadName: The text cannot be a person's name.
    """
    return _parsed(text, limit, _cached_name, _name)


def parse_room_name(text: str, limit: int = ROOM_NAME_LIMIT) -> RoomName:
    """Parse a room's name, which begins with `#`.

    Args:
        text: What somebody typed. White space around it is not removed.
        limit: The most characters that the name may have, its `#` included; 0 is no limit.

    Raises:
        BadName: The text cannot be a room's name.
    """
    return _parsed(text, limit, _cached_room_name, _room_name)


def is_room(text: str) -> bool:
    """Is this, as typed, a room's name and not a person's?"""
    return text.startswith(TYPED_ROOM_PREFIXES)


def as_room(text: str) -> str:
    """A room's name as typed, with its `#` if that was left out. What begins with one is left as it is."""
    return text if is_room(text) else ROOM_PREFIX + text


def name_key(text: str) -> str:
    """What names of people and rooms are compared by, as they are typed or told; what is no name has a key as well."""
    if len(text) > LONGEST_NAME:
        return text.casefold()
    try:
        return (parse_room_name if is_room(text) else parse_user_name)(text, 0).key
    except BadName:
        return text.casefold()


def skeleton(text: str) -> str:
    """What a text looks like: texts of one skeleton can be taken for each other (Unicode TS 39, section 4).

    A skeleton is for comparing, never for showing. It knows nothing of case: see `look_alike_keys`. The
    first call reads a table, which takes some 30 ms: a server makes one before it accepts anybody.
    """
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).translate(_prototypes()))


def look_alike_keys(name: Name | RoomName) -> frozenset[str]:
    """All that a name may be read as, without regard to case: two names that have one in common look alike.

    There are several, since case changes what a name looks like. ``AIice``, with a capital i, reads as
    ``alice`` when it is seen as typed and as ``aiice`` in small letters; among capitals ``l`` and ``1`` read
    as ``I``, as in ``AL1CE``.
    """
    seen = skeleton(name.text)
    capitals = sum(map(str.isupper, name.text))
    small = sum(map(str.islower, name.text))
    readings = {name.key}
    if small or not capitals:
        readings.add(seen.casefold())
    if capitals > small:
        readings.add(seen.replace("l", "I").casefold())
    return frozenset(map(skeleton, readings))


def is_reserved(name: Name) -> bool:
    """Whether nobody may take this name, because it is in `RESERVED` or looks like one that is."""
    return name.key in RESERVED or not _reserved_look_alikes().isdisjoint(look_alike_keys(name))


@dataclass(frozen=True, slots=True)
class _Grammar:
    """What sets one kind of name apart from the other."""

    kind: str
    prefix: str
    meant: str  # characters that mean something else to a dialect, wherever they stand
    meant_first: str  # characters that do so at the beginning, after the prefix
    plain: re.Pattern[str]  # the names in ASCII

    def bad(self, reason: str) -> BadName:
        return BadName(f"{self.kind} {reason}")


def _grammar(kind: str, prefix: str, meant: str, meant_first: str) -> _Grammar:
    visible = "".join(map(chr, range(0x21, 0x7F)))
    anywhere = re.escape("".join(c for c in visible if c not in meant))
    first = re.escape("".join(c for c in visible if c not in meant + meant_first))
    return _Grammar(kind, prefix, meant, meant_first, re.compile(f"{prefix}[{first}][{anywhere}]*"))


# Lists, masks and prefixes of IRC (, * ? ! @ :), commands (/), `name: text`, and what frames names in logs.
_MEANT = ',:!@*?/<>"'

# A person's name holds no #, so that no part of it reads as a room, and begins with no sign of a rank, of a
# mask or of an option on a command line.
_PERSON = _grammar("a name", "", _MEANT + ROOM_PREFIX, "&+$~%-.")
# A room's may begin with another #: people of IRC have rooms like ##python.
_ROOM = _grammar("a room's name", ROOM_PREFIX, _MEANT, "")


def _name(text: str, limit: int) -> Name:
    return Name(*_parse(text, limit, _PERSON))


def _room_name(text: str, limit: int) -> RoomName:
    return RoomName(*_parse(text, limit, _ROOM))


# What is no name takes no place here: it has a smaller cache of its own.
_cached_name = lru_cache(CACHED_NAMES)(_name)
_cached_room_name = lru_cache(CACHED_NAMES)(_room_name)
_refusals: OrderedDict[tuple[object, str, int], str] = OrderedDict()


def _parsed(text: str, limit: int, cached: Callable[[str, int], N], parse: Callable[[str, int], N]) -> N:
    if len(text) > _LONGEST_CACHED:
        return parse(text, limit)
    asked = cached, text, limit
    why = _refusals.get(asked)
    if why is not None:
        raise BadName(why)
    try:
        return cached(text, limit)
    except BadName as refused:
        _refusals[asked] = str(refused)
        if len(_refusals) > CACHED_REFUSALS:
            _refusals.popitem(last=False)
        raise


def _parse(text: str, limit: int, grammar: _Grammar) -> tuple[str, str]:
    """The text and the key of a name of this grammar."""
    if limit and len(text) > limit * _LONGEST_COMPOSITION:
        raise grammar.bad(f"has at most {limit} characters")
    if grammar.plain.fullmatch(text):
        shown, key = text, text.lower()  # which is what all of `_enforce` comes to in ASCII
    else:
        # Before any other look at the characters: all rules cost more than this, for each of them.
        longest = min(limit or LONGEST_NAME, LONGEST_NAME)
        if len(text) > longest * _LONGEST_COMPOSITION or len(unicodedata.normalize("NFC", text)) > longest:
            raise grammar.bad(f"has at most {longest} characters")
        shown, key = _enforce(text, grammar)
    if limit and len(shown) > limit:
        raise grammar.bad(f"has at most {limit} characters")
    return shown, key


def _enforce(text: str, grammar: _Grammar) -> tuple[str, str]:
    """The text and the key of a name in any script, its length not checked."""
    body = _without_prefix(text, grammar)
    for char in _JOINERS:
        if char in body:
            raise grammar.bad(f"cannot contain {_described(char)}: it is invisible")
    if sum(char in _IN_CONTEXT for char in body) * len(body) > CONTEXT_WORK:
        raise grammar.bad("has too many dots or digits of this kind")
    try:
        shown = _PRESERVED.enforce(body)
        key = _FOLDED.enforce(shown)
    except UnicodeEncodeError as error:
        raise grammar.bad(_reason(error)) from None
    for char in shown:
        if char in grammar.meant:
            raise grammar.bad(f"cannot contain {_described(char)}")
    if shown[0] in grammar.meant_first:
        raise grammar.bad(f"cannot begin with {_described(shown[0])}")
    _check_marks(shown, grammar)
    return grammar.prefix + shown, grammar.prefix + key


def _without_prefix(text: str, grammar: _Grammar) -> str:
    if not grammar.prefix:
        return text
    if not is_room(text):
        raise grammar.bad(f"begins with {grammar.prefix}")
    return text[1:]


def _check_marks(shown: str, grammar: _Grammar) -> None:
    categories = [unicodedata.category(char) for char in shown]
    if categories[0].startswith("M"):
        raise grammar.bad("cannot begin with a mark that belongs to a letter before it")
    for category, run in groupby(categories):
        if category == "Mn" and sum(1 for _ in run) > MARKS_LIMIT:
            raise grammar.bad(f"has at most {MARKS_LIMIT} marks on a letter")


def _reason(error: UnicodeEncodeError) -> str:
    """Why PRECIS refuses a name."""
    rule = error.reason.removeprefix("DISALLOWED/")
    if rule == "empty":
        return "cannot be empty"
    if rule == "bidi_rule":
        return "cannot mix writing from right to left and from left to right like this"
    if rule == "not_idempotent":
        return "cannot be written in these characters: they have no single form"
    why = _WHY.get(rule, "it does not belong into a name here")
    return f"cannot contain {_described(error.object[error.start])}: {why}"


def _described(char: str) -> str:
    """A character in words that are safe to print, whatever it is."""
    if char.isascii() and char.isprintable() and not char.isspace():
        return char
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()


class _Alike(msgspec.Struct):
    """One entry of the table of confusable_homoglyphs: a character, or several, that another looks like."""

    c: str


@cache
def _prototypes() -> dict[int, str]:
    """Each character that looks like something simpler → that, decomposed.

    confusable_homoglyphs keeps Unicode's table with every pair in both directions. What looks alike is
    paired with its prototype alone, so that the side with other partners, or with several characters, is the
    prototype; of two that have only each other either will do, and the first in code point order is taken.
    """
    table = files("confusable_homoglyphs").joinpath("confusables.json").read_bytes()
    pairs = {
        _bare(text): {_bare(alike.c) for alike in alikes}
        for text, alikes in msgspec.json.decode(table, type=dict[str, list[_Alike]]).items()
    }
    direct: dict[int, str] = {}
    for text, alikes in pairs.items():
        if len(text) > 1 or len(alikes) > 1:
            continue
        (other,) = alikes
        if len(other) > 1 or len(pairs[other]) > 1 or other < text:
            direct[ord(text)] = other
    return {char: _settled(prototype, direct) for char, prototype in direct.items()}


def _bare(text: str) -> str:
    """The table frames right-to-left characters with marks for people who read it."""
    return text.strip("\u200e")


def _settled(text: str, prototypes: dict[int, str]) -> str:
    """A prototype decomposed, with nothing left in it that looks like something simpler."""
    while (simpler := unicodedata.normalize("NFD", text).translate(prototypes)) != text:
        text = simpler
    return text


@cache
def _reserved_look_alikes() -> frozenset[str]:
    return frozenset(skeleton(key) for key in RESERVED)
