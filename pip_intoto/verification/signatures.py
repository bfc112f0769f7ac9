"""Which keys signed an envelope (specification, section 4.2; DSSE; E6, E7, K4).

The cryptography library is called directly: importing securesystemslib's signers would cost the
verifier more than half of its start-up time. Only OpenPGP signatures are left to that library.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.errors import MetadataTooLarge, UnusableKey
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.keys import identity, material
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

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
    """A key with a signature on an envelope that verifies, and its identity.

    K6: ``subkey`` is the one that signed, where it was not ``key`` itself, and ``identity`` is that
    of the one that signed. ``family`` are the identities of all keys that belong to the same
    OpenPGP key, the master's first; ``masters`` those that the signing key is a subkey of.
    """

    key: PublicKey
    identity: str
    subkey: PublicKey | None = None
    family: tuple[str, ...] = ()
    masters: tuple[str, ...] = ()

    @property
    def signer(self) -> PublicKey:
        """The key that made the signature."""
        return self.subkey or self.key

    @property
    def keyids(self) -> tuple[str, ...]:
        """The names by which a step may authorise it."""
        # K6: who names the master accepts its subkeys; who names a subkey accepts only that.
        if self.subkey is not None:
            return (self.subkey.keyid, self.key.keyid)
        return (self.key.keyid,)

    def principal(self, names: Mapping[str, str]) -> tuple[str, str]:
        """The party that signed, and its name out of ``names`` (by identity), empty without one.

        The keys of one family are one party (K6), whichever of them has the name.
        """
        family = self.family or (self.identity,)
        name = next((names[each] for each in family if each in names), "")
        return f"principal {name}" if name else f"key {family[0]}", name

    def is_among(self, revoked: Collection[str]) -> bool:
        """Whether the key, or one that it is a subkey of, is among ``revoked`` (identities)."""
        return self.identity in revoked or any(each in revoked for each in self.masters)

    def invalid_at(self, now: datetime) -> str:
        """Why the key does not count at ``now`` (K6), for messages; empty when it does."""
        if self.subkey is not None and (reason := self.subkey.invalid_at(now)):
            return f"the subkey {reason}"
        reason = self.key.invalid_at(now)
        return f"the key {reason}" if reason else ""


#: What a signature is checked with. Two keys that share it are one (T3), under whatever keyids.
_Method: TypeAlias = tuple[str, str]


class Keyring:
    """Keys that may have signed something, each of them once.

    ``keys`` may hold the same key under several keyids. Those that cannot be used (K3) are left
    out, and listed in ``unusable``. ``now`` (aware) is for OpenPGP signatures that say when they
    expire; without it they do not count. That a key has expired is for the caller to ask.
    """

    def __init__(
        self,
        keys: Iterable[PublicKey],
        *,
        now: datetime | None = None,
        limits: Limits = DEFAULT,
    ) -> None:
        self._now = now
        self._limits = limits
        self._listed: dict[_Method, list[Signing]] = {}
        self._called: dict[str, list[_Method]] = {}
        self.unusable: list[PublicKey] = []
        #: Keys that belong to an OpenPGP key, by identity.
        self._relatives: dict[str, Signing] = {}
        for signing in _as_families(self._signings_of(keys)):
            if signing.family:
                self._relatives[signing.identity] = signing
            method = (signing.identity, signing.signer.scheme)
            self._listed.setdefault(method, []).append(signing)
            self._called.setdefault(signing.signer.keyid, []).append(method)

    def _signings_of(self, keys: Iterable[PublicKey]) -> Iterator[Signing]:
        for key in keys:
            try:
                ident = identity(key)
                yield Signing(key, ident)
            except UnusableKey:
                self.unusable.append(key)
                continue
            for subkey in key.subkeys:
                try:
                    yield Signing(key, identity(subkey), subkey=subkey, masters=(ident,))
                except UnusableKey:
                    self.unusable.append(subkey)

    def __len__(self) -> int:
        """How many different keys there are to try."""
        return len(self._listed)

    def kin(self, identity: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the family and the masters of a key, both empty when it has none (K6)."""
        relative = self._relatives.get(identity)
        return ((), ()) if relative is None else (relative.family, relative.masters)

    def signings(self, envelope: Envelope) -> tuple[Signing, ...]:
        """Return every key with a signature on ``envelope`` that verifies.

        E6: every signature is tried with every key, until it verifies. One signature thus counts
        for one key; a key under several keyids is returned under each, and whoever counts counts
        identities. Raises :class:`pip_intoto.errors.MetadataTooLarge` when that takes more tries
        than ``limits.signature_checks``.
        """
        found: set[_Method] = set()
        tries = 0
        signed = envelope.signed if envelope.signatures else b""
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
                if self._verifies(method, signature, signed):
                    found.add(method)
                    break
        return tuple(
            signing
            for method, listed in self._listed.items()
            if method in found
            for signing in listed
        )

    def _likely_first(self, signature: Signature) -> Iterator[_Method]:
        if expired(signature, self._now):
            return
        # E7: the keyid is a hint, and decides nothing but the order.
        hinted = self._called.get(signature.keyid, ())
        yield from (method for method in hinted if _can_make(method[1], signature))
        for method in self._listed:
            if method not in hinted and _can_make(method[1], signature):
                yield method

    def _verifies(self, method: _Method, signature: Signature, signed: bytes) -> bool:
        try:
            return verify_signature(self._listed[method][0].signer, signature, signed)
        except UnusableKey:
            # K3: a scheme that is not one of this kind of key.
            return False


