"""A private room does not exist for those whom it does not admit, whatever they ask.

Everything is done twice: on a server that has the room, and on one that has not. Whoever is not admitted must see the
same on both, to the letter. (Seqs, and how long somebody has not said anything, tell that something was said somewhere,
and not where.)
"""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from asyncchat.vocabulary import commands as c
from asyncchat.vocabulary import events
from asyncchat.vocabulary.queries import VerifyPassword
from asyncchat.vocabulary.terms import Code, Role
from tests.core.driver import Client, World

SECRET = "#secret"
MESSAGE = 13
"""The seq of a message there."""

WORD = "sesame"


class Scene:
    """Ann and Bob, and Eve who is not admitted. With *secret* the two have a private room that she does not know."""

    def __init__(self, secret: bool, **options: Any) -> None:
        self.secret = secret
        self.world = world = World()
        self.ann, self.bob = world.guest("ann", "#lobby"), world.guest("bob", "#garden")
        self.eve = world.guest("eve", "#lobby", "#cellar")
        for client, room in ((self.ann, "#lobby"), (self.bob, "#garden")):
            client.say(room, "hello")
        self.message = MESSAGE
        if secret:
            self.ann.do(c.Join(room=SECRET))
            self.ann.do(c.SetRoom(room=SECRET, private=True, **options))
            self.ann.do(c.Invite(room=SECRET, name="bob"))
            self.bob.do(c.Join(room=SECRET))
            assert self.ann.say(SECRET, "the treasure is buried").seq == MESSAGE
            self.bob.do(c.React(seq=self.message, reaction="👍"))
            self.bob.do(c.Read(to=SECRET, seq=self.message))
            self.ann.do(c.Topic(room=SECRET, text="treasure"))
            self.ann.do(c.SetRole(room=SECRET, name="bob", role=Role.OPERATOR))
        else:
            while world.last_seq < MESSAGE:
                self.bob.say("bob", "of that seq there is a message in any case")
        self.eve.forget()

    def seen(self, client: Client, command: c.Command) -> list[Any]:
        """All that a client sees of a command: the replies and what it is told meanwhile."""
        ticket = client.start(command)
        self.world.flush()
        assert ticket.replies is not None
        seen = [without_seq(each) for each in (*ticket.replies, *client.told)]
        client.forget()
        return seen


def without_seq(told: Any) -> Any:
    if isinstance(told, events.History):
        return structs.replace(told, next=None)
    return structs.replace(told, seq=0) if getattr(told, "seq", None) is not None else told


NAMES = (SECRET, "#SECRET", "＃Secret", "#seсret")
"""The room's name, as it may be typed; the last one looks like it, and is another."""

ABOUT_ROOMS: dict[type[c.Command], Callable[[str], c.Command]] = {
    c.Say: lambda room: c.Say(id=1, to=room, text="hi", nonce="n"),
    c.Typing: lambda room: c.Typing(id=1, to=room),
    c.Read: lambda room: c.Read(id=1, to=room, seq=1),
    c.Leave: lambda room: c.Leave(id=1, room=room),
    c.Who: lambda room: c.Who(id=1, room=room),
    c.Topic: lambda room: c.Topic(id=1, room=room),
    c.Invite: lambda room: c.Invite(id=1, room=room, name="ann"),
    c.History: lambda room: c.History(id=1, to=room),
    c.Search: lambda room: c.Search(id=1, text="treasure", to=room),
    c.Kick: lambda room: c.Kick(id=1, room=room, name="bob"),
    c.Ban: lambda room: c.Ban(id=1, room=room, who="bob"),
    c.Unban: lambda room: c.Unban(id=1, room=room, who="bob"),
    c.Bans: lambda room: c.Bans(id=1, room=room),
    c.Mute: lambda room: c.Mute(id=1, room=room, name="bob"),
    c.SetRole: lambda room: c.SetRole(id=1, room=room, name="eve", role=Role.OWNER),
    c.SetRoom: lambda room: c.SetRoom(id=1, room=room, private=False),
    c.Destroy: lambda room: c.Destroy(id=1, room=room, confirm=room),
    c.Purge: lambda room: c.Purge(id=1, room=room, name="ann", seconds=60),
}

MORE_ABOUT_ROOMS: list[Callable[[str], c.Command]] = [
    lambda room: c.Topic(id=1, room=room, text="found"),
    lambda room: c.Invite(id=1, room=room, name="nobody_"),
    lambda room: c.Kick(id=1, room=room, name="nobody_"),
    lambda room: c.SetRoom(id=1, room=room, password="x"),
    lambda room: c.Mute(id=1, room=room, name="bob", seconds=0),
]

