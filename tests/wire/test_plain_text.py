import pytest
from msgspec import structs

from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.events import KeptEvent, Told
from asyncchat.vocabulary.slash import help_lines
from asyncchat.vocabulary.terms import Code, State
from asyncchat.wire.dialect import Context, Problem
from asyncchat.wire.plain import MEMBERS_SHOWN, PLACES_KEPT
from tests.wire.talk import TIME, Talk, lines, said


# --- what is told -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("event", "line"),
    [
        (said(), "bob: hi"),
        (said(to="#ops"), "#ops bob: hi"),
        (said("psst", to="carol"), "@bob bob: psst"),
        (said("psst", sender="carol", to="bob"), "@bob carol: psst"),
        (said("\x1b]0;x\x07\u202e"), "bob: ␛]0;x␇\ufffd"),
        (events.Joined(name="bob", room="#ops"), "#ops * bob joined"),
        (events.Error(code=Code.NOT_FOUND, text="no such user: bob\n* bob joined"), "! no such user: bob␊* bob joined"),
        (events.Error(code=Code.TOO_FAST, text="try again in 3 s", wait=3.0), "! try again in 3 s"),
    ],
)
def test_what_happens_is_told_in_a_line(talk: Talk, event: Told, line: str) -> None:
    assert talk.reads(event) == [line]


@pytest.mark.parametrize("event", [events.Ping(), events.Ok(code=Code.OK, seq=4), events.Ok(code=Code.OK)])
def test_what_is_for_programs_is_not_told(talk: Talk, event: Told) -> None:
    assert talk.reads(event) == []


def test_a_message_cannot_forge_the_line_of_another(talk: Talk) -> None:
    assert talk.reads(said("hi\nalice: I resign\r\n* alice left")) == [
        "bob: hi",
        "      alice: I resign",
        "      * alice left",
    ]


# --- what is asked for ------------------------------------------------------------------------------------------------
def test_help_is_shown_in_its_turn(talk: Talk) -> None:
    assert talk.reply("/help") == help_lines()
    assert talk.reply("/help join") == help_lines("join")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/invite bob", "* invited"),
        ("/ban bob", "* banned"),
        ("/unban bob", "* the ban is lifted"),
        ("/register password", "* your name is yours now"),
        ("/passwd old new", "* your password is changed"),
    ],
)
def test_what_no_event_tells_is_confirmed(talk: Talk, line: str, words: str) -> None:
    assert talk.reply(line, seq=4) == [words]


def test_bad_usage_is_a_problem(talk: Talk) -> None:
    assert talk.types("/jion #b") == Problem(Code.MALFORMED, "unknown command: /jion; did you mean /join?")
    assert talk.types("/ignore bob") == Problem(Code.MALFORMED, "unknown command: /ignore; /help lists the commands")


def test_who_is_there_already_is_counted_as_far_as_it_is_known(talk: Talk) -> None:
    people = [events.Member(name=f"p{n}", state=State.ONLINE) for n in range(MEMBERS_SHOWN + 10)]
    page = events.Members(room="#lobby", members=people)
    (line,) = talk.reads(page)
    assert line.endswith("p49 and 10 more")
    (line,) = talk.reads(structs.replace(page, complete=False, next=7))
    assert line.endswith("p49 and at least 10 more")


def test_a_topic_that_is_asked_for_is_told(talk: Talk) -> None:
    assert talk.reply("/topic", text="tea") == ["* topic of #lobby: tea"]
    assert talk.reply("/topic", text="") == ["* #lobby has no topic"]
    assert talk.reply("/topic coffee", seq=12) == []


