"""K6: who counts when OpenPGP keys sign, through whole chains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures import gnupg, openpgp
from fixtures.keys import key
from fixtures.openpgp import YEAR, OpenPGPKey
from pip_intoto.errors import (
    EvidenceInvalid,
    KeyRevoked,
    LayoutSignatureMissing,
    LinkMissing,
    LinkThresholdUnmet,
    MetadataMalformed,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata.envelope import Signature, parse_envelope
from pip_intoto.metadata.keys import identity, load_pem, parse_key
from pip_intoto.metadata.layout import parse_layout
from pip_intoto.metadata.node import Node
from pip_intoto.verification.chain import wanted_names
from pip_intoto.verification.link_names import link_names
from pip_intoto.verification.roots import root_layouts
from pip_intoto.verification.signatures import Keyring, verify_signature
from pip_intoto.verification.trust import Owner, Trust
from tests.unit.metadata.documents import INTEROP, NO_INTEROP
from tests.unit.verification import supply
from tests.unit.verification.supply import NOW, OWNER, TAGGER, as_document, document, passes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.keys import PublicKey

LAPTOP, SERVER = OpenPGPKey(name="laptop"), OpenPGPKey(name="server")
MASTER = OpenPGPKey(name="master", subkeys=(LAPTOP, SERVER))
OTHER = OpenPGPKey(name="other")


def over(of: OpenPGPKey) -> OpenPGPKey:
    """Give the key with a period that ended long before these tests: the year 2024."""
    return replace(of, validity=YEAR)


both = pytest.mark.parametrize("envelope", list(Envelope), ids=lambda each: each.value)


def public(of: OpenPGPKey) -> PublicKey:
    return parse_key(Node(of.described()), of.keyid)


def ident(of: OpenPGPKey) -> str:
    return identity(public(of))


def layout(
    *keys: OpenPGPKey,
    pubkeys: Sequence[OpenPGPKey] | None = None,
    threshold: int = 1,
    more: JsonObject | None = None,
) -> JsonObject:
    """Describe the chain, with OpenPGP keys for the build."""
    may_build = [each.keyid for each in keys if pubkeys is None or each in pubkeys]
    if pubkeys is not None:
        may_build = [each.keyid for each in pubkeys]
    listed: JsonObject = {each.keyid: each.described() for each in keys}
    described = supply.layout(
        supply.tag_step(),
        supply.build_step(pubkeys=[*may_build, *(more or {})], threshold=threshold),
    )
    described["keys"] = cast("JsonObject", described["keys"]) | listed | (more or {})
    return described


def built(*signers: OpenPGPKey, envelope: Envelope = Envelope.METABLOCK) -> Document:
    """Report the build."""
    return as_document(
        openpgp.sign(supply.build_link(), signers, envelope), origin=f"link of {signers[0].name}"
    )


def chain(root: JsonObject, *links: Document) -> list[Document]:
    return [document(root, OWNER, origin="root"), document(supply.tag_link(), TAGGER), *links]


def refused(
    documents: list[Document],
    error: type[EvidenceInvalid] = LinkThresholdUnmet,
    *,
    trusted: Trust | None = None,
) -> EvidenceInvalid:
    with pytest.raises(error) as caught:
        passes(documents, trusted=trusted)
    return caught.value


# --- functionaries ----------------------------------------------------------------------------


@pytest.mark.accepts("K6")
@both
def test_K6_a_key_signs_for_its_step(envelope: Envelope) -> None:
    assert passes(chain(layout(OTHER), built(OTHER, envelope=envelope)))


@pytest.mark.accepts("K6")
@both
@pytest.mark.parametrize("signer", [MASTER, LAPTOP, SERVER], ids=lambda each: each.name)
def test_K6_a_master_authorises_its_subkeys(signer: OpenPGPKey, envelope: Envelope) -> None:
    assert passes(chain(layout(MASTER), built(signer, envelope=envelope)))


@pytest.mark.accepts("K6")
@pytest.mark.rejects("K6")
def test_K6_a_subkey_authorises_nobody_but_itself() -> None:
    root = layout(MASTER, pubkeys=[LAPTOP])
    assert passes(chain(root, built(LAPTOP)))
    for other in (MASTER, SERVER):
        error = refused(chain(root, built(other)))
        assert "not authorised for this step" in error.found


@pytest.mark.rejects("K5", "K6")
def test_K5_a_subkey_under_the_keyid_of_somebody_else() -> None:
    """Who may sign for one step hands in a key with a subkey that is called as another's key is."""
    impostor = OpenPGPKey(name="impostor")
    handed_in = OTHER.described()
    handed_in["subkeys"] = {MASTER.keyid: impostor.described() | {"keyid": MASTER.keyid}}
    root = layout(MASTER, more={OTHER.keyid: handed_in})
    cast("list[JsonObject]", root["steps"])[1]["pubkeys"] = [MASTER.keyid]
    error = refused(chain(root, built(impostor)), MetadataMalformed)
    assert "two keys have the same keyid" in str(error)


