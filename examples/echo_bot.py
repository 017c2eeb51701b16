"""A bot that answers whoever mentions it, and whoever writes to it directly.

python examples/echo_bot.py tcp://127.0.0.1:7777 --name echo --room '#lobby'
"""

import argparse
import asyncio
import contextlib
import sys

from asyncchat import ChatClient, ChatError, Resumed, connect, events
from asyncchat.text import mentions


async def main(address: str, name: str, rooms: list[str] | None) -> None:
    """Log in, and answer until the connection ends for good; short cuts in it are mended by the library."""
    async with connect(address, name=name, rooms=rooms) as chat:
        print(f"{chat.name} is in {', '.join(sorted(chat.joined))}", flush=True)
        async for event in chat:
            match event:
                case events.Said(kind="text", sender=sender) if sender != chat.name:
                    await answer(chat, event)
                case events.Bye(reason=reason):
                    print(f"the server says goodbye: {reason}", flush=True)
                case Resumed():
                    print("back again", flush=True)


async def answer(chat: ChatClient, said: events.Said) -> None:
    """Say it again, if it was said to us.

    As a notice, and notices are not answered: two bots that mention each other must not go on for ever.
    """
    in_room = said.to.startswith("#")
    if in_room and not mentions(said.text, chat.name):
        return
    try:
        if in_room:
            text = f"{said.sender}: you said {said.text!r}"
            await chat.say(said.to, text, kind="notice", reply_to=said.seq)
        else:
            await chat.say(said.sender, said.text, kind="notice", reply_to=said.seq)
    except ChatError as error:
        # Whoever asked has gone, or the room is moderated: that is no reason to stop.
        print(f"cannot answer {said.sender}: {error}", file=sys.stderr)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="A bot that answers whoever mentions it.")
    parser.add_argument("address", nargs="?", default="tcp://127.0.0.1:7777", help="the server (%(default)s)")
    parser.add_argument("--name", default="echo", help="the bot's name (%(default)s)")
    parser.add_argument("--room", action="append", help="a room to be in; may be given several times (#lobby)")
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(main(options.address, options.name, options.room))
        except ChatError as problem:
            sys.exit(f"echo_bot: {problem}")
