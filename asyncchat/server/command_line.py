"""``asyncchat-server``: reads the settings, and runs the server until somebody ends it; or does what `admin` does.

Exit status: 0 after a shutdown, 1 when the server cannot run (an address in use, a damaged database, ...), 2 for
settings that cannot be used, 130 for Ctrl+C before the server runs.
"""

import asyncio
import logging
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from asyncchat._files import users_folder
from asyncchat._version import __version__
from asyncchat.server import admin, logs
from asyncchat.server.config import OPTIONS, Config, ConfigError, configure, parser
from asyncchat.server.listeners import raise_descriptor_limit
from asyncchat.server.running import Running, handed_over
from asyncchat.vocabulary.errors import StorageError
from asyncchat.vocabulary.printable import printable

log = logging.getLogger("asyncchat.server")

WRITTEN = "utf-8-sig"
"""How files are read that people write: their editors may begin them with a byte order mark."""

FAILED = 1
MISUSED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; *arguments* are the command line's. Returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["admin"]:
        return admin.main(words[1:], load_config)
    said = parser(__version__).parse_args(words)
    flags = {option.name: getattr(said, option.name, None) for option in OPTIONS}

    inherited = handed_over(os.environ, os.getpid())
    here = _working_directory()

    def load() -> Config:
        return load_config(said.config, flags, inherited, here)

    try:
        config = load()
        running = Running(config, load, said.config)
    except ConfigError as error:
        print(f"asyncchat-server: {printable(str(error))}", file=sys.stderr)  # noqa: T201 - a command line program
        return MISUSED
    writer = logs.start(config.log_level)
    try:
        raise_descriptor_limit()
        asyncio.run(running.run())
    except StorageError as error:
        log.error("%s", error)
        return FAILED
    except OSError as error:
        log.error("%s", error.strerror or error)
        return FAILED
    finally:
        writer.close()
    return 0


def _working_directory() -> Path:
    """Where the program was started, for later: paths count from there, wherever the process is by then."""
    try:
        return Path.cwd()
    except FileNotFoundError:  # it was removed, and whoever names absolute paths needs none
        return Path()


def load_config(
    file: str | None, flags: Mapping[str, Any], inherited: Sequence[str] = (), here: Path = Path()
) -> Config:
    """The settings of a file (None: of no file) and of flags, as they are now; raises `ConfigError`.

    ``here``: from where relative paths of the command line count, by default the working directory.
    """
    return configure(
        read_config(here / file) if file is not None else {},
        flags,
        folder=(here / file).parent if file is not None else here,
        here=here,
        data=users_folder(user_data_path),
        read=lambda path: path.read_text(encoding=WRITTEN),
        inherited=inherited,
    )


def read_config(file: Path) -> dict[str, object]:
    """What a configuration file says; raises `ConfigError`."""
    try:
        return tomllib.loads(file.read_text(encoding=WRITTEN))
    except OSError as error:
        raise ConfigError("config", f"cannot read {file}: {error.strerror or os.strerror(error.errno or 0)}") from None
    except ValueError as error:  # a number of thousands of digits is none that tomllib itself refuses
        raise ConfigError("config", f"{file} is no TOML: {error}") from None
