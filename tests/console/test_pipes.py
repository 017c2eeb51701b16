"""The client without a terminal, as scripts use it: what it sends, and how it ends."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from asyncchat import __version__
from asyncchat.client import ChatClient, connect
from asyncchat.console.pipes import IN_FLIGHT, IN_FLIGHT_BYTES
from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.terms import Code
from tests.client.chats import joined, texts
from tests.client.scripted import Peer, ScriptedServer
from tests.console.pipes import PATIENCE, Program, line
from tests.server.peers import limited, serving

# --- sending --------------------------------------------------------------------------------------------------------


async def test_one_message_from_a_script(address: str, bob: ChatClient, program: Program) -> None:
    await bob.join("#ops")
    result = await program.shell(f"echo deployed | $CLIENT {address} --name ci --to '#ops' -w")
    assert result == (0, "", "")
    (said,) = (await bob.history("#ops")).events
    assert isinstance(said, events.Said)
    assert (said.sender, said.text) == ("ci", "deployed")
    again = await program.shell(f"echo again | $CLIENT {address} --name ci --to '#ops' -w")
    assert again == (0, "", "")


async def test_each_line_is_a_message_and_all_are_there_at_the_end(
    address: str, bob: ChatClient, program: Program
) -> None:
    lines = [f"line {number} ü 你" for number in range(150)]
    status, _, error = await program.run(address, "--name", "ci", "-w", say="\n".join(lines))
    assert (status, error) == (0, "")
    page = await bob.history("#lobby", limit=200)
    assert [event.text for event in page.events if isinstance(event, events.Said)] == lines


async def test_lines_that_look_like_commands_and_empty_ones(address: str, bob: ChatClient, program: Program) -> None:
    say = "/quit\r\n\n\r\n  //x  \n \t \r\n\u3000\nlast"
    status, _, error = await program.run(address, "--name", "ci", "-w", say=say)
    assert (status, error) == (0, "")
    assert await texts(bob, 3) == ["/quit", "  //x  ", "last"]


async def test_a_message_to_a_person_enters_no_room(address: str, bob: ChatClient, program: Program) -> None:
    status, _, _ = await program.run(address, "--name", "ci", "--to", "bob", "-w", say="psst")
    assert status == 0
    await bob.say("#lobby", "end")
    seen = []
    async for event in bob:
        if isinstance(event, events.Said | events.Joined):
            seen.append(event.text if isinstance(event, events.Said) else event.name)
            if seen[-1] == "end":
                break
    assert seen[-2:] == ["psst", "end"]
    assert "ci" not in seen


async def test_what_is_refused_is_said_and_the_rest_is_sent(address: str, bob: ChatClient, program: Program) -> None:
    say = b"good\n" + b"x" * 20_000 + b"\n\xff\xfe\nalso good\n"
    status, _, error = await program.run(address, "--name", "ci", "-w", say=say)
    assert status == 1
    assert error.splitlines() == [
        "asyncchat: line 2 is not sent: it is longer than a message may be",
        "asyncchat: line 3 is not sent: it is not UTF-8",
    ]
    assert await texts(bob, 2) == ["good", "also good"]


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux only")
async def test_a_line_without_end_takes_no_memory(address: str, bob: ChatClient, program: Program) -> None:
    """300 MB in one line: refused at the limit, and what follows is sent."""
    measured = (
        "import resource, subprocess, sys; status = subprocess.call(sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(status)"
    )
    line = "head -c 300000000 /dev/zero | tr '\\0' x"
    client = f"{sys.executable} -c '{measured}' $CLIENT {address} --name ci -w"
    status, output, error = await program.shell(f"({line}; echo; echo end) | {client}")
    assert (status, error) == (1, "asyncchat: line 1 is not sent: it is longer than a message may be\n")
    assert int(output) < 120_000
    assert await texts(bob, 1) == ["end"]


async def test_a_byte_order_mark_is_no_text(address: str, bob: ChatClient, program: Program) -> None:
    assert await program.run(address, "--name", "ci", "-w", say=b"\xef\xbb\xbfhi\n\xef\xbb\xbfho\n") == (0, "", "")
    assert await texts(bob, 2) == ["hi", "\ufeffho"]


async def test_jobs_that_share_a_name(address: str, bob: ChatClient, program: Program) -> None:
    """Jobs side by side, none of which has a token: with ``--any-name`` each gets a number."""
    async with connect(address, name="ci"), connect(address, name="ci-2"):
        assert await program.run(address, "--name", "ci", "-w", say="lost") == (1, "", "asyncchat: ci is taken (409)\n")
        assert await program.run(address, "--name", "ci", "--any-name", "-w", say="hi") == (0, "", "")
    said = [event for event in (await bob.history("#lobby")).events if isinstance(event, events.Said)]
    assert [(event.sender, event.text) for event in said] == [("ci-3", "hi")]


async def test_an_error_that_is_not_about_the_name_ends_any_name(address: str, program: Program) -> None:
    status, _, error = await program.run(address, "--name", "#", "--any-name", "-w", say="hi")
    assert status != 0
    assert "#" in error


async def test_nobody_of_that_name(address: str, program: Program) -> None:
    status, output, error = await program.run(address, "--name", "ci", "--to", "nobody", "-w", say="hi")
    assert (status, output, error) == (1, "", "asyncchat: line 1 is not sent: no such user: nobody (404)\n")


async def test_a_room_that_cannot_be_entered(address: str, bob: ChatClient, program: Program) -> None:
    """A script must not wait for ever for what is said where it is not."""
    await bob.join("#den")
    await bob.set_room("#den", password="sesame")
    why = "asyncchat: not in #den: #den has a password (403)\n"
    assert await program.run(address, "--name", "ci", "--room", "#den", "-r") == (1, "", why)
    options = ("--name", "ci", "--room", "#LOBBY", "--room", "#den", "-w")
    assert await program.run(address, *options, say="hi") == (1, "", why)
    assert await texts(bob, 1) == ["hi"]


async def test_a_name_that_is_taken(address: str, bob: ChatClient, program: Program) -> None:
    result = await program.run(address, "--name", "bob", "-w", say="hi")
    assert result == (1, "", "asyncchat: bob is taken (409)\n")


async def test_an_unreachable_server(program: Program) -> None:
    async with ScriptedServer() as server:
        address = server.address
    status, output, error = await program.run(address, "--name", "ci", "-w", say="hi")
    assert (status, output) == (1, "")
    assert error == f"asyncchat: cannot connect to {address}: Connection refused\n"


async def test_an_error_of_the_server_cannot_drive_the_terminal(scripted: ScriptedServer, program: Program) -> None:
    scripted.take_over(commands.Hello, scripted.refuse(Code.FORBIDDEN, "no\x1b]0;owned\x07\x9b2J\ninjected"))
    status, _, error = await program.run(scripted.address, "--name", "ci", "-w", say="hi")
    assert (status, error) == (1, "asyncchat: no␛]0;owned␇\ufffd2J␊injected (403)\n")


async def test_what_is_not_acknowledged_in_time_is_not_sent(scripted: ScriptedServer, program: Program) -> None:
    scripted.take_over(commands.Say, lambda peer, say: None)
    result = await program.run(scripted.address, "--name", "ci", "-w", "--timeout", "0.1", say="hi")
    assert result == (1, "", "asyncchat: line 1 is not acknowledged after 0.1 s\n")


async def test_a_long_text_does_not_wait_for_each_of_its_lines(scripted: ScriptedServer, program: Program) -> None:
    say = "\n".join(map(str, range(20_000)))
    scripted.take_over(commands.Say, lambda peer, say: None)
    status, _, error = await program.run(scripted.address, "--name", "ci", "-w", "--timeout", "0.3", say=say)
    complaints = error.splitlines()
    assert status == 1
    assert "asyncchat: line 1 is not acknowledged after 0.3 s" in complaints
    assert sum("and what follows is not sent" in line for line in complaints) == 1
    assert len(complaints) == IN_FLIGHT + 1


async def test_lines_that_the_server_slows_down_are_not_given_up(program: Program) -> None:
    """The last of those in flight waits longer than the timeout, behind our own."""
    lines = list(map(str, range(IN_FLIGHT)))
    async with serving(limited(rate=25, burst=1)) as server, connect(server.addresses[0], name="bob") as bob:
        options = ("--name", "ci", "-w", "--timeout", "1")
        assert await program.run(str(server.addresses[0]), *options, say="\n".join(lines)) == (0, "", "")
        assert await texts(bob, len(lines)) == lines


async def test_an_open_input_does_not_hide_that_nothing_is_acknowledged(
    scripted: ScriptedServer, program: Program
) -> None:
    scripted.take_over(commands.Say, lambda peer, say: None)
    process = await program.start(scripted.address, "--name", "ci", "-w", "--timeout", "0.1")
    assert process.stdin is not None
    process.stdin.write(b"hi\n")
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 1
    assert process.stderr is not None
    assert (await process.stderr.read()).decode().splitlines() == [
        "asyncchat: line 1 is not acknowledged after 0.1 s",
        "asyncchat: line 2 and what follows is not sent",
    ]


async def test_long_lines_do_not_crowd_the_way(scripted: ScriptedServer, program: Program) -> None:
    scripted.take_over(commands.Say, lambda peer, say: None)
    text = "x" * (IN_FLIGHT_BYTES // 3 - len("\n"))
    status, _, error = await program.run(scripted.address, "--name", "ci", "-w", "--timeout", "1", say=f"{text}\n" * 10)
    assert status == 1
    assert error.splitlines()[-1] == "asyncchat: line 4 and what follows is not sent"
    assert len(scripted.all(commands.Say)) == 3


async def test_a_line_longer_than_what_may_be_on_the_way(program: Program) -> None:
    text = "x" * (2 * IN_FLIGHT_BYTES)
    settings = limited(text=len(text), line=2 * len(text))
    async with serving(settings) as server, connect(server.addresses[0], name="bob") as bob:
        say = f"before\n{text}\nafter\n"
        assert await program.run(str(server.addresses[0]), "--name", "ci", "-w", say=say) == (0, "", "")
        assert await texts(bob, 3) == ["before", text, "after"]


async def test_a_cut_on_the_way_is_survived(scripted: ScriptedServer, program: Program) -> None:
    scripted.take_over(commands.Say, lambda peer, say: peer.cut())
    process = await program.start(scripted.address, "--name", "ci", "-w")
    assert process.stdin is not None
    process.stdin.write(b"hi\n")
    process.stdin.close()
    await scripted.wait_for(commands.Say)
    scripted.take_over(commands.Say, None)
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    assert [said.text for said in scripted.log] == ["hi"]


async def test_a_goodbye_for_good(scripted: ScriptedServer, program: Program) -> None:
    process = await program.start(scripted.address, "--name", "ci", "-r")
    await scripted.wait_for(commands.Ping)
    scripted.said("hello")
    assert (await line(process)).endswith("bob: hello\n")
    scripted.part(events.Bye(code=Code.FORBIDDEN, reason="you are banned"))
    status, output, error = await program.finish(process, "")
    assert status == 1
    assert "goodbye: you are banned" in output
    assert error == "asyncchat: you are banned\n"


async def _acknowledged_and_never_told(scripted: ScriptedServer, process: asyncio.subprocess.Process) -> None:
    """The client has sent all, and waits to print its own line, which does not come."""

    def keep(peer: Peer, say: commands.Say) -> None:
        kept = scripted.keep(say.text, to=say.to, sender=peer.name, nonce=say.nonce)
        peer.tell(events.Ok(id=say.id, code=Code.OK, seq=kept.seq))

    scripted.take_over(commands.Say, keep)
    assert process.stdin is not None
    process.stdin.write(b"hi\n")
    process.stdin.close()
    await scripted.wait_for(commands.Sync)  # by which it asks for what it was not told
    for count in range(1, 11):  # its tasks go on between them, until all but this has been done
        scripted.tell(events.Ping())
        await scripted.wait_for(commands.Pong, count)


async def test_a_goodbye_before_the_last_line_came_back(scripted: ScriptedServer, program: Program) -> None:
    process = await program.start(scripted.address, "--name", "ci", stdout=asyncio.subprocess.DEVNULL)
    await _acknowledged_and_never_told(scripted, process)
    scripted.part(events.Bye(code=Code.FORBIDDEN, reason="you are banned"))
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 1
    assert process.stderr is not None
    assert await process.stderr.read() == b"asyncchat: you are banned\n"


async def test_a_reader_that_goes_before_the_last_line_came_back(scripted: ScriptedServer, program: Program) -> None:
    output, its_end = os.pipe()
    process = await program.start(scripted.address, "--name", "ci", stdout=its_end)
    os.close(its_end)
    await _acknowledged_and_never_told(scripted, process)
    os.close(output)
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    assert process.stderr is not None
    assert await process.stderr.read() == b""


async def test_input_from_a_file_and_from_nowhere(
    address: str, bob: ChatClient, program: Program, tmp_path: Path
) -> None:
    (tmp_path / "lines").write_text("one\ntwo\n")
    assert await program.shell(f"$CLIENT {address} --name ci -w < {tmp_path}/lines") == (0, "", "")
    assert await texts(bob, 2) == ["one", "two"]
    assert await program.shell(f"$CLIENT {address} --name ci < /dev/null") == (0, "", "")
    assert await program.shell(f"$CLIENT {address} --name ci <&-") == (0, "", "")


# --- together -------------------------------------------------------------------------------------------------------


async def test_listening_and_writing_under_one_name_started_in_one_moment(
    address: str, bob: ChatClient, program: Program
) -> None:
    listening, writing = await asyncio.gather(
        program.start(address, "--name", "alice", "-r"), program.start(address, "--name", "alice", "-w")
    )
    await joined(bob, "alice")
    while (await bob.whois("alice")).sessions < 2:
        pass
    assert writing.stdin is not None
    writing.stdin.write(b"from the one that writes\n")
    assert (await line(listening)).endswith("alice: from the one that writes\n")
    writing.stdin.close()
    assert await asyncio.wait_for(writing.wait(), PATIENCE) == 0
    listening.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(listening.wait(), PATIENCE) == 130
    assert listening.stderr is not None
    assert await listening.stderr.read() == b""


async def test_standard_streams_are_given_back_as_they_were(address: str, program: Program) -> None:
    script = (
        f"(echo hi | $CLIENT {address} --name ci -w; $CLIENT {address} --name ci < /dev/null;"
        f" {sys.executable} -c 'import os; print([os.get_blocking(fd) for fd in range(3)])') | cat"
    )
    status, output, error = await program.shell(script)
    assert (status, output, error) == (0, "[True, True, True]\n", "")


# --- the command line -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["-r", "-w"], "not allowed with argument"),
        (["http://host"], "unknown kind of address 'http'"),
        (["host:99999"], "not a port"),
        (["--history", "many"], "not a number of messages: 'many'"),
        (["--timeout", "-1"], "not a number of seconds: '-1'"),
        (["--fingerprint", "00"], "64 hexadecimal digits"),
        (["--ca", "/no/such/file"], "no such file: '/no/such/file'"),
        (["--password-file", "/no/such/file"], "/no/such/file: No such file or directory"),
        (["--password-file", "/dev/null"], "no password in the first line"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["--name", ""], "argument --name: an empty name"),
        (["--to", ""], "argument --to: an empty name"),
        (["--room", ""], "argument --room: an empty name"),
        (["--name", "\udcff"], r"argument --name: not UTF-8: '\udcff'"),
        (["--to", "#\udcff"], r"argument --to: not UTF-8: '#\udcff'"),
        (["--room", "#\udcff"], r"argument --room: not UTF-8: '#\udcff'"),
        (["--fingerprint", "00" * 32], "--ca and --fingerprint are for tls:// addresses"),
        (["tcp://host", "--ca", __file__], "--ca and --fingerprint are for tls:// addresses"),
        (["unix:socket", "--ca", __file__], "--ca and --fingerprint are for tls:// addresses"),
    ],
)
async def test_bad_usage(program: Program, options: list[str], complaint: str) -> None:
    status, output, error = await program.run(*options)
    assert (status, output) == (2, "")
    assert complaint in error


async def test_passwords_that_are_not_utf_8(environment: dict[str, str], program: Program, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"\xff\n")
    status, _, error = await program.run("--password-file", str(secret))
    assert status == 2
    assert error.endswith(f"error: {secret}: not UTF-8\n")
    for variable in ("ASYNCCHAT_PASSWORD", "ASYNCCHAT_SERVER_PASSWORD"):
        environment[variable] = "\udcff"
        status, _, error = await program.run()
        assert status == 2
        assert error.endswith(f"error: {variable}: not UTF-8\n")
        del environment[variable]


async def test_help_and_version(program: Program) -> None:
    status, output, _ = await program.run("--help")
    assert status == 0
    for part in ("--read-only", "exit status:", "examples:", "ASYNCCHAT_PASSWORD"):
        assert part in output
    assert max(map(len, output.splitlines())) <= 100
    assert await program.run("--version") == (0, f"asyncchat {__version__}\n", "")


async def test_a_password_from_a_file(address: str, program: Program, tmp_path: Path) -> None:
    async with connect(address, name="ci") as chat:
        await chat.register("correct horse")
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    assert (await program.run(address, "--name", "ci", "-w", say="hi"))[0] == 1
    assert await program.run(address, "--name", "ci", "-w", "--password-file", str(secret), say="hi") == (0, "", "")
    assert await program.run(address, "--name", "ci", "-w", say="the token is kept") == (0, "", "")