@pytest.mark.rejects("K6", "T1")
def test_K6_another_key_does_not_count() -> None:
    refused(chain(layout(MASTER), built(OTHER)), LinkMissing)


@pytest.mark.rejects("K6", "T3")
def test_K6_several_subkeys_of_one_master_count_once() -> None:
    root = layout(MASTER, OTHER, threshold=2)
    for signers in ([LAPTOP, SERVER], [MASTER, LAPTOP], [MASTER, LAPTOP, SERVER]):
        error = refused(chain(root, *map(built, signers)))
        assert f"({len(signers)} links, which count as 1)" in error.found
        refused(chain(root, built(*signers)))
    assert passes(chain(root, built(LAPTOP), built(OTHER)))


@pytest.mark.rejects("K6", "T3")
def test_K6_a_subkey_that_is_listed_for_itself_counts_with_its_master() -> None:
    spellings = layout(MASTER, LAPTOP, threshold=2)
    named = layout(MASTER, pubkeys=[MASTER, LAPTOP, SERVER], threshold=2)
    # The same key once more, as an ordinary one.
    pem = load_pem(key("laptop").public_pem())
    plain: JsonObject = {
        pem.keyid: {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": pem.public}}
    }
    for root in (spellings, named, layout(MASTER, threshold=2, more=plain)):
        refused(chain(root, built(LAPTOP)))
        refused(chain(root, built(MASTER), built(LAPTOP)))
        refused(chain(root, document(supply.build_link(), key("laptop")), built(MASTER)))
        refused(chain(root, document(supply.build_link(), key("laptop")), built(LAPTOP)))
    # Two masters with the same subkey are one party, too.
    twin = replace(OTHER, subkeys=(LAPTOP,))
    refused(chain(layout(MASTER, twin, threshold=2), built(LAPTOP)))
    refused(chain(layout(MASTER, twin, threshold=2), built(LAPTOP), built(twin)))
    refused(chain(layout(LAPTOP, twin, MASTER, threshold=2), built(MASTER), built(twin)))


@pytest.mark.accepts("K6", "T1")
def test_K6_two_masters_are_two_parties() -> None:
    second = OpenPGPKey(name="second", subkeys=(OpenPGPKey(name="third"),))
    root = layout(MASTER, second, threshold=2)
    assert passes(chain(root, built(LAPTOP), built(second.subkeys[0])))
    assert passes(chain(root, built(MASTER, second)))


@pytest.mark.rejects("K6", "T3")
def test_K6_a_principal_of_the_policy_has_all_keys_of_a_family() -> None:
    root = layout(MASTER, OTHER, threshold=2)
    for named in (MASTER, LAPTOP, SERVER):
        trusted = supply.trust(principals={ident(named): "alice", ident(OTHER): "alice"})
        refused(chain(root, built(MASTER), built(OTHER)), trusted=trusted)
        refused(chain(root, built(LAPTOP), built(OTHER)), trusted=trusted)
    trusted = supply.trust(principals={ident(MASTER): "alice", ident(LAPTOP): "bob"})
    refused(chain(root, built(MASTER), built(LAPTOP)), trusted=trusted)
    trusted = supply.trust(principals={ident(MASTER): "alice", ident(OTHER): "bob"})
    assert passes(chain(root, built(LAPTOP), built(OTHER)), trusted=trusted)


@pytest.mark.accepts("V4", "K6")
@pytest.mark.rejects("V4", "K6")
def test_V4_the_two_kinds_of_signatures_never_mix() -> None:
    ordinary = document(supply.build_link(), key("other"))
    refused(chain(layout(OTHER), ordinary), LinkMissing)
    plain: JsonObject = {
        OTHER.keyid: {
            "keytype": "ed25519",
            "scheme": "ed25519",
            "keyval": {"public": key("other").public},
        }
    }
    root = layout(more=plain)
    refused(chain(root, built(OTHER)))
    # In the reference this aborts the verification; here it is skipped.
    assert passes(chain(root, built(OTHER), ordinary))
    (signature,) = built(OTHER).envelope.signatures
    signed = built(OTHER).envelope.signed
    assert verify_signature(public(OTHER), signature, signed)
    assert not verify_signature(public(OTHER), replace(signature, openpgp=None), signed)
    assert not verify_signature(load_pem(key("other").public_pem()), signature, signed)
    dsa = replace(public(OTHER), keytype="dsa", scheme="pgp+dsa-fips-180-2")
    assert not verify_signature(dsa, signature, signed)


@pytest.mark.accepts("E7", "K4")
def test_E7_keyids_of_openpgp_signatures_are_hints() -> None:
    content = openpgp.sign(supply.build_link(), [LAPTOP])
    for keyid in ("", "ab" * 20, MASTER.keyid, SERVER.keyid):
        (entry,) = cast("list[JsonObject]", content["signatures"])
        entry["keyid"] = keyid
        assert passes(chain(layout(MASTER), as_document(content)))


@pytest.mark.accepts("N1", "K6")
def test_N1_links_may_have_the_names_of_subkeys() -> None:
    described = parse_layout(Node(layout(MASTER)), DEFAULT)
    assert set(link_names(described)) == {
        f"tag.{TAGGER.keyid[:8]}.link",
        *(f"build.{each.keyid[:8]}.link" for each in (MASTER, LAPTOP, SERVER)),
    }
    root = layout(MASTER)
    error = refused(chain(root), LinkMissing)
    assert f"build.{LAPTOP.keyid[:8]}.link" in error.expected


@pytest.mark.accepts("U1", "U2", "K6")
def test_U1_a_subkey_signs_a_sublayout() -> None:
    inner = supply.layout(
        supply.build_step(
            name="compile",
            pubkeys=[supply.VENDOR.keyid],
            expected_materials=[],
            expected_products=[],
        )
    )
    sublayout = as_document(openpgp.sign(inner, [LAPTOP]))
    link = document(supply.build_link(name="compile"), supply.VENDOR)
    documents = chain(layout(MASTER), sublayout, link)
    assert passes(documents)
    (root,) = root_layouts(documents, supply.trust(), NOW)
    names = wanted_names(root, documents, supply.trust(), NOW)
    # The reference looks below the name of the link, which is the subkey's.
    assert f"build.{LAPTOP.keyid[:8]}/compile.{supply.VENDOR.keyid[:8]}.link" in names


# --- validity, revocation ---------------------------------------------------------------------


@pytest.mark.rejects("K6")
@pytest.mark.parametrize(
    ("listed", "signer"),
    [
        (over(MASTER), MASTER),
        (over(MASTER), LAPTOP),
        (replace(MASTER, subkeys=(over(LAPTOP), SERVER)), LAPTOP),
    ],
    ids=["the master", "a subkey of it", "the subkey alone"],
)
def test_GHSA_jjgp_whrp_gq8m_an_expired_key_signs_nothing(
    listed: OpenPGPKey, signer: OpenPGPKey
) -> None:
    error = refused(chain(layout(listed), built(signer)))
    assert "expired on 2024-12-31" in error.found
    entries = supply.check(chain(layout(listed, OTHER), built(signer), built(OTHER))).trace
    assert any("expired on 2024-12-31" in entry.detail for entry in entries)


@pytest.mark.rejects("K6")
def test_GHSA_jjgp_whrp_gq8m_a_key_of_the_future_signs_nothing() -> None:
    tomorrow = int((NOW + timedelta(days=1)).timestamp())
    listed = replace(MASTER, subkeys=(replace(LAPTOP, created=tomorrow),))
    error = refused(chain(layout(listed), built(listed.subkeys[0])))
    assert "not valid before" in error.found


@pytest.mark.accepts("K6")
def test_K6_validity_that_has_not_ended_yet() -> None:
    listed = replace(MASTER, validity=4 * YEAR, subkeys=(replace(LAPTOP, validity=4 * YEAR),))
    assert passes(chain(layout(listed), built(LAPTOP)))
    # Only the expired key does not count.
    listed = replace(MASTER, subkeys=(over(LAPTOP), SERVER))
    assert passes(chain(layout(listed), built(LAPTOP), built(SERVER)))
    assert passes(chain(layout(listed), built(LAPTOP, SERVER)))


@pytest.mark.accepts("K6")
@pytest.mark.rejects("K6")
def test_K6_a_signature_may_end_as_well() -> None:
    for days, is_good in ((2000, True), (20, False)):
        seconds = (days * 86_400).to_bytes(4, "big")
        headers = OTHER.headers(b"\x83" + seconds)
        content = openpgp.sign(supply.build_link(), [])
        signed = as_document(content).envelope.signed
        content["signatures"] = [OTHER.sign(signed, headers)]
        root = layout(OTHER)
        cast("list[JsonObject]", root["steps"])[1]["pubkeys"] = [OTHER.keyid, supply.BUILDER.keyid]
        documents = chain(root, as_document(content))
        if is_good:
            assert passes(documents)
        else:
            refused(documents)
            assert any(
                "its OpenPGP signature expired on 2024-01-21" in entry.detail
                for entry in supply.check([*documents, *supply.chain()[2:]]).trace
            )
        envelope = documents[-1].envelope
        assert bool(Keyring([public(OTHER)], now=NOW).signings(envelope)) == is_good
        assert Keyring([public(OTHER)]).signings(envelope) == ()


@pytest.mark.rejects("K6")
def test_K6_a_revoked_master_takes_its_subkeys_along() -> None:
    trusted = supply.trust(revoked=frozenset({ident(MASTER)}))
    for signer in (MASTER, LAPTOP, SERVER):
        refused(chain(layout(MASTER), built(signer)), KeyRevoked, trusted=trusted)
        # Also one that is listed for itself.
        refused(chain(layout(LAPTOP, SERVER, MASTER), built(signer)), KeyRevoked, trusted=trusted)


@pytest.mark.accepts("K6")
@pytest.mark.rejects("K6")
def test_K6_a_revoked_subkey_goes_alone() -> None:
    trusted = supply.trust(revoked=frozenset({ident(LAPTOP)}))
    refused(chain(layout(MASTER), built(LAPTOP)), KeyRevoked, trusted=trusted)
    assert passes(chain(layout(MASTER), built(SERVER)), trusted=trusted)
    assert passes(chain(layout(MASTER), built(MASTER)), trusted=trusted)


# --- owners -----------------------------------------------------------------------------------


def owned(*owners: OpenPGPKey, threshold: int = 1, revoked: Sequence[OpenPGPKey] = ()) -> Trust:
    return Trust(
        owners=tuple(Owner(public(each), each.name) for each in owners),
        threshold=threshold,
        revoked=frozenset(map(ident, revoked)),
    )


def signed_by(*signers: OpenPGPKey) -> list[Document]:
    root = as_document(openpgp.sign(supply.layout(), signers), origin="root")
    return [root, *supply.chain()[1:]]


@pytest.mark.accepts("K6", "V1")
@pytest.mark.parametrize("signer", [MASTER, LAPTOP, SERVER], ids=lambda each: each.name)
def test_K6_an_owner_signs_with_master_or_subkey(signer: OpenPGPKey) -> None:
    assert passes(signed_by(signer), trusted=owned(MASTER))


@pytest.mark.rejects("K6", "V1")
def test_K6_an_owner_with_a_subkey_is_not_the_master() -> None:
    refused(signed_by(MASTER), LayoutSignatureMissing, trusted=owned(LAPTOP))
    refused(signed_by(OTHER), LayoutSignatureMissing, trusted=owned(MASTER))


@pytest.mark.rejects("K6", "T3")
def test_K6_an_owner_with_two_subkeys_is_one() -> None:
    trusted = owned(MASTER, OTHER, threshold=2)
    error = refused(signed_by(LAPTOP, SERVER, MASTER), LayoutSignatureMissing, trusted=trusted)
    assert "signed by master" in error.found
    assert passes(signed_by(SERVER, OTHER), trusted=trusted)


@pytest.mark.rejects("K6", "T3")
def test_K6_an_owner_and_a_subkey_of_theirs_are_one() -> None:
    trusted = owned(MASTER, LAPTOP, threshold=2)
    for signers in ([MASTER, LAPTOP], [LAPTOP, SERVER], [MASTER, LAPTOP, SERVER]):
        refused(signed_by(*signers), LayoutSignatureMissing, trusted=trusted)
    assert passes(signed_by(LAPTOP, OTHER), trusted=owned(MASTER, LAPTOP, OTHER, threshold=2))


@pytest.mark.rejects("K6")
def test_GHSA_jjgp_whrp_gq8m_an_expired_owner_signs_nothing() -> None:
    listed = replace(MASTER, subkeys=(over(LAPTOP), SERVER))
    error = refused(signed_by(LAPTOP), LayoutSignatureMissing, trusted=owned(listed))
    assert "the subkey expired on 2024-12-31 (master)" in error.found
    assert passes(signed_by(SERVER), trusted=owned(listed))
    listed = over(MASTER)
    for signer in (MASTER, SERVER):
        error = refused(signed_by(signer), LayoutSignatureMissing, trusted=owned(listed))
        assert "the key expired on 2024-12-31 (master)" in error.found


@pytest.mark.rejects("K6")
def test_K6_an_owner_whose_key_is_revoked() -> None:
    for signer in (MASTER, LAPTOP):
        trusted = owned(MASTER, revoked=[MASTER])
        refused(signed_by(signer), KeyRevoked, trusted=trusted)
    trusted = owned(MASTER, revoked=[LAPTOP])
    refused(signed_by(LAPTOP), KeyRevoked, trusted=trusted)
    assert passes(signed_by(SERVER), trusted=trusted)


# --- hostile signatures -----------------------------------------------------------------------


@pytest.mark.rejects("K6")
def test_K6_every_octet_is_covered() -> None:
    (signature,) = built(OTHER).envelope.signatures
    signed = built(OTHER).envelope.signed
    assert signature.openpgp is not None
    octets = signature.openpgp.octets
    good = signature.openpgp
    for at in range(len(octets)):
        changed = octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]
        forged = replace(signature, openpgp=replace(good, octets=changed))
        assert not verify_signature(public(OTHER), forged, signed)
    for value in (b"", b"\0", bytes(64), signature.value[:-1], signature.value + b"\0"):
        assert not verify_signature(public(OTHER), replace(signature, value=value), signed)
    assert not verify_signature(public(OTHER), signature, signed + b" ")
    # Octets that move from the document into the headers make another signature.
    moved = replace(signature, openpgp=replace(good, octets=signed[-4:] + octets))
    assert not verify_signature(public(OTHER), moved, signed[:-4])


