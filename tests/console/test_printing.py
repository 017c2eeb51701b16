"""What the client without a terminal prints: what happens, the past, and to readers that are slow or gone."""

import asyncio
import json
import os

import pytest

from asyncchat.client import ChatClient, connect
from tests.client.chats import joined, texts
from tests.console.pipes import PATIENCE, Program, line
from tests.server.peers import limited, serving


async def test_what_arrives_is_printed_a_line_each(address: str, bob: ChatClient, program: Program) -> None:
    process = await program.start(address, "--name", "ci", "-r")
    await joined(bob, "ci")
    await bob.say("#lobby", "one\n12:00 eve: forged \x1b[2J")
    await bob.say("ci", "two")
    await bob.say("#lobby", "waves", kind="action")
    await bob.set_topic("#lobby", "news")
    found = [(await line(process))[20:] for _ in range(4)]
    assert found == [
        "#lobby bob: one␊12:00 eve: forged ␛[2J\n",
        "@bob bob: two\n",
        "#lobby * bob waves\n",
        "#lobby * bob set the topic: news\n",
    ]
    process.terminate()
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 143


async def test_events_as_json(address: str, bob: ChatClient, program: Program) -> None:
    process = await program.start(address, "--name", "ci", "--json")
    assert process.stdin is not None
    await joined(bob, "ci")
    said = await bob.say("#lobby", "hé \x9b\u202e\x7f")
    process.stdin.write(b"mine\n")
    assert json.loads(await line(process))["type"] == "joined"
    first = await line(process)
    assert first.isascii()
    assert "\x7f" not in first
    event = json.loads(first)
    assert event == {
        "type": "said",
        "seq": said.seq,
        "time": said.time,
        "from": "bob",
        "to": "#lobby",
        "text": "hé \x9b\u202e\x7f",
        "nonce": said.nonce,
    }
    assert json.loads(await line(process))["text"] == "mine"
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


async def test_what_was_sent_as_json(address: str, bob: ChatClient, program: Program) -> None:
    await bob.say("#lobby", "not mine")
    status, output, _ = await program.run(address, "--name", "ci", "--json", "-w", say="one\ntwo\n")
    assert status == 0
    told = [json.loads(text) for text in output.splitlines()]
    assert [(event["from"], event["text"]) for event in told] == [("ci", "one"), ("ci", "two")]


async def test_lines_of_ones_own_are_not_printed(address: str, bob: ChatClient, program: Program) -> None:
    process = await program.start(address, "--name", "ci")
    assert process.stdin is not None
    await joined(bob, "ci")
    process.stdin.write(b"mine\n")
    assert await texts(bob, 1) == ["mine"]
    await bob.say("#lobby", "yours")
    assert (await line(process)).endswith("#lobby bob: yours\n")


async def test_the_past_first(address: str, bob: ChatClient, program: Program) -> None:
    for number in range(5):
        await bob.say("#lobby", str(number))
    process = await program.start(address, "--name", "ci", "-r", "--history", "2")
    assert [(await line(process))[20:] for _ in range(2)] == ["#lobby bob: 3\n", "#lobby bob: 4\n"]


async def test_more_of_the_past_than_a_page(program: Program) -> None:
    async with serving(limited(page=3)) as server, connect(server.addresses[0], name="bob", rooms=["#lobby"]) as bob:
        for number in range(10):
            await bob.say("#lobby", str(number))
        for count, expected in (("7", range(3, 10)), ("100", range(10))):
            process = await program.start(server.addresses[0], "--name", f"ci{count}", "-r", "--history", count)
            assert [(await line(process))[20:] for _ in expected] == [f"#lobby bob: {number}\n" for number in expected]


async def test_a_reader_that_has_enough(address: str, bob: ChatClient, program: Program) -> None:
    for number in range(5):
        await bob.say("#lobby", str(number))
    status, output, error = await program.shell(
        f"set -o pipefail; $CLIENT {address} --name ci -r --history 2 | head -1"
    )
    assert (status, error) == (0, "")
    assert output.endswith("bob: 3\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
async def test_output_that_is_lost(address: str, bob: ChatClient, program: Program) -> None:
    await bob.say("#lobby", "lost")
    lost = (1, "", "asyncchat: standard output cannot be written: No space left on device\n")
    assert await program.shell(f"$CLIENT {address} --name ci -r --history 5 > /dev/full") == lost
    assert await program.shell(f"printf 'one\\ntwo\\n' | $CLIENT {address} --name ci --json -w > /dev/full") == lost
    assert await texts(bob, 3) == ["lost", "one", "two"]


async def test_no_output_at_all(address: str, bob: ChatClient, program: Program) -> None:
    await bob.say("#lobby", "not missed")
    assert await program.shell(f"$CLIENT {address} --name ci -r --history 5 >&-") == (0, "", "")


async def test_a_reader_that_goes_does_not_keep_lines_from_being_sent(
    address: str, bob: ChatClient, program: Program
) -> None:
    script = f"(sleep 0.3; seq 1 50) | $CLIENT {address} --name ci | true; echo ${{PIPESTATUS[1]}}"
    assert await program.shell(script) == (0, "0\n", "")
    assert await texts(bob, 50) == [str(number) for number in range(1, 51)]


async def test_a_reader_that_is_slow_loses_nothing(address: str, bob: ChatClient, program: Program) -> None:
    process = await program.start(address, "--name", "ci", "-r", "--json")
    await joined(bob, "ci")
    sent = [f"{number} " + "x" * 1000 for number in range(200)]
    await asyncio.gather(*(bob.say("#lobby", text) for text in sent))
    received: list[str] = []
    while len(received) < len(sent):
        event = json.loads(await line(process))
        if event["type"] == "said":
            received.append(event["text"])
    assert received == sent
