"""Keys of every kind that both sides know, and of some that only one of them takes."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pip_intoto.metadata.keys import default_keyid

if TYPE_CHECKING:
    from collections.abc import Callable

    from pip_intoto.maintainer.authoring import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key that signs, and what a layout says of it."""

    keyid: str
    keytype: str
    scheme: str
    public: str
    sign: Callable[[bytes], bytes] = field(repr=False)

    def listed(self) -> JsonObject:
        """Return the key object of layouts."""
        return {
            "keyid": self.keyid,
            "keytype": self.keytype,
            "scheme": self.scheme,
            "keyval": {"public": self.public},
        }

    def called(self, keyid: str) -> Key:
        """Return the same key by another name."""
        return replace(self, keyid=keyid)


def _key(keytype: str, scheme: str, public: str, sign: Callable[[bytes], bytes]) -> Key:
    keyid = default_keyid(keytype, scheme, public)
    return Key(keyid=keyid, keytype=keytype, scheme=scheme, public=public, sign=sign)


@functools.cache
def ed25519(seed: int) -> Key:
    """Make a key of nobody: everybody can work out its secret."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return _key("ed25519", "ed25519", private.public_key().public_bytes_raw().hex(), private.sign)


@functools.cache
def ecdsa(secret: int, bits: int = 256) -> Key:
    """Make an ECDSA key on P-256 or P-384."""
    curve, digest = (
        (ec.SECP256R1(), hashes.SHA256()) if bits == 256 else (ec.SECP384R1(), hashes.SHA384())
    )
    private = ec.derive_private_key(secret, curve)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    method = ec.ECDSA(digest, deterministic_signing=True)
    return _key(
        "ecdsa",
        f"ecdsa-sha2-nistp{bits}",
        public.decode(),
        lambda data: private.sign(data, method),
    )


@functools.cache
def rsa_key(scheme: str = "rsassa-pss-sha256", bits: int = 2048) -> Key:
    """Make an RSA key; it is another one in each process."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.SHA256()
    method: padding.PSS | padding.PKCS1v15 = padding.PKCS1v15()
    if "pss" in scheme:
        method = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
    return _key("rsa", scheme, public.decode(), lambda data: private.sign(data, method, digest))


def owners() -> tuple[Key, ...]:
    """Return keys that sign root layouts."""
    return (ed25519(1), ed25519(2), ecdsa(3))


def functionaries() -> tuple[Key, ...]:
    """Return keys that carry out steps."""
    return (
        ed25519(11),
        ed25519(12),
        ed25519(13),
        ed25519(14),
        ecdsa(15),
        ecdsa(16, 384),
        rsa_key(),
        rsa_key("rsa-pkcs1v15-sha256"),
    )


STRANGER = ed25519(99)
