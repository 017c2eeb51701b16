"""Hashing off the loop: whose turn it is, who is refused, and who gives up."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from asyncchat import Refused
from asyncchat.server.passwords import NO_PASSWORD, WAITING, Passwords
from asyncchat.vocabulary.terms import Code


class Slow(Passwords):
    """Whose checks end when they are told to; the right password is "right".

    ``checked``: what was begun, in order; ``crowd``: how many went on at a time, at most.
    """

    def __init__(self, at_once: int) -> None:
        super().__init__(at_once)
        self.checked: list[str] = []
        self.going_on = self.crowd = 0
        self.go_on = threading.Semaphore(0)

    def _verify(self, hash: str, password: str) -> bool:
        self.checked.append(hash)
        self.going_on += 1
        self.crowd = max(self.crowd, self.going_on)
        self.go_on.acquire()
        self.going_on -= 1
        return password == "right"

    def finish(self) -> None:
        self.go_on.release(10_000)


@asynccontextmanager
async def slow(at_once: int) -> AsyncIterator[Slow]:
    passwords = Slow(at_once)
    try:
        yield passwords
    finally:
        passwords.finish()
        await passwords.aclose()


def guesses(passwords: Passwords, who: str, count: int, *, wrong: int = 0) -> list[asyncio.Task[bool]]:
    return [asyncio.create_task(passwords.verify(f"{who}{n}", "guess", who, wrong)) for n in range(count)]


async def wait_in_line() -> None:
    """Let the tasks that were made come to the line: they stop nowhere before."""
    await asyncio.sleep(0)


async def refused(task: asyncio.Task[bool], code: Code = Code.TOO_FAST, wait: float | None = 5.0) -> None:
    with pytest.raises(Refused) as caught:
        await task
    assert (caught.value.code, caught.value.wait) == (code, wait)


async def test_a_password_fits_its_own_hash_alone() -> None:
    passwords = Passwords(2)
    hash = await passwords.hash("correct horse")
    assert hash.startswith("$argon2id$")
    assert await passwords.verify(hash, "correct horse")
    assert not await passwords.verify(hash, "wrong horse")
    assert not await passwords.verify(NO_PASSWORD, "correct horse")
    assert not await passwords.verify("no hash at all", "correct horse")
    await passwords.aclose()


async def test_who_knows_the_password_waits_for_one_guess_of_each_other_household() -> None:
    async with slow(1) as passwords:
        guessing = [*guesses(passwords, "a", 30), *guesses(passwords, "b", 30)]
        await wait_in_line()
        owner = asyncio.create_task(passwords.verify("owner", "right", "o"))
        await wait_in_line()
        passwords.finish()
        assert await owner
        assert passwords.checked.index("owner") == 3, "after the one under way, and one of each"
        assert not any(await asyncio.gather(*guessing))


async def test_who_was_wrong_often_waits_behind_others() -> None:
    async with slow(1) as passwords:
        guessing = guesses(passwords, "a", 2)
        await wait_in_line()
        guessing += guesses(passwords, "b", 1, wrong=3)
        await wait_in_line()
        owners = guesses(passwords, "o", 2)
        passwords.finish()
        await asyncio.gather(*guessing, *owners)
        assert passwords.checked == ["a0", "a1", "o0", "o1", "b0"]


async def test_a_full_line_refuses_the_last_guess_and_not_who_comes() -> None:
    async with slow(1) as passwords:
        guessing = guesses(passwords, "a", WAITING + 1)
        await wait_in_line()
        owner = asyncio.create_task(passwords.verify("owner", "right", "o"))
        await refused(guessing[-1])
        (another,) = guesses(passwords, "a", 1)
        await refused(another)
        passwords.finish()
        assert await owner
        assert not any(await asyncio.gather(*guessing[:-1]))


async def test_who_gives_up_leaves_the_line_and_passes_on_the_turn() -> None:
    async with slow(1) as passwords:
        first, second, third, fourth = guesses(passwords, "a", 4)
        await wait_in_line()
        second.cancel()
        await asyncio.wait([second])
        (going_on,) = passwords._under_way
        going_on.add_done_callback(lambda _: third.cancel())  # whose turn it has just become, and which has not begun
        passwords.finish()
        await asyncio.wait([first, third])
        assert third.cancelled()
        assert not await fourth
        assert passwords.checked == ["a0", "a3"]
        assert not await passwords.verify("later", "guess")


async def test_a_thread_counts_until_it_is_done_whoever_went_away() -> None:
    async with slow(1) as passwords:
        (first,) = guesses(passwords, "a", 1)
        await wait_in_line()
        first.cancel()
        await asyncio.wait([first])
        (second,) = guesses(passwords, "b", 1)
        await wait_in_line()
        passwords.finish()
        assert not await second
        assert passwords.crowd == 1


async def test_a_thread_that_cannot_be_started_costs_nobody_else_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with slow(1) as passwords:
        with monkeypatch.context() as crowded:
            crowded.setattr(threading.Thread, "start", no_more)
            for _ in range(2):
                with pytest.raises(RuntimeError, match="new thread"):
                    await passwords.verify("unlucky", "right")
        passwords.finish()
        async with asyncio.timeout(10):
            assert await passwords.verify("next", "right")


async def test_the_end_refuses_who_waits_and_who_comes() -> None:
    async with slow(1) as passwords:
        first, second = guesses(passwords, "a", 2)
        await wait_in_line()
        ending = asyncio.create_task(passwords.aclose())
        await refused(second, Code.UNAVAILABLE, None)
        await refused(guesses(passwords, "b", 1)[0], Code.UNAVAILABLE, None)
        passwords.finish()
        await ending
        assert not await first
