"""The chat: what a command asks is checked by `Chat.handle`, and what became a fact is told by `Chat.apply`.

Both are pure rules. `handle` changes nothing: it refuses, answers, asks the storage, or wants records put into the log;
but a wrong password is counted. `apply` takes the records in the log's order, changes the state, and says who is told
what: a function of the log, so that two chats that apply the same records are in the same state.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from asyncchat.core import (
    accounts,
    asking,
    hello,
    joining,
    leaving,
    moderation,
    naming,
    operator,
    passing,
    presence,
    rooming,
    talking,
    upkeep,
)
from asyncchat.core.house import House
from asyncchat.core.in_flight import TRACKED
from asyncchat.core.outcomes import NOTHING, Effect, Outcome, Reply
from asyncchat.core.session import Phase, Session
from asyncchat.core.settings import Settings
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.terms import Code

Handler = Callable[[House, Session, Any, Any, int], Outcome]
Fact = Callable[[House, int, Any, Session | None], Sequence[Effect]]


def ping(house: House, session: Session, person: object, command: commands.Ping, now: int) -> Outcome:
    """The server is there."""
    return Reply((events.Ok(code=Code.OK),))


def pong(house: House, session: Session, person: object, command: commands.Pong, now: int) -> Outcome:
    """The client is there: that it said something is all there is to know."""
    return NOTHING


def fence(house: House, seq: int, record: records.Fence, origin: Session | None) -> Sequence[Effect]:
    """Nothing happened."""
    return ()


HANDLERS: dict[type[commands.Command], Handler] = {
    commands.Say: talking.say,
    commands.Edit: talking.edit,
    commands.Delete: talking.delete,
    commands.React: talking.react,
    commands.Typing: talking.typing,
    commands.Read: talking.read,
    commands.Hello: hello.hello,
    commands.Quit: leaving.quit_,
    commands.Ping: ping,
    commands.Pong: pong,
    commands.Join: joining.join,
    commands.Leave: joining.leave,
    commands.Topic: rooming.topic,
    commands.Invite: rooming.invite,
    commands.SetRole: rooming.set_role,
    commands.SetRoom: rooming.set_room,
    commands.Destroy: rooming.destroy,
    commands.Rooms: asking.rooms,
    commands.Who: asking.who,
    commands.Whois: asking.whois,
    commands.History: asking.history,
    commands.Sync: asking.sync,
    commands.Search: asking.search,
    commands.Nick: naming.nick,
    commands.Away: presence.away,
    commands.Register: accounts.register,
    commands.Passwd: accounts.passwd,
    commands.Kick: moderation.kick,
    commands.Ban: moderation.ban,
    commands.Unban: moderation.unban,
    commands.Bans: moderation.bans,
    commands.Mute: moderation.mute,
    commands.Purge: moderation.purge,
    commands.Announce: operator.announce,
    commands.Stats: operator.stats,
    commands.Accounts: operator.accounts,
    commands.CreateAccount: operator.create_account,
    commands.ResetPassword: operator.reset_password,
    commands.SetAdministrator: operator.set_administrator,
    commands.Log: operator.log,
    commands.Reload: operator.reload,
    commands.Backup: operator.backup,
    commands.Shutdown: operator.shutdown,
}
"""What answers each command."""

FACTS: dict[type[records.Record], Fact] = {
    records.Message: talking.message_said,
    records.MessageEdited: talking.message_edited,
    records.MessagesDeleted: talking.messages_deleted,
    records.MessageReacted: talking.message_reacted,
    records.MarkerSet: talking.marker_set,
    records.Pruned: fence,
    records.PeopleForgotten: rooming.people_forgotten,
    records.PersonTyping: talking.person_typing,
    records.PersonCreated: naming.person_created,
    records.GuestCame: naming.guest_came,
    records.PersonGone: leaving.person_gone,
    records.NoncesRecalled: talking.nonces_recalled,
    records.ReadingRecalled: hello.reading_recalled,
    records.SettingsApplied: hello.settings_applied,
    records.SessionOpened: hello.session_opened,
    records.SessionClosed: leaving.session_closed,
    records.NameReleased: leaving.name_released,
    records.Seen: leaving.seen,
    records.PresenceSet: presence.presence_set,
    records.NameTaken: naming.name_taken,
    records.Registered: naming.registered,
    records.PasswordSet: accounts.password_set,
    records.AdministratorSet: accounts.administrator_set,
    records.TokenGiven: accounts.token_given,
    records.RoomCreated: joining.room_created,
    records.RoomDropped: joining.room_dropped,
    records.PersonJoined: joining.person_joined,
    records.PersonLeft: joining.person_left,
    records.PersonInvited: rooming.person_invited,
    records.TopicSet: rooming.topic_set,
    records.RoomSet: rooming.room_set,
    records.InviteSet: rooming.invite_set,
    records.RoleSet: rooming.role_set,
    records.BanSet: moderation.ban_set,
    records.BanLifted: moderation.ban_lifted,
    records.Announced: moderation.announced,
    records.Fence: fence,
}
"""What each fact changes and tells."""


class Chat:
    """The rules of one server, over its state.

    ``new_token`` gives 256 random bits as text; ``no_password`` is a hash that no password fits. Times are Unix
    milliseconds.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        epoch: str,
        identity: str,
        new_token: Callable[[], str],
        no_password: str = "",
    ) -> None:
        self.house = House(settings, epoch=epoch, identity=identity, new_token=new_token, no_password=no_password)

    def restore(
        self, facts: Iterable[tuple[int, records.Record]], *, seq: int, arrived: int | None = None, now: int
    ) -> list[records.Record]:
        """Take over what storage kept, before anyone is served.

        People who were online when the server died got all up to *arrived* (None: *seq*), and are sent the rest, rather
        twice than never; guests who still hold a name are waited for. Returns the records that are due at a start: the
        default room, if it is new, and who is not online any more.
        """
        house = self.house
        for at, record in facts:
            # A claim that came second lost then, and loses again.
            with suppress(Refused):
                self.apply(at, record, None)
        house.seq = seq
        due: list[records.Record] = [self.settings_record(now)]
        house.rooms.orphaned.clear()  # in between a room may have looked so: only the last role of each is kept
        for person in house.people:
            person.nonces = None
            if not person.registered:
                house.people.wait_for(person, now)
            if person.seen is None:
                person.seen = seq if arrived is None else min(arrived, seq)
                due.append(records.Seen(time=now, person=person.id, upto=person.seen))
        for room in house.rooms:
            house.rooms.expect(room, now)
        lobby = house.default_room
        if lobby.key not in house.rooms.by_key:
            due.append(records.RoomCreated(time=now, name=lobby.text, key=lobby.key))
        return due

    def handle(self, session: Session, command: commands.Command, now: int) -> Outcome:
        """Check a command and say what becomes of it. Raises `Refused`."""
        kind = type(command)
        session.require(kind)
        outcome = HANDLERS[kind](self.house, session, session.person, command, now)
        if self.house.people.passing:
            return passing.keep_first(self.house, outcome, now, lambda: self.handle(session, command, now), self.failed)
        return outcome

    def settings_record(self, now: int) -> records.SettingsApplied:
        """What the log has to know of the settings: append it at the start, and when they were replaced."""
        administrators = sorted(self.house.administrators_set)
        return records.SettingsApplied(time=now, server=self.house.settings.name, administrators=administrators)

    def appended(self, record: records.Record, session: Session | None) -> None:
        """A record that was wanted is given to the log; it comes back by `apply` or by `failed`."""
        kind = type(record)
        if kind in TRACKED:
            self.house.in_flight.appended(record)
        elif session is None:
            return
        elif kind is records.RoomCreated:
            self.house.foundings.count(session.address, self.house.limits.rooms_per_address, record.time)
        elif kind is records.Registered:
            self.house.registrations.count(session.address, self.house.limits.accounts_per_address, record.time)

    def apply(self, seq: int, record: records.Record, origin: Session | None) -> Sequence[Effect]:
        """Make a record part of the state; *origin* is the session it came from, if it is one of ours.

        Raises `Refused` for a claim that came second.
        """
        self.house.seq = seq
        kind = type(record)
        if kind in TRACKED:
            self.house.in_flight.returned(record)
        return FACTS[kind](self.house, seq, record, origin)

    def failed(self, record: records.Record) -> None:
        """A record that `handle` wanted, or that was `overdue`, did not get into the log."""
        upkeep.failed(self.house, record)

    def vanish(self, session: Session, now: int, reason: str, received: int | None = None) -> Outcome:
        """A connection ended without a goodbye.

        *received*: the ``seq`` up to which its client surely got what it was told; None: all of it.
        """
        gone = not session.resumable
        session.phase = Phase.OVER
        return leaving.detach(self.house, session, now, quit=gone, reason=reason, received=received)

    def clock_stepped(self, step: int) -> None:
        """The clock was set by so many milliseconds: all that waits goes on waiting as long as it would have."""
        upkeep.clock_stepped(self.house, step)

    def overdue(self, now: int) -> list[records.Record]:
        """What mere time has made true, and what follows from other facts; ask about once a second."""
        return upkeep.overdue(self.house, now)
