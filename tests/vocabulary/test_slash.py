import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncchat.vocabulary import commands, slash
from asyncchat.vocabulary.commands import Command
from asyncchat.vocabulary.slash import COMMANDS, Action, Context, Usage, help_lines, parse
from asyncchat.vocabulary.slash_arguments import LONGEST, duration
from asyncchat.vocabulary.terms import Role

HERE = Context(here="#ops", partner="bob", own=7, last=9, places={42: "#lobby"})
NOWHERE = Context()

LINES: list[tuple[str, Command | tuple[Command, ...] | Action]] = [
    ("hi there", commands.Say(to="#ops", text="hi there")),
    ("  /join x", commands.Join(room="#x")),
    ("//usr/bin", commands.Say(to="#ops", text="/usr/bin")),
    (" //join x", commands.Say(to="#ops", text=" //join x")),
    ("//help is a command", commands.Say(to="#ops", text="/help is a command")),
    ("/help", Action("help")),
    ("/?", Action("help")),
    ("/HELP join", Action("help", "join")),
    ("/join #b", commands.Join(room="#b")),
    ("/join ＃b", commands.Join(room="＃b")),
    ("/leave ﹟b", commands.Leave(room="﹟b")),
    ("/j b secret", commands.Join(room="#b", password="secret")),
    ("/leave", commands.Leave(room="#ops")),
    ("/part #b", commands.Leave(room="#b")),
    ("/leave #b good bye", commands.Leave(room="#b", reason="good bye")),
    ("/leave lunch", commands.Leave(room="#ops", reason="lunch")),
    ("/msg bob hi  there", commands.Say(to="bob", text="hi  there")),
    ("/msg #b one\ntwo", commands.Say(to="#b", text="one\ntwo")),
    ("/query bob", Action("switch", "bob")),
    ("/reply yes", commands.Say(to="bob", text="yes")),
    ("/reply ^8 yes", commands.Say(to="#ops", text="yes", reply_to=8)),
    ("/r ^42 yes", commands.Say(to="#lobby", text="yes", reply_to=42)),
    ("/me waves", commands.Say(to="#ops", text="waves", kind="action")),
    ("/nick Ёжик", commands.Nick(name="Ёжик")),
    ("/who", commands.Who(room="#ops")),
    ("/who #b", commands.Who(room="#b")),
    ("/members *", commands.Who()),
    ("/who after 42", commands.Who(room="#ops", after=42)),
    ("/who #b AFTER 42", commands.Who(room="#b", after=42)),
    ("/who * after 42", commands.Who(after=42)),
    ("/rooms", commands.Rooms()),
    ("/list after 0", commands.Rooms(after=0)),
    ("/whois bob", commands.Whois(name="bob")),
    ("/topic", commands.Topic(room="#ops")),
    ("/topic -", commands.Topic(room="#ops", text="")),
    ("/topic #b all about b", commands.Topic(room="#b", text="all about b")),
    ("/away", commands.Away(text="away")),
    ("/away having lunch", commands.Away(text="having lunch")),
    ("/back", commands.Away()),
    ("/history", commands.History(to="#ops", limit=20)),
    ("/history 5", commands.History(to="#ops", limit=5)),
    ("/history 999999999999", commands.History(to="#ops", limit=200)),
    ("/history #b 5 ^100", commands.History(to="#b", limit=5, before=100)),
    ("/history bob", commands.History(to="bob", limit=20)),
    ("/history ^100", commands.History(to="#ops", limit=20, before=100)),
    ("/search red  car", commands.Search(text="red car", limit=20)),
    (
        "/search in:#b red from:bob since:2026-01-02 until:2026-02-01T10:00:00Z before:99",
        commands.Search(
            text="red",
            to="#b",
            sender="bob",
            since="2026-01-02T00:00:00Z",
            until="2026-02-01T10:00:00Z",
            before=99,
            limit=20,
        ),
    ),
    (
        "/context ^42",
        (commands.History(to="#lobby", before=43, limit=6), commands.History(to="#lobby", after=42, limit=5)),
    ),
    (
        "/context 8",
        (commands.History(to="#ops", before=9, limit=6), commands.History(to="#ops", after=8, limit=5)),
    ),
    ("/edit better words", commands.Edit(seq=7, text="better words")),
    ("/edit ^8 better", commands.Edit(seq=8, text="better")),
    ("/delete", commands.Delete(seq=7)),
    ("/delete ^8", commands.Delete(seq=8)),
    ("/react 👍", commands.React(seq=9, reaction="👍")),
    ("/react ^8 -👍", commands.React(seq=8, reaction="👍", remove=True)),
    ("/invite carol", commands.Invite(name="carol", room="#ops")),
    ("/invite carol #b", commands.Invite(name="carol", room="#b")),
    ("/kick carol", commands.Kick(room="#ops", name="carol")),
    ("/kick #b carol too loud", commands.Kick(room="#b", name="carol", reason="too loud")),
    ("/ban carol", commands.Ban(room="#ops", who="carol")),
    ("/ban carol 1h30m spam and more", commands.Ban(room="#ops", who="carol", seconds=5400, reason="spam and more")),
    ("/ban * 192.0.2.0/24 7d", commands.Ban(who="192.0.2.0/24", seconds=604_800)),
    ("/unban #b carol", commands.Unban(room="#b", who="carol")),
    ("/unban * carol", commands.Unban(who="carol")),
    ("/bans", commands.Bans(room="#ops")),
    ("/bans *", commands.Bans()),
    ("/bans after 42", commands.Bans(room="#ops", after=42)),
    ("/bans * after 42", commands.Bans(after=42)),
    ("/mute carol", commands.Mute(room="#ops", name="carol")),
    ("/mute carol 10m noise", commands.Mute(room="#ops", name="carol", seconds=600, reason="noise")),
    ("/unmute carol", commands.Mute(room="#ops", name="carol", seconds=0)),
    ("/role carol Operator", commands.SetRole(room="#ops", name="carol", role=Role.OPERATOR)),
    ("/set private on", commands.SetRoom(room="#ops", private=True)),
    ("/set #b moderated off", commands.SetRoom(room="#b", moderated=False)),
    ("/set topic_locked yes", commands.SetRoom(room="#ops", topic_locked=True)),
    ("/set retention 30d", commands.SetRoom(room="#ops", retention=30)),
    ("/set retention off", commands.SetRoom(room="#ops", retention=0)),
    ("/set password secret", commands.SetRoom(room="#ops", password="secret")),
    ("/set password -", commands.SetRoom(room="#ops", password="")),
    ("/destroy #b #b", commands.Destroy(room="#b", confirm="#b")),
    ("/destroy #b #B moved", commands.Destroy(room="#b", confirm="#B", reason="moved")),
    ("/destroy #b", commands.Destroy(room="#b")),
    ("/purge carol", commands.Purge(room="#ops", name="carol", seconds=3600)),
    ("/purge #b carol 2h", commands.Purge(room="#b", name="carol", seconds=7200)),
    ("/register", commands.Register()),
    ("/register secret", commands.Register(password="secret")),
    ("/register - code", commands.Register(invitation="code")),
    ("/passwd fresh", commands.Passwd(new="fresh")),
    ("/passwd stale fresh", commands.Passwd(old="stale", new="fresh")),
    ("/ignore", Action("ignore")),
    ("/ignore carol", Action("ignore", "carol")),
    ("/unignore carol", Action("unignore", "carol")),
    ("/announce tea is ready", commands.Announce(text="tea is ready")),
    ("/stats", commands.Stats()),
    ("/quit", commands.Quit()),
    ("/exit see you", commands.Quit(reason="see you")),
]


