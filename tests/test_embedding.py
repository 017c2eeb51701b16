"""Every piece of code in docs/embedding.md does what the text around it says."""

import ast
import asyncio
import contextlib
import inspect
import logging
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

import asyncchat
from asyncchat import Backoff, ChatClient, ChatServer, Code, Refused, commands, connect, events
from asyncchat.client.actions import ClientCommands
from asyncchat.core.session import Session
from asyncchat.server.operator import Operator
from tests.markdown import ROOT, blocks
from tests.programs import python, run, running

DOCUMENT = ROOT / "docs" / "embedding.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
BLOCKS = blocks(DOCUMENT, "python")
ADDRESS = "tcp://127.0.0.1:7777"  # in the document's code; the tests put another one in its place
FREE = "tcp://127.0.0.1:0"


def source(heading: str, number: int = 0, address: str = FREE) -> str:
    """The code that stands under a heading, with this address in it."""
    return [block.text for block in BLOCKS if block.heading == heading][number].replace(ADDRESS, address)


def names(heading: str, number: int = 0, address: str = FREE, **more: Any) -> dict[str, Any]:
    """What the code under a heading defines, with the names at hand that the document says."""
    namespace = {name: getattr(asyncchat, name) for name in asyncchat.__all__}
    namespace |= {"asyncchat": asyncchat, "asyncio": asyncio, "logging": logging, "signal": signal}
    namespace |= more
    exec(compile(source(heading, number, address=address), f"{DOCUMENT.name}: {heading}", "exec"), namespace)
    return namespace


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with ChatServer(listen=[FREE]) as server:
        yield server


@pytest.fixture
def listening(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], Awaitable[str]]]:
    """Await a server of this process that is about to listen: gives its address."""
    addresses: asyncio.Queue[str] = asyncio.Queue()

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.msg == "Listening on %s":
                assert isinstance(record.args, tuple)
                addresses.put_nowait(str(record.args[0]))

    handler = Listening()
    with caplog.at_level(logging.INFO, "asyncchat.server"):
        logging.getLogger("asyncchat.server").addHandler(handler)
        yield addresses.get
        logging.getLogger("asyncchat.server").removeHandler(handler)


