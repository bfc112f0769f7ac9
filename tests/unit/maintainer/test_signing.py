"""Private keys of every kind: their names, their signatures, their PEM form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from securesystemslib.signer import CryptoSigner, Signature, SSlibKey

from pip_intoto.errors import CommandError
from pip_intoto.maintainer.keys import signing
from pip_intoto.maintainer.keys.signing import SIZES, KeyType, SigningKey
from pip_intoto.metadata import keys
from pip_intoto.metadata.envelope import Signature as Ours
from pip_intoto.verification.signatures import verify_signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

#: Every kind that can be made: type, and size.
KINDS = [(keytype, size) for keytype, sizes in SIZES.items() for size in sizes or (None,)]
every_kind = pytest.mark.parametrize(
    ("keytype", "size"), KINDS, ids=[f"{keytype.value}-{size}" for keytype, size in KINDS]
)


@every_kind
@pytest.mark.accepts("K2", "K4")
def test_K2_K4_a_key_is_named_as_securesystemslib_names_it(
    keytype: KeyType, size: int | None
) -> None:
    key = signing.generate(keytype, size)
    theirs = SSlibKey.from_crypto(key.private.public_key())
    assert (key.keyid, key.keytype, key.scheme) == (theirs.keyid, theirs.keytype, theirs.scheme)
    assert key.public == theirs.keyval["public"]
    assert key.public_key == keys.load_pem(key.public_pem())


@every_kind
@pytest.mark.accepts("K2")
def test_K2_both_sides_verify_what_a_key_signs(keytype: KeyType, size: int | None) -> None:
    key = signing.generate(keytype, size)
    theirs = SSlibKey.from_crypto(key.private.public_key())
    made = key.signature(b"data")
    assert made.keyid == key.keyid
    assert not made.other_headers
    theirs.verify_signature(Signature(key.keyid, made.value.hex()), b"data")
    assert verify_signature(key.public_key, Ours(key.keyid, made.value), b"data")
    assert not verify_signature(key.public_key, Ours(key.keyid, made.value), b"other data")


@every_kind
@pytest.mark.accepts("K2")
def test_K2_what_securesystemslib_signs_with_our_key_verifies(
    keytype: KeyType, size: int | None
) -> None:
    key = signing.generate(keytype, size)
    signed = CryptoSigner(key.private).sign(b"data")
    value = bytes.fromhex(signed.signature)
    assert verify_signature(key.public_key, Ours(signed.keyid, value), b"data")


@every_kind
def test_a_key_survives_its_pem_form_with_and_without_a_password(
    keytype: KeyType, size: int | None
) -> None:
    key = signing.generate(keytype, size)
    plain, encrypted = key.private_pem(), key.private_pem(password=b"hunter2")
    assert [signing.is_encrypted(pem) for pem in (plain, encrypted)] == [False, True]
    assert signing.load(plain).public_key == key.public_key
    assert signing.load(encrypted, password=b"hunter2").public_key == key.public_key


def test_a_key_in_an_older_form_is_read_too() -> None:
    key = signing.generate(KeyType.RSA, 2048)
    form = PrivateFormat.TraditionalOpenSSL
    plain = key.private.private_bytes(Encoding.PEM, form, NoEncryption())
    encrypted = key.private.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"pw"))
    assert signing.is_encrypted(encrypted)
    assert signing.load(plain).keyid == signing.load(encrypted, password=b"pw").keyid == key.keyid


def test_the_private_part_is_not_shown() -> None:
    key = signing.generate()
    assert "private" not in repr(key)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.rejects("K2")
@pytest.mark.parametrize(
    ("private", "found"),
    [
        (rsa.generate_private_key(public_exponent=65537, key_size=1024), "1024 bits"),
        (ec.generate_private_key(ec.SECP256K1()), "ECPublicKey"),
        (x25519.X25519PrivateKey.generate(), "X25519PublicKey"),
    ],
    ids=["short rsa", "another curve", "a key that cannot sign"],
)
def test_K2_keys_that_nobody_verifies_with_do_not_sign(
    private: PrivateKeyTypes, found: str
) -> None:
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(CommandError, match="cannot sign") as caught:
        signing.load(pem)
    assert found in caught.value.found


@pytest.mark.parametrize(
    ("keytype", "size"),
    [(KeyType.ED25519, 256), (KeyType.RSA, 1024), (KeyType.ECDSA, 224), (KeyType.ML_DSA, 66)],
)
def test_keys_come_in_no_other_sizes(keytype: KeyType, size: int) -> None:
    with pytest.raises(CommandError, match="not made in size") as caught:
        signing.generate(keytype, size)
    assert caught.value.expected == (
        ", ".join(map(str, sorted(SIZES[keytype]))) or "no size: they have only one"
    )


def test_a_wrong_password_is_told_from_none_and_from_one_too_many() -> None:
    key = signing.generate()
    encrypted = key.private_pem(password=b"right")
    with pytest.raises(CommandError, match="not the key's password"):
        signing.load(encrypted, password=b"wrong")
    with pytest.raises(CommandError, match="this private key is encrypted"):
        signing.load(encrypted)
    with pytest.raises(CommandError, match="no password is needed"):
        signing.load(key.private_pem(), password=b"right")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (signing.generate().public_pem(), "a public key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nYQ==\n-----END", "OpenSSH's own form"),
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n", "OpenPGP's own form"),
        (b"-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n", "a certificate"),
        (b' {"keytype": "ed25519"}', "a JSON document"),
        (b"\x00\xff garbage", "PEM"),
        (b"", "PEM"),
        (signing.generate().private_pem()[:70], "PEM"),
    ],
    ids=["public", "openssh", "openpgp", "certificate", "json", "garbage", "empty", "cut"],
)
def test_what_is_no_private_key_is_called_by_its_name(content: bytes, found: str) -> None:
    with pytest.raises(CommandError, match="not a private key that can be read") as caught:
        signing.load(content)
    assert found in caught.value.found
    assert "PKCS #8" in caught.value.expected


def test_a_signing_key_is_described_only_by_what_it_is() -> None:
    key = signing.generate(KeyType.ECDSA, 384)
    again = SigningKey.of(key.private)
    assert again == key
    assert again.scheme == "ecdsa-sha2-nistp384"
