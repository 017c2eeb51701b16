"""The bare asyncio loop, to compare with: every line to every client, and nothing else that a chat server does.

It reads nothing, checks nothing, keeps nothing and knows no rooms. A `hello` is answered with a welcome that never
changes; any other line goes to everyone who said hello, gathered into one write for each pass of the loop.

    python benchmarks/bare_asyncio.py [PORT]      prints where it listens
"""

import asyncio
import sys

HELLO = b'{"type":"hello"'
WELCOME = (
    b'{"type":"welcome","id":1,"code":202,"name":"you","server":"bare asyncio","version":"0","epoch":"0","seq":0,'
    b'"time":"2026-01-01T00:00:00.000Z","rooms":[],"limits":{}}\n'
)


class Everyone:
    """All who said hello, and what is to be written to them at the end of this pass."""

    def __init__(self) -> None:
        self.transports: set[asyncio.Transport] = set()
        self.pending: list[bytes] = []

    def tell(self, lines: bytes) -> None:
        if not self.pending:
            asyncio.get_running_loop().call_soon(self.flush)
        self.pending.append(lines)

    def flush(self) -> None:
        data = b"".join(self.pending)
        self.pending.clear()
        for transport in self.transports:
            transport.write(data)


class Client(asyncio.Protocol):
    def __init__(self, everyone: Everyone) -> None:
        self.everyone = everyone
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.everyone.transports.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        lines, newline, self.rest = (self.rest + data).rpartition(b"\n")
        if lines.startswith(HELLO):
            self.transport.write(WELCOME)
            self.everyone.transports.add(self.transport)
            lines = lines.partition(b"\n")[2]
        if lines:
            self.everyone.tell(lines + newline)


async def main(port: int) -> None:
    everyone = Everyone()
    server = await asyncio.get_running_loop().create_server(lambda: Client(everyone), "127.0.0.1", port, backlog=1024)
    host, port = server.sockets[0].getsockname()
    print(f"Listening on tcp://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
