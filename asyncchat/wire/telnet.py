"""The telnet protocol below the plain dialect: text out of a peer's bytes, and how its commands are answered.

RFC 854 (commands, ends of lines), 857 (ECHO), 858 (SUPPRESS-GO-AHEAD), 860 (TIMING-MARK), 1143 (negotiation without
loops) and 1184 (EOF). No I/O.

A peer speaks telnet once it has sent a command. Nothing else tells: on every port but 23 the ``telnet`` program is
silent until it is spoken to, and it ends its lines with CR LF, as ``nc -C`` does. So a peer that has sent no command is
never sent one: somebody with nc would see it as garbage.
"""

import enum
import re
import unicodedata
from collections.abc import Sequence
from typing import final

from msgspec import Struct

from asyncchat.wire.lines import LineBuffer, TooLong


class _Command(enum.IntEnum):
    """The byte after IAC. Those that are missing here (NOP, DM, GA, ...) need no answer."""

    EOF = 236
    ABORT = 238
    SE = 240
    BRK = 243
    IP = 244
    AO = 245
    AYT = 246
    EC = 247
    EL = 248
    SB = 250
    WILL = 251
    WONT = 252
    DO = 253
    DONT = 254
    IAC = 255


_IAC, _WILL, _WONT, _DO, _DONT = _Command.IAC, _Command.WILL, _Command.WONT, _Command.DO, _Command.DONT
_OPTION_COMMANDS = range(_WILL, _DONT + 1)  # an option follows

_ECHO, _TIMING_MARK = 1, 6

_DATA_MARK = bytes((_IAC, 242))


@final
class Reply(Struct, frozen=True, gc=False):
    """Bytes to send to the peer, in the place among what it is sent that its command has among what it sends."""

    data: bytes


class Signal(enum.Enum):
    """A command that means something to the one who chats."""

    FIRST = "first"
    """The peer has sent its first command, so that it is known to speak telnet from here on."""

    ARE_YOU_THERE = "are you there"
    """AYT: the user wants to see that the server is there."""

    INTERRUPTED = "interrupted"
    """The user has interrupted (IP, BRK), and the peer shows again what it is sent."""


class _Echo(enum.Enum):
    """Our side of ECHO (RFC 1143, 7): a wish for which an earlier answer has to be awaited is kept until it comes."""

    NO = "no"
    YES = "yes"
    WANT_NO = "want no"
    WANT_NO_THEN_YES = "want no, then yes"
    WANT_YES = "want yes"
    WANT_YES_THEN_NO = "want yes, then no"


_NO, _YES, _WANT_NO, _WANT_NO_THEN_YES, _WANT_YES, _WANT_YES_THEN_NO = _Echo

_WISHES: dict[tuple[_Echo, bool], tuple[_Echo, int | None]] = {
    (_NO, True): (_WANT_YES, _WILL),
    (_WANT_NO, True): (_WANT_NO_THEN_YES, None),
    (_WANT_YES_THEN_NO, True): (_WANT_YES, None),
    (_YES, False): (_WANT_NO, _WONT),
    (_WANT_YES, False): (_WANT_YES_THEN_NO, None),
    (_WANT_NO_THEN_YES, False): (_WANT_NO, None),
}
"""From a state by our wish to the next state, and the command that is sent."""

_ANSWERS: dict[tuple[_Echo, int], tuple[_Echo, int | None]] = {
    (_WANT_YES, _DO): (_YES, None),
    (_WANT_YES_THEN_NO, _DO): (_WANT_NO, _WONT),
    (_WANT_NO, _DO): (_NO, None),  # an error of the peer, as the next: WONT cannot be refused
    (_WANT_NO_THEN_YES, _DO): (_YES, None),
    (_YES, _DONT): (_NO, _WONT),
    (_WANT_NO, _DONT): (_NO, None),
    (_WANT_NO_THEN_YES, _DONT): (_WANT_YES, _WILL),
    (_WANT_YES, _DONT): (_NO, None),
    (_WANT_YES_THEN_NO, _DONT): (_NO, None),
}
"""The same by the peer's command. DO in `_Echo.NO` is refused as that of any other option; all else changes nothing."""


