"""Events and results as lines for people."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given

from asyncchat.text import CLOCK, FULL_CLOCK, Line, View, answer, day_line, label_of, place_of, plain, render, same
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import Event, Result, Told
from asyncchat.vocabulary.render import TARGETS_SHOWN, members, moment
from asyncchat.vocabulary.terms import Code, Role, State
from tests.wire.structs import structs

TIME = "2026-01-02T03:04:05.678Z"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEPT = {"seq": 9, "time": TIME, "sender": "bob", "to": "#x"}
ME = View("alice", "#x")


def said(text: str = "hi", **fields: object) -> events.Said:
    return events.Said(**{**KEPT, "text": text, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (said(), "bob: hi"),
        (said(kind="action"), "* bob hi"),
        (said(kind="notice"), "-bob- hi"),
        (said(reply_to=5), "bob: (to ^5) hi"),
        (said(edited=TIME), "bob: hi (edited)"),
        (said("", deleted=True), "bob: (deleted)"),
        (said(reactions={"👍": ["a", "b"], "no": ["c"]}), "bob: hi [👍 2, no 1]"),
        (said("one\ntwo\n", edited=TIME), "bob: one\n      two (edited)"),
        (said("a\ra\u2028a"), "bob: a\n      a\n      a"),
        (said(to="#ops"), "#ops bob: hi"),
        (said(to="#ops", kind="action"), "#ops * bob hi"),
        (said(to="Alice"), "@bob bob: hi"),
        (said(to="carol", sender="alice"), "@carol alice: hi"),
        (events.Edited(**KEPT, target=5, text="bet\nter"), "* bob changed ^5: bet\n      ter"),  # type: ignore[arg-type]
        (events.Deleted(**KEPT, targets=[5, 6]), "* bob deleted ^5, ^6"),  # type: ignore[arg-type]
        (events.Deleted(**KEPT, targets=[1] * (TARGETS_SHOWN + 1)), "* bob deleted 6 messages"),  # type: ignore[arg-type]
        (events.Reacted(**KEPT, target=5, reaction="👍"), "* bob reacted with 👍 to ^5"),  # type: ignore[arg-type]
        (events.Reacted(**KEPT, target=5, reaction="👍", remove=True), "* bob took 👍 off ^5"),  # type: ignore[arg-type]
        (events.Joined(name="bob", room="#x"), "* bob joined"),
        (events.Joined(name="bob", room="#ops"), "#ops * bob joined"),
        (events.Left(name="bob", room="#x"), "* bob left"),
        (events.Left(name="bob", room="#x", reason="lunch"), "* bob left: lunch"),
        (events.Renamed(name="bob", to="rob"), "* bob is now rob"),
        (events.Presence(name="bob", state=State.AWAY, text="lunch"), "* bob is away: lunch"),
        (events.Presence(name="bob", state=State.OFFLINE), "* bob is offline"),
        (events.Presence(name="bob", state=State.ONLINE), "* bob is back"),
        (events.TopicChanged(seq=1, time=TIME, sender="bob", room="#x", text="T"), "* bob set the topic: T"),
        (events.TopicChanged(seq=1, time=TIME, sender="bob", room="#x", text=""), "* bob cleared the topic"),
        (events.Invited(sender="bob", name="Alice", room="#b"), "* bob invited you: /join #b"),
        (events.Invited(sender="bob", name="carol", room="#b"), "* bob invited carol to #b"),
        (events.Kicked(sender="bob", name="eve", room="#x", reason="spam"), "* bob put eve out: spam"),
        (events.RoleChanged(sender="bob", name="eve", room="#x", role=Role.VOICE), "* bob made eve a voice"),
        (
            events.Muted(sender="bob", name="eve", room="#x", until=TIME, reason="noise"),
            "* bob muted eve until 2026-01-02 03:04 UTC: noise",
        ),
        (events.Muted(sender="bob", name="eve", room="#x", active=False), "* bob lets eve speak again"),
        (
            events.RoomChanged(
                sender="bob", room="#x", private=True, moderated=True, topic_locked=True, retention=7, password=True
            ),
            "* bob changed #x, which is private, moderated, topic locked, messages kept 7 days, with a password",
        ),
        (events.Destroyed(sender="bob", room="#x", reason="old"), "* bob removed #x: old"),
        (events.Notice(text="restart at 5"), "* restart at 5"),
        (events.Bye(code=Code.OK, reason="goodbye"), "* goodbye"),
        (
            events.Bye(code=Code.UNAVAILABLE, reason="shutting down", reconnect=4.2),
            "* goodbye: shutting down; come back in 4 s",
        ),
        (
            events.Gap(after=10, until=15),
            "* up to 5 messages are missing here; /history shows what you may read",
        ),
    ],
)
def test_events_as_lines(event: Event, line: str) -> None:
    assert plain(render(event, ME)) == line.split("\n")


@pytest.mark.parametrize(
    "event", [events.Typing(sender="bob", to="#x"), events.ReadMarker(sender="bob", to="#x", seq=1), events.Ping()]
)
def test_what_is_for_programs_is_not_told(event: Event) -> None:
    assert render(event, ME) == []


SILENT = {events.Typing, events.ReadMarker, events.Ping, events.Welcome, events.Ok}


@given(structs(Told))
def test_all_else_is_told_whatever_it_holds(told: Told) -> None:
    assert render(told, View(clock=CLOCK, numbered=True, highlight=True), WHEN) or type(told) in SILENT


def test_a_line_is_one_line_where_it_must_be() -> None:
    assert plain(render(said("one\ntwo"), View(here="#x", multiline=False))) == ["bob: one\ntwo"]


def test_a_place_is_left_out_where_one_is() -> None:
    assert plain(render(said(to="alice"), View("alice", "BOB"))) == ["bob: hi"]
    assert plain(render(said(), View("alice"))) == ["#x bob: hi"]


def test_the_parts_have_styles() -> None:
    assert render(said("x", reply_to=1), View(clock=CLOCK, numbered=True), WHEN) == [
        [
            *[("time", "03:04 "), ("number", "^9 "), ("place", "#x "), ("name", "bob"), ("text", ": ")],
            *[("detail", "(to ^1) "), ("text", "x")],
        ]
    ]


def mentioned(line: Line) -> list[str]:
    return [text for style, text in line if style == "mention"]


def test_ones_name_is_a_mention_unless_one_says_it() -> None:
    me = View("alice", highlight=True)
    assert [mentioned(line) for line in render(said("Alice\nask alice!"), me)] == [["Alice"], ["alice"]]
    assert mentioned(render(said("I am alice", sender="ALICE"), me)[0]) == []
    assert mentioned(render(said("alice"), View("alice"))[0]) == []


# --- times and places -------------------------------------------------------------------------------------------------


def test_times_are_the_readers() -> None:
    west = timezone(timedelta(hours=-5), "EST")
    assert plain(render(said(), View(here="#x", clock=CLOCK, zone=west), WHEN)) == ["22:04 bob: hi"]
    full = View(here="#x", clock=FULL_CLOCK, zone=west)
    assert plain(render(said(), full, WHEN)) == ["2026-01-01 22:04:05 bob: hi"]
    assert moment(TIME, west) == "2026-01-01 22:04 EST"


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "soon"])
def test_what_is_no_time_is_shown_as_it_is(time: str) -> None:
    assert moment(time, timezone(timedelta(hours=-5))) == time


@pytest.mark.parametrize(("zone", "note"), [(UTC, " (times are UTC)"), (None, "")])
def test_a_day_says_whose_times_follow(zone: tzinfo | None, note: str) -> None:
    assert plain([day_line(WHEN.date(), zone)]) == [f"--- Friday, 2 January 2026{note} ---"]


@pytest.mark.parametrize(
    ("event", "place"),
    [
        (said(), "#x"),
        (said(to="alice"), "bob"),
        (said(to="carol", sender="ALICE"), "carol"),
        (events.Typing(sender="bob", to="alice"), "bob"),
        (events.Kicked(sender="bob", name="eve", room="#x"), "#x"),
        (events.Renamed(name="bob", to="rob"), None),
        (events.Invited(sender="bob", name="eve", room="#x"), None),
        (events.Notice(text="x"), None),
    ],
)
def test_where_an_event_belongs(event: Event, place: str | None) -> None:
    assert place_of(event, "alice") == place


def test_one_name_in_two_spellings() -> None:
    assert same("José", "JOSE\u0301")
    assert same("bob", "ＢＯＢ")
    assert same("＃ops", "#ops")
    assert (label_of("#x"), label_of("bob")) == ("#x", "@bob")


# --- results ----------------------------------------------------------------------------------------------------------


def shown(result: Result) -> list[str]:
    return plain(render(result, View("alice", "#x", CLOCK, numbered=True)))


def test_rooms() -> None:
    rooms = [
        events.Room(name="#lobby", members=1, topic="tea"),
        events.Room(name="#o", members=2, private=True, moderated=True, password=True),
    ]
    assert shown(events.RoomList(rooms=rooms)) == [
        "  #lobby  1 person, tea",
        "  #o      2 people, private, moderated, password",
    ]
    assert shown(events.RoomList(rooms=[])) == ["* there are no rooms"]


MEMBERS = [
    events.Member(name="alice", state=State.ONLINE, role=Role.OWNER, registered=True),
    events.Member(name="bob", state=State.AWAY, role=Role.MEMBER, away="lunch"),
    events.Member(name="carol", state=State.OFFLINE),
]


def test_members() -> None:
    assert shown(events.Members(room="#lobby", topic="tea", members=MEMBERS)) == [
        "* topic of #lobby: tea",
        "* in #lobby: alice (owner), bob (away: lunch), carol (offline)",
    ]
    assert shown(events.Members(members=MEMBERS[:1])) == ["* online: alice (owner)"]
    assert shown(events.Members(members=[])) == ["* nobody is online"]
    assert plain(members(events.Members(members=MEMBERS), 1)) == ["* online: alice (owner) and 2 more"]


def test_a_person() -> None:
    user = events.User(
        name="bob", state=State.AWAY, away="lunch", registered=True, administrator=True, rooms=["#a", "#b"],
        sessions=2, idle=300, since=TIME, address="192.0.2.1",
    )  # fmt: skip
    assert shown(user) == [
        "* bob is away: lunch; registered; administrator; in #a, #b; 2 sessions; here since 2026-01-02 03:04 UTC; "
        "silent for 5 minutes; from 192.0.2.1"
    ]


def test_bans() -> None:
    bans = [events.Ban(who="192.0.2.0/24", by="bob", until=TIME, reason="spam"), events.Ban(who="dave", mute=True)]
    assert shown(events.BanList(room="#x", bans=bans)) == [
        "  192.0.2.0/24: banned until 2026-01-02 03:04 UTC, by bob: spam",
        "  dave: muted",
    ]
    assert shown(events.BanList(room="#x", bans=[])) == ["* nobody is banned from #x"]


@pytest.mark.parametrize(
    ("result", "last"),
    [
        (events.RoomList(rooms=[], complete=False, next=7), "/rooms"),
        (events.Members(room="#x", members=MEMBERS, complete=False, next=7), "/who #x"),
        (events.Members(members=[], complete=False, next=7), "/who *"),
        (events.BanList(room="#x", bans=[], complete=False, next=7), "/bans #x"),
        (events.BanList(bans=[events.Ban(who="dave")], complete=False, next=7), "/bans *"),
    ],
)
def test_a_list_that_has_more_says_how_to_go_on(result: Result, last: str) -> None:
    assert shown(result)[-1] == f"* there is more: {last} after 7"


def test_what_operators_ask_for() -> None:
    accounts = [events.Account(name="alice", password=True, administrator=True), events.Account(name="al")]
    assert shown(events.AccountList(accounts=accounts)) == ["alice  administrator, password", "al     token only"]
    assert shown(events.AccountList(accounts=[])) == ["* nobody is registered"]
    stats = events.Stats(
        version="1", uptime=300, memory=2_500_000, connections=1, sessions=2, people=3, registered=4, rooms=5, seq=6,
        listening=["tcp://[::1]:7777"],
    )  # fmt: skip
    assert shown(stats) == [
        "* asyncchat 1, up for 5 minutes, 2.5 MB of memory",
        "* connections: 1, sessions: 2, people online: 3, registered: 4, rooms: 5, records: 6",
        "* listening on tcp://[::1]:7777",
    ]


def test_a_page_of_history() -> None:
    topic = events.TopicChanged(seq=10, time="2026-01-03T00:00:00.000Z", sender="bob", room="#x", text="tea")
    assert shown(events.History(events=[said(), said(to="#o"), topic], complete=False, next=7)) == [
        "--- Friday, 2 January 2026 (times are UTC) ---",
        "03:04 ^9 bob: hi",
        "03:04 ^9 #o bob: hi",
        "--- Saturday, 3 January 2026 (times are UTC) ---",
        "00:00 ^10 * bob set the topic: tea",
        "* there is more before ^7",
    ]
    assert shown(events.History(events=[], complete=True)) == ["* nothing was found"]


@pytest.mark.parametrize(
    ("command", "fields", "lines"),
    [
        (commands.Topic(room="#x"), {"text": "tea"}, ["* topic of #x: tea"]),
        (commands.Topic(room="#x"), {"text": ""}, ["* #x has no topic"]),
        (commands.Topic(room="#x", text="tea"), {"seq": 9}, []),
        (commands.Say(to="bob", text="hi"), {"seq": 9}, []),
        (commands.Say(to="bob", text="hi"), {"code": Code.ACCEPTED}, ["* bob is not here now, and will read it later"]),
        (commands.Join(room="#x"), {"code": Code.CREATED}, ["* it is new, and yours"]),
        (commands.Ban(who="bob"), {}, ["* banned"]),
        (commands.Kick(room="#x", name="bob"), {}, []),
    ],
)
def test_what_no_event_tells_is_confirmed(command: Command, fields: dict[str, object], lines: list[str]) -> None:
    ok = events.Ok(**{"code": Code.OK, **fields})  # type: ignore[arg-type]
    assert plain(answer(command, ok, ME)) == lines


def test_a_refusal_is_an_answer() -> None:
    assert answer(commands.Rooms(), events.Error(code=Code.FORBIDDEN, text="no"), ME) == [[("error", "! no")]]