def _as_families(signings: Iterable[Signing]) -> Iterable[Signing]:
    """``signings``, each with the family that its key belongs to, if it belongs to one.

    K6: what is listed as a subkey somewhere is one, though it be listed for itself as well.
    """
    listed = list(signings)
    if all(signing.subkey is None for signing in listed):
        return listed
    families: dict[str, dict[str, None]] = {}
    masters: dict[str, dict[str, None]] = {}
    for signing in listed:
        family = families.setdefault(signing.identity, {signing.identity: None})
        for master in signing.masters:
            masters.setdefault(signing.identity, {})[master] = None
            joined = {**families[master], **family}
            families.update(dict.fromkeys(joined, joined))
    return [
        replace(
            signing,
            family=tuple(families[signing.identity]),
            masters=tuple(masters.get(signing.identity, ())),
        )
        for signing in listed
    ]


def _can_make(scheme: str, signature: Signature) -> bool:
    """Whether a key with this scheme can have made it: the two kinds never mix (V4, K6)."""
    if signature.openpgp is None:
        return not scheme.startswith("pgp+")
    return scheme == signature.openpgp.method


def expired(signature: Signature, now: datetime | None) -> datetime | None:
    """When an OpenPGP signature expired, whose signer wanted it to end; None if it did not."""
    expires = None if signature.openpgp is None else signature.openpgp.expires
    return None if expires is None or (now is not None and now <= expires) else expires


def verify_signature(key: PublicKey, signature: Signature, signed: bytes) -> bool:
    """Whether ``signature`` is ``key``'s over ``signed``; the keyid is not looked at.

    Raises :class:`pip_intoto.errors.UnusableKey` when no signature could ever verify with it:
    an unknown kind or scheme, a scheme of another kind, an RSA key below 2048 bits.
    """
    if key.is_openpgp or signature.openpgp is not None:
        # K6. Imported here for start-up time: few keys are such, and securesystemslib's signers,
        # which know how to check their signatures, take as long as all the rest.
        from pip_intoto.verification import openpgp

        return _can_make(key.scheme, signature) and openpgp.verifies(key, signature, signed)
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
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public = material(key)
    scheme = key.scheme
    if isinstance(public, Ed25519PublicKey):
        if scheme != "ed25519":
            raise _unfit(key)
        return public.verify(signature, signed)
    # Imported here for start-up time: many chains have ed25519 keys only.
    from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

    digest = (
        SHA384()
        if scheme.endswith("384")
        else SHA512()
        if scheme.endswith(("512", "521"))
        else SHA256()
    )
    if isinstance(public, RSAPublicKey):
        if scheme in _RSA_SCHEMES:
            # Signers choose the length of the salt; the specification names none.
            is_pss = scheme.startswith("rsassa-pss")
            padding = PSS(MGF1(digest), PSS.AUTO) if is_pss else PKCS1v15()
            return public.verify(signature, signed, padding, digest)
    elif isinstance(public, EllipticCurvePublicKey):
        if _ECDSA_SCHEMES.get(scheme) == public.curve.name:
            return public.verify(signature, signed, ECDSA(digest))
    elif isinstance(public, DSAPublicKey):
        pass  # Only OpenPGP has such keys.
    elif _ML_DSA_SCHEMES.get(scheme) == len(public.public_bytes_raw()):
        return public.verify(signature, ml_dsa_message(signed))
    raise _unfit(key)


def ml_dsa_message(signed: bytes) -> bytes:
    """What an ML-DSA signature over ``signed`` is made of."""
    # TUF's TAP 21: the message is hashed first, behind a prefix with the version.
    return b"tuf\x01" + hashlib.sha512(signed).digest()


def _unfit(key: PublicKey) -> UnusableKey:
    return UnusableKey(
        "this key cannot be used with this scheme",
        expected=f"a scheme for {key.keytype} keys that is supported",
        found=shown(key.scheme),
    )
