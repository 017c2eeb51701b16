"""The operator: whoever sits at the server itself. Has every right, no account, and is in no room."""

from collections.abc import Sequence

from asyncchat.core.credentials import check_password
from asyncchat.core.house import House
from asyncchat.core.outcomes import Append, Ask, Outcome
from asyncchat.core.people import Person
from asyncchat.core.session import Phase, Session
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.queries import HashPassword
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


def operator_session(house: House) -> Session:
    """A session whose commands `Chat.handle` takes as those of an administrator; facts name the server as their author.

    It is nobody's that others could find, ban or write to, and it hears nothing.
    """
    operator = Person(NOBODY, house.settings.name, "")
    operator.registered = operator.administrator = True
    session = Session(key=NOBODY)
    session.person = operator
    session.phase = Phase.OPERATOR
    return session


def announce(text: str, now: int) -> Outcome:
    """Tell everyone who is connected."""
    return Append((Announced(time=now, text=text),))


def set_administrator(house: House, name: str, active: bool, now: int) -> Outcome:
    """Make a registered person an administrator, or take that back; raises `Refused`."""
    person = _registered(house, name)
    if not active and person.key in house.administrators_set:
        raise Refused(Code.CONFLICT, f"{person.name} is an administrator by the settings")
    if person.administrator is active:
        raise Refused(Code.CONFLICT, f"{person.name} is {'an administrator already' if active else 'no administrator'}")
    return Append((AdministratorSet(time=now, person=person.id, active=active),))


def create_account(house: House, name: str, password: str, now: int) -> Outcome:
    """Register a name that nobody holds, reserved or not, whatever the settings say; raises `Refused`."""
    wanted = house.user_name(name)
    rival = house.rival(wanted, None)
    if rival is not None:
        like = "" if rival.key == wanted.key else f" (it looks like {rival.name})"
        raise Refused(Code.CONFLICT, f"{wanted.text} is taken{like}")
    check_password(password)

    def hashed(password: str) -> Outcome:
        def created(seqs: Sequence[int]) -> Outcome:
            person = seqs[0]
            account = Registered(time=now, person=person, name=wanted.text, key=wanted.key, password=password)
            # As if they had been here until now: what is written to them from now on waits for their login.
            return Append((account, Seen(time=now, person=person, upto=person)), Code.CREATED)

        return Append((PersonCreated(time=now, name=wanted.text, key=wanted.key),), then=created)

    return Ask(HashPassword(password), hashed)


def reset_password(house: House, name: str, password: str, now: int) -> Outcome:
    """Give a registered person another password; all their tokens are void with it. Raises `Refused`."""
    person = _registered(house, name)
    check_password(password)
    return Ask(
        HashPassword(password),
        lambda hash: Append((PasswordSet(time=now, person=person.id, password=hash),)),
    )


def _registered(house: House, name: str) -> Person:
    person = house.person(name)
    if not person.registered:
        raise Refused(Code.FORBIDDEN, f"{person.name} is a guest, and has no account")
    return person
