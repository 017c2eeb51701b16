"""A server that speaks enough native for the load generator, and can be told to do wrong."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

WELCOME = {
    "type": "welcome",
    "id": 1,
    "code": 202,
    "server": "faulty",
    "version": "1",
    "epoch": "e",
    "seq": 0,
    "time": "2026-01-02T03:04:05.678Z",
    "rooms": [],
    "limits": {"rate": 0},
}

Fault = Callable[[int, int, bytes], list[bytes]]
"""Given a client's number, a message's number and its line: the lines that the client is sent instead."""


class Server:
    """All clients are in one room.

    The message with the number ``refuse`` is answered with an error, ``hang_up`` ends a connection, and at ``ask`` all
    are pinged and told of a gap; ``pongs`` counts the answers.
    """

    def __init__(
        self,
        fault: Fault = lambda client, message, line: [line],
        *,
        refuse: int = -1,
        hang_up: int = -1,
        ask: int = -1,
    ) -> None:
        self.pongs = 0
        self._ask = ask
        self._fault = fault
        self._refuse = refuse
        self._hang_up = hang_up
        self._writers: list[asyncio.StreamWriter] = []
        self._messages = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                command = json.loads(line)
                if command["type"] == "hello":
                    self._writers.append(writer)
                    writer.write(json.dumps({**WELCOME, "name": command["name"]}).encode() + b"\n")
                elif command["type"] == "pong":
                    self.pongs += 1
                elif command["type"] == "say":
                    self._say(writer, command)
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _say(self, sender: asyncio.StreamWriter, command: dict[str, str]) -> None:
        message = self._messages
        self._messages += 1
        if message == self._refuse:
            sender.write(b'{"type":"error","code":507,"text":"not stored: the disk is full"}\n')
            return
        if message == self._ask:
            for writer in self._writers:
                writer.write(b'{"type":"ping"}\n{"type":"gap","after":3,"until":5}\n')
        if message == self._hang_up:
            victim = next(writer for writer in self._writers if writer is not sender)
            self._writers.remove(victim)
            victim.transport.abort()
            return
        said = {"type": "said", "seq": message, "to": command["to"], "text": command["text"]}
        line = json.dumps(said, separators=(",", ":")).encode() + b"\n"
        for client, writer in enumerate(self._writers):
            writer.writelines(self._fault(client, message, line))


@asynccontextmanager
async def serve(server: Server) -> AsyncIterator[str]:
    """Listen; gives the address."""
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        await server.handle(reader, writer)

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        await asyncio.gather(*handlers)
        await listening.wait_closed()
