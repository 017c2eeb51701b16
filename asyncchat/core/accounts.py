"""Oneself: one's name, whether one is away, and one's account."""

from collections.abc import Sequence

from asyncchat.core.entering import check_claim, check_free, digest
from asyncchat.core.house import House, neighbours
from asyncchat.core.outcomes import Append, Ask, Effect, Outcome, Reply, Tell
from asyncchat.core.people import Person
from asyncchat.core.session import Session
from asyncchat.vocabulary import commands, events, queries, records
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.names import Name
from asyncchat.vocabulary.terms import Code

SHORTEST_PASSWORD = 8
"""Characters: what NIST SP 800-63B asks of a password that people choose."""

LONGEST_PASSWORD = 256
"""Characters: long enough for any pass phrase, short enough to hash."""


def nick(house: House, session: Session, person: Person, command: commands.Nick, now: int) -> Outcome:
    """Take another name; a registered person's account goes with it."""
    name = house.user_name(command.name)
    if name.text == person.name:
        return Reply((events.Ok(id=command.id, code=Code.OK),))
    check_free(house, name, person)
    return Append((records.NameTaken(time=now, person=person.id, name=name.text, key=name.key),))


def away(house: House, session: Session, person: Person, command: commands.Away, now: int) -> Outcome:
    """Be away, or back."""
    text = house.check_line(command.text, "an away text") or None
    if text is None and person.away is None:
        return Reply((events.Ok(id=command.id, code=Code.OK),))
    return Append((records.PresenceSet(time=now, person=person.id, away=text),))


def register(house: House, session: Session, person: Person, command: commands.Register, now: int) -> Outcome:
    """Make the name one's own, with a password or by the token that one has."""
    if person.registered:
        raise Refused(Code.CONFLICT, f"{person.name} is registered already")
    _check_registration(house, command.invitation)
    if command.password is None and not session.resumable:
        raise Refused(Code.MALFORMED, "register needs a password")

    def hashed(password: str | None) -> Outcome:
        account = records.Registered(
            time=now,
            person=person.id,
            name=person.name,
            key=person.key,
            password=password,
            invitation=command.invitation,
        )
        return Append((account,), Code.CREATED)

    if command.password is None:
        return hashed(None)
    house.check_secure(session)
    check_password(command.password)
    return Ask(queries.HashPassword(command.password), hashed)


def passwd(house: House, session: Session, person: Person, command: commands.Passwd, now: int) -> Outcome:
    """Another password. All tokens are void with it; this session gets a new one."""
    if not person.registered:
        raise Refused(Code.FORBIDDEN, "register first")
    house.check_secure(session)
    check_password(command.new)
    token = house.new_token() if session.resumable else None

    def hashed(password: str) -> Outcome:
        changed: list[records.Record] = [records.PasswordSet(time=now, person=person.id, password=password)]
        if token is not None:
            changed.append(records.TokenGiven(time=now, person=person.id, token=digest(token)))
        done = Reply((events.Ok(id=command.id, code=Code.OK, token=token),))
        return Append(tuple(changed), then=lambda _: done)

    def verified(fits: bool) -> Outcome:
        if not fits:
            house.wrong_passwords.count(session.address, now)
            raise Refused(Code.WRONG_PASSWORD, "the old password is wrong")
        return Ask(queries.HashPassword(command.new), hashed)

    if person.password is None:
        return verified(True)
    house.wrong_passwords.check(session.address, now)
    return Ask(queries.VerifyPassword(person.password, command.old or ""), verified)


def check_password(password: str) -> None:
    """Raise `Refused` for a password that is too short or too long to take."""
    if len(password) < SHORTEST_PASSWORD:
        raise Refused(Code.MALFORMED, f"a password has at least {SHORTEST_PASSWORD} characters")
    if len(password) > LONGEST_PASSWORD:
        raise Refused(Code.TOO_LONG, f"a password has at most {LONGEST_PASSWORD} characters")


def _check_registration(house: House, invitation: str | None) -> None:
    policy = house.settings.registration
    if policy == "closed":
        raise Refused(Code.FORBIDDEN, "accounts are made by the administrators here")
    if policy == "invitation" and invitation not in house.settings.invitations - house.used_invitations:
        raise Refused(Code.FORBIDDEN, "registration needs an invitation")


# --- facts ----------------------------------------------------------------------------------------------------------


def name_taken(house: House, seq: int, record: records.NameTaken, origin: Session | None) -> Sequence[Effect]:
    """A person has another name, or a guest has one again; the claim is lost if another was first."""
    person = house.people.by_id.get(record.person)
    check_claim(house, Name(record.name, record.key), person)
    if person is None:
        house.people.add(Person(record.person, record.name, record.key))
        return ()
    event = events.Renamed(name=person.name, to=record.name)
    house.people.rename(person, record.name, record.key)
    return (Tell(event, neighbours(person), origin),)


def registered(house: House, seq: int, record: records.Registered, origin: Session | None) -> Sequence[Effect]:
    """A person owns their name."""
    person = house.people.by_id.get(record.person)
    if person is None:
        person = Person(record.person, record.name, record.key)
        check_claim(house, Name(record.name, record.key), person)
        house.people.add(person)
    person.registered = True
    person.password = record.password
    if record.invitation is not None:
        house.used_invitations.add(record.invitation)
    return ()


def password_set(house: House, seq: int, record: records.PasswordSet, origin: Session | None) -> Sequence[Effect]:
    """A person has another password."""
    person = house.people.by_id.get(record.person)
    if person is not None:
        person.password = record.password
    return ()


def administrator_set(
    house: House, seq: int, record: records.AdministratorSet, origin: Session | None
) -> Sequence[Effect]:
    """A person is an administrator, or no longer."""
    person = house.people.by_id.get(record.person)
    if person is not None:
        person.administrator = record.active
    return ()
