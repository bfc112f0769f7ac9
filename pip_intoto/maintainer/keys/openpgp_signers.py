"""Signatures that GnuPG makes, in the JSON that in-toto writes (K6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pip_intoto import gnupg
from pip_intoto.errors import CommandError, MetadataMalformed
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer.keys.signing import Made
from pip_intoto.metadata import openpgp
from pip_intoto.metadata.node import Node

if TYPE_CHECKING:
    from pip_intoto.metadata.keys import PublicKey

#: How many numbers a signature has, by the algorithm's octet (RFC 4880, 5.2.2).
_RSA, _DSA = 1, 17
_ED25519_OCTETS = 32
# RFC 4880, 4.2 and 4.3: a bit of the first octet, and the kind of packet.
_NEW_FORMAT, _SIGNATURE = 0x40, 2


class OpenPGPSigner:
    """A key of GnuPG's; GnuPG asks for its passphrase or its card."""

    def __init__(self, user: str = "", home: str | None = None) -> None:
        """``user`` is a user id as GnuPG has it, "" for its default key; ``home`` its directory."""
        self._user = user
        self._home = home
        self._keyid = ""

    @property
    def keyid(self) -> str:
        """The fingerprint of the key that signs, which may be a subkey of the one that was named.

        Only GnuPG knows which it takes; until it has signed something, it signs nothing once.
        Raises CommandError.
        """
        return self._keyid or self.signature(b"").keyid

    @property
    def public_key(self) -> PublicKey:
        """The key that signs, without its relatives. Raises CommandError."""
        return gnupg.public_key(self.keyid, self._home)

    def exported(self) -> bytes:
        """The master key, as a JSON document that says which subkeys sign. Raises CommandError."""
        return gnupg.export(gnupg.master_of(self.keyid, self._home), self._home)

    def signature(self, data: bytes) -> Made:
        """Sign *data*. Raises CommandError when GnuPG does not, or not as in-toto needs it."""
        fingerprint, packet = gnupg.sign(data, self._user, self._home)
        self._keyid = fingerprint
        try:
            octets, value = read_signature(packet)
        except (MetadataMalformed, IndexError, ValueError) as error:
            raise CommandError(
                f"GnuPG's key {fingerprint} makes signatures that in-toto cannot use",
                expected="rsa, dsa or ed25519, and SHA-256",
                found=str(error),
            ) from None
        return Made(keyid=fingerprint, value=value, other_headers=octets.hex())


def read_signature(packet: bytes) -> tuple[bytes, bytes]:
    """Take a signature packet apart: the headers that are hashed, and the signature's numbers.

    Raises MetadataMalformed for what no verifier would take, ValueError for anything else.
    """
    body = _body(packet)
    # RFC 4880, 5.2.3: version, type, algorithms, the hashed subpackets, those that are not
    # hashed, two octets of the digest, numbers.
    hashed = 6 + int.from_bytes(body[4:6], "big")
    headers = body[:hashed]
    openpgp.headers(Node(headers.hex(), "other_headers"), DEFAULT)
    unhashed = 2 + int.from_bytes(body[hashed : hashed + 2], "big")
    numbers = _numbers(body[hashed + unhashed + 2 :])
    algorithm = headers[2]
    if algorithm == _RSA:
        (value,) = numbers
    else:
        first, second = numbers
        if algorithm == _DSA:
            value = encode_dss_signature(
                int.from_bytes(first, "big"), int.from_bytes(second, "big")
            )
        else:
            # Numbers of OpenPGP's have no zeros in front; these two are strings of 32 octets.
            value = first.rjust(_ED25519_OCTETS, b"\0") + second.rjust(_ED25519_OCTETS, b"\0")
    return headers, value


def _body(packet: bytes) -> bytes:
    """What is in the one packet (RFC 4880, 4.2)."""
    tag = packet[0]
    if tag & _NEW_FORMAT:
        kind, length, at = tag & 0x3F, packet[1], 2
        if length >= 192:  # noqa: PLR2004 - the number is the RFC's
            length, at = (length - 192 << 8) + packet[2] + 192, 3
    else:
        size = 1 << (tag & 0x03)
        kind, length, at = (tag & 0x3C) >> 2, int.from_bytes(packet[1 : 1 + size], "big"), 1 + size
    if kind != _SIGNATURE or len(packet) != at + length:
        raise ValueError("not one signature")
    return packet[at:]


def _numbers(data: bytes) -> list[bytes]:
    """Multiprecision integers, each behind its length in bits (RFC 4880, 3.2)."""
    found = []
    while data:
        length = (int.from_bytes(data[:2], "big") + 7) // 8
        if len(data) < 2 + length:
            raise ValueError("a number breaks off")
        found.append(data[2 : 2 + length])
        data = data[2 + length :]
    return found
