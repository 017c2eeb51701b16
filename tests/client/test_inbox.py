"""The order in which an application gets its events, whatever the connection does."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from asyncchat.client import Resumed
from asyncchat.client.inbox import Hole, Inbox
from asyncchat.vocabulary import events
from asyncchat.vocabulary.events import KeptEvent
from asyncchat.vocabulary.terms import Code

TIME = "2026-01-02T03:04:05.678Z"
TYPING = events.Typing(sender="bob", to="#lobby")


def said(seq: int) -> events.Said:
    return events.Said(seq=seq, time=TIME, sender="bob", to="#lobby", text=str(seq))


def welcome(seq: int, epoch: str = "first") -> events.Welcome:
    return events.Welcome(
        code=Code.ACCEPTED, name="a", server="s", version="0", epoch=epoch, seq=seq, time=TIME, rooms=[], limits={}
    )


def page(*seqs: int, complete: bool = True, last: int | None = None) -> events.History:
    return events.History(events=[said(seq) for seq in seqs], complete=complete, next=last)


def fresh(limit: int = 100, seq: int = 10) -> Inbox:
    inbox = Inbox(limit)
    inbox.welcome(welcome(seq))
    inbox.settled()
    return inbox


def drain(inbox: Inbox) -> list[object]:
    """All that can be taken: numbers of kept events, the rest as it is, up to the first hole."""
    taken: list[object] = []
    while (head := inbox.head()) is not None and not isinstance(head, Hole):
        item = inbox.take()
        taken.append(item.seq if isinstance(item, events.Kept) else item)
    return taken


def hole_of(inbox: Inbox) -> Hole:
    head = inbox.head()
    assert isinstance(head, Hole)
    return head


def test_live_events_come_in_order_and_once() -> None:
    inbox = fresh()
    for seq in (11, 12, 12, 11, 15):
        inbox.put(said(seq))
    assert drain(inbox) == [11, 12, 15]
    assert inbox.handed_out == 15


def test_what_was_missed_comes_before_what_comes_live() -> None:
    inbox = fresh()
    inbox.put(said(11))
    inbox.welcome(welcome(20))
    inbox.put(said(21))
    assert drain(inbox) == [11]
    hole = hole_of(inbox)
    assert (hole.after, hole.until) == (11, 20)
    inbox.fill(hole, 20, page(12, 14, complete=False, last=14))
    assert drain(inbox) == [12, 14]
    assert (hole.after, inbox.handed_out) == (14, 14)
    inbox.fill(hole, 20, page(18, last=20))
    assert drain(inbox) == [18, Resumed(complete=True, missed=3), 21]


def test_a_welcome_at_the_same_place_has_nothing_to_fetch() -> None:
    inbox = fresh()
    inbox.welcome(welcome(10))
    assert drain(inbox) == [Resumed(complete=True, missed=0)]


def test_another_database_is_another_log() -> None:
    inbox = fresh()
    inbox.put(said(50))
    inbox.skip(50, 60)
    inbox.welcome(welcome(3, "second"))
    inbox.put(said(4))
    assert drain(inbox) == [50, Resumed(complete=False), 4]
    assert (inbox.epoch, inbox.seen) == ("second", 4)


def test_a_log_that_went_back_is_another_log() -> None:
    inbox = fresh(seq=10)
    inbox.welcome(welcome(5))
    inbox.put(said(6))
    assert drain(inbox) == [Resumed(complete=False), 6]


def test_a_remembered_place_is_gone_on_from() -> None:
    inbox = Inbox(100, epoch="first", seen=7)
    inbox.welcome(welcome(10))
    hole = hole_of(inbox)
    assert (hole.after, hole.until, inbox.handed_out) == (7, 10, 7)


def test_direct_messages_from_before_a_first_login_are_taken() -> None:
    inbox = Inbox(100)
    inbox.welcome(welcome(10))
    for seq in (4, 6, 6, 11):
        inbox.put(said(seq))
    inbox.settled()
    inbox.put(said(7))
    assert drain(inbox) == [4, 6, 11]


def test_more_direct_messages_than_a_server_sends_by_itself_are_fetched() -> None:
    inbox = Inbox(100)
    inbox.welcome(welcome(10))
    inbox.put(said(4))
    inbox.skip(4, 10)
    inbox.put(said(11))
    assert drain(inbox) == [4]
    hole = hole_of(inbox)
    assert (hole.after, hole.until) == (4, 10)
    inbox.fill(hole, 10, page(8, last=10))
    assert drain(inbox) == [8, 11]


def test_a_gap_is_fetched_in_its_place() -> None:
    inbox = fresh()
    inbox.put(said(11))
    inbox.skip(11, 15)
    inbox.put(said(15))
    inbox.put(said(16))
    assert drain(inbox) == [11]
    hole = hole_of(inbox)
    inbox.fill(hole, 15, page(12, 15))
    assert drain(inbox) == [12, 15, 16]


def test_a_gap_that_reaches_back_repeats_nothing() -> None:
    inbox = fresh()
    inbox.put(said(12))
    inbox.skip(10, 15)
    drain(inbox)
    assert hole_of(inbox).after == 12
    inbox.skip(10, 15)
    assert len(inbox) == 1


def test_what_does_not_fit_becomes_a_hole() -> None:
    inbox = fresh(limit=4)
    for seq in range(11, 31):
        inbox.put(said(seq))
        inbox.put(TYPING)
    assert len(inbox) == 5
    assert drain(inbox) == [11, TYPING, 12, TYPING]
    hole = hole_of(inbox)
    assert (hole.after, hole.until) == (12, 30)
    inbox.put(said(31))
    assert len(inbox) == 2, "there is room again"
    inbox.fill(hole, 30, page(*range(13, 31)))
    assert drain(inbox) == list(range(13, 32))


def test_a_hole_that_grows_while_its_last_page_is_on_its_way_is_not_closed() -> None:
    inbox = fresh(limit=1)
    inbox.put(said(11))
    inbox.put(said(12))
    assert drain(inbox) == [11]
    hole = hole_of(inbox)
    inbox.put(said(13))
    inbox.fill(hole, 12, page(12, last=12))
    assert drain(inbox) == [12]
    assert hole_of(inbox) is hole
    assert (hole.after, hole.until) == (12, 13)


def test_a_hole_whose_end_opens_while_its_last_page_is_on_its_way_is_not_closed() -> None:
    inbox = fresh()
    inbox.skip(10, 20)
    hole = hole_of(inbox)
    inbox.welcome(welcome(30), open_ended=True)
    inbox.fill(hole, 20, page(11, 20, last=20))
    assert drain(inbox) == [11, 20]
    assert hole_of(inbox) is hole
    assert (hole.after, hole.until) == (20, None)


def test_an_open_end_whose_last_page_is_empty_repeats_nothing() -> None:
    inbox = fresh()
    inbox.welcome(welcome(20), open_ended=True)
    inbox.put(said(21))
    inbox.put(said(22))
    hole = hole_of(inbox)
    inbox.fill(hole, None, page(11, 21, 22, complete=False, last=22))
    assert drain(inbox) == [11, 21, 22]
    inbox.fill(hole, None, page())
    assert drain(inbox) == [Resumed(complete=True, missed=3)]


def test_an_open_end_reaches_into_what_came_live_without_repeating_it() -> None:
    inbox = fresh()
    inbox.welcome(welcome(20), open_ended=True)
    for seq in (21, 23, 27):
        inbox.put(said(seq))
    inbox.skip(27, 40)
    hole = hole_of(inbox)
    assert hole.until is None
    inbox.fill(hole, None, page(15, 21, complete=False, last=21))
    assert drain(inbox) == [15, 21]
    inbox.fill(hole, None, page(22, 23, last=30))
    assert drain(inbox) == [22, 23, Resumed(complete=True, missed=4)]
    rest = hole_of(inbox)
    assert (rest.after, rest.until) == (30, 40)


def test_a_page_of_another_database_is_not_taken() -> None:
    inbox = fresh()
    inbox.skip(10, 20)
    hole = hole_of(inbox)
    inbox.welcome(welcome(3, "second"))
    inbox.fill(hole, 20, page(11, 12))
    assert drain(inbox) == [Resumed(complete=False)]


def test_a_server_that_has_no_more_to_tell_does_not_keep_a_client_asking() -> None:
    inbox = fresh()
    inbox.skip(10, 20)
    inbox.fill(hole_of(inbox), 20, page(complete=False))
    assert drain(inbox) == []
    assert inbox.head() is None


def cut_and_resume(inbox: Inbox, seq: int, epoch: str = "first") -> None:
    inbox.put(said(seq - 1))
    inbox.put(events.Bye(reason="restart", reconnect=1))
    inbox.welcome(welcome(seq, epoch))
    inbox.settled()


def test_however_often_a_connection_is_lost_memory_is_bounded() -> None:
    inbox = fresh(limit=5)
    for seq in range(12, 1012, 2):
        cut_and_resume(inbox, seq)
    assert len(inbox) < 10
    taken = drain(inbox)
    while inbox.head() is not None:
        hole = hole_of(inbox)
        assert hole.until is not None
        inbox.fill(hole, hole.until, page(*range(hole.after + 1, hole.until + 1), last=hole.until))
        taken += drain(inbox)
    assert [item for item in taken if isinstance(item, int)] == list(range(11, 1011))
    assert isinstance(taken[-1], Resumed)
    assert taken[-1].complete


def test_among_many_cuts_another_database_is_not_forgotten() -> None:
    inbox = fresh(limit=1)
    inbox.put(said(11))
    for epoch in ("first", "second", "second"):
        cut_and_resume(inbox, 20, epoch)
    inbox.take()
    while isinstance(inbox.head(), Hole):
        inbox.fill(hole_of(inbox), hole_of(inbox).until, page())
    assert drain(inbox) == [Resumed(complete=False)]


class Log:
    """A server's log with one client on it, for the machine below."""

    def __init__(self) -> None:
        self.kept: list[int] = []
        self.seq = 0

    def keep(self) -> int:
        self.seq += 1
        self.kept.append(self.seq)
        return self.seq

    def page(self, after: int, until: int | None, size: int) -> events.History:
        wanted = [seq for seq in self.kept if after < seq <= (self.seq if until is None else until)]
        found: list[KeptEvent] = [said(seq) for seq in wanted[:size]]
        complete = len(wanted) < size  # a full page does not know that it is the last one
        return events.History(events=found, complete=complete, next=until if complete else found[-1].seq)


