"""K, E, L8: keys of every method and of old metadata, through whole chains.

Links and layouts are signed by securesystemslib here, and the reference implementation is asked
for its opinion of the same documents.
"""

from __future__ import annotations

import base64
import copy
import functools
import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner, SSlibKey

from pip_intoto.errors import (
    EvidenceInvalid,
    LayoutSignatureMissing,
    LinkMissing,
    LinkThresholdUnmet,
    MetadataMalformed,
)
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata.keys import PublicKey
from pip_intoto.verification.trust import Owner
from tests.conformance.reference import files, reference
from tests.unit.metadata.documents import INTEROP, NO_INTEROP, pae
from tests.unit.verification.supply import (
    BUILDER,
    OWNER,
    STRANGER,
    SUBJECT,
    TAGGER,
    FakeInspector,
    as_document,
    build_link,
    build_step,
    chain,
    check,
    document,
    layout,
    passes,
    tag_link,
    tag_step,
    trust,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.bundle import Document

NOW = datetime.now(timezone.utc).replace(microsecond=0)
EXPIRES = NOW + timedelta(days=1)
PARTS = ("keytype", "scheme", "keyval")


@functools.cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@functools.cache
def signer(method: str) -> CryptoSigner:
    """A key that signs by a method of securesystemslib's."""
    private: PrivateKeyTypes
    if method.startswith("rsa"):
        private = rsa_key()
    elif method == "ed25519":
        private = ed25519.Ed25519PrivateKey.generate()
    elif method.startswith("ecdsa"):
        curves = {"256": ec.SECP256R1(), "384": ec.SECP384R1(), "521": ec.SECP521R1()}
        private = ec.generate_private_key(curves[method[-3:]])
    else:
        mldsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
        try:
            private = getattr(mldsa, f"MLDSA{method[7:9]}PrivateKey").generate()
        except UnsupportedAlgorithm:
            pytest.skip("the cryptography library was built without ML-DSA")
    return CryptoSigner(private, SSlibKey.from_crypto(private.public_key(), scheme=method))


METHODS = [
    *(f"{kind}-sha{size}" for kind in ("rsassa-pss", "rsa-pkcs1v15") for size in (256, 384, 512)),
    "ed25519",
    *(f"ecdsa-sha2-nistp{size}" for size in (256, 384, 521)),
    *(f"ml-dsa-{size}/1" for size in (44, 65, 87)),
]


def key_object(key: SSlibKey, keyid: str | None = None) -> JsonObject:
    """A key as a layout lists it."""
    described = {part: key.to_dict()[part] for part in PARTS}
    return {"keyid": keyid or key.keyid, **described}


def public(of: CryptoSigner) -> SSlibKey:
    assert isinstance(of.public_key, SSlibKey)
    return of.public_key


def sealed(
    payload: JsonObject, by: CryptoSigner, envelope: Envelope, *, keyid: str | None = None
) -> JsonObject:
    """``payload``, signed by securesystemslib."""
    keyid = keyid or public(by).keyid
    if envelope is Envelope.DSSE:
        body = json.dumps(payload).encode()
        sig = base64.b64encode(bytes.fromhex(by.sign(pae(body)).signature)).decode()
        return {
            "payload": base64.b64encode(body).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"keyid": keyid, "sig": sig}],
        }
    canonical = encode_canonical(payload)
    assert canonical is not None
    return {
        "signed": payload,
        "signatures": [{"keyid": keyid, "sig": by.sign(canonical.encode()).signature}],
    }


def with_builder(key: JsonObject, *, threshold: int = 1) -> JsonObject:
    """A layout in which ``key`` may build."""
    keyid = str(key["keyid"])
    root = layout(tag_step(), build_step(pubkeys=[keyid], threshold=threshold), expires=EXPIRES)
    assert isinstance(root["keys"], dict)
    root["keys"][keyid] = key
    return root


def entries(content: JsonObject) -> list[JsonObject]:
    """The signature entries of a document, to be changed in place."""
    found = content["signatures"]
    assert isinstance(found, list)
    return [each for each in found if isinstance(each, dict)]


def broken(content: JsonObject) -> JsonObject:
    """The same document with one bit of its signature changed."""
    changed = copy.deepcopy(content)
    (entry,) = entries(changed)
    text = str(entry["sig"])
    is_dsse = "payload" in changed
    value = bytearray(base64.b64decode(text) if is_dsse else bytes.fromhex(text))
    value[-1] ^= 1
    entry["sig"] = base64.b64encode(value).decode() if is_dsse else value.hex()
    return changed


