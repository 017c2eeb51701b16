"""Results as lines of text."""

from datetime import UTC

import pytest

from asyncchat.console.render import Painter, Renderer, answer_lines
from asyncchat.vocabulary import events
from asyncchat.vocabulary.events import Result
from asyncchat.vocabulary.terms import Code, Role, State

TIME = "2026-01-02T03:04:05.678Z"


def lines(result: Result) -> list[str]:
    return list(answer_lines(result, Renderer("alice", Painter(colour=False), zone=UTC)))


def test_rooms() -> None:
    rooms = [
        events.Room(name="#lobby", members=12, topic="all\x1b"),
        events.Room(name="#o", members=1, private=True, password=True),
    ]
    assert lines(events.RoomList(rooms=rooms)) == [
        "-- 2 rooms",
        "   #lobby   12  all␛",
        "   #o        1 [private, password]",
    ]
    assert lines(events.RoomList(rooms=rooms[:1]))[0] == "-- 1 room"


def test_members() -> None:
    members = [
        events.Member(name="bob", state=State.ONLINE, role=Role.OWNER, registered=True),
        events.Member(name="eve", state=State.AWAY, role=Role.MEMBER, away="lunch\x9b"),
        events.Member(name="carl", state=State.OFFLINE),
    ]
    assert lines(events.Members(room="#lobby", topic="T", members=members)) == [
        "-- 3 in #lobby",
        "-- topic: T",
        "   bob (owner, registered), eve (away: lunch\ufffd), carl (offline)",
    ]
    assert lines(events.Members(members=[])) == ["-- 0 on the server"]


def test_a_person() -> None:
    user = events.User(
        name="bob",
        state=State.AWAY,
        away="lunch",
        registered=True,
        rooms=["#a", "#b"],
        sessions=2,
        idle=7300,
        since=TIME,
        address="10.0.0.1",
    )
    assert lines(user) == [
        "-- bob is away: lunch, registered",
        "   in #a, #b",
        "   here since 2026-01-02 03:04",
        "   silent for 2 h",
        "   connected 2 times",
        "   from 10.0.0.1",
    ]


def test_a_page_of_history() -> None:
    said = events.Said(seq=7, time=TIME, sender="bob", to="#lobby", text="hi")
    assert lines(events.History(events=[said], complete=False, next=7)) == [
        "──── Friday, 2 January 2026 ────",
        "03:04 ^7 #lobby bob: hi",
        "-- there is more: before ^7",
    ]
    assert lines(events.History(events=[], complete=True)) == ["-- nothing found"]


def test_bans() -> None:
    bans = [
        events.Ban(who="eve", by="bob", reason="spam"),
        events.Ban(who="10.0.0.0/8", mute=True, until=TIME),
    ]
    assert lines(events.BanList(room="#lobby", bans=bans)) == [
        "-- 2 banned or muted in #lobby",
        "   eve banned for ever by bob (spam)",
        "   10.0.0.0/8 muted until 2026-01-02 03:04",
    ]


def test_a_list_that_has_more_says_how_to_go_on() -> None:
    assert lines(events.RoomList(rooms=[], complete=False, next=7))[-1] == "-- there is more: /rooms after 7"
    page = events.Members(room="#lobby\x1b", members=[], complete=False, next=7)
    assert lines(page)[-1] == "-- there is more: /who #lobby␛ after 7"
    assert lines(events.Members(members=[], complete=False, next=7))[-1] == "-- there is more: /who * after 7"
    assert lines(events.BanList(bans=[], complete=False, next=7))[-1] == "-- there is more: /bans * after 7"


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (events.Ok(code=Code.OK), "-- done"),
        (events.Ok(code=Code.OK, text="the topic"), "-- the topic"),
        (events.Ok(code=Code.ACCEPTED, seq=7), "-- kept: they are not here now, and will get it"),
        (events.Error(code=Code.FORBIDDEN, text="no\x1b"), "-- no␛ (403)"),
    ],
)
def test_plain_answers(result: Result, line: str) -> None:
    assert lines(result) == [line]
