import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.wire.telnet import END, ERASE, KILL, Reply, Signal, Telnet
from tests.wire.portions import portions

IAC, SB, SE, WILL, WONT, DO, DONT = b"\xff", b"\xfa", b"\xf0", b"\xff\xfb", b"\xff\xfc", b"\xff\xfd", b"\xff\xfe"
ECHO, SGA, TIMING_MARK, TTYPE = b"\1", b"\3", b"\6", b"\x18"
TERMINAL_TYPE = IAC + SB + TTYPE + b"\0xterm\xff\xffmore" + IAC + SE
DATA_MARK = b"\xff\xf2"


def received(telnet: Telnet, chunks: list[bytes]) -> tuple[bytes, bytes, list[Signal]]:
    """The text, the replies, and the signals."""
    found = [item for chunk in chunks for item in telnet.receive(chunk)]
    return (
        b"".join(item for item in found if isinstance(item, bytes)),
        b"".join(item.data for item in found if isinstance(item, Reply)),
        [item for item in found if isinstance(item, Signal) and item is not Signal.FIRST],
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"hello\n", b"hello\n"),
        (b"hello\r\n", b"hello\n"),
        (b"hello\r\0", b"hello\n"),
        (b"hello\rworld\r\r\n", b"hello\nworld\n\n"),
        (b"he\0llo\0\n", b"hello\n"),
        (DO + SGA + b"hel" + DO + ECHO + b"lo\n", b"hello\n"),
        (b"hel" + TERMINAL_TYPE + b"lo\n", b"hello\n"),
        (b"hel\xff\xf1lo\xff\xf2\xff\xf9\n", b"hello\n"),
        (b"hel\xff\xfflo\n", b"hel\xfflo\n"),
        (b"hel\xfflo\xff\n", b"hel\xfflo\xff\n"),
        (b"\xff\xfa\x1f\0\x50\0\x18\xff\xf0\r\0x\0\r\n", b"\nx\n"),
        (b"hel\r" + DO + SGA + b"\nlo", b"hel\nlo"),
        (b"no\xff\xf8hex\xff\xf7llo", b"no" + KILL + b"hex" + ERASE + b"llo"),
        (b"hi\n\xff\xec", b"hi\n" + END),
        ("Ёж\r\n".encode(), "Ёж\n".encode()),
    ],
)
def test_only_text_is_left_however_the_bytes_are_cut(data: bytes, text: bytes) -> None:
    for chunks in portions(data):
        telnet = Telnet()
        assert received(telnet, chunks)[0] == text
        assert not telnet.partial
        assert telnet.seen == (text.replace(ERASE, b"").count(b"\xff") < data.count(b"\xff") - (b"\xff\xff" in data))
        assert telnet.crlf == (b"\r" in data)


@pytest.mark.parametrize(
    ("data", "reply", "signals"),
    [
        (DO + TTYPE + WILL + TTYPE + WILL + SGA + DO + SGA, WONT + TTYPE + DONT + TTYPE + DONT + SGA + WONT + SGA, []),
        (DO + TTYPE + DO + TTYPE + DO + TTYPE, WONT + TTYPE, []),
        (DO + ECHO + DONT + ECHO + DO + ECHO, WONT + ECHO, []),
        (DONT + TTYPE + WONT + TTYPE, b"", []),
        (2 * (DO + TIMING_MARK), 2 * (WILL + TIMING_MARK), []),
        (WILL + TIMING_MARK, DONT + TIMING_MARK, []),
        (b"\xff\xf4" + DO + TIMING_MARK, DATA_MARK + WILL + TIMING_MARK, [Signal.INTERRUPTED]),
        (b"\xff\xf3" + 2 * (DO + TIMING_MARK), DATA_MARK + 2 * (WILL + TIMING_MARK), [Signal.INTERRUPTED]),
        (b"\xff\xf5" + DO + TIMING_MARK, DATA_MARK + WILL + TIMING_MARK, []),
        (b"\xff\xf6", b"", [Signal.ARE_YOU_THERE]),
    ],
)
def test_commands_are_answered_however_the_bytes_are_cut(data: bytes, reply: bytes, signals: list[Signal]) -> None:
    for chunks in portions(data):
        assert received(Telnet(), chunks) == (
            KILL if DATA_MARK in reply and b"\xff\xf5" not in data else b"",
            reply,
            signals,
        )


