"""The one gate for every right. The rules reach rooms and their past only through these functions.

A private room does not exist for those whom it does not admit: the answer is the same 404, to the letter, as for a name
that no room has. To join is the one command that has to say more to those who may open rooms, since it would open one
of that name: it is answered 403, that this name cannot be joined, and not why. Those who may not open any are answered
the same for every name that they cannot join.
"""

from asyncchat.core.people import Person
from asyncchat.core.rooms import Room
from asyncchat.core.session import Session
from asyncchat.core.state import ChatState, no_such_room
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.queries import StoredMessage
from asyncchat.vocabulary.records import NOBODY, BanSet, InviteSet
from asyncchat.vocabulary.terms import Code, Role

NEEDS = {
    "kick": Role.OPERATOR,
    "ban": Role.OPERATOR,
    "unban": Role.OPERATOR,
    "bans": Role.OPERATOR,
    "mute": Role.OPERATOR,
    "invite": Role.OPERATOR,
    "purge": Role.OPERATOR,
    "role": Role.OPERATOR,
    "set": Role.OWNER,
    "destroy": Role.OWNER,
}
"""The role in a room that a command needs. `topic`, `say` and `invite` depend on the room as well: see below."""


def role(state: ChatState, person: Person, room: Room) -> Role:
    """The role that counts: an administrator is an owner everywhere."""
    return Role.OWNER if state.is_administrator(person) else room.role(person)


# --- seeing and reading ---------------------------------------------------------------------------------------------


def sees(state: ChatState, person: Person, room: Room) -> bool:
    """May this person know that the room exists?"""
    return (
        not room.private
        or person in room.members
        or person.id in room.invited
        or role(state, person, room).rank >= Role.OPERATOR.rank
    )


def reads(state: ChatState, person: Person, room: Room) -> bool:
    """May this person read the room's messages, members, topic and markers?"""
    return person in room.members or not room.closed or state.is_administrator(person)


def visible_room(state: ChatState, person: Person, name: str) -> Room:
    """The room of this name if the person may know of it; raises `Refused` 404."""
    room = state.room(name)
    if not sees(state, person, room):
        raise no_such_room(name)
    return room


def readable_room(state: ChatState, person: Person, name: str) -> Room:
    """The room of this name if the person may read what is and was said there; raises `Refused` 404 or 403."""
    room = visible_room(state, person, name)
    if not reads(state, person, room):
        raise _join_first(room)
    return room


def check_message(state: ChatState, person: Person, message: StoredMessage | None, seq: int) -> StoredMessage:
    """The message if this person may read it; raises `Refused` 404."""
    if message is not None and not state.in_flight.changes.is_deleted(message):
        if message.room:
            room = state.rooms.by_id.get(message.room)
            if room is not None and reads(state, person, room):
                return message
        elif person.id in (message.author, message.peer):
            return message
    raise Refused(Code.NOT_FOUND, f"no such message: {seq}")


# --- entering -------------------------------------------------------------------------------------------------------


def check_server(state: ChatState, id: int, key: str, address: str, now: int) -> None:
    """May the person of this id, with the name of this key, from there, be on the server? Raises `Refused` 403."""
    if state.bans.match(now, person=id, key=key, address=address):
        raise Refused(Code.FORBIDDEN, "you are banned from this server")


def admits(state: ChatState, person: Person, room: Room, address: str, now: int) -> bool:
    """May this person enter the room from this IP address (empty: none), and without a password?"""
    if role(state, person, room).rank >= Role.OPERATOR.rank:
        return True
    if ban_on(state, person, room, address, now) is not None:
        return False
    return person.id in room.invited or not room.closed


def ban_on(state: ChatState, person: Person, room: Room, address: str, now: int) -> BanSet | None:
    """The ban that keeps this person, who comes from this IP address (empty: none), out of the room.

    All their sessions hear a room, so that the address of each of them counts. Who keeps order is hit by none.
    """
    if not room.bans or role(state, person, room).rank >= Role.OPERATOR.rank:
        return None
    addresses = dict.fromkeys((address, *(session.address for session in person.sessions)))
    bans = (room.bans.match(now, person=person.id, key=person.key, address=each) for each in addresses)
    return next(filter(None, bans), None)


def is_void(room: Room, invite: InviteSet) -> bool:
    """Was it by a password that is no longer the room's? Then it lets nobody in."""
    return invite.password is not None and invite.password != room.password


def check_join(state: ChatState, session: Session, person: Person, room: Room, name: str, now: int) -> bool:
    """May this person enter the room, whose name they typed like this? Raises `Refused` 403.

    Returns whether the room's password has to be checked still.
    """
    if admits(state, person, room, session.address, now):
        return False
    if ban_on(state, person, room, session.address, now) is not None:
        if sees(state, person, room):
            raise Refused(Code.FORBIDDEN, f"{room.name}: you are banned")
        raise cannot_be_joined(name)
    if room.password is None:
        raise cannot_be_joined(name)
    return True


def founds(state: ChatState, session: Session, person: Person) -> bool:
    """May this person open a room?"""
    match state.settings.founding:
        case "everyone":
            return True
        case "registered" if person.registered:
            return True
        case _:
            return session.inside or state.is_administrator(person)


def cannot_be_joined(name: str) -> Refused:
    """The error for a room whose existence must stay a secret: it says only that the name, as typed, is of no use."""
    return Refused(Code.FORBIDDEN, f"{name} cannot be joined")


# --- speaking -------------------------------------------------------------------------------------------------------