def here(contents: Sequence[JsonObject]) -> list[Document]:
    return [as_document(content) for content in contents]


# --- K1, K2: every method -------------------------------------------------------------------------


@pytest.mark.accepts("K1", "K2")
@pytest.mark.rejects("K2")
@pytest.mark.parametrize("envelope", list(Envelope))
@pytest.mark.parametrize("method", METHODS)
def test_K2_a_functionary_signs_by_any_method(
    method: str, envelope: Envelope, tmp_path: Path
) -> None:
    by = signer(method)
    root = authoring.sign(with_builder(key_object(public(by))), [OWNER], envelope)
    build = sealed(build_link(), by, envelope)
    keyid = public(by).keyid
    assert passes(here(list(files(root, build, keyid).values())), now=NOW)
    with pytest.raises(LinkThresholdUnmet):
        check(here(list(files(root, broken(build), keyid).values())), now=NOW)
    assert reference(files(root, build, keyid), tmp_path) is None


@pytest.mark.accepts("K2")
@pytest.mark.rejects("K2")
@pytest.mark.parametrize("method", METHODS)
def test_K2_an_owner_signs_by_any_method(method: str) -> None:
    by = signer(method)
    key = public(by)
    mine = PublicKey(
        keyid=key.keyid, keytype=key.keytype, scheme=key.scheme, public=key.keyval["public"]
    )
    trusted = replace(trust(), owners=(Owner(mine, "an owner"),))
    root = sealed(layout(expires=EXPIRES), by, Envelope.DSSE)
    rest = chain()[1:]
    assert passes([as_document(root), *rest], trusted=trusted, now=NOW)
    with pytest.raises(LayoutSignatureMissing):
        check([as_document(broken(root)), *rest], trusted=trusted, now=NOW)


@pytest.mark.rejects("K2")
@pytest.mark.parametrize("method", ["rsassa-pss-sha256", "rsa-pkcs1v15-sha256"])
def test_K2_an_rsa_key_of_1024_bits_signs_nothing(method: str, tmp_path: Path) -> None:
    weak = rsa_key(1024)
    by = CryptoSigner(weak, SSlibKey.from_crypto(weak.public_key(), scheme=method))
    root = authoring.sign(with_builder(key_object(public(by))), [OWNER])
    contents = files(root, sealed(build_link(), by, Envelope.DSSE), public(by).keyid)
    with pytest.raises(EvidenceInvalid):
        check(here(list(contents.values())), now=NOW)
    # A known difference: the reference takes keys of any size.
    assert reference(contents, tmp_path) is None


@pytest.mark.rejects("K2")
def test_K2_a_signature_by_another_method_of_the_same_key_does_not_count() -> None:
    listed, used = signer("rsassa-pss-sha256"), signer("rsa-pkcs1v15-sha256")
    root = authoring.sign(with_builder(key_object(public(listed))), [OWNER])
    build = sealed(build_link(), used, Envelope.DSSE, keyid=public(listed).keyid)
    with pytest.raises(LinkThresholdUnmet):
        check(here(list(files(root, build, public(listed).keyid).values())), now=NOW)


# --- K3: unknown kinds ----------------------------------------------------------------------------

UNKNOWN: JsonObject = {
    "keyid": "0dd" * 8,
    "keytype": "sigstore-oidc",
    "scheme": "Fulcio",
    "keyval": {"identity": "a@example.org", "issuer": "https://example.org"},
}


@pytest.mark.accepts("K3")
@pytest.mark.rejects("K3")
def test_K3_a_key_of_an_unknown_kind_matters_when_a_threshold_needs_it() -> None:
    root = with_builder(UNKNOWN)
    step = build_step(pubkeys=["0dd" * 8, BUILDER.keyid])
    root["steps"] = [tag_step(), step]
    assert passes(chain(root=root), now=NOW)
    root["steps"] = [tag_step(), step | {"threshold": 2}]
    with pytest.raises(LinkThresholdUnmet):
        check(chain(root=root), now=NOW)
    root["steps"] = [tag_step(), build_step(pubkeys=["0dd" * 8])]
    with pytest.raises(LinkMissing):
        check(chain(root=root), now=NOW)


# --- K4: keyids of old metadata -------------------------------------------------------------------


