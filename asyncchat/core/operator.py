"""The operator: whoever sits at the server itself. Has every right, no account, and is in no room."""

from asyncchat.core.house import House
from asyncchat.core.outcomes import Append, Outcome
from asyncchat.core.people import Person
from asyncchat.core.session import Phase, Session
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.records import NOBODY, AdministratorSet, Announced
from asyncchat.vocabulary.terms import Code


def operator_session(house: House) -> Session:
    """A session whose commands `Chat.handle` takes as those of an administrator; facts name the server as their author.

    It is nobody's that others could find, ban or write to, and it hears nothing.
    """
    operator = Person(NOBODY, house.settings.name, "")
    operator.registered = operator.administrator = True
    session = Session(key=NOBODY)
    session.person = operator
    session.phase = Phase.IN
    return session


def announce(text: str, now: int) -> Outcome:
    """Tell everyone who is connected."""
    return Append((Announced(time=now, text=text),))


def set_administrator(house: House, name: str, active: bool, now: int) -> Outcome:
    """Make a registered person an administrator, or take that back; raises `Refused`."""
    person = house.people.find(name)
    if not person.registered:
        raise Refused(Code.FORBIDDEN, f"{person.name} is a guest: administrators are registered")
    if not active and person.key in house.administrators:
        raise Refused(Code.CONFLICT, f"{person.name} is an administrator by the settings")
    if person.administrator is active:
        raise Refused(Code.CONFLICT, f"{person.name} is {'an administrator already' if active else 'no administrator'}")
    return Append((AdministratorSet(time=now, person=person.id, active=active),))
