"""What an operator can type where the server runs, and what is answered."""

import asyncio
import difflib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from asyncchat.core.moderation import KICK_SECONDS
from asyncchat.server.app import ChatServer
from asyncchat.server.countdown import Countdown, spoken
from asyncchat.server.measure import megabytes, memory_used
from asyncchat.server.operator import account_lines
from asyncchat.server.options import LOG_LEVELS
from asyncchat.vocabulary import commands, events, render, slash
from asyncchat.vocabulary.errors import Refused, StorageError
from asyncchat.vocabulary.names import is_room
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.slash_arguments import duration

LONGEST_COUNTDOWN = 86_400
"""Seconds."""

SHARED = ("rooms", "whois", "topic", "role", "set", "kick", "mute", "unmute", "purge")
"""Slash commands that mean the same here: they name a room, or need none."""

FOR_ALL = ("who", "ban", "unban", "bans")
"""Slash commands that mean the whole server where they name no room."""

COLUMN = 30
"""Characters of the help's first column."""


class Host(Protocol):
    """The process around the server."""

    server: ChatServer

    def stop(self) -> None:
        """End the server in good order."""
        ...

    def reload(self) -> bool:
        """Read the settings anew."""
        ...


class Misused(Exception):  # noqa: N818 - caught by the console alone
    """The line is no command; the text tells how it would be one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A command of the console's own. ``run`` gets what stands behind its name."""

    name: str
    usage: str
    help: str
    run: Callable[["Console", str], Awaitable[None]]

    @property
    def line(self) -> str:
        """How it is typed."""
        return f"{self.name} {self.usage}".rstrip()


class Console:
    """Understands lines, one after the other; *show* gets a line of text at a time, safe for a terminal."""

    def __init__(self, host: Host, show: Callable[[str], None]) -> None:
        self._host = host
        self._show = show
        self._countdown = Countdown(self._announce, host.stop)
        self._copies: set[asyncio.Task[None]] = set()

    async def run(self, line: str) -> None:
        """Do what a line says, and show what comes of it."""
        name, arguments = [*line.strip().removeprefix("/").split(maxsplit=1), "", ""][:2]
        if not name:
            return
        try:
            entry = ENTRIES.get(name.lower())
            if entry is not None:
                await entry.run(self, arguments)
            elif name.lower() in SHARED + FOR_ALL:
                await self._do(name.lower(), arguments)
            else:
                raise Misused(_unknown(name))
        except Misused as misused:
            self._say(str(misused))
        except (Refused, StorageError) as error:
            self._say(f"refused: {error}")

    async def aclose(self) -> None:
        """End what is under way: a countdown, a backup."""
        await self._countdown.aclose()
        if self._copies:
            await asyncio.wait(self._copies)

    def words(self) -> list[str]:
        """What can be completed: commands, and the names of people and rooms."""
        house = self._host.server.chat.house
        people = [person.name for person in house.people if person.sessions]
        return [*ENTRIES, *SHARED, *FOR_ALL, *people, *(room.name for room in house.rooms)]

    def _say(self, text: str) -> None:
        self._show(printable(text))

    # --- commands that clients have as well -------------------------------------------------------------------------

    async def _do(self, name: str, arguments: str) -> None:
        if name in FOR_ALL and not (is_room(arguments) or arguments.startswith("*")):
            arguments = f"* {arguments}"
        if name == "kick" and not is_room(arguments):
            await self._kick(arguments.removeprefix("*"))
            return
        parsed = slash.parse(f"/{name} {arguments}", slash.Context())
        if isinstance(parsed, slash.Usage):
            raise Misused(parsed.text.replace("usage: /", "usage: "))
        assert isinstance(parsed, tuple)  # none of these commands is an action of a client
        for command in parsed:
            for result in await self._host.server.operator.do(command):
                for line in _lines(command, result):
                    self._say(line)

    async def _kick(self, arguments: str) -> None:
        name, reason = [*arguments.split(maxsplit=1), "", ""][:2]
        if not name:
            raise Misused("usage: kick [#ROOM] NAME [REASON]")
        self._host.server.chat.house.person(name)
        ban = commands.Ban(who=name, seconds=KICK_SECONDS, reason=reason or None)
        await self._host.server.operator.do(ban)
        self._say(f"* {name} may come back in {spoken(KICK_SECONDS)}")

    async def _announce(self, text: str) -> None:
        await self._host.server.operator.announce(text)

    # --- the console's own ------------------------------------------------------------------------------------------

    async def help(self, arguments: str) -> None:
        """Every command in a line, or one."""
        wanted = arguments.strip().removeprefix("/").lower()
        lines = {**{entry.name: (entry.line, entry.help) for entry in ENTRIES.values()}, **_shared()}
        if wanted and wanted not in lines:
            raise Misused(_unknown(wanted))
        for name, (usage, text) in lines.items():
            if wanted and name != wanted:
                continue
            if len(usage) > COLUMN:
                self._say(usage)
                usage = ""
            self._say(f"{usage:<{COLUMN}}  {text}")

    async def say(self, arguments: str) -> None:
        """Tell everyone."""
        if not arguments:
            raise Misused("usage: say TEXT")
        await self._announce(arguments)

    async def administrator(self, arguments: str) -> None:
        """Give a registered person all rights, or take them back."""
        name, change = [*arguments.split(), "on", ""][:2]
        if not arguments or change not in ("on", "off") or len(arguments.split()) > 2:
            raise Misused("usage: administrator NAME [on|off]")
        await self._host.server.operator.set_administrator(name, change == "on")
        self._say(f"* {name} is {'an administrator' if change == 'on' else 'no administrator any more'}")

    async def accounts(self, arguments: str) -> None:
        """Everybody who is registered."""
        for line in account_lines(self._host.server.operator.accounts()) or ["* nobody is registered"]:
            self._say(line)

    async def stats(self, arguments: str) -> None:
        """The server in numbers."""
        server = self._host.server
        stats = server.operator.stats()
        used = memory_used()
        memory = f", {megabytes(used)} of memory" if used is not None else ""
        self._say(f"* up {spoken(int(stats.uptime)) or 'since just now'}{memory}")
        self._say(
            f"* connections: {server.connected}, sessions: {stats.sessions}, people online: {stats.people},"
            f" registered: {stats.registered}, rooms: {stats.rooms}, records: {stats.seq}"
        )
        self._say(f"* listening on {', '.join(server.addresses)}")

    async def log(self, arguments: str) -> None:
        """Show or set the log level."""
        root = logging.getLogger()
        level = arguments.strip().upper()
        if level:
            if level not in LOG_LEVELS:
                raise Misused(f"usage: log [{'|'.join(LOG_LEVELS)}]")
            root.setLevel(level)
        self._say(f"* the log level is {logging.getLevelName(root.level)}")

    async def reload(self, arguments: str) -> None:
        """Read the settings and the certificates anew; the log says what came of it."""
        self._host.reload()

    async def backup(self, arguments: str) -> None:
        """Copy the database to a file, while the server goes on."""
        if not arguments:
            raise Misused("usage: backup FILE")
        task = asyncio.create_task(self._copy(_path(arguments)), name="asyncchat backup")
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    async def _copy(self, file: Path) -> None:
        try:
            await self._host.server.backup(file)
        except StorageError as error:
            self._say(f"no backup: {error}")
        else:
            self._say(f"* the database is copied to {file}")

    async def shutdown(self, arguments: str) -> None:
        """End the server, after a countdown if one is given; ``off`` calls it off."""
        if arguments == "off":
            if not await self._countdown.call_off():
                raise Misused("there is no countdown")
            self._say("* the shutdown is called off")
            return
        seconds = int(arguments) if arguments.isdecimal() and len(arguments) < 9 else duration(arguments)
        if arguments and seconds is None:
            raise Misused("usage: shutdown [SECONDS|off]")
        if not seconds:
            self._host.stop()
        elif seconds > LONGEST_COUNTDOWN:
            raise Misused(f"a countdown is at most {spoken(LONGEST_COUNTDOWN)}")
        else:
            self._countdown.start(seconds)
            self._say(f"* the server shuts down in {spoken(seconds)}; shutdown off calls it off")