@pytest.mark.parametrize(("line", "wanted"), LINES)
def test_what_is_typed(line: str, wanted: Command | tuple[Command, ...] | Action) -> None:
    if isinstance(wanted, Command):
        wanted = (wanted,)
    assert parse(line, HERE, client=True) == wanted


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("/msg @bob hi", commands.Say(to="bob", text="hi")),
        ("/msg @bob", Action("switch", "bob")),
        ("/whois @bob", commands.Whois(name="bob")),
        ("/invite @bob", commands.Invite(name="bob", room="#ops")),
        ("/history @bob", commands.History(to="bob", limit=20)),
        ("/search x in:@bob from:@carol", commands.Search(text="x", to="bob", sender="carol", limit=20)),
        ("/kick @bob", commands.Kick(room="#ops", name="bob")),
        ("/ban @bob", commands.Ban(room="#ops", who="bob")),
        ("/unban @bob", commands.Unban(room="#ops", who="bob")),
        ("/mute @bob", commands.Mute(room="#ops", name="bob")),
        ("/unmute @bob", commands.Mute(room="#ops", name="bob", seconds=0)),
        ("/role @bob voice", commands.SetRole(room="#ops", name="bob", role=Role.VOICE)),
        ("/purge @bob", commands.Purge(room="#ops", name="bob", seconds=3600)),
        ("/ignore @bob", Action("ignore", "bob")),
        ("/unignore @bob", Action("unignore", "bob")),
    ],
)
def test_people_may_be_named_as_they_are_shown(line: str, wanted: Command | Action) -> None:
    assert parse(line, HERE, client=True) == (wanted if isinstance(wanted, Action) else (wanted,))


