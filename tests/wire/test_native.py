import os
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.errors import ProtocolError, Refused
from asyncchat.vocabulary.events import Result, Told
from asyncchat.vocabulary.terms import Code, State
from asyncchat.wire.dialect import Problem, Request
from asyncchat.wire.native import EventReader, NativeDialect, encode_command, encode_event
from asyncchat.wire.native_problems import TYPES
from tests.wire.portions import portions
from tests.wire.structs import structs

LIMIT = 65_536


def taken(items: Iterable[Request | Problem]) -> list[Command | Problem]:
    """The commands, whose ids are their contexts, and the problems."""
    found: list[Command | Problem] = []
    for item in items:
        if isinstance(item, Problem):
            found.append(item)
        else:
            command, context = item
            assert command is not None
            assert context == command.id
            found.append(command)
    return found


def received(data: bytes, limit: int = LIMIT) -> list[Command | Problem]:
    """What a fresh dialect makes of the bytes, the same however they are cut."""
    whole = NativeDialect(limit).receive(data)
    if len(data) < 2000:
        for chunks in portions(data):
            dialect = NativeDialect(limit)
            assert [item for chunk in chunks for item in dialect.receive(chunk)] == whole
    return taken(whole)


def problem(line: str | bytes, limit: int = LIMIT) -> Problem:
    (found,) = received((line.encode() if isinstance(line, str) else line) + b"\n", limit)
    assert isinstance(found, Problem)
    return found


# --- commands ---------------------------------------------------------------------------------------------------------


def test_a_line_is_a_command() -> None:
    assert received(b'{"type":"say","id":2,"to":"#lobby","text":"hi","nonce":"k3v"}\n') == [
        commands.Say(id=2, to="#lobby", text="hi", nonce="k3v")
    ]


def test_lines_come_in_order_and_trailing_bytes_wait() -> None:
    dialect = NativeDialect(LIMIT)
    assert taken(dialect.receive(b'{"type":"ping","id":1}\r\n\n  \n{"type":"pong"}\n{"type":"ping","id"')) == [
        commands.Ping(id=1),
        commands.Pong(),
    ]
    assert dialect.partial
    assert taken(dialect.receive(b':"x"}\n')) == [commands.Ping(id="x")]
    assert not dialect.partial


def test_unknown_fields_are_ignored() -> None:
    assert received(b'{"color":{"r":[1,2.5,null,true]},"type":"ping","id":1}\n') == [commands.Ping(id=1)]


def test_half_a_line_at_the_end_is_no_command() -> None:
    dialect = NativeDialect(LIMIT)
    dialect.receive(b'{"type":"ping"}')
    assert dialect.end() == []
    assert dialect.quiet() == []
    assert dialect.quiet_after is None
    assert dialect.follow_up() == []