def test_the_past_is_numbered_when_asked_for(talk: Talk) -> None:
    item = talk.types("/history 3")
    assert isinstance(item, commands.History)
    page: list[KeptEvent] = [
        said(seq=3, edited=TIME, reactions={"👍": ["alice", "carol"]}),
        said("", seq=4, deleted=True),
        events.TopicChanged(seq=5, time="2026-01-03T00:00:00.000Z", sender="bob", room="#lobby", text="tea"),
    ]
    assert talk.answer(events.History(to="#lobby", events=page, complete=False, next=3)) == [
        "--- Friday, 2 January 2026 (times are UTC) ---",
        "12:34 ^3 bob: hi (edited) [👍 2]",
        "12:34 ^4 bob: (deleted)",
        "--- Saturday, 3 January 2026 (times are UTC) ---",
        "00:00 ^5 * bob set the topic: tea",
        "* there is more before ^3",
    ]
    assert talk.answer(events.History(to="#lobby", events=[], complete=True)) == ["* nothing was found"]


def test_what_a_search_finds_can_be_read_around(talk: Talk) -> None:
    item = talk.types("/search tea")
    assert isinstance(item, commands.Search)
    hits = [said("tea", seq=3, to="#b"), said("tea", seq=4, to="carol"), said("tea?", seq=5, sender="carol", to="dave")]
    assert talk.answer(events.History(events=list(hits), complete=True))[1:] == [
        "12:34 ^3 #b bob: tea",
        "12:34 ^4 @bob bob: tea",
        "12:34 ^5 @dave carol: tea?",
    ]
    for seq, to in ((3, "#b"), (4, "bob"), (5, "dave")):
        before, after = map(talk.took, talk.dialect.receive(f"/context ^{seq}\n".encode()))
        assert isinstance(before, commands.History)
        assert isinstance(after, commands.History)
        assert (before.to, before.before, after.to, after.after) == (to, seq + 1, to, seq)


def around(talk: Talk, seq: int) -> tuple[Context, Context]:
    """The contexts of the two requests for what is around a message."""
    before, after = talk.dialect.receive(f"/context ^{seq}\n".encode())
    assert isinstance(before, tuple)
    assert isinstance(after, tuple)
    return before[1], after[1]


def test_what_is_around_a_message_is_one_answer(talk: Talk) -> None:
    before, after = around(talk, 4)
    first: list[KeptEvent] = [said("a", seq=3), said("b", seq=4)]
    assert talk.dialect.encode(events.History(to="#lobby", events=first, complete=False, next=3), before) == b""
    rest: list[KeptEvent] = [said("c", seq=7)]
    assert lines(talk.dialect.encode(events.History(to="#lobby", events=rest, complete=False, next=7), after)) == [
        "--- Friday, 2 January 2026 (times are UTC) ---", "12:34 ^3 bob: a", "12:34 ^4 bob: b", "12:34 ^7 bob: c"
    ]  # fmt: skip


@pytest.mark.parametrize("page", [[], [said(seq=4)]])
def test_around_no_message_there_is_nothing(talk: Talk, page: list[KeptEvent]) -> None:
    before, after = around(talk, 5)
    answer = events.History(to="#lobby", events=page, complete=True)
    assert lines(talk.dialect.encode(answer, before)) == ["! there is no message ^5 in #lobby"]
    assert talk.dialect.encode(events.History(to="#lobby", events=[said(seq=9)], complete=True), after) == b""


def test_what_is_around_a_message_is_refused_once(talk: Talk) -> None:
    refused = events.Error(code=Code.FORBIDDEN, text="#lobby: join first")
    assert [talk.dialect.encode(refused, context) for context in around(talk, 5)] == [b"! #lobby: join first\n", b""]
    before, after = around(talk, 4)
    answer = events.History(to="#lobby", events=[said(seq=4)], complete=True)
    late = events.Error(code=Code.UNAVAILABLE, text="try again")
    assert [talk.dialect.encode(answer, before), talk.dialect.encode(late, after)] == [b"", b"! try again\n"]


def test_places_of_hits_are_not_remembered_without_end(talk: Talk) -> None:
    hits = [said(seq=seq) for seq in range(1, 2 * PLACES_KEPT)]
    talk.types("/search hi")
    talk.answer(events.History(events=list(hits), complete=True))
    talk.reads(events.Left(name="carol", room="#lobby"), events.Left(name="carol", room="#ops"))
    assert isinstance(talk.types("/context ^1"), Problem)
    assert len(list(talk.dialect.receive(f"/context ^{2 * PLACES_KEPT - 1}\n".encode()))) == 2