STORED = [(parse_key(Node(each["key"]), each["key"]["keyid"]), each) for each in gnupg.stored()]  # type: ignore[call-overload, index, arg-type]
by_algorithm = pytest.mark.parametrize(("known", "each"), STORED, ids=gnupg.ALGORITHMS)


@pytest.mark.accepts("K6")
@pytest.mark.rejects("K6")
@by_algorithm
def test_K6_signatures_of_gnupg_verify(known: PublicKey, each: JsonObject) -> None:
    envelope = parse_envelope(json.dumps(each["link"]).encode(), limits=DEFAULT)
    assert [signing.key for signing in Keyring([known]).signings(envelope)] == [known]
    (signature,) = envelope.signatures
    assert not verify_signature(known, signature, envelope.signed + b" ")
    flipped = bytes([*signature.value[:-1], signature.value[-1] ^ 1])
    assert not verify_signature(known, replace(signature, value=flipped), envelope.signed)
    others = [other for other, _ in STORED if other is not known]
    assert Keyring(others).signings(envelope) == ()


@by_algorithm
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.binary(max_size=300), tail=st.binary(max_size=40))
def test_K6_no_signature_makes_the_library_fail(
    known: PublicKey, each: JsonObject, value: bytes, tail: bytes
) -> None:
    (signature,) = parse_envelope(json.dumps(each["link"]).encode(), limits=DEFAULT).signatures
    assert signature.openpgp is not None
    octets = signature.openpgp.octets + tail
    forged = Signature("", value, openpgp=replace(signature.openpgp, octets=octets))
    assert not verify_signature(known, forged, b"something else")


