"""What holds for every dialect that the server speaks: for each row of the table, the same tests."""

from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs as msgspec_structs

from asyncchat.server.fronts import DIALECTS, FRONTS
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import Told
from asyncchat.vocabulary.terms import Code, Role
from asyncchat.wire.dialect import Dialect, Problem, Request
from asyncchat.wire.native import encode_command
from asyncchat.wire.sniff import Kind, sniff
from tests.wire.forged import ENDS_OF_LINES, FORGED, forged
from tests.wire.portions import portions
from tests.wire.structs import structs
from tests.wire.talk import welcome

LIMIT = 4096

HELLO = commands.Hello(name="carol", client="plain")
EXAMPLES: tuple[Command, ...] = (
    HELLO,
    commands.Quit(reason="lunch"),
    commands.Ping(),
    commands.Pong(),
    commands.Say(to="#lobby", text="hi"),
    commands.Edit(seq=5, text="hello"),
    commands.Delete(seq=5),
    commands.React(seq=5, reaction="👍"),
    commands.Typing(to="#lobby"),
    commands.Read(to="#lobby", seq=5),
    commands.Join(room="#tea"),
    commands.Leave(room="#lobby", reason="lunch"),
    commands.Rooms(),
    commands.Who(room="#lobby"),
    commands.Whois(name="bob"),
    commands.Topic(room="#lobby", text="tea"),
    commands.Invite(room="#lobby", name="bob"),
    commands.History(to="#lobby", limit=3),
    commands.Sync(after=5),
    commands.Search(text="tea", to="#lobby", limit=20),
    commands.Nick(name="caroline"),
    commands.Away(text="lunch"),
    commands.Register(password="correct", invitation="horse"),
    commands.Passwd(old="correct", new="horse"),
    commands.Kick(room="#lobby", name="bob", reason="noise"),
    commands.Ban(room="#lobby", who="bob", seconds=60, reason="noise"),
    commands.Unban(room="#lobby", who="bob"),
    commands.Bans(room="#lobby"),
    commands.Mute(room="#lobby", name="bob", seconds=60),
    commands.SetRole(room="#lobby", name="bob", role=Role.VOICE),
    commands.SetRoom(room="#lobby", private=True),
    commands.Destroy(room="#tea", confirm="#tea"),
    commands.Purge(room="#lobby", name="bob", seconds=60),
    commands.Announce(text="tea is ready"),
    commands.Stats(),
    commands.Accounts(),
    commands.CreateAccount(name="dave", password="correct horse"),
    commands.ResetPassword(name="dave", password="correct horse"),
    commands.SetAdministrator(name="dave"),
    commands.Log(level="DEBUG"),
    commands.Reload(),
    commands.Backup(path="/copy"),
    commands.Shutdown(seconds=60),
)
"""One of each command."""

PLAIN = {
    commands.Hello: "carol",
    commands.Quit: "/quit lunch",
    commands.Say: "hi",
    commands.Edit: "/edit ^5 hello",
    commands.Delete: "/delete ^5",
    commands.React: "/react ^5 👍",
    commands.Join: "/join #tea",
    commands.Leave: "/leave #lobby lunch",
    commands.Rooms: "/rooms",
    commands.Who: "/who",
    commands.Whois: "/whois bob",
    commands.Topic: "/topic tea",
    commands.Invite: "/invite bob",
    commands.History: "/history 3",
    commands.Search: "/search tea in:#lobby",
    commands.Nick: "/nick caroline",
    commands.Away: "/away lunch",
    commands.Register: "/register correct horse",
    commands.Passwd: "/passwd correct horse",
    commands.Kick: "/kick bob noise",
    commands.Ban: "/ban bob 1m noise",
    commands.Unban: "/unban bob",
    commands.Bans: "/bans",
    commands.Mute: "/mute bob 1m",
    commands.SetRole: "/role bob voice",
    commands.SetRoom: "/set private on",
    commands.Destroy: "/destroy #tea #tea",
    commands.Purge: "/purge bob 1m",
    commands.Announce: "/announce tea is ready",
    commands.Stats: "/stats",
}


def plain(command: Command) -> bytes | None:
    line = PLAIN.get(type(command))
    return f"{line}\n".encode() if line is not None else None


SAY: dict[Kind, Callable[[Command], bytes | None]] = {Kind.NATIVE: encode_command, Kind.PLAIN: plain}
"""How the peers of each dialect say a command: in a line, with its end; None for what cannot be said."""

every = pytest.mark.parametrize("kind", DIALECTS, ids=lambda kind: kind.value)


def logged_in(kind: Kind) -> Dialect:
    """A dialect whose peer is carol, and in a room."""
    dialect = DIALECTS[kind](LIMIT)
    hello = SAY[kind](HELLO)
    assert hello is not None
    ((_, context),) = requests(dialect.receive(hello))
    assert dialect.encode(welcome("#lobby"), context)
    dialect.follow_up()
    return dialect


