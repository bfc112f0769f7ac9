"""What a certificate of Fulcio's says of who signed, and what is no certificate of anybody's."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pip_intoto.errors import SigstoreInvalid
from pip_intoto.metadata.identities import GITHUB
from pip_intoto.verifier.authenticating import credential_of

if TYPE_CHECKING:
    from pip_intoto.credential import Credential

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
URI = "https://github.com/acme/demo/.github/workflows/release.yml@refs/tags/v1"
#: Fulcio's extensions: numbers of the first six are text as it is.
ISSUER_AS_TEXT, REPOSITORY_AS_TEXT, REF_AS_TEXT = 1, 5, 6
ISSUER, SIGNER_URI, REPOSITORY_URI = 8, 9, 12


def text(said: str) -> bytes:
    return bytes([0x0C, len(said)]) + said.encode()


def read(extensions: dict[int, bytes], *names: str) -> Credential:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(minutes=10))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier(name) for name in names or (URI,)]
            ),
            critical=True,
        )
    )
    for number, value in extensions.items():
        oid = x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{number}")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
    return credential_of(builder.sign(KEY, None), NOW)


def test_certificates_from_before_there_were_uris_are_read() -> None:
    old = {
        ISSUER_AS_TEXT: GITHUB.encode(),
        REPOSITORY_AS_TEXT: b"acme/demo",
        REF_AS_TEXT: b"refs/tags/v1",
    }
    found = read(old)
    assert (found.issuer, found.host) == (GITHUB, "github.com")
    assert (found.repository, found.ref) == ("acme/demo", "refs/tags/v1")


def test_a_repository_without_a_host_is_one_of_githubs_alone() -> None:
    other = {ISSUER: text("https://id.example"), REPOSITORY_AS_TEXT: b"acme/demo"}
    assert read(other).repository == ""


@pytest.mark.parametrize("uri", ["http://github.com/acme/demo", "https://github.com", "acme/demo"])
def test_a_repository_is_where_a_secure_address_says(uri: str) -> None:
    assert read({ISSUER: text(GITHUB), REPOSITORY_URI: text(uri)}).repository == ""


def test_a_workflow_of_another_host_is_known_by_its_whole_address() -> None:
    elsewhere = "https://evil.example/acme/demo/.github/workflows/release.yml"
    said = {
        ISSUER: text(GITHUB),
        REPOSITORY_URI: text("https://github.com/acme/demo"),
        SIGNER_URI: text(elsewhere),
    }
    assert read(said).workflow == elsewhere


@pytest.mark.parametrize(
    "extensions",
    [
        {},
        {ISSUER: text("")},
        {ISSUER: b""},
        {ISSUER: GITHUB.encode()},
        {ISSUER: text(GITHUB) + b"/more"},
        {ISSUER: text(GITHUB)[:-1]},
        {ISSUER: text(GITHUB), SIGNER_URI: text("release.yml\x1b[2K")},
        {ISSUER: text(GITHUB), SIGNER_URI: b"\x0c\x01\xff"},
    ],
)
def test_a_certificate_that_says_no_more_than_half_is_nobodys(
    extensions: dict[int, bytes],
) -> None:
    with pytest.raises(SigstoreInvalid):
        read(extensions)


def test_nobody_has_two_names() -> None:
    assert read({ISSUER: text(GITHUB)}, URI).subject == URI
    for first, second in ((URI, "https://evil.example"), ("https://evil.example", URI)):
        with pytest.raises(SigstoreInvalid, match="does not name its holder"):
            read({ISSUER: text(GITHUB)}, first, second)
