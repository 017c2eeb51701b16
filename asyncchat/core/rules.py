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
    expiry,
    login,
    logout,
    membership,
    messages,
    moderation,
    nicknames,
    operator_commands,
    questions,
    room_settings,
    unkept_guests,
)
from asyncchat.core.in_flight import TRACKED
from asyncchat.core.outcomes import NOTHING, Effect, Outcome, Reply
from asyncchat.core.session import Phase, Session
from asyncchat.core.settings import Settings
from asyncchat.core.state import ChatState
from asyncchat.vocabulary import commands, events, records
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.terms import Code

Handler = Callable[[ChatState, Session, Any, Any, int], Outcome]
Fact = Callable[[ChatState, int, Any, Session | None], Sequence[Effect]]


def ping(state: ChatState, session: Session, person: object, command: commands.Ping, now: int) -> Outcome:
    """The server is there."""
    return Reply((events.Ok(code=Code.OK),))


def pong(state: ChatState, session: Session, person: object, command: commands.Pong, now: int) -> Outcome:
    """The client is there: that it said something is all there is to know."""
    return NOTHING


def barrier(state: ChatState, seq: int, record: records.Barrier, origin: Session | None) -> Sequence[Effect]:
    """Nothing happened."""
    return ()


HANDLERS: dict[type[commands.Command], Handler] = {
    commands.Say: messages.say,
    commands.Edit: messages.edit,
    commands.Delete: messages.delete,
    commands.React: messages.react,
    commands.Typing: messages.typing,
    commands.Read: messages.read,
    commands.Hello: login.hello,
    commands.Quit: logout.quit_,
    commands.Ping: ping,
    commands.Pong: pong,
    commands.Join: membership.join,
    commands.Leave: membership.leave,
    commands.Topic: room_settings.topic,
    commands.Invite: room_settings.invite,
    commands.SetRole: room_settings.set_role,
    commands.SetRoom: room_settings.set_room,
    commands.Destroy: room_settings.destroy,
    commands.Rooms: questions.rooms,
    commands.Who: questions.who,
    commands.Whois: questions.whois,
    commands.History: questions.history,
    commands.Sync: questions.sync,
    commands.Search: questions.search,
    commands.Nick: nicknames.nick,
    commands.Away: logout.away,
    commands.Register: accounts.register,
    commands.Passwd: accounts.passwd,
    commands.Kick: moderation.kick,
    commands.Ban: moderation.ban,
    commands.Unban: moderation.unban,
    commands.Bans: moderation.bans,
    commands.Mute: moderation.mute,
    commands.Purge: moderation.purge,
    commands.Announce: operator_commands.announce,
    commands.Stats: operator_commands.stats,
    commands.Accounts: operator_commands.accounts,
    commands.CreateAccount: operator_commands.create_account,
    commands.ResetPassword: operator_commands.reset_password,
    commands.SetAdministrator: operator_commands.set_administrator,
    commands.Log: operator_commands.log,
    commands.Reload: operator_commands.reload,
    commands.Backup: operator_commands.backup,
    commands.Shutdown: operator_commands.shutdown,
}
"""What answers each command."""

