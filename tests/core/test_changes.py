"""What is done to messages at the same moment: the answers of storage are older than what is on its way."""

from collections.abc import Sequence

import pytest

from asyncchat.core import in_flight
from asyncchat.core.outcomes import Ask
from asyncchat.vocabulary import commands, events, queries, records
from asyncchat.vocabulary.commands import Delete, Edit, React
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.terms import Code
from tests.core.driver import Ticket, World


def codes(tickets: Sequence[Ticket]) -> list[int]:
    """How commands were answered."""
    return [reply.code for ticket in tickets for reply in ticket.replies or () if isinstance(reply, ANSWERS)]


ANSWERS = events.Ok | events.Error


# --- reactions ------------------------------------------------------------------------------------------------------


def test_a_reaction_that_is_there_already_or_is_not_there_is_no_news(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    seq = alice.say("#lobby").seq
    for person, remove in ((bob, True), (alice, False), (alice, False), (bob, True), (alice, True), (alice, True)):
        assert person.code(React(id=1, seq=seq, reaction="x", remove=remove)) == Code.OK
    assert [(event.sender, event.remove) for event in bob.heard(events.Reacted)] == [("alice", False), ("alice", True)]


def test_reactions_in_flight_are_known(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    seq = alice.say("#lobby").seq
    for remove in (False, False, True, True, False):
        alice.start(React(id=1, seq=seq, reaction="x", remove=remove))
    bob.start(React(id=1, seq=seq, reaction="x"))
    world.flush()
    assert [(event.sender, event.remove) for event in bob.heard(events.Reacted)] == [
        ("alice", False), ("alice", True), ("alice", False), ("bob", False),
    ]  # fmt: skip


def test_reactions_in_flight_count_towards_the_limit() -> None:
    world = World(limits={"reactions": 2})
    alice = world.guest("alice")
    seq = alice.say("#lobby").seq
    tickets = [alice.start(React(id=1, seq=seq, reaction=reaction)) for reaction in "abca"]
    world.flush()
    assert codes(tickets) == [Code.OK, Code.OK, Code.FORBIDDEN, Code.OK]


def test_a_reaction_that_was_not_stored_may_be_put_again() -> None:
    world = World(limits={"reactions": 1})
    alice = world.guest("alice")
    seq = alice.say("#lobby").seq
    alice.start(React(id=1, seq=seq, reaction="x"))
    world.fail()
    assert alice.code(React(id=1, seq=seq, reaction="y")) == Code.OK
    alice.start(React(id=1, seq=seq, reaction="y", remove=True))
    world.fail()
    assert alice.code(React(id=1, seq=seq, reaction="y", remove=True)) == Code.OK
    assert [(event.reaction, event.remove) for event in alice.heard(events.Reacted)] == [("y", False), ("y", True)]


# --- deletions ------------------------------------------------------------------------------------------------------


def test_a_message_whose_deletion_is_in_flight_is_gone(world: World) -> None:
    alice, bob = world.guest("alice"), world.guest("bob")
    seq = alice.say("#lobby").seq
    late = world.chat.handle(alice.session, Edit(id=1, seq=seq, text="again"), world.now)
    assert isinstance(late, Ask)
    before = world.memory.answer(late.query)
    alice.start(Delete(id=1, seq=seq))
    others = Edit(id=1, seq=seq, text="again"), React(id=1, seq=seq, reaction="x"), Delete(id=1, seq=seq)
    tickets = [alice.start(other) for other in others]
    world.flush()
    assert codes(tickets) == [Code.NOT_FOUND] * 3
    with pytest.raises(Refused, match="no such message"):
        late.then(before)
    assert not bob.heard(events.Edited)
    assert len(bob.heard(events.Deleted)) == 1


def test_a_deletion_that_was_not_stored_deletes_nothing(world: World) -> None:
    alice = world.guest("alice")
    seq = alice.say("#lobby").seq
    alice.start(Delete(id=1, seq=seq))
    world.fail()
    assert alice.code(Edit(id=1, seq=seq, text="still here")) == Code.OK


def test_what_a_purge_in_flight_deletes_is_gone(world: World) -> None:
    ann, bob = world.guest("ann", "#tea"), world.guest("bob", "#tea")
    seq = bob.say("#tea").seq
    ann.start(commands.Purge(id=1, room="#tea", name="bob", seconds=60))
    edit = bob.start(Edit(id=1, seq=seq, text="again"))
    world.flush()
    assert edit.replies == (events.Error(id=1, code=Code.NOT_FOUND, text=f"no such message: {seq}"),)


# --- memory ---------------------------------------------------------------------------------------------------------


def test_so_many_changes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "REMEMBERED", 3)
    lately = in_flight.Changes()

    def stored(seq: int) -> queries.StoredMessage:
        return queries.StoredMessage(seq, 0, 0, 0, 0, "#tea", False)

    for seq in range(5):
        lately.note(records.MessagesDeleted(time=0, by=1, name="ann", to="#tea", targets=[seq]))
        for reaction in "ab":
            lately.note(records.MessageReacted(time=0, by=1, name="ann", to="#tea", target=seq, reaction=reaction))
    assert [lately.is_deleted(stored(seq)) for seq in range(5)] == [False, False, True, True, True]
    assert [sorted(lately.reactions(stored(seq))) for seq in range(5)] == [[], [], [], ["b"], ["a", "b"]]
