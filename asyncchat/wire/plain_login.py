"""How a plain peer logs in: it is asked for a name, for another if that is taken, and for passwords where needed."""

import enum
from collections.abc import Iterator

from asyncchat.vocabulary.commands import Hello, Quit
from asyncchat.vocabulary.events import Error
from asyncchat.vocabulary.names import NAME_LIMIT
from asyncchat.vocabulary.terms import Code
from asyncchat.wire.dialect import Problem, Request
from asyncchat.wire.sniff import REQUEST_LINE
from asyncchat.wire.telnet import Telnet

PROMPT = "prompt"
"""The context of a request whose answer is the question, once more."""

VISIBLE = "* what you type will be visible"
VISIBLE_IN_TELNET = "* what you type will be visible: in telnet, Ctrl+C hides it"
"""By Ctrl+C a telnet program shows that it is one: see `asyncchat.wire.telnet`. It would end nc, which sends no CR."""

LEAVING = frozenset({"exit", "quit", "/quit", "/exit"})
"""What people type who want to go."""


class Question(enum.Enum):
    """What the next line answers."""

    NAME = "Your name?"
    PASSWORD = "Password? (or Enter, to take another name)"
    SERVER_PASSWORD = "The password of this server?"


class PlainLogin:
    """The lines and answers of one peer until it is welcomed. Passwords are kept no longer than that."""

    __slots__ = ("_answered", "_name", "_offer", "_question", "_server_password", "_telnet")

    def __init__(self, telnet: Telnet) -> None:
        self._telnet = telnet
        self._question = self._answered = Question.NAME
        self._name = ""
        self._offer = ""
        self._server_password: str | None = None

    def line(self, line: str) -> Iterator[Request | Problem]:
        """What the peer's next line asks for."""
        match self._question:
            case Question.NAME:
                return self._named(line.strip())
            case Question.PASSWORD:
                return self._with_password(line)
            case Question.SERVER_PASSWORD:
                self._server_password = line
                return self._hello(None)

    def _named(self, word: str) -> Iterator[Request | Problem]:
        command, _, argument = word.partition(" ")
        if command.lower() in ("/nick", "/name"):
            word = argument.strip()
        name = word or self._offer
        if name.lower() in LEAVING:
            yield (Quit(), None)
        elif REQUEST_LINE.match(name.encode()):
            # It came in pieces. A browser must not be able to post into the chat: nothing of what follows is read.
            yield Problem(Code.MALFORMED, "this is a chat server, not a web server")
            yield (Quit(), None)
        elif name.startswith("/"):
            yield Problem(Code.LOGIN_FIRST, "first a name, then the commands")
        elif not name:
            yield (None, PROMPT)
        else:
            self._name = name
            yield from self._hello(None)

    def _with_password(self, line: str) -> Iterator[Request | Problem]:
        if line:
            yield from self._hello(line)
        else:
            self._question, self._offer = Question.NAME, ""
            yield (None, PROMPT)

    def _hello(self, password: str | None) -> Iterator[Request | Problem]:
        # Back to the name, whatever the answer is, unless it asks for more: a password is not tried over and over.
        self._answered = self._question
        self._question, self._offer = Question.NAME, ""
        hello = Hello(
            name=self._name,
            password=password,
            server_password=self._server_password,
            client="plain",
        )
        yield (hello, hello)

    @property
    def secret(self) -> bool:
        """The next line is a password."""
        return self._question is not Question.NAME

    def asked(self) -> list[str]:
        """The question that is open."""
        if self._offer:
            return [f"Your name? (or Enter, to be {self._offer})"]
        visible = self.secret and not self._telnet.seen  # what is typed cannot be hidden
        warning = VISIBLE_IN_TELNET if self._telnet.crlf else VISIBLE
        return [*([warning] if visible else []), self._question.value]

    def refused(self, error: Error) -> list[str]:
        """The login failed: why, and the next question."""
        match error.code:
            case Code.CONFLICT:
                self._offer = another_name(self._name)
            case Code.WRONG_PASSWORD:
                self._question = Question.PASSWORD
            case Code.LOGIN_FIRST:
                self._question = Question.SERVER_PASSWORD
            case Code.TOO_FAST:
                # Whoever waits says the same again: a password must not be taken for a name, which all can read.
                self._question = self._answered
        return [f"! {error.text}", *self.asked()]


def another_name(name: str) -> str:
    """A name near one that is taken: ``bob``, ``bob2``, ``bob3``, and so on."""
    base = name.rstrip("0123456789") or name
    count = name[len(base) :][:6]
    number = str(int(count) + 1 if count else 2)
    return base[: NAME_LIMIT - len(number)] + number
