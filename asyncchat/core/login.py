"""Logging in: the ways to prove who one is, and the way in.

Each step checks what may have changed since the last one, which may have been some time ago: a query or a record lies
between them.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from asyncchat.core import permissions
from asyncchat.core.credentials import check_attempt, check_secure, digest, judge
from asyncchat.core.logout import tell_presence
from asyncchat.core.membership import kept_out, open_rooms, shut_out
from asyncchat.core.nicknames import check_free, check_not_registered
from asyncchat.core.outcomes import Append, Ask, Effect, Outcome, Reply
from asyncchat.core.people import Person
from asyncchat.core.session import Phase, Session
from asyncchat.core.state import ChatState
from asyncchat.vocabulary import commands, events, queries, records
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.names import Name
from asyncchat.vocabulary.terms import Code, rfc3339


def hello(state: ChatState, session: Session, _: None, command: commands.Hello, now: int) -> Outcome:
    """Find out who this is, take the name if it is a new one, enter the rooms, and welcome."""
    return _Arrival(state, session, command, now).begin()


@dataclass(slots=True)
class _Arrival:
    """One hello on its way in. ``token``: a new one, to be told in the welcome."""

    state: ChatState
    session: Session
    command: commands.Hello
    now: int
    token: str | None = None

    def begin(self) -> Outcome:
        command = self.command
        self._check_server_password()
        if command.token is not None:
            token = digest(command.token)
            guest = self.state.people.of_token(token)
            if guest is not None:
                return self._by_token(queries.Person(guest.id, guest.name, guest.key, registered=False))
            return Ask(queries.FindToken(token), self._by_token)
        if command.name is None:
            raise Refused(Code.MALFORMED, "hello needs a name or a token")
        name = self.state.user_name(command.name)
        if command.password is not None:
            return self._by_password(name, command.password)
        return self._as_guest(name)

    def _check_server_password(self) -> None:
        if self.session.inside:
            return
        given, wanted = self.command.server_password, self.state.settings.server_password
        if given is not None or self.command.password is not None:
            check_attempt(self.state, self.session, self.now)
        if wanted is None:
            return
        if given is None:
            asking = "this server asks everyone for a password"
            check_secure(self.state, self.session, f"{asking}: log in over TLS")
            raise Refused(Code.LOGIN_FIRST, asking)
        wrong = Refused(Code.LOGIN_FIRST, "that is not this server's password")
        fits = hmac.compare_digest(wanted.encode(), given.encode("utf-8", "surrogatepass"))
        judge(self.state, self.session, self.now, "", fits, wrong)

    # --- who is it? -------------------------------------------------------------------------------------------------

    def _as_guest(self, name: Name) -> Outcome:
        state, now = self.state, self.now
        holder = state.people.by_key.get(name.key)
        if self.session.inside and holder is not None and not holder.sessions:
            return self._enter(holder)
        permissions.check_server(state, records.NOBODY, name.key, self.session.address, now)
        check_not_registered(state, self.session, name, None)
        self._check_guests()
        check_free(state, self.session, name, None)
        self._new_token()
        token = digest(self.token) if self.token is not None else None

        def created(seqs: Sequence[int]) -> Outcome:
            return self._enter(self._known(seqs[0]))

        def passing() -> Outcome:
            came = records.GuestCame(time=now, name=name.text, key=name.key, token=token)
            return Append((came,), then=lambda _: self._enter_passing(name))

        new = records.PersonCreated(time=now, name=name.text, key=name.key, token=token)
        return Append((new,), then=created, not_stored=passing)

    def _enter_passing(self, name: Name) -> Outcome:
        person = self.state.people.by_key.get(name.key)
        if person is None:
            raise Refused(Code.UNAVAILABLE, "your name was released just now: try again")
        return self._enter(person)

    def _by_password(self, name: Name, password: str) -> Outcome:
        state = self.state
        holder = state.people.by_key.get(name.key)
        stored = holder.password if holder is not None and holder.registered else None

        def verified(fits: bool) -> Outcome:
            fits = fits and stored is not None and holder is not None and holder.password == stored
            judge(state, self.session, self.now, name.key, fits, Refused(Code.WRONG_PASSWORD, "wrong name or password"))
            assert holder is not None  # else nothing fits
            self._check(holder)
            self._new_token()
            if self.token is None:
                return self._enter(holder)
            given = records.TokenGiven(time=self.now, person=holder.id, token=digest(self.token))
            return Append((given,), then=lambda _: self._enter(holder), not_stored=without_token)

        def without_token() -> Outcome:
            self.token = None
            assert holder is not None
            return self._enter(holder)

        # A name without a password costs a hash as well: the time of the answer must not tell which names are
        # registered.
        return Ask(queries.VerifyPassword(stored or state.no_password, password), verified)

    def _by_token(self, stored: queries.Person | None) -> Outcome:
        if stored is None:
            raise Refused(Code.WRONG_PASSWORD, "that token is not known here")
        state, wanted = self.state, self.command.name
        person = state.people.by_id.get(stored.id)
        name = state.user_name(wanted) if wanted is not None else None
        if not (person or stored).registered:
            self._check_guests()
        if person is not None:
            self._check(person)
            # A token is a person: the name is theirs to change by `nick`, not by an old one in somebody's settings.
            if name is None or name.key == person.key or person.registered or person.sessions:
                return self._enter(person)
        name = name or Name(stored.name, stored.key)
        permissions.check_server(state, stored.id, name.key, self.session.address, self.now)
        check_not_registered(state, self.session, name, person)
        check_free(state, self.session, name, person)
        taken = records.NameTaken(time=self.now, person=stored.id, name=name.text, key=name.key)
        came = records.GuestCame(time=self.now, person=stored.id, name=name.text, key=name.key)

        def remember(_: Sequence[int]) -> Outcome:
            return self._remember(self._known(stored.id))

        return Append((taken,), then=remember, not_stored=lambda: Append((came,), then=remember))

    def _remember(self, person: Person) -> Outcome:
        """A guest who was gone is back: so is how far they had read, and what they have been sent."""

        def found(reading: queries.Reading) -> Outcome:
            recalled = records.ReadingRecalled(
                time=self.now, person=person.id, markers=reading.markers, seen=reading.seen
            )
            return Append((recalled,), then=lambda _: self._enter(person))

        return Ask(queries.FindReading(person.id), found)

    def _new_token(self) -> None:
        self.token = self.state.new_token() if self.session.resumable else None

    def _check_guests(self) -> None:
        if not (self.state.settings.guests or self.session.inside):
            raise Refused(Code.FORBIDDEN, "guests are not let in here: log in with a registered name")

    def _known(self, id: int) -> Person:
        person = self.state.people.by_id.get(id)
        if person is None:
            raise Refused(Code.UNAVAILABLE, "your name was released just now: try again")
        return person

    # --- in ---------------------------------------------------------------------------------------------------------

    def _check(self, person: Person) -> None:
        """May this person come in?"""
        check_arrival(self.state, self.session.address, person, self.state.limits.sessions, self.now)

    def _enter(self, person: Person) -> Outcome:
        """The person holds the name: open the rooms asked for, then come in and be welcomed."""
        state, now = self.state, self.now
        self._check(person)

        def opened(room_ids: Sequence[int], problems: Sequence[str]) -> Outcome:
            session = self.session
            arrival: list[records.Record] = [
                records.SessionOpened(
                    time=now,
                    person=person.id,
                    session=session.key,
                    node=session.node,
                    address=session.address,
                    most=state.limits.sessions,
                )
            ]
            arrival += [
                records.PersonJoined(time=now, person=person.id, room=room, address=session.address)
                for room in room_ids
            ]

            def arrived(seqs: Sequence[int]) -> Outcome:
                def settled(_: Sequence[int]) -> Outcome:
                    return self._welcome(person, seqs[0], [*problems, *kept_out(state, person, room_ids)])

                # Not before they are here: a ban that is set from then on sees this session.
                out = shut_out(state, self.session, person, now)
                return Append(out, then=settled) if out else settled(())

            return Append(tuple(arrival), then=arrived)

        wanted = self.command.rooms
        rooms = wanted if wanted is not None else [state.default_room.text]
        return open_rooms(state, self.session, person, rooms, now, opened)

    def _welcome(self, person: Person, seq: int, problems: Sequence[str]) -> Outcome:
        command, seen = self.command, self.session.seen
        words: list[events.Told] = [greeting(self.state, person, self.now, seq=seq, token=self.token)]
        words += [events.Notice(text=problem) for problem in problems]
        # A place beyond the end of the log is one in another log: this one was set back, to an older copy for example.
        has_cursor = command.since is not None and command.since <= seq and command.epoch in (None, self.state.epoch)
        if has_cursor or seen is None or seen >= seq:
            return Reply(tuple(words))
        missed = queries.FindSince(person.id, (), after=seen, until=seq, limit=self.state.limits.page or PAGE)
        return Ask(missed, lambda page: Reply((*words, *page.events, *_rest(page, seq))))


def greeting(state: ChatState, person: Person, now: int, *, seq: int, token: str | None = None) -> events.Welcome:
    """The welcome of a person, who hears all that comes after *seq*."""
    settings = state.settings
    return events.Welcome(
        code=Code.ACCEPTED,
        name=person.name,
        server=settings.name,
        version=settings.version,
        epoch=state.epoch,
        identity=state.identity,
        seq=seq,
        time=rfc3339(now),
        rooms=[room.name for room in person.rooms.values()],
        registered=person.registered,
        administrator=state.is_administrator(person),
        token=token,
        motd=settings.motd,
        limits=state.limits_told,
    )


PAGE = 1_000
"""Missed direct messages that are sent at once where the limit `page` is off; a `gap` tells of the rest."""


def _rest(page: queries.Page, until: int) -> tuple[events.Gap, ...]:
    if page.complete or page.next is None:
        return ()
    return (events.Gap(after=page.next, until=until),)


def check_arrival(state: ChatState, address: str, person: Person, most: int, now: int) -> None:
    """May this person have one more session (of *most*), from there? Raises `Refused` 403 or 429."""
    if not state.is_administrator(person):
        permissions.check_server(state, person.id, person.key, address, now)
    if most and len(person.sessions) >= most:
        raise Refused(Code.TOO_FAST, f"{person.name} has {most} sessions already")


def settings_applied(
    state: ChatState, seq: int, record: records.SettingsApplied, origin: Session | None
) -> Sequence[Effect]:
    """The operator has set who is an administrator, and the server's name."""
    state.server_name = record.server
    state.administrators = frozenset(record.administrators)
    return ()