def old(key: SSlibKey) -> JsonObject:
    """The key as in-toto wrote it in 2017: other members are hashed, and PEM has no last line."""
    described: JsonObject = {
        "keytype": key.keytype,
        "scheme": key.scheme,
        "keyid_hash_algorithms": ["sha256", "sha512"],
        "keyval": {"public": key.keyval["public"].strip()},
    }
    canonical = encode_canonical(described)
    assert canonical is not None
    keyid = hashlib.sha256(canonical.encode()).hexdigest()
    keyval = {"private": "", "public": key.keyval["public"].strip()}
    return {**described, "keyid": keyid, "keyval": keyval}


OLD_METHODS = ["rsassa-pss-sha256", "ed25519", "ecdsa-sha2-nistp256"]


@pytest.mark.accepts("K1", "K4")
@pytest.mark.rejects("K4")
@pytest.mark.parametrize("envelope", list(Envelope))
@pytest.mark.parametrize("method", OLD_METHODS)
def test_K4_a_layout_with_keyids_of_old_verifies(method: str, envelope: Envelope) -> None:
    by = signer(method)
    key = old(public(by))
    keyid = str(key["keyid"])
    assert keyid != public(by).keyid
    root = authoring.sign(with_builder(key), [OWNER], envelope)
    build = sealed(build_link(), by, envelope, keyid=keyid)
    contents = files(root, build, keyid)
    assert passes(here(list(contents.values())), now=NOW)
    # The old id is no proof: another key's signature under it does not count.
    forged = authoring.sign(build_link(), [STRANGER], envelope)
    entries(forged)[0]["keyid"] = keyid
    with pytest.raises(LinkThresholdUnmet):
        check(here(list(files(root, forged, keyid).values())), now=NOW)


@pytest.mark.accepts("K4")
def test_K4_link_and_layout_may_call_one_key_differently() -> None:
    by = signer("rsassa-pss-sha256")
    key = old(public(by))
    root = authoring.sign(with_builder(key), [OWNER])
    build = sealed(build_link(), by, Envelope.DSSE)
    assert entries(build)[0]["keyid"] != key["keyid"]
    assert passes(here(list(files(root, build, str(key["keyid"])).values())), now=NOW)


FIELD = INTEROP / "in-toto-demo"
UNTAR = ("python", "./scripts/tar", "xfz", "foo.tar.gz")


def links_of_the_field(folder: str) -> dict[str, JsonObject]:
    return {path.name: json.loads(path.read_bytes()) for path in (FIELD / folder).glob("*.link")}


def field_chain(links: dict[str, JsonObject]) -> list[Document]:
    """The demonstration with a layout that has not expired, signed by OWNER."""
    template = json.loads((FIELD / "metablock" / "demo.layout.template").read_bytes())
    signed = {**template["signed"], "expires": EXPIRES.strftime("%Y-%m-%dT%H:%M:%SZ")}
    root = document(signed, OWNER, envelope=Envelope.METABLOCK)
    return [root, *(as_document(content, hint=name) for name, content in links.items())]


@pytest.mark.accepts("K4", "E1", "E2", "E5")
@pytest.mark.rejects("K4", "E2", "E5")
@pytest.mark.skipif(not INTEROP.is_dir(), reason=NO_INTEROP)
@pytest.mark.parametrize("folder", ["metablock", "dsse"])
def test_K4_the_demonstration_of_2017_verifies(folder: str) -> None:
    links = links_of_the_field(folder)
    product = (FIELD / "metablock" / "foo.tar.gz").read_bytes()
    found = {"foo.tar.gz": {"sha256": hashlib.sha256(product).hexdigest()}}
    trusted = replace(trust(), allowed_commands=(UNTAR,))
    inspector = FakeInspector(materials=found, products=found)

    def judged(these: dict[str, JsonObject]) -> int:
        documents = field_chain(these)
        verified = check(documents, trusted=trusted, subject=None, inspector=inspector, now=NOW)
        return len(verified.links)

    assert len(links) == judged(links) == 2
    assert inspector.asked == ["untar"]
    part = "signed" if folder == "metablock" else "payload"
    (one, other) = sorted(links)
    for name, donor in ((one, other), (other, one)):
        with pytest.raises(LinkThresholdUnmet):
            judged({**links, name: {**links[name], part: links[donor][part]}})


# --- K5 -------------------------------------------------------------------------------------------


