"""Where the tokens of this machine's user are kept: a file for each server and name, readable by nobody else."""

import asyncio
import contextlib
import errno
import hashlib
import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from asyncchat._files import config_dir, write_atomically
from asyncchat.vocabulary.names import name_key
from asyncchat.vocabulary.printable import printable

logger = logging.getLogger("asyncchat.client")

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def _unlock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _try_lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


LOCK_SECONDS = 30.0
"""For another client's login under the same name; then we log in without waiting for it any longer."""

LOCK_POLL_SECONDS = 0.02
"""Between two tries of a lock: the system offers no wait that can be given up, and threads that wait are in the way."""

HELD = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})
"""What the system says of a lock that somebody has."""


class TokenStore:
    """Tokens by server and name, in files below *directory* (default: `config_dir`).

    The files have mode 600, their directory 700. All methods block, on the file system alone: use them from a thread.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = (directory or config_dir()).absolute() / "tokens"

    def load(self, server: str, name: str) -> str | None:
        """The token for a name on a server, or None; damaged files count as none."""
        try:
            kept = json.loads(self._path(server, name).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        token = kept.get("token") if isinstance(kept, dict) else None
        return token if isinstance(token, str) else None

    def save(self, server: str, name: str, token: str) -> None:
        """Keep a token in the place of the last one, whole or not at all. Raises OSError."""
        if self.load(server, name) == token:
            return
        self._make_directory()
        kept = {"server": server, "name": name, "token": token}
        write_atomically(self._path(server, name), json.dumps(kept, ensure_ascii=False).encode())

    def forget(self, server: str, name: str) -> None:
        """Remove a token, if there is one."""
        with contextlib.suppress(OSError):
            self._path(server, name).unlink(missing_ok=True)

    def try_lock(self, server: str, name: str) -> int | None:
        """Try to be the only one on this machine who logs in there under this name; `unlock` gives it back.

        None: somebody else is. -1: there is no such lock here, as where the directory cannot be written or the file
        system knows none: a login must not fail for that. The lock goes with the process that holds it.
        """
        try:
            self._make_directory()
            handle = os.open(self._path(server, name).with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
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

    def _path(self, server: str, name: str) -> Path:
        key = f"{server}\n{name_key(name)}"
        return self.directory / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"

    def _make_directory(self) -> None:
        self.directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory.mkdir(exist_ok=True, mode=0o700)
        os.chmod(self.directory, 0o700)


async def keep_token(store: TokenStore, server: str, name: str, token: str) -> None:
    """Save a token; that it cannot be kept is logged."""
    try:
        await asyncio.to_thread(store.save, server, name, token)
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
