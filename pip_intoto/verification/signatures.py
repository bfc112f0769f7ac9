"""Which keys signed an envelope (specification, section 4.2; DSSE; E6, E7, K4).

The cryptography library is called directly: importing securesystemslib's signers would cost the
verifier more than half of its start-up time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.errors import MetadataTooLarge, UnusableKey
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.keys import identity, material
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.envelope import Envelope, Signature
    from pip_intoto.metadata.keys import PublicKey

#: K2: the documented methods, and those that the reference implementation adds.
_RSA_SCHEMES = frozenset(
    f"{method}-sha{bits}"
    for method in ("rsassa-pss", "rsa-pkcs1v15")
    for bits in ("256", "384", "512")
)
_ECDSA_SCHEMES = {
    "ecdsa-sha2-nistp256": "secp256r1",
    "ecdsa-sha2-nistp384": "secp384r1",
    "ecdsa-sha2-nistp521": "secp521r1",
}
#: Scheme → length of the public key in bytes.
_ML_DSA_SCHEMES = {"ml-dsa-44/1": 1312, "ml-dsa-65/1": 1952, "ml-dsa-87/1": 2592}


@dataclass(frozen=True, slots=True)
class Signing:
    """A key with a signature on an envelope that verifies, and its identity."""

    key: PublicKey
    identity: str

    @property
    def keyids(self) -> tuple[str, ...]:
        """The names by which a step may authorise it."""
        return (self.key.keyid,)


#: What a signature is checked with. Two keys that share it are one (T3), under whatever keyids.
_Method: TypeAlias = tuple[str, str]


class Keyring:
    """Keys that may have signed something, each of them once.

    ``keys`` may hold the same key under several keyids. Those that cannot be used (K3) are left
    out, and listed in ``unusable``.
    """

    def __init__(self, keys: Iterable[PublicKey], *, limits: Limits = DEFAULT) -> None:
        self._limits = limits
        self._listed: dict[_Method, list[Signing]] = {}
        self._called: dict[str, list[_Method]] = {}
        self.unusable: list[PublicKey] = []
        for key in keys:
            try:
                signing = Signing(key, identity(key))
            except UnusableKey:
                self.unusable.append(key)
                continue
            method = (signing.identity, key.scheme)
            self._listed.setdefault(method, []).append(signing)
            self._called.setdefault(key.keyid, []).append(method)

    def __len__(self) -> int:
        """How many different keys there are to try."""
        return len(self._listed)

    def signings(self, envelope: Envelope) -> tuple[Signing, ...]:
        """Return every key with a signature on ``envelope`` that verifies.

        E6: every signature is tried with every key, until it verifies. One signature thus counts
        for one key; a key under several keyids is returned under each, and whoever counts counts
        identities. Raises :class:`pip_intoto.errors.MetadataTooLarge` when that takes more tries
        than ``limits.signature_checks``.
        """
        found: set[_Method] = set()
        tries = 0
        # The same signature twice is no second signature.
        for signature in dict.fromkeys(envelope.signatures):
            for method in self._likely_first(signature):
                if method in found:
                    continue
                tries += 1
                if tries > self._limits.signature_checks:
                    raise MetadataTooLarge(
                        "this document has too many signatures for so many keys",
                        expected=f"at most {self._limits.signature_checks} tries",
                    )
                if self._verifies(method, signature, envelope.signed):
                    found.add(method)
                    break
        return tuple(
            signing
            for method, listed in self._listed.items()
            if method in found
            for signing in listed
        )

    def _likely_first(self, signature: Signature) -> Iterator[_Method]:
        # E7: the keyid is a hint, and decides nothing but the order.
        hinted = self._called.get(signature.keyid, ())
        yield from hinted
        for method in self._listed:
            if method not in hinted:
                yield method

    def _verifies(self, method: _Method, signature: Signature, signed: bytes) -> bool:
        try:
            return verify_signature(self._listed[method][0].key, signature, signed)
        except UnusableKey:
            # K3: a scheme that is not one of this kind of key.
            return False


def verify_signature(key: PublicKey, signature: Signature, signed: bytes) -> bool:
    """Whether ``signature`` is ``key``'s over ``signed``; the keyid is not looked at.

    Raises :class:`pip_intoto.errors.UnusableKey` when no signature could ever verify with it:
    an unknown kind or scheme, a scheme of another kind, an RSA key below 2048 bits.
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        _verify(key, signature.value, signed)
    except InvalidSignature:
        return False
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # What OpenSSL cannot even begin with: a signature of another length, an odd exponent.
        return False
    return True


def _verify(key: PublicKey, signature: bytes, signed: bytes) -> None:
    """Return if ``signature`` is good; raise InvalidSignature, or what the library raises."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

    public = material(key)
    scheme = key.scheme
    digest = (
        SHA384()
        if scheme.endswith("384")
        else SHA512()
        if scheme.endswith(("512", "521"))
        else SHA256()
    )
    if isinstance(public, Ed25519PublicKey):
        if scheme == "ed25519":
            return public.verify(signature, signed)
    elif isinstance(public, RSAPublicKey):
        if scheme in _RSA_SCHEMES:
            # Signers choose the length of the salt; the specification names none.
            is_pss = scheme.startswith("rsassa-pss")
            padding = PSS(MGF1(digest), PSS.AUTO) if is_pss else PKCS1v15()
            return public.verify(signature, signed, padding, digest)
    elif isinstance(public, EllipticCurvePublicKey):
        if _ECDSA_SCHEMES.get(scheme) == public.curve.name:
            return public.verify(signature, signed, ECDSA(digest))
    elif _ML_DSA_SCHEMES.get(scheme) == len(public.public_bytes_raw()):
        # TUF's TAP 21: the message is hashed first, behind a prefix with the version.
        return public.verify(signature, b"tuf\x01" + hashlib.sha512(signed).digest())
    raise UnusableKey(
        "this key cannot be used with this scheme",
        expected=f"a scheme for {key.keytype} keys that is supported",
        found=shown(scheme),
    )
