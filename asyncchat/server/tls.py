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


async def secure(stream: asyncio.StreamWriter, context: ssl.SSLContext, seconds: float) -> None:
    """Shake hands with a client that was just accepted, for so many seconds at most (0: no limit).

    Raises OSError: `ssl.SSLError`, a timeout, or a lost connection. See `why`.
    """
    await stream.start_tls(context, ssl_handshake_timeout=seconds or FOREVER)
    if stream.is_closing():
        # We closed it meanwhile; asyncio calls that a handshake that is done.
        raise ConnectionResetError("closed")


def why(error: OSError) -> str:
    """Why a handshake failed, in words for the log."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "failed").replace("_", " ").lower()
    if isinstance(error, ConnectionAbortedError):  # what asyncio raises when its time is over
        return "not done in time"
    return "connection lost"


def _load(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    for file in (certificate, key):
        if file is not None:
            _check_readable(file)
    try:
        # Without a password for the key, OpenSSL would ask for it on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        both = f"{certificate} and {key}" if key is not None else f"{certificate}"
        raise ValueError(
            f"{both}: {_PROBLEMS.get(error.reason or '', 'no certificate with its key, in PEM')}"
        ) from None


_PROBLEMS = {
    "KEY_VALUES_MISMATCH": "the key belongs to another certificate",
    "BAD_PASSWORD_READ": "the key has a password; it is needed without",
    "BAD_DECRYPT": "the key has a password; it is needed without",
}


def _check_readable(file: Path) -> None:
    try:
        file.open("rb").close()
    except OSError as error:
        raise ValueError(f"cannot read {file}: {error.strerror}") from None
