"""Every command as a typed method, over one `request`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from msgspec import structs

from asyncchat.vocabulary import commands, events
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.errors import ProtocolError
from asyncchat.vocabulary.events import Result
from asyncchat.vocabulary.terms import Role

E = TypeVar("E")
R = TypeVar("R", bound=Result)
Listing = TypeVar("Listing", commands.Rooms, commands.Who, commands.Bans)
Listed = TypeVar("Listed", events.RoomList, events.Members, events.BanList)

LONGEST_LIST = 1_000_000
"""Entries of a list that is fetched page by page: no server is to fill our memory with one that does not end."""


class ClientCommands(ABC):
    """What one can ask a server for, once logged in.

    Every method raises `Refused` (with a code) when the server says no, and `ConnectionLost` when there is no
    connection any more and will be none. While the connection is being restored they wait. Cancelling one
    takes nothing back that was sent.
    """

    @abstractmethod
    async def request(self, command: Command) -> Result:
        """Send a command and return its result; raises `Refused` for an `Error`."""

    async def _ask(self, command: Command, kind: type[R]) -> R:
        result = await self.request(command)
        if not isinstance(result, kind):
            raise ProtocolError(f"the reply to {command.__struct_config__.tag!r} is {type(result).__name__}")
        return result

    async def _all(self, command: Listing, kind: type[Listed], entries: Callable[[Listed], list[E]]) -> list[E]:
        """A whole list, page by page."""
        found: list[E] = []
        while True:
            page = await self._ask(command, kind)
            found += entries(page)
            if page.complete:
                return found
            behind = command.after if command.after is not None else -1
            if page.next is None or page.next <= behind or len(found) > LONGEST_LIST:
                raise ProtocolError(f"the list of {command.__struct_config__.tag!r} does not end")
            command = structs.replace(command, after=page.next)

    # --- messages ---------------------------------------------------------------------------------------------------

    async def edit(self, seq: int, text: str) -> events.Ok:
        """Replace the text of one's own message."""
        return await self._ask(commands.Edit(seq=seq, text=text), events.Ok)

    async def delete(self, seq: int) -> events.Ok:
        """Take back a message: one's own, or as a room's operator anybody's."""
        return await self._ask(commands.Delete(seq=seq), events.Ok)

    async def react(self, seq: int, reaction: str, *, remove: bool = False) -> events.Ok:
        """Put a reaction (an emoji or a short word) on a message, or take it off."""
        return await self._ask(commands.React(seq=seq, reaction=reaction, remove=remove), events.Ok)

    async def read(self, to: str, seq: int) -> events.Ok:
        """Say that a room or a conversation is read up to ``seq``."""
        return await self._ask(commands.Read(to=to, seq=seq), events.Ok)

    async def purge(self, room: str, name: str, seconds: int) -> events.Ok:
        """Delete what a person said in a room in the last ``seconds``."""
        return await self._ask(commands.Purge(room=room, name=name, seconds=seconds), events.Ok)

    # --- rooms ------------------------------------------------------------------------------------------------------

    async def join(self, room: str, password: str | None = None) -> events.Ok:
        """Enter a room; it is created, and yours, if it did not exist. The password is remembered for reconnects."""
        return await self._ask(commands.Join(room=room, password=password), events.Ok)

    async def leave(self, room: str, reason: str | None = None) -> events.Ok:
        """Leave a room."""
        return await self._ask(commands.Leave(room=room, reason=reason), events.Ok)

    async def rooms(self) -> list[events.Room]:
        """The rooms of the server, as far as you may see them, oldest first: as many pages as it takes."""
        return await self._all(commands.Rooms(), events.RoomList, lambda page: page.rooms)

    async def who(self, room: str | None = None) -> list[events.Member]:
        """The members of a room, or, without one, the people on the server: as many pages as it takes.

        They are in the order in which they came. Who leaves meanwhile and comes back may be there twice.
        """
        return await self._all(commands.Who(room=room), events.Members, lambda page: page.members)

    async def whois(self, name: str) -> events.User:
        """What is known of a person."""
        return await self._ask(commands.Whois(name=name), events.User)

    async def topic(self, room: str) -> str:
        """A room's topic; empty if it has none."""
        return (await self._ask(commands.Topic(room=room), events.Ok)).text or ""

    async def set_topic(self, room: str, text: str) -> events.Ok:
        """Set a room's topic; an empty text clears it."""
        return await self._ask(commands.Topic(room=room, text=text), events.Ok)

    async def invite(self, room: str, name: str) -> events.Ok:
        """Let a person into a private room, and tell them."""
        return await self._ask(commands.Invite(room=room, name=name), events.Ok)

    # --- the past ---------------------------------------------------------------------------------------------------

    async def history(
        self, to: str, *, before: int | None = None, after: int | None = None, limit: int | None = None
    ) -> events.History:
        """A page of a room's or a conversation's messages, oldest first.

        The last ones before a ``seq``, or the first ones after one; by default the last. ``limit``: how many at most;
        the server's limit ``page`` holds as well. Go on from the page's ``next`` until it is ``complete``.
        """
        command = commands.History(to=to, before=before, after=after, limit=limit)
        return await self._ask(command, events.History)

    async def last(self, to: str, count: int, *, before: int | None = None) -> list[events.KeptEvent]:
        """The last messages of a room or a conversation, so many or all that there are, oldest first: page by page."""
        found: list[events.KeptEvent] = []
        while (missing := count - len(found)) > 0:
            page = await self.history(to, before=before, limit=missing)
            found[:0] = page.events
            if page.complete:
                break
            before = page.next
        return found

    async def sync(self, after: int, *, until: int | None = None, limit: int | None = None) -> events.History:
        """A page of all that you may see after a ``seq`` and up to another, oldest first.

        ``limit``: how many events at most. Go on with ``after`` as the page's ``next`` until it is ``complete``.
        """
        return await self._ask(commands.Sync(after=after, until=until, limit=limit), events.History)

    async def search(
        self,
        text: str,
        *,
        to: str | None = None,
        sender: str | None = None,
        since: str | None = None,
        until: str | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> events.History:
        """The newest messages that hold all words of ``text``, oldest first.

        ``to``: only in this room or conversation; ``sender``: only this person's. ``since``, ``until``: RFC 3339 times.
        ``before``: a ``seq``, to page on. Raises `Refused` 413 when it would look at too much: its text says how to
        narrow it.
        """
        command = commands.Search(text=text, to=to, sender=sender, since=since, until=until, before=before, limit=limit)
        return await self._ask(command, events.History)

    # --- oneself ----------------------------------------------------------------------------------------------------

    async def nick(self, name: str) -> events.Ok:
        """Take another name."""
        return await self._ask(commands.Nick(name=name), events.Ok)

    async def away(self, text: str) -> events.Ok:
        """Say that you are away, and why."""
        return await self._ask(commands.Away(text=text), events.Ok)

    async def back(self) -> events.Ok:
        """Say that you are back."""
        return await self._ask(commands.Away(), events.Ok)

    async def register(self, password: str | None = None, *, invitation: str | None = None) -> events.Ok:
        """Make your name yours for good: with a password, or bound to your token alone.

        ``invitation``: a word of the operator's, where an account needs one.
        """
        return await self._ask(commands.Register(password=password, invitation=invitation), events.Ok)

    async def passwd(self, new: str, *, old: str | None = None) -> events.Ok:
        """Set another password; ``old`` is needed if there is one. All tokens but yours are void then."""
        return await self._ask(commands.Passwd(new=new, old=old), events.Ok)

    # --- moderation -----------------------------------------------------------------------------------------

    async def kick(self, room: str, name: str, reason: str | None = None) -> events.Ok:
        """Put a person out of a room."""
        return await self._ask(commands.Kick(room=room, name=name, reason=reason), events.Ok)

    async def ban(
        self, who: str, room: str | None = None, *, seconds: int | None = None, reason: str | None = None
    ) -> events.Ok:
        """Keep a person, a name, an IP address or a network out of a room or (administrators) off the server.

        ``seconds``: how long; None is for ever.
        """
        return await self._ask(commands.Ban(who=who, room=room, seconds=seconds, reason=reason), events.Ok)

    async def unban(self, who: str, room: str | None = None) -> events.Ok:
        """Lift a ban."""
        return await self._ask(commands.Unban(who=who, room=room), events.Ok)

    async def bans(self, room: str | None = None) -> list[events.Ban]:
        """The bans and mutes of a room (for its operators) or, without one, of the server (for administrators).

        As many pages as it takes, in the order in which they were set.
        """
        return await self._all(commands.Bans(room=room), events.BanList, lambda page: page.bans)

    async def mute(self, room: str, name: str, *, seconds: int | None = None, reason: str | None = None) -> events.Ok:
        """Silence a person in a room; ``seconds`` 0 lifts it, None is for ever."""
        return await self._ask(commands.Mute(room=room, name=name, seconds=seconds, reason=reason), events.Ok)

    async def set_role(self, room: str, name: str, role: Role) -> events.Ok:
        """Give a person a role in a room."""
        return await self._ask(commands.SetRole(room=room, name=name, role=role), events.Ok)

    async def destroy_room(self, room: str, *, reason: str | None = None) -> events.Ok:
        """Remove a room with all that was said in it, for good; for its owners, and administrators."""
        return await self._ask(commands.Destroy(room=room, confirm=room, reason=reason), events.Ok)

    async def announce(self, text: str) -> events.Ok:
        """Tell everyone who is connected; for administrators."""
        return await self._ask(commands.Announce(text=text), events.Ok)

    async def stats(self) -> events.Stats:
        """The server in numbers; for administrators."""
        return await self._ask(commands.Stats(), events.Stats)

    async def set_room(
        self,
        room: str,
        *,
        private: bool | None = None,
        moderated: bool | None = None,
        topic_locked: bool | None = None,
        retention: int | None = None,
        password: str | None = None,
    ) -> events.Ok:
        """Change a room's options; None leaves one as it is.

        ``retention`` is in days, 0 for ever; an empty password is none.
        """
        command = commands.SetRoom(
            room=room,
            private=private,
            moderated=moderated,
            topic_locked=topic_locked,
            retention=retention,
            password=password,
        )
        return await self._ask(command, events.Ok)
