"""TCP's own probes, which find out that a peer has died: people with nc or telnet answer no ping."""

import contextlib
import socket
from typing import Any

from asyncchat.core.limits import Limits

PROBES = 3
"""Probes without an answer between ``ping_seconds`` and ``idle_seconds``."""

LONGEST_PROBE = 32_767
"""Seconds: Linux takes no more (MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL)."""

LONGEST_TIMEOUT = 2**31 - 1
"""Milliseconds: the option is an int of C."""


def keep_alive(peer: Any, limits: Limits) -> None:
    """Have the system end a TCP connection whose peer has been gone for ``idle_seconds``; *peer*: its socket, or None.

    As far as the platform can do that. Probes begin when all that was sent is acknowledged; what is not has that
    deadline too. Where there is no limit any more, what another one set ends.
    """
    if peer is None or peer.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with contextlib.suppress(OSError):  # the connection is over already
        for level, name, value in _options(limits.ping_seconds, limits.idle_seconds):
            option = getattr(socket, name, None)  # each system has some of them
            if option is not None:
                peer.setsockopt(level, option, value)


def _options(ping: float, idle: float) -> list[tuple[int, str, int]]:
    probed = bool(ping and idle)
    options = [(socket.SOL_SOCKET, "SO_KEEPALIVE", int(probed))]
    if probed:
        options += [
            (socket.IPPROTO_TCP, "TCP_KEEPIDLE", _bounded(ping, 1, LONGEST_PROBE)),
            (socket.IPPROTO_TCP, "TCP_KEEPINTVL", _bounded((idle - ping) / PROBES, 1, LONGEST_PROBE)),
            (socket.IPPROTO_TCP, "TCP_KEEPCNT", PROBES),
        ]
    timeout = _bounded(idle * 1000, 1000, LONGEST_TIMEOUT) if idle else 0  # 0: as long as the system waits by itself
    return [*options, (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", timeout)]


def _bounded(number: float, least: int, most: int) -> int:
    return int(min(max(number, least), most))
