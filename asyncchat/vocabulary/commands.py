"""Commands: what a client asks for. These Structs are the native protocol's client-to-server half.

``docs/protocol.md`` specifies each with an example that a test reads. Names are raw text here; the rules parse them.
"""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct, field

from asyncchat.vocabulary.terms import MAX_ID, MAX_NONCE, Kind, Role

Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A place in the server's log; SQLite's integers bound it."""

Seconds = Annotated[int, Meta(ge=0, le=10 * 366 * 86400)]
"""A duration; ten years are as good as for ever."""

MAX_COUNTDOWN = 86_400
"""Seconds of the longest countdown before a shutdown: a day."""

CommandId = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | Annotated[str, Meta(max_length=MAX_ID)]


class Base(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="type", tag=str.lower):
    """What all commands share. A command's one reply carries the same ``id``.

    Without an ``id``, what succeeds with nothing to tell is not answered; data and errors always are.

    The traits of a command stand on its class, and nowhere else.
    """

    #: It asks, and changes nothing.
    read_only: ClassVar[bool] = False
    #: The next command does not wait until this one is through the log: see "Tickets and barriers" in docs/design.md.
    pipelined: ClassVar[bool] = False
    #: To do it twice does no harm, so that a client sends it again after a cut.
    repeatable: ClassVar[bool] = False
    #: It is allowed before the login.
    before_login: ClassVar[bool] = False
    #: The server's operators have it, whose session is nobody's: see `asyncchat.core.operator_commands`.
    for_operators: ClassVar[bool] = False
    #: Only the server's control socket accepts it: it is for the machine's owner, not for people of the chat.
    control: ClassVar[bool] = False
    #: It means nothing to a database without a running server.
    needs_server: ClassVar[bool] = False
    #: The words that confirm it to people, where no event tells of it.
    done: ClassVar[str] = ""

    id: CommandId | None = None


class Question(Base, frozen=True):
    """What all commands share that only ask."""

    read_only = True
    repeatable = True


# --- coming, going -------------------------------------------------------------------------------------------------


class Hello(Base, frozen=True, kw_only=True):
    """Log in: with a free name as a guest, with a ``token`` as the person it was given to, or with a password.

    ``rooms``: exactly these are joined (default: the server's default room). ``since`` and ``epoch``: the cursor of a
    client that comes back and will `Sync`; without it, direct messages missed while away follow the welcome.
    """

    before_login = True

    name: str | None = None
    token: str | None = None
    password: str | None = None
    server_password: str | None = None
    rooms: list[str] | None = None
    since: Seq | None = None
    epoch: str | None = None
    client: Annotated[str, Meta(max_length=128)] | None = None


class Quit(Base, frozen=True):
    """Leave for good: no minute of grace, the name is free again (a registered one stays its owner's)."""

    before_login = True
    for_operators = True

    reason: str | None = None


class Ping(Question, frozen=True):
    """Is the server there? Answered with `ok`."""

    before_login = True
    for_operators = True


class Pong(Base, frozen=True):
    """The answer to the server's `ping`; it gets no reply."""

    before_login = True
    for_operators = True


# --- talking --------------------------------------------------------------------------------------------------------


class Say(Base, frozen=True):
    """A message to a room (``#name``) or to a person. The same ``nonce`` again is the same message, stored once."""

    pipelined = True
    repeatable = True  # the same nonce is the same message
    for_operators = True

    to: str
    text: str
    kind: Kind = "text"
    reply_to: Seq | None = None
    nonce: Annotated[str, Meta(min_length=1, max_length=MAX_NONCE)] | None = None


class Edit(Base, frozen=True):
    """Replace the text of one's own message."""

    pipelined = True
    repeatable = True  # the same text again is the same text
    for_operators = True

    seq: Seq
    text: str


class Delete(Base, frozen=True):
    """Take back one's own message; a room's operators may delete anybody's."""

    pipelined = True
    for_operators = True

    seq: Seq


class React(Base, frozen=True):
    """Put a reaction (an emoji or a short word) on a message, or take it off."""

    pipelined = True

    seq: Seq
    reaction: Annotated[str, Meta(min_length=1, max_length=32)]
    remove: bool = False


class Typing(Base, frozen=True):
    """I am typing to a room or a person, or have stopped."""

    pipelined = True

    to: str
    active: bool = True


class Read(Base, frozen=True):
    """I have read a room or a conversation up to ``seq``."""

    pipelined = True
    repeatable = True

    to: str
    seq: Seq


# --- rooms ----------------------------------------------------------------------------------------------------------


class Join(Base, frozen=True):
    """Enter a room; it is created, and mine, if it did not exist."""

    repeatable = True

    room: str
    password: str | None = None


class Leave(Base, frozen=True):
    """Leave a room."""

    room: str
    reason: str | None = None


class Rooms(Question, frozen=True):
    """A page of the rooms, in the order in which they were made; private ones for those who may know of them.

    ``after``: the ``next`` of the page before; of `Who` and `Bans` too.
    """

    for_operators = True

    after: Seq | None = None
    limit: Annotated[int, Meta(ge=1)] | None = None


class Who(Question, frozen=True):
    """Who is in a room, or, without one, on the server? A page of them, in the order in which they came."""

    for_operators = True
    needs_server = True

    room: str | None = None
    after: Seq | None = None
    limit: Annotated[int, Meta(ge=1)] | None = None


class Whois(Question, frozen=True):
    """What is known of a person?"""

    for_operators = True

    name: str


class Topic(Base, frozen=True):
    """Set a room's topic (an empty text clears it) or, without a text, ask for it."""

    for_operators = True

    room: str
    text: str | None = None


class Invite(Base, frozen=True):
    """Ask a person into a room, and let them into it where not everybody may enter."""

    for_operators = True
    done = "invited"

    room: str
    name: str


# --- the past -------------------------------------------------------------------------------------------------------


class History(Question, frozen=True):
    """A page of a room's or a conversation's messages, oldest first: those before or after a ``seq``, or the last."""

    for_operators = True

    to: str
    before: Seq | None = None
    after: Seq | None = None
    limit: Annotated[int, Meta(ge=1)] | None = None


class Sync(Question, frozen=True):
    """All that I may see after a ``seq`` (and up to ``until``), oldest first, page by page until ``complete``."""

    after: Seq
    until: Seq | None = None
    limit: Annotated[int, Meta(ge=1)] | None = None


class Search(Question, frozen=True):
    """Messages that hold all these words: the newest ones, oldest first.

    ``to``: only this room or conversation; ``sender``: only this person's; ``since`` and ``until``: RFC 3339 times;
    ``before``: a ``seq``, to page on.
    """

    for_operators = True

    text: str
    to: str | None = None
    sender: str | None = field(default=None, name="from")
    since: str | None = None
    until: str | None = None
    before: Seq | None = None
    limit: Annotated[int, Meta(ge=1)] | None = None


# --- oneself --------------------------------------------------------------------------------------------------------


class Nick(Base, frozen=True):
    """Take another name."""

    name: str


class Away(Base, frozen=True):
    """I am away, for this reason; without a text: I am back."""

    repeatable = True

    text: str | None = None


class Register(Base, frozen=True):
    """Make my name mine for good: with a password, or bound to my token alone."""

    done = "your name is yours now"

    password: str | None = None
    invitation: str | None = None


class Passwd(Base, frozen=True):
    """Set another password; ``old`` is needed if there is one. All tokens are void with it.

    The person's other sessions end with it, unless ``keep_sessions``.
    """

    done = "your password is changed"

    new: str
    old: str | None = None
    keep_sessions: bool = False


# --- moderation ---------------------------------------------------------------------------------------------


class Kick(Base, frozen=True):
    """Put a person out of a room."""

    for_operators = True
    needs_server = True

    room: str
    name: str
    reason: str | None = None


class Ban(Base, frozen=True):
    """Keep a person, a name or an address out of a room, or (administrators, no ``room``) off the server.

    ``who``: a person's name or an IP address or network; ``seconds``: how long, for ever if not given.
    """

    for_operators = True
    done = "banned"

    who: str
    room: str | None = None
    seconds: Seconds | None = None
    reason: str | None = None


class Unban(Base, frozen=True):
    """Lift a ban."""

    for_operators = True
    done = "the ban is lifted"

    who: str
    room: str | None = None


class Bans(Question, frozen=True):
    """A page of the bans and mutes of a room (operators) or of the server (administrators), as they were set."""

    for_operators = True

    room: str | None = None
    after: Seq | None = None
    limit: Annotated[int, Meta(ge=1)] | None = None


class Mute(Base, frozen=True):
    """A person may listen but not speak in a room; ``seconds`` 0 lifts it, none is for ever."""

    for_operators = True

    room: str
    name: str
    seconds: Seconds | None = None
    reason: str | None = None


class SetRole(Base, frozen=True, tag="role"):
    """Give a person a role in a room."""

    for_operators = True

    room: str
    name: str
    role: Role


class SetRoom(Base, frozen=True, tag="set"):
    """Change a room's options; those not named stay.

    ``retention``: days that messages are kept, 0 for ever. ``password``: empty takes it off.
    """

    for_operators = True

    room: str
    private: bool | None = None
    moderated: bool | None = None
    topic_locked: bool | None = None
    retention: Annotated[int, Meta(ge=0, le=36500)] | None = None
    password: str | None = None


class Destroy(Base, frozen=True):
    """Remove a room with all that was said in it, for good; for its owners, and administrators.

    ``confirm``: the room's name once more.
    """

    for_operators = True

    room: str
    confirm: str | None = None
    reason: str | None = None


class Purge(Base, frozen=True):
    """Delete what a person said in a room in the last ``seconds``."""

    for_operators = True

    room: str
    name: str
    seconds: Seconds


# --- operating the server -------------------------------------------------------------------------------------------


class Announce(Base, frozen=True):
    """Tell everyone who is connected; for administrators."""

    for_operators = True
    needs_server = True

    text: str


class Stats(Question, frozen=True):
    """The server in numbers; for administrators."""

    for_operators = True
    needs_server = True


class ControlCommand(Base, frozen=True):
    """What all commands share that only the control socket accepts."""

    control = True
    for_operators = True


class Accounts(ControlCommand, frozen=True):
    """All registered names."""

    read_only = True
    repeatable = True


class CreateAccount(ControlCommand, frozen=True, tag="create_account"):
    """Register a name that nobody holds."""

    name: str
    password: str


class ResetPassword(ControlCommand, frozen=True, tag="reset_password"):
    """Give a registered person another password; all their tokens are void with it."""

    name: str
    password: str


class SetAdministrator(ControlCommand, frozen=True, tag="administrator"):
    """Make a registered person an administrator, or take that back."""

    name: str
    active: bool = True


class Log(ControlCommand, frozen=True):
    """Set the level from which on the server logs or, without one, ask for it."""

    needs_server = True

    level: str | None = None


class Reload(ControlCommand, frozen=True):
    """Read the settings and the certificates anew."""

    needs_server = True


class Backup(ControlCommand, frozen=True):
    """Copy the database as it is now to a new file, whose absolute ``path`` is the server's."""

    path: Annotated[str, Meta(max_length=4096)]


class Shutdown(ControlCommand, frozen=True):
    """End the server: at once, or after a countdown of ``seconds`` that everyone sees; ``cancel`` calls it off."""

    needs_server = True

    seconds: Annotated[int, Meta(ge=0, le=MAX_COUNTDOWN)] = 0
    cancel: bool = False


Command = (
    Hello | Quit | Ping | Pong
    | Say | Edit | Delete | React | Typing | Read
    | Join | Leave | Rooms | Who | Whois | Topic | Invite
    | History | Sync | Search
    | Nick | Away | Register | Passwd
    | Kick | Ban | Unban | Bans | Mute | SetRole | SetRoom | Destroy | Purge
    | Announce | Stats
    | Accounts | CreateAccount | ResetPassword | SetAdministrator | Log | Reload | Backup | Shutdown
)  # fmt: skip
