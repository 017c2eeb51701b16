"""The way of a command's outcome: into the log, back as facts, and out to everyone."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct, field

from asyncchat.core.outcomes import Append, Disconnect, Effect, Tell
from asyncchat.core.rules import Chat
from asyncchat.core.session import Session
from asyncchat.server.writers import ClientWriter, Writers
from asyncchat.storage.log import Entry, Log
from asyncchat.vocabulary import events, records
from asyncchat.vocabulary.errors import ChatError, Refused, StorageError
from asyncchat.vocabulary.terms import Code
from asyncchat.wire.dialect import Context

log = logging.getLogger("asyncchat.server")

GROWING: frozenset[type[records.Record]] = frozenset(
    {records.PersonCreated, records.RoomCreated, records.TokenGiven, records.SessionOpened, records.PersonJoined}
)
"""The records by which audiences grow or stay as they are."""

UNHURRIED = GROWING | {
    records.SessionClosed, records.PersonGone, records.PersonLeft, records.NameReleased, records.Seen,
    records.PresenceSet, records.Barrier,
}  # fmt: skip
"""The records whose events may wait for more of them."""


class Waiter(Protocol):
    """Who gives records to the log and waits for them: a connection, or the operator."""

    session: Session

    def arrived(self, ticket: "Ticket") -> None:
        """All records of the ticket are applied, or one is refused."""
        ...


class Ticket(Struct):
    """What waits for an `Append`: whose it is, what its dialect knows of the request, what is still missing.

    ``future``: somebody awaits it (None for what is pipelined). ``missing``: records that have not come back.
    ``refused``: the first error.
    """

    waiter: Waiter
    append: Append
    missing: int
    context: Context = None
    future: "asyncio.Future[Sequence[int]] | None" = None
    seqs: list[int] = field(default_factory=list)
    refused: ChatError | None = None

    def wake(self) -> None:
        """All records are applied, or one is refused: give that to whoever awaits it, if anybody does still."""
        future = self.future
        if future is None or future.done():
            return
        if self.refused is not None:
            future.set_exception(self.refused)
        else:
            future.set_result(self.seqs)


class Pipeline:
    """Between the rules, the log and the writers. Everything here runs on the loop's thread, and nothing awaits."""

    def __init__(self, chat: Chat, records_log: Log, writers: Writers) -> None:
        self.chat = chat
        self._log = records_log
        self._writers = writers
        self._answered: list[Ticket] = []

    # --- into the log -----------------------------------------------------------------------------------------------

    def append(self, ticket: Ticket) -> None:
        """Give a ticket's records to the log; `Waiter.arrived` tells when they came back."""
        wanted, appended = ticket.append.records, self.chat.appended
        for record in wanted:
            appended(record, ticket.waiter.session)
        try:
            self._log.append(*wanted, origin=ticket)
        except StorageError as error:
            for record in wanted:
                self.chat.failed(record)
            ticket.missing = 0
            ticket.refused = error
            ticket.waiter.arrived(ticket)

    def append_own(self, record: records.Record) -> None:
        """Give a record of the server's own to the log."""
        self.chat.appended(record, None)
        self._log.append(record)

    # --- back from it -----------------------------------------------------------------------------------------------

    def applied(self, entries: list[Entry]) -> None:
        """Records have their place: apply them, tell everyone, and answer those who wait."""
        apply, writers = self.chat.apply, self._writers
        urgent = False
        for entry in entries:
            record, ticket = entry.record, entry.origin
            kind = type(record)
            if kind is records.Message:
                urgent = True
            else:
                if kind in GROWING:
                    writers.audience_grows()
                else:
                    writers.end_run()
                urgent = urgent or kind not in UNHURRIED
            assert ticket is None or type(ticket) is Ticket
            try:
                for effect in apply(entry.seq, record, ticket.waiter.session if ticket is not None else None):
                    if type(effect) is Tell and type(effect.event) is events.Said:
                        writers.tell(effect.event, effect.to, _without_echo(effect.origin))
                    else:
                        self._take_effect(effect)
            except Refused as refused:
                self._back(ticket, entry.seq, refused)
                continue
            except Exception:
                # No caller is left to tell: what cannot be applied is a fault of ours, and must not stop the rest.
                log.exception("cannot apply a record of type %s", kind.__name__)
                self._back(ticket, entry.seq, Refused(Code.SERVER_FAULT, "a fault of the server"))
                continue
            if kind is records.SessionOpened and ticket is not None:
                _log_login(ticket.waiter.session)
            self._back(ticket, entry.seq, None)
        self._answer()
        if urgent:
            writers.flush()
        else:
            writers.flush_later()

    def failed(self, entries: list[Entry], error: Exception) -> None:
        """Records were not kept: their senders are told, and the state is as it was."""
        log.debug("%d records were not kept: %s", len(entries), error)  # the storage says so once, not for each batch
        reason = error if isinstance(error, ChatError) else Refused(Code.SERVER_FAULT, "a fault of the server")
        for entry in entries:
            self.chat.failed(entry.record)
            ticket = entry.origin
            assert ticket is None or type(ticket) is Ticket
            self._back(ticket, entry.seq, reason)
        self._answer()

    def _take_effect(self, effect: Effect) -> None:
        if type(effect) is Tell:
            event = effect.event
            if (line := _log_line(event)) is not None:
                log.info("%s", line)
            self._writers.tell(event, effect.to, _without_echo(effect.origin) if type(event) is events.Said else None)
        elif type(effect) is Disconnect:
            for session in list(effect.to):
                writer: ClientWriter = session.peer
                writer.owner.part(effect)

    def _back(self, ticket: Ticket | None, seq: int, refused: ChatError | None) -> None:
        if ticket is None:
            return
        ticket.seqs.append(seq)
        ticket.missing -= 1
        if refused is not None and ticket.refused is None:
            ticket.refused = refused
        if ticket.missing == 0:
            self._answered.append(ticket)

    def _answer(self) -> None:
        answered, self._answered = self._answered, []
        for ticket in answered:
            ticket.waiter.arrived(ticket)


def _without_echo(origin: Session | None) -> Session | None:
    """Who does not get a message: its sender, where the dialect shows it to them as they type it."""
    return None if origin is None or origin.peer is None or origin.peer.dialect.echo else origin


def _log_login(session: Session) -> None:
    if session.person is not None:
        log.info("%s logged in from %s", session.person.name, session.address or "here")


def _log_line(event: events.Event | events.Result) -> str | None:
    """What the log tells of an event; nothing of messages."""
    match event:
        case events.Joined(name=name, room=room):
            return f"{name} joined {room}"
        case events.Left(name=name, room=room):
            return f"{name} left {room}"
        case events.Kicked(sender=sender, name=name, room=room):
            return f"{name} was kicked from {room} by {sender}"
        case events.Destroyed(sender=sender, room=room):
            return f"{room} was removed by {sender}"
        case events.Renamed(name=name, to=to):
            return f"{name} is now {to}"
    return None
