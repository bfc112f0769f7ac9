"""On any input whatever, documents are read or refused by name: nothing else is ever raised."""

from __future__ import annotations

import base64
import json
import re
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pip_intoto.errors import (
    LayoutFeatureUnsupported,
    MetadataMalformed,
    MetadataTooLarge,
    UnusableKey,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.bundle import parse_bundle
from pip_intoto.metadata.digests import agree, differ
from pip_intoto.metadata.envelope import parse_envelope, read_payload
from pip_intoto.metadata.keys import load_pem
from pip_intoto.metadata.layout import Layout, parse_layout
from pip_intoto.metadata.link import Link, parse_link
from pip_intoto.metadata.names import (
    abnormal_artifact_name,
    check_step_name,
    is_normal_artifact_name,
    link_filename,
)
from pip_intoto.metadata.node import Node
from pip_intoto.verification.signatures import Keyring
from tests.unit.metadata.documents import (
    ED25519_PEM,
    KEYID,
    SHA256,
    as_json,
    dsse,
    inspection,
    key,
    layout,
    link,
    metablock,
    pae,
    step,
)

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue

REFUSED = (MetadataMalformed, MetadataTooLarge, LayoutFeatureUnsupported)

words = st.sampled_from(
    [
        "",
        "MATCH",
        "IN",
        "FROM",
        "WITH",
        "layout",
        "link",
        "step",
        "*",
        "..",
        KEYID,
        SHA256,
        ED25519_PEM,
    ]
) | st.text(max_size=5)
wild: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["sha256", "public", "name", "_type", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def paths(value: JsonValue, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The ways to all values inside ``value``."""
    children: list[tuple[str | int, JsonValue]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    found = [at]
    for name, child in children:
        found += paths(child, (*at, name))
    return found


def replaced(value: JsonValue, path: tuple[str | int, ...], new: JsonValue) -> JsonValue:
    """``value`` with ``new`` at ``path``."""
    if not path:
        return new
    first, *rest = path
    if isinstance(value, dict):
        return {n: replaced(v, tuple(rest), new) if n == first else v for n, v in value.items()}
    assert isinstance(value, list)
    return [replaced(v, tuple(rest), new) if n == first else v for n, v in enumerate(value)]


FULL_LAYOUT = layout(
    keys={
        KEYID: key(),
        "cd" * 32: key(keyid="cd" * 32, keytype="rsa", keyval={"public": ED25519_PEM}),
    },
    steps=[
        step(expected_products=[["MATCH", "*", "IN", "a", "WITH", "PRODUCTS", "FROM", "build"]])
    ],
    inspect=[inspection(expected_materials=[["REQUIRE", "x"]])],
)


def check_document(data: bytes) -> None:
    try:
        envelope = parse_envelope(data, limits=DEFAULT)
    except REFUSED:
        return
    assert len(envelope.sha256) == 64
    with suppress(*REFUSED):
        document = read_payload(envelope, limits=DEFAULT)
        if isinstance(document, Layout):
            Keyring(document.keys.values()).signings(envelope)
            assert document.steps
        else:
            assert isinstance(document, Link)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([FULL_LAYOUT, link()]), st.data())
def test_a_document_with_anything_anywhere(value: JsonValue, data: st.DataObject) -> None:
    changed = replaced(value, data.draw(st.sampled_from(paths(value))), data.draw(wild))
    check_document(json.dumps({"signed": changed, "signatures": []}).encode())
    payload = base64.b64encode(json.dumps(changed).encode()).decode()
    check_document(json.dumps(dsse({}, payload=payload)).encode())


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([dsse(link()), metablock(FULL_LAYOUT)]), st.data())
def test_an_envelope_with_anything_anywhere(value: JsonValue, data: st.DataObject) -> None:
    changed = replaced(value, data.draw(st.sampled_from(paths(value))), data.draw(wild))
    check_document(json.dumps(changed).encode())


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([as_json(dsse(link())), as_json(metablock(layout()))]), st.data())
def test_a_document_with_any_bytes_changed(document: bytes, data: st.DataObject) -> None:
    changed = bytearray(document)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    check_document(bytes(changed))
    check_document(bytes(changed[: data.draw(st.integers(0, len(changed)))]))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    check_document(data)
    with suppress(*REFUSED):
        assert parse_bundle(data, origin="x", limits=DEFAULT).documents == ()
    with suppress(UnusableKey):
        load_pem(data)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, len(ED25519_PEM) - 1), max_size=3), st.binary(min_size=3, max_size=3)
)
def test_any_change_to_a_pem_file(places: list[int], values: bytes) -> None:
    pem = bytearray(ED25519_PEM.encode())
    for place, value in zip(places, values, strict=False):
        pem[place] = value
    with suppress(UnusableKey):
        assert load_pem(bytes(pem)).keytype == "ed25519"


lines = st.sampled_from(
    [
        json.dumps(dsse(layout())).encode(),
        json.dumps(metablock(link())).encode(),
        json.dumps(dsse(link(name="other"))).encode(),
        b"{}",
        b"nonsense",
        b"",
    ]
)


@settings(max_examples=50, deadline=None)
@given(st.lists(lines, max_size=8), st.randoms(use_true_random=False))
def test_A8_a_bundle_means_the_same_in_any_order(parts: list[bytes], random: object) -> None:
    shuffled = sorted(parts, key=lambda _: random.random())  # type: ignore[attr-defined]
    one = parse_bundle(b"\n".join(parts), origin="x", limits=DEFAULT)
    other = parse_bundle(b"\n".join(shuffled), origin="x", limits=DEFAULT)
    assert {each.envelope for each in one.documents} == {each.envelope for each in other.documents}
    assert one.skipped == other.skipped


artifact_names = st.text("./\\a:\x00\né", max_size=8)


@settings(max_examples=300, deadline=None)
@given(st.lists(artifact_names, max_size=5))
def test_P9_many_names_are_judged_as_each_alone(names: list[str]) -> None:
    abnormal = [name for name in names if not is_normal_artifact_name(name)]
    found = abnormal_artifact_name(names, longest=100)
    assert found == (abnormal[0] if abnormal else None)


@pytest.mark.accepts("H1")
@pytest.mark.rejects("H1")
@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["sha256", "sha512", "md5", "x"]), wild, max_size=4))
def test_H1_many_digests_are_judged_as_each_alone(value: dict[str, JsonValue]) -> None:
    def is_read(artifacts: JsonValue) -> bool:
        try:
            parse_link(Node(link(products=artifacts)), DEFAULT)
        except MetadataMalformed:
            return False
        return True

    expected = all(isinstance(each, str) for each in value.values()) and (
        value.get("sha256", SHA256) == SHA256 and "sha512" not in value
    )
    assert is_read({"a": {"sha256": SHA256}, "b": value}) == expected


digests = st.dictionaries(
    st.sampled_from(["sha256", "sha512", "blake2b", "md5"]), st.sampled_from(["0", "1"]), max_size=4
)


@settings(max_examples=200, deadline=None)
@given(digests, digests)
def test_digests_never_agree_and_differ_and_both_are_symmetric(
    a: dict[str, str], b: dict[str, str]
) -> None:
    assert agree(a, b) == agree(b, a)
    assert differ(a, b) == differ(b, a)
    assert not (agree(a, b) and differ(a, b))
    assert agree(a, a) == bool(set(a) - {"md5"})


@settings(max_examples=100, deadline=None)
@given(wild)
def test_a_layout_out_of_anything_is_refused(value: JsonValue) -> None:
    with suppress(*REFUSED):
        raise AssertionError(parse_layout(Node(value), DEFAULT))


@pytest.mark.accepts("H2")
@settings(max_examples=100, deadline=None)
@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)))  # noqa: DTZ001 - Hypothesis wants them so
def test_H2_any_second_is_read_back(moment: datetime) -> None:
    text = f"{moment.year:04}-{moment:%m-%dT%H:%M:%S}Z"
    parsed = parse_layout(Node(layout(expires=text)), DEFAULT)
    assert parsed.expires == moment.replace(microsecond=0, tzinfo=timezone.utc)


@pytest.mark.rejects("H2", "L3")
@settings(max_examples=200, deadline=None)
@given(st.text("0123456789-:TZtz+. \n", max_size=24) | st.text(max_size=24))
def test_H2_any_other_text_is_no_date(text: str) -> None:
    assume(not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", text))
    with pytest.raises(MetadataMalformed):
        parse_layout(Node(layout(expires=text)), DEFAULT)


@pytest.mark.accepts("K4", "K5")
@pytest.mark.rejects("K5")
@settings(max_examples=200, deadline=None)
@given(st.text("0123456789abcdefABCDEF", max_size=140) | st.text(max_size=140))
def test_K4_K5_any_hex_is_a_name_for_a_key_and_nothing_else_is(keyid: str) -> None:
    value = layout(keys={keyid: key(keyid=keyid)}, steps=[step(pubkeys=[keyid])])
    if re.fullmatch("[0-9a-fA-F]{8,128}", keyid):
        parsed = parse_layout(Node(value), DEFAULT)
        assert list(parsed.keys) == list(parsed.steps[0].pubkeys) == [keyid]
    else:
        with pytest.raises(MetadataMalformed):
            parse_layout(Node(value), DEFAULT)


@pytest.mark.accepts("E5")
@pytest.mark.rejects("E5")
@settings(max_examples=300, deadline=None)
@given(st.text("AQgw+/-_= \né", max_size=12), st.binary(max_size=12))
def test_E5_base64_is_read_as_the_standard_library_reads_it_or_not_at_all(
    text: str, body: bytes
) -> None:
    for encoded in (base64.b64encode(body), base64.urlsafe_b64encode(body)):
        assert parse_envelope(
            as_json(dsse(body, payload=encoded.decode())), limits=DEFAULT
        ).signed == pae(body)
    try:
        envelope = parse_envelope(as_json(dsse(b"", payload=text)), limits=DEFAULT)
    except MetadataMalformed:
        return
    assert not ({"+", "/"} & set(text) and {"-", "_"} & set(text))
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    standard = padded.replace("-", "+").replace("_", "/")
    assert envelope.signed == pae(base64.b64decode(standard, validate=True))


step_names = st.text(max_size=8) | st.text("./\\:aC~*?\x00\n", max_size=8)


@pytest.mark.accepts("N1", "N3")
@pytest.mark.rejects("N3")
@settings(max_examples=300, deadline=None)
@given(step_names)
def test_N3_a_name_that_is_accepted_stays_in_its_directory_on_every_platform(name: str) -> None:
    try:
        accepted = check_step_name(Node(name))
    except MetadataMalformed:
        return
    filename = link_filename(accepted, KEYID)
    for flavour in (PurePosixPath, PureWindowsPath):
        assert (flavour("links") / filename).parent == flavour("links")
        assert (flavour("links") / filename).name == filename


def test_N3_names_that_leave_it_are_among_those() -> None:
    for name in ("../evil", "..\\evil", "/evil", "C:evil"):
        assert any(
            (flavour("links") / link_filename(name, KEYID)).parent != flavour("links")
            for flavour in (PurePosixPath, PureWindowsPath)
        )
