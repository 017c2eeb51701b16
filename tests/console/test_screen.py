"""What a person sees, without a terminal: the screen, the places, and what stands around the line."""

import errno
import time
from datetime import UTC
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from asyncchat.client import Resumed
from asyncchat.console.editor import ChatCompleter, LineHistory
from asyncchat.console.painter import Painter
from asyncchat.console.places import TYPING_SECONDS, Ignores, Places
from asyncchat.console.screen import SHOWN, Outbox, Screen, prompt_parts, toolbar_parts
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.terms import State, rfc3339

DAY = 86_400_000


def now() -> int:
    return int(time.time() * 1000)  # not once for all tests: midnight may come between


class Seat:
    """A person before a screen: ``lines`` is what it shows, without times."""

    def __init__(self, directory: Path, *rooms: str, read: bool = True) -> None:
        self.places = Places("alice")
        for room in rooms:
            self.places.open(room)
        self.places.go(self.places.number(1))
        self.outbox = Outbox()
        self.ignores = Ignores("localhost:7777", directory)
        self.written = ""
        painter = Painter(colour=False)
        self.screen = Screen(painter, self.places, self.outbox, self.ignores, self._write, read=read, zone=UTC)
        self.seq = 0

    def _write(self, text: str) -> None:
        self.written += text

    @property
    def lines(self) -> list[str]:
        return [line[6:] if line[2:3] == ":" else line for line in self.written.replace("\a", "").splitlines()]

    def said(
        self, text: str, *, sender: str = "bob", to: str = "#lobby", days: int = 0, **fields: object
    ) -> events.Said:
        self.seq += 1
        when = rfc3339(now() + days * DAY)
        return events.Said(seq=self.seq, time=when, sender=sender, to=to, text=text, **fields)  # type: ignore[arg-type]

    def toolbar(self, offline: str = "", now: float = 0.0, columns: int = 80) -> str:
        return "".join(part[1] for part in toolbar_parts(self.places, offline=offline, now=now, columns=columns))

    def prompt(self, *, offline: bool = False, writes: bool = True) -> str:
        return "".join(part[1] for part in prompt_parts(self.places, self.outbox, offline=offline, writes=writes))


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    return Seat(tmp_path, "#lobby", "#ops")


# --- what is shown --------------------------------------------------------------------------------------------------


def test_a_room_stands_before_what_is_said_when_there_are_several(tmp_path: Path) -> None:
    alone = Seat(tmp_path, "#lobby")
    alone.screen.event(alone.said("one"))
    alone.screen.event(alone.said("psst", to="alice"))
    alone.screen.event(alone.said("two"))
    assert alone.lines == ["bob: one", "@bob bob: psst", "#lobby bob: two"]


def test_a_room_that_is_not_open_stands_before_its_news(seat: Seat) -> None:
    seat.screen.event(events.Deleted(seq=91, time=rfc3339(now()), sender="bob", to="#secret", targets=[1]))
    seat.screen.event(events.Renamed(name="bob", to="rob"))
    assert seat.lines == ["#secret * bob deleted ^1", "* bob is now rob"]


def test_a_day_begins_with_a_line(seat: Seat) -> None:
    seat.screen.past([seat.said("long ago", days=-2), seat.said("long ago too", days=-2), seat.said("today")])
    kinds = ["day" if line.startswith("---") else line for line in seat.lines]
    assert kinds == ["day", "#lobby bob: long ago", "#lobby bob: long ago too", "day", "#lobby bob: today"]
    seat.screen.event(seat.said("today too"))
    assert not seat.lines[-2].startswith("---")


def test_my_last_message_is_known_across_places_and_a_new_history(seat: Seat) -> None:
    old = seat.said("old", sender="alice", to="#ops")
    seat.screen.event(seat.said("psst", sender="alice", to="bob"))
    seat.screen.event(seat.said("hi", to="bob", sender="alice"))
    seat.screen.past([old])
    assert seat.places.own == 3
    seat.places.kept(2)
    assert seat.places.own == 3, "its acknowledgement came late"
    seat.seq = 0
    seat.screen.event(seat.said("all is new", sender="alice", to="#new"))
    assert seat.places.own == 1


