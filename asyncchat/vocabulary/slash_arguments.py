"""How the words behind a slash command's name become a command: rooms, people, messages, durations."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from asyncchat.vocabulary import commands
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.names import as_room, is_room
from asyncchat.vocabulary.terms import Role

AROUND = 5
"""Messages shown before and after one by ``/context``."""

PAGE = 20
"""Messages shown by ``/history`` when no number is given: about a screen."""

LONGEST_PAGE = 200
"""Messages that ``/history`` may ask for: the server's page."""


LONGEST = 10 * 366 * 86400
"""Seconds of the longest duration, as in the vocabulary; what is longer is for ever."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"(?:\d{1,9}[smhdw])+", re.ASCII)
_PART = re.compile(r"(\d+)([smhdw])", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_SEQ = re.compile(r"\^?(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Context:
    """What a line may leave out because the program knows it.

    ``here``: the room or person that lines go to. ``partner``: who wrote directly last. ``own``, ``last``: the last
    message of one's own, and the last in ``here``. ``places``: the room or person of messages found by a search.
    ``find``: the room or conversation that a word names, with or without its sign, if the program has it open.
    ``everywhere``: what names no room means the whole server, as the operator is in none.
    """

    here: str | None = None
    partner: str | None = None
    own: int | None = None
    last: int | None = None
    places: Mapping[int, str] = field(default_factory=dict)
    find: Callable[[str], str | None] = lambda _: None
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """Something that the program does by itself, without the server."""

    name: Literal["close", "help", "ignore", "switch", "unignore"]
    argument: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """The line is no command; ``text`` tells how it would be one."""

    text: str


Parsed = tuple[Command, ...] | Action | Usage


class BadUsage(Exception):  # noqa: N818 - caught by the parser alone, which makes it a `Usage`
    """The arguments do not fit; the text says why, and is empty where the usage line says it all."""


class Words:
    """The arguments of one command, taken from left to right."""

    def __init__(self, text: str, context: Context) -> None:
        self._rest = text.strip()
        self.context = context

    def __bool__(self) -> bool:
        return bool(self._rest)

    def peek(self) -> str:
        """The next word, which stays; empty at the end."""
        return self._rest.split(maxsplit=1)[0] if self._rest else ""

    def peek_rest(self) -> str:
        """All that is left, which stays; empty at the end."""
        return self._rest

    def take(self) -> str | None:
        """The next word, or None at the end."""
        word = self.peek()
        self._rest = self._rest[len(word) :].lstrip()
        return word or None

    def need(self) -> str:
        """The next word; raises `BadUsage` at the end."""
        word = self.take()
        if word is None:
            raise BadUsage
        return word

    def rest(self) -> str | None:
        """All that is left as one text, or None."""
        rest, self._rest = self._rest, ""
        return rest or None

    def need_rest(self) -> str:
        """All that is left; raises `BadUsage` if that is nothing."""
        rest = self.rest()
        if rest is None:
            raise BadUsage
        return rest

    def person(self) -> str:
        """The person named next, whose ``@`` may be there, as people are shown with it; `BadUsage` at the end."""
        return self.need().removeprefix("@")

    def room(self) -> str:
        """The room named next, or the one that the person is in; raises `BadUsage` if there is none."""
        if is_room(self.peek()):
            return self.need()
        here = self.context.here
        if here is None or not is_room(here):
            raise BadUsage("which room?")
        return here

    def room_or_server(self) -> str | None:
        """As `room`; ``*`` is the whole server."""
        if self.peek() == "*":
            self.take()
            return None
        if self.context.everywhere and not is_room(self.peek()):
            return None
        return self.room()

    def after(self) -> int | None:
        """The number after which a list goes on, if ``after N`` comes next; raises `BadUsage` if N is no number."""
        if self.peek().lower() != "after":
            return None
        self.take()
        word = self.need()
        if _NUMBER.fullmatch(word) is None:
            raise BadUsage(f"{word} is no number")
        return int(word)

    def message(self, default: int | None) -> int:
        """The message named next (``^1042``), else *default*; raises `BadUsage` if that is None."""
        if self.peek().startswith("^"):
            return message_number(self.need())
        if default is None:
            raise BadUsage("which message?")
        return default

    def duration(self) -> int | None:
        """The duration named next, in seconds; None if the next word is none."""
        seconds = duration(self.peek())
        if seconds is not None:
            self.take()
        return seconds


def message_number(word: str) -> int:
    """The ``seq`` in ``^1042`` or ``1042``; raises `BadUsage`."""
    found = _SEQ.fullmatch(word)
    if found is None:
        raise BadUsage(f"{word} is no message number")
    return int(found[1])


def duration(word: str) -> int | None:
    """The seconds of ``90s``, ``10m``, ``2h``, ``7d``, ``2w`` or ``1h30m``; None if it is no duration."""
    if _DURATION.fullmatch(word) is None:
        return None
    return min(sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(word)), LONGEST)


# --- talking --------------------------------------------------------------------------------------------------


def say(text: str, context: Context) -> Command:
    """A line without a slash: it goes to where the person is."""
    if context.here is None:
        raise BadUsage("you are in no room: /join #room")
    return commands.Say(to=context.here, text=text)


def message(words: Words) -> Command | Action:
    """``/msg``: a message, or without a text the wish to write there from now on."""
    to = words.person()
    text = words.rest()
    return Action("switch", to) if text is None else commands.Say(to=to, text=text)


def reply(words: Words) -> Command:
    """``/reply``: to a message, or to whoever wrote directly last."""
    if words.peek().startswith("^"):
        target = message_number(words.need())
        to = words.context.places.get(target, words.context.here)
        if to is None:
            raise BadUsage("you are in no room")
        return commands.Say(to=to, text=words.need_rest(), reply_to=target)
    if words.context.partner is None:
        raise BadUsage("nobody has written to you yet")
    return commands.Say(to=words.context.partner, text=words.need_rest())


def me(words: Words) -> Command:
    """``/me``."""
    if words.context.here is None:
        raise BadUsage("you are in no room")
    return commands.Say(to=words.context.here, text=words.need_rest(), kind="action")


def react(words: Words) -> Command:
    """``/react``: a minus before the reaction takes it off."""
    seq = words.message(words.context.last)
    reaction = words.need()
    remove = reaction.startswith("-") and len(reaction) > 1
    return commands.React(seq=seq, reaction=reaction[1:] if remove else reaction, remove=remove)


# --- rooms ----------------------------------------------------------------------------------------------------


def join(words: Words) -> Command:
    """``/join``: the ``#`` may be left out."""
    return commands.Join(room=as_room(words.need()), password=words.take())


