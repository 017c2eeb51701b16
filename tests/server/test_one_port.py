"""One port for all: the first bytes decide, and whoever speaks what is told to everyone in one order."""

import asyncio
import ssl

import pytest

from asyncchat import ChatServer
from asyncchat.vocabulary import commands, events
from asyncchat.wire.native import encode_command
from tests.server.peers import Native, Plain, Raw

HELLO = encode_command(commands.Hello(id=1, name="alice"))


@pytest.mark.parametrize("verb", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "PROPFIND", "QUERY"])
async def test_http_is_refused_with_405(server: ChatServer, verb: str) -> None:
    """A browser must not be able to post into the chat."""
    async with await Raw.open(server) as browser:
        target = "example.org:443" if verb == "CONNECT" else "/"
        browser.send(f"{verb} {target} HTTP/1.1\r\nHost: example.org\r\nContent-Length: 6\r\n\r\nalice\nhi\n")
        answer = await browser.end()
        assert answer.startswith("HTTP/1.1 405 ")
        assert "Connection: close\r\n" in answer
    async with await Native.open(server, "bob") as bob:
        assert not (await bob.get(commands.History(to="#lobby"), events.History)).events


@pytest.mark.parametrize("opening", ["NICK alice\r\nUSER a 0 * :A\r\n", "cap ls 302\r\n", "PASS secret\r\n"])
async def test_an_irc_client_is_told_that_irc_is_not_spoken(server: ChatServer, opening: str) -> None:
    async with await Raw.open(server) as client:
        client.send(opening)
        assert (await client.end()).startswith("ERROR :")


async def test_tls_where_there_is_none_is_told_so(server: ChatServer) -> None:
    outgoing = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    async with await Raw.open(server) as client:
        client.send(outgoing.read())
        assert "without TLS" in await client.end()


async def test_a_slow_program_is_greeted_and_served_in_its_own_dialect(server: ChatServer) -> None:
    async with await Native.open(server) as alice:
        assert "What is your name" in await alice.raw.line()
        alice.raw.send(HELLO[:3])
        await asyncio.sleep(0)
        alice.raw.send(HELLO[3:])
        assert isinstance(await alice.reply(1), events.Welcome)
        assert await alice.say("served")


@pytest.mark.parametrize("pieces", [["\r\n", "GET / HTTP/1.1\r\n"], ["LINK", " / HTTP/1.1\r\n"]])
async def test_http_in_pieces_posts_nothing_either(server: ChatServer, pieces: list[str]) -> None:
    async with await Raw.open(server) as browser, await Native.open(server, "bob") as bob:
        for piece in pieces:
            browser.send(piece)
            await bob.get(commands.Ping(), events.Ok)  # they are read one by one
        browser.send("Host: example.org\r\n\r\nmallory\nhi\n")
        assert "not a web server" in await browser.end()
        assert not (await bob.get(commands.History(to="#lobby"), events.History)).events


async def test_an_http_client_that_is_slow_is_still_refused(server: ChatServer) -> None:
    async with await Raw.open(server) as browser:
        await browser.line()
        browser.send("POST / HTTP/1.1\r\n\r\n")
        assert (await browser.end()).startswith("HTTP/1.1 405 ")


async def test_several_dialects_in_one_room_hear_one_order(either: ChatServer) -> None:
    natives = [await Native.open(either, f"native{n}") for n in range(3)]
    plains = [await Plain.enter(either, f"plain{n}") for n in range(3)]
    count = 40
    for n in range(count):
        for number, native in enumerate(natives):
            native.send(commands.Say(to="#lobby", text=f"n{number} {n}"))
        for number, plain in enumerate(plains):
            plain.send(f"p{number} {n}\n")
        await asyncio.sleep(0)  # so that their lines mix

    first = natives[0]
    while len(first.texts()) < 6 * count:
        assert await first.more()
    order = first.texts()
    for number in range(3):
        assert [text for text in order if text.startswith(f"n{number}")] == [f"n{number} {n}" for n in range(count)]
        assert [text for text in order if text.startswith(f"p{number}")] == [f"p{number} {n}" for n in range(count)]
    for native in natives[1:]:
        while len(native.texts()) < 6 * count:
            assert await native.more()
        assert native.texts() == order
    for number, plain in enumerate(plains):
        # Its own lines are not sent back to a person; all others come in the one order.
        others = [text for text in order if not text.startswith(f"p{number}")]
        lines = [await plain.matching(": [np]") for _ in others]
        assert [line.partition(": ")[2] for line in lines] == others
    for native in natives:
        await native.close()
    for plain in plains:
        await plain.close()


async def test_a_client_that_has_sent_all_that_it_will_gets_its_answers(either: ChatServer) -> None:
    """One half of the connection is closed; the other is still read."""
    async with await Native.open(either) as alice:
        alice.send(commands.Hello(id=1, name="alice"), commands.Say(id=2, to="#lobby", text="last words"))
        alice.raw.writer.write_eof()
        assert isinstance(await alice.reply(1), events.Welcome)
        assert isinstance(await alice.reply(2), events.Ok)
        await alice.end()
        assert alice.texts() == ["last words"]


async def test_peers_that_come_and_go_without_a_word(server: ChatServer) -> None:
    for how in ("close", "half", "reset"):
        raw = await Raw.open(server)
        if how == "half":
            raw.writer.write_eof()
            assert await raw.end() == ""
        if how == "reset":
            raw.abort()
        else:
            await raw.close()
    async with await Native.open(server, "alice") as alice:
        assert await alice.say("served")


async def test_a_unix_socket(tmp_path: object) -> None:
    async with (
        ChatServer(listen=[f"unix:{tmp_path}/chat", "tcp://127.0.0.1:0", "tcp://[::1]:0"]) as server,
        await Native.open(server.addresses[0], "alice") as alice,
        await Native.open(server.addresses[1], "bob") as bob,
        await Native.open(server.addresses[2], "carol") as carol,
    ):
        await alice.say("from a file")
        for peer in (bob, carol):
            assert (await peer.event(events.Said)).text == "from a file"
