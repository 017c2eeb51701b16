"""A chat without sockets or a clock: a log that applies what is pending when it is told to, and its clients."""

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import structs

from asyncchat.core.limits import Limits
from asyncchat.core.outcomes import Append, Ask, Close, Disconnect, Done, Effect, Outcome, Reply, Tell, answer
from asyncchat.core.people import Person
from asyncchat.core.rooms import Room
from asyncchat.core.rules import Chat
from asyncchat.core.session import Phase, Session
from asyncchat.core.settings import Settings
from asyncchat.core.state import ChatState
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.errors import ChatError, NotStored, Refused
from asyncchat.vocabulary.events import Result
from asyncchat.vocabulary.records import Kept
from asyncchat.vocabulary.terms import Code, Id
from tests.core.memory import Memory

START = 1_700_000_000_000
"""When every test begins, Unix ms."""

NO_PASSWORD = "$hash$"
"""The hash that no password fits: the empty one is refused before."""

E = TypeVar("E", bound=events.Told)


class Ticket:
    """A command on its way. ``replies``: None until it is done, which happens once."""

    def __init__(self, client: "Client", command: commands.Command | None) -> None:
        self.client = client
        self.command = command
        self.replies: tuple[events.Told, ...] | None = None
        self.append: Append | None = None
        self.missing = 0
        self.seqs: list[int] = []
        self.refused: ChatError | None = None

    @property
    def id(self) -> Id | None:
        """The ``id`` of the command, which the rules do not look at."""
        return self.command.id if self.command is not None else None

    def done(self, replies: tuple[events.Told, ...]) -> None:
        """The command is done; its results get its ``id``, as they do on their way to a native client."""
        assert self.replies is None, f"answered twice: {self.command}"
        self.replies = tuple(self._with_id(reply) if isinstance(reply, Result) else reply for reply in replies)

    def _with_id(self, result: Result) -> Result:
        assert result.id is None, "the rules set no ids"
        return structs.replace(result, id=self.id)


class Client:
    """A session, and what it was told. ``told``: events, in order; replies are what `do` returns."""

    def __init__(self, world: "World", **session: Any) -> None:
        self.world = world
        self.told: list[events.Told] = []
        self.session = Session(key=next(world.keys), peer=self, since=world.now, **session)
        self.token: str | None = None

    @property
    def person(self) -> Person:
        assert self.session.person is not None
        return self.session.person

    def do(self, command: commands.Command) -> Any:
        """Give a command and return its reply (the first one), or None."""
        ticket = self.start(command)
        self.world.flush()
        assert ticket.replies is not None, f"no answer to {command}"
        return ticket.replies[0] if ticket.replies else None

    def start(self, command: commands.Command) -> Ticket:
        """Give a command whose records stay in the log until `World.flush`."""
        ticket = Ticket(self, command)
        self.world.drive(ticket, lambda: self.world.chat.handle(self.session, command, self.world.now))
        return ticket

    def code(self, command: commands.Command) -> int:
        """The code of the reply; 200 for data."""
        reply = self.do(command)
        return getattr(reply, "code", Code.OK)

    def say(self, to: str, text: str = "hi", **fields: Any) -> Any:
        """Say something; returns the reply."""
        return self.do(commands.Say(id=1, to=to, text=text, **fields))

    def login(self, name: str | None = None, **fields: Any) -> Any:
        """Say hello; returns the welcome, or the error."""
        reply = self.do(commands.Hello(id="hello", name=name, **fields))
        if isinstance(reply, events.Welcome):
            self.token = reply.token or self.token
        return reply

    def vanish(self, received: int | None = None) -> None:
        """The connection is lost, after what was told up to this seq (None: all of it) had come through."""
        self.world.drop(self, received=received)
        self.world.flush()

    def quit(self) -> None:
        """Say goodbye."""
        assert isinstance(self.do(commands.Quit()), events.Bye)

    def heard(self, kind: type[E]) -> list[E]:
        """The events of a kind that the client was told since the last call of `forget`."""
        return [event for event in self.told if isinstance(event, kind)]

    def forget(self) -> None:
        """Forget what was told so far."""
        self.told.clear()


