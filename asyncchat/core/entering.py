"""Coming and going: hello and its ways to prove who one is, sessions, quit, and what happens to those who vanish."""

import hashlib
import hmac
from collections.abc import Sequence

from asyncchat.core import permissions
from asyncchat.core.house import House, neighbours
from asyncchat.core.outcomes import NOTHING, Append, Ask, Close, Effect, Outcome, Reply, Tell
from asyncchat.core.people import Person
from asyncchat.core.rooming import open_rooms
from asyncchat.core.session import Phase, Session
from asyncchat.vocabulary import commands, events, queries, records
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.names import Name, is_reserved
from asyncchat.vocabulary.terms import Code, State, rfc3339

# --- hello ----------------------------------------------------------------------------------------------------------


def hello(house: House, session: Session, _: None, command: commands.Hello, now: int) -> Outcome:
    """Find out who this is, take the name if it is a new one, enter the rooms, and welcome."""
    _check_server(house, session, command, now)
    if command.token is not None:
        return Ask(
            queries.FindToken(digest(command.token)),
            lambda stored: _by_token(house, session, command, now, stored),
        )
    if command.name is None:
        raise Refused(Code.MALFORMED, "hello needs a name or a token")
    name = house.user_name(command.name)
    holder = house.people.by_key.get(name.key)
    if command.password is not None:
        return _by_password(house, session, command, now, holder)
    if holder is not None and holder.registered:
        raise Refused(Code.WRONG_PASSWORD, f"{holder.name} is registered: log in with its password or token")
    if not house.settings.guests:
        raise Refused(Code.FORBIDDEN, "guests are not let in here: log in with a registered name")
    check_free(house, name, None)
    token = house.new_token() if session.resumable else None
    guest = records.PersonCreated(
        time=now, name=name.text, key=name.key, token=digest(token) if token is not None else None
    )

    def created(seqs: Sequence[int]) -> Outcome:
        house.people.by_id[seqs[0]].nonces = {}
        return _enter(house, session, command, now, seqs[0], token)

    return Append((guest,), then=created)


def digest(token: str) -> bytes:
    """What is stored of a token: its SHA-256. It has 256 random bits: a slow hash would add nothing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def check_free(house: House, name: Name, person: Person | None) -> None:
    """Raise `Refused` 409 if a name, or one that looks like it, is another's or reserved."""
    rival = house.people.rival(name, person)
    if rival is not None:
        like = "" if rival.key == name.key else f" (it looks like {rival.name})"
        raise Refused(Code.CONFLICT, f"{name.text} is taken{like}")
    if is_reserved(name) and name.key not in house.administrators:
        raise Refused(Code.CONFLICT, f"{name.text} is a reserved name")


def _check_server(house: House, session: Session, command: commands.Hello, now: int) -> None:
    if command.password is not None or command.server_password is not None:
        house.check_secure(session)
        house.wrong_passwords.check(session.address, now)
    wanted = house.settings.server_password
    if wanted is not None and not hmac.compare_digest(
        wanted.encode(), (command.server_password or "").encode("utf-8", "surrogatepass")
    ):
        house.wrong_passwords.count(session.address, now)
        raise Refused(Code.LOGIN_FIRST, "this server has a password: server_password is missing or wrong")
    ban = permissions.server_ban(house, None, session.address, now)
    if ban is not None:
        raise Refused(Code.FORBIDDEN, "you are banned from this server")


def _by_password(house: House, session: Session, command: commands.Hello, now: int, holder: Person | None) -> Outcome:
    stored = holder.password if holder is not None and holder.registered else None
    # A name without a password costs a hash as well: the time of the answer must not tell which names are registered.
    query = queries.VerifyPassword(stored or house.no_password, command.password or "")

    def verified(fits: bool) -> Outcome:
        if holder is None or stored is None or not fits:
            house.wrong_passwords.count(session.address, now)
            raise Refused(Code.WRONG_PASSWORD, "wrong name or password")
        house.wrong_passwords.forget(session.address)
        if not session.resumable:
            return _attach(house, session, command, now, holder, None)
        token = house.new_token()
        given = records.TokenGiven(time=now, person=holder.id, token=digest(token))
        return Append((given,), then=lambda _: _attach(house, session, command, now, holder, token))

    return Ask(query, verified)


def _by_token(
    house: House, session: Session, command: commands.Hello, now: int, stored: queries.Person | None
) -> Outcome:
    if stored is None:
        raise Refused(Code.WRONG_PASSWORD, "that token is not known here")
    person = house.people.by_id.get(stored.id)
    wanted = house.user_name(command.name) if command.name is not None else None
    if person is not None and (wanted is None or wanted.key == person.key):
        return _attach(house, session, command, now, person, None)
    if person is None and not house.settings.guests:
        raise Refused(Code.FORBIDDEN, "guests are not let in here: log in with a registered name")
    if wanted is None:
        wanted = Name(stored.name, stored.key)
    _check_not_registered(house, wanted, person)
    check_free(house, wanted, person)
    taken = records.NameTaken(time=now, person=stored.id, name=wanted.text, key=wanted.key)

    def has_name(_: Sequence[int]) -> Outcome:
        return _attach(house, session, command, now, house.people.by_id[stored.id], None)

    return Append((taken,), then=has_name)