OTHERS: dict[type[c.Command], Callable[[Scene], c.Command]] = {
    c.Edit: lambda scene: c.Edit(id=1, seq=MESSAGE, text="x"),
    c.Delete: lambda scene: c.Delete(id=1, seq=MESSAGE),
    c.React: lambda scene: c.React(id=1, seq=MESSAGE, reaction="x"),
    c.Rooms: lambda scene: c.Rooms(id=1),
    c.Whois: lambda scene: c.Whois(id=1, name="ann"),
    c.Sync: lambda scene: c.Sync(id=1, after=0),
    c.Nick: lambda scene: c.Nick(id=1, name="evelyn"),
    c.Away: lambda scene: c.Away(id=1, text="x"),
    c.Register: lambda scene: c.Register(id=1, password="long enough"),
    c.Passwd: lambda scene: c.Passwd(id=1, new="long enough"),
    c.Ping: lambda scene: c.Ping(id=1),
    c.Pong: lambda scene: c.Pong(),
    c.Quit: lambda scene: c.Quit(id=1),
    c.Announce: lambda scene: c.Announce(id=1, text="hear, hear"),
    c.Stats: lambda scene: c.Stats(id=1),
    c.Accounts: lambda scene: c.Accounts(id=1),
    c.CreateAccount: lambda scene: c.CreateAccount(id=1, name="dan", password="long enough"),
    c.ResetPassword: lambda scene: c.ResetPassword(id=1, name="ann", password="long enough"),
    c.SetAdministrator: lambda scene: c.SetAdministrator(id=1, name="eve"),
    c.Log: lambda scene: c.Log(id=1),
    c.Reload: lambda scene: c.Reload(id=1),
    c.Backup: lambda scene: c.Backup(id=1, path="/copy.db"),
    c.Shutdown: lambda scene: c.Shutdown(id=1),
}

MORE_OTHERS: list[Callable[[Scene], c.Command]] = [
    lambda scene: c.Who(id=1),
    lambda scene: c.Whois(id=1, name="bob"),
    lambda scene: c.Search(id=1, text="treasure"),
    lambda scene: c.Search(id=1, text="treasure", sender="ann"),
    lambda scene: c.Search(id=1, text="treasure", to="ann"),
    lambda scene: c.History(id=1, to="ann"),
    lambda scene: c.Bans(id=1),
    lambda scene: c.Say(id=1, to="#cellar", text="hm", reply_to=scene.message),
]

EXEMPT = {c.Join, c.Hello}
"""They open rooms, and cannot do so under a name that is taken: see below."""


def strangers(scene: Scene) -> Client:
    return scene.eve


def kicked(scene: Scene) -> Client:
    """Eve was let in, read all of it, and was put out."""
    if scene.secret:
        scene.ann.do(c.Invite(room=SECRET, name="eve"))
        scene.eve.do(c.Join(room=SECRET))
        scene.eve.do(c.Read(to=SECRET, seq=scene.message))
        scene.ann.do(c.Kick(room=SECRET, name="eve"))
    scene.eve.forget()
    return scene.eve


def banned(scene: Scene) -> Client:
    """The same, for ever."""
    eve = kicked(scene)
    if scene.secret:
        scene.ann.do(c.Ban(room=SECRET, who="eve"))
    eve.forget()
    return eve


def voiced(scene: Scene) -> Client:
    """Eve was given a voice without having been let in."""
    if scene.secret:
        scene.ann.do(c.SetRole(room=SECRET, name="eve", role=Role.VOICE))
    assert scene.eve.told == []
    return scene.eve


OUTSIDERS = (strangers, kicked, banned, voiced)


def both(outsider: Callable[[Scene], Client], command: Callable[[Scene], c.Command], **options: Any) -> None:
    with_it, without_it = Scene(True, **options), Scene(False)
    seen = with_it.seen(outsider(with_it), command(with_it))
    assert seen == without_it.seen(outsider(without_it), command(without_it))
    assert "treasure" not in str(seen)


def test_every_command_is_tried() -> None:
    assert ABOUT_ROOMS.keys() | OTHERS.keys() | EXEMPT == set(c.Command.__args__)


