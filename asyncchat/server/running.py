"""A server as a process of its own: signals, reloads, and an end in good order."""

import asyncio
import contextlib
import gc
import logging
import signal
import ssl
import sys
import time
from collections.abc import Callable, Mapping

from asyncchat.server.app import ChatServer
from asyncchat.server.config import Config, ConfigError, fixed_changes
from asyncchat.server.systemd import notify, reloading
from asyncchat.server.tls import fingerprint, reload, server_context
from asyncchat.vocabulary.printable import printable

log = logging.getLogger("asyncchat.server")

SWITCH_SECONDS = 0.0005
"""For so long the threads that read the history keep the loop from running: 5 ms, which is Python's own, is long.

Beside a client that does nothing but search and sync in 1,000,000 messages, a page of history took 10 ms at the 99th
percentile with 5 ms, and 1 to 5 ms with this; what is said is not slower for it.
"""


class Running:
    """Runs a server until it is told to stop. ``load`` reads the settings anew; it raises `ConfigError`.

    Raises `ConfigError` for a certificate that cannot be used.
    """

    def __init__(self, config: Config, load: Callable[[], Config]) -> None:
        self.config = config
        self._load = load
        self._tls = _context(config)
        self._stop = asyncio.Event()
        self._started = False
        self.attended: Callable[[], contextlib.AbstractAsyncContextManager[None]] = contextlib.nullcontext
        """What surrounds the server while it runs: somebody who types."""

    async def run(self) -> None:
        """Serve until `stop` or a signal; raises `StorageError` or OSError when the server cannot start."""
        config = self.config
        self.server = ChatServer(listen=config.listen, data=config.data, settings=config.settings, tls=self._tls)
        # A closed terminal hangs up as well: a server that belongs to one ends with it, and holds no port for ever.
        in_terminal = sys.stdin is not None and sys.stdin.isatty()
        hang_up = self.stop if in_terminal else self.reload
        handle_signals({"SIGINT": self.stop, "SIGTERM": self.stop, "SIGHUP": hang_up})
        async with self.server:  # which is closed whatever befalls those who attend to it
            self._started = True
            self._tell_certificate(config)
            # What is there now stays: the garbage collector need not look at it again.
            gc.collect()
            gc.freeze()
            sys.setswitchinterval(SWITCH_SECONDS)
            notify("READY=1")
            async with self.attended():
                try:
                    await self._stop.wait()
                finally:
                    notify("STOPPING=1")
                    log.info("Shutting down")
                    await self.server.aclose()  # while its log still stands above the line being typed
        log.info("Stopped")

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

    def reload(self) -> bool:
        """Read the settings anew; those that cannot be used change nothing. Did it work?"""
        if not self._started:
            return False  # they are being read just now
        notify(reloading(time.monotonic_ns()))
        try:
            return self._reload()
        finally:
            notify("READY=1")  # or the manager would wait for it, and kill us in the end

    def _reload(self) -> bool:
        try:
            new = self._load()
            if self._tls is not None and new.tls_cert is not None:
                reload(self._tls, new.tls_cert, new.tls_key)
        except ValueError as error:
            log.error("Not reloaded: %s", printable(str(error)))
            return False
        fixed = fixed_changes(self.config, new)
        if fixed:
            log.warning("Only a restart changes %s", ", ".join(fixed))
        self.server.reload(new.settings)
        self._tell_certificate(new)
        logging.getLogger().setLevel(new.log_level)
        self.config = new
        log.info("Reloaded the settings")
        return True


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