def test_the_past_and_what_comes_live_meet_without_a_double(seat: Seat) -> None:
    one, two, three, four = (seat.said(text) for text in ("one", "two", "three", "four"))
    seat.screen.event(three)
    seat.screen.past([one, two, three])
    seat.screen.event(four)
    assert [line.split()[-1] for line in seat.lines] == ["three", "one", "two", "four"]
    other = Seat(Path("/nonexistent"), "#lobby")
    other.screen.past([one, two, three])
    other.screen.event(three)
    other.screen.event(four)
    assert [line.split()[-1] for line in other.lines] == ["one", "two", "three", "four"]


def test_mentions_and_direct_messages_ring_and_nothing_else_does(seat: Seat) -> None:
    for event, rings in (
        (seat.said("hello"), False),
        (seat.said("hello alice"), True),
        (seat.said("hello alice", kind="notice"), False),
        (seat.said("direct", to="alice"), True),
        (seat.said("I am alice", sender="alice"), False),
        (seat.said("to bob", sender="alice", to="bob"), False),
    ):
        seat.written = ""
        seat.screen.event(event)
        assert ("\a" in seat.written) is rings, event
    seat.written = ""
    seat.screen.past([seat.said("alice in the past", to="#ops")])
    assert "\a" not in seat.written


def test_people_who_are_ignored_are_not_seen(tmp_path: Path) -> None:
    seat = Seat(tmp_path, "#lobby")
    seat.ignores.add("Eve")
    for event in (
        seat.said("alice!", sender="eve"),
        seat.said("psst", sender="eve", to="alice"),
        events.Joined(name="eve", room="#lobby"),
        events.Typing(sender="eve", to="#lobby"),
        events.ReadMarker(sender="eve", to="#lobby", seq=1),
        events.Deleted(seq=91, time=rfc3339(now()), sender="eve", to="#lobby", targets=[1]),
        events.Presence(name="eve", state=State.AWAY),
        events.Renamed(name="eve", to="mallory"),
        seat.said("alice?", sender="mallory"),
        events.Reacted(seq=90, time=rfc3339(now()), sender="eve", to="#lobby", target=1, reaction="x"),
        events.Invited(sender="eve", name="alice", room="#x"),
    ):
        seat.screen.event(event)
    seat.screen.past([seat.said("past", sender="EVE"), seat.said("past", sender="eve", to="alice")])
    assert seat.written == ""
    assert seat.toolbar(now=time.monotonic()).strip() == "● alice  1:#lobby"
    assert seat.places.partner is None
    seat.ignores.save()
    assert Ignores("localhost:7777", tmp_path).names() == ["Eve", "mallory"]
    assert Ignores("elsewhere:7777", tmp_path).names() == []
    assert seat.ignores.remove("EVE")
    assert not seat.ignores.remove("EVE")
    seat.screen.event(seat.said("hi", sender="eve"))
    assert seat.lines == ["eve: hi"]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"localhost:7777": 7}', b'{"localhost:7777": [7]}', b'{"elsewhere:7777": ["\xff"]}']
)
def test_a_damaged_file_ignores_nobody_and_stays_as_it_is(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "ignored.json"
    file.write_bytes(content)
    ignores = Ignores("localhost:7777", tmp_path)
    assert ignores.names() == []
    assert caplog.messages == [f"nobody is ignored: {file}: the file is damaged"]
    ignores.add("eve")
    with pytest.raises(OSError, match="the file is damaged"):
        ignores.save()
    assert file.read_bytes() == content
    assert "eve" in ignores, "for now"


def test_a_file_that_cannot_be_read_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Ignores("elsewhere:7777", tmp_path)
    elsewhere.add("bob")
    elsewhere.save()

    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        ignores = Ignores("localhost:7777", tmp_path)
        ignores.add("eve")
        with pytest.raises(PermissionError):
            ignores.save()
    assert Ignores("elsewhere:7777", tmp_path).names() == ["bob"]


def test_who_only_writes_sees_only_what_they_wrote_here(tmp_path: Path) -> None:
    seat = Seat(tmp_path, "#lobby", read=False)
    seat.outbox.add(commands.Say(to="#lobby", text="mine", nonce="n"))
    for event in (
        seat.said("others"),
        seat.said("mine", sender="alice", nonce="n"),
        seat.said("from elsewhere", sender="alice", nonce="m"),
        events.Joined(name="bob", room="#lobby"),
    ):
        seat.screen.event(event)
    assert seat.lines == ["alice: mine"]


def test_presence_is_shown_of_those_one_talks_with(seat: Seat) -> None:
    away = events.Presence(name="bob", state=State.AWAY, text="lunch")
    seat.screen.event(away)
    assert seat.lines == []
    seat.screen.event(seat.said("psst", to="alice"))
    seat.screen.event(away)
    assert seat.lines[-1] == "* bob is away: lunch"
    shown = len(seat.lines)
    for state in (State.ONLINE, State.ONLINE, State.OFFLINE, State.ONLINE):
        seat.screen.event(events.Presence(name="bob", state=state))
    assert seat.lines[shown:] == ["* bob is back", "* bob is offline"], "who comes is seen by what they say"


def test_coming_back_is_said(seat: Seat) -> None:
    assert seat.screen.event(Resumed(complete=True, missed=2)) is None
    assert seat.lines == ["-- connected again; nothing is missing (2 came meanwhile)"]


# --- where one is ---------------------------------------------------------------------------------------------------


def test_what_is_unread_is_counted_until_one_goes_there(seat: Seat) -> None:
    for text, to in (("one", "#ops"), ("two", "#ops"), ("here", "#lobby"), ("psst", "alice")):
        seat.screen.event(seat.said(text, to=to))
    seat.screen.event(seat.said("mine", sender="alice", to="#ops"))
    assert seat.toolbar().strip().startswith("● alice  1:#lobby 2:#ops(2) 3:@bob(1)")
    ops = seat.places.number(2)
    assert ops is not None
    seat.places.go(ops)
    assert "2:#ops 3:@bob(1)" in seat.toolbar()
    assert seat.prompt() == "#ops> "
    assert seat.places.number(4) is None
    assert [place.name for step in (1, 2, 3, -1) if (place := seat.places.beside(step))] == [
        "bob", "#lobby", "#ops", "#lobby",
    ]  # fmt: skip


def test_the_toolbar_is_one_line_with_what_is_needed_most(tmp_path: Path) -> None:
    seat = Seat(tmp_path, *(f"#room{number}" for number in range(1, 10)))
    seat.places.go(seat.places.number(8))
    seat.screen.event(seat.said("one", to="#room7"))
    seat.screen.event(seat.said("alice!", to="#room9"))
    whole = " ● alice  1:#room1 2:#room2 3:#room3 4:#room4 5:#room5 6:#room6 7:#room7(1) 8:#room8 9:#room9(1)"
    assert seat.toolbar(columns=len(whole)) == whole
    assert seat.toolbar(columns=len(whole) - 1) == whole.replace(" 6:#room6", "") + " +1"
    assert seat.toolbar(columns=60) == " ● alice  1:#room1 7:#room7(1) 8:#room8 9:#room9(1) +5"
    assert seat.toolbar(columns=45) == " ● alice  7:#room7(1) 8:#room8 9:#room9(1) +6"
    assert seat.toolbar(columns=44) == " ● alice  8:#room8 9:#room9(1) +7"
    assert seat.toolbar(columns=10) == " ● alice  8:#room8 +8"
    offline = seat.toolbar(columns=60, offline="the network is down")
    assert offline == " ○ offline  1:#room1 7:#room7(1) 8:#room8 9:#room9(1) +5  the network is down"


def test_lines_go_nowhere_when_their_place_closes(seat: Seat) -> None:
    lobby, ops = seat.places.get("#lobby"), seat.places.get("#OPS")
    assert lobby is not None
    assert ops is not None
    assert (seat.places.neighbour(lobby), seat.places.neighbour(ops)) == (ops, lobby)
    seat.places.go(ops)
    seat.places.close("#lobby")
    assert seat.prompt() == "#ops> "
    assert seat.places.neighbour(ops) is None
    seat.places.close("#ops")
    seat.places.close("#ops")
    assert seat.prompt() == "> "
    assert seat.places.beside(1) is None
    seat.screen.event(seat.said("psst", to="alice"))
    seat.screen.event(events.Joined(name="alice", room="#new"))
    assert seat.prompt() == "> "
    assert [place.name for step in (1, -1) if (place := seat.places.beside(step))] == ["bob", "#new"]


def test_names_are_followed(seat: Seat) -> None:
    seat.screen.event(events.Joined(name="bob", room="#lobby"))
    seat.screen.event(seat.said("psst", to="alice"))
    seat.screen.event(events.Renamed(name="bob", to="rob"))
    assert [place.name for place in seat.places] == ["#lobby", "#ops", "rob"]
    assert seat.places.partner == "rob"
    assert list(seat.places.open("#lobby").people.values()) == ["rob"]
    seat.screen.event(events.Renamed(name="alice", to="alicia"))
    assert (seat.places.me, seat.screen.view().name) == ("alicia", "alicia")
    seat.screen.event(events.Left(name="rob", room="#lobby"))
    assert not seat.places.open("#lobby").people


def test_who_is_typing_is_shown_for_a_while(seat: Seat) -> None:
    here = seat.places.here
    assert here is not None
    for name in ("bob", "carol", "alice"):
        seat.places.follow(events.Typing(sender=name, to="#lobby"), now=100.0)
    assert "bob, carol are typing…" in seat.toolbar(now=101.0)
    seat.places.follow(events.Typing(sender="bob", to="#lobby", active=False), now=102.0)
    assert "carol is typing…" in seat.toolbar(now=103.0)
    seat.places.follow(seat.said("there", sender="carol"), now=104.0)
    assert "typing" not in seat.toolbar(now=104.0)
    seat.places.follow(events.Typing(sender="bob", to="#lobby"), now=105.0)
    assert "typing" not in seat.toolbar(now=105.0 + TYPING_SECONDS)
    for number in range(9):
        seat.places.follow(events.Typing(sender=f"p{number}", to="#lobby"), now=200.0)
    assert "p0, p1, p2 and 6 more are typing…" in seat.toolbar(now=201.0)


def test_who_has_read_my_last_message(seat: Seat) -> None:
    mine = seat.said("mine", sender="alice")
    seat.screen.event(mine)
    seat.screen.event(events.ReadMarker(sender="bob", to="#lobby", seq=mine.seq - 1))
    assert "seen" not in seat.toolbar()
    seat.screen.event(events.ReadMarker(sender="bob", to="#lobby", seq=mine.seq))
    assert "seen by bob" in seat.toolbar()
    seat.screen.event(seat.said("another", sender="alice"))
    assert "seen" not in seat.toolbar()


def test_messages_on_their_way_stand_above_the_line(seat: Seat) -> None:
    for number in range(SHOWN + 2):
        seat.outbox.add(commands.Say(to="#lobby", text=f"{number}\x1b\n", nonce=str(number)))
    assert seat.prompt().splitlines()[:2] == ["  … 2 more (sending)", "  … #lobby 2␛␊ (sending)"]
    assert "(not sent yet)" in seat.prompt(offline=True)
    assert seat.outbox.done("3")
    assert not seat.outbox.done("3")
    assert not seat.outbox.done(None)
    assert len(seat.outbox) == SHOWN + 1
    assert seat.toolbar(offline="it\x1bis gone") == " ○ offline  1:#lobby 2:#ops  it␛is gone"
    assert seat.prompt(writes=False).endswith("(only listening; Ctrl+C leaves) ")


# --- Tab, and the lines before --------------------------------------------------------------------------------------


def completions(seat: Seat, text: str) -> list[str]:
    completer = ChatCompleter(seat.places, lambda: ["#office", "#ops"])
    found = completer.get_completions(Document(text), CompleteEvent(completion_requested=True))
    return [text[: len(text) + completion.start_position] + completion.text for completion in found]


def test_completion(seat: Seat) -> None:
    for name in ("Bob", "björn", "alice", "b\x1bad"):
        seat.screen.event(events.Joined(name=name, room="#lobby"))
    seat.screen.event(events.Joined(name="bea", room="#ops"))
    seat.places.open("bruno")
    assert completions(seat, "/whoi") == ["/whois "]
    assert set(completions(seat, "/uni")) == {"/unignore "}
    assert completions(seat, "bo") == ["Bob: "]
    assert completions(seat, "B") == ["bea: ", "björn: ", "Bob: ", "bruno: "]
    assert completions(seat, "ask bo") == ["ask Bob "]
    assert completions(seat, "@bo") == ["@Bob: "]
    assert completions(seat, "/msg @bo") == ["/msg @Bob "]
    assert completions(seat, "/msg bj") == ["/msg björn "]
    assert completions(seat, "/join #o") == ["/join #office ", "/join #ops "]
    assert completions(seat, "") == []
    assert completions(seat, "word ") == []
    assert completions(seat, "/nothing") == []


def test_passwords_are_not_offered_again() -> None:
    history = LineHistory()
    secret = ("/REGISTER secret", " /passwd old new", "/passwrd x", "/join #sec secret", "/set password secret")
    for line in ("hello", *secret, "/who"):
        history.append_string(line)
    assert list(history.get_strings()) == ["hello", "/who"]