@given(st.lists(structs(Command), max_size=5))
def test_every_command_comes_back_from_its_line(sent: list[Command]) -> None:
    assert taken(NativeDialect(0).receive(b"".join(map(encode_command, sent)))) == sent


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"type":"sya","id":7}', 'unknown type "sya"; did you mean "say"?'),
        ('{"type":"joinn","id":7}', 'unknown type "joinn"; did you mean "join"?'),
        ('{"type":"dance","id":7}', f'unknown type "dance"; the types are {", ".join(TYPES)}'),
        ('{"id":7}', 'a command needs the field "type"'),
        ('{"type":7,"id":7}', 'a command: field "type": expected a string, got a number'),
        ('{"type":"say","id":7,"to":"#a"}', 'say needs the field "text"'),
        ('{"type":"say","id":7,"to":3,"text":"x"}', 'say: field "to": expected a string, got a number'),
        (
            '{"type":"hello","id":7,"rooms":["#a",3]}',
            'hello: field "rooms[1]": expected a string, got a number',
        ),
        (
            '{"type":"search","id":7,"text":"x","from":3}',
            'search: field "from": expected a string or null, got a number',
        ),
        (
            '{"type":"role","id":7,"room":"#a","name":"b","role":"king"}',
            'role: field "role": "king" is none of member, voice, operator, owner',
        ),
        ('{"type":"read","id":7,"to":"#a","seq":-1}', 'read: field "seq": at least 0'),
        (
            '{"type":"read","id":7,"to":"#a","seq":' + "9" * 6000 + "}",
            'read: field "seq": the number is out of range',
        ),
        ('{"type":"read","id":7,"to":"#a","seq":1e400}', 'read: field "seq": the number is out of range'),
        ('{"type":"say","id":7,"to":"#a","text":"x","kind":"shout"}', None),
        ('{"type":"say","id":7,"to":"#a","text":"x","nonce":""}', None),
        ('{"type":"say","id":7,"to":"#a","text":"\\ud800"}', None),
        ('{"type":"say","id":7,"to":"#a","text":"x"} trailing', None),
    ],
)
def test_a_bad_command_is_explained_and_answered_to_its_id(line: str, text: str | None) -> None:
    found = problem(line)
    assert found.code == Code.MALFORMED
    assert found.context == 7
    if text is not None:
        assert found.text == text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"hello", "the line is not JSON (character 1)"),
        (b"[1]", "a command is a JSON object"),
        (b"42", "a command is a JSON object"),
        (b"null", "a command is a JSON object"),
        (b'{"type":"ping"', "the line is not JSON: it ends too early"),
        (rb'{"type":"away","text":"\ud800"}', "the line is not JSON: half of an escaped UTF-16 surrogate pair"),
        (rb'{"type":"away","text":"\uD83D', "the line is not JSON: half of an escaped UTF-16 surrogate pair"),
        (rb'{"type":"away","text":"\ud83d\ude00', "the line is not JSON: it ends too early"),
        (b'{"type":"say","to":"#a","text":"\xff"}', "the line is not UTF-8"),
        (b'{"type":"\xff"}', "the line is not UTF-8"),
        (b"\xff\xfe", None),
        (b'{"x":' + b"[" * 60_000 + b"}", "the JSON is nested too deeply"),
        (b'{"a":' * 10_000, "the JSON is nested too deeply"),
        (b"[" * 60_000, "a command is a JSON object"),
    ],
)
def test_what_is_no_command_is_explained(line: bytes, text: str | None) -> None:
    found = problem(line)
    assert found.code == Code.MALFORMED
    assert found.context is None
    if text is not None:
        assert found.text == text


def test_the_id_is_found_in_a_line_that_is_not_utf_8() -> None:
    assert problem(b'{"type":"say","to":"#a","text":"\xff","id":"mine"}').context == "mine"
    assert problem(b'{"id":5,"x":' + b"[" * 60_000 + b"}").context == 5


@pytest.mark.parametrize("id", ["1.5", "[]", '"' + "x" * 65 + '"', "9" * 30, "true"])
def test_an_id_that_cannot_be_used_is_not_sent_back(id: str) -> None:
    found = problem(f'{{"type":"ping","id":{id}}}')
    assert found.code == Code.MALFORMED
    assert 'ping: field "id"' in found.text
    assert found.context is None


def test_what_is_quoted_back_is_short_and_safe() -> None:
    found = problem('{"type":"' + "x\\u001b\\u202e" * 1000 + '"}')
    assert len(found.text) < 500
    assert found.text.isprintable()
    found = problem('{"type":"role","room":"#a","name":"b","role":"' + "k\\u001b" * 1000 + '"}')
    assert len(found.text) < 200
    assert found.text.isprintable()


@pytest.mark.parametrize(
    ("line", "id"),
    [
        ('{"type":"say","id":2,"to":"#a","text":"', 2),
        ('{"type":"say","id":"x y","text":"', "x y"),
        ('{ "id" : -3 , "text":"', -3),
        ('{"text":"\\"id\\":4,', None),
        ('{"type":"say","text":"', None),
        ('{"type":"say","id":99999999999999999999,"text":"', None),
        ('{"type":"say","id":9999999999999999999,"text":"', None),
        ('{"type":"say","id":"' + "i" * 65 + '","text":"', None),
    ],
)
def test_a_long_line_is_answered_to_its_id_and_the_next_is_heard(line: str, id: int | str | None) -> None:
    data = line.encode() + b"x" * 1000 + b'"}\n{"type":"ping"}\n'
    assert received(data, limit=300) == [Problem(Code.TOO_LONG, "the line is too long", id), commands.Ping()]


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"\n", b'{"type":"ping"}\n', b'{"id":1,', b'"type":"say"'])))
def test_any_bytes_give_commands_or_problems(chunks: list[bytes]) -> None:
    dialect = NativeDialect(100)
    for chunk in chunks:
        for item in taken(dialect.receive(chunk)):
            if isinstance(item, Problem):
                msgspec.json.encode(item)  # its text and id can be sent


