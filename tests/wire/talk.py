"""A plain peer and the server's part of the talk, by hand."""

from typing import Any

from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.events import Told
from asyncchat.vocabulary.terms import Code
from asyncchat.wire.dialect import Problem
from asyncchat.wire.plain import PlainDialect

LIMIT = 1000
TIME = "2026-01-02T12:34:05.678Z"


class Talk:
    """A plain peer and the server's part of the talk, by hand."""

    def __init__(self) -> None:
        self.dialect = PlainDialect(LIMIT)

    def types(self, line: str) -> Command | Problem:
        """The one thing that a line asks for."""
        (item,) = self.dialect.receive(line.encode() + b"\n")
        return item

    def asks(self, line: str) -> Command:
        """The one command that a line is, without its mark."""
        item = self.types(line)
        assert isinstance(item, Command)
        return type(item)(**{name: getattr(item, name) for name in item.__struct_fields__ if name != "id"})

    def reads(self, *told: Told) -> list[str]:
        """The lines in which the peer is told of events."""
        data = self.dialect.encode_shared(told)
        assert data.endswith(b"\n") or not data
        return data.decode().splitlines()

    def reply(self, line: str, **fields: Any) -> list[str]:
        """The lines that answer a line, when the server answers it with `ok`."""
        item = self.types(line)
        assert isinstance(item, Command)
        return self.reads(events.Ok(id=item.id, **{"code": Code.OK, **fields}))

    def sends(self, data: bytes) -> bytes:
        """What the peer is sent for these bytes, when the server answers each command that they give with `ok`."""
        sent = b""
        for item in self.dialect.receive(data):
            assert isinstance(item, Command)
            sent += self.dialect.encode(events.Ok(id=item.id or "", code=Code.OK))
        return sent

    def enter(self, *rooms: str, name: str = "carol", motd: str | None = None) -> list[str]:
        """Log in; what the peer reads."""
        item = self.types(name)
        assert isinstance(item, commands.Hello)
        return self.reads(welcome(*rooms, name=name, motd=motd, id=item.id))


def welcome(*rooms: str, name: str = "carol", motd: str | None = None, id: Any = "hello") -> events.Welcome:
    return events.Welcome(
        id=id, code=Code.ACCEPTED, name=name, server="example", version="1", epoch="e", seq=9, time=TIME,
        rooms=list(rooms), motd=motd, limits={},
    )  # fmt: skip


def said(text: str = "hi", *, seq: int = 10, sender: str = "bob", to: str = "#lobby", **more: Any) -> events.Said:
    return events.Said(seq=seq, time=TIME, sender=sender, to=to, text=text, **more)
