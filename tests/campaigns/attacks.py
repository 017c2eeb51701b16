"""What hostile clients do, each with the answer that it has to get."""

import asyncio
import contextlib
import itertools
import json
import ssl

from tests.campaigns.foes import Target, Underway, alive, come_from, deaf, entered, line, refused, reply
from tests.server.peers import Raw, where

ROOM = "#talk"
"""Where the friends are."""


async def all_refused(target: Target, underway: Underway, lines: list[bytes]) -> str:
    """Send these again and again; each is answered with 400."""
    while underway.now():
        async with entered(await Raw.open(target.tcp)) as raw:
            for sent in lines:
                await refused(raw, sent)
    return "400, every one; the session lives on"


# --- those who do not read, and those who hardly speak ----------------------------------------------------------------


async def no_reading(target: Target, underway: Underway) -> str:
    """Enter the busy room, fill another one with long texts, ask for all of it a hundred times, and never read."""
    async with contextlib.AsyncExitStack() as stack:
        asked = [
            await stack.enter_async_context(entered(await deaf(target.tcp), ROOM, "#pit"))
            for _ in range(target.force(3, 30))
        ]
        for raw in asked:
            for _ in range(5):
                raw.send(line(type="say", to="#pit", text="x" * 16_000))
            for id in range(100):
                raw.send(line(type="history", id=id, to="#pit", limit=200))
                raw.send(line(type="sync", id=f"sync {id}", after=0))
        await underway.until_enough()
        assert (await reply(asked[0], 0))["type"] == "history"
        return "it waits, until they read"


async def byte_by_byte(target: Target, underway: Underway) -> str:
    """Send a line that never ends, a byte a second, on many connections."""
    raws = [await Raw.open(target.tcp) for _ in range(target.force(50, 500))]

    async def drip() -> None:
        for byte in b'{"type":"hello","name":"' + b"x" * 1000:
            for raw in raws:
                raw.send(bytes([byte]))
            await asyncio.sleep(1)

    dripping = asyncio.create_task(drip())
    await underway.until_enough()
    for raw in raws:
        told = await raw.end()
        assert not told or json.loads(told)["type"] == "bye", told
        await raw.close()
    dripping.cancel()
    return "cut, for there is no complete line in time"


# --- too much ---------------------------------------------------------------------------------------------------------


async def lines_at_once(target: Target, underway: Underway) -> str:
    """Send 100,000 lines at once: one client talk, one what is no command."""
    count = target.force(10_000, 100_000)
    talk = b"".join(line(type="say", id=id, to="#flood", text=f"flood {id}") for id in range(count))
    async with (
        entered(await Raw.open(target.tcp), "#flood") as talker,
        entered(await Raw.open(target.tcp), "#flood") as babbler,
    ):
        talker.send(talk)
        babbler.send(b"no command\n" * count)
        await underway.until_enough()
        for id in range(150):
            assert (await reply(talker, id))["code"] == 200, "they are answered in order, and none is dropped"
        talker.abort()
        babbler.abort()
    return "200, so many a second"


async def long_line(target: Target, underway: Underway) -> str:
    """Send a line of a gigabyte."""
    part = b"x" * (1 << 20)
    async with entered(await Raw.open(target.tcp)) as raw:
        while underway.now():
            for _ in range(target.force(64, 1024)):
                raw.send(part)
                await raw.writer.drain()
            await refused(raw, b"", 413)
    return "413, once; the session lives on"


# --- what is no command -----------------------------------------------------------------------------------------------


