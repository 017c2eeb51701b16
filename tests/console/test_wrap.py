"""Lines that are longer than the terminal is wide: nothing of a text begins where a line of the program does."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from asyncchat.client import ChatClient
from asyncchat.console.painter import Painter
from asyncchat.console.wrap import wrapped
from asyncchat.text import INDENT
from asyncchat.vocabulary.printable import printable
from tests.client.chats import joined
from tests.console.terminals import CLIENT, Desk, terminal

COLUMNS = [30, 80, 200]
FORGED = "12:00 #ops boss: give mallory the keys"
SCRIPTS = {
    "words": "word " * 90,
    "one word": "x" * 900,
    "blanks": f"hi{(' ' * 31 + '.') * 10}{' ' * 31}{FORGED} {FORGED}" * 2,
    "Chinese": "今天天气很好我们去公园吧" * 40,
    "Chinese after a letter": "a" + "今天天气很好我们去公园吧" * 40,
    "emoji": "👩‍💻👍🏽🇩🇪☀️#️⃣🏴󠁧󠁢󠁳󠁣󠁴󠁿" * 40,
    "combining": "e\u0301\u0323o\u0308" * 400,
    "Devanagari": "नमस्ते क्षत्रिय " * 60,
    "wide blanks": "hi" + "\u3000" * 200 + FORGED * 8,
}


def plain(line: str) -> str:
    """The line as a terminal shows it."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
def test_a_long_line_hangs_below_its_beginning(text: str, columns: int) -> None:
    line = f"12:34 bob: {printable(text)}"
    first, *others = wrapped(line, columns).split("\n")
    assert first.startswith("12:34 bob:")
    assert others
    assert all(other.startswith(INDENT) for other in others)
    assert max(map(wcswidth, [first, *others])) < columns
    shown = "".join([first, *(other[len(INDENT) :] for other in others)])
    assert shown.replace(" ", "") == line.replace(" ", "")


ODD = [" " * 32, FORGED, "今天", "👩‍💻", "e\u0301", "\ufe0f"]


@given(st.lists(st.text() | st.sampled_from(ODD)).map("".join), st.integers(1, 200), st.booleans())
def test_only_the_first_line_begins_in_the_first_column(text: str, columns: int, colour: bool) -> None:
    painter = Painter(colour=colour)
    safe = printable(text)
    line = f"{painter.style('time', '12:34')} {painter.style('name', 'bob')}: {painter.style('detail', safe)}"
    first, *others = wrapped(line, columns).split("\n")
    assert all(plain(other).startswith(" ") for other in others)
    if columns > 4:  # else no wide character fits beside its indent
        assert all(wcswidth(plain(shown)) < columns for shown in [first, *others])
    shown = plain("".join([first, *others]))
    assert shown.replace(" ", "") == plain(line).replace(" ", "")


def test_what_fits_stays_as_it_is() -> None:
    lines = f"12:34 bob: {'x' * 68}\n12:34 bob: short"
    assert wrapped(lines, 80) == lines
    assert wrapped(lines, 79) == f"12:34 bob:\n{INDENT}{'x' * 68}\n12:34 bob: short"


def test_words_stay_whole_where_they_fit_into_a_line() -> None:
    assert wrapped("12:34 bob: one two three", 20) == "12:34 bob: one two\n    three"
    assert wrapped(f"12:34 bob: {'x' * 30}", 21) == f"12:34 bob: {'x' * 9}\n{' ' * 5}{'x' * 15}\n{' ' * 5}{'x' * 6}"


def test_a_character_and_its_marks_are_not_parted() -> None:
    for text in ("e\u0301" * 40, "👩‍💻" * 20, "👍🏽" * 20, "🇩🇪" * 20):
        _, *others = wrapped(f"12:34 bob: {text}", 30).split("\n")
        assert others
        assert all(other.removeprefix(INDENT)[0] == text[0] for other in others)


def test_a_colour_goes_on_behind_a_break_and_the_indent_has_none() -> None:
    painter = Painter(colour=True)
    assert wrapped(painter.style("notice", "-- one two"), 8) == "\x1b[33m-- one\x1b[0m\n \x1b[33mtwo\x1b[0m"


def test_a_further_line_of_a_text_keeps_its_indent() -> None:
    lines = wrapped(f"12:34 bob: one\n{INDENT}{'two ' * 20}", 30).split("\n")
    assert lines[0] == "12:34 bob: one"
    assert len(lines) == 5
    assert all(line.startswith(f"{INDENT}two") for line in lines[1:])


# --- in a terminal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", COLUMNS)
async def test_nobody_can_forge_a_line(address: str, bob: ChatClient, desk: Desk, columns: int) -> None:
    """In as many ways as there are scripts, and with a text of several lines."""
    async with desk.client(address, "--name", "alice", rows=400, columns=columns) as alice:
        await joined(bob, "alice")
        for text in SCRIPTS.values():
            await bob.say("#lobby", f"{text}{FORGED}\n{FORGED}")
        await bob.say("#lobby", "the end")
        await alice.shows("the end")
        own = re.compile(r"(\d\d:\d\d (bob:|\* )|-- |\s|--- |#lobby>|$)")
        assert [line for line in alice.lines[:-1] if not own.match(line)] == []
        assert not any(line.startswith("12:00 #ops") for line in alice.lines)
        assert alice.text.count("keys") >= 2 * len(SCRIPTS)


@pytest.mark.parametrize("kind", ["dumb terminal", "terminal without input"])
async def test_nobody_can_forge_a_line_elsewhere(address: str, bob: ChatClient, desk: Desk, kind: str) -> None:
    command, environment = [*CLIENT, address, "--name", "alice"], desk.environment("alice")
    if kind == "dumb terminal":
        environment["TERM"] = "dumb"
    else:
        command = ["sh", "-c", f"{' '.join(command)} -r </dev/null"]
    async with terminal(command, environment, columns=40) as alice:
        await joined(bob, "alice")
        await bob.say("#lobby", f"{'x' * 200} {FORGED}")
        await bob.say("#lobby", "the end")
        await alice.shows("the end", "keys")
        assert not any(line.startswith(("x", "12:00")) for line in alice.lines)
