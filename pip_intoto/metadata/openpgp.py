"""OpenPGP keys and signatures as in-toto writes them (K6): numbers in JSON, no packets.

What OpenPGP itself knows of a key beyond its numbers and its period of validity (revocations, what
it may be used for, who vouches for it) does not stand in a layout, and is not known here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pip_intoto.errors import UnusableKey
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.node import Node

#: Method → keytype, the numbers of a public key, and the algorithm's octet (RFC 4880, 9.1).
_METHODS = {
    "pgp+rsa-pkcsv1.5": ("rsa", ("e", "n"), 1),
    "pgp+dsa-fips-180-2": ("dsa", ("g", "p", "q", "y"), 17),
    "pgp+eddsa-ed25519": ("eddsa", ("q",), 22),
}
_METHOD_OF = {octet: method for method, (_, _, octet) in _METHODS.items()}
#: Sizes in bits of a DSA key's two primes; 1024 and 160, which OpenPGP once had, are too weak.
_DSA_SIZES = {(2048, 224), (2048, 256), (3072, 256)}
_HEX = re.compile(r"[0-9a-fA-F]+")
_OCTETS = re.compile(r"(?:[0-9a-fA-F]{2})+")
_ED25519_DIGITS = 64
#: Hex digits of a number: 16,384 bits, the longest RSA keys that any signature is checked with.
_LONGEST = 4096
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LATEST = 2**32 - 1

# RFC 4880, 5.2.3: what the headers of a signature begin with.
_VERSION = 4
_BINARY_DOCUMENT = 0x00
#: The one hash that in-toto's OpenPGP signatures are made and verified with.
_SHA256 = 8
_PREFIX = 6
# RFC 4880, 5.2.3.1: subpackets.
_CREATED, _EXPIRES = 2, 3
#: Issuer, and issuer fingerprint: hints such as the keyid is one (E7).
_ISSUERS = (16, 33)
_CRITICAL = 0x80
_TIME_OCTETS = 4


# --- keys -------------------------------------------------------------------------------------


def numbers(node: Node, keytype: Node, method: str) -> str:
    """The numbers of the key in ``node``, in one spelling; empty for unknown methods (K3).

    Raises :class:`pip_intoto.errors.MetadataMalformed`.
    """
    if method not in _METHODS:
        return ""
    expected, names, _ = _METHODS[method]
    if keytype.string() != expected:
        raise keytype.malformed(
            "the key's type is not that of its method",
            expected=f"{expected}, for {method}",
            found=shown(keytype.value),
        )
    public = node.member("keyval").member("public")
    return json.dumps({name: _number(public.member(name), method) for name in names})


def _number(node: Node, method: str) -> str:
    text = node.string()
    if not _HEX.fullmatch(text):
        raise node.malformed("this is no number", expected="hex digits", found=shown(text))
    if _METHODS[method][0] == "eddsa":
        # No number but 32 octets, zeros at the beginning included.
        if len(text) != _ED25519_DIGITS:
            raise node.malformed(
                "this is no Ed25519 key",
                expected=f"{_ED25519_DIGITS} hex digits",
                found=f"{len(text)} of them",
            )
        return text.lower()
    # Whole octets, as securesystemslib counts them.
    digits = text.lower().lstrip("0")
    return digits.zfill(len(digits) + len(digits) % 2)


def validity(node: Node) -> tuple[datetime | None, datetime | None]:
    """From when until when the key in ``node`` is valid, aware, as far as it says.

    Raises :class:`pip_intoto.errors.MetadataMalformed`.
    """
    created, period = _seconds(node.optional("creation_time")), node.optional("validity_period")
    seconds = _seconds(period)
    not_before = None if created is None else _EPOCH + timedelta(seconds=created)
    # RFC 4880, 5.2.3.6: "If this is not present or has a value of zero, the key never expires."
    if period is None or not seconds:
        return not_before, None
    if not_before is None:
        raise period.malformed(
            "nobody can tell when this period ends", expected="a creation_time to count from"
        )
    return not_before, not_before + timedelta(seconds=seconds)


def _seconds(node: Node | None) -> int | None:
    if node is None:
        return None
    if not 0 <= node.integer() <= _LATEST:
        raise node.malformed(
            "this is no time of OpenPGP's",
            expected=f"seconds, 0 to {_LATEST}",
            found=shown(node.value),
        )
    return node.integer()


def read_numbers(public: str) -> dict[str, str]:
    """The numbers of a key, hex by name, out of what :func:`numbers` gave."""
    read: dict[str, str] = json.loads(public)
    return read


def material(public: str) -> RSAPublicKey | DSAPublicKey | Ed25519PublicKey:
    """The key that the numbers make, as the cryptography library has it.

    Raises :class:`pip_intoto.errors.UnusableKey`. The size of an RSA key is for the caller to
    check.
    """
    # cryptography takes its time to import: only who looks into a key pays.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.dsa import (
        DSAParameterNumbers,
        DSAPublicNumbers,
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    values = read_numbers(public)
    if values.keys() == {"q"}:
        try:
            return Ed25519PublicKey.from_public_bytes(bytes.fromhex(values["q"]))
        except (ValueError, UnsupportedAlgorithm):
            raise UnusableKey("this public key cannot be read") from None
    if max(map(len, values.values())) > _LONGEST:
        raise UnusableKey("a number of this OpenPGP key is too long to be worked with")
    integers = {name: int(value or "0", 16) for name, value in values.items()}
    try:
        if values.keys() == {"e", "n"}:
            return RSAPublicNumbers(integers["e"], integers["n"]).public_key()
        _check_dsa(**integers)
        parameters = DSAParameterNumbers(integers["p"], integers["q"], integers["g"])
        return DSAPublicNumbers(integers["y"], parameters).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UnusableKey("this public key cannot be read") from None


def _check_dsa(*, p: int, q: int, g: int, y: int) -> None:
    size = (p.bit_length(), q.bit_length())
    if size not in _DSA_SIZES:
        raise UnusableKey(
            "this DSA key is of a size that is not supported",
            expected=", ".join(f"{bits}/{prime} bits" for bits, prime in sorted(_DSA_SIZES)),
            found=f"{size[0]}/{size[1]} bits",
        )
    # The library does not look: with y = 1, everybody can sign.
    if not all(1 < number < p and pow(number, q, p) == 1 for number in (g, y)):
        raise UnusableKey("the numbers of this DSA key make no key")


# --- signatures ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Headers:
    """What an OpenPGP signature covers besides the document, and says of itself.

    ``method`` is that of the keys that can have made it; ``expires`` is None when it never does.
    """

    octets: bytes = field(repr=False)
    method: str
    created: datetime
    expires: datetime | None


def headers(node: Node, limits: Limits) -> Headers:
    """The headers in ``node``, an ``other_headers``: the hashed part of a signature packet.

    securesystemslib hashes them as they are, and looks at nothing in them. Raises
    :class:`pip_intoto.errors.MetadataMalformed` for all but a version 4 signature over a binary
    document with SHA-256.
    """
    text = node.string(longest=limits.text)
    if not _OCTETS.fullmatch(text):
        raise node.malformed("these are no headers", expected="hex digits", found=shown(text))
    octets = bytes.fromhex(text)
    # RFC 4880, 5.2.3: version, type, public-key algorithm, hash algorithm, and the "two-octet
    # scalar octet count for following hashed subpacket data".
    length = int.from_bytes(octets[4:_PREFIX], "big")
    if len(octets) < _PREFIX or len(octets) != _PREFIX + length:
        raise node.malformed(
            "these are not the headers of one OpenPGP signature",
            expected="six octets, and as many more as they say",
            found=f"{len(octets)} octets",
        )
    version, kind, algorithm, digest = octets[:4]
    for what, found, expected in (
        ("version", version, _VERSION),
        ("type", kind, _BINARY_DOCUMENT),
        ("hash algorithm", digest, _SHA256),
    ):
        if found != expected:
            raise node.malformed(
                f"OpenPGP signatures of this {what} are not supported",
                expected=str(expected),
                found=str(found),
            )
    if algorithm not in _METHOD_OF:
        raise node.malformed(
            "OpenPGP signatures of this public-key algorithm are not supported",
            expected=", ".join(f"{octet} ({method})" for octet, method in _METHOD_OF.items()),
            found=str(algorithm),
        )
    created, expires = _times(octets[_PREFIX:], node)
    return Headers(octets=octets, method=_METHOD_OF[algorithm], created=created, expires=expires)


def _times(data: bytes, node: Node) -> tuple[datetime, datetime | None]:
    created, expires = None, None
    for kind, content in _subpackets(data, node):
        if kind & ~_CRITICAL in {_CREATED, _EXPIRES}:
            if len(content) != _TIME_OCTETS:
                raise node.malformed("a time in these headers is not four octets long")
            seconds = timedelta(seconds=int.from_bytes(content, "big"))
            if kind & ~_CRITICAL == _CREATED:
                created = _EPOCH + seconds
            else:
                expires = seconds
        elif kind & _CRITICAL and kind & ~_CRITICAL not in _ISSUERS:
            # RFC 4880, 5.2.3.1: "If a subpacket is encountered that is marked critical but is
            # unknown to the evaluating software, the evaluator SHOULD consider the signature to
            # be in error."
            raise node.malformed(
                "these headers demand something that is not supported",
                found=f"a critical subpacket of type {kind & ~_CRITICAL}",
            )
    if created is None:
        # RFC 4880, 5.2.3.4: "MUST be present in the hashed area."
        raise node.malformed("these headers do not say when the signature was made")
    return created, created + expires if expires else None


def _subpackets(data: bytes, node: Node) -> list[tuple[int, bytes]]:
    """Type and content of each (RFC 4880, 5.2.3.1)."""
    found = []
    at = 0
    while at < len(data):
        # A length of one, two or five octets, which counts the octet of the type as well.
        first = data[at]
        if first < 192:  # noqa: PLR2004 - the numbers are those of the RFC
            length, at = first, at + 1
        elif first < 255:  # noqa: PLR2004
            second = data[at + 1] if at + 1 < len(data) else 0
            length, at = (first - 192 << 8) + second + 192, at + 2
        else:
            length, at = int.from_bytes(data[at + 1 : at + 5], "big"), at + 5
        if not 1 <= length <= len(data) - at:
            raise node.malformed("these headers break off", found=f"{len(data)} octets")
        found.append((data[at], data[at + 1 : at + length]))
        at += length
    return found
