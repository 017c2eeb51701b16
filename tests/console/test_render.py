"""Events as lines of text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.client import Resumed
from asyncchat.console.render import Painter, Renderer, label_of, person_colour, place_of, same
from asyncchat.vocabulary import events
from asyncchat.vocabulary.events import Event
from asyncchat.vocabulary.terms import Code, Role, State

TIME = "2026-01-02T03:04:05.678Z"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def said(text: str = "hi", **fields: object) -> events.Said:
    return events.Said(**{"seq": 7, "time": TIME, "sender": "bob", "to": "#lobby", "text": text, **fields})  # type: ignore[arg-type]


def plain(event: Event | Resumed, *, me: str = "alice", multiline: bool = True) -> str | None:
    """The line without its time."""
    line = Renderer(me, Painter(colour=False), zone=UTC).line(event, WHEN, multiline=multiline)
    return line.removeprefix("03:04 ") if line is not None else None


KEPT = {"seq": 9, "time": TIME, "sender": "bob", "to": "#lobby"}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (said(), "bob: hi"),
        (said(kind="action"), "* bob hi"),
        (said(kind="notice"), "-bob- hi"),
        (said(reply_to=5), "bob: (to ^5) hi"),
        (said(edited=TIME), "bob: hi (changed)"),
        (said("", deleted=True), "bob: (deleted)"),
        (said(reactions={"👍": ["a", "b"], "no": ["c"]}), "bob: hi [👍 2 no 1]"),
        (said("one\ntwo\n"), "bob: one\n      two"),
        (events.Edited(**KEPT, target=5, text="better"), "bob changed ^5: better"),  # type: ignore[arg-type]
        (events.Deleted(**KEPT, targets=[5, 6]), "* bob deleted ^5, ^6"),  # type: ignore[arg-type]
        (events.Reacted(**KEPT, target=5, reaction="👍"), "* bob reacts 👍 on ^5"),  # type: ignore[arg-type]
        (events.Reacted(**KEPT, target=5, reaction="👍", remove=True), "* bob takes back 👍 on ^5"),  # type: ignore[arg-type]
        (events.Joined(name="bob", room="#x"), "* bob joined #x"),
        (events.Left(name="bob", room="#x", reason="bye"), "* bob left #x (bye)"),
        (events.Renamed(name="bob", to="rob"), "* bob is now rob"),
        (events.Presence(name="bob", state=State.AWAY, text="lunch"), "* bob is away (lunch)"),
        (events.Presence(name="bob", state=State.OFFLINE), "* bob is offline"),
        (events.Presence(name="bob", state=State.ONLINE), "* bob is here"),
        (events.TopicChanged(seq=1, time=TIME, sender="bob", room="#x", text="T"), "* bob set the topic: T"),
        (events.TopicChanged(seq=1, time=TIME, sender="bob", room="#x", text=""), "* bob cleared the topic"),
        (events.Invited(sender="bob", name="Alice", room="#x"), "* bob invited you to #x"),
        (events.Invited(sender="bob", name="carol", room="#x"), "* bob invited carol to #x"),
        (events.Kicked(sender="bob", name="eve", room="#x", reason="spam"), "* bob put eve out of #x (spam)"),
        (events.RoleChanged(sender="bob", name="eve", room="#x", role=Role.VOICE), "* bob made eve voice"),
        (events.Muted(sender="bob", name="eve", room="#x", until=TIME), "* bob muted eve until 2026-01-02 03:04"),
        (events.Muted(sender="bob", name="eve", room="#x", active=False), "* bob lets eve speak again"),
        (
            events.RoomChanged(sender="bob", room="#x", private=True, topic_locked=True, retention=7),
            "* bob changed the room: private, topic locked, messages are kept 7 days",
        ),
        (events.Notice(text="restart at 5"), "-- restart at 5"),
        (events.Bye(code=Code.UNAVAILABLE, reason="restart"), "-- the server says goodbye: restart"),
        (Resumed(complete=True), "-- connected again; nothing is missing"),
        (Resumed(complete=True, missed=3), "-- connected again; nothing is missing (3 came meanwhile)"),
        (events.Gap(after=1, until=2), "-- something is missing: you may not read there any more"),
        (events.Typing(sender="bob", to="#x"), None),
        (events.ReadMarker(sender="bob", to="#x", seq=1), None),
        (events.Ping(), None),
    ],
)
def test_events_as_lines(event: Event | Resumed, line: str | None) -> None:
    assert plain(event) == line


def test_another_history_is_said_to_be_one() -> None:
    assert "a new history" in (plain(Resumed(complete=False)) or "")


def test_a_line_is_one_line_where_it_must_be() -> None:
    assert plain(said("one\ntwo"), multiline=False) == "bob: one␊two"


def test_times_are_the_readers() -> None:
    zone = timezone(timedelta(hours=-5))
    renderer = Renderer("alice", Painter(colour=False), zone=zone)
    assert (renderer.line(said(), WHEN) or "").startswith("22:04 ")
    assert renderer.day_line(renderer.day(WHEN)) == "──── Thursday, 1 January 2026 ────"
    full = Renderer("alice", Painter(colour=False), zone=zone, full_time=True)
    assert (full.line(said(), WHEN) or "").startswith("2026-01-01 22:04:05 ")


def test_a_moment_is_told_in_the_readers_zone() -> None:
    renderer = Renderer("alice", Painter(colour=False), zone=timezone(timedelta(hours=-5)))
    assert renderer.moment("2026-01-02T03:04:05.678Z") == "2026-01-01 22:04"
    assert renderer.moment("0001-01-01T00:00:00Z") == "0001-01-01T00:00:00Z"
    assert renderer.moment("soon\x1b") == "soon␛"


def test_places_and_numbers_come_before() -> None:
    renderer = Renderer("alice", Painter(colour=False), zone=UTC)
    assert renderer.line(said(), WHEN, place="bob", numbered=True) == "03:04 ^7 @bob bob: hi"
    assert (label_of("#x\x1b"), label_of("bob")) == ("#x␛", "@bob")


@pytest.mark.parametrize(
    ("event", "place"),
    [
        (said(), "#lobby"),
        (said(to="alice"), "bob"),
        (said(to="carol", sender="ALICE"), "carol"),
        (events.Typing(sender="bob", to="alice"), "bob"),
        (events.Kicked(sender="bob", name="eve", room="#x"), "#x"),
        (events.Renamed(name="bob", to="rob"), None),
        (events.Notice(text="x"), None),
    ],
)
def test_where_an_event_belongs(event: Event, place: str | None) -> None:
    assert place_of(event, "alice") == place


def test_a_mention_of_me_is_marked_unless_i_say_it() -> None:
    renderer = Renderer("alice", Painter(colour=True), zone=UTC)
    assert "\x1b[1;7mAlice\x1b[0m" in (renderer.line(said("ask Alice"), WHEN) or "")
    assert "\x1b[1;7m" not in (renderer.line(said("I am alice", sender="alice"), WHEN) or "")
    renderer.me = "rob"
    assert "\x1b[1;7mrob\x1b[0m" in (renderer.line(said("ask rob"), WHEN) or "")
    renderer.me = "Straße"
    line = renderer.line(said("ßß! STRASSE or straße\nStraße?"), WHEN) or ""
    assert line.endswith("ßß! \x1b[1;7mSTRASSE\x1b[0m or \x1b[1;7mstraße\x1b[0m\n      \x1b[1;7mStraße\x1b[0m?")


def test_a_persons_colour_is_always_the_same_and_most_differ() -> None:
    assert person_colour("alice") == person_colour("ALICE")
    assert person_colour("José") == person_colour("Jose\u0301")
    assert len({person_colour(f"person {number}") for number in range(100)}) > 10
    assert Painter(colour=False).person("alice", "alice") == "alice"
    painted = Painter(colour=True).person("alice", "alice")
    assert painted.startswith("\x1b[")
    assert painted.endswith("alice\x1b[0m")


def test_one_name_in_two_spellings() -> None:
    assert same("José", "JOSE\u0301")
    assert same("bob", "ＢＯＢ")
    assert same("＃ops", "#ops")
    assert not same("bob", "rob")


@st.composite
def events_of_anybody(draw: st.DrawFn) -> Event:
    name, to, text = draw(st.text()), draw(st.text()), draw(st.text())
    kept = {"seq": 1, "time": TIME, "sender": name, "to": to}
    any_of: list[Event] = [
        said(text, sender=name, to=to),
        said(text, sender=name, to=to, kind="action", reactions={text: [name]}),
        events.Edited(**kept, target=1, text=text),  # type: ignore[arg-type]
        events.Reacted(**kept, target=1, reaction=text),  # type: ignore[arg-type]
        events.TopicChanged(seq=1, time=TIME, sender=name, room=to, text=text),
        events.Left(name=name, room=to, reason=text),
        events.Kicked(sender=name, name=to, room=to, reason=text),
        events.Renamed(name=name, to=to),
        events.Invited(sender=name, name=to, room=text),
        events.Notice(text=text),
        events.Bye(reason=text),
        events.Presence(name=name, state=State.AWAY, text=text),
        events.Muted(sender=name, name=to, room=to, until=text, reason=text),
    ]
    return draw(st.sampled_from(any_of))


@given(events_of_anybody())
def test_nothing_that_drives_a_terminal_gets_through(event: Event) -> None:
    line = Renderer("alice", Painter(colour=False), zone=UTC).line(event, WHEN, place="place\x1b", multiline=False)
    assert line is not None
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in line)
    assert not set(line) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u200b\ufeff\u2028\u2029"
    )
