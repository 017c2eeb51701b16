"""Write a room's history to a file, a JSON object a line; run again, it adds what was said since.

python examples/archive.py tcp://127.0.0.1:7777 '#ops' ops.jsonl
"""

import argparse
import asyncio
import sys
from pathlib import Path

import msgspec

from asyncchat import ChatError, connect


async def main(address: str, room: str, file: Path, name: str) -> int:
    """Fetch page after page, oldest first; returns how many messages were new.

    We need not enter a room to read it, unless it is private: so nobody sees us come and go.
    """
    added, seq = 0, last_seq(file)
    async with connect(address, name=name, rooms=[]) as chat:
        complete = False
        while not complete:
            page = await chat.history(room, after=seq)
            with file.open("ab") as archive:
                archive.writelines(msgspec.json.encode(event) + b"\n" for event in page.events)
            added += len(page.events)
            seq = page.next or seq
            complete = page.complete
    return added


def last_seq(file: Path) -> int:
    """The place in the server's log of the last message that the file holds; 0 for a new file."""
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return 0
    return int(msgspec.json.decode(lines[-1])["seq"]) if lines else 0


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Write a room's history to a file.")
    parser.add_argument("address", help="the server, as in tcp://127.0.0.1:7777")
    parser.add_argument("room", help="the room, as in '#ops'")
    parser.add_argument("file", type=Path, help="the file, which is made or added to")
    parser.add_argument("--name", default="archive", help="under which name to log in (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    try:
        new = asyncio.run(main(options.address, options.room, options.file, options.name))
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, ValueError, ChatError) as problem:
        sys.exit(f"archive: {problem}")
    print(f"{new} new messages in {options.file}")
