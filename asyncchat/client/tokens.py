"""Where the tokens of this machine's user are kept: a file for each server and name, readable by nobody else."""

import contextlib
import errno
import hashlib
import json
import os
import sys
from pathlib import Path

import platformdirs

from asyncchat.client.files import write_atomically
from asyncchat.vocabulary.names import name_key

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


CONFIG_DIR_VARIABLE = "ASYNCCHAT_CONFIG_DIR"
"""The environment variable that names another configuration directory."""

HELD = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})
"""What the system says of a lock that somebody has."""


def config_dir() -> Path:
    """The user's configuration directory of this program; `CONFIG_DIR_VARIABLE` overrides it."""
    override = os.environ.get(CONFIG_DIR_VARIABLE)
    if override:
        return Path(override)
    try:
        return platformdirs.user_config_path("asyncchat", appauthor=False)
    except RuntimeError:  # a user without a home, as in a container: nothing can be kept, and nothing fails for that
        return Path(os.devnull) / "asyncchat"


class TokenStore:
    """Tokens by server and name, in files below *directory* (default: `config_dir`).

    The files have mode 600, their directory 700. All methods block, on the file system alone: use them from a thread.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = (directory or config_dir()) / "tokens"

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
