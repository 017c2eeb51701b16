from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import Told
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.render import INDENT
from asyncchat.vocabulary.terms import Code, Role
from asyncchat.wire.dialect import Problem
from asyncchat.wire.plain import HINT, QUIET, PlainDialect
from tests.wire.forged import FORGED
from tests.wire.portions import portions
from tests.wire.structs import structs
from tests.wire.talk import LIMIT, Talk, said, welcome


# --- lines ------------------------------------------------------------------------------------------------------------
def test_lines_are_the_same_however_the_bytes_are_cut() -> None:
    data = (
        "carol\r\nhi\r\n\r\n\xff\n/me waves\n//x\n".encode("latin-1")
        + b"\xff\xfd\x01wrong\x15x\x08Gr\xc3\xbc\xc3\x9fe\0\n"
        + b"x" * 1001
        + b"\n"
    )
    for chunks in portions(data):
        talk = Talk()
        found: list[Command | Problem | bytes] = []
        for chunk in chunks:
            for item in map(talk.took, talk.dialect.receive(chunk)):
                found.append(item if item is not None else talk.dialect.outgoing(talk.context))
                if isinstance(item, commands.Hello):
                    talk.answer(welcome("#lobby"))
        assert found[1:] == [
            commands.Say(to="#lobby", text="hi"),
            Problem(Code.MALFORMED, "that line is not UTF-8"),
            commands.Say(to="#lobby", text="waves", kind="action"),
            commands.Say(to="#lobby", text="/x"),
            b"\xff\xfc\x01",
            commands.Say(to="#lobby", text="Grüße"),
            Problem(Code.TOO_LONG, "that line is too long"),
        ]


def test_a_line_that_is_not_utf_8_is_a_problem(talk: Talk) -> None:
    assert list(map(talk.took, talk.dialect.receive(b"gr\xfc\xdfe\nhi\n"))) == [
        Problem(Code.MALFORMED, "that line is not UTF-8"),
        commands.Say(to="#lobby", text="hi"),
    ]


def test_a_peer_without_newlines_is_read_send_by_send() -> None:
    talk = Talk()
    assert list(talk.dialect.receive(b"ca")) == []
    waits = talk.dialect.quiet_after
    assert waits == QUIET
    assert list(talk.dialect.receive(b"rol")) == []
    (hello,) = map(talk.took, talk.dialect.quiet())
    assert isinstance(hello, commands.Hello)
    assert hello.name == "carol"
    talk.answer(welcome("#lobby"))
    assert talk.dialect.quiet_after is None
    texts = [
        item.text
        for send in (b"hi", b"one\ntwo", b"three\r\n", b"", "Ё".encode())
        for item in says(map(talk.took, talk.dialect.receive(send)))
    ]
    assert texts == ["hi", "one", "two", "three", "Ё"]
    assert not talk.dialect.partial
    (quit_,) = map(talk.took, talk.dialect.receive(b"exit"))
    assert isinstance(quit_, commands.Quit)


def says(items: Iterable[Command | Problem | None]) -> list[commands.Say]:
    found = list(items)
    assert all(isinstance(item, commands.Say) for item in found)
    return [item for item in found if isinstance(item, commands.Say)]


def test_a_peer_that_ends_a_line_is_read_by_lines() -> None:
    dialect = PlainDialect(LIMIT)
    assert dialect.quiet_after is None
    list(dialect.receive(b"carol\nh"))
    assert dialect.quiet_after is None
    assert dialect.partial


def test_telnet_is_read_by_lines_and_answered_in_its_own() -> None:
    talk = Talk()
    assert talk.sends(b"\xff\xfb\x01\xff\xfd\x03car") == b"Your name?\n\xff\xfe\x01\xff\xfc\x03"
    assert talk.dialect.quiet_after is None
    (hello,) = map(talk.took, talk.dialect.receive(b"ol\r\n"))
    assert isinstance(hello, commands.Hello)
    assert talk.told(events.Error(code=Code.CONFLICT, text="taken")).startswith(b"! taken\r\nYour")


def test_whoever_sends_every_key_is_read_by_lines() -> None:
    talk = Talk()
    keys = "cx\bärol\r"
    assert list(talk.dialect.receive(keys[0].encode())) == []
    assert talk.dialect.quiet_after is None, "however long the next key takes"
    found = [talk.took(item) for key in keys[1:] for item in talk.dialect.receive(key.encode())]
    assert found == [commands.Hello(name="cärol", client="plain")]
    assert talk.dialect.encode(welcome("#lobby", name="cärol")).endswith(b"\r\n"), "in raw mode LF alone is a stair"
    assert not talk.dialect.partial


