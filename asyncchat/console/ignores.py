"""People whose messages are not shown, kept for each server in the configuration directory."""

import errno
import json
import logging
from pathlib import Path

import msgspec

from asyncchat._files import config_dir, write_atomically
from asyncchat.text import name_key

logger = logging.getLogger("asyncchat.client")

_decode = msgspec.json.Decoder(dict[str, list[str]]).decode


class Ignores:
    """The people ignored on one server. Reads its file when made, and writes it with `save`; both block.

    A file that cannot be read ignores nobody, which is logged, and is never written: it holds the lists of all servers.
    """

    def __init__(self, server: str, directory: Path | None = None) -> None:
        self._path = (directory or config_dir()) / "ignored.json"
        self._server = server
        try:
            kept = self._read()
        except OSError as error:
            logger.warning("nobody is ignored: %s: %s", self._path, error.strerror)
            kept = {}
        self._names = {name_key(name): name for name in kept.get(server, [])}

    def __contains__(self, name: str) -> bool:
        return name_key(name) in self._names if self._names else False

    def names(self) -> list[str]:
        """Who is ignored, in order."""
        return sorted(self._names.values(), key=name_key)

    def add(self, name: str) -> None:
        """Ignore somebody."""
        self._names[name_key(name)] = name

    def remove(self, name: str) -> bool:
        """Ignore somebody no longer; False if they were not ignored."""
        return self._names.pop(name_key(name), None) is not None

    def save(self) -> None:
        """Keep who is ignored; raises OSError if that cannot be done, and it holds for now then."""
        kept = self._read() | {self._server: self.names()}
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(self._path, json.dumps(kept, ensure_ascii=False, indent=1).encode())

    def _read(self) -> dict[str, list[str]]:
        """Who is ignored, by server. Raises OSError, also when that is damaged."""
        try:
            return _decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise OSError(errno.EINVAL, "the file is damaged") from error
