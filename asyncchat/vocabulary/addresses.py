"""Addresses of servers: ``tcp://host:port``, ``tls://host:port``, ``unix:path``, or just ``host`` or ``host:port``.

To listen, a server also takes port 0 (any free one), no host (all interfaces), and ``fd:N`` or ``tls+fd:N`` (a socket
that listens already, handed over by whoever started the server).
"""

import ipaddress
import os
from dataclasses import dataclass
from typing import Literal

DEFAULT_PORT = 7777
"""The port of a server that names none; the same for tcp and tls, since a server listens where it is told."""

SOCKET_PATH_BYTES = 103
"""Bytes of a socket's path that every system takes: macOS and BSD so many, Linux 107."""

Scheme = Literal["tcp", "tls", "unix", "fd", "tls+fd"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: ``path`` for unix, ``port`` (a descriptor) for fd, ``host`` and ``port`` for others.

    A relative path is made absolute at once, so that it stays the same one wherever the process goes.
    """

    scheme: Scheme
    host: str = ""
    port: int = 0
    path: str = ""

    def __post_init__(self) -> None:
        if self.path:
            try:
                path = os.path.join(os.getcwd(), self.path) if not os.path.isabs(self.path) else self.path
            except FileNotFoundError:
                raise ValueError(f"not a path: {self.path!r}: the working directory was removed") from None
            # More slashes than one would be read as those of "unix://".
            object.__setattr__(self, "path", "/" + path.lstrip("/") if path.startswith("//") else path)

    @property
    def socket_path(self) -> str:
        """The path for the system's calls: where it is too long for them, from the working directory if it is there."""
        if len(os.fsencode(self.path)) <= SOCKET_PATH_BYTES:
            return self.path
        rest = self.path.removeprefix(os.path.join(os.getcwd(), ""))
        return self.path if rest.startswith("/") else rest

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix:{self.path}"
        if self.scheme in ("fd", "tls+fd"):
            return f"{self.scheme}:{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def key(self) -> str:
        """What identifies the server in what is kept about it: the same for all spellings of this machine."""
        if self.scheme == "unix":
            return f"unix:{os.path.abspath(self.path)}"
        host = "localhost" if is_loopback(self.host) else self.host.lower().rstrip(".")
        return f"{host}:{self.port}"


def parse_address(text: str, *, listening: bool = False, folder: str | os.PathLike[str] = "") -> Address:
    """The address that *text* names; raises ValueError, with a text for people, when it names none.

    ``folder``: from where a relative path counts, by default the working directory.
    """
    if not text:
        raise ValueError("an empty address: write tcp://HOST:PORT")
    if listening and text.startswith(("fd:", "tls+fd:")):
        kind, _, number = text.partition(":")
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise ValueError(f"not a file descriptor: {text!r}")
        return Address("tls+fd" if kind == "tls+fd" else "fd", port=int(number))
    if text.startswith("unix:"):
        path = text.removeprefix("unix:").removeprefix("//")
        if not path:
            raise ValueError(f"no path in {text!r}: write unix:PATH")
        if "\0" in path:
            raise ValueError(f"not a path: {path!r}: it contains U+0000")
        return Address("unix", path=os.path.join(folder, path))
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _host_port("tcp", text, text, listening)
    match scheme.lower():
        case "tcp":
            return _host_port("tcp", rest, text, listening)
        case "tls":
            return _host_port("tls", rest, text, listening)
        case _:
            raise ValueError(f"unknown kind of address {scheme!r}: use tcp://, tls:// or unix:")


def _host_port(scheme: Scheme, rest: str, whole: str, listening: bool) -> Address:
    rest = rest.removesuffix("/")
    if rest.startswith("["):
        host, bracket, port = rest[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise ValueError(f"not an address: {whole!r}: an IPv6 address is written [::1]:{DEFAULT_PORT}")
        port = port[1:]
    elif rest.count(":") > 1:  # an IPv6 address without brackets, so without a port
        host, port = rest, ""
    else:
        host, _, port = rest.partition(":")
    if not (host or listening) or any(character.isspace() or character in "/@?#" for character in host):
        raise ValueError(f"not an address: {whole!r}: write tcp://HOST:PORT")
    if host and not _can_be_looked_up(host):
        raise ValueError(f"not a host: {host!r} in {whole!r}")
    return Address(scheme, host=host, port=_port(port, whole, listening))


def _can_be_looked_up(host: str) -> bool:
    """Will the resolver take it? Python encodes names for it so; its labels have 1 to 63 bytes (RFC 1035, 2.3.4)."""
    try:
        return b"\0" not in host.encode("idna")
    except UnicodeError:
        return False


def _port(text: str, whole: str, listening: bool) -> int:
    if not text:
        return DEFAULT_PORT
    lowest = 0 if listening else 1
    if not (text.isascii() and text.isdigit() and lowest <= int(text[:6]) < 65536):
        raise ValueError(f"not a port: {text!r} in {whole!r}: a number from {lowest} to 65535")
    return int(text)


def is_loopback(host: str) -> bool:
    """Does this name or IP address mean the machine itself?"""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, 6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
