"""Names: what is one, which names are the same, and which only look so."""

import contextlib
import sys
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from asyncchat.vocabulary import names
from asyncchat.vocabulary.names import (
    LONGEST_NAME,
    MARKS_LIMIT,
    NAME_LIMIT,
    RESERVED,
    ROOM_NAME_LIMIT,
    BadName,
    Name,
    RoomName,
    as_room,
    is_reserved,
    is_room,
    look_alike_keys,
    name_key,
    parse_room_name,
    parse_user_name,
    skeleton,
)

# Mostly what names are made of, so that most examples are names.
likely = st.text(st.characters(categories=("L", "Nd", "Mn", "Mc")), min_size=1, max_size=12)
ascii_text = st.text(st.characters(max_codepoint=0x7F), max_size=12)
anything = st.one_of(likely, ascii_text, st.text(max_size=20))

# Turkish dotless i: its capital is the I of every other language, whose small letter it is not.
DOTLESS = "ı"


def parse(text: str) -> Name:
    return parse_user_name(text, limit=0)


def parsed(text: str) -> Name:
    """The name, or an example of hypothesis given up because the text is none."""
    try:
        return parse(text)
    except BadName:
        assume(False)
        raise


def look_alike(one: str, other: str) -> bool:
    return not look_alike_keys(parse(one)).isdisjoint(look_alike_keys(parse(other)))


# --- what is a name ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "alice", "Zoë", "O'Brien", "bob.smith", "anna-lena", "x_1", "42", "[away]", "a|b", "Алиса", "Ελένη",
        "小明", "さくら", "サクラ", "김철수", "محمد", "علی2", "שרה", "देवनागरी", "தமிழ்", "สมชาย",
        "Դավիթ", "ქეთი", "አበበ", "Đặng", "Маша_dev", "山田taro",
    ],
)  # fmt: skip
def test_names_of_many_scripts_are_taken_as_they_are(text: str) -> None:
    name = parse_user_name(text)
    assert name.text == text
    assert str(name) == text
    assert parse_room_name("#" + text).text == "#" + text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("a b", "U+0020 SPACE"),
        (" a", "U+0020 SPACE"),
        ("a\u00a0b", "U+00A0 NO-BREAK SPACE"),
        ("a\u3000b", "U+3000 IDEOGRAPHIC SPACE"),
        ("a\n", "U+000A: it is a control character"),
        ("a\x1b[2J", "U+001B: it is a control character"),
        ("a\x7f", "U+007F"),
        ("a\x9bm", "U+009B"),
        ("a\u202eb", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("a\u2066b", "U+2066 LEFT-TO-RIGHT ISOLATE"),
        ("a\u200eb", "U+200E LEFT-TO-RIGHT MARK"),
        ("a\u200bb", "U+200B ZERO WIDTH SPACE: it is invisible"),
        ("\ufeffa", "U+FEFF"),
        ("a\u2060", "U+2060 WORD JOINER"),
        ("a\u00ad", "U+00AD SOFT HYPHEN"),
        ("a\ufe0f", "U+FE0F VARIATION SELECTOR-16"),
        ("\u3164", "U+3164 HANGUL FILLER"),
        (
            "क्\u200dष",
            "U+200D ZERO WIDTH JOINER: it is invisible",
        ),  # PRECIS alone lets it stand after a virama
        ("علی\u200cرضا", "U+200C ZERO WIDTH NON-JOINER: it is invisible"),
        ("a\ue000", "U+E000"),
        ("a\ud800", "U+D800"),
        ("a\uffff", "U+FFFF"),
        ("a\U0010fffe", "U+10FFFE"),
        ("😀", "U+1F600 GRINNING FACE: it is a symbol"),
        ("a…", "U+2026"),
        ("\u0301a", "begin with a mark"),
        ("a" + "\u0316" * (MARKS_LIMIT + 1), f"at most {MARKS_LIMIT} marks"),
        ("1علی", "right to left"),
        ("aعلی", "right to left"),
    ],
)
def test_what_cannot_be_seen_or_told_apart_is_no_name(text: str, reason: str) -> None:
    with pytest.raises(BadName) as caught:
        parse_user_name(text)
    assert reason in str(caught.value)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    with pytest.raises(BadName):
        parse_room_name("#" + text)


@pytest.mark.parametrize("char", ',:!@*?/<>"')
def test_characters_that_a_dialect_gives_a_meaning_are_in_no_name(char: str) -> None:
    wide = chr(ord(char) + 0xFEE0)  # which becomes the other one
    for text in (char, f"a{char}b", f"a{wide}b", f"ж{char}"):
        with pytest.raises(BadName, match="cannot contain"):
            parse_user_name(text)
        with pytest.raises(BadName, match="cannot contain"):
            parse_room_name("#" + text)


