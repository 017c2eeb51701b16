"""Which connections take bytes without a detour: a `write` to the system does what their transport would do."""

import asyncio
import sys
from asyncio import selector_events

_PLAIN: object = getattr(selector_events, "_SelectorSocketTransport", None)
"""What asyncio makes for a TCP or Unix socket. Anything else may encrypt, compress or gather what it is given: so it
has to be this very class. It is private, and if it goes away one day, all is written through transports."""


def descriptor_of(transport: asyncio.BaseTransport) -> int | None:
    """The descriptor that *transport* itself writes to at once if nothing waits in it; None if there is no such thing.

    It is that of the connection, and of no other, as long as the transport is not closing.
    """
    if type(transport) is not _PLAIN or sys.platform == "win32":  # there, a socket is no file
        return None
    descriptor: int = transport.get_extra_info("socket").fileno()
    return descriptor
