"""Where the tokens of this machine's user are kept: a file for each server and name, readable by nobody else."""

import contextlib
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from asyncchat.client.files import write_atomically
from asyncchat.vocabulary.names import name_key

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


CONFIG_DIR_VARIABLE = "ASYNCCHAT_CONFIG_DIR"
"""The environment variable that names another configuration directory."""

LOCK_SECONDS = 30.0
"""For another client's login under the same name; then we log in without waiting for it any longer."""

_LOCK_POLL_SECONDS = 0.02
"""Between two tries of a lock: the system offers no wait that can be given up."""


def config_dir() -> Path:
    """The user's configuration directory of this program; `CONFIG_DIR_VARIABLE` overrides it."""
    override = os.environ.get(CONFIG_DIR_VARIABLE)
    return Path(override) if override else platformdirs.user_config_path("asyncchat", appauthor=False)


class TokenStore:
    """Tokens by server and name, in files below *directory* (default: `config_dir`).

    The files have mode 600, their directory 700. All methods block, on the file system alone but for `lock`: use them
    from a thread.
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

    @contextlib.contextmanager
    def lock(self, server: str, name: str, give_up: threading.Event | None = None) -> Iterator[bool]:
        """Be the only one on this machine who logs in there under this name; gives whether that is so.

        It is not after `LOCK_SECONDS`, when *give_up* is set, or when the directory
        cannot be written: a login must not fail for that. The lock goes with the process that holds it.
        """
        try:
            self._make_directory()
            handle = os.open(self._path(server, name).with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            yield False
            return
        try:
            yield _locked(handle, give_up or threading.Event())
        finally:
            os.close(handle)

    def _path(self, server: str, name: str) -> Path:
        key = f"{server}\n{name_key(name)}"
        return self.directory / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"

    def _make_directory(self) -> None:
        self.directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory.mkdir(exist_ok=True, mode=0o700)
        os.chmod(self.directory, 0o700)


def _locked(handle: int, give_up: threading.Event) -> bool:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            _try_lock(handle)
            return True
        except OSError:
            if time.monotonic() >= deadline or give_up.wait(_LOCK_POLL_SECONDS):
                return False