@pytest.mark.parametrize("outsider", OUTSIDERS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [*ABOUT_ROOMS.values(), *MORE_ABOUT_ROOMS])
def test_what_names_the_room_is_answered_as_for_no_room(
    make: Callable[[str], c.Command], name: str, outsider: Callable[[Scene], Client]
) -> None:
    both(outsider, lambda _: make(name))
    both(outsider, lambda _: make(name), password=WORD)


@pytest.mark.parametrize("outsider", OUTSIDERS)
@pytest.mark.parametrize("make", [*OTHERS.values(), *MORE_OTHERS])
def test_what_does_not_name_it_does_not_show_it(
    make: Callable[[Scene], c.Command], outsider: Callable[[Scene], Client]
) -> None:
    both(outsider, make)


@pytest.mark.parametrize("outsider", OUTSIDERS)
@pytest.mark.parametrize("kind", [c.Edit, c.Delete, c.React])
def test_its_messages_are_none(kind: type[c.Command], outsider: Callable[[Scene], Client]) -> None:
    scene = Scene(True)
    eve = outsider(scene)
    fields: dict[str, Any] = {c.Edit: {"text": "x"}, c.Delete: {}, c.React: {"reaction": "x"}}[kind]
    for seq in (scene.message, 10**9):
        assert eve.do(kind(id=1, seq=seq, **fields)) == events.Error(id=1, code=404, text=f"no such message: {seq}")  # type: ignore[call-arg,arg-type]


# --- live -----------------------------------------------------------------------------------------------------------

HAPPENINGS: list[Callable[[Scene], None]] = [
    lambda scene: scene.ann.say(SECRET, "x"),
    lambda scene: scene.bob.do(c.Typing(to=SECRET)),
    lambda scene: scene.bob.do(c.Edit(seq=scene.bob.say(SECRET, "x").seq, text="y")),
    lambda scene: scene.ann.do(c.Delete(seq=scene.message)),
    lambda scene: scene.ann.do(c.React(seq=scene.message, reaction="x")),
    lambda scene: scene.ann.do(c.Read(to=SECRET, seq=scene.message)),
    lambda scene: scene.ann.do(c.Topic(room=SECRET, text="x")),
    lambda scene: scene.ann.do(c.SetRoom(room=SECRET, moderated=True)),
    lambda scene: scene.ann.do(c.SetRole(room=SECRET, name="bob", role=Role.VOICE)),
    lambda scene: scene.ann.do(c.Mute(room=SECRET, name="carol_")),
    lambda scene: scene.ann.do(c.Kick(room=SECRET, name="bob")),
    lambda scene: scene.ann.do(c.Ban(room=SECRET, who="eve")),
    lambda scene: scene.ann.do(c.Unban(room=SECRET, who="eve")),
    lambda scene: scene.ann.do(c.Purge(room=SECRET, name="ann", seconds=60)),
    lambda scene: scene.ann.do(c.Destroy(room=SECRET, confirm=SECRET)),
    lambda scene: scene.bob.do(c.Leave(room=SECRET)),
    lambda scene: scene.bob.do(c.Nick(name="robert")),
    lambda scene: scene.bob.do(c.Away(text="x")),
    lambda scene: scene.bob.vanish(),
    lambda scene: scene.bob.quit(),
    lambda scene: scene.world.wait(100),
]


@pytest.mark.parametrize("outsider", OUTSIDERS)
@pytest.mark.parametrize("happening", HAPPENINGS)
def test_nothing_of_what_happens_there_is_told(
    happening: Callable[[Scene], None], outsider: Callable[[Scene], Client]
) -> None:
    scene = Scene(True)
    eve = outsider(scene)
    happening(scene)
    scene.world.wait(20)
    assert eve.told == []


def test_what_happens_there_is_told_to_those_within() -> None:
    """So that the test above can fail."""
    silent = []
    for number, happening in enumerate(HAPPENINGS):
        scene = Scene(True)
        carol = scene.world.guest("carol_")
        scene.ann.do(c.Invite(room=SECRET, name="carol_"))
        carol.do(c.Join(room=SECRET))
        scene.ann.do(c.Mute(room=SECRET, name="carol_"))
        carol.forget()
        happening(scene)
        scene.world.wait(20)
        if not carol.told:
            silent.append(number)
    assert silent == [11, 12, 20], "bans are told to nobody, and to wait is nothing"


