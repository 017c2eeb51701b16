"""What goes by itself with time: messages that a room keeps no longer, and guests who never wrote."""

from asyncchat import commands, events
from asyncchat.server.periodic import DAY_MS, GUEST_DAYS
from asyncchat.server.services import now_ms
from asyncchat.vocabulary import records
from asyncchat.vocabulary.terms import Code
from tests.server.peers import Native, serving


async def test_messages_are_deleted_when_the_room_keeps_them_no_longer() -> None:
    async with serving() as server, await Native.open(server, "ann", rooms=["#tea"]) as ann:
        room = server.chat.state.rooms.by_key["#tea"].id
        author = server.chat.state.people.by_key["ann"].id
        for age in (3 * DAY_MS, 2 * DAY_MS, 0):
            old = records.Message(time=now_ms() - age, author=author, name="ann", to="#tea", room=room, text=str(age))
            server._pipeline.append_own(old)
        await ann.get(commands.SetRoom(room="#tea", retention=1), events.Ok)
        await server._periodic.care()
        await server.operator.settled()
        while await server._storage.log.run(lambda store: store.prune()):
            pass
        page = await ann.get(commands.History(to="#tea"), events.History)
        assert [said.text for said in page.events if isinstance(said, events.Said)] == ["0"]


async def test_a_guest_who_never_wrote_is_forgotten() -> None:
    async with serving() as server, await Native.open(server, "ann") as ann:
        long_ago = now_ms() - (GUEST_DAYS + 1) * DAY_MS
        token = b"t" * 32
        server._pipeline.append_own(records.PersonCreated(time=long_ago, name="bob", key="bob", token=token))
        await ann.get(commands.Ping(), events.Ok)
        bob = server.chat.state.people.by_key["bob"].id
        server._pipeline.append_own(records.NameReleased(time=long_ago, person=bob))
        await ann.get(commands.Ping(), events.Ok)
        await server._periodic.care()
        await ann.get(commands.Ping(), events.Ok)
        found = await server._storage.log.run(
            lambda store: store.connection.execute("SELECT name FROM people").fetchall()
        )
        assert found == [("ann",)]
        assert await ann.refusal(commands.Whois(name="bob")) == Code.GONE