@pytest.mark.parametrize("char", "#&+$~%-.")
def test_a_sign_of_something_else_does_not_begin_a_name(char: str) -> None:
    for first in (char, chr(ord(char) + 0xFEE0)):
        with pytest.raises(BadName):
            parse_user_name(first + "bob")
        assert parse_room_name("#" + first + "bob").key == f"#{char}bob"


def test_a_name_contains_no_room() -> None:
    with pytest.raises(BadName, match="cannot contain #"):
        parse_user_name("bob#1")
    assert parse_room_name("#c#").key == "#c#"


@pytest.mark.parametrize("text", ["", "lobby", "&lobby", " #lobby", "\u200b#lobby"])
def test_a_room_begins_with_its_sign(text: str) -> None:
    with pytest.raises(BadName, match="a room's name begins with #"):
        parse_room_name(text)


def test_a_room_has_more_than_its_sign() -> None:
    with pytest.raises(BadName, match="a room's name cannot be empty"):
        parse_room_name("#")


def test_a_wide_sign_of_a_room_is_one() -> None:
    assert parse_room_name("＃Ｌobby") == RoomName("#Lobby", "#lobby")


def test_a_room_may_begin_with_two_signs() -> None:
    assert parse_room_name("##python") == RoomName("##python", "##python")


def test_every_sign_that_people_type_begins_a_room() -> None:
    signs = [char for char in map(chr, range(sys.maxunicode + 1)) if unicodedata.normalize("NFKC", char) == "#"]
    assert signs == ["#", "﹟", "＃"]
    for sign in signs:
        assert is_room(f"{sign}lobby")
        assert as_room(f"{sign}lobby") == f"{sign}lobby"
    assert not is_room("lobby")
    assert as_room("lobby") == "#lobby"


@pytest.mark.parametrize("spelling", ["#Café", "#cafe\u0301", "＃ＣＡＦÉ", "﹟café"])
def test_spellings_of_a_room_have_one_key(spelling: str) -> None:
    assert name_key(spelling) == parse_room_name("#café").key


def test_a_name_of_any_length_has_a_key() -> None:
    assert name_key("Ｂob" * 80) == "bob" * 80
    assert name_key("Éa" * LONGEST_NAME) == "éa" * LONGEST_NAME, "what is no name is not looked at any closer"


@pytest.mark.parametrize("text", ["", "#", "TWO words", "\ud800", "*"])
def test_what_is_no_name_has_a_key_all_the_same(text: str) -> None:
    assert name_key(text) == text.casefold()


@pytest.mark.parametrize("letter", ["a", "ж", "明", "é", "𠀀"])
def test_length_is_counted_in_characters(letter: str) -> None:
    assert parse_user_name(letter * NAME_LIMIT).text == letter * NAME_LIMIT
    with pytest.raises(BadName, match=f"at most {NAME_LIMIT} characters"):
        parse_user_name(letter * (NAME_LIMIT + 1))
    room = "#" + letter * (ROOM_NAME_LIMIT - 1)
    assert parse_room_name(room).text == room
    with pytest.raises(BadName, match=f"at most {ROOM_NAME_LIMIT} characters"):
        parse_room_name(room + letter)


def test_length_is_that_of_the_composed_name() -> None:
    longest = unicodedata.normalize("NFD", "ᾂ" * 8)  # four characters each
    assert parse_user_name(longest, limit=8).text == "ᾂ" * 8
    with pytest.raises(BadName):
        parse_user_name(longest + "a", limit=8)


def test_a_limit_is_the_callers() -> None:
    assert parse_user_name("alice", limit=5).text == "alice"
    with pytest.raises(BadName, match="at most 4 characters"):
        parse_user_name("alice", limit=4)
    with pytest.raises(BadName, match="at most 4 characters"):
        parse_user_name("алиса" * 10_000, limit=4)


def test_no_limit_is_none() -> None:
    for text in ("a" * 5000, "ж" * (LONGEST_NAME - 1)):
        assert parse_user_name(text, limit=0).text == text
        assert parse_room_name("#" + text, limit=0).text == "#" + text


def test_without_a_limit_names_beyond_ascii_are_bounded_all_the_same() -> None:
    with pytest.raises(BadName, match="at most 256 characters"):
        parse_user_name("ж" * (LONGEST_NAME + 1), limit=0)


def described(make: Callable[[str], Name | RoomName], text: str) -> str:
    """The text of the name, or why there is none."""
    try:
        return make(text).text
    except BadName as bad:
        return str(bad)


@given(anything)
def test_any_text_is_a_name_or_a_reason(text: str) -> None:
    for make in (parse_user_name, parse_room_name):
        for candidate in (text, "#" + text):
            shown = described(make, candidate)
            assert shown
            assert shown.isprintable()


