"""Results as safe lines of text: what the server answers to who, rooms, whois, history and the like."""

from collections.abc import Iterator

from asyncchat.client.render import Renderer, place_of
from asyncchat.vocabulary import events
from asyncchat.vocabulary.events import Result
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.terms import Code, Role, State


def answer_lines(result: Result, renderer: Renderer) -> Iterator[str]:
    """The lines that tell a person what came back."""
    match result:
        case events.RoomList():
            yield from _rooms(result, renderer)
        case events.Members():
            yield from _members(result, renderer)
        case events.User():
            yield from _user(result, renderer)
        case events.History():
            yield from _history(result, renderer)
        case events.BanList():
            yield from _bans(result, renderer)
        case events.Ok():
            yield _note(renderer, _done(result))
        case events.Welcome():
            yield _note(renderer, "welcome")
        case events.Error():
            yield renderer.painter.style("error", f"-- {printable(result.text)} ({result.code.value})")


def _note(renderer: Renderer, text: str) -> str:
    return renderer.painter.style("notice", f"-- {text}")


def _done(ok: events.Ok) -> str:
    if ok.text:
        return printable(ok.text)
    return "kept: they are not here now, and will get it" if ok.code is Code.ACCEPTED else "done"


def _rooms(result: events.RoomList, renderer: Renderer) -> Iterator[str]:
    yield _note(renderer, f"{len(result.rooms)} {'room' if len(result.rooms) == 1 else 'rooms'}")
    width = max((len(printable(room.name)) for room in result.rooms), default=0)
    for room in result.rooms:
        name = renderer.painter.style("place", f"{printable(room.name):<{width}}")
        marks = [mark for mark in ("private", "moderated", "password") if getattr(room, mark)]
        kind = f" [{', '.join(marks)}]" if marks else ""
        yield f"   {name} {room.members:>4}{kind}  {printable(room.topic)}".rstrip()


def _members(result: events.Members, renderer: Renderer) -> Iterator[str]:
    where = f"in {printable(result.room)}" if result.room is not None else "on the server"
    yield _note(renderer, f"{len(result.members)} {where}")
    if result.topic:
        yield _note(renderer, f"topic: {printable(result.topic)}")
    people = [_member(member, renderer) for member in result.members]
    if people:
        yield "   " + ", ".join(people)


def _member(member: events.Member, renderer: Renderer) -> str:
    marks = []
    if member.role is not None and member.role is not Role.MEMBER:
        marks.append(member.role.value)
    if member.registered:
        marks.append("registered")
    if member.state is not State.ONLINE:
        marks.append(f"{member.state.value}: {printable(member.away)}" if member.away else member.state.value)
    return renderer.painter.person(member.name, printable(member.name)) + (f" ({', '.join(marks)})" if marks else "")


def _user(user: events.User, renderer: Renderer) -> Iterator[str]:
    state = user.state.value + (f": {printable(user.away)}" if user.away else "")
    kind = "an administrator" if user.administrator else ("registered" if user.registered else "a guest")
    name = renderer.painter.person(user.name, printable(user.name))
    yield f"{_note(renderer, '')}{name} is {state}, {kind}"
    if user.rooms:
        yield f"   in {', '.join(map(printable, user.rooms))}"
    if user.since is not None:
        yield f"   here since {renderer.moment(user.since)}"
    if user.idle is not None:
        yield f"   silent for {_duration(user.idle)}"
    if user.sessions > 1:
        yield f"   connected {user.sessions} times"
    if user.address is not None:
        yield f"   from {printable(user.address)}"


def _history(history: events.History, renderer: Renderer) -> Iterator[str]:
    if not history.events and history.complete:
        yield _note(renderer, "nothing found")
    day = None
    for event in history.events:
        if renderer.day(event.when) != day:
            day = renderer.day(event.when)
            yield renderer.day_line(day)
        place = place_of(event, renderer.me)
        line = renderer.line(event, event.when, place=place, numbered=True)
        if line is not None:
            yield line
    if not history.complete and history.next is not None:
        yield _note(renderer, f"there is more: before ^{history.next}")


def _bans(bans: events.BanList, renderer: Renderer) -> Iterator[str]:
    where = f"in {printable(bans.room)}" if bans.room is not None else "on the server"
    yield _note(renderer, f"{len(bans.bans)} banned or muted {where}")
    for ban in bans.bans:
        until = f"until {renderer.moment(ban.until)}" if ban.until is not None else "for ever"
        reason = f" ({printable(ban.reason)})" if ban.reason else ""
        by = f" by {printable(ban.by)}" if ban.by else ""
        yield f"   {printable(ban.who)} {'muted' if ban.mute else 'banned'} {until}{by}{reason}"


def _duration(seconds: int) -> str:
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
