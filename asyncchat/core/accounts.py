"""Accounts: to register a name, to change its password, and who is an administrator."""

from collections.abc import Sequence

from asyncchat.core.credentials import check_attempt, check_new_password, digest, judge
from asyncchat.core.nicknames import check_administrators_name
from asyncchat.core.outcomes import Append, Ask, Disconnect, Effect, Outcome, Reply
from asyncchat.core.people import Person
from asyncchat.core.session import Phase, Session
from asyncchat.core.state import ChatState
from asyncchat.vocabulary import commands, events, queries, records
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.names import Name
from asyncchat.vocabulary.terms import Code


def register(state: ChatState, session: Session, person: Person, command: commands.Register, now: int) -> Outcome:
    """Make the name one's own, with a password or by the token that one has."""
    if person.registered:
        raise Refused(Code.CONFLICT, f"{person.name} is registered already")
    _check_registration(state, command.invitation)
    if person.key in state.administrators_set:
        check_administrators_name(session, Name(person.name, person.key))
    if command.password is None and not session.resumable:
        raise Refused(Code.MALFORMED, "register needs a password")
    if command.password is not None:
        check_new_password(state, session, command.password)
    state.registrations.check(session.address, state.limits.accounts_per_address, "new accounts", now)

    def hashed(password: str | None) -> Outcome:
        account = records.Registered(
            time=now,
            person=person.id,
            name=person.name,
            key=person.key,
            password=password,
            # Where none is asked for, an invitation is not used up.
            invitation=command.invitation if state.settings.registration == "invitation" else None,
        )
        return Append((account,), Code.CREATED)

    if command.password is None:
        return hashed(None)
    return Ask(queries.HashPassword(command.password), hashed)


def _check_registration(state: ChatState, invitation: str | None) -> None:
    policy = state.settings.registration
    if policy == "closed":
        raise Refused(Code.FORBIDDEN, "accounts are made by the administrators here")
    if policy == "invitation" and invitation not in state.settings.invitations - state.used_invitations:
        raise Refused(Code.FORBIDDEN, "registration needs an invitation")


def passwd(state: ChatState, session: Session, person: Person, command: commands.Passwd, now: int) -> Outcome:
    """Another password. All tokens are void with it, and other sessions end; this session gets a new token."""
    if not person.registered:
        raise Refused(Code.FORBIDDEN, "register first")
    check_new_password(state, session, command.new)
    old = person.password
    if old is None:
        return Ask(
            queries.HashPassword(command.new), lambda hash: _set_password(state, session, person, command, now, hash)
        )
    if command.old is None:
        raise Refused(Code.WRONG_PASSWORD, "the old password is missing")
    check_attempt(state, session, now)

    def verified(fits: bool) -> Outcome:
        # Not the old one any more, if another session has set a third meanwhile.
        fits = fits and person.password == old
        judge(state, session, now, person.key, fits, Refused(Code.WRONG_PASSWORD, "the old password is wrong"))
        return Ask(
            queries.HashPassword(command.new), lambda hash: _set_password(state, session, person, command, now, hash)
        )

    return Ask(queries.VerifyPassword(old, command.old), verified)


def _set_password(
    state: ChatState, session: Session, person: Person, command: commands.Passwd, now: int, hash: str
) -> Outcome:
    changed: list[records.Record] = [
        records.PasswordSet(
            time=now,
            person=person.id,
            password=hash,
            keep_sessions=command.keep_sessions,
            session=session.key,
            node=session.node,
        )
    ]
    token = state.new_token() if session.resumable else None
    if token is not None:
        changed.append(records.TokenGiven(time=now, person=person.id, token=digest(token)))
    done = Reply((events.Ok(code=Code.OK, token=token),))
    return Append(tuple(changed), then=lambda _: done)


# --- facts ----------------------------------------------------------------------------------------------------------


def password_set(state: ChatState, seq: int, record: records.PasswordSet, origin: Session | None) -> Sequence[Effect]:
    """A person has another password: whoever logged in with the old one has to log in anew."""
    person = state.people.by_id.get(record.person)
    if person is None:
        return ()
    person.password = record.password
    mine = record.session, record.node
    others = [session for session in person.sessions if (session.key, session.node) != mine]
    if record.keep_sessions or not others:
        return ()
    for session in others:
        session.phase = Phase.EXPELLED
    bye = events.Bye(code=Code.LOGIN_FIRST, reason="the password was changed: log in with the new one")
    return (Disconnect(others, bye, reason="password changed"),)


def token_given(state: ChatState, seq: int, record: records.TokenGiven, origin: Session | None) -> Sequence[Effect]:
    """Tokens are the storage's: it is asked for them at login."""
    return ()


def administrator_set(
    state: ChatState, seq: int, record: records.AdministratorSet, origin: Session | None
) -> Sequence[Effect]:
    """A person is an administrator, or no longer."""
    person = state.people.by_id.get(record.person)
    if person is not None:
        person.administrator = record.active
    return ()
