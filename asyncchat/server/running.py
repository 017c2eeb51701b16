"""A server as a process of its own: signals, reloads, and an end in good order."""

import asyncio
import contextlib
import gc
import logging
import os
import shlex
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path

from asyncchat._version import __version__
from asyncchat.server.app import MEMORY, ChatServer
from asyncchat.server.config import LOG_LEVELS, Config, ConfigError, fixed_changes
from asyncchat.server.tls import fingerprint, reload, server_context
from asyncchat.vocabulary.addresses import parse_address
from asyncchat.vocabulary.errors import Refused
from asyncchat.vocabulary.printable import printable
from asyncchat.vocabulary.terms import Code

FIRST = 3
"""The descriptor of the first socket; the others follow."""

TLS_NAME = "tls"
"""A socket whose ``FileDescriptorName=`` begins so is served with TLS."""


def handed_over(environment: MutableMapping[str, str], process: int) -> list[str]:
    """The addresses of the listening sockets that this process was started with.

    Takes the variables out of the environment: they mean no process but this one.
    """
    count, owner, names = (environment.pop(name, "") for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"))
    if owner != str(process) or not count.isdecimal():
        return []
    kinds = ["tls+fd" if name.startswith(TLS_NAME) else "fd" for name in names.split(":")]
    kinds += ["fd"] * (int(count) - len(kinds))
    return [f"{kinds[index]}:{FIRST + index}" for index in range(int(count))]


def notify(state: str) -> None:
    """Tell the service manager, if there is one: ``READY=1``, ``STOPPING=1``, or what `reloading` gives."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.setblocking(False)  # a manager that does not read must not stop the chat
        manager.connect(address)
        manager.send(state.encode())


def reloading(nanoseconds: int) -> str:
    """What to tell at the beginning of a reload; *nanoseconds* of the monotonic clock. ``READY=1`` ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={nanoseconds // 1000}"


log = logging.getLogger("asyncchat.server")

SWITCH_SECONDS = 0.0005
"""For so long the threads that read the history keep the loop from running: 5 ms, which is Python's own, is long.

Beside a client that does nothing but search and sync in 1,000,000 messages, a page of history took 10 ms at the 99th
percentile with 5 ms, and 1 to 5 ms with this; what is said is not slower for it.
"""


class Running:
    """Runs a server until it is told to stop, and is the `Host` of its control socket.

    ``load`` reads the settings anew; it raises `ConfigError`. ``file``: the configuration file, if there is one.

    Raises `ConfigError` for a certificate that cannot be used.
    """

    def __init__(self, config: Config, load: Callable[[], Config], file: str | None = None) -> None:
        self.config = config
        self._file = file
        self._load = load
        self._tls = _context(config)
        self._stop = asyncio.Event()
        self._started = False

    async def run(self) -> None:
        """Serve until `stop` or a signal; raises `StorageError` or OSError when the server cannot start."""
        config = self.config
        self.server = ChatServer(
            listen=config.listen, data=config.data, settings=config.settings, tls=self._tls, control=self
        )
        # A closed terminal hangs up as well: a server that belongs to one ends with it, and holds no port for ever.
        in_terminal = sys.stdin is not None and sys.stdin.isatty()
        hang_up = self.stop if in_terminal else self._hang_up
        handle_signals({"SIGINT": self.stop, "SIGTERM": self.stop, "SIGHUP": hang_up})
        async with self.server:
            self._started = True
            self._introduce()
            self._tell_certificate(config)
            # What is there now stays: the garbage collector need not look at it again.
            gc.collect()
            gc.freeze()
            sys.setswitchinterval(SWITCH_SECONDS)
            notify("READY=1")
            try:
                await self._stop.wait()
            finally:
                notify("STOPPING=1")
                log.info("Shutting down")
        log.info("Stopped")

    def _introduce(self) -> None:
        """Say what runs here, how people connect to it, and how it is operated."""
        data, file = self.config.data, self._file
        log.info(
            "asyncchat %s, data %s, configuration %s",
            __version__,
            "in memory" if data == MEMORY else f"in {Path(data).absolute()}",
            f"in {Path(file).absolute()}" if file is not None else "by flags alone",
        )
        if (address := next(filter(None, map(reachable, self.server.addresses)), None)) is not None:
            log.info("Connect: %s %s", _program("client", "asyncchat"), shlex.quote(address))
        if self.server.is_controlled:
            server = _program("server", "asyncchat-server")
            log.info("Operate: %s admin --data %s console", server, shlex.quote(str(Path(data).absolute())))

    @staticmethod
    def _tell_certificate(config: Config) -> None:
        """Say by what people can trust the certificate whose client trusts nobody who signed it."""
        if config.tls_cert is not None:
            log.info("The certificate's fingerprint (SHA-256) is %s", fingerprint(config.tls_cert))

    def stop(self) -> None:
        """End in good order; asked a second time, do not wait for those who do not read."""
        if self._stop.is_set():
            self.server.hurry()
        self._stop.set()

    def log_level(self, level: str | None) -> str:
        """Log from this level on; returns the one in force."""
        root = logging.getLogger()
        if level is not None:
            if level.upper() not in LOG_LEVELS:
                raise Refused(Code.MALFORMED, f"the log levels are {', '.join(LOG_LEVELS)}")
            root.setLevel(level.upper())
        return logging.getLevelName(root.level)

    def _hang_up(self) -> None:
        if self._started:  # else they are being read just now
            with contextlib.suppress(Refused):  # it stands in the log
                self.reload()

    def reload(self) -> str:
        """Read the settings anew; raises `Refused` for those that cannot be used, which change nothing."""
        notify(reloading(time.monotonic_ns()))
        try:
            return self._reload()
        finally:
            notify("READY=1")  # or the manager would wait for it, and kill us in the end

    def _reload(self) -> str:
        try:
            new = self._load()
            if self._tls is not None and new.tls_cert is not None:
                reload(self._tls, new.tls_cert, new.tls_key)
        except ValueError as error:
            log.error("Not reloaded: %s", printable(str(error)))
            raise Refused(Code.CONFLICT, f"not reloaded: {error}") from None
        text = "the settings are read anew"
        if fixed := fixed_changes(self.config, new):
            log.warning("Only a restart changes %s", ", ".join(fixed))
            text += f"; only a restart changes {', '.join(fixed)}"
        self.server.reload(new.settings)
        self._tell_certificate(new)
        logging.getLogger().setLevel(new.log_level)
        self.config = new
        log.info("Reloaded the settings")
        return text


def reachable(address: str) -> str | None:
    """The address by which a client of this machine reaches a listener; None for a socket that was handed over."""
    if address.startswith(("fd:", "tls+fd:")):
        return None
    where = parse_address(address, listening=True)
    return str(replace(where, host="localhost") if where.host in ("0.0.0.0", "::") else where)


def _program(module: str, script: str) -> str:
    """How to start one of the programs, in the way in which this one was started."""
    as_module = Path(sys.argv[0]).name == "__main__.py"
    return f"{shlex.quote(sys.executable)} -m asyncchat.{module}" if as_module else script


def _context(config: Config) -> ssl.SSLContext | None:
    if config.tls_cert is None:
        return None
    try:
        return server_context(config.tls_cert, config.tls_key)
    except ValueError as error:
        raise ConfigError("tls_cert", str(error)) from None


def handle_signals(handlers: Mapping[str, Callable[[], object]]) -> None:
    """Call these in the running loop, by the signal's name; those that the system does not have are left out."""
    loop = asyncio.get_running_loop()
    for name, handler in handlers.items():
        number = getattr(signal, name, None)
        if number is None or signal.getsignal(number) is signal.SIG_IGN:  # as nohup wants it of SIGHUP
            continue
        try:
            loop.add_signal_handler(number, handler)
        except NotImplementedError:  # Windows: its loops know no signals, but wake up for one
            signal.signal(number, lambda *_, handler=handler: loop.call_soon_threadsafe(handler))