def _check_not_registered(house: House, name: Name, person: Person | None) -> None:
    holder = house.people.by_key.get(name.key)
    if holder is not None and holder is not person and holder.registered:
        raise Refused(Code.WRONG_PASSWORD, f"{holder.name} is registered: log in with its password or token")


def _attach(
    house: House, session: Session, command: commands.Hello, now: int, person: Person, token: str | None
) -> Outcome:
    """The person is known and has the name; what they said lately is needed to know a message that is sent again."""
    if permissions.server_ban(house, person, session.address, now) and not house.is_administrator(person):
        raise Refused(Code.FORBIDDEN, "you are banned from this server")
    limit = house.limits.sessions
    if limit and len(person.sessions) >= limit:
        raise Refused(Code.TOO_FAST, f"{person.name} has {limit} sessions already")
    if person.nonces is not None:
        return _enter(house, session, command, now, person.id, token)

    def recalled(nonces: dict[str, int]) -> Outcome:
        if person.nonces is None:
            person.nonces = nonces
        return _enter(house, session, command, now, person.id, token)

    return Ask(queries.FindNonces(person.id, house.limits.nonces), recalled)


def _enter(
    house: House, session: Session, command: commands.Hello, now: int, person_id: int, token: str | None
) -> Outcome:
    """The person holds the name: open the rooms asked for, then come in and be welcomed."""
    wanted = command.rooms if command.rooms is not None else [house.settings.default_room]
    person = house.people.by_id.get(person_id)
    if person is None:
        raise Refused(Code.UNAVAILABLE, "your name was released just now: try again")
    seen = person.seen

    def opened(room_ids: Sequence[int], problems: Sequence[str]) -> Outcome:
        arrival: list[records.Record] = [records.Attached(time=now, person=person_id)]
        arrival += [records.PersonJoined(time=now, person=person_id, room=room) for room in room_ids]
        return Append(tuple(arrival), then=lambda seqs: welcome(seqs[0], problems))

    def welcome(seq: int, problems: Sequence[str]) -> Outcome:
        greeting = _welcome(house, command, person, seq, now, token)
        words = tuple(events.Notice(text=problem) for problem in problems)
        if command.since is not None or seen is None or seen >= seq:
            return Reply((greeting, *words))
        missed = queries.FindSince(person_id, (), after=seen, until=seq, limit=house.limits.page)
        return Ask(missed, lambda page: Reply((greeting, *words, *page.events, *_rest(page, seq))))

    return open_rooms(house, session, person, wanted, now, opened)


def _rest(page: queries.Page, until: int) -> tuple[events.Gap, ...]:
    if page.complete or page.next is None:
        return ()
    return (events.Gap(after=page.next, until=until),)


def _welcome(
    house: House, command: commands.Hello, person: Person, seq: int, now: int, token: str | None
) -> events.Welcome:
    settings = house.settings
    return events.Welcome(
        id=command.id,
        code=Code.ACCEPTED,
        name=person.name,
        server=settings.name,
        version=settings.version,
        epoch=house.epoch,
        seq=seq,
        time=rfc3339(now),
        rooms=[room.name for room in person.rooms.values()],
        registered=person.registered,
        administrator=house.is_administrator(person),
        token=token,
        motd=settings.motd,
        limits=house.limits_told,
    )


# --- going ----------------------------------------------------------------------------------------------------------


def quit_(house: House, session: Session, person: Person | None, command: commands.Quit, now: int) -> Outcome:
    """Goodbye: the session ends, and with the person's last one they leave for good."""
    reason = house.check_line(command.reason, "a reason")
    bye = events.Bye(code=Code.OK, reason=reason or "goodbye")
    if person is None:
        session.phase = Phase.OVER
        return Close((bye,))
    return detach(house, session, now, quit=True, reason=reason, last=Close((bye,)))


def detach(
    house: House, session: Session, now: int, *, quit: bool, reason: str | None, last: Outcome = NOTHING
) -> Outcome:
    """A session ends, said or not. Whoever said goodbye, or cannot come back as the same person, leaves at once."""
    person = session.person
    session.phase = Phase.OVER
    if person is None:
        return last

    def detached(_: Sequence[int]) -> Outcome:
        if person.sessions or house.people.by_id.get(person.id) is not person:
            return last
        farewell: list[records.Record] = []
        if person.registered:
            farewell.append(records.Seen(time=now, person=person.id, upto=house.seq))
        if quit:
            farewell += departure(person, now, reason)
        return Append(tuple(farewell), then=lambda _: last) if farewell else last

    return Append((records.Detached(time=now, person=person.id, quit=quit, reason=reason),), then=detached)


