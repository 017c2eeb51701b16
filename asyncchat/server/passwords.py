"""Passwords: argon2id (RFC 9106), hashed off the loop, few at a time."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.terms import Code

T = TypeVar("T")

WAITING = 64
"""Passwords that may wait for their turn; with 50 ms each, the last one waits a few seconds. More are refused."""

NO_PASSWORD = "$argon2id$v=19$m=65536,t=3,p=4$YXN5bmNjaGF0LW5vLXBhc3N3b3Jk$K9e4V+J1kBpnIQo6nlH7/6a3xLdFD2mH0QkJmO0Ynb8"
"""A hash that no known password has: checking against it takes the time that a real check takes."""


class Passwords:
    """Hashes and checks passwords in *at_once* threads (0: as many as it takes), each with 64 MiB for some 50 ms."""

    def __init__(self, at_once: int) -> None:
        self._hasher = PasswordHasher()
        threads = at_once or sys.maxsize
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="asyncchat-password")
        self._under_way: set[asyncio.Future[Any]] = set()
        self._limit = threads + WAITING

    async def hash(self, password: str) -> str:
        """The argon2id hash of a password in PHC form. Raises `Refused` 429 when too many wait."""
        return await self._run(self._hash, password)

    async def verify(self, hash: str, password: str) -> bool:
        """Does the password fit the hash? Raises `Refused` 429 when too many wait."""
        return await self._run(self._verify, hash, password)

    async def aclose(self) -> None:
        """Stop the threads, once they are done with what they are at."""
        self._limit = 0
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

    async def _run(self, work: Callable[..., T], *args: str) -> T:
        if len(self._under_way) >= self._limit:
            raise Refused(Code.TOO_FAST, "too many logins at a time: try again in a few seconds", wait=5.0)
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return await future


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
