"""Rights as a table: who may do what in which kind of room, with the code of the answer."""

from collections.abc import Callable

import pytest

from asyncchat.core import permissions
from asyncchat.vocabulary import commands
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.terms import Role
from tests.core.driver import Client, World

WHO = ("stranger", "invited", "banned", "member", "voice", "operator", "owner", "admin")
"""The columns: three who are outside, four who are in with a role, and an administrator who is outside."""

KINDS = ("public", "private", "moderated", "password", "locked")

ROOM = "#tea"
PASSWORD = "sesame"


class Scene:
    """A room of a kind, and one client in each position; ``messages``: what each member said there."""

    def __init__(self, kind: str) -> None:
        self.world = world = World()
        self.clients: dict[str, Client] = {"founder": world.guest("founder", ROOM)}
        founder = self.clients["founder"]
        for who in ("member", "voice", "operator", "owner", "target"):
            self.clients[who] = world.guest(f"{who}_", ROOM)
        for who in ("stranger", "invited", "banned"):
            self.clients[who] = world.guest(f"{who}_", "#lobby")
        self.clients["admin"] = world.administrator("admin_")
        self.messages = {who: self._say(who) for who in ("member", "voice", "operator", "owner", "target")}
        for role in (Role.VOICE, Role.OPERATOR, Role.OWNER):
            founder.do(commands.SetRole(room=ROOM, name=f"{role}_", role=role))
        founder.do(commands.Topic(room=ROOM, text="green"))
        founder.do(commands.Invite(room=ROOM, name="invited_"))
        founder.do(commands.Ban(room=ROOM, who="banned_"))
        options = {"private": "private", "moderated": "moderated", "locked": "topic_locked"}
        if kind in options:
            founder.do(commands.SetRoom(room=ROOM, **{options[kind]: True}))  # type: ignore[arg-type]
        if kind == "password":
            founder.do(commands.SetRoom(room=ROOM, password=PASSWORD))

    def _say(self, who: str) -> int:
        seq: int = self.clients[who].say(ROOM, f"said by {who}").seq
        return seq

    def own(self, who: str) -> int:
        """A message of theirs, or of somebody's if they have none."""
        return self.messages.get(who, self.messages["target"])


Make = Callable[[Scene, str], Command]

COMMANDS: dict[str, Make] = {
    "say": lambda scene, who: commands.Say(id=1, to=ROOM, text="hi"),
    "typing": lambda scene, who: commands.Typing(id=1, to=ROOM),
    "edit own": lambda scene, who: commands.Edit(id=1, seq=scene.own(who), text="ho"),
    "edit another's": lambda scene, who: commands.Edit(id=1, seq=scene.messages["target"], text="ho"),
    "delete own": lambda scene, who: commands.Delete(id=1, seq=scene.own(who)),
    "delete another's": lambda scene, who: commands.Delete(id=1, seq=scene.messages["target"]),
    "react": lambda scene, who: commands.React(id=1, seq=scene.messages["target"], reaction="👍"),
    "read": lambda scene, who: commands.Read(id=1, to=ROOM, seq=scene.messages["target"]),
    "history": lambda scene, who: commands.History(id=1, to=ROOM),
    "search": lambda scene, who: commands.Search(id=1, text="said", to=ROOM),
    "who": lambda scene, who: commands.Who(id=1, room=ROOM),
    "ask topic": lambda scene, who: commands.Topic(id=1, room=ROOM),
    "set topic": lambda scene, who: commands.Topic(id=1, room=ROOM, text="black"),
    "join": lambda scene, who: commands.Join(id=1, room=ROOM),
    "join with password": lambda scene, who: commands.Join(id=1, room=ROOM, password=PASSWORD),
    "leave": lambda scene, who: commands.Leave(id=1, room=ROOM),
    "invite": lambda scene, who: commands.Invite(id=1, room=ROOM, name="stranger_" if who != "stranger" else "admin_"),
    "kick": lambda scene, who: commands.Kick(id=1, room=ROOM, name="target_"),
    "ban": lambda scene, who: commands.Ban(id=1, room=ROOM, who="target_"),
    "unban": lambda scene, who: commands.Unban(id=1, room=ROOM, who="banned_"),
    "bans": lambda scene, who: commands.Bans(id=1, room=ROOM),
    "mute": lambda scene, who: commands.Mute(id=1, room=ROOM, name="target_"),
    "voice": lambda scene, who: commands.SetRole(id=1, room=ROOM, name="target_", role=Role.VOICE),
    "make owner": lambda scene, who: commands.SetRole(id=1, room=ROOM, name="target_", role=Role.OWNER),
    "set": lambda scene, who: commands.SetRoom(id=1, room=ROOM, retention=7),
    "destroy": lambda scene, who: commands.Destroy(id=1, room=ROOM, confirm=ROOM),
    "purge": lambda scene, who: commands.Purge(id=1, room=ROOM, name="target_", seconds=60),
}

