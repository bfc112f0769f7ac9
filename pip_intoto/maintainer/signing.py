"""Keys that sign in-toto metadata: Ed25519, ECDSA P-256 and RSA.

The key objects and key ids are those that the reference implementation writes, so that either
side verifies what the other one signed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
)
from cryptography.hazmat.primitives.asymmetric.ec import (
    generate_private_key as generate_ecdsa,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    generate_private_key as generate_rsa,
)

from pip_intoto import files
from pip_intoto.errors import CommandError
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import canonical
from pip_intoto.metadata.keys import PublicKey

if TYPE_CHECKING:
    from collections.abc import Callable

#: Gives the secret that it is told the name of, such as a password; raises CommandError.
Secrets: TypeAlias = "Callable[[str], str]"
PrivateKey: TypeAlias = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey

#: The specification asks for at least 2048 bits; three thousand match the strength of the others.
RSA_BITS = 3072
RSA_BITS_MINIMUM = 2048


class KeyType(Enum):
    """The kinds of keys that this package makes."""

    ED25519 = "ed25519"
    ECDSA = "ecdsa"
    RSA = "rsa"


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
        """The name under which a layout lists the key, and under which links are filed."""

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
    def of(cls, private: PrivateKey) -> SigningKey:
        """Describe *private* the way in-toto does.

        Raises:
            CommandError: the curve is not P-256, or the RSA key is shorter than 2048 bits.

        """
        if isinstance(private, Ed25519PrivateKey):
            keytype, scheme = "ed25519", "ed25519"
            public = private.public_key().public_bytes_raw().hex()
        else:
            if isinstance(private, RSAPrivateKey):
                keytype, scheme = "rsa", "rsassa-pss-sha256"
                _check_rsa_size(private)
            else:
                keytype, scheme = "ecdsa", "ecdsa-sha2-nistp256"
                _check_curve(private)
            public = _public_pem(private)
        return cls(
            keyid=default_keyid(keytype, scheme, public),
            keytype=keytype,
            scheme=scheme,
            public=public,
            private=private,
        )

    @property
    def public_key(self) -> PublicKey:
        """Give the public part as it is read from metadata and from policies."""
        return PublicKey(
            keyid=self.keyid, keytype=self.keytype, scheme=self.scheme, public=self.public
        )

    def sign(self, data: bytes) -> bytes:
        """Sign *data* with the key's own scheme."""
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(data)
        if isinstance(self.private, RSAPrivateKey):
            digest = hashes.SHA256()
            return self.private.sign(
                data, padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH), digest
            )
        return self.private.sign(data, ECDSA(hashes.SHA256()))

    def signature(self, data: bytes) -> Made:
        """Sign *data*, and say whose signature it is."""
        return Made(keyid=self.keyid, value=self.sign(data))

    def public_pem(self) -> bytes:
        """Give the public part as PEM, which policies and the in-toto tools read."""
        return _public_pem(self.private).encode("ascii")

    def private_pem(self, *, password: bytes | None = None) -> bytes:
        """Give the private key as PKCS #8 PEM, encrypted when there is a password."""
        protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password is not None:
            protection = serialization.BestAvailableEncryption(password)
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
        )


def generate(keytype: KeyType = KeyType.ED25519) -> SigningKey:
    """Make a new key from the system's randomness."""
    private: PrivateKey
    if keytype is KeyType.ED25519:
        private = Ed25519PrivateKey.generate()
    elif keytype is KeyType.ECDSA:
        private = generate_ecdsa(SECP256R1())
    else:
        private = generate_rsa(public_exponent=65537, key_size=RSA_BITS)
    return SigningKey.of(private)


def load(pem: bytes, *, password: bytes | None = None) -> SigningKey:
    """Read a private key from PEM.

    Raises:
        CommandError: not a private key, a wrong or missing password, or an unsupported kind.

    """
    try:
        private = serialization.load_pem_private_key(pem, password)
    except TypeError as error:
        # cryptography answers so when a password is missing, or given and not needed.
        message = "this private key needs another answer about its password"
        raise CommandError(message, found=str(error)) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        message = "this is not a private key that can be read"
        raise CommandError(
            message, expected="a PEM document (PKCS #8) and its password", found=str(error)
        ) from error
    if isinstance(private, Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey):
        return SigningKey.of(private)
    message = "keys of this kind cannot sign in-toto metadata"
    raise CommandError(message, expected="ed25519, ecdsa or rsa", found=type(private).__name__)


def open_signer(reference: str, secrets: Secrets) -> Signer:
    """Open the key that a command line names: so far, the path of a PEM file.

    ``secrets`` is asked for a password where one is needed. Raises CommandError when the key cannot
    be read, or cannot sign.
    """
    pem = files.read(Path(reference), DEFAULT.key_bytes)
    if b"ENCRYPTED" not in pem:
        return load(pem)
    return load(pem, password=secrets(f"password of {reference}").encode())


def default_keyid(keytype: str, scheme: str, public: str) -> str:
    """Compute the id that the reference implementation gives to a public key."""
    # K4: the SHA-256 over the canonical JSON of the public key, in hex.
    described = canonical.encode(
        {"keytype": keytype, "scheme": scheme, "keyval": {"public": public}}
    )
    return hashlib.sha256(described).hexdigest()


def _public_pem(private: PrivateKey) -> str:
    return (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode("ascii")
    )


def _check_rsa_size(private: RSAPrivateKey) -> None:
    if private.key_size < RSA_BITS_MINIMUM:
        message = "this RSA key is too short"
        raise CommandError(
            message,
            expected=f"at least {RSA_BITS_MINIMUM} bits",
            found=f"{private.key_size} bits",
        )


def _check_curve(private: EllipticCurvePrivateKey) -> None:
    if not isinstance(private.curve, SECP256R1):
        message = "ECDSA keys on this curve cannot sign here"
        raise CommandError(message, expected="secp256r1 (P-256)", found=private.curve.name)
