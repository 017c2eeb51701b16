import pytest

from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.terms import Code, State
from asyncchat.wire.dialect import Problem
from asyncchat.wire.plain import HINT, LINES_SHOWN, greeting
from asyncchat.wire.plain_login import VISIBLE, VISIBLE_IN_TELNET, another_name
from tests.wire.talk import Talk, said, welcome


def test_the_first_line_is_a_name_and_then_it_looks_around() -> None:
    talk = Talk()
    assert talk.asks(" carol ") == commands.Hello(name="carol", client="plain")
    assert talk.answer(welcome("#lobby", motd="be kind\nhave fun")) == [
        "be kind",
        "have fun",
        "* you are carol on example",
        "* you write to #lobby",
    ]
    who, history = talk.wishes()
    assert isinstance(who, commands.Who)
    assert isinstance(history, commands.History)
    assert (who.room, history.to, history.limit) == ("#lobby", "#lobby", LINES_SHOWN)
    assert talk.wishes() == []
    members = [events.Member(name=f"p{number}", state=State.ONLINE) for number in range(60)]
    (line,) = talk.answer(events.Members(room="#lobby", members=members))
    assert line.startswith("* in #lobby: p0, p1, ")
    assert line.endswith("p49 and 10 more")
    page = [said("first", seq=3), said("second\nline", seq=4)]
    assert talk.answer(events.History(to="#lobby", events=list(page), complete=False, next=3)) == [
        "--- Friday, 2 January 2026 (times are UTC) ---",
        "12:34 bob: first",
        "12:34 bob: second",
        "      line",
        HINT,
    ]


def test_in_no_room_it_says_how_to_enter_one() -> None:
    talk = Talk()
    assert talk.enter() == ["* you are carol on example", "* you are in no room: /join #room", HINT]
    assert talk.wishes() == []
    assert isinstance(talk.types("hi"), Problem)


def test_who_says_nothing_is_greeted() -> None:
    assert greeting("ex\x1b[2Jample") == "Welcome to ex␛[2Jample. What is your name?\r\n".encode()


def test_another_name_is_offered_when_one_is_taken() -> None:
    talk = Talk()
    talk.types("carol")
    assert talk.answer(events.Error(code=Code.CONFLICT, text="carol is taken")) == [
        "! carol is taken",
        "Your name? (or Enter, to be carol2)",
    ]
    assert talk.asks("") == commands.Hello(name="carol2", client="plain")
    talk.answer(events.Error(code=Code.CONFLICT, text="carol2 is taken"))
    assert talk.asks("dave") == commands.Hello(name="dave", client="plain")


@pytest.mark.parametrize(
    ("name", "other"),
    [("bob", "bob2"), ("bob9", "bob10"), ("7", "72"), ("x" * 32, "x" * 31 + "2"), ("b" + "9" * 31, "b1000000")],
)
def test_another_name_is_near_and_short(name: str, other: str) -> None:
    assert another_name(name) == other


def test_a_registered_name_asks_for_its_password() -> None:
    talk = Talk()
    talk.types("carol")
    refused = events.Error(code=Code.WRONG_PASSWORD, text="carol is registered")
    assert talk.answer(refused) == ["! carol is registered", VISIBLE, "Password? (or Enter, to take another name)"]
    assert talk.asks(" pass word ") == commands.Hello(name="carol", password=" pass word ", client="plain")
    assert talk.answer(refused)[-1].startswith("Password?")
    assert talk.reply("") == ["Your name?"]
    assert talk.asks("dave") == commands.Hello(name="dave", client="plain")


def test_a_server_with_a_password_asks_for_it() -> None:
    talk = Talk()
    talk.types("carol")
    refused = events.Error(code=Code.LOGIN_FIRST, text="this server has a password")
    assert talk.answer(refused) == ["! this server has a password", VISIBLE, "The password of this server?"]
    assert talk.asks("sesame") == commands.Hello(name="carol", server_password="sesame", client="plain")
    talk.answer(events.Error(code=Code.WRONG_PASSWORD, text="carol is registered"))
    assert talk.asks("mine") == commands.Hello(name="carol", password="mine", server_password="sesame", client="plain")


IAC_WILL_ECHO, IAC_WONT_ECHO, IAC_DO_ECHO, IAC_DONT_ECHO = b"\xff\xfb\1", b"\xff\xfc\1", b"\xff\xfd\1", b"\xff\xfe\1"
REGISTERED = events.Error(code=Code.WRONG_PASSWORD, text="carol is registered")
PASSWORD = b"Password? (or Enter, to take another name)\r\n"


def test_a_telnet_client_is_asked_to_hide_a_password() -> None:
    talk = Talk()
    assert talk.sends(b"\xff\xf1") == b"Your name?\n"
    talk.types("carol\r")
    assert talk.told(REGISTERED) == IAC_WILL_ECHO + b"! carol is registered\r\n" + PASSWORD
    assert talk.sends(IAC_DO_ECHO) == b""
    talk.types("wrong\r")
    # The user's Enter was not shown either. The next line is a password again, and stays hidden.
    assert talk.told(REGISTERED) == b"\r\n! carol is registered\r\n" + PASSWORD
    talk.types("right\r")
    assert talk.told(welcome("#lobby")).startswith(b"\r\n" + IAC_WONT_ECHO + b"* you are carol")
    assert talk.sends(IAC_DONT_ECHO) == b""
    assert talk.dialect.encode(said()) == b"bob: hi\r\n"


