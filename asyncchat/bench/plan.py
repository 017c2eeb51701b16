"""What is to be measured, and within which bounds. Client *i* is in room *i* modulo rooms; the first clients talk."""

from msgspec import Struct

MAX_CLIENTS = 25_000
"""Connections: about as many as one address has ports for (Linux: 28,000)."""

MAX_PROCESSES = 64
"""Processes that the clients are spread over."""

MAX_WINDOW = 1_000
"""Messages in flight of one sender: a server may stop reading at 1,024."""

MAX_RATE = 1_000_000.0
"""Messages a second, all senders together: more than any server takes."""

MAX_MESSAGES = 10_000_000
"""Messages of one run."""

MAX_SECONDS = 3600.0
"""Length of one run."""

MIN_SIZE = 44
"""Bytes of a message: what its mark takes (see `asyncchat.bench.marks`)."""

MAX_SIZE = 16_384
"""Bytes of a message: the limit ``text`` of a server that nobody configured."""


class Plan(Struct, frozen=True, kw_only=True):
    """Who connects to what.

    ``run``: hexadecimal digits that tell the names and messages of this measurement from those of others. ``window``:
    messages in flight of each sender. ``size``: bytes of a message. ``batch``: connections that log in at a time, of
    each process. ``stall``: seconds without any progress after which what is missing counts as lost.
    """

    address: str
    run: str
    clients: int = 100
    rooms: int = 1
    senders: int = 1
    window: int = 64
    size: int = 64
    processes: int = 1
    batch: int = 64
    stall: float = 10.0
    server_password: str | None = None

    def room_of(self, client: int) -> int:
        """The room that a client is in."""
        return client % self.rooms

    def members(self, room: int) -> int:
        """How many clients are in a room."""
        return (self.clients - room + self.rooms - 1) // self.rooms

    def process_of(self, client: int) -> int:
        """The process that runs a client: whole rooms if there are enough of them, else a share of each room."""
        if self.shared_rooms:
            return client // self.rooms % self.processes
        return self.room_of(client) % self.processes

    @property
    def shared_rooms(self) -> bool:
        """The clients of one room are in several processes."""
        return self.rooms < self.processes

    def clients_of(self, process: int) -> list[int]:
        """The clients that a process runs."""
        return [client for client in range(self.clients) if self.process_of(client) == process]


class Run(Struct, frozen=True, kw_only=True):
    """How the senders talk, for how long.

    ``rate``: messages a second, all senders together; 0: as fast as their windows allow. It ends after ``messages`` of
    all senders together or after ``seconds``, whatever comes first.
    """

    rate: float = 0.0
    seconds: float = MAX_SECONDS
    messages: int = MAX_MESSAGES

    @property
    def scheduled(self) -> int:
        """How many messages there are at most."""
        if self.rate:
            return min(self.messages, max(1, int(self.rate * self.seconds)))
        return self.messages


def name_of_room(room: int) -> str:
    """The same rooms in every measurement, as a server keeps rooms for good."""
    return f"#bench-{room}"


def name_of_client(run: str, client: int) -> str:
    """Other names in every measurement, as a server holds the names of those who have gone for a while."""
    return f"bench-{run}-{client}"