@pytest.mark.parametrize(
    ("here", "line", "wanted"),
    [
        ("#ops", "/leave", commands.Leave(room="#ops")),
        ("#ops", "/leave lunch", commands.Leave(room="#ops", reason="lunch")),
        ("#ops", "/leave pw", commands.Leave(room="#pw")),
        ("#ops", "/leave #pw bye", commands.Leave(room="#pw", reason="bye")),
        ("#ops", "/leave pw is dull", commands.Leave(room="#ops", reason="pw is dull")),
        ("#ops", "/leave bob is late", commands.Leave(room="#ops", reason="bob is late")),
        ("#ops", "/leave #other", commands.Leave(room="#other")),
        ("#ops", "/leave @bob", Action("close", "bob")),
        ("#ops", "/leave bob", Action("close", "bob")),
        ("bob", "/leave", Action("close", "bob")),
        ("bob", "/leave #other", commands.Leave(room="#other")),
        ("#ops", "/leave @carol", Usage("no conversation with @carol is open; usage: /leave [#ROOM] [REASON]")),
        ("bob", "/leave in a hurry", Usage("usage: /leave [#ROOM] [REASON]")),
    ],
)
def test_what_is_left(here: str, line: str, wanted: Command | Action | Usage) -> None:
    opened = {"#ops": "#ops", "#pw": "#pw", "pw": "#pw", "bob": "bob", "@bob": "bob"}
    found = parse(line, Context(here=here, find=opened.get), client=True)
    assert found == (wanted if isinstance(wanted, Action | Usage) else (wanted,))


def test_every_command_is_in_the_table_above() -> None:
    typed = {
        entry for line, _ in LINES if line.startswith("/") and (entry := slash.find(line[1:].split()[0], client=True))
    }
    assert typed == {entry for entry in COMMANDS if not entry.operator_only}


OPERATORS_LINES: list[tuple[str, Command | Action | Usage]] = [
    ("/who", commands.Who()),
    ("/who #b", commands.Who(room="#b")),
    ("/ban carol 1h spam", commands.Ban(who="carol", seconds=3600, reason="spam")),
    ("/ban #b carol", commands.Ban(room="#b", who="carol")),
    ("/bans", commands.Bans()),
    ("/unban carol", commands.Unban(who="carol")),
    ("/kick carol", Usage("which room?; usage: /kick [#ROOM] NAME [REASON]")),
    ("/accounts", commands.Accounts()),
    ("/administrator @carol", commands.SetAdministrator(name="carol")),
    ("/administrator carol off", commands.SetAdministrator(name="carol", active=False)),
    ("/administrator carol maybe", Usage("usage: /administrator NAME [on|off]")),
    ("/log", commands.Log()),
    ("/log debug", commands.Log(level="debug")),
    ("/reload", commands.Reload()),
    ("/backup my copy.db", commands.Backup(path="my copy.db")),
    ("/backup", Usage("usage: /backup FILE")),
    ("/shutdown", commands.Shutdown()),
    ("/shutdown 90", commands.Shutdown(seconds=90)),
    ("/shutdown 5m", commands.Shutdown(seconds=300)),
    ("/shutdown off", commands.Shutdown(cancel=True)),
    ("/shutdown soon", Usage("usage: /shutdown [SECONDS|DURATION|off]")),
    ("/shutdown ²", Usage("usage: /shutdown [SECONDS|DURATION|off]")),
    ("/nick carol", Usage("unknown command: /nick; did you mean /kick?")),
    ("/join #b", Usage("unknown command: /join; /help lists the commands")),
    ("/help", Action("help")),
]