@contextlib.asynccontextmanager
async def beside(coroutine: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """Run a coroutine beside the block; at its end it is cancelled if it is not done, and what it raised is raised."""
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        if not task.cancelling():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def heard(chat: ChatClient, sender: str) -> events.Said:
    async for event in chat:
        if isinstance(event, events.Said) and event.sender == sender:
            return event
    raise AssertionError("the client was closed")


def test_all_code_of_the_document_is_run() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    run_here = re.findall(r"""(?:source|names)\(\s*["']([^"']+)["'](?:, (\d))?""", here)
    counts: dict[str, int] = {}
    for block in BLOCKS:
        number = counts[block.heading] = counts.get(block.heading, -1) + 1
        assert (block.heading, str(number) if number else "") in run_here, f"{DOCUMENT.name}:{block.line}"
        ast.parse(block.text)


# --- a server in your app ---------------------------------------------------------------------------------------------


async def test_a_server_in_your_app(tmp_path: Path) -> None:
    program = source("A server in your app")
    async with running(*python("-c", program), folder=tmp_path) as app:
        address = (await app.until(r"^people can connect to (\S+)$"))[1]
        async with connect(address, name="alice", reconnect=False) as alice:
            await alice.say("#lobby", "hi")
            app.interrupt()
            async for event in alice:
                if isinstance(event, events.Bye):
                    break
        status, errors = await app.end()
        assert errors.rstrip().endswith("KeyboardInterrupt")  # as of any program of asyncio
        assert status == -signal.SIGINT
    assert (tmp_path / "chat-data" / "asyncchat.db").exists()


async def test_serve_runs_until_it_is_cancelled(
    listening: Callable[[], Awaitable[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[int] = []

    async def other_work() -> None:
        async with connect(await listening(), name="alice", reconnect=False) as alice:
            said.append((await alice.say("#lobby", "hi")).seq)
        raise NotImplementedError("the end of the app")

    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        await names("A server in your app", 1, other_work=other_work)["app"]()
    assert said


async def test_the_options_of_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    server: ChatServer = names("Options of the server")["server"]
    async with server, connect("unix:chat.sock", name="alice") as alice:
        assert [address.partition(":")[0] for address in server.addresses] == ["tcp", "unix"]
        assert alice.joined == {"#hall"}
        assert (alice.welcome.server, alice.welcome.motd) == ("The workshop", "Be kind.")
        assert alice.welcome.limits["text"] == 2000
        with pytest.raises(Refused, match="403"):
            await alice.register()


def test_the_options_are_those_of_the_server() -> None:
    listed = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", TEXT, re.MULTILINE)
    options = inspect.signature(ChatServer).parameters.values()
    assert [name for name, _ in listed] == [option.name for option in options]
    assert all(option.kind is option.KEYWORD_ONLY and option.default is not option.empty for option in options)
    defaults = {name: default.strip("`") for name, default in listed}
    assert ast.literal_eval(defaults["listen"]) == list(inspect.signature(ChatServer).parameters["listen"].default)
    assert ast.literal_eval(defaults["data"]) == inspect.signature(ChatServer).parameters["data"].default


async def test_reload_puts_settings_into_force(server: ChatServer) -> None:
    async with server.connect("alice") as alice:
        server.reload(asyncchat.Settings(limits=asyncchat.Limits(text=3)))
        with pytest.raises(Refused) as refused:
            await alice.say("#lobby", "four")
    assert refused.value.code == Code.TOO_LONG


async def test_looking_after_it(server: ChatServer, tmp_path: Path) -> None:
    look_after = names("Looking after it", Path=Path)["look_after"]
    async with server.connect("bob") as bob:
        assert await look_after(server, tmp_path / "copy.db") == 1
        async for event in bob:
            if isinstance(event, events.Notice):
                assert event.text == "the water boils at noon"
                break
        with pytest.raises(Refused) as refused:
            await bob.say("#lobby", "not in a moderated room")
        assert refused.value.code == Code.FORBIDDEN
    assert (tmp_path / "copy.db").exists()
    assert [(account.name, account.administrator) for account in server.operator.accounts()] == [("alice", True)]


def test_the_members_that_are_listed_are_all_there_are() -> None:
    """Beside those of its life and of its clients, which have sections of their own."""
    section = TEXT.partition("\n## Looking after it\n")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| `(\w+)", section, re.MULTILINE))
    public = {name for name in vars(ChatServer) if not name.startswith("_")}
    assert listed == public - {"start", "aclose", "connect", "handle_client"} | {"operator"}
    offered = {name for name in vars(Operator) if not name.startswith("_")} - {"arrived", "part"}
    assert offered <= set(re.findall(r"`(\w+)`", section))


def refused(session: Session, command: type) -> bool:
    try:
        session.require(command)
    except Refused:
        return True
    return False


async def test_the_commands_that_are_not_for_the_operator_are_listed(server: ChatServer) -> None:
    sentence = TEXT.partition("is refused with code 403: ")[2].partition(". ")[0]
    session = server.operator.session
    found = {kind.__name__ for kind in get_args(commands.Command) if refused(session, kind)}
    assert set(re.findall(r"`(\w+)`", sentence)) == found - {"Hello", "Quit", "Pong"}  # which belong to a connection


async def test_what_a_start_raises(server: ChatServer, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="in use"):
        await ChatServer(listen=server.addresses).start()
    with pytest.raises(ValueError, match="unknown kind of address"):
        await ChatServer(listen=["gopher://x"]).start()
    async with ChatServer(listen=[], data=tmp_path):
        with pytest.raises(asyncchat.StorageError, match="another process"):
            await ChatServer(listen=[], data=tmp_path).start()


async def test_a_client_in_the_same_process(server: ChatServer) -> None:
    watch = names("A client in the same process")["watch"]
    async with server.connect("alice", rooms=["#alarms"]) as alice:
        await watch(server)
        assert await alice.topic("#alarms") == "what went wrong"
        assert (await heard(alice, "monitor")).text == "the boiler is at 97 °C"


async def test_a_registered_name_can_be_had_again_at_once(server: ChatServer) -> None:
    async with server.connect("bot") as bot:
        await bot.register("correct horse")
        async with server.connect("bot", password="correct horse") as again:
            assert again.name == "bot"


async def test_a_client_in_the_same_process_that_is_cancelled_twice_ends(server: ChatServer) -> None:
    here = asyncio.Event()

    async def bot() -> None:
        async with server.connect("bot"):
            here.set()
            await asyncio.get_running_loop().create_future()

    async with beside(bot()) as task:
        await here.wait()
        task.cancel()
        await asyncio.sleep(0)  # it says goodbye now
        task.cancel()


async def test_a_listener_of_your_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listeners: asyncio.Queue[asyncio.Server] = asyncio.Queue()
    start_server = asyncio.start_server

    async def listen(handler: Any, host: str, port: int) -> asyncio.Server:
        assert (host, port) == ("127.0.0.1", 7777)
        listener = await start_server(handler, host, 0)
        listeners.put_nowait(listener)
        return listener

    monkeypatch.setattr(asyncio, "start_server", listen)
    async with beside(names("A listener of your own")["main"]()) as app:
        port = (await listeners.get()).sockets[0].getsockname()[1]
        async with connect(f"tcp://127.0.0.1:{port}", name="alice", reconnect=False) as alice:
            await alice.say("#lobby", "hi")
            app.cancel()
            async for event in alice:
                if isinstance(event, events.Bye):
                    break


async def test_shutting_down(
    listening: Callable[[], Awaitable[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with beside(names("Shutting down")["main"]()) as app:
        async with connect(await listening(), name="alice", reconnect=False) as alice:
            await alice.say("#lobby", "hi")
            os.kill(os.getpid(), signal.SIGTERM)
            async for event in alice:
                if isinstance(event, events.Bye):
                    break
        await app


# --- a client ---------------------------------------------------------------------------------------------------------


async def test_a_client(server: ChatServer) -> None:
    program = source("A client", address=server.addresses[0])
    status, output, errors = await run(*python("-c", program))
    assert (status, errors) == (0, "")
    assert re.fullmatch(r"kept as \d+ at \d\d:\d\d\nalice online\n2 messages, complete: True\n", output)


async def test_many_messages_under_way(server: ChatServer) -> None:
    async with server.connect("ci", rooms=["#ops"]) as chat:
        lines = [f"line {i}" for i in range(50)]
        seqs = await names("A client", 1)["report"](chat, lines)
        page = await chat.history("#ops")
        assert [(event.seq, event.text) for event in page.events if isinstance(event, events.Said)] == [
            *zip(seqs, lines, strict=True)
        ]


async def test_the_same_person_every_time(server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCCHAT_CONFIG_DIR", str(tmp_path))
    same_person = names("A client", 2, server.addresses[0])["same_person_every_time"]
    await same_person()
    await same_person()
    with pytest.raises(Refused) as refused:
        async with asyncchat.connect(server.addresses[0], name="robot"):
            pass
    assert refused.value.code == Code.WRONG_PASSWORD
    async with server.connect("robot") as robot:  # the app's own clients need no proof
        assert robot.welcome.registered
    assert modes(tmp_path, "*.json") == [0o600]


def modes(folder: Path, pattern: str) -> list[int]:
    return [path.stat().st_mode & 0o777 for path in folder.rglob(pattern)]


def test_the_methods_that_are_listed_are_all_there_are() -> None:
    paragraph = re.search(r"There is a method for each command(.*?)\n\n", TEXT, re.DOTALL)
    assert paragraph is not None
    listed = {*re.findall(r"`(\w+)`", paragraph[1])}
    offered = {name for name in vars(ClientCommands) if not name.startswith("_")} | {"say", "typing"}
    assert listed == offered
    about_itself = {"aclose", "cursor", "joined", "name", "request", "state", "token", "welcome"}
    assert {name for name in dir(asyncchat.ChatClient) if not name.startswith("_")} == offered | about_itself


def test_the_figures_are_those_of_the_code() -> None:
    limits = asyncchat.Limits()
    assert f"`rate` ({limits.rate:.0f} a second, after a\n`burst` of {limits.burst})" in TEXT
    assert f"a queue of {inspect.signature(connect).parameters['queue'].default:,} events" in TEXT
    assert f"grows up to {Backoff().longest:.0f} seconds" in TEXT


# --- events -----------------------------------------------------------------------------------------------------------


class Line:
    """A way to a server that can be cut and mended."""

    def __init__(self, server: ChatServer) -> None:
        self._server = server
        self._writers: list[asyncio.StreamWriter] = []
        self._port = 0

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self._port}"

    async def mend(self) -> None:
        self._listener = await asyncio.start_server(self._door, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self._listener.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _door(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        await self._server.handle_client(reader, writer)


@pytest.fixture
async def line(server: ChatServer) -> AsyncIterator[Line]:
    line = Line(server)
    await line.mend()
    yield line
    line.cut()


SOON = Backoff(first=0.01, longest=0.05)


async def until_resumed(chat: ChatClient) -> list[events.Event]:
    before: list[events.Event] = []
    async for event in chat:
        if isinstance(event, asyncchat.Resumed):
            break
        before.append(event)
    return before


async def test_events(server: ChatServer, line: Line) -> None:
    printed: asyncio.Queue[str] = asyncio.Queue()
    greeter = names("Events", print=printed.put_nowait)["greeter"]
    async with (
        connect(line.address, name="bot", reconnect=SOON) as bot,
        beside(greeter(bot)),
        server.connect("alice") as alice,
    ):
        hello = await heard(alice, "bot")
        assert (hello.text, hello.kind) == ("hello alice", "notice")
        await alice.say("bot", "good morning")
        assert await printed.get() == "alice writes: good morning"
        line.cut()
        await alice.say("bot", "are you there?")
        await line.mend()
        assert await printed.get() == "alice writes: are you there?"
        assert re.fullmatch(
            r"the connection was lost and is back; 1 events were missed, and have come above", await printed.get()
        )


def test_the_events_that_are_listed_are_all_that_are_given() -> None:
    listed = {
        kind: set(re.findall(r"`([A-Z]\w+)`", text))
        for kind, text in re.findall(r"^- \*(Kept|Passing)\* events(.*?)(?=^- |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    }
    kept = {kind.__name__ for kind in get_args(events.KeptEvent)}
    inside = {"Gap", "Ping"}  # answered by the library
    assert listed["Kept"] == kept
    assert listed["Passing"] - {"Resumed"} == {kind.__name__ for kind in get_args(events.Event)} - kept - inside


# --- errors -----------------------------------------------------------------------------------------------------------


async def test_errors(server: ChatServer) -> None:
    tell = names("Errors")["tell"]
    async with server.connect("alice") as alice, server.connect("bob") as bob:
        assert await tell(alice, "bob", "hi") is True
        assert (await heard(bob, "alice")).text == "hi"
        assert await tell(alice, "nobody", "hi") is False
        with pytest.raises(Refused, match="400"):
            await tell(alice, "bob", "")


def test_the_codes_are_those_of_the_code() -> None:
    listed = {int(number): name for number, name in re.findall(r"(\d{3}) `([A-Z_]+)`", TEXT)}
    assert listed == {number: Code(number).name for number in listed}
    assert {code for code in Code if code >= 400} - listed.keys() == {Code.LOGIN_FIRST, Code.SERVER_FAULT}


# --- lost connections -------------------------------------------------------------------------------------------------


async def test_what_is_said_meanwhile_waits_and_what_was_missed_comes_first(server: ChatServer, line: Line) -> None:
    async with connect(line.address, name="bot", reconnect=SOON) as bot, server.connect("alice") as alice:
        line.cut()
        missed = [await alice.say("#lobby", "one"), await alice.say("#lobby", "two")]
        saying = asyncio.create_task(bot.say("#lobby", "three"))
        await line.mend()
        said = await saying
        before = await until_resumed(bot)
        assert [event for event in before if isinstance(event, events.Said)] == missed
        assert await heard(bot, "bot") == said


async def test_what_cannot_be_sent_again_raises(server: ChatServer, line: Line) -> None:
    async with connect(line.address, name="bot", reconnect=False) as bot:
        line.cut()
        with pytest.raises(asyncchat.ConnectionLost):
            await until_resumed(bot)
        with pytest.raises(asyncchat.ConnectionLost):
            await bot.leave("#lobby")


async def test_no_server_and_no_entry(server: ChatServer) -> None:
    with pytest.raises(asyncchat.ConnectionLost, match="Connection refused"):
        await connect("tcp://127.0.0.1:1", name="bot")
    async with server.connect("bot"):
        with pytest.raises(Refused, match="409"):
            await connect(server.addresses[0], name="bot")


async def test_a_limit_of_ones_own(server: ChatServer, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    say_soon = names("Lost connections")["say_soon"]
    async with connect(line.address, name="bot", rooms=["#ops"], reconnect=SOON) as bot:
        said = await say_soon(bot, "hi")
        assert said is not None
        assert said.text == "hi"
        line.cut()
        at_once = asyncio.timeout
        monkeypatch.setattr(asyncio, "timeout", lambda seconds: at_once(0 if seconds == 10 else seconds))
        assert await say_soon(bot, "hi again") is None


async def test_across_runs(server: ChatServer) -> None:
    address = server.addresses[0]
    since_last_time = names("Lost connections", 1, address)["since_last_time"]
    async with server.connect("alice") as alice:
        async with connect(address, name="reader") as reader:
            token, cursor = reader.token, reader.cursor
        for expected in (["one", "two"], ["three"], []):
            for text in expected:
                await alice.say("#lobby", text)
            texts, cursor = await since_last_time(token, cursor)
            assert texts == expected


# --- the rest ---------------------------------------------------------------------------------------------------------


async def test_a_slow_program_misses_nothing(server: ChatServer) -> None:
    async with server.connect("slow", queue=3) as slow, server.connect("alice") as alice:
        said = [await alice.say("#lobby", f"message {i}") for i in range(30)]
        assert [await heard(slow, "alice") for _ in said] == said


async def test_logging() -> None:
    levels = (
        "print(logging.getLogger('asyncchat.server').getEffectiveLevel(), logging.getLogger('x').getEffectiveLevel())"
    )
    status, output, errors = await run(*python("-c", f"import logging\n{source('Logging')}\n{levels}"))
    assert (status, output, errors) == (0, f"{logging.WARNING} {logging.INFO}\n", "")
    for name in re.findall(r"`(asyncchat\.\w+)`", TEXT.partition("## Logging")[2]):
        uses = [
            path for path in (ROOT / "asyncchat").rglob("*.py") if f'getLogger("{name}")' in path.read_text("utf-8")
        ]
        assert uses, name


async def test_in_your_tests() -> None:
    await names("In your tests", greeter=names("Events")["greeter"])["test_the_greeter"]()