def leave(words: Words) -> Command | Action:
    """``/leave``: a room, or a conversation that is open, which is none of the server's business."""
    here, first = words.context.here, words.peek()
    has_sign = first.startswith("@") or is_room(first)
    # Without its sign a place is named only if nothing follows: "/leave lobby is dull" says why they leave.
    place = words.context.find(first if has_sign else words.peek_rest())
    if place is not None:
        words.take()
    elif first.startswith("@"):
        raise BadUsage(f"no conversation with {first} is open")
    elif here is not None and not is_room(first):
        place = words.context.find(here)
    if place is not None and not is_room(place):
        return Action("close", place)
    return commands.Leave(room=place or words.room(), reason=words.rest())


def topic(words: Words) -> Command:
    """``/topic``: without a text it is asked for."""
    room, text = words.room(), words.rest()
    return commands.Topic(room=room, text="" if text == "-" else text)


# --- the past -------------------------------------------------------------------------------------------------


def history(words: Words) -> Command:
    """``/history``: a count, and the message before which it ends."""
    first = words.peek()
    to = words.context.here if not first or first.startswith("^") or first.isdigit() else words.person()
    if to is None:
        raise BadUsage("which room?")
    count = words.take() if words.peek().isascii() and words.peek().isdigit() else None
    before = message_number(words.need()) if words else None
    limit = min(int(count[:9]), LONGEST_PAGE) if count else PAGE
    return commands.History(to=to, before=before, limit=limit)


def context(words: Words) -> tuple[Command, ...]:
    """``/context``: two pages, one up to the message and one after it."""
    seq = message_number(words.need())
    to = words.context.places.get(seq, words.context.here)
    if to is None:
        raise BadUsage("which room?")
    return (
        commands.History(to=to, before=seq + 1, limit=AROUND + 1),
        commands.History(to=to, after=seq, limit=AROUND),
    )


_FILTER = re.compile(r"(in|from|since|until|before):(\S+)")


def search(words: Words) -> Command:
    """``/search``: words and filters in any order."""
    filters = dict[str, str]()
    text = list[str]()
    while (word := words.take()) is not None:
        found = _FILTER.fullmatch(word)
        if found is None:
            text.append(word)
        else:
            filters[found[1]] = found[2]
    if not text:
        raise BadUsage
    before = filters.get("before")
    return commands.Search(
        text=" ".join(text),
        to=_without_at(filters.get("in")),
        sender=_without_at(filters.get("from")),
        since=_day(filters.get("since")),
        until=_day(filters.get("until")),
        before=message_number(before) if before is not None else None,
        limit=PAGE,
    )