@pytest.mark.parametrize(("line", "wanted"), OPERATORS_LINES)
@pytest.mark.parametrize("client", [True, False])
def test_what_the_operator_types(line: str, wanted: Command | Action | Usage, client: bool) -> None:
    found = parse(line, Context(everywhere=True), client=client, operator=True)
    assert found == (wanted if isinstance(wanted, Action | Usage) else (wanted,))


def test_a_countdown_is_bounded() -> None:
    found = parse("/shutdown 2d", Context(), operator=True)
    assert isinstance(found, Usage)
    assert "86400" in found.text


@pytest.mark.parametrize("client", [True, False])
def test_what_is_the_operators_is_nobody_elses(client: bool) -> None:
    own = {f"/{name}" for entry in COMMANDS if entry.operator_only for name in entry.names}
    assert own <= set(slash.names(operator=True, client=client))
    assert not own & set(slash.names(client=client))
    assert parse("/shutdown", HERE, client=client) == Usage("unknown command: /shutdown; /help lists the commands")
    assert "/shutdown" in "\n".join(help_lines(operator=True))
    assert "/shutdown" not in "\n".join(help_lines(client=client))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("/jion #b", "unknown command: /jion; did you mean /join?"),
        ("/usr/local/bin is a path", "unknown command: /usr/local/bin; /help lists the commands"),
        ("/", "unknown command: /; /help lists the commands"),
        ("/ join", "usage: /join #ROOM [PASSWORD]"),
        ("/join", "usage: /join #ROOM [PASSWORD]"),
        ("/join #b secret and more", "usage: /join #ROOM [PASSWORD]"),
        ("/edit", "usage: /edit [^N] TEXT"),
        ("/edit ^x text", "^x is no message number; usage: /edit [^N] TEXT"),
        ("/context", "usage: /context ^N"),
        ("/history #b many", "many is no message number; usage: /history [#ROOM|NAME] [COUNT] [^N]"),
        ("/history 0", "at least 1; usage: /history [#ROOM|NAME] [COUNT] [^N]"),
        ("/purge carol yesterday", "how long back? 10m, 2h, 7d; usage: /purge [#ROOM] NAME [DURATION]"),
        ("/react " + "x" * 33, "at most 32 characters; usage: /react [^N] [-]REACTION"),
        (
            "/search x since:yesterday",
            "a day is written 2026-01-31; usage: /search WORDS [in:#ROOM] [from:NAME] [since:DAY] [until:DAY] "
            "[before:N]",
        ),
        ("/search in:#b", None),
        ("/set private maybe", None),
        ("/set retention 12h", None),
        ("/set color blue", None),
        ("/role carol king", None),
        ("/reply ^99999999999999999999 hi", None),
        ("/say a lone surrogate \udcff", None),
    ],
)
def test_bad_usage_is_explained(line: str, text: str | None) -> None:
    found = parse(line, HERE)
    assert isinstance(found, Usage)
    assert len(found.text) < 300
    if text is not None:
        assert found.text == text


@pytest.mark.parametrize(
    "line",
    ["hi", "/me waves", "/leave", "/topic", "/history", "/context 1", "/edit x", "/delete", "/react x", "/reply x"],
)
def test_what_needs_a_place_says_so_outside_of_all_rooms(line: str) -> None:
    assert isinstance(parse(line, NOWHERE), Usage)


def test_what_needs_a_room_is_not_guessed_in_a_conversation() -> None:
    found = parse("/kick carol", Context(here="bob"))
    assert found == Usage("which room?; usage: /kick [#ROOM] NAME [REASON]")


def test_a_list_goes_on_after_a_number() -> None:
    assert parse("/rooms after #b", HERE) == Usage("#b is no number; usage: /rooms [after N]")
    assert parse("/rooms after", HERE) == Usage("usage: /rooms [after N]")
    assert parse("/who 42", HERE) == Usage("usage: /who [#ROOM|*] [after N]")