class Telnet:
    """One connection's telnet, for bytes in any portions. Of an unfinished command it holds two bytes at most."""

    __slots__ = ("_after_cr", "_begun", "_echo", "_interrupted", "_parameter", "_refused", "crlf", "seen")

    def __init__(self) -> None:
        self._begun = b""
        self._parameter = False
        self._after_cr = False
        self._echo = _NO
        self._interrupted = False
        self._refused = set[tuple[int, int]]()
        #: The peer has sent a command.
        self.seen = False
        #: The peer ends its lines with CR, with LF or NUL after it or without, so that it needs CR LF itself.
        self.crlf = False

    @property
    def partial(self) -> bool:
        """A command has begun and not ended."""
        return self._parameter or bool(self._begun)

    @property
    def hiding(self) -> bool:
        """The peer was asked to hide what its user types, and has not refused."""
        return self._echo in (_YES, _WANT_YES)

    def hide(self, hide: bool) -> bytes:
        """What to send so that the peer does not show what its user types, or shows it again.

        That is our offer to echo in its place (RFC 857), which we then do not. Nothing, if it does not speak telnet.
        """
        return self._echo_step(_WISHES.get((self._echo, hide))) if self.seen else b""

    def _echo_step(self, step: tuple[_Echo, int | None] | None) -> bytes:
        self._echo, send = step or (self._echo, None)
        return bytes((_IAC, send, _ECHO)) if send is not None else b""

    def receive(self, data: bytes) -> list[bytes | Reply | Signal]:
        """Text, with LF at the end of each line, and what the commands ask for, in order.

        EC, EL and EOF become the keys that do the same, and so does what IP and BRK mean for the line.
        """
        if self._begun:
            data, self._begun = self._begun + data, b""
        found: list[bytes | Reply | Signal] = []
        at, end = 0, len(data)
        while at < end:
            iac = data.find(_IAC, at)
            if iac < 0:
                iac = end
            if iac > at and not self._parameter and (text := self._text(data[at:iac])):
                found.append(text)
            code = data[iac + 1] if iac + 1 < end else None
            if code is None or (code in _OPTION_COMMANDS and iac + 2 == end):
                self._begun = data[iac:]
                break
            at = iac + 2
            if self._parameter:
                self._parameter = code != _Command.SE
            elif code in _OPTION_COMMANDS:
                found += self._command(code, data[at])
                at += 1
            elif code >= _Command.EOF:
                found += self._command(code)
            else:
                at = iac + 1  # no command: a byte of the text, which is no UTF-8, and said to be none
                found.append(b"\xff")
        return found

    def _text(self, text: bytes) -> bytes:
        """CR, CR LF and CR NUL end a line, also where they are cut; other NULs are padding (RFC 854, page 11)."""
        if self._after_cr and text[0] in b"\n\0":
            text = text[1:]
        self._after_cr = text.endswith(b"\r")
        if b"\r" in text:
            self.crlf = True
            text = text.replace(b"\r\n", b"\n").replace(b"\r\0", b"\n").replace(b"\r", b"\n")
        return text.replace(b"\0", b"") if b"\0" in text else text

    def _command(self, code: int, option: int = 0) -> list[bytes | Reply | Signal]:
        """What a command asks for."""
        if code == _IAC:
            return [b"\xff"]
        first = [] if self.seen else [Signal.FIRST]
        self.seen = True
        match code:
            case _Command.DO | _Command.DONT | _Command.WILL:
                return [*first, *self._negotiated(code, option)]
            case _Command.SB:
                self._parameter = True
            case _Command.EC:
                return [*first, ERASE]
            case _Command.EL:
                return [*first, KILL]
            case _Command.AYT:
                return [*first, Signal.ARE_YOU_THERE]
            case _Command.EOF:
                return [*first, END]
            case _Command.AO:
                return [*first, Reply(_DATA_MARK)]
            case _Command.IP | _Command.BRK | _Command.ABORT:
                self._interrupted = True
                return [*first, KILL, Reply(_DATA_MARK)]
        return [*first]

    def _negotiated(self, code: int, option: int) -> list[bytes | Reply | Signal]:
        """The answer to DO, DONT or WILL, if there is one.

        All options but ECHO are refused, each once: a peer that asks for one over and over knows. So is
        SUPPRESS-GO-AHEAD, though RFC 1123, 3.2.2 wants it accepted: clients that have it send every key, and edit no
        line any more (the ``telnet`` program, PuTTY), and without it they behave as full duplex terminals do anyway.
        """
        if (code, option) == (_DO, _TIMING_MARK):
            # Of what comes before this answer, the telnet program shows nothing after Ctrl+C.
            interrupted, self._interrupted = self._interrupted, False
            return [Reply(bytes((_IAC, _WILL, option))), *([Signal.INTERRUPTED] if interrupted else [])]
        if option == _ECHO and (step := _ANSWERS.get((self._echo, code))) is not None:
            return [Reply(self._echo_step(step))]
        if code == _DONT:
            return []
        known = (code, option) in self._refused
        self._refused.add((code, option))
        return [Reply(b"" if known else bytes((_IAC, _WONT if code == _DO else _DONT, option)))]


