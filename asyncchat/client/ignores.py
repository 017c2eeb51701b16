"""People whose messages are not shown, kept for each server in the configuration directory."""

import contextlib
import json
import os
import tempfile
from pathlib import Path

from asyncchat.client.tokens import config_dir
from asyncchat.vocabulary.names import name_key


class Ignores:
    """The people ignored on one server. Reads its file when made and writes it at every change; both block."""

    def __init__(self, server: str, directory: Path | None = None) -> None:
        self._path = (directory or config_dir()) / "ignored.json"
        self._server = server
        self._names = {name_key(name): name for name in self._read().get(server, [])}

    def __contains__(self, name: str) -> bool:
        return name_key(name) in self._names if self._names else False

    def names(self) -> list[str]:
        """Who is ignored, in order."""
        return sorted(self._names.values(), key=name_key)

    def add(self, name: str) -> None:
        """Ignore somebody. Raises OSError if that cannot be kept; it holds for now then."""
        self._names[name_key(name)] = name
        self._write()

    def remove(self, name: str) -> bool:
        """Ignore somebody no longer; False if they were not ignored. Raises OSError like `add`."""
        if self._names.pop(name_key(name), None) is None:
            return False
        self._write()
        return True

    def _read(self) -> dict[str, list[str]]:
        try:
            kept = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(kept, dict):
            return {}
        return {
            server: [name for name in names if isinstance(name, str)]
            for server, names in kept.items()
            if isinstance(names, list)
        }

    def _write(self) -> None:
        kept = self._read()
        kept[self._server] = self.names()
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=self._path.parent, suffix=".new")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                json.dump(kept, file, ensure_ascii=False, indent=1)
            os.replace(temporary, self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
