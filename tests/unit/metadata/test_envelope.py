"""E1-E7, V4: envelopes."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import MetadataMalformed, MetadataTooLarge
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import canonical
from pip_intoto.metadata.envelope import Signature, parse_envelope, read_payload
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.link import Link
from tests.unit.metadata.documents import (
    INTEROP,
    KEYID,
    NO_INTEROP,
    SHA256,
    WITHOUT,
    as_json,
    dsse,
    layout,
    link,
    metablock,
    pae,
)

if TYPE_CHECKING:
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.metadata.strict_json import JsonValue


def read(value: JsonValue) -> Envelope:
    return parse_envelope(as_json(value), limits=DEFAULT)


def refused(value: JsonValue) -> MetadataMalformed:
    with pytest.raises(MetadataMalformed) as caught:
        read(value)
    return caught.value


# --- kinds ------------------------------------------------------------------------------------


@pytest.mark.accepts("E1")
def test_E1_a_payload_makes_it_dsse_and_signed_a_metablock() -> None:
    assert read(dsse(link())).kind == "dsse"
    assert read(metablock(link())).kind == "metablock"
    assert read({**metablock(link()), **dsse(link())}).kind == "dsse"


@pytest.mark.rejects("E1")
@pytest.mark.parametrize("value", [None, [], "x", 1, {}, {"signatures": []}])
def test_E1_anything_else_is_no_envelope(value: JsonValue) -> None:
    refused(value)


@pytest.mark.rejects("E1")
@pytest.mark.parametrize("payload", [None, 1, "%", {}])
def test_E1_a_bad_payload_never_falls_back_to_signed(payload: JsonValue) -> None:
    assert refused({**metablock(link()), **dsse(link(), payload=payload)}).place == "payload"
    refused({**metablock(link()), "payload": payload})


@pytest.mark.accepts("E1")
def test_E1_kinds_carry_the_same_documents() -> None:
    for wrap in (dsse, metablock):
        assert isinstance(read_payload(read(wrap(layout())), limits=DEFAULT), Layout)
        assert isinstance(read_payload(read(wrap(link())), limits=DEFAULT), Link)


def test_the_digest_is_over_the_document_as_received() -> None:
    data = as_json(dsse(link())) + b"\n"
    assert parse_envelope(data, limits=DEFAULT).sha256 == hashlib.sha256(data).hexdigest()


# --- Metablock --------------------------------------------------------------------------------


@pytest.mark.accepts("C1", "E2")
def test_E2_signatures_cover_the_canonical_form_of_what_was_received() -> None:
    signed = link(injected={"b": 1, "a": "\n\\"})
    envelope = read(metablock(signed))
    assert envelope.signed == canonical.encode(signed)
    assert b'"injected":{"a":"\n\\\\","b":1}' in envelope.signed


@pytest.mark.rejects("C1", "E2")
@pytest.mark.parametrize("signed", [None, [], "x", {"a": 1.5}, {"a": -0.0}])
def test_E2_signed_is_an_object_without_floats(signed: JsonValue) -> None:
    refused({"signed": signed, "signatures": []})


# --- DSSE -------------------------------------------------------------------------------------


@pytest.mark.accepts("E3", "E5")
def test_E3_E5_signatures_cover_type_and_payload_with_their_lengths() -> None:
    payload = '{"_type": "link", "é": 1}'.encode()
    assert read(dsse(payload)).signed == pae(payload)
    assert b" 26 {" in read(dsse(payload)).signed


@pytest.mark.accepts("E4")
def test_E4_the_payload_type_of_layouts_and_links() -> None:
    for payload in (layout(), link()):
        envelope = read(dsse(payload, payloadType="application/vnd.in-toto+json"))
        assert envelope.payload_type == "application/vnd.in-toto+json"
        assert isinstance(read_payload(envelope, limits=DEFAULT), Layout | Link)


@pytest.mark.rejects("E4")
@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.in-toto",
        "application/vnd.in-toto.provenance+xml",
        "APPLICATION/VND.IN-TOTO+JSON",
        "application/vnd.in-toto+json ",
        "",
        None,
        WITHOUT,
    ],
)
def test_E4_no_other_payload_type(kind: JsonValue) -> None:
    refused(dsse(link(), payloadType=kind))


@pytest.mark.rejects("E4", "A1")
@pytest.mark.parametrize("payload", [layout(), link()])
def test_E4_a_type_that_names_a_predicate_is_for_statements_alone(payload: JsonValue) -> None:
    envelope = read(dsse(payload, payloadType="application/vnd.in-toto.provenance+json"))
    assert not envelope.may_be_layout
    with pytest.raises(MetadataMalformed, match="carries no l"):
        read_payload(envelope, limits=DEFAULT)


@pytest.mark.accepts("E5")
@pytest.mark.parametrize("body", [b"{}", b"{}>>>???", b"{}\xfb\xff\xfe", b"", b"{}x", b"{}xy"])
def test_E5_both_alphabets_of_base64_are_accepted_padded_or_not(body: bytes) -> None:
    for encoded in (base64.b64encode(body), base64.urlsafe_b64encode(body)):
        text = encoded.decode()
        for spelling in (text, text.rstrip("=")):
            assert read(dsse(body, payload=spelling)).signed == pae(body)


@pytest.mark.rejects("E5")
@pytest.mark.parametrize(
    "text",
    ["A", "AAAAA", "AA=", "AAA==", "AAAA=", "AA==AA==", "+-AA", "AA AA", "AAA\n", "ÄAAA", "="],
)
def test_E5_anything_else_is_no_base64(text: str) -> None:
    assert refused(dsse(link(), payload=text)).place == "payload"


@pytest.mark.accepts("E5")
def test_E5_the_payload_is_not_looked_at_before_it_is_asked_for() -> None:
    envelope = read(dsse(b"\xff not JSON"))
    assert "not JSON" not in repr(envelope)
    with pytest.raises(MetadataMalformed):
        read_payload(envelope, limits=DEFAULT)


@pytest.mark.rejects("J4")
def test_J4_the_payload_is_bounded_as_well() -> None:
    envelope = read(dsse(b"[" * 100 + b"]" * 100))
    with pytest.raises(MetadataTooLarge):
        read_payload(envelope, limits=DEFAULT)
    with pytest.raises(MetadataTooLarge):
        read_payload(read(dsse(link())), limits=dataclasses.replace(DEFAULT, document_bytes=10))


@pytest.mark.accepts("J2")
def test_J2_floats_in_byproducts_of_dsse_are_tolerated() -> None:
    parsed = read_payload(read(dsse(link(byproducts={"seconds": 1.5}))), limits=DEFAULT)
    assert isinstance(parsed, Link)
    assert parsed.byproducts == {"seconds": 1.5}


@pytest.mark.rejects("L1")
@pytest.mark.parametrize(
    "payload",
    [
        {"_type": "https://in-toto.io/Statement/v1", "subject": []},
        {"_type": "Layout"},
        {"_type": None},
        {"_type": ["layout"]},
        {},
        [],
        None,
    ],
)
def test_L1_anything_else_inside_is_neither_layout_nor_link(payload: JsonValue) -> None:
    with pytest.raises(MetadataMalformed):
        read_payload(read(dsse(payload)), limits=DEFAULT)


@pytest.mark.rejects("J3")
def test_J3_duplicates_inside_the_payload_are_refused() -> None:
    body = json.dumps(link())[:-1].encode() + b', "_type": "link"}'
    with pytest.raises(MetadataMalformed, match="twice"):
        read_payload(read(dsse(body)), limits=DEFAULT)


# --- signatures -------------------------------------------------------------------------------


@pytest.mark.accepts("E6")
def test_E6_several_signatures_are_read_also_of_one_keyid() -> None:
    signatures: JsonValue = [
        {"keyid": KEYID, "sig": "0a"},
        {"keyid": KEYID, "sig": "0B"},
        {"keyid": "other", "sig": "0c"},
    ]
    envelope = read(metablock(link(), signatures=signatures))
    assert envelope.signatures == (
        Signature(KEYID, b"\x0a"),
        Signature(KEYID, b"\x0b"),
        Signature("other", b"\x0c"),
    )
    assert envelope.notes == ()


@pytest.mark.accepts("E3", "E7")
@pytest.mark.parametrize("keyid", [WITHOUT, None, 5, "", "x" * 100_000])
def test_E7_a_keyid_is_a_hint_that_may_be_missing(keyid: JsonValue) -> None:
    entry: dict[str, JsonValue] = {"sig": "AAAA"}
    if keyid is not WITHOUT:
        entry["keyid"] = keyid
    assert read(dsse(link(), signatures=[entry])).signatures == (Signature("", b"\0\0\0"),)


@pytest.mark.rejects("E3")
@pytest.mark.parametrize("wrap", [dsse, metablock])
@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        "0a",
        {},
        {"keyid": KEYID},
        {"keyid": KEYID, "sig": None},
        {"keyid": KEYID, "sig": ""},
        {"keyid": KEYID, "sig": "%%"},
        {"keyid": KEYID, "sig": {"0": "a"}},
        {"keyid": KEYID, "signature": "0a0b", "other_headers": "04"},
        {"keyid": KEYID, "sig": "0a0b", "other_headers": "04"},
    ],
)
def test_V4_an_unusable_signature_is_skipped_with_a_note(wrap: object, entry: JsonValue) -> None:
    assert callable(wrap)
    value = wrap(link())
    value["signatures"].insert(0, entry)
    envelope = read(value)
    assert len(envelope.signatures) == 1
    assert len(envelope.notes) == 1
    assert envelope.notes[0].startswith("signatures[0]")


@pytest.mark.rejects("E2")
@pytest.mark.parametrize("text", ["0", "0x0a", "0a 0b", "zz", "é0"])
def test_V4_hex_is_hex(text: str) -> None:
    envelope = read(metablock(link(), signatures=[{"keyid": KEYID, "sig": text}]))
    assert envelope.signatures == ()
    assert len(envelope.notes) == 1


@pytest.mark.rejects("E3")
@pytest.mark.parametrize("signatures", [WITHOUT, None, {}, "x"])
def test_E3_signatures_are_a_list(signatures: JsonValue) -> None:
    refused(dsse(link(), signatures=signatures))
    refused(metablock(link(), signatures=signatures))


@pytest.mark.accepts("J4")
@pytest.mark.rejects("J4")
def test_J4_signatures_are_counted() -> None:
    most: list[JsonValue] = [{"sig": "AAAA"}] * DEFAULT.signatures
    assert len(read(dsse(link(), signatures=most)).signatures) == DEFAULT.signatures
    with pytest.raises(MetadataTooLarge):
        read(dsse(link(), signatures=[*most, {"sig": "AAAA"}]))


# --- the field --------------------------------------------------------------------------------


@pytest.mark.skipif(not INTEROP.is_dir(), reason=NO_INTEROP)
@pytest.mark.parametrize("folder", ["dsse", "metablock", "gpg"])
def test_links_of_the_field_are_read(folder: str) -> None:
    paths = sorted((INTEROP / "in-toto-demo" / folder).glob("*.link"))
    names = []
    for path in paths:
        envelope = parse_envelope(path.read_bytes(), limits=DEFAULT)
        assert envelope.notes == ()
        parsed = read_payload(envelope, limits=DEFAULT)
        assert isinstance(parsed, Link)
        names.append(parsed.name)
    assert names == ["package", "write-code"]


@pytest.mark.skipif(not INTEROP.is_dir(), reason=NO_INTEROP)
@pytest.mark.parametrize("folder", ["dsse", "metablock", "gpg"])
def test_L3_layout_templates_of_the_field_lack_only_the_expiry(folder: str) -> None:
    path = INTEROP / "in-toto-demo" / folder / "demo.layout.template"
    with pytest.raises(MetadataMalformed, match="'expires' is missing"):
        read_payload(parse_envelope(path.read_bytes(), limits=DEFAULT), limits=DEFAULT)
    value = json.loads(path.read_bytes())
    signed = json.loads(base64.b64decode(value["payload"])) if folder == "dsse" else value["signed"]
    signed["expires"] = "2031-01-01T00:00:00Z"
    parsed = read_payload(read(metablock(signed)), limits=DEFAULT)
    assert isinstance(parsed, Layout)
    assert [step.name for step in parsed.steps] == ["write-code", "package"]
    assert len(parsed.keys) == 2


@pytest.mark.skipif(not INTEROP.is_dir(), reason=NO_INTEROP)
def test_attestations_of_the_field_are_no_links() -> None:
    paths = sorted((INTEROP / "pep740").glob("*.provenance"))
    assert paths
    for path in paths:
        with pytest.raises(MetadataMalformed):
            parse_envelope(path.read_bytes(), limits=DEFAULT)


def test_sha256_is_part_of_links() -> None:
    parsed = read_payload(read(dsse(link())), limits=DEFAULT)
    assert isinstance(parsed, Link)
    assert parsed.materials["pyproject.toml"] == {"sha256": SHA256}
