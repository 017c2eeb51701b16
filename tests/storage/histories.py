"""Random histories of a chat, and a naive model that tells what anyone should see of them."""

from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from asyncchat.vocabulary import events as e
from asyncchat.vocabulary import records as r
from asyncchat.vocabulary.records import KeptRecord
from asyncchat.vocabulary.terms import rfc3339
from tests.storage.facts import change, room, said, whispered

PEOPLE = (1, 2, 3)
ROOMS = (4, 5)
FIRST: tuple[KeptRecord, ...] = (
    *(r.PersonCreated(time=1000, name=f"P{id}", key=f"p{id}") for id in PEOPLE),
    *(room(f"#r{id}") for id in ROOMS),
)
"""What every history begins with: the seqs of these are the ids of its people and rooms."""

people = st.sampled_from(PEOPLE)
texts = st.text(min_size=1, max_size=12)
_steps = st.one_of(
    st.tuples(st.just("say"), people, st.sampled_from(ROOMS), texts),
    st.tuples(st.just("whisper"), people, people, texts),
    st.tuples(st.just("edit"), people, st.integers(0, 20), texts),
    st.tuples(st.just("delete"), people, st.lists(st.integers(0, 20), min_size=1, max_size=3), st.none()),
    st.tuples(st.just("react"), people, st.integers(0, 20), st.sampled_from(["+1", "❤", "-+1", "-❤"])),
    st.tuples(st.just("topic"), people, st.sampled_from(ROOMS), texts),
    st.tuples(st.just("read"), people, st.sampled_from(ROOMS), st.none()),
)


def _records(steps: list[tuple[str, int, Any, Any]]) -> list[KeptRecord]:
    made: list[KeptRecord] = list(FIRST)
    messages: dict[int, r.Message] = {}

    def message(number: int) -> tuple[int, r.Message] | None:
        return list(messages.items())[number % len(messages)] if messages else None

    for step, by, what, detail in steps:
        seq = len(made) + 1
        time = 1000 + seq
        match step:
            case "say" | "whisper":
                new = said(detail, what, by, time=time) if step == "say" else whispered(detail, by, what, time=time)
                messages[seq] = new
                made.append(new)
            case "topic":
                made.append(r.TopicSet(time=time, room=what, to=f"#r{what}", by=by, name=f"P{by}", text=detail))
            case "read":
                made.append(r.MarkerSet(time=time, person=by, upto=seq - 1, room=what))
            case "delete":
                found = [target for number in what if (target := message(number)) is not None]
                if found:
                    targets = sorted({seq for seq, one in found if _place(one) == _place(found[0][1])})
                    made.append(r.MessagesDeleted(targets=targets, **_about(found[0][1], by, time)))
            case "edit" | "react":
                target = message(what)
                if target is None:
                    continue
                about = _about(target[1], by, time)
                if step == "edit":
                    made.append(r.MessageEdited(target=target[0], text=detail, **about))
                else:
                    remove, reaction = detail.startswith("-"), detail.removeprefix("-")
                    made.append(r.MessageReacted(target=target[0], reaction=reaction, remove=remove, **about))
    return made


def _place(message: r.Message) -> tuple[int, frozenset[int]]:
    return message.room, frozenset() if message.room else frozenset((message.author, message.peer))


def _about(message: r.Message, by: int, time: int) -> dict[str, Any]:
    return change(
        {
            "time": time,
            "by": by,
            "name": f"P{by}",
            "to": message.to,
            "room": message.room,
            "author": 0 if message.room else message.author,
            "peer": message.peer,
        }
    )


histories = st.lists(_steps, max_size=40).map(_records)
"""Records whose seqs are 1, 2, 3, …, beginning with `FIRST`."""


class Model:
    """The same history, held in dicts; slow and plain."""

    def __init__(self, history: list[KeptRecord]) -> None:
        self.events: dict[int, e.KeptEvent] = {}
        self.where: dict[int, tuple[int, frozenset[int]]] = {}
        self.reactions: dict[int, dict[tuple[str, int], str]] = {}
        self.last_seq = len(history)
        for seq, record in enumerate(history, start=1):
            self._apply(seq, record)

    def _apply(self, seq: int, record: KeptRecord) -> None:
        match record:
            case r.Message():
                self._put(
                    seq,
                    record,
                    e.Said(
                        seq=seq, time=rfc3339(record.time), sender=record.name, to=record.to, text=record.text,
                        kind=record.kind, reply_to=record.reply_to, nonce=record.nonce,
                    ),
                )  # fmt: skip
            case r.MessageEdited(target=target, text=text) if not self._said(target).deleted:
                self._replace(target, text=text, edited=rfc3339(record.time))
                self._put(seq, record, e.Edited(target=target, text=text, **self._base(seq, record)))
                for later, event in self.events.items():
                    if isinstance(event, e.Edited) and event.target == target:
                        self.events[later] = replace(event, text=text)
            case r.MessagesDeleted(targets=targets):
                for target in targets:
                    self._replace(target, text="", edited=None, deleted=True)
                    self.reactions.pop(target, None)
                    for seq_of, event in list(self.events.items()):
                        if isinstance(event, e.Edited | e.Reacted) and event.target == target:
                            del self.events[seq_of]
                self._put(seq, record, e.Deleted(targets=targets, **self._base(seq, record)))
            case r.MessageReacted(target=target, reaction=reaction, remove=remove) if not self._said(target).deleted:
                put = self.reactions.setdefault(target, {})
                if remove:
                    put.pop((reaction, record.by), None)
                else:
                    put.setdefault((reaction, record.by), record.name)
                about = self._base(seq, record)
                self._put(seq, record, e.Reacted(target=target, reaction=reaction, remove=remove, **about))
            case r.TopicSet(room=room, to=to, text=text):
                self.where[seq] = (room, frozenset())
                self.events[seq] = e.TopicChanged(
                    seq=seq, time=rfc3339(record.time), sender=record.name, room=to, text=text
                )
            case _:
                pass

    def _put(self, seq: int, record: r.Message | r.Change, event: e.KeptEvent) -> None:
        people = frozenset() if record.room else frozenset((record.author, record.peer))
        self.where[seq] = (record.room, people)
        self.events[seq] = event

    def _base(self, seq: int, record: r.Change) -> dict[str, Any]:
        return {"seq": seq, "time": rfc3339(record.time), "sender": record.name, "to": record.to}

    def _said(self, seq: int) -> e.Said:
        event = self.events[seq]
        assert isinstance(event, e.Said)
        return event

    def _replace(self, seq: int, **fields: Any) -> None:
        self.events[seq] = replace(self._said(seq), **fields)

    def since(
        self, person: int, rooms: tuple[int, ...], after: int, until: int, direct: bool = True
    ) -> list[e.KeptEvent]:
        """What a person sees in these rooms and in their conversations."""
        return [
            event
            for seq, event in sorted(self.events.items())
            if after < seq <= until
            and (self.where[seq][0] in rooms or (direct and self.where[seq][0] == 0 and person in self.where[seq][1]))
        ]

    def page(self, room: int, pair: frozenset[int]) -> list[e.Said]:
        """All messages of a place, with their reactions."""
        found = []
        for seq, event in sorted(self.events.items()):
            if isinstance(event, e.Said) and self.where[seq] == (room, pair):
                reactions: dict[str, list[str]] = {}
                for (reaction, _), name in self.reactions.get(seq, {}).items():
                    reactions.setdefault(reaction, []).append(name)
                found.append(replace(event, reactions=reactions or None))
        return found
