"""K1-K6, T3: public keys, and when two of them are one."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from pip_intoto.errors import MetadataMalformed, UnusableKey
from pip_intoto.metadata.keys import PublicKey, identity, load_pem, material, parse_key
from pip_intoto.metadata.node import Node
from tests.unit.metadata.documents import (
    ED25519,
    ED25519_HEX,
    ED25519_PEM,
    INTEROP,
    KEYID,
    NO_INTEROP,
    WITHOUT,
    key,
)

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue

RSA = rsa.generate_private_key(65537, 2048).public_key()
P256 = ec.generate_private_key(ec.SECP256R1()).public_key()


def pem(public: ed25519.Ed25519PublicKey | rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def armoured(der: bytes, label: str = "PUBLIC KEY") -> str:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"


# --- in layouts -------------------------------------------------------------------------------


@pytest.mark.accepts("K1")
def test_K1_a_key_object_is_read() -> None:
    assert parse_key(Node(key()), KEYID) == PublicKey(
        keyid=KEYID, keytype="ed25519", scheme="ed25519", public=ED25519_HEX
    )


@pytest.mark.rejects("K1")
@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        key(scheme=WITHOUT),
        key(scheme=1),
        key(keyval=WITHOUT),
        key(keyval="x"),
        key(keyval={}),
        key(keyval={"public": 1}),
        key(keytype=5),
    ],
)
def test_K1_another_shape_is_refused(value: JsonValue) -> None:
    with pytest.raises(MetadataMalformed):
        parse_key(Node(value), KEYID)


@pytest.mark.accepts("K3")
@pytest.mark.rejects("K3")
def test_K3_an_unknown_kind_is_refused_only_when_used() -> None:
    for value in (
        key(keytype="sigstore-oidc", scheme="Fulcio", keyval={"identity": "a", "issuer": "b"}),
        key(keytype="rot13", keyval=WITHOUT, scheme=WITHOUT),
        key(keytype=WITHOUT),
    ):
        parsed = parse_key(Node(value), KEYID)
        with pytest.raises(UnusableKey):
            identity(parsed)
        with pytest.raises(UnusableKey):
            material(parsed)


@pytest.mark.accepts("K4")
def test_K4_keyids_are_names() -> None:
    for keyid in ("70ca5750", "84f7dd43" * 8, "7B3ABB26" * 5):
        assert parse_key(Node(key(keyid=keyid)), keyid).keyid == keyid


@pytest.mark.rejects("K5")
@pytest.mark.parametrize("keyid", ["", "../../x", "alice", "70ca575", "a" * 129, "７" * 8])
def test_K5_keyids_are_hex(keyid: str) -> None:
    with pytest.raises(MetadataMalformed):
        parse_key(Node(key(keyid=keyid)), keyid)


@pytest.mark.accepts("K1", "K5")
@pytest.mark.rejects("K5")
def test_K5_the_inner_keyid_may_be_missing_but_not_differ() -> None:
    assert parse_key(Node(key(keyid=WITHOUT)), KEYID).keyid == KEYID
    for inner in ("cd" * 32, None, 1):
        with pytest.raises(MetadataMalformed):
            parse_key(Node(key(keyid=inner)), KEYID)


# --- material and identity --------------------------------------------------------------------


def of(keytype: str, public: str) -> PublicKey:
    return PublicKey(keyid=KEYID, keytype=keytype, scheme="any", public=public)


def test_T3_equal_material_is_one_identity_however_it_is_spelled() -> None:
    der = ED25519.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with_null = bytes.fromhex("302c300706032b65700500032100") + bytes.fromhex(ED25519_HEX)
    spellings = [
        ED25519_HEX,
        ED25519_HEX.upper(),
        ED25519_PEM,
        ED25519_PEM.strip(),
        ED25519_PEM.replace("\n", "\r\n"),
        f"a comment\n{ED25519_PEM}",
        armoured(with_null),
    ]
    assert {identity(of("ed25519", each)) for each in spellings} == {
        hashlib.sha256(der).hexdigest()
    }
    named = PublicKey(keyid="0" * 64, keytype="ed25519", scheme="other", public=ED25519_HEX)
    assert identity(named) == hashlib.sha256(der).hexdigest()


@pytest.mark.parametrize(
    "public", [ED25519.public_key(), RSA, P256], ids=["ed25519", "rsa", "p256"]
)
def test_T3_an_identity_is_the_hash_of_the_der_form(
    public: ed25519.Ed25519PublicKey | rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
) -> None:
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert identity(load_pem(pem(public).encode())) == hashlib.sha256(der).hexdigest()


def test_T3_elliptic_points_may_be_compressed_and_rsa_keys_bare() -> None:
    uncompressed = P256.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    point = P256.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    compressed = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point
    assert identity(of("ecdsa", armoured(compressed))) == identity(of("ecdsa", pem(P256)))
    assert identity(of("ecdsa", pem(P256))) == hashlib.sha256(uncompressed).hexdigest()
    bare = RSA.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    assert identity(of("rsa", bare)) == identity(of("rsa", pem(RSA)))


def test_T3_other_material_is_another_identity() -> None:
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    assert identity(of("ed25519", pem(other))) != identity(of("ed25519", ED25519_HEX))


@pytest.mark.rejects("K2")
@pytest.mark.parametrize(
    ("keytype", "public"),
    [
        ("ed25519", "00"),
        ("ed25519", "zz" * 32),
        ("ed25519", f"{ED25519_HEX}\n"),
        ("rsa", ED25519_PEM),
        ("ecdsa", pem(RSA)),
        ("ecdsa-sha2-nistp384", pem(P256)),
        ("ml-dsa", pem(P256)),
        ("rsa", "not PEM"),
        ("rsa", armoured(b"nonsense")),
        ("rsa", pem(RSA).replace("A", "é", 1)),
        ("rsa", pem(RSA) + pem(RSA)),
        ("rsa", armoured(b"", "PRIVATE KEY") + pem(RSA)),
        ("ed25519", armoured(bytes.fromhex("302c300706032b65700500032100") + b"short")),
        ("ed25519", armoured(bytes.fromhex("302a300506032b6570032100") + b"short")),
        ("ed25519", armoured(bytes.fromhex("302a300506032b6570032100") + bytes(33))),
    ],
)
def test_K2_what_cannot_be_read_is_unusable(keytype: str, public: str) -> None:
    with pytest.raises(UnusableKey):
        identity(of(keytype, public))


_P = 2**255 - 19
_OF_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7


def small_order() -> list[bytes]:
    """Every spelling of a point whose order is at most 8."""
    ys = (0, 1, _P - 1, _P, _P + 1, _OF_ORDER_8, _P - _OF_ORDER_8)
    return [(y | sign << 255).to_bytes(32, "little") for y in ys for sign in (0, 1)]


@pytest.mark.rejects("K2")
@pytest.mark.parametrize("point", small_order(), ids=bytes.hex)
def test_K2_an_ed25519_key_that_everybody_can_sign_with_is_unusable(point: bytes) -> None:
    # R and S of a signature that needs no secret; the library takes it for one message in eight.
    library = ed25519.Ed25519PublicKey.from_public_bytes(point)
    forged = 0
    for nonce, message in itertools.product(small_order(), range(16)):
        with contextlib.suppress(InvalidSignature):
            library.verify(nonce + bytes(32), bytes([message]))
            forged += 1
    assert forged
    for prefix in ("302a300506032b6570032100", "302c300706032b65700500032100"):
        with pytest.raises(UnusableKey, match="everybody"):
            load_pem(armoured(bytes.fromhex(prefix) + point).encode())
    openpgp = parse_key(
        Node(
            {
                "type": "eddsa",
                "method": "pgp+eddsa-ed25519",
                "keyval": {"public": {"q": point.hex()}},
            }
        ),
        KEYID,
    )
    for spelled in (of("ed25519", point.hex()), openpgp):
        with pytest.raises(UnusableKey, match="everybody"):
            identity(spelled)


@pytest.mark.accepts("K2")
@pytest.mark.rejects("K2")
def test_K2_rsa_keys_have_at_least_2048_bits() -> None:
    assert len(identity(of("rsa", pem(RSA)))) == 64
    weak = rsa.generate_private_key(65537, 1024).public_key()
    with pytest.raises(UnusableKey) as caught:
        identity(of("rsa", pem(weak)))
    assert caught.value.found == "1024 bits"


@pytest.mark.accepts("K2")
def test_K2_the_old_name_of_ecdsa_keys_is_known() -> None:
    assert identity(of("ecdsa-sha2-nistp256", pem(P256))) == identity(of("ecdsa", pem(P256)))


# --- PEM files --------------------------------------------------------------------------------


@pytest.mark.accepts("K4")
@pytest.mark.parametrize(
    "public",
    [
        RSA,
        P256,
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        ec.generate_private_key(ec.SECP521R1()).public_key(),
        ED25519.public_key(),
    ],
)
def test_K4_a_pem_file_gets_the_keyid_that_securesystemslib_gives(
    public: ed25519.Ed25519PublicKey | rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
) -> None:
    theirs = SSlibKey.from_crypto(public)
    ours = load_pem(pem(public).encode())
    assert ours == PublicKey(
        keyid=theirs.keyid,
        keytype=theirs.keytype,
        scheme=theirs.scheme,
        public=theirs.keyval["public"],
    )


@pytest.mark.accepts("K4")
def test_K4_ml_dsa_keys_too() -> None:
    mldsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    assert mldsa.MLDSA65PublicKey
    theirs = CryptoSigner.generate_mldsa().public_key
    assert isinstance(theirs, SSlibKey)
    ours = load_pem(theirs.keyval["public"].encode())
    assert (ours.keyid, ours.scheme) == (theirs.keyid, theirs.scheme)
    assert len(identity(ours)) == 64


def test_a_pem_file_may_be_given_another_keyid_and_scheme() -> None:
    loaded = load_pem(pem(RSA).encode(), "1234abcd", scheme="rsa-pkcs1v15-sha512")
    assert (loaded.keyid, loaded.scheme) == ("1234abcd", "rsa-pkcs1v15-sha512")


@pytest.mark.rejects("K2")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        ED25519_HEX.encode(),
        ED25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        dsa.generate_private_key(1024)
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        ed448.Ed448PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        pem(ec.generate_private_key(ec.SECP256K1()).public_key()).encode(),
    ],
)
def test_K2_a_file_without_a_supported_public_key_is_unusable(data: bytes) -> None:
    with pytest.raises(UnusableKey):
        load_pem(data)


@pytest.mark.accepts("K4")
@pytest.mark.skipif(not INTEROP.is_dir(), reason=NO_INTEROP)
@pytest.mark.parametrize("name", ["alice", "bob", "carl"])
def test_K4_keys_of_the_field(name: str) -> None:
    data = (INTEROP / "in-toto-demo" / "metablock" / f"{name}.pub").read_bytes()
    theirs = SSlibKey.from_crypto(load_pem_public_key(data))
    assert load_pem(data).keyid == theirs.keyid
