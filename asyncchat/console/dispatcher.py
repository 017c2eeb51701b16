"""What a person types in the terminal, done: messages, commands to the server, and what the program does by itself."""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from msgspec import structs

from asyncchat import ChatError, Refused, commands, events
from asyncchat.client import new_nonce
from asyncchat.commands import Command
from asyncchat.console.places import Place
from asyncchat.events import Result
from asyncchat.text import answer, is_room, label_of, name_key, place_of, printable, same, slash

if TYPE_CHECKING:
    from asyncchat.console.console import Console

SHOWN_ON_ENTERING = 20
"""Messages of the past shown on entering a room."""

Work = Coroutine[object, object, None]


class Dispatcher:
    """Does what is typed, for a `Console`."""

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._found: dict[int, str] = {}
        self._saying: tuple[commands.Say, asyncio.Future[int | None]] | None = None

    def line(self, text: str) -> bool:
        """A line was typed; False: it has nowhere to go until the person is somewhere.

        What an operator types who is nowhere is a command, with or without its slash.
        """
        if self._console.operator and self._console.places.here is None and not slash.is_command(text):
            text = f"/{text.lstrip()}"
        if self._saying is not None and slash.recalls(text):
            number = self._console.outbox.add_command(text)
            self._console.spawn(self._answered(number, self._recall(text, self._context(), *self._saying)))
            return True
        if self._console.places.here is None and not slash.is_command(text):
            self._console.screen.note(self._nowhere(), "error")
            return False
        match slash.parse(text, self._context(), client=True, operator=self._console.operator):
            case slash.Usage(text=why):
                self._console.screen.note(printable(why, multiline=True), "error")
            case slash.Action() as action:
                self._act(action)
            case asked:
                self._ask_for(asked, text)
        return True

    def _nowhere(self) -> str:
        if not self._console.places:
            return "you are in no room: /join #room"
        return "this line goes nowhere now: Alt+1 …, Ctrl+N or /join chooses where"

    def _context(self) -> slash.Context:
        places = self._console.places
        here = places.here
        return slash.Context(
            here=here.name if here is not None else None,
            partner=places.partner,
            own=places.own,
            last=here.last if here is not None else None,
            places=self._found,
            find=self._find,
            everywhere=self._console.operator,
        )

    def _find(self, word: str) -> str | None:
        """The open place that a word names."""
        for name in (word, word.removeprefix("@"), f"#{word}"):
            place = self._console.places.get(name)
            if place is not None:
                return place.name
        return None

    # --- what the server does ---------------------------------------------------------------------------------------

    def _ask_for(self, asked: tuple[Command, ...], text: str) -> None:
        """Ask for what the line *text* is about."""
        match asked:
            case (commands.Say() as command,):
                say = structs.replace(command, nonce=new_nonce())
                self._console.outbox.add(say)  # now, in the order in which it was typed
                self._saying = say, asyncio.get_running_loop().create_future()
                self._console.spawn(self._say(*self._saying))
            case (commands.Quit(reason=reason),):
                self._console.leave(reason)
            case _:
                shown = f"{text.split(maxsplit=1)[0]} …" if slash.holds_password(text) else text
                number = self._console.outbox.add_command(shown)
                self._console.spawn(self._answered(number, self._do(asked)))

    async def _answered(self, number: int, work: Work) -> None:
        try:
            await work
        finally:
            self._console.outbox.done(number)

    def _do(self, asked: tuple[Command, ...]) -> Work:
        match asked:
            case (commands.Join() as join,):
                return self._join(join)
            case (commands.Leave() as leave,):
                return self._leave(leave)
            case (commands.Nick(name=name),):
                return self._nick(name)
            case (commands.History() as before, commands.History() as after):
                return self._around(before, after)
            case (commands.Backup(path=path),):  # the server stands in another directory
                return self._ask(commands.Backup(path=os.path.abspath(os.path.expanduser(path))))
            case (command,):
                return self._ask(command)
            case _:
                raise AssertionError(f"nothing that is typed asks for {asked}")

    async def _say(self, say: commands.Say, kept: asyncio.Future[int | None]) -> None:
        """Say it; *kept* becomes the message's number, or None if it is refused."""
        seq = None
        try:
            result = await self._console.chat.request(say)
        except ChatError as error:
            self._console.outbox.done(say.nonce)
            self._complain(printable(f"not sent to {label_of(say.to)}: {say.text}"), printable(str(error)))
        else:
            if isinstance(result, events.Ok) and result.seq is not None:
                seq = result.seq
                self._console.places.kept(seq)
                if self._console.operator:  # to whom it does not come back
                    self._console.outbox.done(say.nonce)
                    self._console.screen.note(printable(f"said to {label_of(say.to)} as ^{seq}"))
                self._answer(say, result)
        kept.set_result(seq)
        if self._saying == (say, kept):
            self._saying = None

    async def _recall(
        self, text: str, context: slash.Context, say: commands.Say, kept: asyncio.Future[int | None]
    ) -> None:
        """Do what a line asks for that was typed while the message *say*, which it may be about, was on its way."""
        await asyncio.wait([kept])  # and not the future itself, which this task would cancel with itself
        seq = kept.result()
        if seq is None:
            self._complain(f"not done: {printable(text)}", "your last message was not sent")
            return
        last = seq if context.here is not None and same(say.to, context.here) else context.last
        match slash.parse(text, replace(context, own=seq, last=last), client=True, operator=self._console.operator):
            case slash.Usage(text=why):
                self._console.screen.note(printable(why, multiline=True), "error")
            case slash.Action(name=name):
                raise AssertionError(f"{name} is about no message")
            case asked:
                await self._do(asked)

    def _complain(self, what: str, why: str) -> None:
        self._console.screen.note(what, "error")
        self._console.screen.note(f"   because: {why}", "error")

    def _join(self, join: commands.Join) -> Work:
        """Go to a room at once, so that the lines that follow go there: the server takes them in their order."""
        console = self._console
        before, place = console.places.here, console.places.open(join.room)
        console.go(place)
        return self._enter(join, place, before)

    async def _enter(self, join: commands.Join, place: Place, before: Place | None) -> None:
        console = self._console
        is_new = not self._is_in(place)
        if not is_new and join.password is None:
            return
        try:
            result = await console.chat.join(join.room, join.password)  # when we are in, it is remembered
        except ChatError:
            if not self._is_in(place):
                console.turn_back(place, before)
            raise
        if not is_new:
            self._answer(join, result)
        elif console.screen.read:
            await console.show_past(SHOWN_ON_ENTERING, [place])

    def _is_in(self, place: Place) -> bool:
        return name_key(place.name) in map(name_key, self._console.chat.joined)

    def _leave(self, leave: commands.Leave) -> Work:
        """Go elsewhere at once: what is typed after that is not for a place that closes meanwhile."""
        self._step_out(leave.room)
        return self._part(leave)

    def _step_out(self, name: str) -> None:
        places = self._console.places
        place = places.get(name)
        if place is not None and place is places.here:
            self._console.go(places.neighbour(place))

    async def _part(self, leave: commands.Leave) -> None:
        places = self._console.places
        place = places.get(leave.room)
        try:
            await self._console.chat.leave(leave.room, leave.reason)
        except Refused:
            if place is None or self._is_in(place):
                raise
            # The room was open without our being in it, so that there was nothing but a place to close.
        places.close(leave.room)

    async def _nick(self, name: str) -> None:
        await self._console.chat.nick(name)

    async def _around(self, before: commands.History, after: commands.History) -> None:
        """The pages before and after a message are one answer; the first one ends with the message itself."""
        chat = self._console.chat
        first = await chat.history(before.to, before=before.before, limit=before.limit)
        seq = (before.before or 0) - 1
        if all(event.seq != seq for event in first.events):
            self._console.screen.note(printable(f"there is no message ^{seq} in {label_of(before.to)}"), "error")
            return
        second = await chat.history(after.to, after=after.after, limit=after.limit)
        self._answer(before, structs.replace(first, events=[*first.events, *second.events], complete=True))

    async def _ask(self, command: Command) -> None:
        result = await self._console.chat.request(command)
        if isinstance(command, commands.Rooms) and isinstance(result, events.RoomList):
            if command.after is None:
                self._console.room_names.clear()
            self._console.room_names.update(room.name for room in result.rooms)
        self._answer(command, result, done="done" if self._console.operator else "")  # who is told of few events

    def _answer(self, command: Command, result: Result, *, done: str = "") -> None:
        """Show what came back; where that is nothing, *done*."""
        screen = self._console.screen
        if isinstance(result, events.History):
            seen = [event for event in result.events if event.sender not in screen.ignores]
            result = structs.replace(result, events=seen)
            places = ((event.seq, place_of(event, screen.places.me)) for event in seen)
            self._found.update((seq, place) for seq, place in places if place is not None)
        lines = answer(command, result, screen.view(numbered=True))
        if lines:
            screen.show_lines(lines)
        elif done:
            screen.note(done)

    # --- what the program does --------------------------------------------------------------------------------------

    def _act(self, action: slash.Action) -> None:
        console, name = self._console, action.argument
        match action.name:
            case "help":
                console.screen.show(*slash.help_lines(name, client=True, operator=console.operator))
            case "switch" if name is not None:
                self._switch(name)
            case "close" if name is not None:
                self._step_out(name)
                console.places.close(name)
            case "ignore" if name is None:
                names = ", ".join(map(printable, console.screen.ignores.names()))
                console.screen.note(f"ignored: {names}" if names else "nobody is ignored")
            case "ignore" if name is not None:
                console.screen.ignores.add(name)
                console.spawn(self._ignored(f"{printable(name)} is ignored from now on"))
            case "unignore" if name is not None:
                known = console.screen.ignores.remove(name)
                console.spawn(self._ignored(f"{printable(name)} {'is seen again' if known else 'was not ignored'}"))
            case "close" | "switch" | "ignore" | "unignore":
                raise AssertionError(f"{action.name} without a name")
            case _:
                assert_never(action.name)

    def _switch(self, name: str) -> None:
        """Go to a person, or to a room that is open; another one has to be entered, which may make it."""
        console = self._console
        if is_room(name) and console.places.get(name) is None:
            console.screen.note(f"you are not in {printable(name)}: /join {printable(name)}", "error")
        else:
            console.go(console.places.open(name))

    async def _ignored(self, change: str) -> None:
        self._console.screen.note(change)
        await self._console.save_ignores()
