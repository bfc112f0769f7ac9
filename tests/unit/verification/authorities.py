"""Certificates for the tests of this package: a root, an intermediate and those that they certify.

They are made when the tests are, by ``cryptography``, with keys that nobody else has.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import NameOID

from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.maintainer.keys.signing import SigningKey
from tests.unit.verification.supply import NOW, as_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.bundle import Document

PrivateKey: TypeAlias = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey

DAY = timedelta(days=1)
SPIFFE = "spiffe://example.com/build"


@dataclass(frozen=True, kw_only=True)
class Certified:
    """A certificate, and the key that it is for."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def signing_key(self) -> SigningKey:
        return SigningKey.of(self.key)


def usage(*allowed: str) -> x509.KeyUsage:
    """Allow a key only what is named."""
    kinds = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{kind: kind in allowed for kind in kinds})


def certify(
    name: str = "",
    *,
    by: Certified | None = None,
    key: PrivateKey | None = None,
    signed_with: PrivateKey | None = None,
    authority: bool = False,
    path_length: int | None = None,
    organizations: Sequence[str] = (),
    uris: Iterable[str] = (),
    dns_names: Iterable[str] = (),
    emails: Iterable[str] = (),
    since: datetime = NOW - DAY,
    until: datetime = NOW + DAY,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> Certified:
    """Issue a certificate for ``name`` (its common name), self-signed unless ``by`` somebody.

    ``signed_with`` is the key that really signs it; ``extensions`` are (extension, critical).
    """
    key = key or Ed25519PrivateKey.generate()
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
    attributes += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    subject = x509.Name(attributes)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
    alternatives: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
    alternatives += [x509.DNSName(each) for each in dns_names]
    alternatives += [x509.RFC822Name(each) for each in emails]
    if alternatives:
        # Critical, as SPIFFE has it where there is no other name.
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), not name)
    if authority:
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=path_length), critical=True
        )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    issuer_key = signed_with or (by.key if by else key)
    default = None if isinstance(issuer_key, Ed25519PrivateKey) else SHA256()
    return Certified(certificate=builder.sign(issuer_key, default), key=key)


def key_object(authority: Certified, keyid: str) -> JsonObject:
    """Describe an authority as in-toto-golang lists it in a layout."""
    return {
        "keyid": keyid,
        "keyid_hash_algorithms": ["sha256", "sha512"],
        "keytype": "ed25519",
        "keyval": {"private": "", "public": "", "certificate": authority.pem},
        "scheme": "ed25519",
    }


def listed(**authorities: Certified) -> JsonObject:
    """List authorities by keyid."""
    return {keyid: key_object(each, keyid) for keyid, each in authorities.items()}


def bundled(roots: Iterable[Certified], intermediates: Iterable[Certified] = ()) -> JsonObject:
    """List authorities as ITE-7 does."""
    return {
        "bundleid": "bundle",
        "roots": [each.pem for each in roots],
        "intermediates": [each.pem for each in intermediates],
    }


def constraint(**changes: object) -> JsonObject:
    """Ask for nothing in particular, but for what is given."""
    anything: JsonObject = {
        "common_name": "*",
        "dns_names": ["*"],
        "emails": ["*"],
        "organizations": ["*"],
        "roots": ["*"],
        "uris": ["*"],
    }
    return anything | changes  # type: ignore[return-value]


def signed_with(
    payload: JsonObject,
    *signers: Certified,
    envelope: Envelope = Envelope.METABLOCK,
    member: str = "cert",
    certificates: Sequence[Certified] | None = None,
    origin: str = "evidence",
    hint: str = "",
) -> Document:
    """Sign a payload, and send the certificates along."""
    content = sign_with(
        payload, *signers, envelope=envelope, member=member, certificates=certificates
    )
    return as_document(content, origin=origin, hint=hint)


def sign_with(
    payload: JsonObject,
    *signers: Certified,
    envelope: Envelope = Envelope.METABLOCK,
    member: str = "cert",
    certificates: Sequence[Certified] | None = None,
) -> JsonObject:
    """Sign a payload, and add the certificates to the signatures."""
    content = authoring.sign(payload, [each.signing_key for each in signers], envelope)
    signatures = content["signatures"]
    assert isinstance(signatures, list)
    for signature, certificate in zip(signatures, certificates or signers, strict=True):
        assert isinstance(signature, dict)
        signature[member] = certificate.pem
    return content


def with_sha1(made: Certified, issuer: RSAPrivateKey) -> Certified:
    """Sign a certificate again as nobody should any more (and the library does no more)."""
    certificate = made.certificate
    # The last byte of the name of an algorithm, sha256WithRSAEncryption or sha1WithRSAEncryption.
    strong, weak = (bytes.fromhex("06092a864886f70d0101") + last for last in (b"\x0b", b"\x05"))
    body = certificate.tbs_certificate_bytes.replace(strong, weak)
    data = certificate.public_bytes(Encoding.DER)
    data = data.replace(certificate.tbs_certificate_bytes, body).replace(strong, weak)
    data = data.replace(certificate.signature, issuer.sign(body, PKCS1v15(), SHA1()))  # noqa: S303
    return Certified(certificate=x509.load_der_x509_certificate(data), key=made.key)