ENTRIES = {
    entry.name: entry
    for entry in (
        Entry("help", "[COMMAND]", "what can be typed here", Console.help),
        Entry("say", "TEXT", "tell everyone who is connected", Console.say),
        Entry("accounts", "", "who is registered", Console.accounts),
        Entry("administrator", "NAME [on|off]", "give a registered person all rights", Console.administrator),
        Entry("stats", "", "the server in numbers", Console.stats),
        Entry("log", f"[{'|'.join(LOG_LEVELS)}]", "show or set what is logged", Console.log),
        Entry("reload", "", "read the settings and the certificates anew", Console.reload),
        Entry("backup", "FILE", "copy the database, whole as it is now", Console.backup),
        Entry("shutdown", "[SECONDS|off]", "end the server, after a countdown", Console.shutdown),
    )
}
"""The console's own commands, in the order of the help."""


def _shared() -> dict[str, tuple[str, str]]:
    """The other commands: how each is typed, and what it does."""
    found = {}
    for name in (*FOR_ALL, *SHARED):
        entry = slash.find(name)
        assert entry is not None
        found[name] = (entry.line.removeprefix("/"), entry.help)
    found["kick"] = (found["kick"][0], "put a person out of a room, or off the server for a minute")
    return found


def _path(text: str) -> Path:
    try:
        return Path(text.strip()).expanduser()
    except RuntimeError:
        raise Misused(f"{text}: there is no such user") from None


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), [*ENTRIES, *SHARED, *FOR_ALL], 1)
    return f"unknown command: {name}; {f'did you mean {near[0]}?' if near else 'help lists the commands'}"


def _lines(command: commands.Command, result: events.Result | events.Event) -> Sequence[str]:
    if isinstance(result, events.Event):
        return render.plain(render.render(result, render.View()))
    return render.plain(render.answer(command, result, render.View())) or ["* done"]
