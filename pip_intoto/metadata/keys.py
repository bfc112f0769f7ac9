"""Public keys, and when two of them are one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pip_intoto.metadata.node import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key as a layout or a policy gives it.

    ``keyid`` is a name and nothing more (K4). ``public`` is PEM or, for ed25519, 64 hex digits;
    it is empty for kinds of keys that are not known here, which are refused only when used (K3).
    """

    keyid: str
    keytype: str
    scheme: str
    public: str


def parse_key(node: Node, keyid: str) -> PublicKey:
    """The key object ``{keytype, scheme, keyval: {public}}`` that a layout lists as ``keyid``.

    Raises :class:`pip_intoto.errors.MetadataMalformed`.
    """
    raise NotImplementedError


def load_pem(data: bytes, keyid: str | None = None, *, scheme: str | None = None) -> PublicKey:
    """The key in a PEM file (SubjectPublicKeyInfo).

    ``keyid`` defaults to the hash that securesystemslib gives the key, ``scheme`` to the one
    that it signs with. Raises :class:`pip_intoto.errors.UnusableKey` for anything but one public
    key of a supported kind and size.
    """
    raise NotImplementedError


def identity(key: PublicKey) -> str:
    """Lower-case hex sha256 over the key's DER form (SubjectPublicKeyInfo).

    Equal key material is one identity, whatever the keyid, scheme or spelling (K4, T3). Raises
    :class:`pip_intoto.errors.UnusableKey` when the key cannot be read.
    """
    raise NotImplementedError
