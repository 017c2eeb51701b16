"""What people type after a slash: one table for the plain dialect and the console client, its help included."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from asyncchat.vocabulary import commands
from asyncchat.vocabulary import slash_arguments as parsers
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.mismatches import mismatches
from asyncchat.vocabulary.names import ROOM_PREFIX
from asyncchat.vocabulary.slash_arguments import Action as Action
from asyncchat.vocabulary.slash_arguments import BadUsage, Words
from asyncchat.vocabulary.slash_arguments import Context as Context
from asyncchat.vocabulary.slash_arguments import Parsed as Parsed
from asyncchat.vocabulary.slash_arguments import Usage as Usage


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A line of the table: all its names, how it is used, what it does in a line, and how it is parsed.

    ``client_only``: it needs a program at the person's end, so that it is not there in the plain dialect.
    ``people_only``, ``operator_only``: only people have it, or only the server's operator, who is in no room.
    ``plain_usage``, ``plain_help``: how it is used there and what it does, if that is less.
    ``recalls``: it is about the last message if it names none.
    ``secret``: a password may be among its arguments.
    """

    names: tuple[str, ...]
    usage: str
    help: str
    parse: Callable[[Words], Command | tuple[Command, ...] | Action]
    client_only: bool = False
    people_only: bool = False
    operator_only: bool = False
    plain_usage: str | None = None
    plain_help: str | None = None
    recalls: bool = False
    secret: bool = False

    @property
    def line(self) -> str:
        """How it is typed: ``/name ARGUMENTS``."""
        return f"/{self.names[0]} {self.usage}".rstrip()


def parse(line: str, context: Context, *, client: bool = False, operator: bool = False) -> Parsed:
    """What a typed line asks for. *client*: the commands of the console client are there too.

    *operator*: those of the server's operator, instead of those of people. What is no command is said; ``//text``
    says ``/text``.
    """
    try:
        if not is_command(line):
            return _checked(parsers.say(line.removeprefix("/"), context))
        name, arguments = _split(line)
        entry = find(name, client=client, operator=operator)
        if entry is None:
            return Usage(_unknown(name, client=client, operator=operator))
        words = Words(arguments, context)
        try:
            parsed = entry.parse(words)
            if words:
                raise BadUsage
            return parsed if isinstance(parsed, Action) else _checked(parsed)
        except BadUsage as bad:
            return Usage(f"{bad}; usage: {entry.line}" if str(bad) else f"usage: {entry.line}")
    except BadUsage as bad:
        return Usage(str(bad))


def is_command(line: str) -> bool:
    """Is the line a command, known or not? Blanks before it do not matter: a slip must not say a password aloud."""
    bare = line.lstrip()
    return bare.startswith("/") and not bare.startswith("//")


def recalls(line: str) -> bool:
    """Must all that was typed before this line be kept, for it to be known what the line is about?"""
    entry = find(_split(line)[0]) if is_command(line) else None
    return entry is not None and entry.recalls


def holds_password(line: str) -> bool:
    """Does the line hold a password, or may it, being mistyped? Then it must not be shown again."""
    if not is_command(line):
        return False
    name, _ = _split(line)
    entry = find(name, client=True) or find(_near(name, client=True, operator=False), client=True)
    if entry is None or not entry.secret:
        return False
    match parse(line, Context(here=ROOM_PREFIX), client=True):
        case (commands.Join(password=None),) | (commands.SetRoom(password=None),):
            return False
    return True


def _split(line: str) -> tuple[str, str]:
    name, arguments = [*line.lstrip()[1:].split(maxsplit=1), "", ""][:2]
    return name, arguments


def find(name: str, *, client: bool = False, operator: bool = False) -> SlashCommand | None:
    """The command of this name, in any case, without its slash."""
    return _BY_NAME[client, operator].get(name.lower())


def names(*, client: bool = False, operator: bool = False) -> list[str]:
    """All names, with their slash: what can be completed."""
    return [f"/{name}" for name in _BY_NAME[client, operator]]


def help_lines(word: str | None = None, *, client: bool = False, operator: bool = False) -> list[str]:
    """The help: on all commands, or on one."""
    if word:
        name = word.removeprefix("/")
        entry = find(name, client=client, operator=operator)
        if entry is None:
            return [_unknown(name, client=client, operator=operator)]
        others = ", ".join(f"/{other}" for other in entry.names[1:])
        return [entry.line, f"    {entry.help}", *([f"    also: {others}"] if others else [])]
    return [*(line for entry in _TABLES[client, operator] for line in _in_columns(entry)), *NOTES[operator]]


def _in_columns(entry: SlashCommand) -> list[str]:
    if len(entry.line) <= COLUMN:
        return [f"{entry.line:<{COLUMN}}  {entry.help}"]
    return [entry.line, f"{'':<{COLUMN}}  {entry.help}"]


COLUMN = 30
"""Characters of the help's first column: the second then fits beside it on a terminal."""


