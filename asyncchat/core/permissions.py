"""The one gate for every right. The rules reach rooms and their past only through these functions.

A private room does not exist for those whom it does not admit: the answer is the same 404, to the letter, as for a name
that no room has.
"""

from asyncchat.core.house import House
from asyncchat.core.people import Person
from asyncchat.core.rooms import Room
from asyncchat.core.session import Session
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.queries import StoredMessage
from asyncchat.vocabulary.records import BanSet
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
}
"""The role in a room that a command needs. `topic`, `say` and `invite` depend on the room as well: see below."""


def role(house: House, person: Person, room: Room) -> Role:
    """The role that counts: an administrator is an owner everywhere."""
    return Role.OWNER if house.is_administrator(person) else room.role(person)


def sees(house: House, person: Person, room: Room) -> bool:
    """May this person know that the room exists?"""
    return (
        not room.private
        or person in room.members
        or person.id in room.invited
        or room.role(person).rank >= Role.OPERATOR.rank
        or house.is_administrator(person)
    )


def visible_room(house: House, person: Person, name: str) -> Room:
    """The room of this name if the person may know of it; raises `Refused` 404."""
    room = house.room(name)
    if not sees(house, person, room):
        raise Refused(Code.NOT_FOUND, f"no such room: {name}")
    return room


def readable_room(house: House, person: Person, name: str) -> Room:
    """The room of this name if the person may read what is and was said there; raises `Refused` 404 or 403."""
    room = visible_room(house, person, name)
    if not reads(house, person, room):
        raise Refused(Code.FORBIDDEN, f"{room.name}: join first")
    return room


def reads(house: House, person: Person, room: Room) -> bool:
    """May this person read the room's messages, members, topic and markers?"""
    return person in room.members or not (room.private or room.password is not None) or house.is_administrator(person)


def check_join(house: House, session: Session, person: Person, room: Room, now: int) -> bool:
    """May this person enter? Raises `Refused` 403. Returns whether the room's password has to be checked still."""
    rank = role(house, person, room).rank
    if rank >= Role.OPERATOR.rank:
        return False
    if room.bans.match(now, person=person, address=session.address, mute=False):
        raise Refused(Code.FORBIDDEN, f"{room.name}: you are banned")
    if person.id in room.invited:
        return False
    if room.password is not None:
        return True
    if room.private:
        raise Refused(Code.FORBIDDEN, f"{room.name} cannot be joined")
    return False


def check_say(house: House, session: Session, person: Person, room: Room, now: int) -> None:
    """May this person speak here? Raises `Refused` 403, or 404 where the room must not be known."""
    if person not in room.members:
        visible_room(house, person, room.name)
        raise Refused(Code.FORBIDDEN, f"{room.name}: join first")
    if not (room.moderated or room.bans):
        return
    rank = role(house, person, room).rank
    if room.moderated and rank < Role.VOICE.rank:
        raise Refused(Code.FORBIDDEN, f"{room.name} is moderated: you may listen")
    if rank < Role.OPERATOR.rank and room.bans.match(now, person=person, address=session.address, mute=True):
        raise Refused(Code.FORBIDDEN, f"{room.name}: you are muted")


def check_topic(house: House, person: Person, room: Room) -> None:
    """May this person set the topic? Raises `Refused` 403."""
    if person not in room.members and not house.is_administrator(person):
        raise Refused(Code.FORBIDDEN, f"{room.name}: join first")
    if room.topic_locked and role(house, person, room).rank < Role.OPERATOR.rank:
        raise Refused(Code.FORBIDDEN, f"{room.name}: only operators set the topic")


def check_right(house: House, person: Person, room: Room, command: str) -> None:
    """May this person give such a command (a key of `NEEDS`) in this room? Raises `Refused` 403."""
    needed = NEEDS[command]
    if role(house, person, room).rank < needed.rank:
        raise Refused(Code.FORBIDDEN, f"{room.name}: {command} needs the role {needed}")


def check_over(house: House, person: Person, target: Person, room: Room) -> None:
    """May this person act against that one? Only those of a higher role may, and owners among themselves."""
    mine, theirs = role(house, person, room).rank, role(house, target, room).rank
    if target is not person and theirs >= mine and mine < Role.OWNER.rank:
        raise Refused(Code.FORBIDDEN, f"{room.name}: {target.name} has your role or a higher one")
    if house.is_administrator(target) and not house.is_administrator(person):
        raise Refused(Code.FORBIDDEN, f"{target.name} is an administrator")


def check_administrator(house: House, person: Person) -> None:
    """Raise `Refused` 403 for all but the server's administrators."""
    if not house.is_administrator(person):
        raise Refused(Code.FORBIDDEN, "that needs an administrator of the server")


def check_message(house: House, person: Person, message: StoredMessage | None, seq: int) -> StoredMessage:
    """The message if this person may read it; raises `Refused` 404."""
    if message is not None and not message.deleted:
        if message.room:
            room = house.rooms.by_id.get(message.room)
            if room is not None and reads(house, person, room):
                return message
        elif person.id in (message.author, message.peer):
            return message
    raise Refused(Code.NOT_FOUND, f"no such message: {seq}")


def check_delete(house: House, person: Person, message: StoredMessage) -> None:
    """May this person delete that message? Its author may, and in a room its operators. Raises `Refused` 403."""
    if message.author == person.id:
        return
    room = house.rooms.by_id.get(message.room)
    if room is None or role(house, person, room).rank < Role.OPERATOR.rank:
        raise Refused(Code.FORBIDDEN, "only its author and the room's operators delete a message")


def server_ban(house: House, person: Person | None, address: str, now: int) -> BanSet | None:
    """The ban that keeps a person or an address off the server."""
    return house.bans.match(now, person=person, address=address, mute=False)