@given(anything)
def test_no_text_is_both_a_person_and_a_room(text: str) -> None:
    name = parsed(text)
    with pytest.raises(BadName):
        parse_room_name(name.text)
    with pytest.raises(BadName):
        parse_user_name(parse_room_name("#" + name.text, limit=0).text)


# --- which names are the same ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alice", "ALICE"),
        ("Алиса", "АЛИСА"),
        ("bob", "ＢＯＢ"),
        ("サクラ", "ｻｸﾗ"),
        ("ガ", "ｶﾞ"),
        ("zoë", "zoe\u0308"),
        ("각", "\u1100\u1161\u11a8"),
        ("Straße", "STRASSE"),
        ("Οδυσσεύς", "ΟΔΥΣΣΕΎΣ"),
        ("ა", "Ა"),
        ("İ", "i\u0307"),
        ("Å", "\u212b"),  # the sign of the Ångström
    ],
)
def test_case_width_and_composition_make_no_other_name(one: str, other: str) -> None:
    assert parse_user_name(one) == parse_user_name(other)
    assert hash(parse_user_name(one)) == hash(parse_user_name(other))
    assert parse_room_name("#" + one).key == parse_room_name("#" + other).key


@pytest.mark.parametrize(("one", "other"), [("bob", "rob"), ("zoe", "zoë"), ("和", "禾"), ("ı", "i")])
def test_other_letters_make_another_name(one: str, other: str) -> None:
    assert parse_user_name(one) != parse_user_name(other)


def test_a_name_is_shown_as_typed() -> None:
    assert parse_user_name("McDonald").text == "McDonald"
    assert parse_user_name("ＭcＤonald").text == "McDonald"
    assert parse_user_name("Zoe\u0308").text == "Zoë"


def test_a_room_is_no_person() -> None:
    assert len({RoomName("x", "x"), Name("x", "x")}) == 2


@given(anything)
@example("Σς")
@example("İı")
@example("ᾳΐ")
def test_parsing_a_name_again_changes_nothing(text: str) -> None:
    name = parsed(text)
    again = parse(name.text)
    assert (again.text, again.key) == (name.text, name.key)
    assert parse(name.key).key == name.key
    assert parse_room_name("#" + name.text, limit=0).key == "#" + name.key


@given(anything)
@example("ǰß")
@example("Ꭰꭰ")
def test_case_never_makes_another_name(text: str) -> None:
    name = parsed(text)
    for variant in (text.upper(), text.lower(), text.title(), text.swapcase(), text.casefold()):
        if DOTLESS in text:
            continue
        try:
            other = parse(variant)
        except BadName:
            continue  # one letter became several, and now too many marks, or such
        assert other.key == name.key


@given(anything)
def test_composition_never_makes_another_name(text: str) -> None:
    name = parsed(text)
    assert parse(unicodedata.normalize("NFD", text)).key == name.key
    assert parse(unicodedata.normalize("NFC", text)).key == name.key


@given(ascii_text)
@example("a-b.c")
@example("#a#")
def test_the_short_way_for_ascii_leads_to_the_same(text: str) -> None:
    for candidate, grammar in ((text, names._PERSON), (text, names._ROOM), ("#" + text, names._ROOM)):
        short = bool(grammar.plain.fullmatch(candidate))
        try:
            long = names._enforce(candidate, grammar)
        except BadName:
            assert not short
        else:
            assert short
            assert long == (candidate, candidate.lower())


def test_names_that_are_asked_for_again_are_remembered() -> None:
    assert parse_user_name("remembered") is parse_user_name("remembered")
    assert parse_room_name("#remembered") is parse_room_name("#remembered")


def test_what_is_remembered_is_bounded() -> None:
    long = "j" * 20_000
    assert parse_user_name(long, limit=0) is not parse_user_name(long, limit=0)
    assert names._cached_name.cache_info().maxsize == names.CACHED_NAMES
    before = names._cached_name.cache_info().currsize
    for number in range(100):
        with pytest.raises(BadName):
            parse_user_name(f"bad {number}")
    assert names._cached_name.cache_info().currsize == before


