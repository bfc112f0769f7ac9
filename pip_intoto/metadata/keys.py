"""Public keys, and when two of them are one (specification, section 4.2.1)."""

from __future__ import annotations

import binascii
import contextlib
import functools
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.errors import MetadataMalformed, MetadataTooLarge, UnusableKey
from pip_intoto.metadata import canonical, strict_json
from pip_intoto.metadata.node import Node, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import (
        MLDSA44PublicKey,
        MLDSA65PublicKey,
        MLDSA87PublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from pip_intoto.limits import Limits

    #: A key that signatures can be checked with.
    Material: TypeAlias = (
        RSAPublicKey
        | Ed25519PublicKey
        | EllipticCurvePublicKey
        | MLDSA44PublicKey
        | MLDSA65PublicKey
        | MLDSA87PublicKey
        | DSAPublicKey
    )

#: K2: "RSA keys … at least 2048 bits".
RSA_MINIMUM_BITS = 2048
#: What checking a signature costs grows with the square of this.
_RSA_MAXIMUM_BITS = 16_384

_CURVES = {
    "secp256r1": "ecdsa-sha2-nistp256",
    "secp384r1": "ecdsa-sha2-nistp384",
    "secp521r1": "ecdsa-sha2-nistp521",
}
_KEYTYPES = frozenset({"rsa", "ed25519", "ecdsa", "ml-dsa", *_CURVES.values()})
_ED25519_HEX = re.compile(r"[0-9a-fA-F]{64}")
#: What the schemes of OpenPGP keys begin with.
_OPENPGP = "pgp+"
_KEYID = re.compile(r"[0-9a-fA-F]{8,128}")
#: What stands before the 32 bytes of an ed25519 key in its DER form (RFC 8410).
_ED25519 = bytes.fromhex("302a300506032b6570032100")
#: The same with the NULL parameters that RFC 8410 forbids, as older libraries write it; some
#: rebuilders of Linux distributions have such keys.
_ED25519_WITH_NULL = bytes.fromhex("302c300706032b65700500032100")
#: Points of a small order, in every spelling, but for the sign in the last bit. The library takes
#: them for keys, with which everybody can sign.
_ED25519_OF_EVERYBODY = {
    bytes.fromhex(point)
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
}
_PEM = re.compile(r"-----BEGIN ((?:RSA )?PUBLIC KEY)-----([A-Za-z0-9+/=\s]*)-----END \1-----")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key as a layout or a policy gives it.

    ``keyid`` is a name and nothing more (K4). ``public`` is PEM or, for ed25519, 64 hex digits, or
    the numbers of an OpenPGP key as a JSON object; it is empty for kinds of keys that are not known
    here, which are refused only when used (K3).
    """

    keyid: str
    keytype: str
    scheme: str
    public: str
    #: What follows is known of OpenPGP keys only (K6).
    subkeys: tuple[PublicKey, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None

    @property
    def is_openpgp(self) -> bool:
        """Whether its signatures are OpenPGP signatures, and only those."""
        return self.scheme.startswith(_OPENPGP)

    def invalid_at(self, now: datetime) -> str:
        """Why it is not valid at ``now`` (aware), for messages; empty when it is."""
        if self.not_after is not None and now > self.not_after:
            return f"expired on {self.not_after:%Y-%m-%d}"
        if self.not_before is not None and now < self.not_before:
            return f"is not valid before {self.not_before:%Y-%m-%d}"
        return ""


def parse_key(node: Node, keyid: str) -> PublicKey:
    """The key object ``{keytype, scheme, keyval: {public}}`` that a layout lists as ``keyid``.

    Raises :class:`pip_intoto.errors.MetadataMalformed`.
    """
    _check_names(keyid, node)
    method = _text(node.optional("scheme")) or _text(node.optional("method"))
    if method.startswith(_OPENPGP):
        return _openpgp_key(node, keyid, method)
    keytype = node.optional("keytype")
    if keytype is None or keytype.string() not in _KEYTYPES:
        # K3: whether this matters is seen when the key is used.
        return PublicKey(
            keyid=keyid,
            keytype=_text(keytype if keytype is not None else node.optional("type")),
            scheme=method,
            public="",
        )
    scheme = node.member("scheme").string()
    public = node.member("keyval").member("public")
    return PublicKey(keyid=keyid, keytype=keytype.string(), scheme=scheme, public=public.string())


def _openpgp_key(node: Node, keyid: str, method: str, *, is_subkey: bool = False) -> PublicKey:
    # K6: "{type, method, hashes, keyval: {public: {n, e | ..}}, subkeys?, creation_time?,
    # validity_period?}"; later writers call the first two keytype and scheme.
    # Imported here for start-up time: few layouts have such keys.
    from pip_intoto.metadata import openpgp

    keytype = node.optional("keytype") or node.member("type")
    not_before, not_after = openpgp.validity(node)
    listed = node.optional("subkeys")
    if is_subkey and listed is not None and listed.mapping():
        raise listed.malformed("a subkey has no subkeys")
    return PublicKey(
        keyid=keyid,
        keytype=keytype.string(),
        scheme=method,
        public=openpgp.numbers(node, keytype, method),
        subkeys=() if listed is None else tuple(_subkeys(listed)),
        not_before=not_before,
        not_after=not_after,
    )


def _subkeys(node: Node) -> Iterator[PublicKey]:
    for keyid, subkey in node.items():
        _check_names(keyid, subkey)
        method = subkey.optional("scheme") or subkey.member("method")
        if not method.string().startswith(_OPENPGP):
            raise method.malformed(
                "the subkey of an OpenPGP key is one as well",
                expected=f"{_OPENPGP}…",
                found=shown(method.value),
            )
        yield _openpgp_key(subkey, keyid, method.string(), is_subkey=True)


def _check_names(keyid: str, node: Node) -> None:
    check_keyid(keyid, node)
    check_inner_name(keyid, node.optional("keyid"), "the key has another keyid")


def check_inner_name(name: str, inner: Node | None, problem: str) -> None:
    """Check that what is listed as ``name`` does not call itself otherwise.

    K5: the specification has no inner keyid, but two names for one key help nobody. Raises
    :class:`pip_intoto.errors.MetadataMalformed`, whose message begins with ``problem``.
    """
    if inner is not None and inner.string() != name:
        raise inner.malformed(
            f"{problem} than the one it is listed under",
            expected=shown(name),
            found=shown(inner.value),
        )


def check_keyid(keyid: str, node: Node) -> str:
    """``keyid``, which stands in ``node`` and becomes part of file names (K5, N1).

    Raises :class:`pip_intoto.errors.MetadataMalformed` unless it is 8 to 128 hex digits.
    """
    if not _KEYID.fullmatch(keyid):
        raise node.malformed("this is no keyid", expected="8 to 128 hex digits", found=shown(keyid))
    return keyid


def _text(node: Node | None) -> str:
    return node.value if node is not None and isinstance(node.value, str) else ""


def load_pem(data: bytes, keyid: str | None = None, *, scheme: str | None = None) -> PublicKey:
    """The key in a PEM file (SubjectPublicKeyInfo).

    ``keyid`` defaults to the hash that securesystemslib gives the key, ``scheme`` to the one
    that it signs with. Raises :class:`pip_intoto.errors.UnusableKey` for anything but one public
    key of a supported kind and size.
    """
    loaded, keytype, default = _from_pem(data.decode("utf-8", "replace"))
    public = _raw_ed25519(loaded).hex()
    if not public:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = loaded.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    scheme = scheme or default
    keyid = keyid or default_keyid(keytype, scheme, public)
    return PublicKey(keyid=keyid, keytype=keytype, scheme=scheme, public=public)


def default_keyid(keytype: str, scheme: str, public: str) -> str:
    """The keyid that securesystemslib, and with it the reference implementation, gives to a key."""
    # K4: "KEYID = hex SHA-256 of the canonical JSON of the public key".
    return hashlib.sha256(
        canonical.encode({"keytype": keytype, "scheme": scheme, "keyval": {"public": public}})
    ).hexdigest()


def load_public(data: bytes, *, limits: Limits) -> PublicKey:
    """The key in a file: PEM, or an OpenPGP key in the JSON of in-toto's layouts (K6).

    Raises :class:`pip_intoto.errors.UnusableKey` for anything else.
    """
    if not data.lstrip().startswith(b"{"):
        if b"-----BEGIN PGP" in data:
            raise UnusableKey(
                "this is a key in OpenPGP's own form",
                expected="the key in JSON, as in-toto writes it; --gpg takes it from GnuPG",
            )
        return load_pem(data)
    try:
        node = Node(strict_json.parse(data, limits=limits))
        keyid = node.member("keyid").string()
        key = parse_key(node, keyid)
        private = node.member("keyval").optional("private")
        if private is not None and private.value:
            raise private.malformed("this is a private key", expected="a public key")
    except (MetadataMalformed, MetadataTooLarge) as error:
        raise UnusableKey(str(error), expected=error.expected, found=error.found) from None
    if not key.is_openpgp:
        raise UnusableKey(
            "this is not an OpenPGP key",
            expected=f'"method": "{_OPENPGP}…", or a key in PEM',
            found=shown(key.scheme),
        )
    return key


def is_private(data: bytes) -> bool:
    """Whether a key file is one that nobody else should see, of whatever kind."""
    return b"PRIVATE KEY-----" in data


def identity(key: PublicKey) -> str:
    """Lower-case hex sha256 over the key's DER form (SubjectPublicKeyInfo).

    Equal key material is one identity, whatever the keyid, scheme or spelling (K4, T3). Raises
    :class:`pip_intoto.errors.UnusableKey` when the key cannot be read.
    """
    return _identity(key.keytype, key.public, key.is_openpgp)


def identities(key: PublicKey) -> tuple[str, ...]:
    """Its identity, and those of its subkeys that can be used: what they sign, it has signed (K6).

    Raises :class:`pip_intoto.errors.UnusableKey` as :func:`identity` does.
    """
    found = [identity(key)]
    for subkey in key.subkeys:
        # K3: one that cannot be used signs nothing.
        with contextlib.suppress(UnusableKey):
            found.append(identity(subkey))
    return tuple(found)


def material(key: PublicKey) -> Material:
    """``key`` as the cryptography library has it.

    Raises :class:`pip_intoto.errors.UnusableKey` when it is of an unknown kind, cannot be read,
    is not of the kind that it says, or too small.
    """
    return _material(key.keytype, key.public, key.is_openpgp)


@functools.lru_cache(maxsize=1024)
def _identity(keytype: str, public: str, is_openpgp: bool) -> str:  # noqa: FBT001 - cached
    # Serialised afresh, so that it does not matter how the key was spelled.
    loaded = _material(keytype, public, is_openpgp)
    if raw := _raw_ed25519(loaded):
        return hashlib.sha256(_ED25519 + raw).hexdigest()
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = loaded.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def _raw_ed25519(loaded: Material) -> bytes:
    """The 32 bytes of an ed25519 key; empty for keys of other kinds.

    Most keys are of this kind, and their DER form is these bytes behind others that never change.
    What the library has to read and write all kinds takes longer to import than a verification
    with ed25519 keys takes, and is left alone until a key of another kind turns up.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return loaded.public_bytes_raw() if isinstance(loaded, Ed25519PublicKey) else b""


@functools.lru_cache(maxsize=1024)
def _material(keytype: str, public: str, is_openpgp: bool) -> Material:  # noqa: FBT001 - cached
    if is_openpgp and public:
        # Imported here for start-up time: few layouts have such keys.
        from pip_intoto.metadata import openpgp

        of_openpgp = openpgp.material(public)
        raw = _raw_ed25519(of_openpgp)
        return _ed25519(raw) if raw else _of_fair_size(of_openpgp)
    if is_openpgp or keytype not in _KEYTYPES or not public:
        raise UnusableKey(
            "keys of this kind are not supported",
            expected="rsa, ed25519, ecdsa, ml-dsa, or OpenPGP",
            found=shown(keytype) if not is_openpgp else "another method of OpenPGP's",
        )
    if keytype == "ed25519" and _ED25519_HEX.fullmatch(public):
        return _ed25519(bytes.fromhex(public))
    loaded, actual, scheme = _from_pem(public)
    # Older metadata writes the scheme of an ECDSA key where its type belongs.
    if keytype not in {actual, scheme}:
        raise UnusableKey(
            "this key is not of the kind that it says", expected=keytype, found=actual
        )
    return loaded


def _from_pem(text: str) -> tuple[Material, str, str]:
    """A key with its keytype and the scheme that it signs with by default."""
    # cryptography takes its time to import: only who looks into a key pays.
    from cryptography.exceptions import UnsupportedAlgorithm

    blocks = _PEM.findall(text)
    if len(blocks) != 1 or text.count("-----BEGIN") != 1:
        raise UnusableKey(
            "this is not one public key in PEM form",
            expected="-----BEGIN PUBLIC KEY-----, base64, -----END PUBLIC KEY-----",
            found=f"{len(blocks)} public keys" if blocks else shown(text[:40]),
        )
    try:
        der = binascii.a2b_base64(blocks[0][1])
        for beginning in (_ED25519, _ED25519_WITH_NULL):
            if der.startswith(beginning):
                return _ed25519(der[len(beginning) :]), "ed25519", "ed25519"
        return _of_any_kind(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # binascii.Error is a ValueError
        raise UnusableKey("this public key cannot be read") from None


def _ed25519(raw: bytes) -> Ed25519PublicKey:
    """Raises ValueError unless there are 32 bytes, and UnusableKey for a key of everybody's."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    loaded = Ed25519PublicKey.from_public_bytes(raw)
    if raw[:-1] + bytes([raw[-1] & 0x7F]) in _ED25519_OF_EVERYBODY:
        raise UnusableKey("this ed25519 key is one that everybody can sign with")
    return loaded


def _of_any_kind(der: bytes) -> tuple[Material, str, str]:
    """As :func:`_from_pem`; raises what the library raises."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    loaded = load_der_public_key(der)
    if isinstance(loaded, RSAPublicKey):
        _of_fair_size(loaded)
        return loaded, "rsa", "rsassa-pss-sha256"
    if isinstance(loaded, Ed25519PublicKey):
        return _ed25519(loaded.public_bytes_raw()), "ed25519", "ed25519"
    if isinstance(loaded, EllipticCurvePublicKey) and loaded.curve.name in _CURVES:
        return loaded, "ecdsa", _CURVES[loaded.curve.name]
    return _ml_dsa(loaded)


def _of_fair_size(loaded: Material) -> Material:
    """``loaded``, unless it is an RSA key that is too short, or too long to be checked."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    # K2: "at least 2048 bits"
    if isinstance(loaded, RSAPublicKey) and not (
        RSA_MINIMUM_BITS <= loaded.key_size <= _RSA_MAXIMUM_BITS
    ):
        raise UnusableKey(
            "this RSA key is too weak"
            if loaded.key_size < RSA_MINIMUM_BITS
            else "this RSA key is too long",
            expected=f"{RSA_MINIMUM_BITS} to {_RSA_MAXIMUM_BITS} bits",
            found=f"{loaded.key_size} bits",
        )
    return loaded


def _ml_dsa(loaded: PublicKeyTypes) -> tuple[Material, str, str]:
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import (
            MLDSA44PublicKey,
            MLDSA65PublicKey,
            MLDSA87PublicKey,
        )
    except ImportError:  # cryptography < 48
        pass
    else:
        if isinstance(loaded, MLDSA44PublicKey):
            return loaded, "ml-dsa", "ml-dsa-44/1"
        if isinstance(loaded, MLDSA65PublicKey):
            return loaded, "ml-dsa", "ml-dsa-65/1"
        if isinstance(loaded, MLDSA87PublicKey):
            return loaded, "ml-dsa", "ml-dsa-87/1"
    raise UnusableKey(
        "keys of this kind are not supported",
        expected="rsa, ed25519, ecdsa (P-256, P-384, P-521) or ml-dsa",
        found=type(loaded).__name__,
    )
