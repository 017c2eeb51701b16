"""A storage for tests of the rules: it answers queries from the kept records alone, plainly and slowly."""

from typing import Any, assert_never

from msgspec import structs

from asyncchat.vocabulary import events, queries, records
from asyncchat.vocabulary.names import BadName, parse_user_name
from asyncchat.vocabulary.terms import rfc3339


class Memory:
    """What was kept, in order, and what can be asked of it. A password's hash is the password with a mark."""

    def __init__(self) -> None:
        self.facts: list[tuple[int, records.Record]] = []
        self.asked: list[queries.Query] = []

    def keep(self, seq: int, record: records.Record) -> None:
        self.facts.append((seq, record))

    def current(self) -> list[tuple[int, records.Record]]:
        """What was kept, but of each person's `Seen` only the last one."""
        last = {record.person: at for at, (_, record) in enumerate(self.facts) if isinstance(record, records.Seen)}
        return [
            fact
            for at, fact in enumerate(self.facts)
            if not isinstance(fact[1], records.Seen) or last[fact[1].person] == at
        ]

    def answer(self, query: queries.Query) -> Any:
        self.asked.append(query)
        match query:
            case queries.HashPassword(password):
                return hashed(password)
            case queries.VerifyPassword(hash, password):
                return hash == hashed(password)
            case queries.FindToken(token):
                return self._find_token(token)
            case queries.FindMessage():
                return self._find_message(query)
            case queries.FindNonces(person, limit):
                found = {m.nonce: seq for seq, m in self.messages() if m.author == person and m.nonce is not None}
                return dict(list(found.items())[-limit:])
            case queries.FindReading(person):
                return self._find_reading(person)
            case queries.FindPage():
                return self._find_page(query)
            case queries.FindSince():
                return self._find_since(query)
            case queries.FindText():
                return self._find_text(query)
            case queries.FindRecent():
                return self._find_recent(query)
            case (
                queries.Measure()
                | queries.SetLogLevel()
                | queries.ReloadSettings()
                | queries.CopyDatabase()
                | queries.ShutDown()
            ):
                raise AssertionError(f"the rules alone are tested: {query}")
            case _:
                assert_never(query)

    # --- messages ---------------------------------------------------------------------------------------------------

    def messages(self) -> list[tuple[int, records.Message]]:
        return [(seq, record) for seq, record in self.facts if isinstance(record, records.Message)]

    def deleted(self) -> set[int]:
        return {seq for _, r in self.facts if isinstance(r, records.MessagesDeleted) for seq in r.targets}

    def _find_message(self, query: queries.FindMessage) -> queries.StoredMessage | None:
        for seq, m in self.messages():
            if seq == query.seq:
                put = self._reactions(seq)
                every = frozenset(reaction for reaction, _ in put)
                own = frozenset(reaction for reaction, person in put if person == query.person)
                gone = seq in self.deleted()
                return queries.StoredMessage(seq, m.time, m.author, m.room, m.peer, m.to, gone, every, own, len(put))
        return None

    def _reactions(self, seq: int) -> set[tuple[str, int]]:
        put: set[tuple[str, int]] = set()
        for _, record in self.facts:
            if isinstance(record, records.MessageReacted) and record.target == seq:
                change = put.discard if record.remove else put.add
                change((record.reaction, record.by))
        return put

    def _find_page(self, query: queries.FindPage) -> queries.Page:
        place = query.place
        there = [
            seq
            for seq, m in self.messages()
            if (m.room == place.room if place.room else not m.room and {m.author, m.peer} == {place.one, place.other})
        ]
        if query.after is not None:
            there = [seq for seq in there if seq > query.after]
            page = there[: query.limit]
        else:
            there = [seq for seq in there if query.before is None or seq < query.before]
            page = there[-query.limit :]
        return self._page(page, complete=len(page) == len(there))

    def _find_since(self, query: queries.FindSince) -> queries.Page:
        there = [
            seq
            for seq, m in self.messages()
            if query.after < seq <= (query.until if query.until is not None else seq)
            and (m.room in query.rooms if m.room else query.direct and query.person in (m.author, m.peer))
        ]
        return self._page(there[: query.limit], complete=len(there) <= query.limit)

    def _find_text(self, query: queries.FindText) -> queries.Page:
        there = [
            seq
            for seq, m in self.messages()
            if query.text in m.text
            and (m.room in query.rooms if m.room else query.direct and query.person in (m.author, m.peer))
        ]
        return self._page(there[-query.limit :], complete=len(there) <= query.limit)

    def _find_recent(self, query: queries.FindRecent) -> list[int]:
        def is_theirs(m: records.Message) -> bool:
            return m.author == query.person or key_of(m.name) == key_of(query.author)

        found = [seq for seq, m in self.messages() if m.room == query.room and m.time >= query.since and is_theirs(m)]
        return [seq for seq in found if seq not in self.deleted()][-query.limit :]

    def _page(self, seqs: list[int], *, complete: bool) -> queries.Page:
        said = {seq: _said(seq, m) for seq, m in self.messages()}
        for seq in self.deleted() & said.keys():
            said[seq] = structs.replace(said[seq], text="", deleted=True)
        return queries.Page([said[seq] for seq in seqs], complete=complete, next=seqs[-1] if seqs else None)

    # --- people -----------------------------------------------------------------------------------------------------

    def _find_token(self, token: bytes) -> queries.Person | None:
        owner: dict[bytes, int] = {}
        names: dict[int, tuple[str, str]] = {}
        accounts: dict[int, str | None] = {}
        for seq, record in self.facts:
            match record:
                case records.PersonCreated(name=name, key=key):
                    names[seq] = name, key
                    if record.token is not None:
                        owner[record.token] = seq
                case records.NameTaken(person=person, name=name, key=key):
                    names[person] = name, key
                case records.TokenGiven(person=person):
                    owner[record.token] = person
                case records.Registered(person=person, password=password):
                    accounts[person] = password
                case records.PasswordSet(person=person, password=password):
                    accounts[person] = password
                    owner = {known: whose for known, whose in owner.items() if whose != person}
                case _:
                    pass
        id = owner.get(token)
        if id is None:
            return None
        return queries.Person(id, *names[id], registered=id in accounts, password=accounts.get(id))

    def _find_reading(self, person: int) -> queries.Reading:
        found: dict[int, int] = {}
        seen = None
        for _, record in self.facts:
            if isinstance(record, records.MarkerSet) and record.person == person:
                found[record.room or record.peer] = max(record.upto, found.get(record.room or record.peer, 0))
            elif isinstance(record, records.Seen) and record.person == person:
                seen = record.upto or None
        return queries.Reading(found, seen)


def hashed(password: str) -> str:
    """What stands for a password's hash."""
    return f"$hash${password}"


def key_of(name: str) -> str:
    """A name's key, or the text if it is no name."""
    try:
        return parse_user_name(name).key
    except BadName:
        return name


def _said(seq: int, m: records.Message) -> events.Said:
    return events.Said(
        seq=seq, time=rfc3339(m.time), sender=m.name, to=m.to, text=m.text, kind=m.kind, reply_to=m.reply_to,
        nonce=m.nonce,
    )  # fmt: skip
