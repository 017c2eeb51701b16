"""The server's ends of its connections, and clients that take little of what they are sent."""

import asyncio
import socket

from asyncchat import ChatServer
from asyncchat.server.connection import Connection
from asyncchat.server.writers import LAGGING, ClientWriter
from tests.server.peers import Raw, where

LONG = "x" * 10_000
"""A message of which some hundred are far more than a client that does not read is sent."""


def writers(server: ChatServer) -> list[ClientWriter]:
    """The ways out to all who are logged in."""
    return [session.peer for session in server.chat.state.sessions]


def writer_to(server: ChatServer, name: str) -> ClientWriter:
    """The way out to this person, who has one connection."""
    (session,) = server.chat.state.person(name).sessions
    writer = session.peer
    assert isinstance(writer, ClientWriter)
    return writer


def served(server: ChatServer, name: str) -> Connection:
    """The connection of this person, who has one."""
    connection = writer_to(server, name).owner
    assert isinstance(connection, Connection)
    return connection


def socket_to(server: ChatServer, name: str) -> socket.socket:
    """The server's end of this person's one connection."""
    end: socket.socket = writer_to(server, name).transport.socket()
    return end


def lagging(server: ChatServer) -> list[ClientWriter]:
    """The ways out to those who are sent no more events until they have read."""
    return [writer for writer in writers(server) if writer.state is LAGGING]


def waiting(server: ChatServer) -> int:
    """Bytes that wait in the server for all its clients."""
    return sum(writer.transport.waiting for writer in writers(server))


async def without_window(server: ChatServer) -> Raw:
    """A peer whose system takes little for it while it does not read."""
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    end.setblocking(False)
    address = where(server)
    await asyncio.get_running_loop().sock_connect(end, (address.host, address.port))
    reader, writer = await asyncio.open_connection(sock=end, limit=4096)
    return Raw(reader, writer)


def narrow(server: ChatServer, name: str) -> None:
    """Let the system take little for this person's client, where it would take megabytes."""
    socket_to(server, name).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
