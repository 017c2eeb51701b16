"""What proves who one is: tokens, and passwords, where they may travel, and what wrong ones cost."""

import hashlib

from asyncchat.core.session import Session
from asyncchat.core.state import ChatState
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.terms import Code

SHORTEST_PASSWORD = 8
"""Characters: what NIST SP 800-63B asks of a password that people choose."""

LONGEST_PASSWORD = 256
"""Characters: long enough for any pass phrase, short enough to hash."""


def digest(token: str) -> bytes:
    """What is stored of a token: its SHA-256. It has 256 random bits: a slow hash would add nothing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def check_password(password: str, shortest: int = SHORTEST_PASSWORD) -> None:
    """Raise `Refused` for a new password that is too short or too long to take."""
    if len(password) < shortest:
        raise Refused(Code.MALFORMED, f"a password has at least {shortest} characters")
    if len(password) > LONGEST_PASSWORD:
        raise Refused(Code.TOO_LONG, f"a password has at most {LONGEST_PASSWORD} characters")


def check_new_password(state: ChatState, session: Session, password: str) -> None:
    """Raise `Refused` for a new password that others could read, or that is too short or too long to take."""
    check_secure(state, session)
    check_password(password)


def check_attempt(state: ChatState, session: Session, now: int) -> None:
    """Raise `Refused` for a password that others could read (403), or from an address that has to wait (429)."""
    check_secure(state, session)
    state.wrong_passwords.check(session.address, now)


def check_secure(
    state: ChatState, session: Session, why: str = "passwords only over TLS: connect to the tls:// address"
) -> None:
    """Raise `Refused` 403 when a password would travel where others can read it.

    Also before one is asked for: what is refused only when it comes has been read on the way.
    """
    if not (session.secure or state.settings.insecure_passwords):
        raise Refused(Code.FORBIDDEN, why)


def judge(state: ChatState, session: Session, now: int, what: str, fits: bool, wrong: Refused) -> None:
    """Record how an attempt at the password of *what* (the key of a name or room) went; raises *wrong* if it failed.

    Raises `Refused` 429 when others from the same address were wrong meanwhile: a hundred guesses at once must not be
    cheaper than a hundred in turn.
    """
    state.wrong_passwords.check(session.address, now)
    if not fits:
        state.wrong_passwords.count(session.address, what, now)
        raise wrong
    state.wrong_passwords.forget(session.address, what)
