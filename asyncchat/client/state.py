"""What the client itself has to say about its connection: its state, its place in the log, and `Resumed`."""

import enum
from dataclasses import dataclass


class ConnectionState(enum.Enum):
    """Where a client's connection stands. Only `ChatClient` changes it.

                  logged in               cut
    CONNECTING ─────────────► ONLINE ───────────► OFFLINE (waiting, then trying again)
         │                       ▲                   │
         │                       └───────────────────┘ logged in again
         └──► CLOSED ◄── closed, refused, or no reconnect wanted: from any state, for good
    """

    CONNECTING = "connecting"
    ONLINE = "online"
    OFFLINE = "offline"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a server's log: all kept events up to ``seq`` have been handed to the application.

    ``epoch`` names the database: in another one the ``seq`` means nothing.
    """

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The connection was lost and is back; what was missed came before this, in order.

    ``missed`` counts those events. ``complete`` false: the server's log is another one now, what was said
    there meanwhile cannot be told (``history`` may show some of it).
    """

    complete: bool
    missed: int = 0