def test_a_telnet_client_that_takes_another_name_shows_it() -> None:
    talk = Talk()
    talk.sends(b"\xff\xf1")
    talk.types("carol\r")
    talk.told(REGISTERED)
    talk.sends(IAC_DO_ECHO)
    assert talk.sends(b"\r\n") == b"\r\n" + IAC_WONT_ECHO + b"Your name?\r\n"


def test_a_telnet_client_that_refuses_to_hide_shows_its_own_newline() -> None:
    talk = Talk()
    talk.sends(b"\xff\xf1")
    talk.types("carol\r")
    talk.told(REGISTERED)
    assert talk.sends(IAC_DONT_ECHO) == b""
    talk.types("right\r")
    assert talk.told(welcome("#lobby")).startswith(b"* you are carol")


def test_nobody_else_is_sent_a_telnet_command() -> None:
    """A peer that ends its lines with CR LF may be telnet, or nc -C."""
    talk = Talk()
    talk.types("carol\r")
    assert talk.told(REGISTERED) == f"! carol is registered\r\n{VISIBLE_IN_TELNET}\r\n".encode() + PASSWORD


def test_ctrl_c_at_the_question_hides_what_is_typed_then() -> None:
    """The telnet program shows nothing of what comes before the answer to its TIMING-MARK, but obeys commands there."""
    talk = Talk()
    talk.types("carol\r")
    talk.told(REGISTERED)
    shown, _, after = talk.sends(b"rig\xff\xf4\xff\xfd\x06").partition(b"\xff\xfb\x06")
    assert shown == IAC_WILL_ECHO + PASSWORD + b"\xff\xf2"
    assert after == b"\r\n" + PASSWORD
    assert talk.asks("right\r") == commands.Hello(name="carol", password="right", client="plain")


def test_after_too_many_wrong_passwords_the_password_is_asked_for_again() -> None:
    """What is typed next is a password: it must not become a name that everyone reads."""
    talk = Talk()
    talk.types("carol")
    too_fast = events.Error(code=Code.TOO_FAST, text="too many wrong passwords", wait=1.0)
    talk.answer(events.Error(code=Code.LOGIN_FIRST, text="this server has a password"))
    talk.types("sesam")
    assert talk.answer(too_fast) == ["! too many wrong passwords", VISIBLE, "The password of this server?"]
    assert talk.asks("sesame") == commands.Hello(name="carol", server_password="sesame", client="plain")
    talk.answer(events.Error(code=Code.WRONG_PASSWORD, text="carol is registered"))
    talk.types("mnie")
    assert talk.answer(too_fast)[-1].startswith("Password?")
    assert talk.asks("mine") == commands.Hello(name="carol", password="mine", server_password="sesame", client="plain")


def test_a_bad_name_is_explained_and_asked_for_again() -> None:
    talk = Talk()
    talk.types("no name")
    assert talk.answer(events.Error(code=Code.MALFORMED, text="a name cannot contain a space")) == [
        "! a name cannot contain a space",
        "Your name?",
    ]
    assert talk.asks("/nick carol") == commands.Hello(name="carol", client="plain")


def test_http_that_comes_in_pieces_posts_nothing() -> None:
    talk = Talk()
    list(talk.dialect.receive(b"\r\nPRO"))
    problem, quit_ = map(talk.took, talk.dialect.receive(b"PFIND / HTTP/1.1\r\n"))
    assert isinstance(problem, Problem)
    assert isinstance(quit_, commands.Quit)


def test_before_the_name_there_are_no_commands() -> None:
    talk = Talk()
    assert talk.types("/join #b") == Problem(Code.LOGIN_FIRST, "first a name, then the commands")
    assert talk.reads(events.Error(code=Code.LOGIN_FIRST, text="first a name")) == ["! first a name", "Your name?"]
    assert talk.reads(said(), events.Joined(name="bob", room="#lobby")) == []
    assert talk.reads(said("psst", to="carol")) == ["@bob bob: psst"]
    for word in ("exit", "/quit"):
        assert talk.asks(word) == commands.Quit()


def test_lines_after_the_name_wait_for_its_answer() -> None:
    """``printf 'carol\\nhi' | nc``: one read, and an end without a newline."""
    talk = Talk()
    items = map(talk.took, talk.dialect.receive(b"carol\nhello\nthere"))
    assert isinstance(next(items), commands.Hello)
    talk.answer(events.Error(code=Code.CONFLICT, text="carol is taken"))
    second = next(items)
    assert isinstance(second, commands.Hello)
    assert second.name == "hello"
    talk.answer(welcome("#lobby", name="hello"))
    assert next(items, None) is None
    (last,) = map(talk.took, talk.dialect.end())
    assert isinstance(last, commands.Say)
    assert (last.to, last.text) == ("#lobby", "there")
    assert list(talk.dialect.end()) == []