def reading_recalled(
    state: ChatState, seq: int, record: records.ReadingRecalled, origin: Session | None
) -> Sequence[Effect]:
    """A guest who comes back has read so far."""
    person = state.people.by_id.get(record.person)
    if person is not None:
        person.markers = record.markers | person.markers
        if person.seen is None and not person.sessions:
            person.seen = record.seen
    return ()


def session_opened(
    state: ChatState, seq: int, record: records.SessionOpened, origin: Session | None
) -> Sequence[Effect]:
    """A session is a person's: it hears their rooms from now on. Of many who come at once some may be too many."""
    person = state.people.by_id.get(record.person)
    if person is None:
        raise Refused(Code.UNAVAILABLE, "your name was released just now: try again")
    check_arrival(state, record.address, person, record.most, record.time)
    if origin is None:
        origin = Session(key=record.session, node=record.node, address=record.address)
        state.elsewhere[record.node, record.session] = origin
    state.people.waiting.pop(person, None)
    if person.seen is not None:
        state.people.returned[person] = None
    origin.seen = person.seen
    person.gone_at = person.seen = None
    origin.person = person
    origin.phase = Phase.IN
    if not person.sessions:
        state.people.online.add(person, seq)
    person.sessions[origin] = None
    state.sessions[origin] = None
    for room in person.rooms.values():
        room.audience[origin] = None
    if person.told_offline:
        person.told_offline = False
        return tell_presence(state, person, origin, record.time)
    return ()