_SIGNS = (
    "after N: where a list that has more goes on; it says so.",
    "^N is a message's number, as /history and /search show it. 10m, 2h, 7d are durations.",
)
NOTES = {
    False: ("What does not begin with a slash is said; //text says /text.", *_SIGNS),
    True: ("The slash may be left out, until /msg has opened a place where lines are said.", *_SIGNS),
}
"""What stands below the help of people, and of the operator (True)."""


def _unknown(name: str, *, client: bool, operator: bool) -> str:
    near = _near(name, client=client, operator=operator)
    hint = f"did you mean /{near}?" if near else "/help lists the commands"
    return f"unknown command: /{name[:_LONGEST_NAME]}; {hint}"


def _near(name: str, *, client: bool, operator: bool) -> str:
    """The name that may be meant by one that there is not; empty if none comes near."""
    return next(iter(difflib.get_close_matches(name[:_LONGEST_NAME].lower(), _BY_NAME[client, operator], n=1)), "")


def _checked(parsed: Command | tuple[Command, ...]) -> tuple[Command, ...]:
    """What is typed keeps the bounds that the vocabulary sets for everyone."""
    found = parsed if isinstance(parsed, tuple) else (parsed,)
    for command in found:
        try:
            value = msgspec.json.decode(msgspec.json.encode(command))
        except UnicodeEncodeError:
            raise BadUsage("that is no text") from None
        for mismatch in mismatches(value, type(command)):
            raise BadUsage(mismatch.text)
    return found


# --- the table ------------------------------------------------------------------------------------------------