def room_to_speak_in(state: ChatState, session: Session, person: Person, name: str, now: int) -> Room:
    """The room of this name if the person may speak there; raises `Refused` 403, or 404 if it must not be known."""
    room = state.room(name)
    if person not in room.members and not _is_operator(person):
        if not sees(state, person, room):
            raise no_such_room(name)
        raise _join_first(room)
    if room.moderated or room.bans.mutes:
        check_voice(state, session, person, room, now)
    return room


def check_voice(state: ChatState, session: Session, person: Person, room: Room, now: int) -> None:
    """May this member speak? Raises `Refused` 403 in a moderated room, and for one who is muted."""
    why = _why_silent(state, person, room, session.address, now)
    if why is not None:
        raise Refused(Code.FORBIDDEN, why)


def has_voice(state: ChatState, person: Person, room: Room, now: int) -> bool:
    """May this member speak? What they say as they leave, or of being away, is told to the room only then."""
    return _why_silent(state, person, room, "", now) is None


def _why_silent(state: ChatState, person: Person, room: Room, address: str, now: int) -> str | None:
    rank = role(state, person, room).rank
    if room.moderated and rank < Role.VOICE.rank:
        return f"{room.name} is moderated: you may listen"
    if rank < Role.OPERATOR.rank and room.bans.match(now, person=person.id, key=person.key, address=address, mute=True):
        return f"{room.name}: you are muted"
    return None


def check_change(state: ChatState, session: Session, person: Person, message: StoredMessage, now: int) -> None:
    """May this person edit or react there still? Raises `Refused` 403. Those of a conversation always may."""
    if message.room:
        room = state.rooms.by_id[message.room]
        check_member(person, room)
        check_voice(state, session, person, room, now)


def check_topic(state: ChatState, session: Session, person: Person, room: Room, now: int) -> None:
    """May this person set the topic? Raises `Refused` 403. Who may not speak may not do it this way either."""
    if not state.is_administrator(person):
        check_member(person, room)
    if room.topic_locked and role(state, person, room).rank < Role.OPERATOR.rank:
        raise Refused(Code.FORBIDDEN, f"{room.name}: only operators set the topic")
    check_voice(state, session, person, room, now)


def check_delete(state: ChatState, person: Person, message: StoredMessage) -> None:
    """May this person delete that message? Its author may, and in a room its operators. Raises `Refused` 403."""
    if message.author == person.id:
        return
    room = state.rooms.by_id.get(message.room)
    if room is None or role(state, person, room).rank < Role.OPERATOR.rank:
        raise Refused(Code.FORBIDDEN, "only its author and the room's operators delete a message")


# --- order ----------------------------------------------------------------------------------------------------------


def check_member(person: Person, room: Room) -> None:
    """Is this person in the room? Raises `Refused` 403. The operator is everywhere."""
    if person not in room.members and not _is_operator(person):
        raise _join_first(room)


def check_right(state: ChatState, person: Person, room: Room, command: str) -> None:
    """May this person give such a command (a key of `NEEDS`) in this room? Raises `Refused` 403."""
    needed = NEEDS[command]
    if role(state, person, room).rank < needed.rank:
        raise Refused(Code.FORBIDDEN, f"{room.name}: {command} needs the role {needed}")


def lets_in(state: ChatState, person: Person, room: Room) -> bool:
    """Does this person's invitation let others into the room when not everybody may enter?"""
    return role(state, person, room).rank >= NEEDS["invite"].rank


def check_invite(state: ChatState, person: Person, room: Room) -> None:
    """May this person invite others? Raises `Refused` 403. Where not everybody may enter, operators decide who does."""
    check_member(person, room)
    if room.closed:
        check_right(state, person, room, "invite")


def check_over(state: ChatState, person: Person, target: Person, room: Room) -> None:
    """May this person act against that one? Raises `Refused` 403.

    Only those of a higher role may, and owners among themselves; nobody acts against themselves.
    """
    if target is person:
        raise Refused(Code.FORBIDDEN, "not against yourself")
    mine, theirs = role(state, person, room).rank, role(state, target, room).rank
    if theirs >= mine and mine < Role.OWNER.rank:
        raise Refused(Code.FORBIDDEN, f"{room.name}: {target.name} has your role or a higher one")
    if state.is_administrator(target) and not state.is_administrator(person):
        raise Refused(Code.FORBIDDEN, f"{target.name} is an administrator")


def check_role(state: ChatState, person: Person, target: Person, room: Room, wanted: Role) -> None:
    """May this person give that one a role? At most their own; one's own role can be laid down. Raises `Refused`.

    A room keeps an owner, as long as its people decide: 409 for the last one; administrators may.
    """
    if target is not person:
        check_over(state, person, target, room)
    if wanted.rank > role(state, person, room).rank:
        raise Refused(Code.FORBIDDEN, f"{room.name}: {wanted} is above your own role")
    last = target.id in room.owners and wanted is not Role.OWNER and not state.is_owned(room, besides=target.id)
    if last and not state.is_administrator(person):
        raise Refused(Code.CONFLICT, f"{room.name}: make somebody else owner first")


def check_administrator(state: ChatState, person: Person) -> None:
    """Raise `Refused` 403 for all but the server's administrators."""
    if not state.is_administrator(person):
        raise Refused(Code.FORBIDDEN, "that needs an administrator of the server")


def _join_first(room: Room) -> Refused:
    return Refused(Code.FORBIDDEN, f"{room.name}: join first")


def _is_operator(person: Person) -> bool:
    return person.id == NOBODY
