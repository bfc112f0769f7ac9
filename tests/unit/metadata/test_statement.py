"""A1-A9: statements of the attestation framework."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import MetadataMalformed
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.bundle import parse_bundle
from pip_intoto.metadata.envelope import (
    PAYLOAD_TYPE,
    parse_envelope,
    read_payload,
    read_statement,
)
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.link import Link
from pip_intoto.metadata.statement import (
    STATEMENT,
    parse_resource,
    parse_statement,
    parse_timestamp,
    spelled_timestamp,
)
from tests.unit.metadata.documents import (
    SHA256,
    SHA512,
    WITHOUT,
    as_json,
    dsse,
    layout,
    link,
    metablock,
    node,
    pae,
)

if TYPE_CHECKING:
    from pip_intoto.metadata.statement import Resource, Statement
    from pip_intoto.metadata.strict_json import JsonValue

OLD = "https://in-toto.io/Statement/v0.1"


def subject(**changes: JsonValue) -> dict[str, JsonValue]:
    value: dict[str, JsonValue] = {"name": "demo.whl", "digest": {"sha256": SHA256}, **changes}
    return {name: each for name, each in value.items() if each is not WITHOUT}


def statement(**changes: JsonValue) -> dict[str, JsonValue]:
    value: dict[str, JsonValue] = {
        "_type": STATEMENT,
        "subject": [subject()],
        "predicateType": "https://example.com/property/v1",
        "predicate": {"holds": True},
        **changes,
    }
    return {name: each for name, each in value.items() if each is not WITHOUT}


def parsed(value: JsonValue) -> Statement:
    return parse_statement(node(value), DEFAULT)


def resource(value: JsonValue) -> Resource:
    return parse_resource(node(value), DEFAULT)


# --- envelopes ------------------------------------------------------------------------------


@pytest.mark.accepts("A1")
@pytest.mark.parametrize(
    "payload_type",
    [PAYLOAD_TYPE, "application/vnd.in-toto.svr+json", "application/vnd.in-toto.test-result+json"],
)
def test_A1_both_forms_of_payload_types_carry_statements(payload_type: str) -> None:
    data = as_json(dsse(statement(), payloadType=payload_type))
    envelope = parse_envelope(data, of_statement=True, limits=DEFAULT)
    assert read_statement(envelope, limits=DEFAULT).subjects[0].name == "demo.whl"
    # E5: the type is signed as it stands.
    assert envelope.signed == pae(as_json(statement()), payload_type)


@pytest.mark.rejects("A1")
@pytest.mark.parametrize(
    "payload_type",
    [
        "application/json",
        "application/vnd.in-toto",
        "application/vnd.in-toto.+json",
        "application/vnd.in-toto.svr+dsse",
        "application/vnd.in-toto.svr+json ",
        "Application/vnd.in-toto+json",
        "application/vnd_in-toto+json",
    ],
)
def test_A1_no_other_payload_type_carries_statements(payload_type: str) -> None:
    data = as_json(dsse(statement(), payloadType=payload_type))
    with pytest.raises(MetadataMalformed, match="carries nothing of in-toto"):
        parse_envelope(data, of_statement=True, limits=DEFAULT)


@pytest.mark.rejects("A1", "E4")
def test_A1_the_media_type_does_not_say_what_the_predicate_is() -> None:
    data = as_json(dsse(statement(), payloadType="application/vnd.in-toto.svr+json"))
    envelope = parse_envelope(data, of_statement=True, limits=DEFAULT)
    read = read_statement(envelope, limits=DEFAULT)
    assert read.predicate_type == "https://example.com/property/v1"


def test_A1_layouts_and_links_have_no_type_that_names_a_predicate() -> None:
    data = as_json(dsse(layout(), payloadType="application/vnd.in-toto.layout+json"))
    with pytest.raises(MetadataMalformed, match="carries no layout"):
        read_payload(parse_envelope(data, limits=DEFAULT), limits=DEFAULT)


def test_statements_stand_in_no_metablock() -> None:
    with pytest.raises(MetadataMalformed, match="no in-toto envelope"):
        parse_envelope(as_json(metablock(statement())), of_statement=True, limits=DEFAULT)


def test_a_layout_or_a_link_is_no_statement() -> None:
    for payload in (layout(), link()):
        envelope = parse_envelope(as_json(dsse(payload)), of_statement=True, limits=DEFAULT)
        with pytest.raises(MetadataMalformed, match="no statement"):
            read_statement(envelope, limits=DEFAULT)


def test_a_statement_is_neither_a_layout_nor_a_link() -> None:
    # The payload type is the same; every member that either has does not help.
    both = {**layout(), **link(), **statement()}
    envelope = parse_envelope(as_json(dsse(both)), limits=DEFAULT)
    with pytest.raises(MetadataMalformed, match="neither a layout nor a link"):
        read_payload(envelope, limits=DEFAULT)


@pytest.mark.accepts("A8")
def test_a_payload_is_read_as_one_thing_only() -> None:
    for payload, kind in ((layout(), Layout), (link(), Link)):
        both = {**statement(), **payload}
        envelope = parse_envelope(as_json(dsse(both)), limits=DEFAULT)
        assert isinstance(read_payload(envelope, limits=DEFAULT), kind)
        with pytest.raises(MetadataMalformed, match="no statement"):
            read_statement(envelope, limits=DEFAULT)


def test_A8_a_bundle_of_statements_passes_over_all_else() -> None:
    other = as_json(metablock(link())).replace(b"\n", b"")
    svr = as_json(dsse(statement(), payloadType="application/vnd.in-toto.svr+json"))
    data = b"\n".join([b"{}", other, svr.replace(b"\n", b""), b"no JSON"])
    bundle = parse_bundle(data, origin="here", of_statements=True, limits=DEFAULT)
    assert [each.origin for each in bundle.documents] == ["here#line 3"]
    assert bundle.skipped == 3
    assert parse_bundle(data, origin="here", limits=DEFAULT).documents[0].origin == "here#line 2"


def test_J_hygiene_holds_for_payloads_of_statements() -> None:
    body = b'{"_type": "%b", "_type": "x"}' % STATEMENT.encode()
    value = dsse(body, payload=base64.b64encode(body).decode())
    envelope = parse_envelope(as_json(value), of_statement=True, limits=DEFAULT)
    with pytest.raises(MetadataMalformed, match="twice"):
        read_statement(envelope, limits=DEFAULT)


# --- statements -----------------------------------------------------------------------------


@pytest.mark.accepts("A3")
def test_a_statement_is_read_with_its_subjects_and_its_predicate() -> None:
    read = parsed(statement())
    assert [each.digests for each in read.subjects] == [{"sha256": SHA256}]
    assert read.predicate_type == "https://example.com/property/v1"
    assert read.predicate.value == {"holds": True}
    assert read.predicate.member("holds").place == "predicate.holds"


def test_A3_members_that_nobody_knows_are_ignored() -> None:
    value = statement(later=1, subject=[subject(later={"x": 1}, mediaType=5)])
    assert parsed(value) == parsed(statement())


@pytest.mark.parametrize("absent", [WITHOUT, None, {}])
def test_an_unset_predicate_is_an_empty_one(absent: JsonValue) -> None:
    assert parsed(statement(predicate=absent)).predicate.value == {}


@pytest.mark.rejects("A4")
@pytest.mark.parametrize(
    "kind",
    [
        "https://in-toto.io/Statement/v1.0",
        "https://in-toto.io/Statement/v2",
        "https://in-toto.io/statement/v1",
        "HTTPS://in-toto.io/Statement/v1",
        "link",
        None,
        1,
        WITHOUT,
    ],
)
def test_A4_only_the_two_types_of_statements_are_known_letter_by_letter(kind: JsonValue) -> None:
    with pytest.raises(MetadataMalformed):
        parsed(statement(_type=kind))


def test_statements_of_0_1_name_their_subjects() -> None:
    assert parsed(statement(_type=OLD)).subjects[0].name == "demo.whl"
    with pytest.raises(MetadataMalformed, match="'name' is missing"):
        parsed(statement(_type=OLD, subject=[subject(name=WITHOUT)]))
    assert parsed(statement(subject=[subject(name=WITHOUT)])).subjects[0].name == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": WITHOUT},
        {"subject": None},
        {"subject": {}},
        {"subject": ["demo.whl"]},
        {"subject": [subject(digest=WITHOUT)]},
        {"subject": [subject(digest={})]},
        {"subject": [subject(digest=WITHOUT, uri="pkg:pypi/demo")]},
        {"subject": [subject(name=1)]},
        {"subject": [subject(name="x" * 5_000)]},
        {"subject": [subject(annotations=[])]},
        {"predicateType": WITHOUT},
        {"predicateType": None},
        {"predicate": []},
        {"predicate": "x"},
    ],
)
def test_what_a_statement_must_have_is_asked_for(changes: dict[str, JsonValue]) -> None:
    with pytest.raises(MetadataMalformed):
        parsed(statement(**changes))


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_what_is_no_object_is_no_statement(value: JsonValue) -> None:
    with pytest.raises(MetadataMalformed):
        parsed(value)


def test_a_statement_without_subjects_is_about_nothing() -> None:
    assert parsed(statement(subject=[])).subjects == ()


@pytest.mark.accepts("A6")
# --- digests --------------------------------------------------------------------------------
def test_A6_algorithms_that_are_not_accepted_are_ignored() -> None:
    digest: JsonValue = {
        "sha256": SHA256,
        "sha512": SHA512,
        "md5": "d41d8cd98f00b204e9800998ecf8427e",
        "sha1": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "gitCommit": "ab" * 20,
        "arn": "arn:aws:ec2:region:123:image/ami-123abcd",
        "odd": 5,
    }
    read = parsed(statement(subject=[subject(digest=digest)]))
    assert read.subjects[0].digests == {"sha256": SHA256, "sha512": SHA512}


def test_A6_a_subject_with_no_other_digest_has_none() -> None:
    assert parsed(statement(subject=[subject(digest={"md5": "00"})])).subjects[0].digests == {}


@pytest.mark.parametrize("bad", [SHA256.upper(), SHA256[:-1], SHA256 + "0", "", "x" * 64, 5, None])
def test_a_digest_of_an_accepted_algorithm_is_hex_of_its_length(bad: JsonValue) -> None:
    with pytest.raises(MetadataMalformed) as raised:
        parsed(statement(subject=[subject(), subject(digest={"sha256": bad})]))
    assert raised.value.place == "subject[1].digest.sha256"


# --- resources and timestamps ---------------------------------------------------------------


def test_a_resource_is_known_by_uri_digest_or_content() -> None:
    assert resource({"uri": "pkg:pypi/demo"}).uri == "pkg:pypi/demo"
    assert resource({"digest": {"sha256": SHA256}}).digests == {"sha256": SHA256}
    assert resource({"content": "YQ==", "name": "a"}).name == "a"
    with pytest.raises(MetadataMalformed, match="refers to nothing"):
        resource({"name": "policy.toml", "annotations": {}})


def test_annotations_are_handed_on_as_they_are() -> None:
    read = resource({"uri": "x:", "annotations": {"ours": {"deep": [1]}}})
    assert read.annotations == {"ours": {"deep": [1]}}


@pytest.mark.accepts("A9")
@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1985-04-12T23:20:50Z", 0),
        ("1985-04-12T23:20:50.52Z", 520_000),
        ("1985-04-12T23:20:50.123456789Z", 123_456),
    ],
)
def test_A9_timestamps_are_of_RFC_3339(text: str, microseconds: int) -> None:
    moment = datetime(1985, 4, 12, 23, 20, 50, microseconds, timezone.utc)
    assert parse_timestamp(node(text)) == moment


@pytest.mark.rejects("A9")
@pytest.mark.parametrize(
    "text",
    [
        "1985-04-12T23:20:50+00:00",
        "1985-04-12T23:20:50",
        "1985-04-12 23:20:50Z",
        "1985-02-30T23:20:50Z",
        "1985-04-12T24:20:50Z",
        "1985-04-12T23:20:60Z",
        "1985-04-12T23:20:50.Z",
        "1985-04-12T23:20:50Z\n",
        "1985-04-12",
        "\u0661985-04-12T23:20:50Z",
        "",
        5,
        None,
    ],
)
def test_A9_other_timestamps_are_none(text: JsonValue) -> None:
    with pytest.raises(MetadataMalformed):
        parse_timestamp(node(text))


def test_a_timestamp_is_spelled_in_utc_and_in_seconds() -> None:
    there = timezone(timedelta(hours=2))
    moment = datetime(2026, 11, 21, 13, 30, 15, 999_999, there)
    assert spelled_timestamp(moment) == "2026-11-21T11:30:15Z"
    assert parse_timestamp(node(spelled_timestamp(moment))) == moment.replace(microsecond=0)