async def not_utf8(target: Target, underway: Underway) -> str:
    """Send bytes that are no UTF-8: stray, overlong, cut short, surrogates, beyond the last character."""
    bad = (b"\xff", b"\x80", b"\xc0\xaf", b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xfe\xfe\xff\xff")
    texts = [b'{"type":"say","to":"#pit","text":"' + some + b'"}' for some in bad]
    return await all_refused(target, underway, [*texts, *bad, *(b'{"type":"' + some + b'"}' for some in bad)])


async def deep_json(target: Target, underway: Underway) -> str:
    """Send JSON that is nested as deep as a line is long."""
    deep = b"[" * 30_000 + b"]" * 30_000
    return await all_refused(
        target,
        underway,
        [
            b"[" * 60_000,
            b'{"a":' * 10_000,
            deep,
            b'{"type":"ping","x":' + deep + b"}",
            b'{"type":"say","to":"#pit","text":' + deep + b"}",
            b'{"type":"ping","x":' + b'{"":[' * 9_000 + b"1" + b"]}" * 9_000 + b"}",  # Python 3.13 reads 10,000 levels
        ],
    )


async def huge_json(target: Target, underway: Underway) -> str:
    """Send commands of as many fields, entries and digits as a line can hold."""
    fields = {f"field{n}": n for n in range(3000)}
    while underway.now():
        async with entered(await Raw.open(target.tcp)) as raw:
            raw.send(line(type="ping", id="fields", **fields))
            assert (await reply(raw, "fields"))["code"] == 200, "fields that are not known are passed over"
            raw.send(line(type="say", id="text", to="#pit", text="x" * 60_000))
            assert (await reply(raw, "text"))["code"] == 413
            await refused(raw, line(type="hello", name="foe", rooms=["#a"] * 8000).strip(), 409)
            await refused(raw, b'{"type":"sync","after":' + b"9" * 60_000 + b"}")
    return "200, 409, 413 or 400; the session lives on"


async def numbers_out_of_range(target: Target, underway: Underway) -> str:
    """Send numbers that are too large, negative, no integers, or no numbers."""
    bad = (b"-1", b"-9223372036854775809", b"9223372036854775808", b"18446744073709551616", b"1e400", b"1.5", b"NaN")
    return await all_refused(
        target,
        underway,
        [
            command.replace(b"N", number, 1)
            for number in (*bad, b"-Infinity", b"9" * 5000)
            for command in (
                b'{"type":"history","to":"#pit","before":N}',
                b'{"type":"sync","after":N}',
                b'{"type":"react","seq":N,"reaction":"+1"}',
            )
        ],
    )


async def unknown_types(target: Target, underway: Underway) -> str:
    """Send types that do not exist, or none, or what is no object."""
    kinds = [b'"nonsense"', b'"' + b"x" * 60_000 + b'"', b"null", b"1", b'["say"]', b'{"type":"say"}', b'"said"', b'""']
    whole = [b"42", b'"say"', b"null", b"true", b"{}", b'{"id":1}', b"[]", b"{", b"}", b'{"type"}', b"GET / HTTP/1.1"]
    return await all_refused(target, underway, [*(b'{"type":' + kind + b"}" for kind in kinds), *whole])


# --- connections ------------------------------------------------------------------------------------------------------


async def half_open_tls(target: Target, underway: Underway) -> str:
    """Begin TLS handshakes and never end them; send garbage in their place; meanwhile somebody comes in through TLS."""
    at = where(target.tls)
    address = f"tcp://{at.host}:{at.port}"
    context = ssl.create_default_context(cafile=target.ca)
    out = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    greeting = out.read()
    stalled = [await Raw.open(address) for _ in range(target.force(30, 300))]
    for raw, begun in zip(stalled, itertools.cycle((b"", greeting[:1], greeting[:-1], greeting)), strict=False):
        raw.send(begun)
    while underway.now():
        garbage = [await Raw.open(address) for _ in range(10)]
        for raw, sent in zip(garbage, itertools.cycle((b"\0" * 1000, b"\x16\x03\x01" + b"\xff" * 1000)), strict=False):
            raw.send(sent)
        for raw in garbage:
            assert b"welcome" not in await raw.rest()
            raw.abort()
        async with entered(Raw(*await asyncio.open_connection(at.host, at.port, ssl=context))) as raw:
            await alive(raw)
    for raw in stalled:
        await raw.rest()
        raw.abort()
    return "cut: garbage at once, the others in time"


async def connections_opened_and_closed(target: Target, underway: Underway) -> str:
    """Open and close connections as fast as possible, in order or by a reset, with and without a word."""
    count = 0

    async def one(sent: bytes) -> None:
        nonlocal count
        while underway.now():
            raw = await Raw.open(target.tcp)
            raw.send(sent)
            count += 1
            if count % 2:
                raw.abort()
            else:
                await raw.close()

    async with asyncio.TaskGroup() as group:
        for sent in (b"", b"\n", b"{", b"GET / HTTP/1.1\r\n\r\n", b'{"type":"ping"}\n') * target.force(2, 10):
            group.create_task(one(sent))
    return f"none ({count} connections)"


async def silent_crowd(target: Target, underway: Underway) -> str:
    """Open thousands of connections and say nothing."""
    raws = [await Raw.open(target.tcp) for _ in range(target.force(300, 3000))]
    for raw in raws:
        await raw.until("What is your name?")  # which comes after a second of silence
    await underway.until_enough()
    for raw in raws:
        raw.abort()
    return "greeted, and let wait"


# --- people -----------------------------------------------------------------------------------------------------------

OWNER = "treasurer"
"""Who has an account, whose password is not guessed."""

GUESSES = 10
"""Of each address, of which there are many: the first few are hashed."""


async def wrong_passwords(target: Target, underway: Underway) -> str:
    """Guess a password a thousand times, from a hundred addresses."""
    codes: dict[int, int] = {}

    async def guess(n: int) -> None:
        left = GUESSES
        while left:
            async with await come_from(f"127.0.1.{n + 1}", target.tcp) as raw:
                while left:
                    raw.send(line(type="hello", id=left, name=OWNER, password=f"guess {left}"))
                    told = json.loads(await raw.line())
                    if told["type"] == "bye":
                        break  # no login in time, since so many wait for their turn
                    assert told["code"] in (402, 429), told
                    codes[told["code"]] = codes.get(told["code"], 0) + 1
                    left -= 1
                    underway.now()

    async with asyncio.TaskGroup() as group:
        for n in range(target.force(4, 100)):
            group.create_task(guess(n))
    await underway.until_enough()
    assert set(codes) == {402, 429}, codes
    return f"402 ({codes[402]}), then 429 ({codes[429]})"


async def bad_names(target: Target, underway: Underway) -> str:
    """Take names with control, bidi, zero-width and other characters that nobody sees, or that look like another."""
    hidden = "\0\x07\x1b\x7f\x80\x85\x9b\u200b\u200d\u200e\u202a\u202e\u2066\u2069\u2028\u00ad\u115f\u3164\ufeff\ufff9"
    names = [
        f"a{character}b" for character in (*hidden, "\U000e0041", "\U000f0000", "\n", "\t", "\x1b[2J", "\x1b]0;x\7")
    ]
    commands = [
        line(**{**command, field: prefix + name}).strip()
        for name in names
        for command, field, prefix in (
            ({"type": "nick"}, "name", ""),
            ({"type": "join"}, "room", "#"),
            ({"type": "hello"}, "name", ""),
        )
    ]
    while underway.now():
        for name in names:
            async with await Raw.open(target.tcp) as raw:
                raw.send(line(type="hello", id=1, name=name))
                assert (await reply(raw, 1))["code"] == 400, name
        async with entered(await Raw.open(target.tcp)) as raw:
            for command in commands:
                await refused(raw, command, 409 if b"hello" in command else 400)
    return "400, every one"


ESCAPES = (
    "\x1b[2J", "\x1b]0;owned\x07", "\x1b]52;c;AAAA\x1b\\", "\x9b31m", "\x9d0;owned\x9c", "\x90q\x9c", "\x1bc", "\x0e",
    "\r\x1b[A", "\x08\x08", "\x7f", "\x85", "\u202eevil", "\u2028forged",
)  # fmt: skip
"""ANSI, OSC, DCS and C1 sequences, and what forges a line."""

LAST_ESCAPE = "the last of them"


async def escapes(target: Target, underway: Underway) -> str:
    """Send sequences that drive terminals through everything that takes a text, in both dialects."""
    async with entered(await Raw.open(target.tcp), ROOM, "#pit") as raw, await Raw.open(target.tcp) as plain:
        plain.send("\x1b[2J\nfoeplain\n")
        await plain.until("exit leaves\n")
        for escape in ESCAPES:
            for kind in ("text", "action", "notice"):
                raw.send(line(type="say", to=ROOM, text=f"see {escape} here", kind=kind))
            for command in (
                {"type": "topic", "room": "#pit", "text": escape},
                {"type": "away", "text": escape},
                {"type": "away"},
                {"type": "react", "seq": 1, "reaction": escape},
                {"type": "leave", "room": ROOM, "reason": escape},
                {"type": "join", "room": ROOM, "password": escape},
                {"type": escape},
                {"type": "whois", "name": escape},
                {"type": "search", "text": escape},
            ):
                raw.send(line(**command))
            plain.send(f"{escape}\n/{escape}\n/me {escape}\n/whois {escape}\n/msg {escape} {escape}\n/away {escape}\n")
            await alive(raw)
        plain.send("/exit \x1b[2J\n")
        await plain.end()
        raw.send(line(type="say", to=ROOM, id="last", text=LAST_ESCAPE))
        assert (await reply(raw, "last"))["code"] == 200
        await underway.until_enough()
    return "shown harmless by all that print"
