"""An hour of many people, run fast: when all have gone, nothing of it is left in memory."""

import gc
import random
import tracemalloc
from typing import Any

import pytest

from asyncchat.core import people
from asyncchat.core.expiry import EMPTY_ROOM_SECONDS
from asyncchat.vocabulary import commands, queries, records
from asyncchat.vocabulary.terms import Role
from tests.core.driver import Client, World
from tests.core.memory import Memory

SESSIONS = 250
STEPS = 1_500
"""Things that happen in each half. An hour's worth shows no more."""

GROWTH = 48 * 1024
"""Bytes: dicts that have grown and are empty again, and the interpreter's own. One person takes about 1,000."""


class Forgetful(Memory):
    """Keeps nothing but what proves who somebody is, and that only as long as somebody asks."""

    def keep(self, seq: int, record: records.Record) -> None:
        pass

    def answer(self, query: queries.Query) -> Any:
        return {} if isinstance(query, queries.FindNonces) else super().answer(query)


class Deaf(list[Any]):
    """A client's events, which it does not remember."""

    def append(self, event: Any) -> None:
        pass


class Hour:
    """People who come, talk, change and go, all at random."""

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.world = World(limits={"connections": 0})
        self.world.memory = Forgetful()
        self.clients: list[Client] = []
        self.names = [f"person{number}" for number in range(2 * SESSIONS)]
        self.rooms = [f"#room{number}" for number in range(50)]
        self.nonces = 0
        for name in self.names:  # so that the caches of names are as full as they become
            self.world.state.user_name(name)

    def come(self) -> None:
        client = self.world.client()
        client.told = Deaf()
        client.login(self.random.choice(self.names), rooms=self.random.sample(self.rooms, 2))
        if client.session.person is not None:
            self.clients.append(client)

    def go(self) -> None:
        client = self.clients.pop(self.random.randrange(len(self.clients)))
        client.quit() if self.random.random() < 0.5 else client.vanish()

    def step(self) -> None:
        choice, room = self.random.random(), self.random.choice(self.rooms)
        client = self.random.choice(self.clients)
        self.nonces += 1
        if choice < 0.5:
            client.say(room, "hi", nonce=str(self.nonces))
        elif choice < 0.6:
            client.do(commands.Nick(name=self.random.choice(self.names)))
        elif choice < 0.7:
            client.do(commands.Join(room=room))
        elif choice < 0.8:
            client.do(commands.Leave(room=room))
        elif choice < 0.85:
            client.do(commands.Read(to=room, seq=self.world.last_seq))
        elif choice < 0.9:
            name = self.random.choice(self.names)
            client.do(commands.SetRole(room=room, name=name, role=self.random.choice(list(Role))))
            client.do(commands.Mute(room=room, name=name, seconds=1))
            client.do(commands.Kick(room=room, name=name))
        else:
            self.go()
            self.come()
        if self.nonces % 100 == 0:
            self.world.now += 1000
            self.world.sweep()

    def pass_by(self, steps: int) -> int:
        """Let so much happen, then let all go; the bytes that are left."""
        while len(self.clients) < SESSIONS:
            self.come()
        for _ in range(steps):
            self.step()
        while self.clients:
            self.go()
        self.world.wait(62 + EMPTY_ROOM_SECONDS)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]


def test_nothing_grows_between_the_halves_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "DEPARTED", 100)
    hour = Hour()
    tracemalloc.start()
    try:
        hour.pass_by(STEPS // 4)
        first = hour.pass_by(STEPS)
        second = hour.pass_by(STEPS)
    finally:
        tracemalloc.stop()
    assert not list(hour.world.state.people)
    assert second - first < GROWTH


def test_what_is_left_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "DEPARTED", 100)
    hour = Hour()
    kept: list[Any] = []
    leak = hour.world.state.people.forget

    def forget(person: people.Person) -> None:
        kept.append(person)
        leak(person)

    monkeypatch.setattr(hour.world.state.people, "forget", forget)
    tracemalloc.start()
    try:
        first = hour.pass_by(0)
        second = hour.pass_by(0)
    finally:
        tracemalloc.stop()
    assert second - first > GROWTH