# --- which names look alike --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alice", "аlice"),
        ("scope", "ѕсоре"),
        ("modern", "rnodern"),
        ("bill", "bi11"),
        ("l0l", "lOl"),
        ("zoe\u0308", "zоë"),
        ("paypal", "раураl"),
        ("ρaul", "paul"),
        ("١", "l"),  # a digit of Arabic
    ],
)
def test_look_alikes_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(("one", "other"), [("alice", "bob"), ("ian", "lan"), ("a", "A"), ("小", "大"), ("й", "и")])
def test_what_does_not_look_alike_has_not(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@given(anything)
def test_a_skeleton_has_no_other_skeleton(text: str) -> None:
    assert skeleton(skeleton(text)) == skeleton(text)


def test_no_character_has_a_skeleton_with_another_skeleton() -> None:
    unsettled = [hex(c) for c in range(sys.maxunicode + 1) if skeleton(bones := skeleton(chr(c))) != bones]
    assert unsettled == []


@given(anything)
def test_composition_does_not_change_a_skeleton(text: str) -> None:
    assert skeleton(unicodedata.normalize("NFC", text)) == skeleton(unicodedata.normalize("NFD", text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alice", "аlice"),
        ("alice", "АLICE"),  # a Cyrillic capital A
        ("Alice", "AIice"),  # a capital i
        ("alice", "AL1CE"),
        ("ALICE", "ALlCE"),
        ("bob", "ВОВ"),  # Cyrillic throughout; its small letters are not like those of bob
        ("anna", "ΑΝΝΑ"),
        ("Ian", "lan"),
        ("mark", "MАRK"),
        ("rob0", "robO"),
        ("Oliver", "0liver"),
    ],
)
def test_names_that_look_alike_in_some_case_are_found(one: str, other: str) -> None:
    assert parse(one).key != parse(other).key
    assert look_alike(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Lia", "Ila"), ("ian", "lan"), ("ALI", "all"), ("user1", "user2"), ("anna", "hanna"), ("иван", "юван")],
)
def test_names_that_do_not_are_let_alone(one: str, other: str) -> None:
    assert not look_alike(one, other)


@given(anything)
def test_names_that_are_the_same_look_alike(text: str) -> None:
    name = parsed(text)
    for variant in (name.key, text.upper(), text.swapcase()):
        if DOTLESS in text:
            continue
        try:
            other = parse(variant)
        except BadName:
            continue
        assert not look_alike_keys(other).isdisjoint(look_alike_keys(name))


def test_rooms_have_look_alikes_too() -> None:
    assert look_alike_keys(parse_room_name("#lobby")) == look_alike_keys(parse_room_name("#lоbbу"))


@pytest.mark.parametrize("text", ["admin", "Server", "ＮickServ", "аdmin", "R00T", "rne", "SYSTEM", "ME", "aIl"])
def test_nobody_is_called_like_the_server(text: str) -> None:
    assert is_reserved(parse_user_name(text))


@pytest.mark.parametrize("text", ["alice", "admins", "Ali", "ALI", "ci", "bot", "Маша", "小明", "mia"])
def test_people_are_not_reserved(text: str) -> None:
    assert not is_reserved(parse_user_name(text))


def test_reserved_names_are_keys() -> None:
    assert {parse_user_name(word).key for word in RESERVED} == RESERVED


# --- what a name may cost ---------------------------------------------------------------------------------------------


class Counting:
    """A profile of PRECIS that counts what it is given: the characters, and the square that its context rules cost."""

    def __init__(self, profile: Any) -> None:
        self._profile = profile
        self.calls = self.work = 0

    def enforce(self, text: str) -> str:
        self.calls += 1
        self.work = max(self.work, len(text) + len(text) * sum(char in "\u30fb٠۰" for char in text))
        shown: str = self._profile.enforce(text)
        return shown


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting(names._PRESERVED)
    monkeypatch.setattr(names, "_PRESERVED", counting)
    monkeypatch.setattr(names, "_refusals", type(names._refusals)())
    return counting


HEAVY = [
    "\u30fb" * 1023 + "ア",
    "\u30fb" * 255 + "ア",
    "\u30fb" * 31 + "ア",
    "٠" * 256,
    "۰" * 64,
    "中" * 1024,
    "a\u0300" * 512,
    "a" + "\u0300" * 1023,
    "각" * 300,
    "\u1100\u1161\u11a8" * 256,
]


@pytest.mark.parametrize("text", HEAVY)
@pytest.mark.parametrize("limit", [0, 32, 64, 256, 10**9])
def test_no_name_costs_more_than_its_length_allows(counting: Counting, text: str, limit: int) -> None:
    for parse, typed in ((parse_user_name, text), (parse_room_name, "#" + text)):
        with contextlib.suppress(BadName):
            parse(typed, limit)
    with contextlib.suppress(BadName):
        name_key(text)
    assert counting.work <= names.CONTEXT_WORK + names.LONGEST_NAME


def test_a_name_of_dots_alone_may_be_as_long_as_names_are(counting: Counting) -> None:
    assert parse_user_name("\u30fb" * 31 + "ア").text == "\u30fb" * 31 + "ア"


def test_what_is_no_name_is_looked_at_once(counting: Counting) -> None:
    for _ in range(5):
        with pytest.raises(BadName, match="U\\+2028"):
            parse_user_name("中\u2028")
    assert counting.calls == 1


def test_refusals_that_are_remembered_are_bounded() -> None:
    for number in range(names.CACHED_REFUSALS + 10):
        with pytest.raises(BadName):
            parse_user_name(f"{number}\u2028")
    assert len(names._refusals) == names.CACHED_REFUSALS
