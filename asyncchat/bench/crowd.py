"""A worker's clients: their connections, their logins, and one pass after the other over the sockets that are ready."""

from asyncchat.bench.board import Board
from asyncchat.bench.client import PONG, Client, LostError, Phase
from asyncchat.bench.orders import Join
from asyncchat.bench.poller import WRITE, new_poller
from asyncchat.bench.room import LineTooLongError, Member, Room
from asyncchat.bench.talk import NEVER, Sender, Talk, clock
from asyncchat.bench.tally import Tally
from asyncchat.vocabulary.addresses import parse_address
from asyncchat.vocabulary.errors import ProtocolError
from asyncchat.vocabulary.events import Bye, Error, Gap, Ping, Welcome
from asyncchat.wire.native import EventReader

READ_SIZE = 256 * 1024
"""Bytes of one read: mostly all that a server writes at once, and little enough to stay in a processor's cache."""

TROUBLES = 5
"""What goes wrong is told in words so many times; the rest is counted."""


class Crowd:
    """The clients of one process.

    ``inside``: how many are logged in. ``last_read``: when something came last (nanoseconds of `clock`). ``gaps``: how
    often the server left something out for a client; ``disconnects``: clients that were lost; ``troubles``: in words.
    """

    def __init__(self, join: Join) -> None:
        plan = self.plan = join.plan
        numbers = plan.clients_of(join.process)
        self.size = len(numbers)
        self.inside = 0
        self.last_read = 0
        self.gaps = 0
        self.disconnects = 0
        self.troubles: list[str] = []
        self.welcome: Welcome | None = None
        self.senders: list[Sender] = []
        self.talk: Talk | None = None
        self._address = parse_address(plan.address)
        self._board = Board(join.board, join.process, plan.processes, plan.rooms) if join.board else None
        self._numbers = iter(numbers)
        self._started = 0
        self._clients: dict[int, Client] = {}
        self._poller = new_poller()
        self._buffer = memoryview(bytearray(READ_SIZE))
        tally = Tally()
        rooms = sorted({plan.room_of(number) for number in numbers})
        self.rooms = {room: Room(room, plan, tally, self._other_line, self._moved) for room in rooms}

    @property
    def board(self) -> Board | None:
        """Where other processes are, if rooms are shared with them."""
        return self._board

    def close(self) -> None:
        """Close all connections, without a word."""
        for client in self._clients.values():
            client.sock.close()
        self._clients.clear()
        self._poller.close()
        if self._board is not None:
            self._board.close()

    # --- logging in, and what happens while nothing is measured -----------------------------------------------------

    def connect_more(self) -> None:
        """Begin so many connections that the plan's batch is on its way; raises `LostError`."""
        while self._started < min(self.size, self.inside + self.plan.batch):
            number = next(self._numbers)
            client = Client(number, self.rooms[self.plan.room_of(number)], self.plan, self._address)
            self._clients[client.handle] = client
            self._poller.watch(client.handle, write=True)
            self._started += 1

    def idle(self, seconds: float) -> None:
        """One pass in which nobody's messages are looked at; raises `LostError` when anybody is lost."""
        for handle, ready in self._poller.poll(seconds):
            client = self._clients[handle]
            try:
                if client.phase is Phase.CONNECTING:
                    client.connected()
                if ready & WRITE:
                    self._flush(client)
                if ready & ~WRITE:
                    self._heard(client)
            except LostError as error:
                raise LostError(f"client {client.number}: {error}") from error

    def _heard(self, client: Client) -> None:
        data = bytes(self._buffer[: self._receive(client)])
        self.last_read = clock()
        if client.phase is Phase.IN:
            if b'"ping"' in data:
                self._other_lines(client, client.rest + data)
            client.skip(data)
        elif client.log_in(data):
            self.inside += 1
            self.welcome = client.welcome
            if client.number < self.plan.senders:
                self.senders.append(Sender(client, self.plan))
                client.room.own.add(client.number)

    def _receive(self, client: Client) -> int:
        """Read into the buffer; returns the number of bytes. Raises `LostError`."""
        try:
            count = client.receive(self._buffer)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise LostError(error.strerror or str(error)) from error
        if not count:
            raise LostError("the server closed the connection")
        return count

    # --- measuring --------------------------------------------------------------------------------------------------

    def begin(self, talk: Talk, tally: Tally) -> None:
        """From now on, what the clients receive counts."""
        self.talk = talk
        self.gaps = self.disconnects = 0
        self.troubles = []
        for room in self.rooms.values():
            room.tally = tally
            room.waiting.clear()

    def end(self) -> None:
        """From now on nothing counts."""
        self.talk = None
        for room in self.rooms.values():
            room.settle()

    def work(self, seconds: float, due: int) -> None:
        """One pass in which everything is looked at; at the time *due*, talking goes before."""
        clients, receive_all, view = self._clients, self._receive, self._buffer
        some = self._poller.poll(seconds)
        if not some:
            for room in self.rooms.values():
                room.catch_up()
        for handle, ready in some:
            client = clients.get(handle)
            if client is None:
                continue  # lost in this pass
            try:
                if ready & WRITE:
                    self._flush(client)
                if ready & ~WRITE:
                    count = receive_all(client)
                    now = clock()
                    client.room.take(client, view[:count], now)
                    if now >= due:
                        due = self.talk.work(now) if self.talk is not None else NEVER
            except (LostError, LineTooLongError) as error:
                self._lose(client, str(error))

    def _moved(self, room: Room) -> None:
        """All members of a room have more messages than before."""
        if self._board is not None:
            self._board.tell(room.number, room.delivered)
        waiting = room.waiting
        while waiting and waiting[0][0] < room.delivered:
            _, sender = waiting.popleft()
            if self.talk is not None:
                self.talk.answered(sender)

    # --- what is no message of ours ---------------------------------------------------------------------------------

    def _other_lines(self, client: Client, lines: bytes) -> None:
        for line in lines.split(b"\n")[:-1]:
            self._other_line(client, line)

    def _other_line(self, member: Member, line: bytes) -> None:
        assert isinstance(member, Client)
        try:
            told = EventReader().receive(line + b"\n")
        except ProtocolError as error:
            self._trouble(member, str(error))
            return
        for event in told:
            match event:
                case Ping():
                    self.send(member, PONG)
                case Gap(after=after, until=until):
                    self.gaps += 1
                    self._trouble(member, f"was not read fast enough: the server left out {after + 1} to {until}")
                case Error(code=code, text=text):
                    self._trouble(member, f"the server says {code:d}: {text}")
                    if self.talk is not None:
                        self.talk.refuse(member.number, member.room.number)
                case Bye(code=code, reason=reason):
                    self._trouble(member, f"the server says bye, {code:d}: {reason}")
                case _:
                    pass  # people come and go

    def _trouble(self, client: Client, text: str) -> None:
        if len(self.troubles) < TROUBLES:
            self.troubles.append(f"client {client.number}: {text}")

    # --- sending ----------------------------------------------------------------------------------------------------

    def send(self, client: Client, data: bytes) -> None:
        """Send, as soon as the socket takes it."""
        if client.handle not in self._clients:
            return
        waited = bool(client.out)
        try:
            if not client.send(data) and not waited:
                self._poller.change(client.handle, write=True)
        except LostError as error:
            self._lose(client, str(error))

    def _flush(self, client: Client) -> None:
        if client.flush():
            self._poller.change(client.handle, write=False)

    def _lose(self, client: Client, why: str) -> None:
        """Go on without a client."""
        if self._clients.pop(client.handle, None) is None:
            return
        self.disconnects += 1
        self._trouble(client, why)
        self._poller.forget(client.handle)
        client.sock.close()
        client.room.leave(client)
        if self.talk is not None:
            self.talk.lose(client.number)
