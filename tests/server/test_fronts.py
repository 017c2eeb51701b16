"""The table of fronts: a dialect is its own file and its row, and it may ask for things by itself."""

from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from asyncchat import ChatServer
from asyncchat.server import fronts
from asyncchat.server.fronts import SessionFront, Sessions
from asyncchat.server.transport import Transport
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.events import Told
from asyncchat.wire.dialect import Context, Problem, Request
from asyncchat.wire.native import NativeDialect
from asyncchat.wire.sniff import Kind
from tests.server.ends import LONG, lagging, narrow, served
from tests.server.peers import Native, Raw, limited, serving

MISSED = "missed"
"""The context of the pages by which the dialect fills a gap."""

ECHO = b"# echo off\n"


class Filling(NativeDialect):
    """A dialect whose clients know no cursor: it fills the gaps itself, and has words of its own.

    A line ``#`` is answered by the dialect; the second one changes what its client is sent.
    """

    __slots__ = ("_own", "echo", "wished")

    variant = "filling"

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.echo = True
        self.wished: list[Request] = []

    @property
    def wishes(self) -> bool:  # type: ignore[override]  # a constant there
        return bool(self.wished)

    def receive(self, data: bytes) -> Iterator[Request | Problem]:  # type: ignore[override]  # lazy, as dialects may be
        for item in super().receive(data):
            yield (None, ECHO) if isinstance(item, Problem) and item.text.endswith("(character 1)") else item

    def outgoing(self, context: Context) -> bytes:
        assert context == ECHO
        self.echo = False
        return ECHO

    def encode(self, told: Told, context: Context = None) -> bytes:
        match told:
            case events.Gap(after=after, until=until):
                self.wished.append((commands.Sync(after=after, until=until), MISSED))
                return b""
            case events.History(events=page, next=after) if context == MISSED:
                if not told.complete and after is not None:
                    self.wished.append((commands.Sync(after=after), MISSED))
                return self.encode_shared(page)
        return super().encode(told, context)

    def follow_up(self) -> list[Request]:
        wished, self.wished = self.wished, []
        return wished


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChatServer]:
    monkeypatch.setitem(fronts.FRONTS, Kind.NATIVE, lambda sessions: SessionFront(Filling, sessions))
    async with serving(limited(rate=0, buffer=10_000, sync=3)) as server:
        yield server


async def test_a_gap_is_filled_by_the_dialect_while_its_client_is_silent(server: ChatServer) -> None:
    async with await Native.open(server, "ann") as ann, await Native.open(server, "slow") as slow:
        narrow(server, "slow")
        said = []
        while not lagging(server):
            said.append(await ann.say(LONG))
        said += [await ann.say("missed") for _ in range(10)]
        assert [(await slow.event(events.Said)).seq for _ in said] == said
        last = await ann.say("live again")
        assert (await slow.event(events.Said)).seq == last
        assert served(server, "slow").reading


async def test_a_client_that_goes_while_a_gap_is_filled_takes_nothing_with_it(server: ChatServer) -> None:
    async with await Native.open(server, "ann") as ann:
        async with await Native.open(server, "slow") as slow:
            narrow(server, "slow")
            while not lagging(server):
                await ann.say(LONG)
            for _ in range(10):
                await ann.say(LONG)
            await slow.event(events.Said)
        assert await ann.say("still here")


async def test_a_dialects_own_words_come_in_their_place(server: ChatServer) -> None:
    """And what it says of itself may change meanwhile: it is asked for its echo with each message."""
    async with await Native.open(server, "ann") as ann:
        ann.send(commands.Say(id=1, to="#lobby", text="echoed"))
        ann.raw.send("#\n")
        ann.send(commands.Say(id=2, to="#lobby", text="not echoed"), commands.Ping(id=3))
        lines = [await ann.raw.line()]
        while '"id":3' not in lines[-1]:
            lines.append(await ann.raw.line())
        shown = [
            next(word for word in ("# echo off", '"id":1', '"id":2', '"id":3', '"text":"echoed"', line) if word in line)
            for line in lines
        ]
        own = shown.index("# echo off")
        assert sorted(shown[:own]) == ['"id":1', '"text":"echoed"']
        assert shown[own + 1 :] == ['"id":2', '"id":3']


class Telling:
    """A front that is no session: it answers, and is done."""

    def __init__(self, _: Sessions) -> None:
        pass

    async def serve(self, reader: object, transport: Transport, first: Sequence[bytes], ending: fronts.Ending) -> None:
        transport.write(b"you said " + b"".join(first))
        ending.reason = "told"


async def test_a_front_may_serve_without_a_session(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setitem(fronts.FRONTS, Kind.IRC, Telling)
    async with serving() as server, await Raw.open(server) as client:
        client.send("NICK alice\r\n")
        assert await client.end() == "you said NICK alice\r\n"
        assert not server.connected
    (ended,) = [message for message in caplog.messages if message.startswith("Disconnected")]
    assert ended.endswith(": told")