COMMANDS = (
    SlashCommand(
        ("help", "?"),
        "[COMMAND]",
        "what can be typed, or how one command is used",
        lambda words: Action("help", words.take()),
    ),
    SlashCommand(
        ("join", "j"),
        "#ROOM [PASSWORD]",
        "enter a room (it is made if it is new), or go to it",
        parsers.join,
        people_only=True,
        secret=True,
    ),
    SlashCommand(
        ("leave", "part"),
        "[#ROOM] [REASON]",
        "leave a room, or close the conversation you are in",
        parsers.leave,
        people_only=True,
        plain_help="leave a room",  # no conversation is ever open there
    ),
    SlashCommand(("msg", "query"), "NAME|#ROOM [TEXT]", "write to one person, or from now on to them", parsers.message),
    SlashCommand(
        ("reply", "r"), "[^N] TEXT", "answer who wrote to you last, or a message", parsers.reply, people_only=True
    ),
    SlashCommand(("me",), "TEXT", "say what you do: * bob waves", parsers.me, people_only=True),
    SlashCommand(
        ("nick", "name"), "NAME", "take another name", lambda words: commands.Nick(name=words.need()), people_only=True
    ),
    SlashCommand(
        ("who", "members"),
        "[#ROOM|*] [after N]",
        "who is in a room, or on the whole server",
        lambda words: commands.Who(room=words.room_or_server(), after=words.after()),
    ),
    SlashCommand(
        ("rooms", "list"), "[after N]", "which rooms are there", lambda words: commands.Rooms(after=words.after())
    ),
    SlashCommand(("whois",), "NAME", "what is known of a person", lambda words: commands.Whois(name=words.person())),
    SlashCommand(("topic",), "[#ROOM] [TEXT|-]", "show the topic, set it, or clear it with -", parsers.topic),
    SlashCommand(
        ("away",),
        "[TEXT]",
        "tell that you are away",
        lambda words: commands.Away(text=words.rest() or "away"),
        people_only=True,
    ),
    SlashCommand(("back",), "", "tell that you are back", lambda _: commands.Away(), people_only=True),
    SlashCommand(
        ("history",), "[#ROOM|NAME] [COUNT] [^N]", "the last messages, or those before message N", parsers.history
    ),
    SlashCommand(
        ("search",),
        "WORDS [in:#ROOM] [from:NAME] [since:DAY] [until:DAY] [before:N]",
        "find messages that hold all the words",
        parsers.search,
    ),
    SlashCommand(("context",), "^N", "read around a message", parsers.context),
    SlashCommand(
        ("edit",),
        "[^N] TEXT",
        "change your last message, or message N",
        lambda words: commands.Edit(seq=words.message(words.context.own), text=words.need_rest()),
        recalls=True,
        people_only=True,
    ),
    SlashCommand(
        ("delete",),
        "[^N]",
        "take back your last message, or message N",
        lambda words: commands.Delete(seq=words.message(words.context.own)),
        recalls=True,
    ),
    SlashCommand(
        ("react",),
        "[^N] [-]REACTION",
        "react to the last message, or to N; - takes it off",
        parsers.react,
        people_only=True,
        recalls=True,
    ),
    SlashCommand(
        ("invite",),
        "NAME [#ROOM]",
        "let a person into a room, and tell them",
        lambda words: commands.Invite(name=words.person(), room=words.room()),
    ),
    SlashCommand(
        ("kick",),
        "[#ROOM] NAME [REASON]",
        "put a person out of a room",
        lambda words: commands.Kick(room=words.room(), name=words.person(), reason=words.rest()),
    ),
    SlashCommand(("ban",), "[#ROOM|*] NAME|ADDRESS [DURATION] [REASON]", "keep somebody out", parsers.ban),
    SlashCommand(
        ("unban",),
        "[#ROOM|*] NAME|ADDRESS",
        "lift a ban",
        lambda words: commands.Unban(room=words.room_or_server(), who=words.person()),
    ),
    SlashCommand(
        ("bans",),
        "[#ROOM|*] [after N]",
        "who is banned or muted",
        lambda words: commands.Bans(room=words.room_or_server(), after=words.after()),
    ),
    SlashCommand(("mute",), "[#ROOM] NAME [DURATION] [REASON]", "let a person listen but not speak", parsers.mute),
    SlashCommand(
        ("unmute",),
        "[#ROOM] NAME",
        "let a person speak again",
        lambda words: commands.Mute(room=words.room(), name=words.person(), seconds=0),
    ),
    SlashCommand(("role",), "[#ROOM] NAME member|voice|operator|owner", "give a person a role in a room", parsers.role),
    SlashCommand(
        ("set",),
        "[#ROOM] OPTION VALUE",
        "private, moderated, topic_locked: on, off; retention: 30d, off; password: WORD, -",
        parsers.set_,
        secret=True,
    ),
    SlashCommand(
        ("destroy",), "#ROOM #ROOM [REASON]", "remove a room and all that was said there (named twice)", parsers.destroy
    ),
    SlashCommand(("purge",), "[#ROOM] NAME [DURATION]", "delete what a person said in the last hour", parsers.purge),
    SlashCommand(
        ("register",),
        "[PASSWORD|-] [INVITATION]",
        "make your name yours for good",
        parsers.register,
        people_only=True,
        plain_usage="PASSWORD [INVITATION]",  # nobody there keeps the token for which it would be
        secret=True,
    ),
    SlashCommand(("passwd",), "[OLD] NEW", "set another password", parsers.passwd, people_only=True, secret=True),
    SlashCommand(
        ("ignore",),
        "[NAME]",
        "see nothing of a person, or list who is ignored",
        lambda words: Action("ignore", words.person() if words else None),
        client_only=True,
    ),
    SlashCommand(
        ("unignore",), "NAME", "see a person again", lambda words: Action("unignore", words.person()), client_only=True
    ),
    SlashCommand(
        ("announce",),
        "TEXT",
        "tell everyone who is connected (administrators)",
        lambda words: commands.Announce(text=words.need_rest()),
    ),
    SlashCommand(("stats",), "", "the server in numbers (administrators)", lambda _: commands.Stats()),
    SlashCommand(("accounts",), "", "who is registered, and how", lambda _: commands.Accounts(), operator_only=True),
    SlashCommand(
        ("administrator",),
        "NAME [on|off]",
        "give a registered person all rights, or take them back",
        parsers.administrator,
        operator_only=True,
    ),
    SlashCommand(
        ("log",),
        "[LEVEL]",
        "show or set from which level on is logged",
        lambda words: commands.Log(level=words.take()),
        operator_only=True,
    ),
    SlashCommand(
        ("reload",), "", "read the settings and the certificates anew", lambda _: commands.Reload(), operator_only=True
    ),
    SlashCommand(
        ("backup",),
        "FILE",
        "copy the database, whole as it is now, to a new file",
        lambda words: commands.Backup(path=words.need_rest()),
        operator_only=True,
    ),
    SlashCommand(
        ("shutdown",),
        "[SECONDS|DURATION|off]",
        "end the server, after a countdown; off calls it off",
        parsers.shutdown,
        operator_only=True,
    ),
    SlashCommand(("quit", "exit"), "[REASON]", "leave", lambda words: commands.Quit(reason=words.rest())),
)
"""All slash commands, in the order of the help."""

_PEOPLES = tuple(entry for entry in COMMANDS if not entry.operator_only)
_OPERATORS = tuple(entry for entry in COMMANDS if not (entry.people_only or entry.client_only))

_TABLES = {
    (True, False): _PEOPLES,
    (False, False): tuple(
        replace(entry, usage=entry.plain_usage or entry.usage, help=entry.plain_help or entry.help)
        for entry in _PEOPLES
        if not entry.client_only
    ),
    (True, True): _OPERATORS,
    (False, True): _OPERATORS,
}
"""The commands of the console client, those of the plain dialect, and the operator's in any program."""

_BY_NAME = {kind: {name: entry for entry in table for name in entry.names} for kind, table in _TABLES.items()}
_LONGEST_NAME = max(map(len, (*_BY_NAME[True, False], *_BY_NAME[True, True]))) + 8
