"""A chat inside an app that does other work in the same event loop.

The app is a weather station: it measures, and its chat server lets people watch and ask. Try it:

    python examples/embedded.py --every 2
    nc 127.0.0.1 7777
"""

import argparse
import asyncio
import contextlib
import random
import sys

from asyncchat import ChatClient, ChatError, ChatServer, Refused, Settings, events


class Station:
    """The work of the app: it knows nothing of the chat."""

    def __init__(self, every: float) -> None:
        self.every = every
        self.degrees = 15.0
        self.measured = asyncio.Condition()

    async def run(self) -> None:
        """Measure for ever, every so many seconds."""
        while True:
            await asyncio.sleep(self.every)
            async with self.measured:
                self.degrees += random.uniform(-0.5, 0.5)
                self.measured.notify_all()

    def __str__(self) -> str:
        return f"{self.degrees:.1f} °C"


async def report(station: Station, chat: ChatClient) -> None:
    """Say in the room what was measured, each time."""
    while True:
        async with station.measured:
            await station.measured.wait()
        try:
            await chat.say("#weather", str(station), kind="notice")
        except Refused as refused:  # the disk is full, say: the station goes on measuring
            print(f"nobody was told: {refused}", file=sys.stderr)


async def answer(station: Station, chat: ChatClient) -> None:
    """Answer whoever writes to the station directly."""
    async for event in chat:
        match event:
            case events.Said(kind="text", sender=sender, to=to) if to == chat.name:
                with contextlib.suppress(Refused):  # gone before the answer came
                    await chat.say(sender, f"{station}, and you?", kind="notice")


async def main(listen: str, data: str, every: float) -> None:
    """Run the station, and the chat beside it, until the app is told to end."""
    station = Station(every)
    state = Settings(name="The weather", default_room="#weather", motd="Ask me: /msg station how is it?")
    async with ChatServer(listen=[listen], data=data, settings=state) as server, server.connect("station") as chat:
        print(f"chat on {', '.join(server.addresses)}", flush=True)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(station.run())
            tasks.create_task(report(station, chat))
            tasks.create_task(answer(station, chat))


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="A weather station with a chat in it.")
    parser.add_argument("--listen", default="tcp://127.0.0.1:7777", help="where the chat is (%(default)s)")
    parser.add_argument("--data", default=":memory:", help="the directory of its history (%(default)s: forget it)")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between measurements (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(main(options.listen, options.data, options.every))
        except (OSError, ValueError, ChatError) as problem:
            sys.exit(f"embedded: {problem}")
