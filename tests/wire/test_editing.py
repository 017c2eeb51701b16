import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.wire.lines import TooLong
from asyncchat.wire.telnet import END, EditedLines
from tests.wire.portions import portions


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("helo\x7flo", "hello"),
        ("helo\blo", "hello"),
        ("\b\b\x17\x15hi", "hi"),
        ("wrong\x15right", "right"),
        ("ri\x04ght", "right"),
        ("one two\x17three", "one three"),
        ("one two \t \x17three", "one three"),
        ("one\x17two", "two"),
        ("a\tb\x17c", "a\tc"),
        ("grü\b\büß\bße", "güße"),
        ("日本語\b", "日本"),
        ("🎉🎉\b", "🎉"),
        ("cafe\u0301\b\u0301", "caf\u0301"),
        ("a\u0300\u0301\u0302\bb", "b"),
        ("हिन्दी\b", "हिन्"),
        ("x👍🏽\b", "x"),
        ("x❤\ufe0f\b", "x"),
        ("x👩\u200d👩\u200d👧\u200d👦\b", "x"),
        ("x🇩🇪🇫🇷\b", "x🇩🇪"),
        ("x🇩🇪🇫\b", "x🇩🇪"),
        ("x1\ufe0f\u20e3\b", "x"),
    ],
)
def test_what_is_taken_back_is_no_part_of_the_line_however_the_bytes_are_cut(typed: str, line: str) -> None:
    for chunks in portions(f"before\n{typed}\nafter".encode()):
        lines = EditedLines(1000)
        assert [found for chunk in chunks for found in lines.feed(chunk)] == [b"before", line.encode()]
        assert lines.take() == b"after"


def test_ctrl_d_is_a_line_of_its_own_where_none_has_begun() -> None:
    for chunks in portions(b"\x04x\b\x04\x04hi\n\x04" + b"x" * 11 + b"\x04\n"):
        lines = EditedLines(10)
        found = [found for chunk in chunks for found in lines.feed(chunk)]
        assert found == [END, END, END, b"hi", END, TooLong(b"x" * 11)]


def test_nothing_can_be_taken_back_of_a_line_that_is_too_long() -> None:
    for chunks in portions(b"x" * 11 + b"\b\x15/quit\nhi\n"):
        lines = EditedLines(10)
        assert [found for chunk in chunks for found in lines.feed(chunk)] == [TooLong(b"x" * 11), b"hi"]


def test_what_is_taken_back_counts_no_more() -> None:
    for chunks in portions(b"0123456789\b\bxy\x15" * 5 + b"0123456789\n"):
        lines = EditedLines(10)
        assert [found for chunk in chunks for found in lines.feed(chunk)] == [b"0123456789"]
        assert not lines.partial


def test_bytes_that_are_no_utf_8_are_taken_back_one_by_one() -> None:
    assert EditedLines(0).feed(b"caf\xe9\xe8\x7f\n") == [b"caf\xe9"]


KEYS = [key.encode() for key in ("\b", "\x7f", "\x15", "\x17", "é", "👍🏽", "\u0301", " ", "\n")]


@given(st.lists(st.binary(max_size=8) | st.sampled_from(KEYS)))
def test_any_bytes_give_the_same_lines_however_they_are_cut(chunks: list[bytes]) -> None:
    whole, parts = EditedLines(300), EditedLines(300)
    assert list(whole.feed(b"".join(chunks))) == [line for chunk in chunks for line in parts.feed(chunk)]
    assert whole.take() == parts.take()