# fmt: off
PUBLIC = {
    #                      stranger invited banned member voice operator owner admin
    "say":                (403,     403,    403,   200,   200,  200,     200,  403),
    "typing":             (403,     403,    403,   200,   200,  200,     200,  403),
    "edit own":           (403,     403,    403,   200,   200,  200,     200,  403),
    "edit another's":     (403,     403,    403,   403,   403,  403,     403,  403),
    "delete own":         (403,     403,    403,   200,   200,  200,     200,  200),
    "delete another's":   (403,     403,    403,   403,   403,  200,     200,  200),
    "react":              (403,     403,    403,   200,   200,  200,     200,  403),
    "read":               (200,     200,    200,   200,   200,  200,     200,  200),
    "history":            (200,     200,    200,   200,   200,  200,     200,  200),
    "search":             (200,     200,    200,   200,   200,  200,     200,  200),
    "who":                (200,     200,    200,   200,   200,  200,     200,  200),
    "ask topic":          (200,     200,    200,   200,   200,  200,     200,  200),
    "set topic":          (403,     403,    403,   200,   200,  200,     200,  200),
    "join":               (200,     200,    403,   200,   200,  200,     200,  200),
    "join with password": (200,     200,    403,   200,   200,  200,     200,  200),
    "leave":              (409,     409,    409,   200,   200,  200,     200,  409),
    "invite":             (403,     403,    403,   200,   200,  200,     200,  403),
    "kick":               (403,     403,    403,   403,   403,  200,     200,  200),
    "ban":                (403,     403,    403,   403,   403,  200,     200,  200),
    "unban":              (403,     403,    403,   403,   403,  200,     200,  200),
    "bans":               (403,     403,    403,   403,   403,  200,     200,  200),
    "mute":               (403,     403,    403,   403,   403,  200,     200,  200),
    "voice":              (403,     403,    403,   403,   403,  200,     200,  200),
    "make owner":         (403,     403,    403,   403,   403,  403,     200,  200),
    "set":                (403,     403,    403,   403,   403,  403,     200,  200),
    "destroy":            (403,     403,    403,   403,   403,  403,     200,  200),
    "purge":              (403,     403,    403,   403,   403,  200,     200,  200),
}
"""In a public room: the code of the answer to each."""

