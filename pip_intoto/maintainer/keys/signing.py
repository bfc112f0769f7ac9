"""Keys that sign in-toto metadata, and what a signer of any kind offers.

The key objects and key ids are those that the reference implementation writes, so that either
side verifies what the other one signed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pip_intoto.errors import CommandError, UnusableKey
from pip_intoto.metadata.keys import RSA_MINIMUM_BITS, PublicKey, load_pem
from pip_intoto.verification.signatures import ml_dsa_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.mldsa import (
        MLDSA44PrivateKey,
        MLDSA65PrivateKey,
        MLDSA87PrivateKey,
    )
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    MLDSAPrivateKey: TypeAlias = MLDSA44PrivateKey | MLDSA65PrivateKey | MLDSA87PrivateKey
    PrivateKey: TypeAlias = (
        Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | MLDSAPrivateKey
    )

#: Gives the secret that it is told the name of, such as a password; raises CommandError.
Secrets: TypeAlias = "Callable[[str], str]"


class KeyType(Enum):
    """The kinds of keys that this package makes."""

    ED25519 = "ed25519"
    ECDSA = "ecdsa"
    RSA = "rsa"
    ML_DSA = "ml-dsa"


#: What they may be made in, the one that is made by default first: bits of the curve, bits, and
#: the parameter sets of FIPS 204. RSA keys of 3072 bits match the strength of the others.
SIZES = {
    KeyType.ED25519: (),
    KeyType.ECDSA: (256, 384, 521),
    KeyType.RSA: (3072, RSA_MINIMUM_BITS, 4096),
    KeyType.ML_DSA: (65, 44, 87),
}
_CURVES: dict[int, type[ec.EllipticCurve]] = {
    256: ec.SECP256R1,
    384: ec.SECP384R1,
    521: ec.SECP521R1,
}
#: K2: the hash that goes with a curve is part of the scheme's name.
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "ecdsa-sha2-nistp256": hashes.SHA256(),
    "ecdsa-sha2-nistp384": hashes.SHA384(),
    "ecdsa-sha2-nistp521": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A signature; ``other_headers`` (hex digits) only where OpenPGP made it (K6).

    ``keyid`` is the key's that made it, which may be a subkey.
    """

    keyid: str
    value: bytes
    other_headers: str = ""


class Signer(Protocol):
    """Whatever can sign: a key in a file, in a hardware module, in a cloud, or GnuPG's."""

    @property
    def keyid(self) -> str:
        """The name under which a layout lists the key, and under which links are filed.

        Raises CommandError when it cannot be told.
        """

    @property
    def public_key(self) -> PublicKey:
        """What its signatures are checked with. Raises CommandError when it cannot be told."""

    def signature(self, data: bytes) -> Made:
        """Sign *data*. Raises CommandError when that cannot be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key, and its public part as a layout lists it.

    ``public`` is what stands in ``keyval.public``: 64 hex digits for Ed25519, a PEM document for
    the others. ``keyid`` is the sha256 over the canonical JSON of type, scheme and value.
    """

    keyid: str
    keytype: str
    scheme: str
    public: str
    private: PrivateKey = field(repr=False)

    @classmethod
    def of(cls, private: PrivateKeyTypes) -> SigningKey:
        """Describe *private* the way in-toto does.

        Raises:
            CommandError: a kind, a curve or a size that cannot sign in-toto metadata.

        """
        try:
            public = load_pem(_public_pem(private))
        except UnusableKey as error:
            raise CommandError(
                f"this key cannot sign: {error}", expected=error.expected, found=error.found
            ) from None
        return cls(
            keyid=public.keyid,
            keytype=public.keytype,
            scheme=public.scheme,
            public=public.public,
            # Whatever has such a public key is of one of these kinds.
            private=cast("PrivateKey", private),
        )

    @property
    def public_key(self) -> PublicKey:
        """The public part as it is read from metadata and from policies."""
        return PublicKey(
            keyid=self.keyid, keytype=self.keytype, scheme=self.scheme, public=self.public
        )

    def sign(self, data: bytes) -> bytes:
        """Sign *data* with the key's own scheme."""
        private = self.private
        if isinstance(private, Ed25519PrivateKey):
            return private.sign(data)
        if isinstance(private, ec.EllipticCurvePrivateKey):
            return private.sign(data, ec.ECDSA(_HASHES[self.scheme]))
        if isinstance(private, rsa.RSAPrivateKey):
            # K2: "rsassa-pss-sha256"
            digest = hashes.SHA256()
            return private.sign(
                data, padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH), digest
            )
        return private.sign(ml_dsa_message(data))

    def signature(self, data: bytes) -> Made:
        """Sign *data*, and say whose signature it is."""
        return Made(keyid=self.keyid, value=self.sign(data))

    def public_pem(self) -> bytes:
        """Give the public part as PEM, which policies and the in-toto tools read."""
        return _public_pem(self.private)

    def private_pem(self, *, password: bytes | None = None) -> bytes:
        """Give the private key as PKCS #8 PEM, encrypted when there is a password."""
        protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password is not None:
            protection = serialization.BestAvailableEncryption(password)
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
        )


