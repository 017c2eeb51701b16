"""TLS: the certificate, which can be replaced while people are connected, and the transport that encrypts."""

import contextlib
import hashlib
import ssl
from pathlib import Path
from typing import Any

from asyncchat.server.transport import Reader, Transport

READ_SIZE = 65_536
"""Bytes of one read from below: four records of TLS."""


def server_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """What a server needs for TLS 1.2 and newer; raises ValueError, with a text for people, for files of no use.

    ``certificate``: PEM, with its chain; ``key``: PEM, without a password, None if it is in the same file.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # else a write might have to wait for a read
    _load(context, certificate, key)
    return context


def fingerprint(certificate: Path) -> str:
    """The SHA-256 of the certificate in a PEM file (the first, if there is a chain), as clients take it."""
    pem = certificate.read_text(encoding="ascii", errors="ignore")
    end = "-----END CERTIFICATE-----"
    body = pem[pem.index("-----BEGIN CERTIFICATE-----") : pem.index(end) + len(end)]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(body)).hexdigest()


def reload(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Present another certificate to whoever connects from now on; raises ValueError, and changes nothing then."""
    server_context(certificate, key)  # a pair that does not fit would leave half of itself in the context that is used
    _load(context, certificate, key)


class HandshakeFailed(Exception):  # noqa: N818 - named for what happened
    """No TLS came about, and the connection is closed; the text says why, for the log."""


class TLSTransport:
    """TLS between a client and another transport, in memory: on any loop, and also with bytes that were read already.

    It is the client's `Reader` as well. What is below is closed with it.
    """

    __slots__ = ("_below", "_incoming", "_outgoing", "_reader", "_tls", "address", "encrypted", "inside", "local")

    def __init__(self, reader: Reader, below: Transport, context: ssl.SSLContext) -> None:
        self._reader = reader
        self._below = below
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.address = below.address
        self.local = below.local
        self.inside = below.inside
        self.encrypted = True

    async def shake_hands(self, first: bytes = b"") -> None:
        """Begin TLS; *first* was read already. Raises `HandshakeFailed`, and closes what is below then."""
        self._incoming.write(first)
        try:
            while True:
                try:
                    self._tls.do_handshake()
                except ssl.SSLWantReadError:
                    self._pass_on()
                    if not await self._feed():
                        raise HandshakeFailed("connection lost") from None
                else:
                    self._pass_on()
                    return
        except OSError as error:
            self._pass_on()  # the alert, which says why
            self._below.close()
            raise HandshakeFailed(_why(error)) from error
        except BaseException:
            self._below.abort()
            raise

    async def read(self, n: int) -> bytes:
        """The next bytes that the client said; none at the end."""
        while True:
            try:
                data = self._tls.read(n)
            except ssl.SSLWantReadError:
                self._pass_on()  # TLS has its own words to say now and then
                if not await self._feed():
                    return b""  # without TLS's goodbye: a chat has no use for it, since its lines have their ends
                continue
            except ssl.SSLZeroReturnError:
                return b""
            self._pass_on()
            return data

    async def _feed(self) -> bool:
        data = await self._reader.read(READ_SIZE)
        self._incoming.write(data)
        return bool(data)

    def _pass_on(self) -> bool:
        return self._below.write(self._outgoing.read()) if self._outgoing.pending else True

    def write(self, data: bytes) -> bool:
        """Send bytes, without waiting; false if some of them wait now."""
        if self._below.closing:
            return True
        self._tls.write(data)
        return self._pass_on()

    @property
    def waiting(self) -> int:
        """Bytes that the system has not taken yet, encrypted."""
        return self._below.waiting

    @property
    def closing(self) -> bool:
        """It is closed, or will be when what waits is sent."""
        return self._below.closing

    def limit(self, size: int) -> None:
        """Let `drained` wait while more than *size* bytes wait."""
        self._below.limit(size)

    async def drained(self) -> None:
        """Wait until little waits."""
        await self._below.drained()

    def close(self) -> None:
        """Say TLS's goodbye, and close when what waits is sent."""
        if not self._below.closing:
            with contextlib.suppress(ssl.SSLError):  # the client's goodbye is not waited for
                self._tls.unwrap()
            self._pass_on()
        self._below.close()

    def abort(self) -> None:
        """Close at once."""
        self._below.abort()

    async def closed(self) -> None:
        """Wait until it is closed."""
        await self._below.closed()

    def socket(self) -> Any:
        """The socket below, or None."""
        return self._below.socket()


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "failed").replace("_", " ").lower()
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