OTHERWISE: dict[str, dict[str, tuple[int, ...]]] = {
    "private": {  # 404 for those who must not know of it; who is invited knows, and reads when they have joined
        #                      stranger invited banned member voice operator owner admin
        "say":                (404,     403,    404,   200,   200,  200,     200,  403),
        "typing":             (404,     403,    404,   200,   200,  200,     200,  403),
        "edit own":           (404,     404,    404,   200,   200,  200,     200,  403),
        "edit another's":     (404,     404,    404,   403,   403,  403,     403,  403),
        "delete own":         (404,     404,    404,   200,   200,  200,     200,  200),
        "delete another's":   (404,     404,    404,   403,   403,  200,     200,  200),
        "react":              (404,     404,    404,   200,   200,  200,     200,  403),
        "read":               (404,     403,    404,   200,   200,  200,     200,  200),
        "history":            (404,     403,    404,   200,   200,  200,     200,  200),
        "search":             (404,     403,    404,   200,   200,  200,     200,  200),
        "who":                (404,     403,    404,   200,   200,  200,     200,  200),
        "ask topic":          (404,     403,    404,   200,   200,  200,     200,  200),
        "set topic":          (404,     403,    404,   200,   200,  200,     200,  200),
        "join":               (403,     200,    403,   200,   200,  200,     200,  200),
        "join with password": (403,     200,    403,   200,   200,  200,     200,  200),
        "leave":              (404,     409,    404,   200,   200,  200,     200,  409),
        "invite":             (404,     403,    404,   403,   403,  200,     200,  403),
        "kick":               (404,     403,    404,   403,   403,  200,     200,  200),
        "ban":                (404,     403,    404,   403,   403,  200,     200,  200),
        "unban":              (404,     403,    404,   403,   403,  200,     200,  200),
        "bans":               (404,     403,    404,   403,   403,  200,     200,  200),
        "mute":               (404,     403,    404,   403,   403,  200,     200,  200),
        "voice":              (404,     403,    404,   403,   403,  200,     200,  200),
        "make owner":         (404,     403,    404,   403,   403,  403,     200,  200),
        "set":                (404,     403,    404,   403,   403,  403,     200,  200),
        "destroy":            (404,     403,    404,   403,   403,  403,     200,  200),
        "purge":              (404,     403,    404,   403,   403,  200,     200,  200),
    },
    "moderated": {
        #                      stranger invited banned member voice operator owner admin
        "say":                (403,     403,    403,   403,   200,  200,     200,  403),
        "typing":             (403,     403,    403,   403,   200,  200,     200,  403),
        "edit own":           (403,     403,    403,   403,   200,  200,     200,  403),
        "react":              (403,     403,    403,   403,   200,  200,     200,  403),
        "set topic":          (403,     403,    403,   403,   200,  200,     200,  200),
    },
    "password": {  # everybody knows of it; who it is read by are its members
        #                      stranger invited banned member voice operator owner admin
        "edit own":           (404,     404,    404,   200,   200,  200,     200,  403),
        "edit another's":     (404,     404,    404,   403,   403,  403,     403,  403),
        "delete own":         (404,     404,    404,   200,   200,  200,     200,  200),
        "delete another's":   (404,     404,    404,   403,   403,  200,     200,  200),
        "react":              (404,     404,    404,   200,   200,  200,     200,  403),
        "read":               (403,     403,    403,   200,   200,  200,     200,  200),
        "history":            (403,     403,    403,   200,   200,  200,     200,  200),
        "search":             (403,     403,    403,   200,   200,  200,     200,  200),
        "who":                (403,     403,    403,   200,   200,  200,     200,  200),
        "ask topic":          (403,     403,    403,   200,   200,  200,     200,  200),
        "set topic":          (403,     403,    403,   200,   200,  200,     200,  200),
        "join":               (403,     200,    403,   200,   200,  200,     200,  200),
        "invite":             (403,     403,    403,   403,   403,  200,     200,  403),
    },
    "locked": {
        #                      stranger invited banned member voice operator owner admin
        "set topic":          (403,     403,    403,   403,   403,  200,     200,  200),
    },
}
"""In rooms of other kinds: what is different there."""
# fmt: on


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_the_table(kind: str, command: str) -> None:
    expected = OTHERWISE.get(kind, {}).get(command, PUBLIC[command])
    found = []
    scene = Scene(kind)
    for who in WHO:
        found.append(scene.clients[who].code(COMMANDS[command](scene, who)))
        if found[-1] == 200:
            scene = Scene(kind)  # a refusal changes nothing
    assert dict(zip(WHO, found, strict=True)) == dict(zip(WHO, expected, strict=True))


def test_every_command_that_names_a_room_or_a_message_is_in_the_table() -> None:
    scene = Scene("public")
    tabled = {type(make(scene, "member")) for make in COMMANDS.values()}
    about_rooms = {
        command for command in commands.Command.__args__ if {"room", "to", "seq"} & set(command.__struct_fields__)
    }
    assert about_rooms <= tabled


@pytest.mark.parametrize("command", permissions.NEEDS)
def test_a_role_that_is_needed_is_needed_exactly(command: str) -> None:
    """The role itself is enough, and the one below it is not."""
    needed = permissions.NEEDS[command]
    columns = {Role.MEMBER: 3, Role.VOICE: 4, Role.OPERATOR: 5, Role.OWNER: 6}
    rows = {"role": "voice"}
    codes = OTHERWISE["private"][rows.get(command, command)]
    assert codes[columns[needed]] == 200
    below = list(Role)[needed.rank - 1]
    assert codes[columns[below]] == 403


@pytest.mark.parametrize("kind", KINDS)
def test_those_outside_the_server_have_no_rights_at_all(kind: str) -> None:
    scene = Scene(kind)
    nobody = scene.world.client()
    assert {nobody.code(make(scene, "stranger")) for make in COMMANDS.values()} == {401}


def test_a_muted_member_is_one_who_may_not_speak() -> None:
    scene = Scene("public")
    scene.clients["founder"].do(commands.Mute(room=ROOM, name="member_"))
    muted = scene.clients["member"]
    refused = {name for name, make in COMMANDS.items() if muted.code(make(scene, "member")) == 403}
    allowed = {name for name, codes in PUBLIC.items() if codes[3] == 200}
    # `leave` comes before these in the table, and ends the matter.
    assert refused & allowed >= {"say", "typing", "edit own", "react", "set topic"}
    assert not refused & {"delete own", "read", "history", "search", "who", "ask topic", "leave"}
