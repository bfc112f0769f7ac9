"""Bundles, attestation objects and provenance objects are known by what is in them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fixtures.sigstore import Sigstore, provenance, statement
from pip_intoto.errors import MetadataMalformed, MetadataTooLarge
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.bundle import documents_in, parse_bundle
from pip_intoto.metadata.envelope import read_statement
from pip_intoto.metadata.node import Node
from pip_intoto.metadata.sigstore import read_attested
from tests.unit.verification.supply import BUILDER, build_link, document

if TYPE_CHECKING:
    from pip_intoto.metadata.bundle import Bundle

SIGSTORE = Sigstore()
SAID = statement(("demo-1.0.tar.gz", b"demo"))
OTHER = statement(("demo-1.0.tar.gz", b"demo"), predicate_type="https://slsa.dev/provenance/v1")
ALICE = {"subject": "alice@acme.example"}


def read(data: bytes) -> Bundle:
    return documents_in(data, origin="evidence", limits=DEFAULT)


def attestation(said: dict[str, object] = SAID) -> dict[str, object]:
    return SIGSTORE.attestation(said, **ALICE)


def encoded(value: object, *, indent: int | None = None) -> bytes:
    return json.dumps(value, indent=indent).encode()


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("kind", ["bundle", "old bundle", "attestation", "provenance"])
def test_documents_are_known_by_their_content(kind: str, indent: int | None) -> None:
    value = {
        "bundle": json.loads(SIGSTORE.bundle(SAID, subject="alice@acme.example")),
        "old bundle": json.loads(
            SIGSTORE.bundle(SAID, subject="alice@acme.example", version="0.1")
        ),
        "attestation": attestation(),
        "provenance": provenance([attestation()]),
    }[kind]
    (found,) = read(encoded(value, indent=indent) + b"\n").documents
    assert found.envelope.kind == "dsse"
    assert found.envelope.sigstore
    assert found.origin == ("evidence#attestation 1" if kind == "provenance" else "evidence")
    said = read_statement(found.envelope, limits=DEFAULT)
    assert said.predicate_type == SAID["predicateType"]


def test_all_forms_of_one_attestation_are_checked_as_one() -> None:
    forms = [
        SIGSTORE.bundle(SAID, subject="alice@acme.example"),
        SIGSTORE.bundle(SAID, subject="alice@acme.example", version="0.2"),
        encoded(attestation()),
        encoded(provenance([attestation()])),
    ]
    assert len({read(form).documents[0].envelope.sigstore for form in forms}) == 1


@pytest.mark.parametrize(
    "name", ["x509CertificateChain", "tlogEntries", "inclusionProof", "timestampVerificationData"]
)
def test_lists_in_a_bundle_are_as_long_as_the_limits_say(name: str) -> None:
    bundle = json.loads(SIGSTORE.bundle(SAID, version="0.2", subject="alice@acme.example"))
    material = bundle["verificationMaterial"]
    (certificate,) = material["x509CertificateChain"]["certificates"]
    bytes_of = base64.b64encode(bytes(32)).decode()
    lists, item, most = {
        "x509CertificateChain": (
            (material["x509CertificateChain"], "certificates"),
            certificate,
            DEFAULT.certificate_path,
        ),
        "tlogEntries": ((material, "tlogEntries"), material["tlogEntries"][0], 1),
        "inclusionProof": (
            (material["tlogEntries"][0]["inclusionProof"], "hashes"),
            bytes_of,
            DEFAULT.inclusion_hashes,
        ),
        "timestampVerificationData": (
            (material.setdefault("timestampVerificationData", {}), "rfc3161Timestamps"),
            {"signedTimestamp": bytes_of},
            DEFAULT.timestamps,
        ),
    }[name]
    holder, member = lists
    holder[member] = [item] * most
    assert read_attested(Node(bundle), sha256="", limits=DEFAULT).sigstore
    holder[member] = [item] * (most + 1)
    with pytest.raises((MetadataTooLarge, MetadataMalformed)):
        read_attested(Node(bundle), sha256="", limits=DEFAULT)


@pytest.mark.parametrize("number", ["", "-1", "+1", " 1", "0x1", str(1 << 63), True, 1.0, None])
def test_numbers_in_a_bundle_are_numbers_of_64_bits(number: object) -> None:
    bundle = json.loads(SIGSTORE.bundle(SAID, subject="alice@acme.example"))
    (entry,) = bundle["verificationMaterial"]["tlogEntries"]
    for good in ("0", 7, str((1 << 63) - 1)):
        entry["logIndex"] = good
        assert read_attested(Node(bundle), sha256="", limits=DEFAULT).sigstore
    entry["logIndex"] = number
    with pytest.raises(MetadataMalformed):
        read_attested(Node(bundle), sha256="", limits=DEFAULT)


def test_a_bundle_signs_a_statement_and_nothing_beside_it() -> None:
    bundle = json.loads(SIGSTORE.bundle(SAID, subject="alice@acme.example"))
    bundle["messageSignature"] = {}
    with pytest.raises(MetadataMalformed):
        read_attested(Node(bundle), sha256="", limits=DEFAULT)


@pytest.mark.accepts("A8")
def test_A8_lines_may_be_of_every_kind() -> None:
    link = document(build_link(), BUILDER)
    lines = [
        encoded({"something": "else"}),
        SIGSTORE.bundle(SAID, subject="alice@acme.example"),
        encoded(provenance([attestation(), attestation(OTHER)])),
        encoded(attestation()),
    ]
    found = parse_bundle(b"\n".join(lines), origin="evidence", limits=DEFAULT)
    assert [each.origin for each in found.documents] == [
        "evidence#line 2",
        "evidence#line 3#attestation 1",
        "evidence#line 3#attestation 2",
        "evidence#line 4",
    ]
    assert found.skipped == 1
    assert len({each.envelope.sha256 for each in found.documents}) == 4
    assert link.envelope.sigstore == b""


@pytest.mark.rejects("A8")
def test_A8_one_bad_attestation_does_not_take_the_others_along() -> None:
    bad = {**attestation(), "version": 2}
    found = read(encoded(provenance([bad, attestation()]), indent=1))
    assert [each.origin for each in found.documents] == ["evidence#attestation 2"]
    assert found.skipped == 1
    assert "version" in found.notes[0]


@pytest.mark.parametrize(
    "value",
    [
        {"attestation_bundles": []},
        {"version": 2, "attestation_bundles": []},
        {"version": 1, "attestation_bundles": {}},
        {"version": 1, "attestation_bundles": [{}]},
        {"verificationMaterial": {}},
        {"verification_material": None},
        {**json.loads(SIGSTORE.bundle(SAID, subject="a@acme.example")), "mediaType": "another"},
        {**attestation(), "envelope": {"statement": "e30"}},
        {**attestation(), "envelope": {"statement": "?", "signature": "AAAA"}},
        {**attestation(), "verification_material": {"certificate": "AAAA"}},
    ],
)
def test_what_cannot_be_read_is_skipped_with_a_word(value: object) -> None:
    for indent in (None, 1):
        found = read(encoded(value, indent=indent))
        assert found.documents == ()
        assert (found.skipped, len(found.notes)) == (1, 1)


def test_provenance_is_bounded() -> None:
    limits = replace(DEFAULT, attestations=2)
    data = encoded(provenance([attestation()] * 3))
    found = documents_in(data, origin="evidence", limits=limits)
    assert found.documents == ()
    assert "too many attestations" in found.notes[0]
    assert len(read(data).documents) == 3


@pytest.mark.rejects("E6")
def test_one_certificate_vouches_for_one_signature() -> None:
    bundle = json.loads(SIGSTORE.bundle(SAID, subject="alice@acme.example"))
    signatures = bundle["dsseEnvelope"]["signatures"]
    for listed in ([], signatures * 2, [*signatures, {"sig": 7}]):
        bundle["dsseEnvelope"]["signatures"] = listed
        assert read(encoded(bundle)).documents == ()


def test_text_that_is_no_document_is_refused_as_ever() -> None:
    with pytest.raises(MetadataMalformed):
        read(b"\xff\xfe{}")
    assert read(b"<html>\n</html>\n").documents == ()
    assert read(b"").documents == ()
