"""The bare asyncio loop, to compare with: every line to every client, and nothing else that a chat server does.

It reads nothing, checks nothing, keeps nothing and knows no rooms. A `hello` is answered with a welcome that never
changes; any other line goes to everyone who said hello, gathered into one write for each pass of the loop.
"""

import asyncio
import sys

HELLO = b'{"type":"hello"'
WELCOME = (
    b'{"type":"welcome","id":1,"code":202,"name":"you","server":"bare asyncio","version":"0","epoch":"0","seq":0,'
    b'"time":"2026-01-01T00:00:00.000Z","rooms":[],"limits":{}}\n'
)


class Client(asyncio.Protocol):
    clients: set[asyncio.Transport] = set()  # noqa: RUF012 - shared by all
    pending: list[bytes] = []  # noqa: RUF012 - shared by all: what this pass of the loop writes

    def __init__(self) -> None:
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.clients.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        lines, newline, self.rest = (self.rest + data).rpartition(b"\n")
        if lines.startswith(HELLO):
            self.transport.write(WELCOME)
            self.clients.add(self.transport)
            lines = lines.partition(b"\n")[2]
        if lines:
            if not self.pending:
                asyncio.get_running_loop().call_soon(self.flush)
            self.pending.append(lines + newline)

    def flush(self) -> None:
        data = b"".join(self.pending)
        self.pending.clear()
        for transport in self.clients:
            transport.write(data)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Client, "127.0.0.1", 0, backlog=1024)
    print(f"Listening on tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
