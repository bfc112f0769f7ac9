"""E6, E7, K2, K3, K4: which keys signed an envelope."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner, SSlibKey

from pip_intoto.errors import MetadataTooLarge, UnusableKey
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.envelope import Signature, parse_envelope, read_payload
from pip_intoto.metadata.keys import PublicKey, load_pem
from pip_intoto.metadata.layout import Layout, parse_layout
from pip_intoto.metadata.node import Node
from pip_intoto.verification.signatures import Keyring, verify_signature
from tests.unit.metadata.documents import (
    ED25519,
    ED25519_HEX,
    ED25519_PEM,
    INTEROP,
    KEYID,
    NO_INTEROP,
    as_json,
    dsse,
    link,
    metablock,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.envelope import Envelope

MESSAGE = b"what was signed"
RSA = rsa.generate_private_key(65537, 2048)
OURS = PublicKey(keyid=KEYID, keytype="ed25519", scheme="ed25519", public=ED25519_HEX)


def signers(
    envelope: Envelope, keys: Iterable[PublicKey], *, limits: Limits = DEFAULT
) -> tuple[PublicKey, ...]:
    return tuple(signing.key for signing in Keyring(keys, limits=limits).signings(envelope))


def public(
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    scheme: str | None = None,
) -> PublicKey:
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return load_pem(pem, scheme=scheme)


def flipped(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


def check(key: PublicKey, value: bytes) -> None:
    """The signature verifies; with one bit changed, in it or in the message, it does not."""
    assert verify_signature(key, Signature("", value), MESSAGE)
    assert verify_signature(key, Signature("another keyid", value), MESSAGE)
    assert not verify_signature(key, Signature("", flipped(value)), MESSAGE)
    assert not verify_signature(key, Signature("", value), flipped(MESSAGE))
    for shape in (b"", b"\0", value[:-1], value + b"\0"):
        assert not verify_signature(key, Signature("", shape), MESSAGE)


# --- methods ----------------------------------------------------------------------------------


@pytest.mark.accepts("K2")
@pytest.mark.parametrize("digest", [SHA256(), SHA384(), SHA512()])
@pytest.mark.parametrize("salt", [0, 20, 32, "max"])
def test_K2_rsassa_pss_with_a_salt_of_any_length(
    digest: SHA256 | SHA384 | SHA512, salt: int | str
) -> None:
    length = padding.PSS.MAX_LENGTH if isinstance(salt, str) else salt
    value = RSA.sign(MESSAGE, padding.PSS(padding.MGF1(digest), length), digest)
    check(public(RSA, f"rsassa-pss-{digest.name}"), value)


@pytest.mark.accepts("K2")
@pytest.mark.parametrize("digest", [SHA256(), SHA384(), SHA512()])
def test_K2_rsa_pkcs1v15(digest: SHA256 | SHA384 | SHA512) -> None:
    check(public(RSA, f"rsa-pkcs1v15-{digest.name}"), RSA.sign(MESSAGE, padding.PKCS1v15(), digest))


@pytest.mark.accepts("K2")
def test_K2_ed25519() -> None:
    check(OURS, ED25519.sign(MESSAGE))
    check(dataclasses.replace(OURS, public=ED25519_PEM), ED25519.sign(MESSAGE))


@pytest.mark.accepts("K2")
@pytest.mark.parametrize(
    ("curve", "digest"),
    [(ec.SECP256R1(), SHA256()), (ec.SECP384R1(), SHA384()), (ec.SECP521R1(), SHA512())],
)
def test_K2_ecdsa(curve: ec.EllipticCurve, digest: SHA256 | SHA384 | SHA512) -> None:
    private = ec.generate_private_key(curve)
    value = private.sign(MESSAGE, ec.ECDSA(digest))
    check(public(private), value)
    old = dataclasses.replace(public(private), keytype=public(private).scheme)
    assert verify_signature(old, Signature("", value), MESSAGE)


def check_signer(signer: CryptoSigner) -> None:
    key = signer.public_key
    assert isinstance(key, SSlibKey)
    ours = PublicKey(
        keyid=key.keyid, keytype=key.keytype, scheme=key.scheme, public=key.keyval["public"]
    )
    check(ours, bytes.fromhex(signer.sign(MESSAGE).signature))


@pytest.mark.accepts("K2")
def test_K2_what_securesystemslib_signs_verifies() -> None:
    for signer in (
        CryptoSigner.generate_ed25519(),
        CryptoSigner.generate_rsa(),
        CryptoSigner.generate_ecdsa(),
    ):
        check_signer(signer)


@pytest.mark.accepts("K2")
@pytest.mark.parametrize("size", [44, 65, 87])
def test_K2_ml_dsa(size: int) -> None:
    mldsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    try:
        private = getattr(mldsa, f"MLDSA{size}PrivateKey").generate()
    except UnsupportedAlgorithm:
        pytest.skip("the cryptography library was built without ML-DSA")
    signer = CryptoSigner(private)
    check_signer(signer)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(UnusableKey):
        verify_signature(load_pem(pem, scheme="ed25519"), Signature("", bytes(64)), MESSAGE)


@pytest.mark.rejects("K2")
def test_K2_a_scheme_of_another_kind_or_hash_does_not_verify() -> None:
    value = RSA.sign(MESSAGE, padding.PKCS1v15(), SHA256())
    for scheme in ("rsa-pkcs1v15-sha512", "rsassa-pss-sha256"):
        assert not verify_signature(public(RSA, scheme), Signature("", value), MESSAGE)


@pytest.mark.accepts("K3")
@pytest.mark.rejects("K2", "K3")
@pytest.mark.parametrize(
    "key",
    [
        public(RSA, "ed25519"),
        public(RSA, "rsassa-pss-sha1"),
        public(RSA, "rsa-pkcs1v15-sha224"),
        public(RSA, "ecdsa-sha2-nistp256"),
        public(ec.generate_private_key(ec.SECP256R1()), "ecdsa-sha2-nistp384"),
        dataclasses.replace(OURS, scheme="rsassa-pss-sha256"),
        dataclasses.replace(OURS, scheme=""),
        dataclasses.replace(OURS, keytype="rsa"),
        dataclasses.replace(OURS, keytype="sigstore-oidc"),
        dataclasses.replace(OURS, public=""),
    ],
)
def test_K2_K3_a_key_that_fits_no_scheme_is_unusable_and_skipped(key: PublicKey) -> None:
    with pytest.raises(UnusableKey):
        verify_signature(key, Signature("", bytes(64)), MESSAGE)
    assert signers(sealed(), [key, OURS]) == (OURS,)


@pytest.mark.rejects("K2")
def test_K2_an_rsa_key_below_2048_bits_never_verifies() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    pem = weak.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    value = weak.sign(MESSAGE, padding.PKCS1v15(), SHA256())
    key = PublicKey(keyid=KEYID, keytype="rsa", scheme="rsa-pkcs1v15-sha256", public=pem)
    with pytest.raises(UnusableKey, match="weak"):
        verify_signature(key, Signature("", value), MESSAGE)


# --- envelopes --------------------------------------------------------------------------------


def sealed(*, keyid: str = KEYID) -> Envelope:
    value = metablock(link())
    envelope = parse_envelope(as_json(value), limits=DEFAULT)
    (signature,) = envelope.signatures
    return dataclasses.replace(envelope, signatures=(dataclasses.replace(signature, keyid=keyid),))


@pytest.mark.accepts("E7", "K4")
@pytest.mark.rejects("E7", "K4")
@pytest.mark.parametrize("keyid", [KEYID, "", "cd" * 32, "alice"])
def test_E7_K4_the_keyid_decides_nothing(keyid: str) -> None:
    assert signers(sealed(keyid=keyid), [OURS]) == (OURS,)
    other = public(ed25519.Ed25519PrivateKey.generate())
    claimed = dataclasses.replace(other, keyid=keyid)
    assert signers(sealed(keyid=keyid), [claimed]) == ()


@pytest.mark.accepts("E6")
@pytest.mark.rejects("E6")
def test_E6_all_signatures_are_tried_with_all_keys() -> None:
    envelope = sealed()
    more = [ed25519.Ed25519PrivateKey.generate() for _ in range(3)]
    mine = envelope.signatures[0]
    junk = Signature(KEYID, bytes(64))
    signatures = (
        junk,
        *(Signature("", each.sign(envelope.signed)) for each in more[:2]),
        mine,
        junk,
    )
    envelope = dataclasses.replace(envelope, signatures=signatures)
    keys = [public(more[2]), public(more[1]), OURS, public(more[0])]
    assert signers(envelope, keys) == (keys[1], keys[2], keys[3])


def test_T3_one_key_under_two_keyids_is_returned_twice_for_the_caller_to_count_once() -> None:
    twin = dataclasses.replace(OURS, keyid="ff" * 32, public=ED25519_PEM)
    assert signers(sealed(), [OURS, twin]) == (OURS, twin)


def test_no_signatures_or_no_keys_are_no_signers() -> None:
    assert signers(sealed(), []) == ()
    assert signers(dataclasses.replace(sealed(), signatures=()), [OURS]) == ()


@pytest.mark.accepts("E2", "E5")
@pytest.mark.rejects("E2", "E5")
@pytest.mark.parametrize("wrap", [dsse, metablock])
def test_E2_E5_a_changed_document_has_no_signers(wrap: object) -> None:
    assert callable(wrap)
    honest = parse_envelope(as_json(wrap(link())), limits=DEFAULT)
    assert signers(honest, [OURS]) == (OURS,)
    evil = wrap(link(name="evil"))
    evil["signatures"] = wrap(link())["signatures"]
    assert signers(parse_envelope(as_json(evil), limits=DEFAULT), [OURS]) == ()


@pytest.mark.rejects("E2", "L8")
def test_E2_members_that_were_injected_into_a_metablock_break_the_signature() -> None:
    value = metablock(link())
    assert isinstance(value["signed"], dict)
    value["signed"]["injected"] = 1
    assert signers(parse_envelope(as_json(value), limits=DEFAULT), [OURS]) == ()


@pytest.mark.accepts("J4")
@pytest.mark.rejects("J4")
def test_J4_tries_are_bounded() -> None:
    envelope = sealed()
    crowd = dataclasses.replace(
        envelope, signatures=tuple(Signature("", bytes([n]) * 64) for n in range(64))
    )
    keys = [public(ed25519.Ed25519PrivateKey.generate()) for _ in range(3)]
    few = dataclasses.replace(DEFAULT, signature_checks=3 * 64)
    assert signers(crowd, keys, limits=few) == ()
    with pytest.raises(MetadataTooLarge):
        signers(crowd, keys, limits=dataclasses.replace(few, signature_checks=3 * 64 - 1))


def test_J4_the_greatest_number_of_tries_takes_a_moment() -> None:
    many = tuple(Signature("", bytes([n]) * 64) for n in range(DEFAULT.signatures))
    crowd = dataclasses.replace(sealed(), signatures=many)
    keys = [
        dataclasses.replace(OURS, public=f"{n:064x}")
        for n in range(DEFAULT.signature_checks // DEFAULT.signatures)
    ]
    start = time.process_time()
    assert signers(crowd, keys) == ()
    assert time.process_time() - start < 10


# --- the field --------------------------------------------------------------------------------


@pytest.mark.accepts("K4")
@pytest.mark.skipif(not INTEROP.is_dir(), reason=NO_INTEROP)
@pytest.mark.parametrize("folder", ["dsse", "metablock"])
def test_links_of_the_field_are_signed_by_the_keys_of_their_layouts(folder: str) -> None:
    template = INTEROP / "in-toto-demo" / "metablock" / "demo.layout.template"
    signed = json.loads(template.read_bytes())["signed"]
    layout = parse_layout(Node({**signed, "expires": "2031-01-01T00:00:00Z"}), limits=DEFAULT)
    for path in sorted((INTEROP / "in-toto-demo" / folder).glob("*.link")):
        envelope = parse_envelope(path.read_bytes(), limits=DEFAULT)
        (signer,) = signers(envelope, layout.keys.values())
        assert path.name.split(".")[-2] == signer.keyid[:8]
        assert not isinstance(read_payload(envelope, limits=DEFAULT), Layout)


@pytest.mark.skipif(not INTEROP.is_dir(), reason=NO_INTEROP)
def test_a_rebuilders_link_with_two_signatures_and_a_key_of_old_spelling() -> None:
    folder = INTEROP / "rebuilder"
    (path,) = folder.glob("*.link")
    (pub,) = folder.glob("*.pub")
    envelope = parse_envelope(path.read_bytes(), limits=DEFAULT)
    key = load_pem(pub.read_bytes())
    assert len(envelope.signatures) == 2
    assert signers(envelope, [key]) == (key,)
