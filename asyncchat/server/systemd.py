"""What systemd passes to a service and is told in return, by environment variables: sd_listen_fds(3), sd_notify(3)."""

import contextlib
import os
import socket
from collections.abc import MutableMapping

FIRST = 3
"""The descriptor of the first socket; the others follow."""

TLS_NAME = "tls"
"""A socket whose ``FileDescriptorName=`` begins so is served with TLS."""


def handed_over(environment: MutableMapping[str, str], process: int) -> list[str]:
    """The addresses of the listening sockets that this process was started with.

    Takes the variables out of the environment: they mean no process but this one.
    """
    count, owner, names = (environment.pop(name, "") for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"))
    if owner != str(process) or not count.isdecimal():
        return []
    kinds = ["tls+fd" if name.startswith(TLS_NAME) else "fd" for name in names.split(":")]
    kinds += ["fd"] * (int(count) - len(kinds))
    return [f"{kinds[index]}:{FIRST + index}" for index in range(int(count))]


def notify(state: str) -> None:
    """Tell the service manager, if there is one: ``READY=1``, ``STOPPING=1``, or what `reloading` gives."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.setblocking(False)  # a manager that does not read must not stop the chat
        manager.connect(address)
        manager.send(state.encode())


def reloading(nanoseconds: int) -> str:
    """What to tell at the beginning of a reload; *nanoseconds* of the monotonic clock. ``READY=1`` ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={nanoseconds // 1000}"