class World:
    """A server's rules with a log and a storage of the test's own; settings and limits are arguments."""

    def __init__(self, *, limits: dict[str, Any] | None = None, **settings: Any) -> None:
        self.now = START
        self.keys = iter(range(1, 10**9))
        self._tokens = iter(range(1, 10**9))
        self.memory = Memory()
        self.settings = Settings(limits=Limits(**(limits or {})), **settings)
        self.pending: list[tuple[records.Record, Ticket | None]] = []
        self._answered: list[Ticket] = []
        self.last_seq = 0
        self.chat = self.new_chat()
        self._restore()

    def new_chat(self) -> Chat:
        return Chat(
            self.settings,
            epoch="epoch",
            identity="identity",
            new_token=lambda: f"token-{next(self._tokens)}",
            no_password=NO_PASSWORD,
        )

    def _restore(self, arrived: int | None = None) -> None:
        due = self.chat.restore(self.facts(), seq=self.last_seq, arrived=arrived, now=self.now)
        for record in due:
            self._append(record, None)
        self.flush()

    def facts(self) -> list[tuple[int, records.Record]]:
        """What storage gives back: people first, and then what stays with them though they may have gone."""
        return sorted(self.memory.current(), key=lambda fact: isinstance(fact[1], records.MarkerSet))

    def _append(self, record: records.Record, ticket: Ticket | None) -> None:
        self.chat.appended(record, ticket.client.session if ticket is not None else None)
        self.pending.append((record, ticket))

    def set(self, settings: Settings) -> None:
        """Other settings from now on."""
        self.state.settings = settings
        self.append(self.chat.settings_record(self.now))

    @property
    def state(self) -> ChatState:
        return self.chat.state

    def room(self, name: str = "#lobby") -> Room:
        return self.state.rooms.by_key[name]

    # --- clients ----------------------------------------------------------------------------------------------------

    def client(self, **session: Any) -> Client:
        """A connection that has not logged in."""
        return Client(self, **session)

    def guest(self, name: str, *rooms: str, **session: Any) -> Client:
        """A guest in these rooms, by default in the default room; what they were told so far is forgotten."""
        client = self.client(**session)
        reply = client.login(name, rooms=list(rooms) or None)
        assert isinstance(reply, events.Welcome), reply
        client.forget()
        return client

    def again(self, client: Client, **session: Any) -> Client:
        """One more session of a client's person, by the token."""
        assert client.token is not None
        other = self.client(**session)
        other.token = client.token
        reply = other.login(token=client.token)
        assert isinstance(reply, events.Welcome), reply
        other.forget()
        return other

    def registered(self, name: str, *rooms: str, password: str | None = "long enough", **session: Any) -> Client:
        """A registered person in these rooms."""
        client = self.guest(name, *rooms, **session)
        assert client.code(commands.Register(id=1, password=password)) == Code.CREATED
        client.forget()
        return client

    def administrator(self, name: str = "root_", *rooms: str) -> Client:
        """A registered person who has all rights."""
        client = self.registered(name, *rooms)
        self.append(records.AdministratorSet(time=self.now, person=client.person.id))
        return client

    def drop(self, client: Client, reason: str = "connection lost", received: int | None = None) -> None:
        """A connection ends; what follows is in the log."""
        if client.session.phase is not Phase.OVER:
            self.drive(Ticket(client, None), lambda: self.chat.vanish(client.session, self.now, reason, received))

    def carry(self, client: Client, outcome: Outcome) -> Ticket:
        """Go on with an outcome that was held back."""
        ticket = Ticket(client, None)
        self.drive(ticket, lambda: outcome)
        return ticket

    # --- the log ----------------------------------------------------------------------------------------------------

    def append(self, record: records.Record) -> None:
        """A record of the server's own, applied at once."""
        self._append(record, None)
        self.flush()

    def drive(self, ticket: Ticket, step: Any) -> None:
        """Carry a command on until it is done or waits for the log."""
        try:
            outcome: Outcome = step()
            while isinstance(outcome, Ask):
                outcome = outcome.then(self.memory.answer(outcome.query))
        except Refused as refused:
            self._refuse(ticket, refused)
            return
        match outcome:
            case Append():
                assert outcome.records, "nothing to append: nobody would ever answer"
                ticket.append, ticket.missing, ticket.seqs, ticket.refused = outcome, len(outcome.records), [], None
                for record in outcome.records:
                    self._append(record, ticket)
            case Reply(results):
                ticket.done(results)
            case Close(results):
                ticket.client.session.phase = Phase.OVER
                ticket.done(results)
            case Done(result):
                ticket.done((result,) if ticket.id is not None else ())

    def flush(self, failing: type[Kept] | None = None) -> None:
        """Apply all that is pending, and what follows from it; records of the type *failing* cannot be kept."""
        while self.pending:
            batch, self.pending = self.pending, []
            for record, ticket in batch:
                if failing is not None and isinstance(record, failing):
                    self.chat.failed(record)
                    self._back(ticket, 0, NotStored("the disk is full"))
                else:
                    self._apply(record, ticket)
            answered, self._answered = self._answered, []
            for ticket in answered:
                self._go_on(ticket)

    def fail(self) -> None:
        """The same while the disk is full."""
        self.flush(failing=Kept)

    def _apply(self, record: records.Record, ticket: Ticket | None) -> None:
        refused: ChatError | None = None
        seq = self.last_seq
        if isinstance(record, Kept):
            seq = self.last_seq = self.last_seq + 1
            self.memory.keep(seq, record)
        try:
            effects = self.chat.apply(seq, record, ticket.client.session if ticket is not None else None)
        except Refused as error:
            effects, refused = (), error
        self._tell(effects)
        self._back(ticket, seq, refused)

    def _tell(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Tell(event, to):
                    self.on_tell(effect)
                    for session in to:
                        session.peer.told.append(event)
                case Disconnect(to, event):
                    for session in list(to):
                        session.peer.told.append(event)
                        self.drop(session.peer, effect.reason)

    def on_tell(self, tell: Tell) -> None:
        """For tests that look at every tell: now the state is as it was when it was told."""

    def _back(self, ticket: Ticket | None, seq: int, refused: ChatError | None) -> None:
        if ticket is None:
            return
        ticket.seqs.append(seq)
        ticket.refused = ticket.refused or refused
        ticket.missing -= 1
        if not ticket.missing:
            self._answered.append(ticket)

    def _go_on(self, ticket: Ticket) -> None:
        append = ticket.append
        assert append is not None
        if isinstance(ticket.refused, NotStored) and append.not_stored is not None:
            self.drive(ticket, append.not_stored)
        elif ticket.refused is not None:
            self._refuse(ticket, ticket.refused)
        elif append.then is not None:
            then = append.then
            self.drive(ticket, lambda: then(ticket.seqs))
        else:
            ticket.done((answer(append, ticket.seqs),))

    def _refuse(self, ticket: Ticket, error: ChatError) -> None:
        assert isinstance(error, Refused | NotStored)
        wait = error.wait if isinstance(error, Refused) else None
        ticket.done((events.Error(code=error.code, text=error.text, wait=wait),))

    # --- time -------------------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass, a second at a time, as the server's sweep does."""
        end = self.now + int(seconds * 1000)
        while self.now < end:
            self.now = min(end, self.now + 1000)
            self.sweep()

    def sweep(self) -> None:
        """Put into the log what is due now, and apply it."""
        for record in self.chat.overdue(self.now):
            self._append(record, None)
        self.flush()

    def restart(self, arrived: int | None = None) -> None:
        """The server is killed, and started again with what was kept; see `Chat.restore`."""
        self.pending.clear()
        self.chat = self.new_chat()
        self._restore(arrived)