class Machine:
    """An inbox and the log that it reads, to which anything may happen."""

    def __init__(self, limit: int, size: int) -> None:
        self.log = Log()
        self.size = size
        self.inbox = Inbox(limit)
        self.inbox.welcome(welcome(0))
        self.inbox.settled()
        self.taken: list[int] = []
        self.online = True
        self.silent_since: int | None = None

    def say(self) -> None:
        seq = self.log.keep()
        if self.online and self.silent_since is None:
            self.inbox.put(said(seq))

    def take(self) -> None:
        if self.inbox.head() is not None and not isinstance(self.inbox.head(), Hole):
            item = self.inbox.take()
            if isinstance(item, events.Kept):
                self.taken.append(item.seq)

    def fill(self, *, meanwhile: Callable[[], None] | None = None) -> None:
        head = self.inbox.head()
        if isinstance(head, Hole) and self.online:
            until = head.until
            answer = self.log.page(head.after, until, self.size)
            if meanwhile is not None:
                meanwhile()
            self.inbox.fill(head, until, answer)

    def fill_after_more(self) -> None:
        self.fill(meanwhile=self.say)

    def fill_after_a_cut(self) -> None:
        self.fill(meanwhile=self.flap)

    def flap(self) -> None:
        self.cut()
        self.say()
        self.come_back()

    def cut(self) -> None:
        self.online, self.silent_since = False, None

    def come_back(self) -> None:
        if not self.online:
            self.online = True
            self.inbox.welcome(welcome(self.log.seq), open_ended=len(self.taken) % 2 == 0)
            self.inbox.settled()

    def fall_silent(self) -> None:
        if self.online and self.silent_since is None:
            self.silent_since = self.log.seq

    def gap(self) -> None:
        if self.silent_since is not None:
            self.inbox.skip(self.silent_since, self.log.seq)
            self.silent_since = None


STEPS = [Machine.say, Machine.take, Machine.fill, Machine.fill_after_more, Machine.fill_after_a_cut]
STEPS += [Machine.cut, Machine.come_back, Machine.fall_silent, Machine.gap, Machine.say, Machine.take]


@settings(max_examples=500)
@given(st.lists(st.sampled_from(STEPS), max_size=60), st.integers(1, 5), st.integers(1, 3))
def test_whatever_happens_each_event_comes_once_and_in_order(
    actions: list[Callable[[Machine], None]], limit: int, size: int
) -> None:
    machine = Machine(limit, size)
    for action in actions:
        action(machine)
        assert machine.taken == sorted(set(machine.taken))
        assert all(seq in machine.taken for seq in machine.log.kept if seq <= machine.inbox.handed_out)
        assert len([item for item in machine.inbox._items if isinstance(item, events.Kept)]) <= limit + size
    machine.gap()
    machine.come_back()
    while (head := machine.inbox.head()) is not None:
        machine.fill() if isinstance(head, Hole) else machine.take()
    assert machine.taken == machine.log.kept
