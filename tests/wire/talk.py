"""A plain peer and the server's part of the talk, by hand."""

from typing import Any

from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import Told
from asyncchat.vocabulary.terms import Code
from asyncchat.wire.dialect import Context, Problem, Request
from asyncchat.wire.plain import PlainDialect

LIMIT = 1000
TIME = "2026-01-02T12:34:05.678Z"


class Talk:
    """A plain peer and the server's part of the talk, by hand. ``context``: that of what was asked for last."""

    def __init__(self) -> None:
        self.dialect = PlainDialect(LIMIT)
        self.context: Context = None

    def types(self, line: str) -> Command | Problem | None:
        """The one thing that a line asks for."""
        (item,) = self.dialect.receive(line.encode() + b"\n")
        return self.took(item)

    def took(self, item: Request | Problem) -> Command | Problem | None:
        """What is asked for, which `told` and `answer` are about from now on."""
        if isinstance(item, Problem):
            return item
        command, self.context = item
        return command

    def asks(self, line: str) -> Command:
        """The one command that a line is."""
        item = self.types(line)
        assert isinstance(item, Command)
        return item

    def told(self, *told: Told) -> bytes:
        """What the peer is sent when its last request is answered."""
        return b"".join(self.dialect.encode(each, self.context) for each in told)

    def answer(self, *told: Told) -> list[str]:
        """The same, as lines."""
        return lines(self.told(*told))

    def reads(self, *told: Told) -> list[str]:
        """The lines in which the peer is told of events."""
        return lines(self.dialect.encode_shared(told))

    def reply(self, line: str, **fields: Any) -> list[str]:
        """The lines that answer a line, when the server answers a command with `ok`."""
        item = self.types(line)
        assert not isinstance(item, Problem)
        return lines(self._done(item, **fields))

    def sends(self, data: bytes) -> bytes:
        """What the peer is sent for these bytes, when the server answers each command that they give with `ok`."""
        sent = b""
        for item in self.dialect.receive(data):
            command = self.took(item)
            assert not isinstance(command, Problem)
            sent += self._done(command)
        return sent

    def _done(self, command: Command | None, **fields: Any) -> bytes:
        if command is None:
            return self.dialect.outgoing(self.context)
        return self.told(events.Ok(**{"code": Code.OK, **fields}))

    def wishes(self) -> list[Command | None]:
        """What the dialect itself asks for; `told` and `answer` are about the last of it."""
        found = list(self.dialect.follow_up())
        assert not self.dialect.wishes
        if found:
            _, self.context = found[-1]
        return [command for command, _ in found]

    def enter(self, *rooms: str, name: str = "carol", motd: str | None = None) -> list[str]:
        """Log in; what the peer reads."""
        assert isinstance(self.types(name), commands.Hello)
        return self.answer(welcome(*rooms, name=name, motd=motd))


def lines(data: bytes) -> list[str]:
    """What the peer is sent, as lines."""
    assert data.endswith(b"\n") or not data
    return data.decode().splitlines()


def welcome(*rooms: str, name: str = "carol", motd: str | None = None) -> events.Welcome:
    return events.Welcome(
        code=Code.ACCEPTED, name=name, server="example", version="1", epoch="e", seq=9, time=TIME,
        rooms=list(rooms), motd=motd, limits={},
    )  # fmt: skip


def said(text: str = "hi", *, seq: int = 10, sender: str = "bob", to: str = "#lobby", **more: Any) -> events.Said:
    return events.Said(seq=seq, time=TIME, sender=sender, to=to, text=text, **more)