FACTS: dict[type[records.Record], Fact] = {
    records.Message: messages.message_said,
    records.MessageEdited: messages.message_edited,
    records.MessagesDeleted: messages.messages_deleted,
    records.MessageReacted: messages.message_reacted,
    records.MarkerSet: messages.marker_set,
    records.Pruned: barrier,
    records.PeopleForgotten: room_settings.people_forgotten,
    records.PersonTyping: messages.person_typing,
    records.PersonCreated: nicknames.person_created,
    records.GuestCame: nicknames.guest_came,
    records.PersonGone: logout.person_gone,
    records.NoncesRecalled: messages.nonces_recalled,
    records.ReadingRecalled: login.reading_recalled,
    records.SettingsApplied: login.settings_applied,
    records.SessionOpened: login.session_opened,
    records.SessionClosed: logout.session_closed,
    records.NameReleased: logout.name_released,
    records.Seen: logout.seen,
    records.PresenceSet: logout.presence_set,
    records.NameTaken: nicknames.name_taken,
    records.Registered: nicknames.registered,
    records.PasswordSet: accounts.password_set,
    records.AdministratorSet: accounts.administrator_set,
    records.TokenGiven: accounts.token_given,
    records.RoomCreated: membership.room_created,
    records.RoomDropped: membership.room_dropped,
    records.PersonJoined: membership.person_joined,
    records.PersonLeft: membership.person_left,
    records.PersonInvited: room_settings.person_invited,
    records.TopicSet: room_settings.topic_set,
    records.RoomSet: room_settings.room_set,
    records.InviteSet: room_settings.invite_set,
    records.RoleSet: room_settings.role_set,
    records.BanSet: moderation.ban_set,
    records.BanLifted: moderation.ban_lifted,
    records.Announced: moderation.announced,
    records.Barrier: barrier,
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
        self.state = ChatState(settings, epoch=epoch, identity=identity, new_token=new_token, no_password=no_password)

    def restore(
        self, facts: Iterable[tuple[int, records.Record]], *, seq: int, arrived: int | None = None, now: int
    ) -> list[records.Record]:
        """Take over what storage kept, before anyone is served.

        People who were online when the server died got all up to *arrived* (None: *seq*), and are sent the rest, rather
        twice than never; guests who still hold a name are waited for. Returns the records that are due at a start: the
        default room, if it is new, and who is not online any more.
        """
        state = self.state
        for at, record in facts:
            # A claim that came second lost then, and loses again.
            with suppress(Refused):
                self.apply(at, record, None)
        state.seq = seq
        due: list[records.Record] = [self.settings_record(now)]
        state.rooms.orphaned.clear()  # in between a room may have looked so: only the last role of each is kept
        for person in state.people:
            person.nonces = None
            if not person.registered:
                state.people.wait_for(person, now)
            if person.seen is None:
                person.seen = seq if arrived is None else min(arrived, seq)
                due.append(records.Seen(time=now, person=person.id, upto=person.seen))
        for room in state.rooms:
            state.rooms.expect(room, now)
        lobby = state.default_room
        if lobby.key not in state.rooms.by_key:
            due.append(records.RoomCreated(time=now, name=lobby.text, key=lobby.key))
        return due

    def handle(self, session: Session, command: commands.Command, now: int) -> Outcome:
        """Check a command and say what becomes of it. Raises `Refused`."""
        kind = type(command)
        session.require(kind)
        outcome = HANDLERS[kind](self.state, session, session.person, command, now)
        if self.state.people.passing:
            return unkept_guests.keep_first(self.state, outcome, now, lambda: self.handle(session, command, now))
        return outcome

    def settings_record(self, now: int) -> records.SettingsApplied:
        """What the log has to know of the settings: append it at the start, and when they were replaced."""
        administrators = sorted(self.state.administrators_set)
        return records.SettingsApplied(time=now, server=self.state.settings.name, administrators=administrators)

    def appended(self, record: records.Record, session: Session | None) -> None:
        """A record that was wanted is given to the log; it comes back by `apply` or by `failed`."""
        kind = type(record)
        if type(record) is records.Message:
            if record.nonce is not None:
                self.state.in_flight.nonces.add((record.author, record.nonce))
        elif kind in TRACKED:
            self.state.in_flight.appended(record)
        elif session is None:
            return
        elif kind is records.RoomCreated:
            self.state.foundings.count(session.address, self.state.limits.rooms_per_address, record.time)
        elif kind is records.Registered:
            self.state.registrations.count(session.address, self.state.limits.accounts_per_address, record.time)

    def apply(self, seq: int, record: records.Record, origin: Session | None) -> Sequence[Effect]:
        """Make a record part of the state; *origin* is the session it came from, if it is one of ours.

        Raises `Refused` for a claim that came second.
        """
        self.state.seq = seq
        kind = type(record)
        if type(record) is records.Message:
            if record.nonce is not None:
                self.state.in_flight.nonces.discard((record.author, record.nonce))
        elif kind in TRACKED:
            self.state.in_flight.returned(record)
        return FACTS[kind](self.state, seq, record, origin)

    def failed(self, record: records.Record) -> None:
        """A record that `handle` wanted, or that was `overdue`, did not get into the log."""
        expiry.failed(self.state, record)

    def vanish(self, session: Session, now: int, reason: str, received: int | None = None) -> Outcome:
        """A connection ended without a goodbye.

        *received*: the ``seq`` up to which its client surely got what it was told; None: all of it.
        """
        gone = not session.resumable
        session.phase = Phase.OVER
        return logout.detach(self.state, session, now, quit=gone, reason=reason, received=received)

    def clock_stepped(self, step: int) -> None:
        """The clock was set by so many milliseconds: all that waits goes on waiting as long as it would have."""
        expiry.clock_stepped(self.state, step)

    def overdue(self, now: int) -> list[records.Record]:
        """What mere time has made true, and what follows from other facts; ask about once a second."""
        return expiry.overdue(self.state, now)
