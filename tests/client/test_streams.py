"""From the name of a server to a connection: all of its addresses are tried, and no socket is left behind."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from asyncchat.client import connect
from asyncchat.client.client_connection import TLS, Streams, open_streams
from asyncchat.vocabulary.addresses import Address
from asyncchat.vocabulary.errors import ConnectionLost
from tests.client.scripted import ScriptedServer

Place = tuple[str, int]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
def nobody() -> Iterator[Place]:
    """Where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()


@pytest.fixture
def silent() -> Iterator[Place]:
    """Where a connection is neither taken nor refused: the queue of those who wait is full."""
    with socket.socket() as sock, socket.socket() as first, socket.socket() as second:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(sock.getsockname())
        yield sock.getsockname()


def addresses(monkeypatch: pytest.MonkeyPatch, *places: Place) -> Address:
    """The address of a server whose name stands for all of these."""

    async def look_up(_: Address) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", place) for place in places]

    monkeypatch.setattr("asyncchat.client.client_connection._look_up", look_up)
    return Address("tcp", "chat.test", 7777)


async def test_the_first_address_that_works_is_taken(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, nobody: Place
) -> None:
    async with connect(addresses(monkeypatch, nobody, ("127.0.0.1", server.port)), name="alice") as chat:
        assert chat.name == "alice"


some_do_not_answer = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems refuse whoever does not fit in the queue"
)


@some_do_not_answer
async def test_while_an_address_does_not_answer_the_others_are_tried(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, silent: Place, nobody: Place
) -> None:
    monkeypatch.setattr("asyncchat.client.client_connection.NEXT_ADDRESS_SECONDS", 0.01)
    monkeypatch.setattr("asyncchat.client.client_connection.ADDRESS_SECONDS", 1000.0)
    places = (silent, silent, nobody, ("127.0.0.1", server.port), silent)
    async with connect(addresses(monkeypatch, *places), name="alice") as chat:
        assert chat.name == "alice"


@some_do_not_answer
async def test_an_address_that_does_not_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch, silent: Place, nobody: Place
) -> None:
    monkeypatch.setattr("asyncchat.client.client_connection.NEXT_ADDRESS_SECONDS", 0.01)
    monkeypatch.setattr("asyncchat.client.client_connection.ADDRESS_SECONDS", 0.04)
    with pytest.raises(ConnectionLost, match=r": Connection refused; no answer in 0 s$"):
        await connect(addresses(monkeypatch, silent, nobody), name="alice")
    monkeypatch.setattr("asyncchat.client.client_connection.CONNECT_SECONDS", 0.01)
    with pytest.raises(ConnectionLost, match="no answer"):
        await connect(addresses(monkeypatch, silent), name="alice")


async def test_what_went_wrong_at_each_address_is_said_once(monkeypatch: pytest.MonkeyPatch, nobody: Place) -> None:
    unreachable = ("255.255.255.255", 1)
    with pytest.raises(ConnectionLost, match=r"^cannot connect to tcp://chat.test:7777: Connection refused; [^;]+$"):
        await connect(addresses(monkeypatch, nobody, unreachable, nobody), name="alice")


async def given_up(dialling: asyncio.Task[Streams], moment: int) -> None:
    """Cancel it after so many steps of the loop, and close what it has opened if it was done by then."""
    for _ in range(moment):
        await asyncio.sleep(0)
    dialling.cancel()
    await asyncio.wait([dialling])
    if not dialling.cancelled():
        (await dialling)[1].transport.abort()


@pytest.mark.parametrize("moment", range(12))
async def test_a_cancelled_attempt_leaves_no_socket_open(server: ScriptedServer, moment: int) -> None:
    dialling = asyncio.create_task(open_streams(Address("tcp", "127.0.0.1", server.port), TLS()))
    await given_up(dialling, moment)
    # What is left open, the end of every test finds (tests/conftest.py).


@some_do_not_answer
@pytest.mark.parametrize("moment", range(16))
async def test_a_cancelled_race_leaves_no_socket_open(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, silent: Place, moment: int
) -> None:
    monkeypatch.setattr("asyncchat.client.client_connection.NEXT_ADDRESS_SECONDS", 0)
    here = ("127.0.0.1", server.port)
    dialling = asyncio.create_task(open_streams(addresses(monkeypatch, silent, here, here, silent), TLS()))
    await given_up(dialling, moment)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks begin at once since Python 3.12")
async def test_tasks_that_begin_at_once_do_no_harm(server: ScriptedServer) -> None:
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
    async with connect(server.address, name="alice") as chat:
        await chat.say("#lobby", "hi")


def test_a_file_of_certificates_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read for each connection."""
    monkeypatch.chdir(tmp_path)
    tls = TLS(ca="ca.pem")
    monkeypatch.chdir("/")
    assert tls.ca == tmp_path / "ca.pem"
