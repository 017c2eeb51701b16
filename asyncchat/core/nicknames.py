"""Whose name is whose: which may be taken, and what happens when one is."""

from collections.abc import Sequence

from asyncchat.core.bans import parse_address
from asyncchat.core.credentials import check_secure
from asyncchat.core.outcomes import Append, Effect, Outcome, Tell, done
from asyncchat.core.people import Person
from asyncchat.core.session import Session
from asyncchat.core.state import ChatState, neighbours
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.names import Name, is_reserved
from asyncchat.vocabulary.terms import Code, Role


def nick(state: ChatState, session: Session, person: Person, command: commands.Nick, now: int) -> Outcome:
    """Take another name; a registered person's account goes with it."""
    name = state.user_name(command.name)
    if name.text == person.name:
        return done()
    check_free(state, session, name, person)
    _check_not_banned(state, person, name, now)
    return Append((records.NameTaken(time=now, person=person.id, name=name.text, key=name.key),))


def check_free(state: ChatState, session: Session, name: Name, person: Person | None) -> None:
    """Raise `Refused` if *person* (None for somebody new) may not take a name.

    409 for one that is another's, looks like another's, or is reserved; 400 for an IP address, since a ban takes that
    for what it is and would not find the person.
    """
    rival = state.rival(name, person)
    if rival is not None:
        like = "" if rival.key == name.key else f" (it looks like {rival.name})"
        raise Refused(Code.CONFLICT, f"{name.text} is taken{like}")
    if person is not None and person.key == name.key:
        return
    if parse_address(name.key) is not None:
        raise Refused(Code.MALFORMED, "an address is no name")
    if name.key in state.administrators_set:
        check_administrators_name(session, name)
    elif is_reserved(name) or state.speaks_for_itself(name) or state.looks_like_an_administrator(name):
        raise Refused(Code.CONFLICT, f"{name.text} is a reserved name")


def check_administrators_name(session: Session, name: Name) -> None:
    """Raise `Refused` 409 for a name that makes an administrator, unless asked from the server's own machine."""
    if not session.local:
        raise Refused(Code.CONFLICT, f"{name.text} is kept for an administrator")


def check_not_registered(state: ChatState, session: Session, name: Name, person: Person | None) -> None:
    """Raise `Refused` 402 for a name that needs a proof, or 403 where its password could be read on the way."""
    holder = state.people.by_key.get(name.key)
    if holder is not None and holder is not person and holder.registered:
        check_secure(state, session, f"{holder.name} is registered: log in over TLS")
        raise Refused(Code.WRONG_PASSWORD, f"{holder.name} is registered: log in with its password or token")


def _check_not_banned(state: ChatState, person: Person, name: Name, now: int) -> None:
    """A name that is banned is not taken by those whom the ban would keep out."""
    if state.is_administrator(person):
        return
    if state.bans.match(now, person=records.NOBODY, key=name.key, address=""):
        raise Refused(Code.FORBIDDEN, f"{name.text} is banned from this server")
    for room in person.rooms.values():
        banned = room.bans.match(now, person=records.NOBODY, key=name.key, address="")
        if banned and room.role(person).rank < Role.OPERATOR.rank:
            raise Refused(Code.FORBIDDEN, f"{room.name}: {name.text} is banned")


# --- facts ----------------------------------------------------------------------------------------------------------


def person_created(
    state: ChatState, seq: int, record: records.PersonCreated, origin: Session | None
) -> Sequence[Effect]:
    """A guest has a name; the claim is lost if another was first.

    Until they have logged in they are waited for, so that a login that fails half-way holds no name for ever.
    """
    if record.was:
        guest = state.people.by_key.get(record.key)
        if guest is not None and guest.as_guest == record.was:
            if guest in state.people.passing:
                state.people.keep(guest, seq)
            return ()
    _check_claim(state, record.name, record.key, None)
    person = Person(seq, record.name, record.key)
    person.nonces = {}  # who is new has said nothing
    state.people.add(person)
    state.people.wait_for(person, record.time)
    return ()


def guest_came(state: ChatState, seq: int, record: records.GuestCame, origin: Session | None) -> Sequence[Effect]:
    """A guest has a name, though nothing can be kept; as `person_created`, or as `name_taken` for one who is known."""
    _check_claim(state, record.name, record.key, state.people.by_id.get(record.person))
    if record.person == records.NOBODY:
        person = state.people.add_passing(record.name, record.key, record.token, seq)
    elif record.person in state.people.by_id:
        return ()
    else:
        person = Person(record.person, record.name, record.key)
        state.people.add(person)
        state.people.reclaimed[person] = None
    state.people.wait_for(person, record.time)
    return ()


def name_taken(state: ChatState, seq: int, record: records.NameTaken, origin: Session | None) -> Sequence[Effect]:
    """A person has another name, or a guest has one again; the claim is lost if another was first."""
    person = state.people.by_id.get(record.person)
    _check_claim(state, record.name, record.key, person)
    if person is None:
        person = Person(record.person, record.name, record.key)
        state.people.add(person)
        state.people.wait_for(person, record.time)
        return ()
    if person.name == record.name:
        return ()
    event = events.Renamed(name=person.name, to=record.name)
    state.people.rename(person, record.name, record.key)
    return (Tell(event, neighbours(person), origin),)


def registered(state: ChatState, seq: int, record: records.Registered, origin: Session | None) -> Sequence[Effect]:
    """A person owns their name. The claim is lost if they did, if the invitation was used, if the name is another's."""
    person = state.people.by_id.get(record.person)
    _check_claim(state, record.name, record.key, person)
    if person is not None and person.registered:
        raise Refused(Code.CONFLICT, f"{person.name} is registered already")
    if record.invitation is not None and record.invitation in state.used_invitations:
        raise Refused(Code.FORBIDDEN, "that invitation was used already")
    told: Sequence[Effect] = ()
    if person is None:
        person = Person(record.person, record.name, record.key)
        state.people.add(person)
    elif person.name != record.name:
        told = (Tell(events.Renamed(name=person.name, to=record.name), neighbours(person), origin),)
        state.people.rename(person, record.name, record.key)
    person.registered = True
    person.password = record.password
    if record.invitation is not None:
        state.used_invitations.add(record.invitation)
    return told


def _check_claim(state: ChatState, name: str, key: str, person: Person | None) -> None:
    """Raise `Refused` 409 for a claim that came second.

    Only the key counts, as it does in storage: of two look-alikes that come at the same moment both stay.
    """
    holder = state.people.by_key.get(key)
    if holder is not None and holder is not person:
        raise Refused(Code.CONFLICT, f"{name} is taken")
