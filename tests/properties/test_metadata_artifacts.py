"""What is done with many artifacts at once against what is done with each alone."""

from __future__ import annotations

import base64
import json
import operator
import re
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pip_intoto.errors import MetadataMalformed
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import canonical
from pip_intoto.metadata.artifacts import Uniform, agreeing, modified
from pip_intoto.metadata.digests import ACCEPTED, agree, differ, parse_artifact_digests
from pip_intoto.metadata.envelope import parse_envelope
from pip_intoto.metadata.node import Node

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue

names = st.text('ab/"\\\n\x7f é\u2028😀', min_size=1, max_size=5)
hexes = {algorithm: ["0" * length, "1" * length] for algorithm, length in ACCEPTED.items()}
well_formed = st.sampled_from(["sha256", "sha256", "sha256", "sha512"]).flatmap(
    lambda algorithm: st.sampled_from(hexes[algorithm]).map(lambda digest: {algorithm: digest})
)
#: Nearly uniform artifacts, and anything that could be taken for them.
uniform = st.dictionaries(
    st.text("ab/é", min_size=1, max_size=3),
    st.sampled_from(hexes["sha256"]).map(lambda digest: {"sha256": digest}),
    max_size=6,
)
wild: st.SearchStrategy[JsonValue] = st.one_of(
    st.sampled_from(
        [{}, {"sha256": "0" * 63}, {"sha256": 0}, {"sha256": "G" * 64}, {"sha256": "\u0660" * 64}]
    ),
    st.sampled_from([{"md5": "0" * 32}, {"sha256": "A" * 64}, [], None, "0" * 64, 1.5]),
    well_formed.map(lambda digests: {**digests, "md5": "x"}),
    well_formed.map(dict),
)
artifacts = st.one_of(
    uniform,
    st.dictionaries(names, well_formed, max_size=4),
    st.dictionaries(names, wild, max_size=4),
)


@settings(max_examples=300, deadline=None)
@given(artifacts)
@example({"a": {"sha256": "0" * 64}, 'b"': {"sha256": "1" * 64}})
@example({"a": {"sha256": "0" * 64}, "b": {"sha512": "1" * 128}})
def test_C1_H1_uniform_artifacts_are_what_each_of_them_says(value: dict[str, JsonValue]) -> None:
    found = Uniform.of(value)
    if found is None:
        return
    assert dict(found.items()) == value == parse_artifact_digests(Node(value))
    assert found == value
    assert list(found) == list(value)
    assert len(found) == len(value)
    assert "no such name" not in found
    assert found.get("no such name") is None
    assert found.canonical().encode() == canonical.encode(value)


@given(st.dictionaries(st.text("ab/é", min_size=1), st.just({"blake2b": "0" * 128}), min_size=1))
def test_what_links_nearly_always_hold_is_uniform(value: dict[str, JsonValue]) -> None:
    assert Uniform.of(value) is not None


@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="this Python never lets go of them")
def test_names_and_digests_of_large_sides_are_shared() -> None:
    def side() -> Uniform:
        value: JsonValue = {f"file-{n}": {"sha256": f"{n:064x}"} for n in range(20_000)}
        found = Uniform.of(value)
        assert found is not None
        assert found == value
        return found

    one, other = side(), side()
    assert all(map(operator.is_, one, other))
    assert all(map(operator.is_, one.hexes.values(), other.hexes.values()))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(names, wild | uniform, max_size=4), uniform, uniform)
def test_C1_E2_a_document_is_signed_in_its_canonical_form(
    rest: dict[str, JsonValue], materials: dict[str, JsonValue], products: dict[str, JsonValue]
) -> None:
    signed: JsonValue = {**rest, "materials": materials, "products": products}
    data = json.dumps({"signed": signed, "signatures": []}).encode()
    try:
        expected = canonical.encode(signed)
    except MetadataMalformed:
        # J2: a float, which is refused before anybody asks for a signature.
        try:
            parse_envelope(data, limits=DEFAULT)
        except MetadataMalformed:
            return
        raise AssertionError(data) from None
    assert parse_envelope(data, limits=DEFAULT).signed == expected


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(uniform, st.dictionaries(st.sampled_from("abc"), well_formed)),
    st.one_of(uniform, st.dictionaries(st.sampled_from("abc"), well_formed)),
)
def test_R3_R9_many_are_compared_as_each_alone(
    one: dict[str, JsonValue], other: dict[str, JsonValue]
) -> None:
    ours, theirs = parse_artifact_digests(Node(one)), parse_artifact_digests(Node(other))
    pairs = [(name, there) for name in ours for there in [*theirs, "nowhere"]]
    same = [name for name, there in pairs if there in theirs and agree(ours[name], theirs[there])]
    changed = {name for name in ours if name in theirs and differ(ours[name], theirs[name])}
    for a in (ours, Uniform.of(one) or ours):
        for b in (theirs, Uniform.of(other) or theirs):
            assert agreeing(a, b, pairs) == same
            assert modified(a, b) == changed
            assert (a == b) == (one == other)


_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)(={0,2})")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=9), st.booleans(), st.integers(0, 3), st.text("Aa0+/-_= é\n", max_size=2))
def test_E3_base64_is_read_as_its_grammar_has_it(
    payload: bytes, url_safe: bool, padding: int, noise: str
) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    text = encode(payload).decode().rstrip("=") + noise + "=" * padding
    matched = _BASE64.fullmatch(text)
    digits = 0 if matched is None else len(text) - len(matched[1])
    is_base64 = matched is not None and digits % 4 != 1 and (not matched[1] or len(text) % 4 == 0)
    document = {"payload": text, "payloadType": "application/vnd.in-toto+json", "signatures": []}
    try:
        signed = parse_envelope(json.dumps(document).encode(), limits=DEFAULT).signed
    except MetadataMalformed:
        assert not is_base64
        return
    assert is_base64
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    decoded = base64.b64decode(standard + "=" * (-len(standard) % 4))
    assert signed.endswith(b" %d %s" % (len(decoded), decoded))
