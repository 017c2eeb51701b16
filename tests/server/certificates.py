"""Certificates for the tests of TLS, by an authority of the test's own."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates, each in two files of a directory; ``file`` is its own, for those who trust it."""

    folder: Path
    authority: trustme.CA

    @classmethod
    def new(cls, folder: Path) -> "Authority":
        self = cls(folder, trustme.CA())
        self.authority.cert_pem.write_to_path(str(self.file))
        return self

    @property
    def file(self) -> Path:
        return self.folder / "authority.pem"

    def issue(self, name: str = "server") -> tuple[Path, Path]:
        """A new certificate for this machine, and its key, in files that replace those of before."""
        issued = self.authority.issue_cert("localhost", "127.0.0.1")
        certificate, key = self.folder / f"{name}.cert", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(key))
        return certificate, key

    def trusting(self) -> ssl.SSLContext:
        """What a client needs that trusts this authority."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context