@pytest.mark.rejects("K5")
def test_K5_a_layout_that_lists_a_key_under_another_name_is_refused(tmp_path: Path) -> None:
    root = layout(expires=EXPIRES)
    root["keys"][BUILDER.keyid]["keyid"] = TAGGER.keyid  # type: ignore[index,call-overload]
    with pytest.raises(MetadataMalformed):
        check(chain(root=root), now=NOW)
    # A known difference: the reference does not compare them, and then looks for the wrong one.
    contents = files(
        authoring.sign(root, [OWNER]), authoring.sign(build_link(), [BUILDER]), BUILDER.keyid
    )
    assert reference(contents, tmp_path) is not None


# --- E: envelopes ---------------------------------------------------------------------------------


@pytest.mark.accepts("E1")
@pytest.mark.parametrize("root", list(Envelope))
@pytest.mark.parametrize("tag", list(Envelope))
def test_E1_a_chain_may_mix_envelopes(root: Envelope, tag: Envelope) -> None:
    documents = [
        document(layout(), OWNER, envelope=root),
        document(tag_link(), TAGGER, envelope=tag),
        document(build_link(), BUILDER),
    ]
    assert passes(documents)


@pytest.mark.accepts("E6", "E7")
@pytest.mark.rejects("E6", "E7")
@pytest.mark.parametrize("envelope", list(Envelope))
def test_E6_E7_a_good_signature_is_found_behind_bad_ones_under_any_name(envelope: Envelope) -> None:
    good = authoring.sign(build_link(), [BUILDER], envelope)
    forged = authoring.sign(build_link(), [STRANGER], envelope)
    (mine,), (theirs,) = entries(good), entries(forged)
    theirs["keyid"] = BUILDER.keyid
    nameless: JsonObject = {"sig": mine["sig"]}
    renamed: JsonObject = {**mine, "keyid": STRANGER.keyid}
    for these in ([theirs, mine], [theirs, nameless], [theirs, theirs, renamed, {}]):
        build = as_document({**good, "signatures": list(these)})
        assert passes([*chain(envelope=envelope)[:2], build])
    with pytest.raises(LinkThresholdUnmet):
        check([*chain(envelope=envelope)[:2], as_document({**good, "signatures": [theirs]})])


@pytest.mark.accepts("L8")
@pytest.mark.parametrize("envelope", list(Envelope))
def test_L8_members_of_the_future_are_signed_and_ignored(envelope: Envelope) -> None:
    root = layout(tag_step(), build_step(future=[1]), future={"a": None})
    assert passes(chain(root=root, build=build_link(future="x"), envelope=envelope))


CHANGES: dict[str, Callable[[Any], object]] = {
    "a member is injected": lambda root: root.update(future=1),
    "the type of a step is changed": lambda root: root["steps"][0].update(_type="other"),
    "a threshold of 1 is taken away": lambda root: root["steps"][0].pop("threshold"),
    "a member of a step is injected": lambda root: root["steps"][1].update(future=1),
}


@pytest.mark.rejects("E2", "L8")
@pytest.mark.parametrize("change", list(CHANGES))
def test_E2_any_change_to_a_signed_metablock_breaks_it(change: str, tmp_path: Path) -> None:
    content = authoring.sign(layout(expires=EXPIRES), [OWNER], Envelope.METABLOCK)
    build = authoring.sign(build_link(), [BUILDER])
    rest = here([authoring.sign(tag_link(), [TAGGER]), build])
    assert passes([as_document(content), *rest], now=NOW)
    CHANGES[change](content["signed"])
    with pytest.raises(LayoutSignatureMissing):
        check([as_document(content), *rest], subject=SUBJECT, now=NOW)
    # A known difference: the reference signs and verifies what it understood.
    assert reference(files(content, build, BUILDER.keyid), tmp_path) is None


@pytest.mark.accepts("C1", "E2")
@pytest.mark.parametrize("envelope", list(Envelope))
def test_C1_text_that_canonical_json_writes_in_its_own_way_verifies(envelope: Envelope) -> None:
    odd = 'quote " backslash \\ line\n tab\t bell\x07 \\u0041 é 😀 \u2028'
    build = sealed(
        build_link(byproducts={"stdout": odd, "stderr": odd[::-1]}), signer("ed25519"), envelope
    )
    root = document(with_builder(key_object(public(signer("ed25519")))), OWNER)
    assert passes([root, document(tag_link(), TAGGER), as_document(build)], now=NOW)