def _without_at(name: str | None) -> str | None:
    return name.removeprefix("@") if name is not None else None


_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(T.*)?", re.ASCII)


def _day(text: str | None) -> str | None:
    """A day is its first moment, UTC; what is more exact goes to the server as it is. Raises `BadUsage`."""
    if text is None:
        return None
    found = _DAY.fullmatch(text)
    if found is None:
        raise BadUsage("a day is written 2026-01-31")
    return text if found[2] else f"{text}T00:00:00Z"


# --- oneself --------------------------------------------------------------------------------------------------


def register(words: Words) -> Command:
    """``/register``: without a password (or with ``-``) the name is bound to the token alone."""
    password, invitation = words.take(), words.take()
    return commands.Register(password=None if password == "-" else password, invitation=invitation)


def passwd(words: Words) -> Command:
    """``/passwd``: one word is the new password, of two the first is the old one."""
    first, second = words.need(), words.take()
    return commands.Passwd(new=first) if second is None else commands.Passwd(old=first, new=second)


# --- moderation ---------------------------------------------------------------------------------------


def ban(words: Words) -> Command:
    """``/ban``."""
    room, who = words.room_or_server(), words.person()
    return commands.Ban(room=room, who=who, seconds=words.duration(), reason=words.rest())


def mute(words: Words) -> Command:
    """``/mute``."""
    room, name = words.room(), words.person()
    return commands.Mute(room=room, name=name, seconds=words.duration(), reason=words.rest())


def role(words: Words) -> Command:
    """``/role``."""
    room, name, role = words.room(), words.person(), words.need().lower()
    if role not in list(Role):
        raise BadUsage(f"the roles are {', '.join(Role)}")
    return commands.SetRole(room=room, name=name, role=Role(role))


_SWITCHES = {"on": True, "yes": True, "off": False, "no": False}


def set_(words: Words) -> Command:
    """``/set``: one option and its value."""
    room, option, value = words.room(), words.need().lower(), words.need()
    switch = _SWITCHES.get(value.lower())
    match option:
        case "private" if switch is not None:
            return commands.SetRoom(room=room, private=switch)
        case "moderated" if switch is not None:
            return commands.SetRoom(room=room, moderated=switch)
        case "topic_locked" if switch is not None:
            return commands.SetRoom(room=room, topic_locked=switch)
        case "retention":
            seconds = 0 if switch is False else duration(value)
            if seconds is None or seconds % 86400:
                raise BadUsage("retention is a number of days, as in 30d, or off")
            return commands.SetRoom(room=room, retention=seconds // 86400)
        case "password":
            return commands.SetRoom(room=room, password="" if value == "-" else value)
    raise BadUsage


def destroy(words: Words) -> Command:
    """``/destroy``: the room, and its name once more."""
    if not is_room(words.peek()):
        raise BadUsage
    return commands.Destroy(
        room=words.need(), confirm=words.take() if is_room(words.peek()) else None, reason=words.rest()
    )


def purge(words: Words) -> Command:
    """``/purge``: the last hour, or the duration given."""
    room, name = words.room(), words.person()
    return commands.Purge(room=room, name=name, seconds=_HOUR if not words else _must_last(words))


_HOUR = 3600


def _must_last(words: Words) -> int:
    seconds = words.duration()
    if seconds is None:
        raise BadUsage("how long back? 10m, 2h, 7d")
    return seconds


# --- operating the server ---------------------------------------------------------------------------------------


def administrator(words: Words) -> Command:
    """``/administrator``: on, unless off is said."""
    name, change = words.person(), words.take() or "on"
    if change not in ("on", "off"):
        raise BadUsage
    return commands.SetAdministrator(name=name, active=change == "on")


def shutdown(words: Words) -> Command:
    """``/shutdown``: at once, after so many seconds or a duration, or not after all."""
    word = words.take() or "0"
    if word == "off":
        return commands.Shutdown(cancel=True)
    seconds = int(word) if word.isascii() and word.isdigit() and len(word) < _LONGEST_NUMBER else duration(word)
    if seconds is None:
        raise BadUsage
    return commands.Shutdown(seconds=seconds)


_LONGEST_NUMBER = 9
"""Digits of seconds that are read at all; the longest countdown has five."""