def test_commands_of_the_client_are_not_in_the_plain_dialect() -> None:
    assert isinstance(parse("/ignore bob", HERE), Usage)
    assert "/ignore" not in "\n".join(help_lines())
    assert "/ignore" in "\n".join(help_lines(client=True))
    assert help_lines("leave")[1] == "    leave a room"
    assert "close the conversation" in help_lines("leave", client=True)[1]
    assert "/ignore" not in slash.names()
    assert "/ignore" in slash.names(client=True)


def test_a_password_is_not_repeated() -> None:
    for line in (
        "/regster hunter2",
        "/register hunter2 code and more",
        "/join",
        "/passwd a hunter2 b",
        "/set pasword hunter2",
    ):
        found = parse(line, HERE)
        assert isinstance(found, Usage)
        assert "hunter2" not in found.text


@pytest.mark.parametrize("client", [False, True])
@pytest.mark.parametrize("blanks", ["", " ", "\t ", "\u3000"])
def test_a_command_behind_blanks_is_one_known_or_not(blanks: str, client: bool) -> None:
    assert parse(f"{blanks}/join #a hunter2", HERE, client=client) == (commands.Join(room="#a", password="hunter2"),)
    assert isinstance(parse(f"{blanks}/passwrd old hunter2", HERE, client=client), Usage)


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("hello", False),
        ("/who", False),
        ("/join #sec", False),
        ("/join #sec hunter2", True),
        ("/J #sec hunter2", True),
        ("/join #sec hunter2 twice", True),
        ("/set private on", False),
        ("/set password hunter2", True),
        ("/set #sec password hunter2", True),
        ("/set pasword hunter2", True),
        ("/REGISTER hunter2", True),
        ("  /passwd old hunter2", True),
        ("/passwrd hunter2", True),
        ("  /Pasword old hunter2", True),
        ("/regster hunter2", True),
        ("/whoo hunter2", False),
        ("/usr/bin", False),
        ("/passwd old new hunter2", True),
        ("//passwd hunter2 is how it is done", False),
    ],
)
def test_which_lines_hold_a_password(line: str, holds: bool) -> None:
    assert slash.holds_password(line) is holds


def test_every_command_is_in_the_help_and_has_help_of_its_own() -> None:
    for entry in COMMANDS:
        operator = entry.operator_only
        whole = help_lines(client=True, operator=operator)
        (line,) = [line for line in whole if re.match(rf"/{re.escape(entry.names[0])}( |$)", line)]
        assert entry.help in whole[whole.index(line)] + whole[whole.index(line) + 1]
        for name in entry.names:
            own = help_lines(f"/{name}", client=True, operator=operator)
            assert own[0] == entry.line
            assert all(f"/{other}" in "\n".join(own) for other in entry.names)
    assert max(map(len, help_lines())) <= 120
    assert help_lines("jion") == ["unknown command: /jion; did you mean /join?"]


def test_names_are_unique() -> None:
    names = slash.names(client=True)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("word", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("2h", 7200),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("1h30m", 5400),
        ("999999999w", LONGEST),
        ("10", None),
        ("m", None),
        ("", None),
        ("1h30", None),
        ("-1h", None),
        ("١h", None),
    ],
)
def test_durations(word: str, seconds: int | None) -> None:
    assert duration(word) == seconds


@given(
    st.text(max_size=40)
    | st.builds("/{} {}".format, st.sampled_from([n[1:] for n in slash.names(client=True)]), st.text(max_size=30)),
    st.sampled_from([HERE, NOWHERE]),
)
def test_any_line_is_understood_or_explained(line: str, context: Context) -> None:
    found = parse(line, context, client=True)
    assert isinstance(found, tuple | Action | Usage)
    if isinstance(found, tuple):
        assert found
        assert all(isinstance(command, Command) for command in found)


def test_without_a_client_nobody_is_told_to_register_without_a_password() -> None:
    assert slash.help_lines("register")[0] == "/register PASSWORD [INVITATION]"
    assert slash.help_lines("register", client=True)[0] == "/register [PASSWORD|-] [INVITATION]"