def requests(items: Iterable[Request | Problem]) -> list[Request]:
    """The requests for commands, one after another, each answered before the next."""
    found = []
    for item in items:
        assert not isinstance(item, Problem), item
        if item[0] is not None:
            found.append(item)
    return found


def ready(kind: Kind, command: Command) -> Dialect:
    """A dialect whose peer can say this command now."""
    return DIALECTS[kind](LIMIT) if command is HELLO else logged_in(kind)


def sayable(kind: Kind) -> Iterator[tuple[Command, bytes]]:
    for command in EXAMPLES:
        if (line := SAY[kind](command)) is not None:
            yield command, line


def test_there_is_an_example_of_each_command() -> None:
    assert {type(command) for command in EXAMPLES} == set(Command.__args__)
    assert SAY.keys() == DIALECTS.keys()


def test_every_kind_has_a_front_but_tls_below_another() -> None:
    assert FRONTS.keys() == set(Kind)


@every
def test_the_first_bytes_tell_the_dialect(kind: Kind) -> None:
    hello = SAY[kind](HELLO)
    assert hello is not None
    assert sniff(hello) is kind


@every
def test_every_command_is_read_however_its_bytes_are_cut(kind: Kind) -> None:
    for command, line in sayable(kind):
        for chunks in portions(line):
            dialect = ready(kind, command)
            assert [said for chunk in chunks for said, _ in requests(dialect.receive(chunk))] == [command]
            assert not dialect.partial


@every
def test_bytes_after_a_command_wait_for_theirs(kind: Kind) -> None:
    say = commands.Say(to="#lobby", text="next")
    behind = encode_command(say) if kind is Kind.NATIVE else b"next\n"
    for command, line in sayable(kind):
        if command is HELLO or isinstance(command, commands.Quit):
            continue  # what comes next depends on the answer
        dialect = logged_in(kind)
        assert len(requests(dialect.receive(line + behind[:3]))) == 1
        assert dialect.partial
        assert [said for said, _ in requests(dialect.receive(behind[3:]))] == [say]


@every
@given(data=st.data())
def test_any_answer_to_any_request_is_encoded(kind: Kind, data: st.DataObject) -> None:
    """The contexts of all requests, with results that fit them or not."""
    command, line = data.draw(st.sampled_from(list(sayable(kind))))
    told = data.draw(st.lists(structs(Told), max_size=3))
    dialect = ready(kind, command)
    ((_, context),) = requests(dialect.receive(line))
    for each in told:
        assert ended(dialect.encode(without_id(each), context))
        assert ended(dialect.encode(without_id(each)))
    assert ended(dialect.encode_shared([without_id(each) for each in told]))
    for wish, _ in dialect.follow_up():
        assert isinstance(wish, Command)
    assert not dialect.wishes


def ended(data: bytes) -> bool:
    """Nothing is left unfinished."""
    return not data or data.endswith(b"\n")


def without_id(told: Told) -> Told:
    """As the rules make results."""
    return msgspec_structs.replace(told, id=None) if isinstance(told, events.Result) else told


@every
@given(told=structs(Told), end=st.sampled_from(ENDS_OF_LINES))
def test_no_part_of_a_text_begins_a_line(kind: Kind, told: Told, end: str) -> None:
    """Else it could look like a line of somebody else."""
    dialect = logged_in(kind)
    for data in (dialect.encode(forged(without_id(told), end)), dialect.encode_shared([forged(told, end)])):
        assert not [line for line in data.decode().split("\n") if line.startswith(FORGED)]


@every
@given(told=st.lists(structs(Told), max_size=3))
def test_one_variant_is_one_encoding(kind: Kind, told: list[Told]) -> None:
    one, other = logged_in(kind), logged_in(kind)
    if one.variant == other.variant:
        assert one.encode_shared(told) == other.encode_shared(told)


PIECES = [b"\n", b"{", b"/", b"\xff\xfa", b"\xff\xf4\xff\xfd\6"]


@every
@given(chunks=st.lists(st.binary(max_size=30) | st.sampled_from(PIECES)))
def test_any_bytes_give_requests_or_problems(kind: Kind, chunks: list[bytes]) -> None:
    dialect = logged_in(kind)
    items = [item for chunk in chunks for item in dialect.receive(chunk)]
    for item in [*items, *dialect.quiet(), *dialect.end()]:
        if isinstance(item, Problem):
            assert ended(dialect.encode(events.Error(code=item.code, text=item.text), item.context))
        else:
            command, context = item
            if command is None:
                assert isinstance(dialect.outgoing(context), bytes)
            else:
                assert isinstance(command, Command)


@every
def test_a_problem_is_answered_and_the_next_line_is_read(kind: Kind) -> None:
    dialect = logged_in(kind)
    (problem,) = dialect.receive(b"x" * (LIMIT + 1) + b"\n")
    assert isinstance(problem, Problem)
    assert problem.code is Code.TOO_LONG
    say = commands.Say(to="#lobby", text="hi")
    line = SAY[kind](say)
    assert line is not None
    assert [said for said, _ in requests(dialect.receive(line))] == [say]
