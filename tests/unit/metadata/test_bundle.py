"""A8: bundles."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import MetadataMalformed, MetadataTooLarge
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.bundle import Bundle, parse_bundle
from tests.unit.metadata.documents import WITHOUT, dsse, layout, link, metablock

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue


def line(value: JsonValue) -> bytes:
    return json.dumps(value).encode()


LAYOUT = line({**dsse(layout()), "name": "root.layout"})
LINK = line({**metablock(link()), "name": "build.abababab.link"})


def read(data: bytes) -> Bundle:
    return parse_bundle(data, origin="https://example.org/x.intoto.jsonl", limits=DEFAULT)


def test_A8_both_kinds_of_envelopes_with_hints_and_places() -> None:
    bundle = read(LAYOUT + b"\n" + LINK + b"\n")
    assert [each.envelope.kind for each in bundle.documents] == ["dsse", "metablock"]
    assert [each.hint for each in bundle.documents] == ["root.layout", "build.abababab.link"]
    assert [each.origin.rpartition("#")[2] for each in bundle.documents] == ["line 1", "line 2"]
    assert [each.envelope.sha256 for each in bundle.documents] == [
        hashlib.sha256(LAYOUT).hexdigest(),
        hashlib.sha256(LINK).hexdigest(),
    ]
    assert bundle.skipped == 0


@pytest.mark.rejects("A8")
@pytest.mark.parametrize(
    "unknown",
    [
        b"not JSON",
        b"\xff",
        b"{}",
        b"[]",
        b"null",
        b'{"a": 1, "a": 1}',
        b"[" * 1000,
        line({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}),
        line(dsse(link(), payloadType="application/vnd.in-toto.provenance+xml")),
        line(dsse(link(), payload="%")),
        line(dsse(link(), signatures=[{"sig": "AAAA"}] * (DEFAULT.signatures + 1))),
    ],
)
def test_A8_unknown_lines_are_skipped_and_counted(unknown: bytes) -> None:
    bundle = read(b"\n".join([unknown, LAYOUT, LINK]))
    assert len(bundle.documents) == 2
    assert bundle.skipped == 1
    assert len(bundle.notes) == 1
    assert "#line 1: " in bundle.notes[0]


def test_A8_order_means_nothing_and_identical_lines_count_once() -> None:
    once = read(b"\n".join([LAYOUT, LINK]))
    often = read(b"\r\n".join([LINK, b"", LAYOUT, b"  " + LINK, LAYOUT + b"\t", b"x", b"x"]))
    assert {each.envelope for each in once.documents} == {each.envelope for each in often.documents}
    assert len(often.documents) == 2
    assert often.skipped == 1


def test_A8_an_empty_bundle_is_empty() -> None:
    assert read(b"") == read(b"\n\n") == Bundle(documents=(), skipped=0)


@pytest.mark.parametrize(
    "name",
    [WITHOUT, None, 5, "", "../root.layout", "/etc/passwd", "a\\b", "a\x1bb", "x" * 513, "a//b"],
)
def test_A8_a_hint_that_is_no_file_name_is_no_hint(name: JsonValue) -> None:
    value = dsse(layout())
    if name is not WITHOUT:
        value["name"] = name
    (document,) = read(line(value)).documents
    assert document.hint == ""


def test_A8_links_of_sublayouts_have_a_directory_in_their_hint() -> None:
    (document,) = read(line({**dsse(link()), "name": "build.abababab/x.12345678.link"})).documents
    assert document.hint == "build.abababab/x.12345678.link"


@pytest.mark.rejects("J1")
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_J1_other_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(MetadataMalformed):
        read(LAYOUT.decode().encode(encoding))


@pytest.mark.accepts("J4")
@pytest.mark.rejects("J4")
def test_J4_bundles_are_bounded() -> None:
    limits = dataclasses.replace(DEFAULT, bundle_bytes=len(LAYOUT) + 2, bundle_lines=2)
    assert parse_bundle(LAYOUT + b"\n ", origin="x", limits=limits).documents
    for data in (LAYOUT + b"\n\n", LAYOUT + b"   "):
        with pytest.raises(MetadataTooLarge):
            parse_bundle(data, origin="x", limits=limits)


@pytest.mark.rejects("J4")
def test_J4_a_line_over_the_limit_of_documents_is_skipped() -> None:
    limits = dataclasses.replace(DEFAULT, document_bytes=max(len(LAYOUT), len(LINK)))
    data = b"\n".join([LAYOUT, b" ".join([LINK[:-1], b" " * len(LAYOUT), b"}"]), LINK])
    bundle = parse_bundle(data, origin="x", limits=limits)
    assert (len(bundle.documents), bundle.skipped) == (2, 1)


def test_notes_are_bounded() -> None:
    bundle = read(b"\n".join(b"%d x" % number for number in range(1000)))
    assert bundle.skipped == 1000
    assert len(bundle.notes) < 20
