"""Mentions: in many scripts, by the names' own folding, as slices of the text as written, in bounded work."""

import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from asyncchat.vocabulary import mentions as module
from asyncchat.vocabulary.mentions import LOOKUPS, MENTIONED, MentionIndex, folded, mention_spans, mentions
from asyncchat.vocabulary.names import BadName, parse_user_name

# Letters, marks and signs of the scripts that have rules of their own, so that examples meet them.
written = st.text(
    "abSsßéI\u0301\u0308_ @'-[]12田中さリｱﾞ철수야님각\u1100\u1161กา\u0e35เकि\u200d\uff21ﬁ\u0130\U00020000", max_size=24
)
names = st.one_of(st.text("abß@_[é田中철수กา\u0301\uff21", min_size=1, max_size=3), st.text(min_size=1, max_size=4))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        # words, and what may stand beside them
        ("alice", "Alice: hi"),
        ("alice", "hi @alice!"),
        ("alice", "is that alice's?"),
        ("alice", "alice:look"),
        ("alice", "(alice)"),
        ("alice", "bob-alice-carol"),
        ("[bob]", "hi [bob], hi"),
        ("a.b", "ask A.B."),
        ("жук", "это Жук."),
        ("μαρία", "η Μαρία είναι εδώ"),
        ("דוד", "שלום, דוד!"),
        ("علي", "مرحبا علي، كيف حالك"),
        ("राम", "नमस्ते राम!"),
        ("தமிழ்", "வணக்கம் தமிழ்!"),
        # the names' folding
        ("Straße", "die STRASSE dort"),
        ("strasse", "die Straße dort"),
        ("ΟΔΥΣΣΕΥΣ", "ο οδυσσευς ήρθε"),
        ("andré", "hi Andre\u0301!"),
        ("andre\u0301", "hi André!"),
        ("bob", "hi ＢＯＢ!"),
        ("bob", "hi ＠ｂｏｂ"),
        ("İpek", "merhaba İpek"),
        ("カナ", "ｶﾅ!"),
        ("ガナ", "ｶﾞﾅ!"),
        # scripts without spaces
        ("李", "叫 李 来"),
        ("李明", "我觉得李明说得对"),
        ("李明", "@李明你好"),
        ("𠮷野", "今日は𠮷野が来る"),
        ("田中", "今日は田中さんが来る"),
        ("さくら", "これはさくらのです"),
        ("アリス", "こんにちはアリスさん"),
        ("アリス", "アリスー！"),
        ("bob", "これはbobさんの"),
        ("bob", "我叫bob。"),
        ("田中bob", "是田中Bob吗"),
        ("สมชาย", "สวัสดีสมชายครับ"),
        ("bob", "สวัสดีbobครับ"),
        ("ສົມ", "ສະບາຍດີສົມເດີ"),
        ("សុខា", "សួស្តីសុខាសុខសប្បាយ"),
        ("မောင်", "မင်္ဂလာပါမောင်ရေ"),
        # Korean
        ("철수", "철수 안녕"),
        ("철수", "철수야 안녕"),
        ("철수", "오늘 철수는 뭐해?"),
        ("철수", "철수님께서는 오셨나요"),
        ("철수", "철수한테만은 말하지 마"),
        ("지민", "지민이가 왔다"),
        ("철수", "@철수랑그리고"),
        ("철수", "\u110e\u1165\u11af\u1109\u116e야"),
        ("bob", "bob님 안녕하세요"),
        ("bob2", "bob2는 어디"),
    ],
)
def test_a_name_is_mentioned(name: str, text: str) -> None:
    assert mentions(text, name)
    index = MentionIndex()
    index.add(folded(name))
    assert index.find(text) == [parse_user_name(name).key]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("alice", "malice"),
        ("alice", "alices"),
        ("alice", "alice2, _alice and @alicetoo"),
        ("alice", ""),
        ("a.b", "axb"),
        ("[bob]", "x[bob] [bob]by"),
        ("bob", "bob\u0301"),
        ("андре", "Андрей"),
        ("राम", "रामा"),
        ("र", "राम"),
        ("علي", "عليها"),
        ("s", "Straße"),
        ("สม", "สมี"),
        ("มา", "เมา"),
        ("ม", "มา"),
        ("ន", "ស្នេហា"),
        ("李", "李\u0301"),
        ("수", "수업 시작"),
        ("수", "철수"),
        ("철수", "김철수"),
        ("철수", "철수세미"),
        ("철", "철수야"),
    ],
)
def test_no_part_of_another_word_is_a_mention(name: str, text: str) -> None:
    assert not mentions(text, name)
    index = MentionIndex()
    index.add(folded(name))
    assert index.find(text) == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("alice", "Alice, ALICE and malice", ["Alice", "ALICE"]),
        ("strasse", "ﬁ STRASSE, Straße", ["STRASSE", "Straße"]),
        ("Straße", "ßß STRASSE ß", ["STRASSE"]),
        ("andré", "e\u0301e\u0301 Andre\u0301!", ["Andre\u0301"]),
        ("がな", "ｶﾞ がな か\u3099な", ["がな", "か\u3099な"]),
        ("ガナ", "ｶﾞｶﾞｶﾞﾅ", ["ｶﾞﾅ"]),
        ("철수", "\u110e\u1165\u11af\u1109\u116e야 철수", ["\u110e\u1165\u11af\u1109\u116e", "철수"]),
        ("bob", "İ ｂob, bob", ["ｂob", "bob"]),
        ("田田", "田田田田田", ["田田", "田田"]),
        ("alice", "nobody", []),
    ],
)
def test_spans_point_into_the_text_as_it_was_written(name: str, text: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in mention_spans(text, name)] == found