# --- the field --------------------------------------------------------------------------------


@pytest.mark.accepts("K6")
@pytest.mark.skipif(not INTEROP.is_dir(), reason=NO_INTEROP)
def test_K6_the_demo_of_in_toto_verifies() -> None:
    folder = INTEROP / "in-toto-demo" / "gpg"
    template = json.loads((folder / "demo.layout.template").read_bytes())["signed"]
    template["expires"] = "2031-01-01T00:00:00Z"
    template["inspect"] = []
    links = [
        as_document(json.loads(path.read_bytes()), hint=path.name, origin=path.name)
        for path in sorted(folder.glob("*.link"))
    ]
    assert len(links) == 2
    root = document(template, OWNER, envelope=Envelope.METABLOCK, origin="root")
    verified = supply.check([root, *links], subject=None)
    assert len(verified.links) == 2
    assert verified.functionaries == ("key 7b3abb26", "key 8288ef56")
    with pytest.raises(EvidenceInvalid):
        supply.check([root, links[0]], subject=None)


# --- start-up ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ordinary", "openpgp"])
def test_the_library_is_only_loaded_for_openpgp_signatures(kind: str) -> None:
    documents = {"ordinary": "supply.chain()", "openpgp": "chain(layout(OTHER), built(OTHER))"}
    script = f"""
import sys
from tests.unit.verification import supply
from tests.unit.verification.test_openpgp import *
assert "securesystemslib" not in sys.modules
assert passes({documents[kind]})
print("securesystemslib" in sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.stdout.strip() == str(kind == "openpgp")