ERASE = b"\x7f"
"""Takes back a character, as 0x08 does: terminals send one or the other for the Backspace key."""

KILL = b"\x15"
"""Ctrl+U: takes back the line."""

END = b"\x04"
"""Ctrl+D: on an empty line it is a line of its own, by which the user leaves; else it is nothing."""

_ERASE_WORD = b"\x17"  # Ctrl+W

_KEYS = re.compile(b"([\x04\x08\x7f\x15\x17])")

LONGEST_CHARACTER = 128
"""Bytes that are looked at to find where a character begins: a family as an emoji has 41, a flag of a region 28."""

_JOINER = "\u200d"
_EXTENDING = re.compile("[\ufe00-\ufe0f\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
"""Beside marks: variation selectors, the joiner, skin tones, tags."""

_REGIONAL = re.compile("[\U0001f1e6-\U0001f1ff]+$")  # a pair of them is a flag


class EditedLines(LineBuffer):
    """A `LineBuffer` that applies editing keys. Of an over-long line that is being discarded nothing can be taken back.

    The lines are the same however the bytes are cut.
    """

    __slots__ = ()

    def feed(self, data: bytes) -> Sequence[bytes | TooLong]:
        """The lines that *data* completes."""
        if _KEYS.search(data) is None:
            return super().feed(data)
        lines: list[bytes | TooLong] = []
        for number, part in enumerate(_KEYS.split(data)):
            if number % 2 == 0:
                lines += super().feed(part)
            elif part == END:
                lines += () if self.partial else (END,)
            elif self._pending:
                del self._pending[self._kept(part) :]
        return lines

    def _kept(self, key: bytes) -> int:
        """How much of the line stays."""
        line = self._pending
        if key == KILL:
            return 0
        if key == _ERASE_WORD:
            end = len(line.rstrip(b" \t"))
            return max(line.rfind(b" ", 0, end), line.rfind(b"\t", 0, end)) + 1
        return len(line) - _last_character(bytes(line[-LONGEST_CHARACTER:]))


def _last_character(line: bytes) -> int:
    """How many bytes the last character has: with its marks, and all that an emoji is joined of (near UAX #29)."""
    if line[-1] < 0x80:
        return 1
    text = line.decode(errors="surrogateescape")  # bytes that are no UTF-8 are taken back one by one
    start = len(text) - 1
    while start > 0 and (_extends(text[start]) or text[start - 1] == _JOINER):
        start -= 1
    flags = _REGIONAL.search(text)
    if flags is not None and len(flags[0]) % 2 == 0:
        start -= 1
    return len(text[start:].encode(errors="surrogateescape"))


def _extends(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or _EXTENDING.match(character) is not None
