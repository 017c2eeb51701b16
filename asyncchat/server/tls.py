"""The certificate of the ``tls://`` addresses, which can be replaced while people are connected."""

import asyncio
import ssl
from pathlib import Path

FOREVER = 10 * 365 * 86400.0
"""Seconds that are no limit: asyncio takes None for its own default there."""


def server_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """What a server needs for TLS 1.2 and newer; raises ValueError, with a text for people, for files of no use.

    ``certificate``: PEM, with its chain; ``key``: PEM, without a password, None if it is in the same file.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, certificate, key)
    return context


def reload(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Present another certificate to whoever connects from now on; raises ValueError, and changes nothing then."""
    server_context(certificate, key)  # a pair that does not fit would leave half of itself in the context that is used
    _load(context, certificate, key)


class HandshakeFailed(Exception):  # noqa: N818 - named for what happened
    """No TLS came about, and the connection is closed; the text says why, for the log."""


class _Protocol(asyncio.StreamReaderProtocol):
    """A peer may close right after the handshake, before `connection_made` tells the protocol that it is above TLS."""

    def eof_received(self) -> bool:
        """No half of a TLS connection stays open."""
        super().eof_received()
        return False


async def shake_hands(
    stream: asyncio.StreamWriter, context: ssl.SSLContext, *, handshake: float, closing: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin TLS with a client that was just accepted and not read from; raises `HandshakeFailed`.

    ``handshake`` and ``closing``: seconds for the handshake, and for TLS's own goodbye at the end; 0 is no limit. The
    stream is used up: the new ones take its place.
    """
    # `StreamWriter.start_tls` breaks when the connection is lost meanwhile, and its reader would pause the wrong
    # transport: so these are streams of our own, as asyncio makes them for a connection that is accepted.
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = _Protocol(reader, loop=loop)
    try:
        transport = await loop.start_tls(
            stream.transport,
            protocol,
            context,
            server_side=True,
            ssl_handshake_timeout=handshake or FOREVER,
            ssl_shutdown_timeout=closing or FOREVER,
        )
    except OSError as error:
        stream.transport.abort()
        raise HandshakeFailed(_why(error)) from error
    except BaseException:
        stream.transport.abort()
        raise
    if transport is None or transport.is_closing():  # lost meanwhile: asyncio calls that a handshake that is done
        stream.transport.abort()
        raise HandshakeFailed("connection lost")
    protocol.connection_made(transport)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "failed").replace("_", " ").lower()
    if isinstance(error, ConnectionAbortedError):  # what asyncio raises when its time is over
        return "not done in time"
    return "connection lost"


def _load(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    for file in (certificate, key):
        if file is not None:
            _check_readable(file)
    asked = False

    def password() -> str:  # or OpenSSL would ask for it on the terminal
        nonlocal asked
        asked = True
        return ""

    try:
        context.load_cert_chain(certificate, key, password)
    except ssl.SSLError as error:
        problem = "no certificate with its key, in PEM"
        if asked:
            problem = "the key has a password; it is needed without"
        elif error.reason == "KEY_VALUES_MISMATCH":
            problem = "the key belongs to another certificate"
        both = f"{certificate} and {key}" if key is not None else f"{certificate}"
        raise ValueError(f"{both}: {problem}") from None


def _check_readable(file: Path) -> None:
    try:
        file.open("rb").close()
    except OSError as error:
        raise ValueError(f"cannot read {file}: {error.strerror}") from None
