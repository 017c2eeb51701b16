"""Whatever is typed is answered, in the console client and with nc: each command shows that it was done."""

import os
import re
from functools import partial
from pathlib import Path

import pytest

from asyncchat import ChatServer
from asyncchat.client import ChatClient
from asyncchat.vocabulary import slash
from tests.console.terminals import CLIENT, Terminal, terminal
from tests.server.peers import Plain

SCRIPT = (
    ("/help kick", "put a person out of a room", "put a person out of a room"),
    ("/join #tea", "#tea>", "you write to #tea now"),
    ("tea is ready", "alice: tea is ready", ""),
    ("/edit more tea is ready", "changed \\^", "changed \\^"),
    ("/react :)", "reacted with :\\) to \\^", "reacted with :\\) to \\^"),
    ("/reply ^1 yes", "alice: \\(to \\^1\\) yes", ""),
    ("/me waves", "\\* alice waves", ""),
    ("/history #tea 5", "\\^\\d+ .*yes", "\\^\\d+ .*yes"),
    ("/search ready in:#tea", "\\^\\d+ .*more tea is ready", "\\^\\d+ .*more tea is ready"),
    ("/context ^5", "\\^\\d+ .*alice: more tea is ready", "alice: more tea is ready"),
    ("/delete", "alice deleted", "alice deleted"),
    ("/who", "alice \\(owner", "alice \\(owner"),
    ("/rooms", "#tea +1 person", "#tea +1 person"),
    ("/whois bob", "bob is online", "bob is online"),
    ("/topic", "#tea has no topic", "#tea has no topic"),
    ("/topic all about tea", "alice set the topic: all about tea", "alice set the topic: all about tea"),
    ("/topic", "topic of #tea: all about tea", "topic of #tea: all about tea"),
    ("/invite bob", "\\* invited", "\\* invited"),
    ("/role #lobby bob voice", "needs the role operator", "needs the role operator"),
    ("/set moderated on", "moderated", "moderated"),
    ("/kick bob", "bob is not in #tea", "bob is not in #tea"),
    ("/ban bob 1h too loud", "\\* banned", "\\* banned"),
    ("/bans", "bob: banned until", "bob: banned until"),
    ("/unban bob", "the ban is lifted", "the ban is lifted"),
    ("/mute bob 5m", "alice muted bob until", "alice muted bob until"),
    ("/unmute bob", "alice lets bob speak again", "alice lets bob speak again"),
    ("/purge alice", "alice deleted", "alice deleted"),
    ("/register a-long-password", "your name is yours now", "your name is yours now"),
    ("/passwd another-long-one", "the old password is missing", "the old password is missing"),
    ("/passwd a-long-password another-long-one", "your password is changed", "your password is changed"),
    ("/away lunch", "alice is away: lunch", "alice is away: lunch"),
    ("/back", "alice is back", "alice is back"),
    ("/msg bob psst", "alice: psst", ""),
    ("/ignore bob", "bob is ignored from now on", "unknown command: /ignore"),
    ("/unignore bob", "bob is seen again", "unknown command: /unignore"),
    ("/nick alicia", "alice is now alicia", "you are alicia now"),
    ("/leave #tea", "#lobby>", "you are no longer in #tea"),
    ("/join #den", "#den>", "you write to #den now"),
    ("/destroy #den", "would be gone for good", "would be gone for good"),
    ("/destroy #den #den", "alicia removed #den", "alicia removed #den"),
    ("/announce tea", "that needs an administrator", "that needs an administrator"),
    ("/stats", "that needs an administrator", "that needs an administrator"),
    ("/quit", "", "goodbye"),
)
"""What is typed, and what shows that it was done: in the console client, and with nc (empty: one's own line)."""


def test_the_script_has_every_command() -> None:
    typed = {line.split()[0].removeprefix("/") for line, _, _ in SCRIPT if line.startswith("/")}
    assert typed == {entry.names[0] for entry in slash.COMMANDS if not entry.operator_only}


@pytest.mark.skipif(os.name != "posix", reason="terminals are POSIX's")
async def test_in_the_console_client(server: ChatServer, bob: ChatClient, tmp_path: Path) -> None:
    command = [*CLIENT, server.addresses[0], "--name", "alice"]
    async with terminal(command, {"ASYNCCHAT_CONFIG_DIR": str(tmp_path)}, rows=150, columns=100) as alice:
        await alice.shows("#lobby>")
        for typed, shown, _ in SCRIPT:
            before = count(shown, alice)
            alice.type(typed)
            if shown:
                await alice.until(partial(more, before, shown, alice), f"{shown} after {typed}")
            await alice.lacks("(sending)")
        assert await alice.ended() == 0


async def test_with_nc_all_at_once(server: ChatServer, bob: ChatClient) -> None:
    """As from a file: each line is understood in the light of those before it."""
    async with await Plain.enter(server, "alice") as alice:
        alice.send("".join(f"{typed}\n" for typed, _, _ in SCRIPT))
        for _, _, shown in SCRIPT:
            if shown:
                await alice.matching(shown)
        assert await alice.end() == ""


async def test_with_nc(server: ChatServer, bob: ChatClient) -> None:
    async with await Plain.enter(server, "alice") as alice:
        for typed, _, shown in SCRIPT:
            alice.send(f"{typed}\n")
            if shown:
                await alice.matching(shown)
        assert await alice.end() == ""


def count(pattern: str, screen: Terminal) -> int:
    """How often something is on the screen."""
    return len(re.findall(pattern, screen.text))


def more(before: int, pattern: str, screen: Terminal) -> bool:
    """Is it there once more than before?"""
    return count(pattern, screen) > before
