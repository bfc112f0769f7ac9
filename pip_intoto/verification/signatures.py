"""Which keys signed an envelope (specification, section 4.2; DSSE; E6, E7, K4).

The cryptography library is called directly: importing securesystemslib's signers would cost the
verifier more than half of its start-up time.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pip_intoto.errors import MetadataTooLarge, UnusableKey
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.keys import identity, material
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def signers(
    envelope: Envelope, keys: Iterable[PublicKey], *, limits: Limits = DEFAULT
) -> tuple[PublicKey, ...]:
    """Every one of ``keys`` that has a verifying signature on ``envelope``, in the given order.

    Unusable keys are skipped. Keys of equal material are all returned: who counts them counts
    :func:`pip_intoto.metadata.keys.identity`. Raises
    :class:`pip_intoto.errors.MetadataTooLarge` when the envelope asks for more tries than
    ``limits.signature_checks``.
    """
    checks = 0
    known: dict[tuple[str, str], bool] = {}
    found: list[PublicKey] = []
    for key in keys:
        try:
            which = (identity(key), key.scheme)
            if which not in known:
                known[which] = False
                for signature in _likely_first(envelope, key):
                    checks += 1
                    if checks > limits.signature_checks:
                        raise MetadataTooLarge(
                            "this document has too many signatures for so many keys",
                            expected=f"at most {limits.signature_checks} tries",
                        )
                    if verify_signature(key, signature, envelope.signed):
                        known[which] = True
                        break
        except UnusableKey:
            # K3
            continue
        if known[which]:
            found.append(key)
    return tuple(found)


def _likely_first(envelope: Envelope, key: PublicKey) -> list[Signature]:
    # E7: the keyid is a hint, and decides nothing but the order.
    return sorted(envelope.signatures, key=lambda signature: signature.keyid != key.keyid)


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