def generate(keytype: KeyType = KeyType.ED25519, size: int | None = None) -> SigningKey:
    """Make a new key from the system's randomness.

    ``size`` is one of :data:`SIZES`, the first of them by default. Raises CommandError for any
    other, and when the installed cryptography library cannot make such a key.
    """
    sizes = SIZES[keytype]
    if size is not None and size not in sizes:
        raise CommandError(
            f"{keytype.value} keys are not made in size {size}",
            expected=", ".join(map(str, sorted(sizes))) or "no size: they have only one",
        )
    if keytype is KeyType.ED25519:
        return SigningKey.of(Ed25519PrivateKey.generate())
    size = size or sizes[0]
    if keytype is KeyType.ECDSA:
        return SigningKey.of(ec.generate_private_key(_CURVES[size]()))
    if keytype is KeyType.RSA:
        return SigningKey.of(rsa.generate_private_key(public_exponent=65537, key_size=size))
    return SigningKey.of(_generate_ml_dsa(size))


def is_encrypted(pem: bytes) -> bool:
    """Whether it takes a password to read this private key; nothing is said of its being one."""
    # PKCS #8 says so in its first line, the older forms in a header.
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in pem or b"Proc-Type: 4,ENCRYPTED" in pem


def load(pem: bytes, *, password: bytes | None = None) -> SigningKey:
    """Read a private key from PEM; ``password`` only for one that is encrypted.

    Raises:
        CommandError: not a private key, a wrong or missing password, or an unsupported kind.

    """
    try:
        private = serialization.load_pem_private_key(pem, password)
    except TypeError:
        # cryptography answers so when a password is missing, or given and not needed.
        message = "this private key is encrypted" if password is None else "no password is needed"
        raise CommandError(
            message, expected="a password for an encrypted key, and for no other"
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        if password is not None and is_encrypted(pem):
            raise CommandError("this is not the key's password, or the key is damaged") from None
        raise CommandError(
            "this is not a private key that can be read",
            expected="a PEM document (PKCS #8)",
            found=_kind_of(pem) or str(error),
        ) from None
    return SigningKey.of(private)


def _kind_of(pem: bytes) -> str:
    """What people take for a private key in PEM; empty for anything else."""
    for mark, kind in (
        (b"-----BEGIN PUBLIC KEY-----", "a public key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----", "a key in OpenSSH's own form"),
        (b"-----BEGIN PGP", "a key in OpenPGP's own form, which --gpg signs with"),
        (b"-----BEGIN CERTIFICATE-----", "a certificate"),
    ):
        if mark in pem:
            return kind
    return "a JSON document" if pem.lstrip().startswith(b"{") else ""


def _generate_ml_dsa(size: int) -> MLDSAPrivateKey:
    try:
        # Older versions of the library do not have it.
        from cryptography.hazmat.primitives.asymmetric import mldsa

        make: dict[int, Callable[[], MLDSAPrivateKey]] = {
            44: mldsa.MLDSA44PrivateKey.generate,
            65: mldsa.MLDSA65PrivateKey.generate,
            87: mldsa.MLDSA87PrivateKey.generate,
        }
        return make[size]()
    except (ImportError, UnsupportedAlgorithm):
        raise CommandError(
            "ML-DSA keys cannot be made here",
            expected="the library cryptography, version 48 or later, with an OpenSSL that has them",
            advice="pip install --upgrade cryptography",
        ) from None


def _public_pem(private: PrivateKeyTypes) -> bytes:
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
