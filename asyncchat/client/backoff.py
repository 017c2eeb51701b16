"""When to try again: exponential backoff with full jitter. Pure: the randomness is passed in."""

from dataclasses import dataclass

LONGEST_ASKED = 300.0
"""Seconds that a client waits at most when a server asks for a delay: a wrong figure must not park it for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """A reconnect schedule: before attempt *n* a random wait between 0 and ``min(longest, first * factor**n)`` seconds.

    The wait is drawn from the whole interval (full jitter), so that the clients of a server that went down do
    not come back in step.
    """

    first: float = 0.5
    factor: float = 2.0
    longest: float = 30.0

    def ceiling(self, attempt: int) -> float:
        """The longest wait before this attempt, in seconds; *attempt* counts from 0 and may be as large as you like."""
        try:
            return min(self.longest, self.first * self.factor**attempt)
        except OverflowError:
            return self.longest

    def delay(self, attempt: int, chance: float, *, asked: float | None = None) -> float:
        """Seconds to wait before this attempt; *chance* is a random number in [0, 1).

        *asked* is what the server asked for (`Bye.reconnect`, `Refused.wait`): it is waited at the least, up
        to `LONGEST_ASKED`; servers spread these delays themselves, so the first attempt comes exactly then.
        """
        jittered = chance * self.ceiling(attempt)
        if asked is None:
            return jittered
        least = min(max(asked, 0.0), LONGEST_ASKED)
        return least if attempt == 0 else least + jittered
