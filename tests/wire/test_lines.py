import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.wire.lines import HEAD, LineBuffer, TooLong
from tests.wire.portions import portions

LIMIT = 8


def fed(buffer: LineBuffer, chunks: list[bytes]) -> list[bytes | TooLong]:
    return [line for chunk in chunks for line in buffer.feed(chunk)]


@pytest.mark.parametrize(
    ("data", "lines", "rest"),
    [
        (b"", [], b""),
        (b"one\ntwo\n", [b"one", b"two"], b""),
        (b"one\r\n\r\ntwo\n", [b"one", b"", b"two"], b""),
        (b"one\r\r\n", [b"one\r"], b""),
        (b"a\rb\n", [b"a\rb"], b""),
        (b"one\ntw", [b"one"], b"tw"),
        (b"12345678\n", [b"12345678"], b""),
        (b"123456789\nok\n", [TooLong(b"123456789"), b"ok"], b""),
        (b"1234567\r\nok\n", [b"1234567", b"ok"], b""),
        (b"ok\n123456789", [b"ok", TooLong(b"123456789")], b""),
        (b"123456789123456789\n\nok\n", [TooLong(b"123456789"), b"", b"ok"], b""),
    ],
)
def test_lines_are_the_same_however_the_bytes_are_cut(data: bytes, lines: list[bytes | TooLong], rest: bytes) -> None:
    for chunks in portions(data):
        buffer = LineBuffer(LIMIT)
        found = fed(buffer, chunks)
        assert [TooLong(b"") if isinstance(line, TooLong) else line for line in found] == [
            TooLong(b"") if isinstance(line, TooLong) else line for line in lines
        ]
        assert buffer.take() == rest


def test_the_tail_of_a_long_line_is_not_a_line() -> None:
    buffer = LineBuffer(LIMIT)
    assert list(buffer.feed(b"123456789")) == [TooLong(b"123456789")]
    assert list(buffer.feed(b'{"type":"quit"}')) == []
    assert buffer.partial
    assert list(buffer.feed(b"quit\nquit\n")) == [b"quit"]
    assert not buffer.partial


def test_the_head_of_a_long_line_is_bounded_and_starts_at_its_start() -> None:
    buffer = LineBuffer(LIMIT)
    buffer.feed(b"abcd")
    (long,) = buffer.feed(b"efgh" + b"x" * 1000)
    assert long == TooLong(b"abcdefgh" + b"x" * (HEAD - 8))


def test_take_ends_a_line_that_is_being_discarded() -> None:
    buffer = LineBuffer(LIMIT)
    buffer.feed(b"123456789")
    assert buffer.take() == b""
    assert list(buffer.feed(b"ok\n")) == [b"ok"]


def test_limit_zero_is_unlimited() -> None:
    buffer = LineBuffer(0)
    buffer.feed(b"x" * 100_000)
    assert buffer.pending == 100_000
    assert list(buffer.feed(b"\n")) == [b"x" * 100_000]


def test_a_gigabyte_of_one_line_is_neither_kept_nor_copied_again_and_again() -> None:
    buffer = LineBuffer(65_536)
    chunk = b"x" * 65_536
    tracemalloc.start()
    begun = time.perf_counter()
    reported = sum(len(buffer.feed(chunk)) for _ in range(16_384))
    seconds = time.perf_counter() - begun
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reported == 1
    assert peak < 4 * 65_536
    assert seconds < 5  # one pass over a gigabyte in memory; to copy it again and again takes hours


def test_a_long_line_byte_by_byte_takes_linear_time() -> None:
    def seconds(size: int) -> float:
        buffer = LineBuffer(0)
        begun = time.perf_counter()
        for _ in range(size):
            buffer.feed(b"x")
        return time.perf_counter() - begun

    assert seconds(400_000) < 40 * seconds(40_000)  # quadratic would be 100 times


@given(st.lists(st.binary(max_size=12) | st.sampled_from([b"\n", b"\r\n", b"\r", b"x" * 9])), st.integers(1, 9))
def test_any_bytes_give_bounded_lines(chunks: list[bytes], limit: int) -> None:
    buffer = LineBuffer(limit)
    found = fed(buffer, chunks)
    whole = b"".join(chunks).split(b"\n")
    expected = [
        TooLong(b"") if len(line) > limit else line.removesuffix(b"\r")
        for line in whole[:-1] + ([whole[-1]] if len(whole[-1]) > limit else [])
    ]
    assert [TooLong(b"") if isinstance(line, TooLong) else line for line in found] == expected
    assert buffer.pending <= limit
    assert buffer.partial == bool(whole[-1])