def test_a_line_that_is_taken_back_is_not_waited_for(talk: Talk) -> None:
    for taken_back in (b"x\x7f", b"wrong\x15", b"wrong\xff\xf8", b"wrong\xff\xf4"):
        talk.sends(b"wrong")
        assert talk.dialect.partial
        talk.sends(taken_back * 6)
    assert not talk.dialect.partial


def test_telnets_commands_are_answered_in_their_place(talk: Talk) -> None:
    talk.types("/msg bob psst\r")
    sent = talk.sends(b"hal\xff\xf4\xff\xfd\x06\xff\xf6\xff\xf5\xff\xfd\x06")
    assert sent == (
        b"\xff\xf2\xff\xfb\x06" + f"\r\n{HINT}\r\n* yes, the server is here\r\n".encode() + b"\xff\xf2\xff\xfb\x06"
    )
    assert talk.asks("talk on\r") == commands.Say(to="#lobby", text="talk on"), "what was interrupted is not said"


def test_ctrl_d_on_an_empty_line_leaves() -> None:
    for key in (b"\x04", b"\xff\xec"):
        talk = Talk()
        talk.sends(b"\xff\xf1")
        assert list(talk.dialect.receive(b"ca" + key)) == []
        talk.types("rol")
        assert b"Password?" in talk.told(events.Error(code=Code.WRONG_PASSWORD, text="registered"))
        assert list(map(talk.took, talk.dialect.receive(key))) == [commands.Quit()]


def test_a_parameter_that_does_not_end_is_an_unfinished_line(talk: Talk) -> None:
    talk.sends(b"\xff\xfa\x18\0xterm")
    assert talk.dialect.partial
    talk.sends(b"\xff\xf0")
    assert not talk.dialect.partial


def test_each_line_is_a_message_to_the_room(talk: Talk) -> None:
    assert talk.asks("hi there") == commands.Say(to="#lobby", text="hi there")
    assert list(talk.dialect.receive(b"\n  \n")) == []
    assert talk.asks("/me waves") == commands.Say(to="#lobby", text="waves", kind="action")
    assert talk.asks("exit") == commands.Quit()
    assert talk.asks("exit the room") == commands.Say(to="#lobby", text="exit the room")


def test_a_message_is_not_sent_back() -> None:
    assert (PlainDialect.echo, PlainDialect.resumable, PlainDialect.pings) == (False, False, False)


# --- rooms and people -------------------------------------------------------------------------------------------------
def test_joining_a_room_goes_there_and_looks_around(talk: Talk) -> None:
    item = talk.types("/join #New")
    assert isinstance(item, commands.Join)
    assert talk.reads(events.Joined(name="carol", room="#new", role=Role.OWNER)) == []
    assert talk.answer(events.Ok(code=Code.CREATED)) == ["* you write to #new now", "* it is new, and yours"]
    who, history = talk.wishes()
    assert isinstance(who, commands.Who)
    assert isinstance(history, commands.History)
    assert (who.room, history.to) == ("#new", "#new")
    assert talk.reads(said(), said(to="#new", seq=11)) == ["#lobby bob: hi", "bob: hi"]
    assert talk.asks("hi") == commands.Say(to="#new", text="hi")
    page = [said("before", to="#new", seq=5), said(to="#new", seq=11)]
    lines = talk.answer(events.History(to="#new", events=list(page), complete=True))
    assert lines[1:] == ["12:34 bob: before"], "what was read as it was said is not shown again"


def test_joining_a_room_one_is_in_switches_to_it(talk: Talk) -> None:
    assert talk.reply("/join #OPS") == ["* you write to #ops now"]
    assert talk.wishes() == []
    assert talk.asks("hi") == commands.Say(to="#ops", text="hi")


def test_a_refused_join_changes_nothing(talk: Talk) -> None:
    item = talk.types("/join #secret")
    assert isinstance(item, commands.Join)
    assert talk.answer(events.Error(code=Code.FORBIDDEN, text="#secret cannot be joined")) == [
        "! #secret cannot be joined"
    ]
    assert talk.asks("hi") == commands.Say(to="#lobby", text="hi")
    assert talk.reads(events.Joined(name="carol", room="#b")) == ["* you are in #b now"], "by another session"


def test_leaving_a_room_goes_back_to_another(talk: Talk) -> None:
    assert talk.reads(events.Left(name="carol", room="#lobby")) == [
        "* you are no longer in #lobby",
        "* you write to #ops now",
    ]
    assert talk.reads(events.Kicked(sender="bob", name="carol", room="#ops", reason="noise")) == [
        "* you are no longer in #ops, put out by bob: noise",
        "* you are in no room: /join #room",
    ]
    assert talk.types("hi") == Problem(Code.MALFORMED, "you are in no room: /join #room")


