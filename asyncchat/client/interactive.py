"""The client in a terminal, from the first question to the last word."""

import asyncio
import logging
import sys

from prompt_toolkit import PromptSession
from prompt_toolkit.input import Input

from asyncchat.client.chat import ChatClient
from asyncchat.client.cli import HISTORY, Settings
from asyncchat.client.connection import connect
from asyncchat.client.console import Console
from asyncchat.client.dumb import DumbTerminal, is_dumb, open_dumb_terminal
from asyncchat.client.ignores import Ignores
from asyncchat.client.paint import Painter
from asyncchat.client.render import Renderer
from asyncchat.client.state import ConnectionState
from asyncchat.client.terminal import open_terminal
from asyncchat.client.tokens import TokenStore
from asyncchat.client.whoami import default_name
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.terms import Code

Keys = Input | DumbTerminal | None
"""What a person types comes from here; None: prompt_toolkit reads the keys itself."""


class Left(Exception):  # noqa: N818 - nothing went wrong
    """The person left before there was anything to leave."""


async def run_in_terminal(settings: Settings) -> int:
    """Chat until the person leaves; returns the exit status. Raises `ChatError` if the connection is over before."""
    async with open_dumb_terminal() if is_dumb() else open_terminal() as keys:
        logging.getLogger("asyncchat").addHandler(_Above())
        try:
            return await _chat(settings, keys)
        except Left:
            return 0


async def _chat(settings: Settings, keys: Keys) -> int:
    relay = _Relay()
    chat = await _log_in(settings, keys, relay)
    parting: str | None = None
    try:
        ignores = await asyncio.to_thread(Ignores, settings.address.key, settings.config_dir)
        renderer = Renderer(chat.name, Painter(colour=settings.colour and not isinstance(keys, DumbTerminal)))
        console = Console(chat, renderer, ignores, keys, read=settings.read, write=settings.write)
        relay.console = console
        await console.run(to=settings.to, history=HISTORY if settings.history is None else settings.history)
        parting = console.parting
        return 1 if console.outbox else 0
    finally:
        relay.console = None
        await chat.aclose(reason=parting)


class _Relay:
    """Passes the connection's state on to the console, once there is one."""

    console: Console | None = None

    def __call__(self, state: ConnectionState, text: str) -> None:
        if self.console is not None:
            self.console.state_changed(state, text)


class _Above(logging.StreamHandler):  # type: ignore[type-arg]
    """Shows log records above the line: standard error, as it is now."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter("-- %(message)s"))


# --- who is it? -----------------------------------------------------------------------------------------------------


async def _log_in(settings: Settings, keys: Keys, relay: _Relay) -> ChatClient:
    """Log in, and ask for a name or a password where one is missing."""
    name = settings.name or await _ask(keys, "Your name", default=default_name())
    password, server_password = settings.password, settings.server_password
    while True:
        try:
            return await connect(
                settings.address,
                name=name,
                password=password,
                server_password=server_password,
                rooms=settings.rooms,
                token_store=TokenStore(settings.config_dir),
                ca=settings.ca,
                fingerprint=settings.fingerprint,
                on_state=relay,
            )
        except Refused as error:
            _say(printable(error.text))
            match error.code:
                case Code.CONFLICT | Code.MALFORMED:
                    name = await _ask(keys, "Another name")
                case Code.LOGIN_FIRST:
                    server_password = await _ask(keys, "Password of the server", secret=True)
                case Code.WRONG_PASSWORD:
                    password = await _ask(keys, f"Password of {printable(name)}", secret=True)
                case _:
                    raise


async def _ask(keys: Keys, question: str, *, default: str | None = None, secret: bool = False) -> str:
    """Ask until there is an answer; Enter alone gives the default, if there is one."""
    prompt = f"{question} [{default}]: " if default else f"{question}: "
    try:
        while not (answer := await _answer(keys, prompt, secret=secret)).strip():
            if default:
                return default
    except (EOFError, KeyboardInterrupt):
        raise Left from None
    return answer if secret else answer.strip()


async def _answer(keys: Keys, prompt: str, *, secret: bool) -> str:
    if isinstance(keys, DumbTerminal):
        return await keys.ask(prompt, secret=secret)
    session: PromptSession[str] = PromptSession(input=keys)
    return await session.prompt_async(prompt, is_password=secret)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
