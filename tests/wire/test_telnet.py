import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.wire.telnet import TelnetFilter
from tests.wire.portions import portions

DO_ECHO = b"\xff\xfd\x01"
TERMINAL_TYPE = b"\xff\xfa\x18\x00xterm\xff\xffmore\xff\xf0"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"hello\n", b"hello\n"),
        (b"hello\r\n", b"hello\r\n"),
        (b"hello\r\0", b"hello\r\n"),
        (b"he\0llo\0\n", b"hello\n"),
        (DO_ECHO + b"hel" + DO_ECHO + b"lo\n", b"hello\n"),
        (b"hel" + TERMINAL_TYPE + b"lo\n", b"hello\n"),
        (b"hel\xff\xf1lo\n", b"hello\n"),
        (b"hel\xff\xfflo\n", b"hello\n"),
        (b"\xff\xfa\x1f\0\x50\0\x18\xff\xf0\r\0x\0\r\n", b"\r\nx\r\n"),
        ("Ёж\r\n".encode(), "Ёж\r\n".encode()),
    ],
)
def test_only_text_is_left_however_the_bytes_are_cut(data: bytes, text: bytes) -> None:
    for chunks in portions(data):
        telnet = TelnetFilter()
        assert b"".join(map(telnet.text, chunks)) == text
        assert telnet.seen == (b"\xff" in data)
        assert telnet.crlf == (b"\r\n" in text)


@given(st.lists(st.binary(max_size=8) | st.sampled_from([b"\xff", b"\xfa", b"\xf0", b"\0", b"\r", b"\n"])))
def test_any_bytes_are_filtered_the_same_however_they_are_cut(chunks: list[bytes]) -> None:
    whole, parts = TelnetFilter(), TelnetFilter()
    text = whole.text(b"".join(chunks))
    assert b"".join(map(parts.text, chunks)) == text
    assert b"\0" not in text
    assert b"\xff" not in text
