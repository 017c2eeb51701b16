"""Lines as a terminal shows them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given

from asyncchat.client import Resumed
from asyncchat.console.painter import Painter, event_lines, person_colour
from asyncchat.text import CLOCK, View, render
from asyncchat.vocabulary import events
from asyncchat.vocabulary.events import Event, Told
from tests.wire.structs import structs

TIME = "2026-01-02T03:04:05.678Z"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALICE = View("alice", "#lobby", CLOCK, highlight=True)


def painted(event: Event | Resumed, *, colour: bool) -> str:
    return "\n".join(Painter(colour=colour).lines(event_lines(event, ALICE, WHEN)))


def said(text: str) -> events.Said:
    return events.Said(seq=7, time=TIME, sender="bob", to="#lobby", text=text)


def test_a_mention_is_marked_and_a_name_has_its_colour() -> None:
    line = painted(said("ask Alice"), colour=True)
    assert line == f"\x1b[2m03:04 \x1b[0m{Painter(colour=True).style('name', 'bob')}: ask \x1b[1;7mAlice\x1b[0m"
    assert painted(said("ask Alice"), colour=False) == "03:04 bob: ask Alice"


def test_a_persons_colour_is_always_the_same_and_most_differ() -> None:
    assert person_colour("alice") == person_colour("ALICE")
    assert person_colour("José") == person_colour("Jose\u0301")
    assert len({person_colour(f"person {number}") for number in range(100)}) > 10


@pytest.mark.parametrize(
    ("resumed", "text"),
    [
        (Resumed(complete=True), "03:04 -- connected again; nothing is missing"),
        (Resumed(complete=True, missed=3), "03:04 -- connected again; nothing is missing (3 came meanwhile)"),
        (
            Resumed(complete=False),
            "03:04 -- connected again, to a server that begins a new history: what was said meanwhile is not known",
        ),
    ],
)
def test_that_one_is_back_is_said(resumed: Resumed, text: str) -> None:
    assert painted(resumed, colour=False) == text


HARMFUL = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u200b\ufeff\u2028\u2029"


@given(structs(Told))
def test_nothing_that_drives_a_terminal_gets_through(told: Told) -> None:
    for line in Painter(colour=False).lines(render(told, ALICE, WHEN)):
        assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in line)
        assert not set(line) & set(HARMFUL)
