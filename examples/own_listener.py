"""A chat behind a listener of your own: here one that lets in only clients from certain networks.

python examples/own_listener.py --port 7777 --allow 127.0.0.0/8 --allow 192.168.0.0/16
"""

import argparse
import asyncio
import contextlib
import ipaddress
import sys

from asyncchat import ChatError, ChatServer

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


async def main(host: str, port: int, networks: list[Network], data: str) -> None:
    """Listen ourselves, and hand those who may come in to the chat server, which has no listener of its own."""
    async with ChatServer(listen=[], data=data) as server:

        async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            address = ipaddress.ip_address(writer.get_extra_info("peername")[0])
            if any(address in network for network in networks):
                await server.handle_client(reader, writer)  # returns when the client has gone
            else:
                writer.write(b"You are not on the list.\n")
                writer.close()

        listener = await asyncio.start_server(door, host, port)
        host, port = listener.sockets[0].getsockname()[:2]
        print(f"chat on tcp://{host}:{port}", flush=True)
        try:
            await asyncio.get_running_loop().create_future()  # until Ctrl+C
        finally:
            # Nobody comes in any more. The server says goodbye to those who are here when its block ends; to wait
            # for the listener before that would be to wait for them (Python 3.12 and later).
            listener.close()


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="A chat that lets in only clients from certain networks.")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (%(default)s)")
    parser.add_argument("--port", type=int, default=7777, help="where to listen; 0: any free port (%(default)s)")
    parser.add_argument("--allow", action="append", type=ipaddress.ip_network, help="a network (127.0.0.0/8)")
    parser.add_argument("--data", default=":memory:", help="the directory of its history (%(default)s: forget it)")
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    allowed = options.allow or [ipaddress.ip_network("127.0.0.0/8")]
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(main(options.host, options.port, allowed, options.data))
        except (OSError, ChatError) as problem:
            sys.exit(f"own_listener: {problem}")