# --- to join --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outsider", OUTSIDERS)
@pytest.mark.parametrize("options", [{}, {"password": WORD}])
@pytest.mark.parametrize("password", [None, "simsim"])
@pytest.mark.parametrize("name", NAMES[:3])
def test_to_join_tells_that_the_name_is_no_use_and_not_why(
    name: str, password: str | None, options: dict[str, Any], outsider: Callable[[Scene], Client]
) -> None:
    scene = Scene(True, **options)
    eve = outsider(scene)
    scene.world.memory.asked.clear()
    typed = name.replace("＃", "#")
    assert scene.seen(eve, c.Join(id=1, room=name, password=password)) == [
        events.Error(id=1, code=403, text=f"{typed} cannot be joined")  # type: ignore[arg-type]
    ]
    assert len(scene.world.memory.asked) == (password is not None), "one hash, whether there is a password or none"


@pytest.mark.parametrize("outsider", OUTSIDERS)
@pytest.mark.parametrize("options", [{}, {"password": WORD}])
def test_to_log_in_into_it_tells_no_more(options: dict[str, Any], outsider: Callable[[Scene], Client]) -> None:
    scene = Scene(True, **options)
    eve = outsider(scene)
    welcome, *notices = scene.seen(scene.world.client(), c.Hello(id=1, token=eve.token, rooms=["#SECRET"]))
    assert welcome.rooms == ["#lobby", "#cellar"]
    assert notices == [events.Notice(text="#SECRET cannot be joined")]


def restricted(secret: bool, **options: Any) -> Scene:
    """As before, and from now on only administrators open rooms."""
    scene = Scene(secret, **options)
    scene.world.set(structs.replace(scene.world.settings, founding="administrators"))
    return scene


@pytest.mark.parametrize("outsider", OUTSIDERS)
@pytest.mark.parametrize("options", [{}, {"password": WORD}])
@pytest.mark.parametrize("password", [None, "simsim", WORD[:-1]])
@pytest.mark.parametrize("name", NAMES)
def test_who_may_open_no_rooms_does_not_learn_of_it_by_joining_either(
    name: str, password: str | None, options: dict[str, Any], outsider: Callable[[Scene], Client]
) -> None:
    def seen(scene: Scene) -> list[Any]:
        eve = outsider(scene)
        scene.world.memory.asked.clear()
        answers = [scene.seen(eve, c.Join(id=n, room=name, password=password)) for n in range(7)]
        welcome, *notices = scene.seen(scene.world.client(), c.Hello(id=9, token=eve.token, rooms=["#cellar", name]))
        assert [room for room in welcome.rooms if room not in ("#cellar", "#lobby")] == []
        hashes = sum(isinstance(asked, VerifyPassword) for asked in scene.world.memory.asked)
        return [answers, notices, hashes]

    with_it, without = seen(restricted(True, **options)), seen(restricted(False))
    assert with_it == without
    answers, notices, hashes = without
    typed = name.replace("＃", "#")
    assert answers[0] == [events.Error(id=0, code=Code.FORBIDDEN, text=f"{typed} cannot be joined")]
    assert answers[-1][0].code == (403 if password is None else 429), "guesses cost the same, too"
    assert notices == [events.Notice(text=f"{typed} cannot be joined")]
    assert (hashes > 0) == (password is not None)


def test_those_whom_it_admits_get_in() -> None:
    scene = Scene(True, password=WORD)
    assert scene.eve.code(c.Join(id=1, room=SECRET, password=WORD)) == 200
    carol = scene.world.guest("carol")
    scene.bob.do(c.Invite(room=SECRET, name="carol"))
    assert carol.code(c.Join(id=1, room="#SECRET")) == 200
    scene.ann.do(c.Leave(room=SECRET))
    assert scene.ann.code(c.Join(id=1, room=SECRET)) == 200, "its owner finds the way back"
    root = scene.world.administrator()
    assert SECRET in [room.name for room in root.do(c.Rooms()).rooms]
    assert root.code(c.Join(id=1, room=SECRET)) == 200


def test_a_public_room_that_becomes_private_is_gone_for_those_outside() -> None:
    world = World()
    ann, eve = world.guest("ann", "#tea"), world.guest("eve")
    seq = ann.say("#tea", "treasure").seq
    eve.do(c.Read(to="#tea", seq=seq))
    ann.do(c.SetRoom(room="#tea", private=True))
    assert [room.name for room in eve.do(c.Rooms()).rooms] == ["#lobby"]
    assert eve.code(c.History(id=1, to="#tea")) == 404
    assert eve.do(c.Search(text="treasure")).events == []
    assert eve.do(c.Whois(name="ann")).rooms == []
