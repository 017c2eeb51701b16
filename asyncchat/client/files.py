"""Small files of this machine's user."""

import contextlib
import os
import tempfile
from pathlib import Path


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
