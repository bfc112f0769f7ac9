"""Who signed by certificate, and whether the layout trusts it (X1; ITE-7, a draft).

The path from a signer's certificate to the roots of the layout is built here, and every link of
it checked with ``cryptography.x509``. The path builder of that library follows the profile of
the web: it refuses Ed25519 keys and the critical SPIFFE ids of workloads, and ends at the first
root, where a constraint may ask for another one.

A certificate counts when every one on a path

- is valid at the time of the verification,
- is signed by the next, with SHA-256 or better and a key that would do for a functionary,
- has no critical extension but those that are looked at here, and no name constraints,
- serves a purpose that fits, if it says what it is for;

when all above the signer's are authorities that may sign certificates, with no more below them
than they allow, and keys that the policy does not revoke; and when the last is a root of the
layout.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pip_intoto.errors import UnusableKey
from pip_intoto.metadata.keys import identity, load_pem
from pip_intoto.metadata.node import shown
from pip_intoto.verification.signatures import verify_signature

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from cryptography.x509 import Certificate, Extensions, ExtensionType, Name, ObjectIdentifier

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.certificates import Constraint
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.layout import Layout, Step

_Extension = TypeVar("_Extension", bound="ExtensionType")

_STRONG_HASHES = frozenset({"sha256", "sha384", "sha512"})
#: For servers, which is what in-toto-golang asks for, for clients, as SPIFFE has it, or for code.
_PURPOSES = frozenset(f"1.3.6.1.5.5.7.3.{number}" for number in (1, 2, 3))
_ANY_PURPOSE = "2.5.29.37.0"
_UNDERSTOOD = frozenset(
    {
        "2.5.29.14",  # the key's id
        "2.5.29.15",  # what the key may be used for
        "2.5.29.17",  # names
        "2.5.29.19",  # whether it is an authority
        "2.5.29.35",  # the id of the authority's key
        "2.5.29.37",  # purposes
    }
)
_NAME_CONSTRAINTS = "2.5.29.30"


@dataclass(frozen=True, slots=True)
class Names:
    """Who a certificate says that its holder is."""

    common_name: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()

    def meet(self, constraint: Constraint) -> bool:
        """Tell whether they are what ``constraint`` asks for: X1, "all values one-to-one"."""
        return all(
            allowed is None or (len(values) == len(allowed) and allowed == frozenset(values))
            for values, allowed in (
                (self.common_name, constraint.common_name),
                (self.dns_names, constraint.dns_names),
                (self.emails, constraint.emails),
                (self.organizations, constraint.organizations),
                (self.uris, constraint.uris),
            )
        )

    @property
    def principal(self) -> str:
        """The party. Like a key (T3), it is the same whatever else the certificates say."""
        kinds = (self.common_name, self.dns_names, self.emails, self.organizations, self.uris)
        return f"certificate {[sorted(values) for values in kinds]}"

    def __str__(self) -> str:
        names = (
            *self.uris,
            *self.emails,
            *self.dns_names,
            *self.common_name,
            *self.organizations,
        )
        return f"the certificate of {shown(names[0])}" if names else "a certificate without names"


@dataclass(frozen=True, slots=True)
class Holder:
    """A key that signed, and a certificate for it.

    ``roots`` are the authorities that it chains to, as the layout calls them. ``family`` and
    ``masters`` are those of a key that belongs to an OpenPGP key of the layout as well (K6).
    """

    key: PublicKey
    identity: str
    names: Names
    roots: frozenset[str]
    family: tuple[str, ...] = ()
    masters: tuple[str, ...] = ()

    def principal(self, names: Mapping[str, str]) -> tuple[str, str]:
        """Return the party that signed, and what messages call it.

        T3: where its key is known otherwise, by ``names`` (by identity) or as one of a family, it
        is that party. Else it is told by the names that an authority gave it.
        """
        family = self.family or (self.identity,)
        name = next((names[each] for each in family if each in names), "")
        if name:
            return f"principal {name}", name
        principal = f"key {family[0]}" if self.family else self.names.principal
        return principal, str(self.names)

    def is_among(self, revoked: Collection[str]) -> bool:
        """Tell whether the key, or one that it is a subkey of, has one of these identities."""
        return self.identity in revoked or any(each in revoked for each in self.masters)

    def may_carry_out(self, step: Step) -> bool:
        """Tell whether the certificate satisfies one of the step's constraints."""
        return any(
            self.names.meet(constraint)
            # Only a root that this very certificate chains to will do.
            and (constraint.roots is None or not self.roots.isdisjoint(constraint.roots))
            for constraint in step.constraints
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """A certificate that does not count, and why; ``names`` is None when it cannot be read."""

    names: Names | None
    why: str

    def __str__(self) -> str:
        return f"{self.names or 'a certificate'} does not count: {self.why}"

    def concerns(self, step: Step) -> bool:
        """Tell whether somebody may have meant it for ``step``."""
        return bool(step.constraints) and (
            self.names is None or any(map(self.names.meet, step.constraints))
        )


def described(constraint: Constraint) -> str:
    """Say whose certificate would do."""
    parts = [
        f"{what} {', '.join(map(shown, sorted(values)))}"
        for what, values in (
            ("URI", constraint.uris),
            ("email", constraint.emails),
            ("DNS name", constraint.dns_names),
            ("common name", constraint.common_name),
            ("organization", constraint.organizations),
            ("root", constraint.roots),
        )
        if values
    ]
    return f"a certificate with {' and '.join(parts)}" if parts else "any certificate"


class Certified:
    """Who signed for the steps of ``layout`` by certificate, as seen at ``now`` (aware).

    ``unreadable`` says which of the layout's own certificates are of no use.
    """

    def __init__(
        self, layout: Layout, *, now: datetime, revoked: frozenset[str], limits: Limits
    ) -> None:
        self._steps = [step for step in layout.steps if step.constraints]
        self._now = now
        self._revoked = revoked
        self._limits = limits
        self._judged: dict[str, Holder | Refused] = {}
        self._faults: dict[tuple[bytes, bytes], str] = {}
        self._authorities: dict[Name, list[_Read]] = {}
        self._roots: dict[bytes, set[str]] = {}
        self.unreadable: list[str] = []
        # Without a step that asks for them, certificates mean nothing.
        if self._steps:
            for root in layout.authorities.roots:
                read = self._listed(root.certificate, f"the root {shown(root.name)}")
                if read is not None:
                    self._roots.setdefault(read.fingerprint, set()).add(root.name)
            for pem in layout.authorities.intermediates:
                self._listed(pem, "an intermediate certificate")

    def _listed(self, pem: str, called: str) -> _Read | None:
        try:
            read = _read(pem)
        except _UnreadableError as error:
            self.unreadable.append(f"{called}, which is of no use: {error}")
            return None
        namesakes = self._authorities.setdefault(read.subject, [])
        if read not in namesakes:
            namesakes.append(read)
        return read

    def work(self, envelope: Envelope) -> int:
        """Return how many signatures may have to be checked for ``envelope``."""
        if not self._steps:
            return 0
        authorities = sum(map(len, self._authorities.values()))
        return (1 + authorities) * sum(bool(each.certificate) for each in envelope.signatures)

    def signers(self, envelope: Envelope) -> tuple[tuple[Holder, ...], tuple[Refused, ...]]:
        """Return who signed ``envelope`` and may carry out some step, and who does not count.

        E5: nobody who could not carry out a step makes the payload worth a look.
        """
        holders: dict[Holder, None] = {}
        refused: dict[Refused, None] = {}
        certified = [each for each in envelope.signatures if each.certificate and self._steps]
        signed = envelope.signed if certified else b""
        for signature in certified:
            judged = self._judge(signature.certificate)
            if isinstance(judged, Refused):
                refused[judged] = None
            elif not any(map(judged.may_carry_out, self._steps)):
                refused[Refused(judged.names, "it satisfies no constraint of any step")] = None
            elif not verify_signature(judged.key, signature, signed):
                refused[Refused(judged.names, "its key did not make the signature")] = None
            else:
                holders[judged] = None
        return tuple(holders), tuple(refused)

    def _judge(self, pem: str) -> Holder | Refused:
        if pem not in self._judged:
            self._judged[pem] = self._look_into(pem)
        return self._judged[pem]

    def _look_into(self, pem: str) -> Holder | Refused:
        try:
            read = _read(pem)
        except _UnreadableError as error:
            return Refused(None, str(error))
        fault = read.fault(self._now) or read.fault_of_signer()
        if fault:
            return Refused(read.names, fault)
        search = _Search(self._limits.certificate_tries)
        # The owner may have listed the signer's own certificate as a root.
        search.roots.update(self._roots.get(read.fingerprint, ()))
        self._climb([read], read.purposes, search)
        if not search.roots:
            return Refused(read.names, search.why)
        return Holder(read.key, read.identity, read.names, frozenset(search.roots))

    def _climb(self, path: list[_Read], purposes: frozenset[str], search: _Search) -> None:
        """Find the roots that lie above the last certificate of ``path``."""
        for above in self._authorities.get(path[-1].issuer, ()):
            # What was found by then stays found: roots are only ever added.
            if above in path or not search.may_go_on():
                continue
            common = purposes & above.purposes
            fault = (
                "it is too far from the signer"
                if len(path) >= self._limits.certificate_path
                else above.fault(self._now)
                or above.fault_of_authority(below=len(path) - 1)
                or ("the policy revokes its key" if above.identity in self._revoked else "")
                or ("" if common else "it is for other purposes")
                or self._fault_of_signature(path[-1], above)
            )
            if fault:
                search.fault(
                    len(path), f"its authority {shown(above.title)} does not either: {fault}"
                )
                continue
            search.roots.update(self._roots.get(above.fingerprint, ()))
            self._climb([*path, above], common, search)

    def _fault_of_signature(self, below: _Read, above: _Read) -> str:
        pair = (below.fingerprint, above.fingerprint)
        if pair not in self._faults:
            self._faults[pair] = _fault_of_signature(below.certificate, above.certificate)
        return self._faults[pair]


@dataclass(slots=True)
class _Search:
    """The roots above one certificate, and what stood in the way of the longest path."""

    tries: int
    roots: set[str] = field(default_factory=set)
    why: str = "it does not chain to a root of the layout"
    _height: int = 0

    def may_go_on(self) -> bool:
        self.tries -= 1
        return self.tries >= 0

    def fault(self, height: int, why: str) -> None:
        if height > self._height:
            self._height = height
            self.why = why


class _UnreadableError(Exception):
    """A certificate that cannot be read, or whose key is of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A certificate, taken apart; nothing of it is believed yet."""

    fingerprint: bytes
    certificate: Certificate = field(compare=False, repr=False)
    # The library parses these only when they are asked for, and raises then what is wrong.
    subject: Name = field(compare=False)
    issuer: Name = field(compare=False)
    since: datetime = field(compare=False)
    until: datetime = field(compare=False)
    extensions: Extensions = field(compare=False, repr=False)
    key: PublicKey = field(compare=False, repr=False)
    identity: str = field(compare=False)
    names: Names = field(compare=False)
    purposes: frozenset[str] = field(compare=False)

    @property
    def title(self) -> str:
        """Its subject, as a message has it."""
        return self.subject.rfc4514_string()

    def fault(self, now: datetime) -> str:
        """Say what is wrong with it, whatever it is used for."""
        if now < self.since:
            return f"it is not valid before {self.since:%Y-%m-%dT%H:%M:%SZ}"
        if now > self.until:
            return f"it expired at {self.until:%Y-%m-%dT%H:%M:%SZ}"
        for extension in self.extensions:
            number = extension.oid.dotted_string
            if number == _NAME_CONSTRAINTS:
                return "it has name constraints, which are not supported"
            if extension.critical and number not in _UNDERSTOOD:
                return f"its critical extension {number} is not supported"
        return ""

    def fault_of_signer(self) -> str:
        """Say why links cannot be signed with it."""
        from cryptography.x509 import KeyUsage

        usage = _extension(self.extensions, KeyUsage)
        if usage is not None and not (usage.digital_signature or usage.content_commitment):
            return "its key is not for signatures"
        return "" if self.purposes else "it is for other purposes"

    def fault_of_authority(self, *, below: int) -> str:
        """Say why certificates cannot be signed with it, ``below`` authorities down."""
        from cryptography.x509 import BasicConstraints, KeyUsage

        basic = _extension(self.extensions, BasicConstraints)
        if basic is None or not basic.ca:
            return "it is no certificate of an authority"
        if basic.path_length is not None and below > basic.path_length:
            return f"it allows {basic.path_length} authorities below it, not {below}"
        usage = _extension(self.extensions, KeyUsage)
        if usage is not None and not usage.key_cert_sign:
            return "its key is not for certificates"
        return ""


def _read(pem: str) -> _Read:
    # cryptography takes its time to import: only who meets a certificate pays.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import (
        DuplicateExtension,
        InvalidVersion,
        UnsupportedGeneralNameType,
        load_pem_x509_certificate,
    )

    if pem.count("-----BEGIN ") != 1:
        raise _UnreadableError("it is not one certificate in PEM form")
    try:
        # What the library would have otherwise in a certificate, and reads all the same.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            certificate = load_pem_x509_certificate(pem.encode())
            extensions = certificate.extensions
            der = certificate.public_bytes(Encoding.DER)
            public = certificate.public_key().public_bytes(
                Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
            )
            key = load_pem(public)
            return _Read(
                fingerprint=hashlib.sha256(der).digest(),
                certificate=certificate,
                subject=certificate.subject,
                issuer=certificate.issuer,
                since=certificate.not_valid_before_utc,
                until=certificate.not_valid_after_utc,
                extensions=extensions,
                key=key,
                identity=identity(key),
                names=_names(certificate, extensions),
                purposes=_purposes(extensions),
            )
    except UnusableKey as error:
        raise _UnreadableError(str(error)) from error
    except (
        ValueError,  # UnicodeEncodeError is one
        TypeError,
        DuplicateExtension,
        InvalidVersion,
        UnsupportedAlgorithm,
        UnsupportedGeneralNameType,
    ) as error:
        raise _UnreadableError("it cannot be read") from error


