"""The operator: whoever controls the server itself. Has every right, no account, and is in no room."""

from collections.abc import Sequence

from asyncchat.core import permissions
from asyncchat.core.credentials import check_password
from asyncchat.core.login import greeting
from asyncchat.core.outcomes import Append, Ask, Outcome, Reply
from asyncchat.core.people import Person
from asyncchat.core.session import Phase, Session
from asyncchat.core.state import ChatState
from asyncchat.vocabulary import commands, events, queries
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.records import (
    NOBODY,
    AdministratorSet,
    Announced,
    PasswordSet,
    PersonCreated,
    Registered,
    Seen,
)
from asyncchat.vocabulary.terms import Code


def operator_session(state: ChatState) -> Session:
    """A session whose commands `Chat.handle` takes as those of an administrator; facts name the server as their author.

    It is nobody's that others could find, ban or write to, and it hears nothing.
    """
    operator = Person(NOBODY, state.settings.name, "")
    operator.registered = operator.administrator = True
    session = Session(key=NOBODY)
    session.person = operator
    session.phase = Phase.OPERATOR
    return session


def operator_welcome(state: ChatState, session: Session, now: int) -> events.Welcome:
    """What the operator is greeted with, who sends no hello."""
    assert session.person is not None
    return greeting(state, session.person, now, seq=state.seq)


# --- commands of administrators -------------------------------------------------------------------------------------


def announce(state: ChatState, session: Session, person: Person, command: commands.Announce, now: int) -> Outcome:
    """Tell everyone who is connected."""
    permissions.check_administrator(state, person)
    state.check_text(command.text)
    return Append((Announced(time=now, text=command.text),))


def stats(state: ChatState, session: Session, person: Person, command: commands.Stats, now: int) -> Outcome:
    """The server in numbers."""
    permissions.check_administrator(state, person)
    return Ask(queries.Measure(), lambda found: Reply((found,)))


# --- commands of the control socket: `Session.require` lets nobody else come here -----------------------------------


def accounts(state: ChatState, session: Session, person: Person, command: commands.Accounts, now: int) -> Outcome:
    """Everybody who is registered."""
    return Reply((events.AccountList(accounts=accounts_of(state)),))


def accounts_of(state: ChatState) -> list[events.Account]:
    """Everybody who is registered, by name."""
    registered = sorted((person for person in state.people if person.registered), key=lambda person: person.key)
    return [
        events.Account(
            name=person.name, password=person.password is not None, administrator=state.is_administrator(person)
        )
        for person in registered
    ]


def set_administrator(
    state: ChatState, session: Session, person: Person, command: commands.SetAdministrator, now: int
) -> Outcome:
    """Make a registered person an administrator, or take that back."""
    other, active = _registered(state, command.name), command.active
    if not active and other.key in state.administrators_set:
        raise Refused(Code.CONFLICT, f"{other.name} is an administrator by the settings")
    if other.administrator is active:
        raise Refused(Code.CONFLICT, f"{other.name} is {'an administrator already' if active else 'no administrator'}")
    return Append((AdministratorSet(time=now, person=other.id, active=active),))


def create_account(
    state: ChatState, session: Session, person: Person, command: commands.CreateAccount, now: int
) -> Outcome:
    """Register a name that nobody holds, reserved or not, whatever the settings say."""
    wanted = state.user_name(command.name)
    rival = state.rival(wanted, None)
    if rival is not None:
        like = "" if rival.key == wanted.key else f" (it looks like {rival.name})"
        raise Refused(Code.CONFLICT, f"{wanted.text} is taken{like}")
    check_password(command.password)

    def hashed(password: str) -> Outcome:
        def created(seqs: Sequence[int]) -> Outcome:
            person = seqs[0]
            account = Registered(time=now, person=person, name=wanted.text, key=wanted.key, password=password)
            # As if they had been here until now: what is written to them from now on waits for their login.
            return Append((account, Seen(time=now, person=person, upto=person)), Code.CREATED)

        return Append((PersonCreated(time=now, name=wanted.text, key=wanted.key),), then=created)

    return Ask(queries.HashPassword(command.password), hashed)


def reset_password(
    state: ChatState, session: Session, person: Person, command: commands.ResetPassword, now: int
) -> Outcome:
    """Give a registered person another password; all their tokens are void with it."""
    other = _registered(state, command.name)
    check_password(command.password)
    return Ask(
        queries.HashPassword(command.password),
        lambda hash: Append((PasswordSet(time=now, person=other.id, password=hash),)),
    )


def log(state: ChatState, session: Session, person: Person, command: commands.Log, now: int) -> Outcome:
    """Set or tell the log level."""
    return _by_server(command, queries.SetLogLevel(command.level))


def reload(state: ChatState, session: Session, person: Person, command: commands.Reload, now: int) -> Outcome:
    """Read the settings anew."""
    return _by_server(command, queries.ReloadSettings())


def backup(state: ChatState, session: Session, person: Person, command: commands.Backup, now: int) -> Outcome:
    """Copy the database."""
    return _by_server(command, queries.CopyDatabase(command.path))


def shutdown(state: ChatState, session: Session, person: Person, command: commands.Shutdown, now: int) -> Outcome:
    """End the server."""
    return _by_server(command, queries.ShutDown(command.seconds, command.cancel))


def _by_server(command: commands.Command, query: queries.ServerQuery) -> Outcome:
    """The server does it, and says what came of it."""
    return Ask(query, lambda text: Reply((events.Ok(code=Code.OK, text=text),)))


def _registered(state: ChatState, name: str) -> Person:
    person = state.person(name)
    if not person.registered:
        raise Refused(Code.FORBIDDEN, f"{person.name} is a guest, and has no account")
    return person
