"""What counts as a word, in any script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.storage.tokenizer import Finder, index_text, literals, phrases, written


def finds(query: str, text: str) -> bool:
    return Finder(phrases(query))(text) and all(piece in written(text) for piece in literals(query))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("HELLO", "hello World"),
        ("world hello", "Hello, world!"),
        ("cafe", "Un CAFÉ crème"),
        ("CRÈME", "cafe creme"),
        ("strasse", "die Straße"),
        ("STRAẞE", "strasse"),
        ("елка", "новогодняя Ёлка"),
        ("ПРИВЕТ", "привет"),
        ("αθηνα", "Αθήνα"),
        ("σοφοσ", "ΣΟΦΟΣ σοφός"),
        ("lodz", "Łódź"),
        ("tel", "℡ 42"),
        ("abc", "ＡＢＣ"),
        ("don't", "I don't know"),
        ("bob@example.com", "write to bob@example.com today"),
        ("snake_case", "a snake_case name"),
        ("case", "a snake_case name"),
        ("42", "the answer is 42."),
        ("日本", "日本語を勉強する"),
        ("本語", "日本語を勉強する"),
        ("日本語", "日本語を勉強する"),
        ("語", "日本語を勉強する"),
        ("強する", "日本語を勉強する"),
        ("る", "日本語を勉強する"),
        ("カタカナ", "ｶﾀｶﾅで書く"),
        ("が", "か\u3099"),
        ("手机", "我的iPhone手机坏了"),
        ("iphone手机", "我的iPhone手机坏了"),
        ("机坏", "手机坏了"),
        ("ครับ", "สวัสดีครับ"),
        ("학교", "학교에서 공부"),
        ("에서", "학교에서 공부"),
        ("हिन्दी", "यह हिन्दी है"),
        ("محمد", "قال مُحَمَّد"),
        ("שלום", "שָׁלוֹם לכם"),
        ("🎉", "hooray🎉🎉"),
        ("❤", "I ❤️ it"),
        ("❤️", "I ❤ it"),
        ("€", "10€"),
        ("می‌خواهم", "من میخواهم"),
        ("C++", "learn c++ now"),
        ("c++?", "C++17"),
        ("c++", "Ｃ＋＋"),
        (".net", "Asp.NET"),
        ("naïve/café++", "NAIVE/CAFE++"),
        ("(hello!)", "well hello there"),
        ("“Hello”,", "hello"),
        ("hello ???", "hello"),
        ("l’été++", "L'ÉTÉ++"),
        ("日本語。", "日本語を勉強する"),
    ],
)
def test_a_word_is_found(query: str, text: str) -> None:
    assert finds(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("hell", "hello"),
        ("ello", "hello"),
        ("hello world", "hello"),
        ("bob@example.com", "example.com has no bob"),
        ("日本語", "日本と本語"),
        ("本日", "日本"),
        ("手a", "手b"),
        ("кот", "котик"),
        ("हिन्दी", "हिन्द"),
        ("мой", "мои"),
        ("C++", "plan c"),
        ("c++", "c+"),
        (".net", "net"),
        ("snake_case", "snake case"),
        ("a ->", "a"),
    ],
)
def test_what_is_not_the_word_is_not_found(query: str, text: str) -> None:
    assert not finds(query, text)


@pytest.mark.parametrize("query", ["", " ", "?!", "…", '"', "* ^ ( ) :", "\x00", "_", "。、"])
def test_no_word_is_no_phrase(query: str) -> None:
    assert phrases(query) == []


def test_a_word_twice_is_looked_for_once() -> None:
    assert phrases("Tea tea TEA") == ['"tea"']


@given(text=st.text())
def test_a_message_is_found_by_each_piece_of_it(text: str) -> None:
    for piece in text.split():
        assert finds(piece, text)


@given(text=st.text(alphabet=st.characters(categories=["Lo", "Mn", "Mc", "Nd", "So", "Zs", "Po", "Cf"])))
def test_a_message_in_other_scripts_is_found_by_each_piece_of_it(text: str) -> None:
    for piece in text.split():
        assert finds(piece, text)


@given(text=st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    words = "".join(character for character in index_text(text) if character.isalnum())
    assert index_text(words.lower()).lower() == index_text(words).lower()