def test_the_first_command_is_signalled_in_its_place() -> None:
    assert Telnet().receive(b"hi" + DONT + ECHO + b"\xff\xf1") == [b"hi", Signal.FIRST]


def test_a_peer_that_has_sent_no_command_is_sent_none() -> None:
    telnet = Telnet()
    telnet.receive(b"caf\xe9 \xff\xff\r\n\xff")
    assert telnet.hide(True) == b""
    assert not telnet.hiding


def test_a_flood_of_requests_is_answered_once_an_option() -> None:
    telnet = Telnet()
    every = b"".join(command + bytes((option,)) for command in (DO, WILL) for option in range(256))
    replies = [item for item in telnet.receive(every * 100) if isinstance(item, Reply)]
    assert sum(len(reply.data) for reply in replies) == 100 * 3 + 511 * 3, "but a TIMING-MARK is each answered"
    assert len(replies) == 100 * 512, "each costs as much as a command"


def test_a_parameter_is_not_held() -> None:
    telnet = Telnet()
    telnet.receive(IAC + SB)
    for _ in range(100):
        assert telnet.receive(b"x" * 60_000 + b"\xff\xff\xff\xfd") == []
    assert len(telnet._begun) <= 2
    assert telnet.receive(b"\xff\xf0hi") == [b"hi"]


# --- the Q method -----------------------------------------------------------------------------------------------------


class Peer:
    """A telnet client with its side of ECHO; its answers are on their way."""

    def __init__(self, *, willing: bool) -> None:
        self.willing = willing
        self.hides = False
        self.answers: list[bytes] = []

    def gets(self, data: bytes) -> None:
        for at in range(0, len(data), 3):
            command = data[at : at + 2]
            assert data[at + 2 : at + 3] == ECHO
            if command == WILL and not self.hides:
                self.hides = self.willing
                self.answers.append((DO if self.willing else DONT) + ECHO)
            elif command == WONT and self.hides:
                self.hides = False
                self.answers.append(DONT + ECHO)


@given(st.lists(st.sampled_from(["hide", "show", "answer"]), max_size=20), st.booleans())
def test_whatever_order_wishes_and_answers_come_in_both_sides_agree_in_the_end(steps: list[str], willing: bool) -> None:
    telnet, peer = Telnet(), Peer(willing=willing)
    telnet.receive(b"\xff\xf1")
    wish = False
    for step in steps:
        if step == "answer":
            if peer.answers:
                peer.gets(received(telnet, [peer.answers.pop(0)])[1])
        else:
            wish = step == "hide"
            peer.gets(telnet.hide(wish))
    rounds = 0
    while peer.answers:
        peer.gets(received(telnet, [peer.answers.pop(0)])[1])
        rounds += 1
    assert rounds <= 3, "a loop"
    assert peer.hides == telnet.hiding == (wish and willing)


@given(st.lists(st.sampled_from([DO + ECHO, DONT + ECHO, "hide", "show"]), max_size=30))
def test_a_peer_that_keeps_no_rules_gets_no_loop(steps: list[bytes | str]) -> None:
    telnet = Telnet()
    telnet.receive(b"\xff\xf1")
    sent = wishes = 0
    for step in steps:
        if isinstance(step, bytes):
            sent += len(received(telnet, [step])[1]) // 3
        else:
            wishes += 1
            sent += len(telnet.hide(step == "hide")) // 3
    assert sent <= 2 * wishes + 1


# --- any bytes --------------------------------------------------------------------------------------------------------

PIECES = [bytes((code,)) for code in (*range(236, 256), 0, 1, 6, 8, 10, 13)]


@given(st.lists(st.binary(max_size=8) | st.sampled_from(PIECES)))
def test_any_bytes_are_read_the_same_however_they_are_cut(chunks: list[bytes]) -> None:
    whole, parts = Telnet(), Telnet()
    assert received(parts, chunks) == received(whole, [b"".join(chunks)])
    assert (parts.seen, parts.crlf, parts.partial) == (whole.seen, whole.crlf, whole.partial)
    assert len(parts._begun) <= 2