@given(structs(Command), st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_a_damaged_command_is_a_command_or_a_problem(command: Command, at: int, damage: bytes) -> None:
    line = encode_command(command)
    at = min(at, len(line))
    dialect = NativeDialect(0)
    taken([*dialect.receive(line[:at] + damage + line[at + 1 :]), *dialect.receive(b"\n")])


def test_types_by_the_thousand_are_refused_fast() -> None:
    lines = b"".join(b'{"type":"%s"}\n' % os.urandom(4).hex().encode() for _ in range(2900))
    found = NativeDialect(LIMIT).receive(lines)
    assert len(found) == 2900
    assert all(isinstance(item, Problem) for item in found)


# --- events -----------------------------------------------------------------------------------------------------------

SAID = events.Said(seq=1042, time="2026-01-02T03:04:05.678Z", sender="alice", to="#lobby", text="hi")


def test_an_event_is_a_line_without_its_defaults() -> None:
    line = b'{"type":"said","seq":1042,"time":"2026-01-02T03:04:05.678Z","from":"alice","to":"#lobby","text":"hi"}\n'
    dialect = NativeDialect(LIMIT)
    assert dialect.encode(SAID) == encode_event(SAID) == line
    assert dialect.encode_shared([SAID, SAID]) == line + line


@given(structs(Told), st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])))
def test_a_result_carries_the_id_of_its_command(told: Told, id: int | str) -> None:
    if isinstance(told, Result):
        told = msgspec.structs.replace(told, id=None)
    (back,) = EventReader().receive(NativeDialect(0).encode(told, id))
    assert back == (msgspec.structs.replace(told, id=id) if isinstance(told, Result) else told)


@given(st.lists(structs(Told), max_size=4))
def test_every_event_comes_back_from_its_line(sent: list[Told]) -> None:
    data = b"".join(map(encode_event, sent))
    assert data.count(b"\n") == len(sent)
    assert EventReader().receive(data) == sent
    reader = EventReader()
    assert [event for at in range(len(data)) for event in reader.receive(data[at : at + 1])] == sent


def test_a_greeting_before_the_first_event_is_passed_over() -> None:
    reader = EventReader()
    assert reader.receive(b"Welcome to the chat. What is your name?\r\n") == []
    assert reader.receive(encode_event(SAID)) == [SAID]
    with pytest.raises(ProtocolError):
        reader.receive(b"Welcome again\n")


def test_what_a_newer_server_adds_is_passed_over() -> None:
    line = b'{"type":"waved","from":"bob"}\n'
    page = (
        b'{"type":"history","id":1,"events":[{"type":"pinned","seq":1,"time":"2026-01-02T03:04:05.678Z","pin":{"a":[]}},'
        + encode_event(SAID).replace(b"}", b',"mood":"good"}').strip()
        + b'],"complete":true}\n'
    )
    reader = EventReader()
    assert reader.receive(line + page + b"\n") == [events.History(id=1, events=[SAID], complete=True)]


NEWER_SAID = encode_event(SAID).strip().replace(b'"text"', b'"kind":"sticker","text"')


@pytest.mark.parametrize(
    "line",
    [
        NEWER_SAID,
        b'{"type":"presence","name":"bob","state":"asleep"}',
        b'{"type":"role","from":"al","name":"bob","room":"#x","role":"emperor"}',
        b'{"type":"bye","code":600,"reason":"x"}',
    ],
)
def test_an_event_with_a_newer_value_is_passed_over(line: bytes) -> None:
    assert EventReader().receive(line + b"\n" + encode_event(SAID)) == [SAID]


