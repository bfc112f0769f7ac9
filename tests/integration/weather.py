"""Faults of a server beyond those that the index itself brings."""

from __future__ import annotations

import contextlib
import datetime as dt
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.loopback import Index

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from tests.integration.loopback import Exchange


@dataclass(frozen=True, slots=True)
class Hold:
    """Keeps requests waiting until it is released, and then serves them as usual."""

    _released: threading.Event = field(default_factory=threading.Event)

    def happen(self, exchange: Exchange) -> None:
        self._released.wait()
        exchange.serve()

    def release(self) -> None:
        """Let everybody go on."""
        self._released.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


@dataclass(frozen=True, slots=True)
class Drip:
    """Sends a byte every so many seconds, for as long as the client reads."""

    seconds: float = 0.2

    def happen(self, exchange: Exchange) -> None:
        exchange.begin({})
        while exchange.send(b" ") and not exchange.closing.wait(self.seconds):
            pass


@dataclass(frozen=True, slots=True)
class Answer:
    """Answers 200 with these headers and this body, whether or not they fit each other."""

    headers: Mapping[str, str]
    body: bytes

    def happen(self, exchange: Exchange) -> None:
        exchange.begin(self.headers)
        exchange.send(self.body)


#: A name and no address: from 24.2 on, pip's urllib3 has no host name to check for an address.
_SECURE_NAME = "localhost"


@contextlib.contextmanager
def serving_securely(folder: Path) -> Iterator[tuple[Index, str, Path]]:
    """Start an index behind TLS; give it, its origin, and the certificate to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _SECURE_NAME)])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(_SECURE_NAME)]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    authority, private = folder / "authority.pem", folder / "private.pem"
    authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, private)
    index = Index()
    server = index._server
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with index:
        yield index, index.origin.replace("http://127.0.0.1", f"https://{_SECURE_NAME}"), authority