def _names(certificate: Certificate, extensions: Extensions) -> Names:
    from cryptography.x509 import (
        DNSName,
        NameOID,
        RFC822Name,
        SubjectAlternativeName,
        UniformResourceIdentifier,
    )

    def subject(kind: ObjectIdentifier) -> tuple[str, ...]:
        attributes = certificate.subject.get_attributes_for_oid(kind)
        values = tuple(str(attribute.value) for attribute in attributes)
        # One that is empty says nothing.
        return () if values == ("",) else values

    others = tuple(_extension(extensions, SubjectAlternativeName) or ())
    return Names(
        common_name=subject(NameOID.COMMON_NAME),
        organizations=subject(NameOID.ORGANIZATION_NAME),
        dns_names=tuple(each.value for each in others if isinstance(each, DNSName)),
        emails=tuple(each.value for each in others if isinstance(each, RFC822Name)),
        uris=tuple(each.value for each in others if isinstance(each, UniformResourceIdentifier)),
    )


def _purposes(extensions: Extensions) -> frozenset[str]:
    from cryptography.x509 import ExtendedKeyUsage

    said = _extension(extensions, ExtendedKeyUsage)
    if said is None:
        return _PURPOSES
    listed = {purpose.dotted_string for purpose in said}
    return _PURPOSES if _ANY_PURPOSE in listed else _PURPOSES & listed


def _extension(extensions: Extensions, kind: type[_Extension]) -> _Extension | None:
    return next((each.value for each in extensions if isinstance(each.value, kind)), None)


def _fault_of_signature(below: Certificate, above: Certificate) -> str:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        strength = below.signature_hash_algorithm
        # Ed25519 and ML-DSA name no hash.
        if strength is not None and strength.name not in _STRONG_HASHES:
            return f"it signed with {strength.name}"
        below.verify_directly_issued_by(above)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return "its key did not make the signature on the certificate below"
    return ""
