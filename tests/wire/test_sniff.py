import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.wire.sniff import LONGEST, OPENINGS, REFUSALS, Kind, refusal, sniff


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (b'{"type":"hello"}', Kind.NATIVE),
        (b"{", Kind.NATIVE),
        (b"GET / HTTP/1.1\r\n", Kind.HTTP),
        (b"HEAD /healthz HTTP/1.1\r\n", Kind.HTTP),
        (b"GET http://host:7777/ HTTP/1.1\r\n", Kind.HTTP),
        (b"POST / HTTP/1.1\r\n", Kind.REFUSED_HTTP),
        (b"OPTIONS * HTTP/1.1\r\n", Kind.REFUSED_HTTP),
        (b"CONNECT host:443 HTTP/1.1\r\n", Kind.REFUSED_HTTP),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Kind.REFUSED_HTTP),
        (b"CAP LS 302\r\n", Kind.IRC),
        (b"nick alice\r\n", Kind.IRC),
        (b"User a 0 * :a\r\n", Kind.IRC),
        (b"PASS secret\r\n", Kind.IRC),
        (b"\x16\x03\x01\x02\x00", Kind.TLS),
        (b"alice\n", Kind.PLAIN),
        (b"Nick\n", Kind.PLAIN),
        (b"user\r\n", Kind.PLAIN),
        (b"GETTING coffee\n", Kind.PLAIN),
        (b"GET me a coffee\n", Kind.PLAIN),
        (b"Get /\n", Kind.PLAIN),
        (b"\n", Kind.PLAIN),
        (b"\xff\xfb\x1f", Kind.PLAIN),
        ("Ёжик\n".encode(), Kind.PLAIN),
        (b"\x16\x04", Kind.PLAIN),
    ],
)
def test_first_bytes_tell_the_dialect(first: bytes, kind: Kind) -> None:
    assert sniff(first) is kind
    decided = [sniff(first[:size]) for size in range(len(first) + 1)]
    known = [seen for seen in decided if seen is not None]
    assert known
    assert set(known) == {kind}, "what is decided stays so, whatever comes after"


@pytest.mark.parametrize("first", [b"", b"G", b"GET", b"GET ", b"nic", b"NICK", b"\x16", b"PRI *"])
def test_too_few_bytes_wait_and_are_plain_if_no_more_come(first: bytes) -> None:
    assert sniff(first) is None
    assert sniff(first, last=True) is Kind.PLAIN


@pytest.mark.parametrize("method", [b"PROPFIND", b"LINK", b"QUERY", b"M-SEARCH", b"foo", b"\r\nGET", b"\n\r\nPOST"])
def test_a_whole_line_of_http_is_refused_whatever_the_method(method: bytes) -> None:
    assert sniff(method + b" / HTTP/1.1\r\nHost: x\r\n\r\n") is Kind.REFUSED_HTTP
    assert sniff(method + b" / HTTP/1.1", last=True) is Kind.REFUSED_HTTP
    assert sniff(method + b" about HTTP/1.1", last=True) is Kind.REFUSED_HTTP
    assert sniff(method + b" about\nHTTP/1.1\n", last=True) is Kind.PLAIN


def test_no_opening_hides_another() -> None:
    for one, other in itertools.permutations(OPENINGS, 2):
        assert not one.startswith(other)


def test_a_refusal_of_head_has_no_body() -> None:
    whole = REFUSALS[Kind.HTTP]
    assert refusal(Kind.HTTP, b"GET / HTTP/1.1\r\n") == whole
    assert refusal(Kind.HTTP, b"HEAD / HTTP/1.1\r\n") == whole[: whole.index(b"\r\n\r\n") + 4]


def test_who_is_refused_is_told_so() -> None:
    assert REFUSALS.keys() >= {Kind.REFUSED_HTTP, Kind.TLS}
    head, _, body = REFUSALS[Kind.REFUSED_HTTP].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert f"Content-Length: {len(body)}\r\n".encode() in head
    for answer in REFUSALS.values():
        assert answer.endswith(b"\n")


@given(st.binary(max_size=40))
def test_any_bytes_are_decided_in_a_few(first: bytes) -> None:
    kind = sniff(first)
    assert kind is not None or len(first) < LONGEST
    assert sniff(first, last=True) in Kind
