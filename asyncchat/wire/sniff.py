"""The first bytes that a client sends tell which dialect it speaks, by the table `OPENINGS`.

Everything that a table entry does not claim is plain text, unless its first line is one of HTTP and came whole. That
is unambiguous because a plain peer's first line is a name, and no name holds a space or a ``{``: ``Nick`` and
``Getting`` are names, ``NICK alice`` is IRC, ``GET /`` is HTTP, and ``GET me a coffee`` is just no name.
"""

import enum
import re
from typing import Literal, overload

SILENCE = 1.0
"""Seconds after which a client that has said nothing is greeted in plain text: it may be a person who waits
for a prompt.

The greeting decides nothing. The first bytes still do, so that a slow program is served in its own dialect:
native clients skip lines that are no JSON before the welcome, IRC clients skip what they do not know,
browsers give up a connection that speaks unasked and take another.
"""

SETTLED = 2.0
"""Seconds after which first bytes that could become several things (``Nick``, ``Pass``, ``G``) are plain text.

That is somebody who ends nothing with a newline; a program's first bytes are not that long on their way.
"""


class Kind(enum.Enum):
    """What a client speaks."""

    NATIVE = "native"
    HTTP = "http"
    REFUSED_HTTP = "refused-http"
    IRC = "irc"
    TLS = "tls"
    PLAIN = "plain"


_TARGETS = (b"/", b"*", b"http://", b"https://")
"""How the target of a request line begins (RFC 9112, 3.2); browsers send nothing but the first."""

_REFUSED_VERBS = (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE")

OPENINGS: dict[bytes, Kind] = {
    b"{": Kind.NATIVE,
    **{verb + b" " + target: Kind.HTTP for verb in (b"GET", b"HEAD") for target in _TARGETS},
    **{verb + b" " + target: Kind.REFUSED_HTTP for verb in _REFUSED_VERBS for target in _TARGETS},
    b"CONNECT ": Kind.REFUSED_HTTP,
    b"PRI * HTTP/2": Kind.REFUSED_HTTP,
    **{command + b" ": Kind.IRC for command in (b"CAP", b"NICK", b"USER", b"PASS")},
    b"\x16\x03": Kind.TLS,  # a handshake record (RFC 8446, 5.1)
}

_ANY_CASE = frozenset({Kind.IRC})
"""IRC commands are case-insensitive; HTTP methods are not (RFC 9110, 9.1)."""

REQUEST_LINE = re.compile(rb"\S+ \S+ HTTP/\d")
"""A line of HTTP whatever its method is: there are more than the table has, and anybody may make up others."""

LONGEST = max(map(len, OPENINGS))
"""Bytes that decide in any case."""


@overload
def sniff(first: bytes, *, last: Literal[True]) -> Kind: ...
@overload
def sniff(first: bytes, *, last: bool = False) -> Kind | None: ...
def sniff(first: bytes, *, last: bool = False) -> Kind | None:
    """What the client speaks whose first bytes are these; None: more bytes are needed to tell.

    *last*: no more will come soon (the client has sent its end, or nothing for a while): what is undecided is
    plain.
    """
    upper = first[:LONGEST].upper()
    undecided = not first
    for opening, kind in OPENINGS.items():
        start = upper if kind in _ANY_CASE else first
        if start.startswith(opening):
            return kind
        undecided = undecided or opening.startswith(start)
    if REQUEST_LINE.match(first.lstrip(b"\r\n")):  # after empty lines too (RFC 9112, 2.2)
        return Kind.REFUSED_HTTP
    return None if undecided and not last else Kind.PLAIN


_NOT_HERE = b"This is a chat server, not a web server.\n"
_METHOD_NOT_ALLOWED = (
    b"HTTP/1.1 405 Method Not Allowed\r\n"
    b"Allow:\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\n"
    b"Connection: close\r\n"
    b"\r\n%b" % (len(_NOT_HERE), _NOT_HERE)
)

REFUSALS: dict[Kind, bytes] = {
    Kind.HTTP: _METHOD_NOT_ALLOWED,
    Kind.REFUSED_HTTP: _METHOD_NOT_ALLOWED,
    Kind.IRC: b"ERROR :This server does not speak IRC. Connect with nc or telnet, and type your name.\r\n",
    Kind.TLS: b"This server is without TLS: connect without it.\r\n",
}
"""What a client of a kind that is not served is sent before it is closed."""


def refusal(kind: Kind, first: bytes) -> bytes:
    """What a client of a kind that is not served is sent before it is closed, when it spoke so."""
    answer = REFUSALS[kind]
    if first.lstrip(b"\r\n").startswith(b"HEAD "):
        head, blank, _ = answer.partition(b"\r\n\r\n")
        return head + blank  # such an answer has no body (RFC 9110, 9.3.2)
    return answer
