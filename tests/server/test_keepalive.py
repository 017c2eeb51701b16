"""Connections whose peer has died without a word: TCP finds out."""

import asyncio
import socket
from typing import Any

import pytest

from asyncchat import ChatServer
from tests.server.peers import Plain, limited

NEEDED = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")

pytestmark = pytest.mark.skipif(not all(hasattr(socket, name) for name in NEEDED), reason="options of Linux")


async def options(*reloaded: dict[str, float], **limits: float) -> dict[str, int]:
    """What is set on the server's end of a plain connection, and after these reloads."""
    found: list[Any] = []

    async with ChatServer(listen=(), settings=limited(**limits)) as server:

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found.append(writer.get_extra_info("socket"))
            await server.handle_client(reader, writer)

        listener = await asyncio.start_server(handle, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        async with listener, await Plain.enter(f"tcp://127.0.0.1:{port}", "alice"):
            (end,) = found
            for others in reloaded:
                server.reload(limited(**others))
            options = {name: end.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in NEEDED}
            return options | {"SO_KEEPALIVE": end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)}


async def test_a_peer_is_probed_when_a_client_would_be_pinged_and_dropped_as_late_as_one() -> None:
    assert await options(ping_seconds=60, idle_seconds=150) == {
        "SO_KEEPALIVE": 1, "TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 150_000
    }  # fmt: skip


async def test_short_and_long_limits_are_what_tcp_can_do() -> None:
    short = await options(ping_seconds=0.1, idle_seconds=0.2)
    assert (short["TCP_KEEPIDLE"], short["TCP_KEEPINTVL"], short["TCP_USER_TIMEOUT"]) == (1, 1, 1000)
    long = await options(ping_seconds=1e9, idle_seconds=2.0**52)
    assert (long["TCP_KEEPIDLE"], long["TCP_KEEPINTVL"], long["TCP_USER_TIMEOUT"]) == (32767, 32767, 2**31 - 1)


UNLIMITED = [({"ping_seconds": 0.0}, 150_000), ({"idle_seconds": 0.0}, 0)]


@pytest.mark.parametrize(("limits", "timeout"), UNLIMITED)
async def test_nobody_is_probed_where_there_is_no_limit(limits: dict[str, float], timeout: int) -> None:
    found = await options(**limits)
    assert (found["SO_KEEPALIVE"], found["TCP_USER_TIMEOUT"]) == (0, timeout)


@pytest.mark.parametrize(("limits", "timeout"), UNLIMITED)
async def test_a_reload_without_the_limit_ends_the_probes_of_those_who_are_here(
    limits: dict[str, float], timeout: int
) -> None:
    found = await options(limits, ping_seconds=60, idle_seconds=150)
    assert (found["SO_KEEPALIVE"], found["TCP_USER_TIMEOUT"]) == (0, timeout)


async def test_a_reload_counts_for_those_who_are_here() -> None:
    found = await options({"ping_seconds": 5, "idle_seconds": 20}, ping_seconds=60)
    assert (found["SO_KEEPALIVE"], found["TCP_KEEPIDLE"], found["TCP_USER_TIMEOUT"]) == (1, 5, 20_000)
