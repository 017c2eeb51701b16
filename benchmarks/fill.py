"""Fill a database: `python benchmarks/fill.py DIR/asyncchat.db 1000000` adds so many messages, quickly.

Rooms, people and direct messages in fixed shares, words of a fixed distribution: the same database every time. It goes
through the store as a server's records do. `--index` brings the search index up to date, which a server does when idle.
"""

import argparse
import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asyncchat.storage.store import Store
from asyncchat.storage.upkeep import CHUNK
from asyncchat.vocabulary.records import KeptRecord, Message, PersonCreated, Registered, RoomCreated

PEOPLE = 1000
ROOMS = 50
WORDS = 20_000
DIRECT = 0.1
"""Of the messages the part that goes to a person."""

BATCH = 10_000
START = 1_600_000_000_000  # Unix ms of the first message
STEP = 15_000  # ms from one message to the next


def people() -> Iterator[KeptRecord]:
    """The people and rooms, when the database is empty: their ids are 1, 3, 5, …, and then on from 2001."""
    for number in range(PEOPLE):
        name = f"person{number}"
        yield PersonCreated(time=START, name=name, key=name)
        yield Registered(time=START, person=2 * number + 1, name=name, key=name)
    for number in range(ROOMS):
        yield RoomCreated(time=START, name=f"#room{number}", key=f"#room{number}")


def messages(count: int) -> Iterator[Message]:
    """So many messages; a few rooms and people say most."""
    chance = random.Random(1)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(WORDS)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))
    for number in range(count):
        text = " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(3, 15)))
        author = int(PEOPLE * chance.random() ** 3)
        about: dict[str, Any] = {
            "time": START + number * STEP,
            "author": 2 * author + 1,
            "name": f"person{author}",
            "text": text,
        }
        if chance.random() < DIRECT:
            peer = int(PEOPLE * chance.random() ** 3)
            yield Message(to=f"person{peer}", peer=2 * peer + 1, **about)
        else:
            room = int(ROOMS * chance.random() ** 3)
            yield Message(to=f"#room{room}", room=2 * PEOPLE + room + 1, **about)


def main() -> None:
    """Fill, and say how long it took."""
    parser = argparse.ArgumentParser(description="Fill a database with messages.")
    parser.add_argument("path", type=Path)
    parser.add_argument("messages", type=int)
    parser.add_argument("--index", action="store_true", help="bring the search index up to date, too")
    args = parser.parse_args()
    store = Store.open(args.path)
    start = time.perf_counter()
    records: Iterator[KeptRecord] = itertools.chain(() if store.last_seq else people(), messages(args.messages))
    while batch := list(itertools.islice(records, BATCH)):
        store.write(list(enumerate(batch, start=store.last_seq + 1)))
    print(f"{args.messages} messages in {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    while args.index and store.index_next(CHUNK):
        pass
    print(f"indexed in {time.perf_counter() - start:.1f} s")
    store.close()


if __name__ == "__main__":
    main()
