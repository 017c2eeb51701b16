"""The process in which hostile clients run, so that they take no time from who measures.

It is told on standard input which attack to begin and when it is enough, a line each, and tells on standard output, in
lines of JSON, when an attack is underway and what came of it; see `hostile`.
"""

import asyncio
import json
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from asyncchat.server.listeners import raise_descriptor_limit
from tests.campaigns import attacks
from tests.campaigns.foes import Target, Underway

MIB = 1 << 20

Attack = Callable[[Target, Underway], Awaitable[str]]


class Attempt(NamedTuple):
    """An attack, and how many bytes the server's memory may grow by in it, and why."""

    attack: Attack
    memory: int
    why: str


USUAL = 24 * MIB
"""Bytes: the log, SQLite's caches, and what Python keeps for later."""

ATTACKS = {
    attempt.attack.__name__.replace("_", " "): attempt
    for attempt in (
        Attempt(attacks.no_reading, USUAL + 30 * 2 * MIB, "each of 30 has 1 MiB waiting, and a page"),
        Attempt(attacks.byte_by_byte, USUAL + 500 * 32_768, "500 connections"),
        Attempt(attacks.lines_at_once, USUAL, "they wait in the network"),
        Attempt(attacks.long_line, USUAL, "nothing of it is kept"),
        Attempt(attacks.not_utf8, USUAL, "nothing is kept"),
        Attempt(attacks.deep_json, USUAL, "nothing is kept"),
        Attempt(attacks.huge_json, USUAL, "nothing is kept"),
        Attempt(attacks.numbers_out_of_range, USUAL, "nothing is kept"),
        Attempt(attacks.unknown_types, USUAL, "nothing is kept"),
        Attempt(
            attacks.half_open_tls, USUAL + 300 * 320 * 1024, "300 handshakes, each with asyncio's buffer of 256 KiB"
        ),
        Attempt(attacks.connections_opened_and_closed, USUAL, "what was closed is gone"),
        Attempt(attacks.silent_crowd, USUAL + 3000 * 32_768, "3,000 connections"),
        Attempt(attacks.wrong_passwords, USUAL + 2 * 64 * MIB, "argon2 takes 64 MiB, twice at a time"),
        Attempt(attacks.bad_names, USUAL, "nothing is kept"),
        Attempt(attacks.escapes, USUAL, "nothing is kept"),
    )
}


async def attack(name: str, target: Target, orders: asyncio.StreamReader) -> None:
    """Run one attack until it is ordered to end; tell of it."""
    underway = Underway()
    task = asyncio.ensure_future(ATTACKS[name].attack(target, underway))
    begun = asyncio.create_task(underway.begun.wait())
    await asyncio.wait({task, begun}, return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    if not task.done():
        print(json.dumps({"underway": name}), flush=True)
        assert await orders.readline() == b"enough\n"
        underway.enough.set()
    try:
        told = {"answer": await task}
    except Exception:  # noqa: BLE001 - the root of an attack: who measures is told, and fails
        told = {"failed": traceback.format_exc()}
    print(json.dumps(told), flush=True)


async def main() -> None:
    tcp, tls, ca, full = sys.argv[1:]
    raise_descriptor_limit()
    target = Target(tcp, tls, Path(ca), full == "full")
    orders = asyncio.StreamReader()
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    while order := await orders.readline():
        await attack(order.decode().strip(), target, orders)
    pipe.close()


if __name__ == "__main__":
    asyncio.run(main())
