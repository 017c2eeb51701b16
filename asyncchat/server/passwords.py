"""Passwords: argon2id (RFC 9106), hashed off the loop, few at a time, and those of each household in their turn."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from asyncchat.server.turns import FairLine
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.terms import Code

T = TypeVar("T")

WAITING = 256
"""Passwords that may wait for their turn; with 50 ms each, the last one waits some ten seconds. More are refused."""

NO_PASSWORD = "$argon2id$v=19$m=65536,t=3,p=4$YXN5bmNjaGF0LW5vLXBhc3N3b3Jk$K9e4V+J1kBpnIQo6nlH7/6a3xLdFD2mH0QkJmO0Ynb8"
"""A hash that no known password has: checking against it takes the time that a real check takes."""


class Passwords:
    """Hashes and checks passwords in *at_once* threads (0: as many as it takes), each with 64 MiB for some 50 ms.

    *who* is the household that a password comes from. One that brings many, or has been wrong often, waits behind the
    others, so that nobody who knows their password is kept out by those who guess.
    """

    def __init__(self, at_once: int) -> None:
        self._hasher = PasswordHasher()
        self._free = at_once or sys.maxsize
        self._threads = ThreadPoolExecutor(self._free, thread_name_prefix="asyncchat-password")
        self._under_way: set[asyncio.Future[Any]] = set()
        self._line: FairLine[asyncio.Future[None]] = FairLine(WAITING)
        self._closed = False

    async def hash(self, password: str, who: str = "", wrong: int = 0) -> str:
        """The argon2id hash of a password in PHC form. Raises `Refused`: 429 when too many wait, 503 at the end."""
        return await self._run(who, wrong, self._hash, password)

    async def verify(self, hash: str, password: str, who: str = "", wrong: int = 0) -> bool:
        """Does the password fit the hash? *wrong*: how many did not lately. Raises `Refused` as `hash` does."""
        return await self._run(who, wrong, self._verify, hash, password)

    async def aclose(self) -> None:
        """Stop the threads, once they are done with what they are at; who waits is refused."""
        self._closed = True
        while self._line:
            _refuse(self._line.take(), _over())
        if self._under_way:
            await asyncio.wait(self._under_way)
        self._threads.shutdown(wait=True)

    def _hash(self, password: str) -> str:
        return self._hasher.hash(_bytes(password))

    def _verify(self, hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, who: str, wrong: int, work: Callable[..., T], *args: str) -> T:
        if self._closed:
            raise _over()
        if self._free:
            self._free -= 1
        else:
            await self._wait(who, wrong)
        try:
            future = asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        except BaseException:  # the system has no thread for it now, and may have one for the next
            self._next()
            raise
        self._under_way.add(future)
        future.add_done_callback(self._done)
        # Whoever goes away does not stop the thread, which counts until it is done.
        return await asyncio.shield(future)

    async def _wait(self, who: str, wrong: int) -> None:
        """Wait for a free thread."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        last = self._line.add(who, turn, wrong)
        if last is not None:
            _refuse(last, _too_many())
        try:
            await turn
        except asyncio.CancelledError:
            self._line.remove(turn)
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._next()  # it was free for who has just gone
            raise

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._under_way.discard(future)
        self._next()

    def _next(self) -> None:
        """A thread is free: for the next in line, or for who comes."""
        while self._line:
            turn = self._line.take()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def _refuse(turn: asyncio.Future[None], error: Refused) -> None:
    if not turn.done():
        turn.set_exception(error)


def _too_many() -> Refused:
    return Refused(Code.TOO_FAST, "too many logins at a time: try again in a few seconds", wait=5.0)


def _over() -> Refused:
    return Refused(Code.UNAVAILABLE, "the server is shutting down")


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
