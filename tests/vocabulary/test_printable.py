import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.vocabulary.printable import BLANKS_IN_A_ROW, MARKS_IN_A_ROW, REPLACEMENT, printable

FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff]"
)
ONLY_IN_CONTEXT = "\u200c\u200d\ufe00\ufe0e\ufe0f\u180b\U000e0100\U000e0067\U000e007f"
texts = st.text() | st.text(
    st.sampled_from(list("a1 \u20e3\u0915\u094d\u0645\u06cc\u4e00\u1820👩🚀❤🏴\U0001fae9" + ONLY_IN_CONTEXT))
)


@pytest.mark.parametrize(
    ("harmful", "shown"),
    [
        ("\x1b[2J", "␛[2J"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x9b31m", "\ufffd31m"),
        ("\x00\x7f", "␀␡"),
        ("a\tb", "a    b"),
        ("one\r\n* bob joined", "one␍␊* bob joined"),
        ("one\x85two\u2028three\u2029", "one␤two␤three␤"),
        ("\u202eevil\u2066x\u2069\u200f", "\ufffdevil\ufffdx\ufffd\ufffd"),
        ("a\u200bb\u2060c\ufeff\u00ad", "a\ufffdb\ufffdc\ufffd\ufffd"),
        ("bob\u200d", "bob\ufffd"),
        ("bob\ufe0f", "bob\ufffd"),
        ("\u3164\u115f\uffa0", "\ufffd\ufffd\ufffd"),
        ("\ud800\ue000\ufdd0\U0010ffff", "\ufffd\ufffd\ufffd\ufffd"),
        ("x\U000e0041\U000e007f", "x\ufffd\ufffd"),
        ("❤\ufe0f\ufe0f", "❤\ufe0f\ufffd"),
        ("👩\u200d\u200d🚀", "👩\ufffd\ufffd🚀"),
    ],
)
def test_what_could_harm_is_shown_as_a_stand_in(harmful: str, shown: str) -> None:
    assert printable(harmful) == shown


@pytest.mark.parametrize(
    "text",
    [
        "".join(map(chr, range(0x20, 0x7F))),
        "Grüße, Ёжик, 你好　世界, こんにちは, 안녕, שלום, مرحبا, नमस्ते, สวัสดี, ᏣᎳᎩ",
        "na\u00efve nai\u0308ve 12\u00a0000\u202f€",
        "می\u200cخواهم",
        "क्\u200dष",
        "葛\U000e0100",
        "👩\u200d🚀 ❤️ 1️⃣ 👍🏽 🇩🇪 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f 👨\u200d👩\u200d👧",
        "🏳️\u200d🌈 \u0600\u06dd",
    ],
)
def test_what_people_write_stays(text: str) -> None:
    assert printable(text) == text


def test_newlines_stay_where_lines_are_wanted() -> None:
    assert printable("a\r\nb\nc\rd\u2028e", multiline=True) == "a\nb\nc␍d␤e"


def test_letters_of_all_scripts_stay() -> None:
    fillers = "\u115f\u1160\u3164\uffa0"
    letters = "".join(
        chr(code)
        for code in range(sys.maxunicode)
        if unicodedata.category(chr(code))[0] in "LNP" and chr(code) not in fillers
    )
    assert printable(letters) == letters


def test_every_character_alone_is_harmless() -> None:
    """Of planes that hold nothing but private or unassigned characters, the first and the last hundred."""
    bare = [range(plane << 16, (plane + 1) << 16) for plane in (*range(4, 14), 15, 16)]
    codes = [*range(4 << 16), *range(14 << 16, 15 << 16), *(code for one in bare for code in (*one[:100], *one[-100:]))]
    everything = [chr(code) for code in codes]
    shown = printable("\ufffd".join(everything))
    assert FORBIDDEN.search(shown) is None
    assert not set(shown) & set(ONLY_IN_CONTEXT)
    assert len(shown.split("\ufffd")) >= len(everything), "nothing is dropped"


@given(texts, st.booleans())
def test_no_text_gets_through_with_what_is_forbidden(text: str, multiline: bool) -> None:
    shown = printable(text, multiline=multiline)
    assert FORBIDDEN.search(shown.replace("\n", "") if multiline else shown) is None


@given(texts, st.booleans())
def test_it_is_idempotent(text: str, multiline: bool) -> None:
    shown = printable(text, multiline=multiline)
    assert printable(shown, multiline=multiline) == shown


@given(texts)
def test_nothing_is_dropped(text: str) -> None:
    assert len(printable(text)) >= len(text)


# --- heaps and gaps ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["\u0301", "\u0489", "\u0e34", "\u0f74", "\u064b", "\u20dd"])
def test_marks_do_not_pile_up(mark: str) -> None:
    heap = "a" + mark * 200 + "b"
    shown = printable(heap)
    assert shown == "a" + mark * MARKS_IN_A_ROW + REPLACEMENT + "b"
    assert printable(shown) == shown
    assert printable("a" + mark * MARKS_IN_A_ROW) == "a" + mark * MARKS_IN_A_ROW


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u3000", "\u2003", "\u2800"])
def test_blanks_do_not_fill_a_line(blank: str) -> None:
    shown = printable("hi" + blank * 300 + "12:00 #room name: forged")
    assert shown == "hi" + blank * BLANKS_IN_A_ROW + "12:00 #room name: forged"
    assert printable("\t" * 30 + "x", multiline=True) == " " * BLANKS_IN_A_ROW + "x"
