"""The load generator: it logs clients in, lets some of them send, and checks what all of them receive.

One thread and one selector, without an event loop: it has to read faster than a server writes.
"""

import gc
import secrets
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from asyncchat.vocabulary.addresses import Address
from asyncchat.vocabulary.commands import Hello, Pong, Say
from asyncchat.vocabulary.events import Bye, Error, Gap, Ping, Welcome
from asyncchat.wire.native import EventReader, encode_command
from benchmarks.delivery import Counts, Member, Room
from benchmarks.server import LoadError, cpu_time, memory

BATCH = 64  # logins under way at a time
CONNECT_SECONDS = 10.0
QUIET_SECONDS = 0.3  # without a byte: all that the logins cause has come
SETTLE_SECONDS = 30.0  # to wait for that at most
DRAIN_SECONDS = 60.0  # to wait at most for what was sent
PROGRESS_SECONDS = 0.2
READ_BYTES = 256 * 1024  # most of what a server writes at once, and little enough for a processor's cache
MAX_DETAILS = 5
MIN_SIZE = 48  # bytes of the mark that a message begins with
BEHIND = 0.9  # a server that delivers a smaller share of the rate does not keep up
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}

_NEVER = 1 << 63
_PONG = encode_command(Pong())

clock = time.monotonic_ns
Progress = Callable[[str, float, int], None]  # told what is done, its share of all, and how many


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The clients. Client *i* is in room *i* modulo ``rooms``; the first ``senders`` of them send."""

    clients: int
    rooms: int = 1
    senders: int = 1
    window: int = 64  # without a rate: messages of each sender that not everybody has received
    size: int = 64  # bytes of a message's text
    timeout: float = 10.0  # seconds without a delivery, after which what is missing is lost

    def members(self, room: int) -> int:
        return len(range(room, self.clients, self.rooms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run. The server's CPU is a share of one core, None if its process is not known."""

    rate: float  # messages a second that were asked for; 0: as fast as possible
    messages_per_s: float
    deliveries: int
    deliveries_per_s: float
    latency_ms: dict[str, float]  # from sending, with a rate from when a message was due, until a member has read it
    server_cpu: float | None
    server_cpu_us: float | None  # microseconds for each delivery
    generator_busy: float  # the share of the time in which it did not wait for sockets, but perhaps for a core
    faults: dict[str, int]
    details: list[str]  # the first few faults, in words

    @property
    def behind(self) -> bool:
        return self.messages_per_s < BEHIND * self.rate


class Client(Member):
    __slots__ = ("in_flight", "line", "number", "out", "reader", "sent", "sock")

    def __init__(self, number: int, room: Room, sock: socket.socket) -> None:
        super().__init__(room)
        self.number = number
        self.sock = sock
        self.out = b""  # what its socket did not take yet
        self.sent = self.in_flight = 0  # messages of this run
        self.line = b"", 0, b""  # of a message: up to its number, the width of that with the number, the rest
        self.reader: EventReader | None = EventReader()  # until the login is done