def departure(person: Person, now: int, reason: str | None) -> list[records.Record]:
    """The records by which a person who has no session any more leaves; a guest's name is free then."""
    left: list[records.Record] = [
        records.PersonLeft(time=now, person=person.id, room=room, reason=reason) for room in person.rooms
    ]
    if not person.registered:
        left.append(records.NameReleased(time=now, person=person.id))
    return left


def overdue(house: House, now: int) -> list[records.Record]:
    """What has become true by mere time: people without a session are offline, and later gone."""
    due: list[records.Record] = []
    limits = house.limits
    for person in list(house.people.waiting):
        gone = now - (person.gone_at or now)
        if gone < limits.offline_seconds * 1000:
            break
        if gone >= limits.hold_seconds * 1000:
            del house.people.waiting[person]
            due += departure(person, now, "connection lost")
        elif not person.told_offline:
            due.append(records.PresenceSet(time=now, person=person.id, offline=True))
    return due


# --- facts ----------------------------------------------------------------------------------------------------------


def person_created(house: House, seq: int, record: records.PersonCreated, origin: Session | None) -> Sequence[Effect]:
    """A guest has a name; the claim is lost if another was first."""
    name = Name(record.name, record.key)
    check_claim(house, name, None)
    person = Person(seq, record.name, record.key)
    house.people.add(person)
    if origin is None:
        wait_for(house, person, record.time)
    return ()


def check_claim(house: House, name: Name, person: Person | None) -> None:
    """Raise `Refused` 409 for a claim that came second."""
    rival = house.people.rival(name, person)
    if rival is not None:
        raise Refused(Code.CONFLICT, f"{name.text} is taken")


def wait_for(house: House, person: Person, now: int) -> None:
    """A person has no session: hold their name and rooms for a while."""
    person.gone_at = now
    house.people.waiting.pop(person, None)
    house.people.waiting[person] = None


def attached(house: House, seq: int, record: records.Attached, origin: Session | None) -> Sequence[Effect]:
    """A session is a person's: it hears their rooms from now on."""
    person = house.people.by_id.get(record.person)
    if person is None:
        raise Refused(Code.UNAVAILABLE, "your name was released just now: try again")
    house.people.waiting.pop(person, None)
    person.gone_at = None
    if origin is None:
        return ()
    origin.person = person
    origin.phase = Phase.IN
    person.sessions[origin] = None
    house.sessions[origin] = None
    for room in person.rooms.values():
        room.audience[origin] = None
    if person.told_offline:
        person.told_offline = False
        return (Tell(_presence(person), neighbours(person), origin),)
    return ()


def detached(house: House, seq: int, record: records.Detached, origin: Session | None) -> Sequence[Effect]:
    """A session is over."""
    person = house.people.by_id.get(record.person)
    if origin is None or person is None:
        return ()
    person.sessions.pop(origin, None)
    house.sessions.pop(origin, None)
    for room in person.rooms.values():
        room.audience.pop(origin, None)
    if not person.sessions:
        wait_for(house, person, record.time)
    return ()


def name_released(house: House, seq: int, record: records.NameReleased, origin: Session | None) -> Sequence[Effect]:
    """A guest has gone, unless they came back while this was on its way."""
    person = house.people.by_id.get(record.person)
    if person is not None and not person.sessions and not person.registered:
        for room in list(person.rooms.values()):
            room.leave(person)
        house.people.forget(person)
    return ()


def name_not_released(house: House, record: records.NameReleased) -> None:
    """A guest has gone, but that could not be kept: try again later."""
    person = house.people.by_id.get(record.person)
    if person is not None and not person.sessions:
        wait_for(house, person, record.time)


def seen(house: House, seq: int, record: records.Seen, origin: Session | None) -> Sequence[Effect]:
    """A registered person has been sent everything up to here."""
    person = house.people.by_id.get(record.person)
    if person is not None:
        person.seen = record.upto
    return ()


def presence_set(house: House, seq: int, record: records.PresenceSet, origin: Session | None) -> Sequence[Effect]:
    """A person is away, back, or offline."""
    person = house.people.by_id.get(record.person)
    if person is None:
        return ()
    if record.offline:
        if person.sessions:
            return ()
        person.told_offline = True
    else:
        person.away = record.away
    return (Tell(_presence(person), neighbours(person), origin),)


def _presence(person: Person) -> events.Presence:
    away = person.away if person.state is State.AWAY else None
    return events.Presence(name=person.name, state=person.state, text=away)
