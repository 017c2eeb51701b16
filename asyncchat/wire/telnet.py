"""What telnet clients send beside text (RFC 854): options and commands, CR NUL. None of it is text to anybody."""

import enum

_IAC, _SE, _SB, _WILL, _DONT = 255, 240, 250, 251, 254


class _State(enum.Enum):
    """Where in a command the last byte was."""

    TEXT = 0
    COMMAND = 1  # after IAC
    OPTION = 2  # after IAC WILL, WONT, DO or DONT
    WITHIN = 3  # after IAC SB: a parameter of any length
    WITHIN_COMMAND = 4  # after an IAC in there


class TelnetFilter:
    """Takes telnet commands and NULs out of a stream of bytes, in any portions.

    ``seen``: there were commands, so that the peer is a telnet client, which ends its lines. ``crlf``: the peer ends
    them with CR LF (or CR NUL, which becomes CR LF), so that it wants to see CR LF as well.
    """

    __slots__ = ("_after_cr", "_state", "crlf", "seen")

    def __init__(self) -> None:
        self._state = _State.TEXT
        self._after_cr = False
        self.crlf = False
        self.seen = False

    def text(self, data: bytes) -> bytes:
        """The bytes that are text."""
        if _IAC in data or self._state is not _State.TEXT:
            data = self._without_commands(data)
        if self._after_cr and data[:1] in (b"\0", b"\n"):
            self.crlf = True
            data = b"\n" + data[1:]
        self._after_cr = data.endswith(b"\r") if data else self._after_cr
        if b"\r" in data and (b"\r\n" in data or b"\r\0" in data):
            self.crlf = True
            data = data.replace(b"\r\0", b"\r\n")
        return data.replace(b"\0", b"") if b"\0" in data else data

    def _without_commands(self, data: bytes) -> bytes:
        self.seen = True
        text = bytearray()
        state = self._state
        for byte in data:
            match state:
                case _State.TEXT if byte == _IAC:
                    state = _State.COMMAND
                case _State.TEXT:
                    text.append(byte)
                case _State.COMMAND if byte == _SB:
                    state = _State.WITHIN
                case _State.COMMAND if _WILL <= byte <= _DONT:
                    state = _State.OPTION
                case _State.WITHIN if byte == _IAC:
                    state = _State.WITHIN_COMMAND
                case _State.WITHIN:
                    pass
                case _State.WITHIN_COMMAND if byte != _SE:
                    state = _State.WITHIN
                case _:  # a command of one byte, the option, or the end of a parameter
                    state = _State.TEXT
        self._state = state
        return bytes(text)
