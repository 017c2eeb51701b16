"""Where the tokens of this machine's user are kept: a file for each server and name, readable by nobody else.

A server is known by its identity, which it tells, and which anybody can repeat. So a token is sent only to an address
where it was given or used before, unless the person trusts a new one; and what an unknown address gives never takes the
place of what is kept for a known one.
"""

import asyncio
import contextlib
import errno
import hashlib
import json
import logging
import os
import secrets
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asyncchat._files import config_dir, write_atomically
from asyncchat.vocabulary.names import name_key
from asyncchat.vocabulary.printable import printable

logger = logging.getLogger("asyncchat.client")

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)

    def _unlock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _try_lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX)

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


LOCK_SECONDS = 30.0
"""For another client's login under the same name; then we log in without waiting for it any longer."""

LOCK_POLL_SECONDS = 0.02
"""Between two tries of a lock: the system offers no wait that can be given up, and threads that wait are in the way."""

NAME_BYTES = 16
"""Random bytes of a file's name: no two share one by chance."""

SERVERS = 64
"""Servers that were met at one address, for each name, whose tokens are kept: a server that keeps nothing on a disk is
another one after each start, and leaves some 200 bytes."""

HELD = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})
"""What the system says of a lock that somebody has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptToken:
    """A token for a name, and where it may be sent: ``addresses``, where it was given or used before.

    ``identity``: that of the server, if it told one. ``kept``: when it was kept or used last (ns, of the file system).
    """

    identity: str | None
    addresses: tuple[str, ...]
    name: str
    token: str
    path: Path
    kept: int


class TokenStore:
    """Tokens by the server's identity and name, in files below *directory* (default: `config_dir`).

    The files have mode 600, their directory 700. All methods block, on the file system alone: use them from a thread.
    ``server`` is an `Address.key`, the same for all spellings of one address.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = (directory or config_dir()).absolute() / "tokens"

    def find(self, name: str) -> list[KeptToken]:
        """All tokens for a name, those used last first; damaged files count as none."""
        key = name_key(name)
        found = (_read(path) for path in self.directory.glob("*.json"))
        kept = [one for one in found if one is not None and name_key(one.name) == key]
        return sorted(kept, key=lambda one: (-one.kept, one.path))

    def load(self, server: str, name: str) -> str | None:
        """The token for a name that was used last at an address, or None."""
        return next((one.token for one in self.find(name) if server in one.addresses), None)

    def save(self, server: str, name: str, token: str, identity: str | None = None) -> None:
        """Keep a token that was given or used at this address, whole or not at all. Raises OSError.

        It takes the place of the last one of this server; those of others that were met at this address stay.
        """
        self._make_directory()
        with self._lock_files():
            kept = self.find(name)
            here = [one for one in kept if server in one.addresses]
            same = [one for one in kept if one.token == token and one.identity in (identity, None)]
            old = next(iter([*same, *(one for one in here if one.identity == identity)]), None)
            if old is None:
                path = self.directory / f"{secrets.token_hex(NAME_BYTES)}.json"
                _write(path, identity, [server], name, token)
            else:
                path = old.path
                _write(path, identity, dict.fromkeys([*old.addresses, server]), name, token)
            # Of one server one token is used at an address.
            for number, one in enumerate((one for one in here if one.path != path), start=1):
                if one.identity == identity or number >= SERVERS:
                    _remove_address(one, server)

    def forget(self, server: str, name: str) -> None:
        """Send no token for this name to this address any more."""
        with contextlib.suppress(OSError), self._lock_files():
            for one in self.find(name):
                if server in one.addresses:
                    _remove_address(one, server)

    @contextlib.contextmanager
    def _lock_files(self) -> Iterator[None]:
        """Be the only one who changes files, for some milliseconds, if the file system knows locks."""
        handle = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with contextlib.suppress(OSError):
                _lock(handle)
            yield
        finally:
            self.unlock(handle)

    def try_lock(self, server: str, name: str) -> int | None:
        """Try to be the only one on this machine who logs in there under this name; `unlock` gives it back.

        None: somebody else is. -1: there is no such lock here, as where the directory cannot be written or the file
        system knows none: a login must not fail for that. The lock goes with the process that holds it.
        """
        try:
            self._make_directory()
            digest = hashlib.sha256(f"{server}\n{name_key(name)}".encode()).hexdigest()[:32]
            handle = os.open(self.directory / f"{digest}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return -1
        try:
            _try_lock(handle)
        except OSError as error:
            os.close(handle)
            return None if error.errno in HELD else -1
        return handle

    @staticmethod
    def unlock(handle: int) -> None:
        """Give back what `try_lock` gave."""
        if handle >= 0:
            with contextlib.suppress(OSError):
                _unlock(handle)
            os.close(handle)

    def _make_directory(self) -> None:
        self.directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory.mkdir(exist_ok=True, mode=0o700)
        os.chmod(self.directory, 0o700)


def _read(path: Path) -> KeptToken | None:
    try:
        kept = json.loads(path.read_text("utf-8"))
        changed = path.stat().st_mtime_ns
    except (OSError, ValueError):
        return None
    match kept:
        case {"name": str(name), "token": str(token), "addresses": [*addresses]}:
            identity = kept.get("identity")
        case {"name": str(name), "token": str(token), "server": str(server)}:  # of earlier versions
            identity, addresses = None, [server]
        case _:
            return None
    if not (identity is None or isinstance(identity, str)) or not all(isinstance(one, str) for one in addresses):
        return None
    return KeptToken(identity=identity, addresses=tuple(addresses), name=name, token=token, path=path, kept=changed)


def _write(path: Path, identity: str | None, addresses: Iterable[str], name: str, token: str) -> None:
    kept = {"identity": identity, "addresses": list(addresses), "name": name, "token": token}
    write_atomically(path, json.dumps(kept, ensure_ascii=False).encode())


def _remove_address(kept: KeptToken, server: str) -> None:
    left = [address for address in kept.addresses if address != server]
    if left:
        _write(kept.path, kept.identity, left, kept.name, kept.token)
    else:
        kept.path.unlink(missing_ok=True)


def choose(kept: Sequence[KeptToken], server: str, identity: str | None, *, trusted: bool) -> list[str]:
    """The tokens to send to an address, in order, when the server there says that it has this identity.

    *trusted*: the person says that it has, though it was not met at this address.
    """
    here = [one for one in kept if server in one.addresses]
    known = [one for one in kept if identity is not None and one.identity == identity]
    elsewhere = [one for one in known if server not in one.addresses] if trusted else []
    told = [one for one in here if one.identity == identity] or [one for one in here if one.identity is None]
    # One that tells nothing of itself is an earlier version, or was one.
    return [one.token for one in [*elsewhere, *(told if identity is not None else here)]]


def claimed(kept: Sequence[KeptToken], server: str, identity: str | None) -> list[str]:
    """The addresses of the known server that another address claims to be; none, if it was met there before."""
    known = [one for one in kept if identity is not None and one.identity == identity]
    if any(server in one.addresses for one in known):
        return []
    return sorted({address for one in known for address in one.addresses})


async def keep_token(store: TokenStore, server: str, name: str, token: str, identity: str | None) -> None:
    """Save a token; that it cannot be kept is logged."""
    try:
        await asyncio.to_thread(store.save, server, name, token, identity)
    except OSError as error:
        logger.warning("cannot keep the token of %s: %s", printable(name), error.strerror or error)


@contextlib.asynccontextmanager
async def login_lock(store: TokenStore, server: str, name: str) -> AsyncIterator[None]:
    """Be the only one on this machine who logs in there under this name, if that can be had in time."""
    deadline = asyncio.get_running_loop().time() + LOCK_SECONDS
    while (handle := await _try_in_thread(store, server, name)) is None:
        if asyncio.get_running_loop().time() >= deadline:
            break
        await asyncio.sleep(LOCK_POLL_SECONDS)
    try:
        yield
    finally:
        if handle is not None:
            store.unlock(handle)


async def _try_in_thread(store: TokenStore, server: str, name: str) -> int | None:
    trying = asyncio.ensure_future(asyncio.to_thread(store.try_lock, server, name))
    try:
        return await asyncio.shield(trying)
    except asyncio.CancelledError:
        handle = await trying  # which takes as long as opening a file does
        if handle is not None:
            store.unlock(handle)
        raise