class Generator:
    """The clients of a plan. ``pid``: the server's process. Methods raise `LoadError` and ProtocolError."""

    def __init__(self, address: Address, plan: Plan, pid: int | None = None) -> None:
        self._address = address
        self._plan = plan
        self._pid = pid
        self._token = secrets.token_hex(3)  # tells names and messages from those of other measurements
        self._selector = selectors.DefaultSelector()
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._rooms = [Room(self._delivered) for _ in range(plan.rooms)]
        self._clients: list[Client] = []
        self.welcomes: list[Welcome] = []
        self.login_seconds = 0.0
        self.memory_kib: float | None = None  # of the server for each connection, if its process is known
        self._read_at = self._idle = 0
        self._counts: Counts | None = None  # of the run
        self._rate = 0.0
        self._due = _NEVER  # when the next message is to be sent, where there is a rate

    def close(self) -> None:
        for client in self._clients:
            client.sock.close()
        self._selector.close()

    def login(self, progress: Progress) -> None:
        """Log all clients in, and wait until nothing comes any more that the logins cause."""
        plan, begun, before = self._plan, clock(), memory(self._pid)
        self._read_at = begun
        while (count := len(self.welcomes)) < plan.clients:
            while len(self._clients) < min(plan.clients, count + BATCH):
                self._connect(len(self._clients))
            self._poll(PROGRESS_SECONDS, self._log_in)
            progress("logging in", count / plan.clients, count)
            if clock() > self._read_at + plan.timeout * 1e9:
                raise LoadError(f"{count:,} of {plan.clients:,} clients are logged in, and the server is silent")
        self.login_seconds, settled = round((clock() - begun) / 1e9, 3), clock() + SETTLE_SECONDS * 1e9
        while clock() < min(settled, self._read_at + QUIET_SECONDS * 1e9):
            self._poll(QUIET_SECONDS, self._log_in)
        after = memory(self._pid)
        if before is not None and after is not None:
            self.memory_kib = round((after - before) / plan.clients, 1)

    def _connect(self, number: int) -> None:
        address, room = self._address, number % self._plan.rooms
        try:
            sock = socket.create_connection((address.host, address.port), CONNECT_SECONDS)
        except OSError as error:
            raise LoadError(f"cannot connect to {address}: {error.strerror or error}") from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        client = Client(number, self._rooms[room], sock)
        self._clients.append(client)
        self._selector.register(sock, selectors.EVENT_READ, client)
        self._send(client, encode_command(Hello(id=1, name=f"load-{self._token}-{number}", rooms=[f"#load-{room}"])))

    def _log_in(self, client: Client, data: memoryview) -> None:
        """Receive something while there is no run: of a line that has begun, the rest may come in the next run."""
        self._read_at = clock()
        received = client.rest + data
        client.rest = received[received.rfind(b"\n") + 1 :]
        if client.reader is None:
            if b'"type":"ping"' in received:
                self._send(client, _PONG)
            return
        for event in client.reader.receive(bytes(data)):
            match event:
                case Welcome():
                    self.welcomes.append(event)
                    client.reader = None
                case Error(code=code, text=text) | Bye(code=code, reason=text):
                    raise LoadError(f"client {client.number}: the server says {code:d}: {text}")
                case _:
                    pass  # what happens in the room already

    def run(self, rate: float, seconds: float, progress: Progress) -> Result:
        """Send for so many seconds, at a rate (0: as fast as the windows allow), and wait for what was sent."""
        plan, counts = self._plan, Counts()
        self._begin(counts)
        gc.collect()
        gc.freeze()  # clients stay, and messages make no cycles: a collection would only delay what is measured
        cpu, start, self._idle = cpu_time(self._pid), clock(), 0
        end = self._end = start + round(seconds * 1e9)
        self._rate, self._sent_at, shown = rate, start, start
        if rate:
            self._pause, self._turn, self._start, self._due = 1e9 / rate, 0, start, start
        self._delivered(dict.fromkeys(range(plan.senders), 0))
        while True:
            now = clock()
            if now >= self._due:
                self._send_due(now)
            stalled = now > max(counts.last_delivery, self._sent_at) + plan.timeout * 1e9
            if (stalled or now > end + DRAIN_SECONDS * 1e9) if counts.deliveries < counts.expected else now >= end:
                break
            if now >= shown + PROGRESS_SECONDS * 1e9:
                shown = now
                progress(title(rate), min((now - start) / (end - start), 1.0), counts.deliveries)
            wake = min(self._due, shown + PROGRESS_SECONDS * 1e9, end if now < end else _NEVER)
            self._poll(max(wake - clock(), 0) / 1e9, self._receive)
        wall = clock() - start
        used = None if cpu is None else (cpu_time(self._pid) or cpu) - cpu
        self._counts, self._due = None, _NEVER
        gc.unfreeze()
        if counts.deliveries < counts.expected:
            counts.faults["lost"] = counts.expected - counts.deliveries
        elapsed = max(counts.last_delivery - start, 1) / 1e9
        return Result(
            rate=rate,
            messages_per_s=round(counts.messages / elapsed, 3),
            deliveries=counts.deliveries,
            deliveries_per_s=round(counts.deliveries / elapsed, 1),
            latency_ms={name: counts.latency_ms(percent) for name, percent in PERCENTILES.items()},
            server_cpu=None if used is None else round(used / wall, 3),
            server_cpu_us=None if used is None else round(used / 1e3 / max(counts.deliveries, 1), 3),
            generator_busy=round(1 - self._idle / wall, 3),
            faults=dict(counts.faults),
            details=counts.details,
        )

    def _begin(self, counts: Counts) -> None:
        self._counts, token = counts, secrets.token_hex(3)
        for room in self._rooms:
            room.begin(counts, token)
        for client in self._clients[: self._plan.senders]:
            client.sent = client.in_flight = 0
            line = encode_command(Say(to=f"#load-{client.number % self._plan.rooms}", text="@"))
            before, _, after = line.rpartition(b"@")
            mark = b"%b@%b.%d." % (before, token.encode(), client.number)
            client.line = mark, len(before) + self._plan.size, after

    def _send_due(self, now: int) -> None:
        """The senders take turns. A message counts from when it was due, so that no delay of ours is hidden."""
        while self._due <= now:
            self._say(self._clients[self._turn % self._plan.senders], 1, self._due)
            self._turn += 1
            due = self._start + round(self._turn * self._pause)
            self._due = due if due < self._end else _NEVER

    def _say(self, client: Client, count: int, stamp: int) -> None:
        if (counts := self._counts) is None or client.sock.fileno() < 0:
            return
        mark, width, after = client.line
        lines = [b"%b%d.%d@" % (mark, number, stamp) for number in range(client.sent, client.sent + count)]
        client.sent += count
        client.in_flight += count
        client.room.sent[client.number] = client.sent
        counts.messages += count
        counts.expected += count * self._plan.members(client.number % self._plan.rooms)
        self._sent_at = clock()
        self._send(client, b"".join([line.ljust(width, b"x") + after for line in lines]))

    def _delivered(self, messages: Mapping[int, int]) -> None:
        """Everybody has so many messages of each sender. Without a rate, they send as many again."""
        for number, count in messages.items():
            client = self._clients[number]
            client.in_flight -= count
            free, now = self._plan.window - client.in_flight, clock()
            if free > 0 and not self._rate and now < self._end:
                self._say(client, free, now)

    def _receive(self, client: Client, data: memoryview) -> None:
        now = clock()
        for line in client.room.receive(client, data, now):
            self._other(client, line)
        if now >= self._due:
            self._send_due(now)

    def _other(self, client: Client, line: bytes) -> None:
        """A line that is no message of this run."""
        assert self._counts is not None
        for event in EventReader().receive(line + b"\n"):
            match event:
                case Ping():
                    self._send(client, _PONG)
                case Gap(after=after, until=until):
                    self._fault("gaps", client, f"was not read fast enough: the server left out {after + 1} to {until}")
                case Error(code=code, text=text):
                    self._fault("refused", client, f"the server says {code:d}: {text}")
                    self._counts.expected -= self._plan.members(client.number % self._plan.rooms)
                    self._delivered({client.number: 1})
                case Bye(code=code, reason=reason):
                    self._fault("goodbyes", client, f"the server says bye, {code:d}: {reason}")
                case _:
                    pass  # people come and go

    def _fault(self, kind: str, client: Client, text: str) -> None:
        if self._counts is None:
            raise LoadError(f"client {client.number}: {text}")
        self._counts.faults[kind] += 1
        if len(self._counts.details) < MAX_DETAILS:
            self._counts.details.append(f"client {client.number}: {text}")

    def _poll(self, seconds: float, handle: Callable[[Client, memoryview], None]) -> None:
        """Wait for sockets that are ready, and handle what each has received."""
        before = clock()
        sockets = self._selector.select(seconds)
        self._idle += clock() - before
        for key, ready in sockets:
            client: Client = key.data
            if ready & selectors.EVENT_WRITE:
                self._send(client, b"")
            if ready & selectors.EVENT_READ:
                try:
                    count = client.sock.recv_into(self._buffer)
                    if not count:
                        raise ConnectionError("the server closed the connection")
                except BlockingIOError:
                    continue
                except OSError as error:
                    self._lose(client, error)
                    continue
                handle(client, self._buffer[:count])

    def _send(self, client: Client, data: bytes) -> None:
        """Send, or keep for later what the socket does not take."""
        waited, client.out = bool(client.out), client.out + data
        try:
            client.out = client.out[client.sock.send(client.out) :]
        except BlockingIOError:
            pass
        except OSError as error:
            self._lose(client, error)
            return
        if waited != bool(client.out):
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.out else 0)
            self._selector.modify(client.sock, events, client)

    def _lose(self, client: Client, error: OSError) -> None:
        """Go on without a client."""
        if client.sock.fileno() >= 0:
            self._selector.unregister(client.sock)
            client.sock.close()
            client.room.remove(client)
            self._fault("disconnects", client, error.strerror or str(error))


def title(rate: float) -> str:
    return f"{rate:,g} messages/s" if rate else "as fast as possible"
