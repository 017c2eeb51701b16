"""How the arguments of each slash command become a command: one function for each line of the table."""

import re

from asyncchat.vocabulary import commands
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.names import as_room, is_room
from asyncchat.vocabulary.terms import Role
from asyncchat.wire.slash_arguments import Action, BadUsage, Context, Words, duration, message_number

AROUND = 5
"""Messages shown before and after one by ``/context``."""

PAGE = 20
"""Messages shown by ``/history`` when no number is given: about a screen."""

LONGEST_PAGE = 200
"""Messages that ``/history`` may ask for: the server's page."""


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


def edit(words: Words) -> Command:
    """``/edit``."""
    return commands.Edit(seq=words.message(words.context.own), text=words.need_rest())


def delete(words: Words) -> Command:
    """``/delete``."""
    return commands.Delete(seq=words.message(words.context.own))


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


def rooms(words: Words) -> Command:
    """``/rooms``."""
    return commands.Rooms(after=words.after())


def who(words: Words) -> Command:
    """``/who``."""
    return commands.Who(room=words.room_or_server(), after=words.after())


def whois(words: Words) -> Command:
    """``/whois``."""
    return commands.Whois(name=words.person())


def topic(words: Words) -> Command:
    """``/topic``: without a text it is asked for."""
    room, text = words.room(), words.rest()
    return commands.Topic(room=room, text="" if text == "-" else text)


def invite(words: Words) -> Command:
    """``/invite``."""
    name = words.person()
    return commands.Invite(name=name, room=words.room())


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


def nick(words: Words) -> Command:
    """``/nick``."""
    return commands.Nick(name=words.need())


def away(words: Words) -> Command:
    """``/away``: with some text in any case, as without one it would mean back."""
    return commands.Away(text=words.rest() or "away")


def back(words: Words) -> Command:
    """``/back``: away without a text."""
    return commands.Away()


def register(words: Words) -> Command:
    """``/register``: without a password (or with ``-``) the name is bound to the token alone."""
    password, invitation = words.take(), words.take()
    return commands.Register(password=None if password == "-" else password, invitation=invitation)


def passwd(words: Words) -> Command:
    """``/passwd``: one word is the new password, of two the first is the old one."""
    first, second = words.need(), words.take()
    return commands.Passwd(new=first) if second is None else commands.Passwd(old=first, new=second)


def ignore(words: Words) -> Action:
    """``/ignore``."""
    return Action("ignore", words.person() if words else None)


def unignore(words: Words) -> Action:
    """``/unignore``."""
    return Action("unignore", words.person())


def help_(words: Words) -> Action:
    """``/help``."""
    return Action("help", words.take())


def quit_(words: Words) -> Command:
    """``/quit``."""
    return commands.Quit(reason=words.rest())


# --- order in the house ---------------------------------------------------------------------------------------


def kick(words: Words) -> Command:
    """``/kick``."""
    return commands.Kick(room=words.room(), name=words.person(), reason=words.rest())


def ban(words: Words) -> Command:
    """``/ban``."""
    room, who = words.room_or_server(), words.person()
    return commands.Ban(room=room, who=who, seconds=words.duration(), reason=words.rest())


def unban(words: Words) -> Command:
    """``/unban``."""
    return commands.Unban(room=words.room_or_server(), who=words.person())


def bans(words: Words) -> Command:
    """``/bans``."""
    return commands.Bans(room=words.room_or_server(), after=words.after())


def mute(words: Words) -> Command:
    """``/mute``."""
    room, name = words.room(), words.person()
    return commands.Mute(room=room, name=name, seconds=words.duration(), reason=words.rest())


def unmute(words: Words) -> Command:
    """``/unmute``: a mute of no time."""
    return commands.Mute(room=words.room(), name=words.person(), seconds=0)


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


def announce(words: Words) -> Command:
    """``/announce``."""
    return commands.Announce(text=words.need_rest())


def stats(words: Words) -> Command:
    """``/stats``."""
    return commands.Stats()


def accounts(words: Words) -> Command:
    """``/accounts``."""
    return commands.Accounts()


def administrator(words: Words) -> Command:
    """``/administrator``: on, unless off is said."""
    name, change = words.person(), words.take() or "on"
    if change not in ("on", "off"):
        raise BadUsage
    return commands.SetAdministrator(name=name, active=change == "on")


def log(words: Words) -> Command:
    """``/log``."""
    return commands.Log(level=words.take())


def reload(words: Words) -> Command:
    """``/reload``."""
    return commands.Reload()


def backup(words: Words) -> Command:
    """``/backup``."""
    return commands.Backup(path=words.need_rest())


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