def test_a_result_is_read_without_what_is_newer_in_it() -> None:
    page = b'{"type":"history","id":1,"events":[%b,%b],"complete":true}\n' % (NEWER_SAID, encode_event(SAID).strip())
    members = (
        b'{"type":"members","id":2,"members":[{"name":"a","state":"online"},{"name":"b","state":"asleep"},'
        b'{"name":"c","state":"online","role":"emperor"}]}\n'
    )
    user = b'{"type":"user","id":"three","name":"a","state":"asleep","rooms":[],"sessions":1}\n'
    history, people, error = EventReader().receive(page + members + user)
    assert history == events.History(id=1, events=[SAID], complete=True)
    assert people == events.Members(id=2, members=[events.Member(name="a", state=State.ONLINE)])
    assert isinstance(error, events.Error), "its request is answered"
    assert (error.id, error.code) == ("three", Code.SERVER_FAULT)


@pytest.mark.parametrize(("code", "known"), [(418, Code.MALFORMED), (599, Code.SERVER_FAULT), (429, Code.TOO_FAST)])
def test_a_newer_code_is_taken_for_the_first_of_its_hundred(code: int, known: Code) -> None:
    line = b'{"type":"error","id":1,"code":%d,"text":"x"}\n' % code
    assert EventReader().receive(line) == [events.Error(id=1, code=known, text="x")]
    assert Refused(code, "x").code is known


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"said"}',
        b'{"type":"history","events":[1],"complete":true}',
        b'{"type":"history","events":7}',
        b'{"type":"members","members":[{"name":"a"}]}',
        b'{"seq":1}',
        b"[]",
        b'{"type":"ok","code":"x"}',
        b"\xff",
        b'{"x":' * 100_000,
    ],
)
def test_a_server_that_breaks_the_protocol_is_not_believed(line: bytes) -> None:
    reader = EventReader()
    reader.receive(encode_event(SAID))
    with pytest.raises(ProtocolError, match="the server sent"):
        reader.receive(line + b"\n")


@pytest.mark.parametrize(
    "time", ["", "yesterday", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-13-01T00:00:00Z"]
)
@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"said","seq":1,"time":"%b","from":"bob","to":"#lobby","text":"hi"}',
        b'{"type":"history","id":1,"complete":true,"events":'
        b'[{"type":"said","seq":1,"time":"%b","from":"bob","to":"#lobby","text":"hi"}]}',
        b'{"type":"user","id":1,"name":"bob","state":"online","rooms":[],"sessions":1,"since":"%b"}',
        b'{"type":"muted","from":"al","name":"bob","room":"#lobby","until":"%b"}',
        b'{"type":"bans","id":1,"bans":[{"who":"bob","by":"al","until":"%b"}]}',
    ],
)
def test_a_time_that_is_none_is_not_believed(line: bytes, time: str) -> None:
    with pytest.raises(ProtocolError, match="time that is none"):
        EventReader().receive(line % time.encode() + b"\n")
    assert EventReader().receive(line % b"2026-01-02T03:04:05.678Z" + b"\n")


def test_a_server_cannot_fill_a_client_with_one_line() -> None:
    with pytest.raises(ProtocolError, match="too long"):
        EventReader(1000).receive(b"x" * 1001)


def test_the_id_of_a_command_stands_before_what_may_be_too_long() -> None:
    """So that whoever is refused for the length of a line knows which of its commands that was."""
    for id in (7, -1, "seven", "x" * 64):
        line = encode_command(commands.Say(id=id, to="#lobby", text="x" * 1000))
        dialect = NativeDialect(500)
        (problem,) = dialect.receive(line)
        assert isinstance(problem, Problem)
        assert (problem.code, problem.context) == (Code.TOO_LONG, id)
        (command,) = taken(NativeDialect(0).receive(line))
        assert command == commands.Say(id=id, to="#lobby", text="x" * 1000)
    assert encode_command(commands.Quit(id=1)) == b'{"type":"quit","id":1}\n'
    assert encode_command(commands.Quit()) == b'{"type":"quit"}\n'
