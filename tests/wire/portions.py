"""The same bytes in different portions: a decoder must not care how the network cuts them."""

from collections.abc import Iterator


def portions(data: bytes) -> Iterator[list[bytes]]:
    """The whole, byte by byte, and cut in two at every place of the first hundred."""
    yield [data]
    yield [data[at : at + 1] for at in range(len(data))]
    for at in range(1, min(len(data), 100)):
        yield [data[:at], data[at:]]