@given(st.one_of(names, st.text(st.characters(categories=("L", "Nd", "Mn", "Mc")), min_size=1, max_size=12)))
@example("Straße")
@example("ﾊﾟﾋﾟ")
def test_folding_a_name_gives_its_key(name: str) -> None:
    try:
        parsed = parse_user_name(name, 0)
    except BadName:
        assume(False)
    else:
        assert folded(name) == folded(parsed.text) == parsed.key


@given(written, names)
@example("ŉ x", "x")
def test_spans_are_in_order_and_hold_the_name(text: str, name: str) -> None:
    spans = mention_spans(text, name)
    assert bool(spans) == mentions(text, name)
    assert [place for span in spans for place in span] == sorted(place for span in spans for place in span)
    for start, end in spans:
        assert folded(text[start:end]) == folded(name)


@given(st.one_of(written, st.text()))
def test_pieces_of_a_text_fold_to_the_folded_text(text: str) -> None:
    origins = module._origins(text)
    assert len(origins) == len(folded(text)) + 1
    assert (origins[0], origins[-1]) == (0, len(text))
    assert list(origins) == sorted(origins)
    if module._keeps_places(text):
        assert len(origins) == len(text) + 1


@given(written, st.lists(names, max_size=8), st.data())
def test_an_index_finds_what_is_mentioned(text: str, some: list[str], data: st.DataObject) -> None:
    keys = {folded(name) for name in some} - {""}
    index = MentionIndex()
    for key in [*keys, *keys]:
        index.add(key)
    gone = set(data.draw(st.lists(st.sampled_from(sorted(keys)), max_size=4))) if keys else set[str]()
    for key in [*gone, *gone]:
        index.discard(key)
    keys -= gone
    assert len(index) == len(keys)
    found = index.find(text)
    assert len(found) == len(set(found))
    assert set(found) == {key for key in keys if mentions(text, key)}


def test_an_index_from_which_all_names_went_holds_nothing() -> None:
    index = MentionIndex()
    for key in ("alice", "田中", "李", "[b]"):
        index.add(key)
        index.discard(key)
    assert not index._lengths
    assert not index._keys


def test_people_are_found_in_the_order_of_the_text() -> None:
    index = MentionIndex()
    for key in ("carol", "田中", "alice", "철수", "李"):
        index.add(key)
    assert index.find("李 and 철수야, 田中さん, Alice and carol, 李") == ["李", "철수", "田中", "alice", "carol"]


@pytest.mark.parametrize("text", ["田" * 5_461, "a.b.c." * 2_700, "철수" * 2_700])
def test_what_a_text_costs_is_bounded(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    index = MentionIndex()
    for length in range(2, 33):
        index.add(text[:length] + "x")
    index.add(text[-1])
    tried = 0

    class Keys(set[str]):
        def __contains__(self, key: object) -> bool:
            nonlocal tried
            tried += 1
            return super().__contains__(key)

    monkeypatch.setattr(index, "_keys", Keys(index._keys))
    assert len(index.find(text)) <= 1
    assert tried == LOOKUPS


def test_a_text_mentions_so_many_people_at_most() -> None:
    index = MentionIndex()
    keys = [f"p{number}" for number in range(2 * MENTIONED)]
    for key in keys:
        index.add(key)
    assert index.find(" ".join(keys)) == keys[:MENTIONED]


def test_every_variant_in_width_is_folded() -> None:
    for char in map(chr, range(0x110000)):
        if unicodedata.decomposition(char).startswith(("<wide>", "<narrow>")):
            assert module._WIDE.fullmatch(char)
            assert module._in_one_width(char) == unicodedata.normalize("NFKC", char)