def test_names_that_change_are_followed(talk: Talk) -> None:
    assert talk.reads(said("psst", to="carol"), events.Renamed(name="bob", to="rob")) == [
        "@bob bob: psst",
        "* bob is now rob",
    ]
    assert talk.asks("/reply yes") == commands.Say(to="rob", text="yes")
    assert talk.reads(events.Renamed(name="carol", to="caroline")) == ["* you are caroline now"]
    assert talk.reads(said("psst", sender="caroline", to="rob")) == ["@rob caroline: psst"]


def test_writing_to_a_person_from_now_on(talk: Talk) -> None:
    assert talk.reply("/msg bob") == ["* you write to bob now"]
    assert talk.asks("psst") == commands.Say(to="bob", text="psst")
    talk.reads(events.Renamed(name="bob", to="rob"))
    assert talk.asks("psst") == commands.Say(to="rob", text="psst")
    assert talk.reply("/msg dave psst", seq=20, code=Code.ACCEPTED) == [
        "* dave is not here now, and will read it later"
    ]
    assert talk.reply("/msg dave psst", seq=21) == []


def test_ones_own_last_message_can_be_changed(talk: Talk) -> None:
    talk.reply("helo", seq=30)
    talk.reads(said(seq=31))
    assert settled(talk, "/edit hello") == commands.Edit(seq=30, text="hello")
    assert settled(talk, "/delete") == commands.Delete(seq=30)
    assert settled(talk, "/react 👍") == commands.React(seq=31, reaction="👍")


def test_a_reaction_is_to_the_last_message_of_the_conversation(talk: Talk) -> None:
    talk.reply("/msg Bob")
    talk.reply("hi bob", seq=30)
    talk.reads(said("hi carol", to="carol", seq=31), said("elsewhere", sender="dave", to="carol", seq=32))
    assert settled(talk, "/react 👍") == commands.React(seq=31, reaction="👍")
    talk.reads(events.Renamed(name="bob", to="rob"))
    assert settled(talk, "/react 👍") == commands.React(seq=31, reaction="👍")


def test_a_reaction_is_to_what_was_said_before_one_came_back(talk: Talk) -> None:
    talk.reply("/msg bob")
    talk.reads(said(seq=30), said("to the others", to="#ops", seq=31))
    talk.reply("/join #Lobby")
    assert settled(talk, "/react +1") == commands.React(seq=30, reaction="+1")


def test_the_last_message_is_the_one_before_though_it_is_still_under_way(talk: Talk) -> None:
    """Both lines come at once: only the reply to the first one tells which message it is."""
    talk.reply("first", seq=30)
    asked = map(talk.took, talk.dialect.receive(b"second\n/DELETE\n"))
    assert isinstance(next(asked), commands.Say)
    second = talk.context
    assert next(asked) is None, "what comes next waits for all before it"
    assert talk.dialect.encode(events.Ok(code=Code.OK, seq=31), second) == b""
    assert talk.dialect.outgoing(talk.context) == b""
    assert list(asked) == [commands.Delete(seq=31)]


def settled(talk: Talk, line: str) -> Command | Problem | None:
    """What a line asks for, once all before it is kept."""
    settling, asked = map(talk.took, talk.dialect.receive(f"{line}\n".encode()))
    assert settling is None
    return asked


# --- anything ---------------------------------------------------------------------------------------------------------
@given(
    st.lists(st.binary(max_size=30) | st.sampled_from([b"\n", b"carol\n", b"/", b"/me ", b"\xff\xfa"])), st.booleans()
)
def test_any_bytes_give_commands_or_problems(chunks: list[bytes], welcomed: bool) -> None:
    talk = Talk()
    if welcomed:
        talk.enter("#lobby")
    found = [talk.took(item) for chunk in chunks for item in talk.dialect.receive(chunk)]
    found += [*map(talk.took, talk.dialect.quiet()), *map(talk.took, talk.dialect.end())]
    assert all(item is None or isinstance(item, Command | Problem) for item in found)
    assert not talk.dialect.partial or b"\xff" in b"".join(chunks)


@given(st.lists(structs(Told), max_size=6))
def test_any_events_give_lines_that_are_safe_to_read(told: list[Told]) -> None:
    talk = Talk()
    for event in told:
        data = talk.dialect.encode(event)
        assert isinstance(data, bytes)
        for line in data.decode().removesuffix("\n").split("\n"):
            assert printable(line) == line
    assert all(isinstance(wish, Command) for wish in talk.wishes())


def test_lines_after_the_first_of_a_message_are_indented(talk: Talk) -> None:
    text = f"hi\n{FORGED}\r{FORGED}\u2028{FORGED}\n\n{' ' * 500}{FORGED}"
    first, *more = talk.reads(said(text))
    assert first == "bob: hi"
    assert more == [INDENT + line for line in (FORGED, FORGED, FORGED, "", " " * 26 + FORGED)]
