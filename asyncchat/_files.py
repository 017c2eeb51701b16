"""The files of this machine's user: where they are, and how one is written."""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs

CONFIG_DIR_VARIABLE = "ASYNCCHAT_CONFIG_DIR"
"""The environment variable that names another configuration directory."""


def config_dir() -> Path:
    """The user's configuration directory of this program; `CONFIG_DIR_VARIABLE` overrides it."""
    override = os.environ.get(CONFIG_DIR_VARIABLE)
    if override:
        return Path(override)
    # A user may have no home, as in a container: nothing can be kept, and nothing fails for that.
    return users_folder(platformdirs.user_config_path) or Path(os.devnull) / "asyncchat"


def users_folder(find: Callable[..., Path]) -> Path | None:
    """This program's folder among the user's, found by a function of platformdirs; None for a user without a home."""
    try:
        folder = find("asyncchat", appauthor=False)
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None  # platformdirs 4.2 leaves the ~ in it


def write_atomically(path: Path, data: bytes) -> None:
    """Put a file in the place of the last one, whole or not at all; its directory must be there. Raises OSError.

    Nobody but the user can read it: mkstemp makes it with mode 600, which it keeps under its final name.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".new")
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
