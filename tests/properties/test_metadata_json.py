"""Strict and canonical JSON against the standard library and the reference implementation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from securesystemslib.formats import encode_canonical

from pip_intoto.errors import MetadataMalformed, MetadataTooLarge
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import canonical, strict_json

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue

#: Strings that look like structure or like escapes, beside any other.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text(
    '"\\[]{}:,nu0 1\n\x00\x01\x1f\x7fé\u2028😀', max_size=12
)
scalars = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | texts


def documents(leaves: st.SearchStrategy[JsonValue]) -> st.SearchStrategy[JsonValue]:
    """JSON values over ``leaves``."""
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=20,
    )


@pytest.mark.accepts("C1")
@settings(max_examples=300, deadline=None)
@given(documents(scalars))
@example("\\u0000\x00")
@example({"\\": ["\x01\\n", '"']})
def test_C1_the_canonical_form_is_that_of_securesystemslib(value: JsonValue) -> None:
    theirs = encode_canonical(value)  # type: ignore[arg-type]
    assert theirs is not None
    assert canonical.encode(value) == theirs.encode()


@pytest.mark.accepts("J1")
@settings(max_examples=200, deadline=None)
@given(documents(scalars | st.floats(allow_nan=False, allow_infinity=False)), st.booleans())
def test_J_what_the_standard_library_writes_is_read_back(value: JsonValue, ascii_: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_, indent=1).encode()
    assert strict_json.parse(data, limits=DEFAULT) == value


@pytest.mark.accepts("C1")
@pytest.mark.rejects("C1", "E2")
@settings(max_examples=300, deadline=None)
@given(documents(scalars), documents(scalars), st.data())
def test_C1_E2_no_two_documents_share_a_canonical_form(
    value: JsonValue, other: JsonValue, data: st.DataObject
) -> None:
    def spelled(each: JsonValue) -> str:
        return json.dumps(each, sort_keys=True)

    alike = spelled(value) == spelled(other)
    assert (canonical.encode(value) == canonical.encode(other)) == alike
    # Nor does a string pass for what it looks like.
    text = canonical.encode(value).decode()
    part = text[: data.draw(st.integers(0, len(text)))]
    assert (canonical.encode([part]) == canonical.encode([value])) == (part == value)


@pytest.mark.rejects("J3")
@settings(max_examples=200, deadline=None)
@given(st.dictionaries(texts, documents(scalars), min_size=1, max_size=4), st.data())
def test_J3_any_member_that_is_repeated_anywhere_is_found(
    value: dict[str, JsonValue], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(value)))
    members = [f"{json.dumps(each)}: {json.dumps(value[each])}" for each in value]
    members.insert(
        data.draw(st.integers(0, len(members))), f"{json.dumps(name, ensure_ascii=False)}: 0"
    )
    for text in (f"{{{', '.join(members)}}}", f'[1, {{"x": {{{", ".join(members)}}}}}]'):
        with pytest.raises(MetadataMalformed, match="twice"):
            strict_json.parse(text.encode(), limits=DEFAULT)


@pytest.mark.rejects("J1")
@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=40) | st.text('{}[]:,"\\u0d8 1-e.', max_size=30).map(str.encode))
@example(b'{"a":1,\\"b":2}')
@example(b'"\\ud800"')
def test_J_whatever_the_bytes_are_the_answer_is_that_of_json_or_an_error(data: bytes) -> None:
    try:
        value = strict_json.parse(data, limits=DEFAULT)
    except (MetadataMalformed, MetadataTooLarge):
        return
    assert value == json.loads(data)


@pytest.mark.rejects("J1")
@settings(max_examples=200, deadline=None)
@given(documents(scalars), st.data())
def test_J1_a_document_that_was_cut_or_changed_never_raises_anything_else(
    value: JsonValue, data: st.DataObject
) -> None:
    text = bytearray(json.dumps(value).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(
            st.sampled_from(b'"\\[]{}:, 0\xff')
        )
    text = text[: data.draw(st.integers(0, len(text)))]
    try:
        read = strict_json.parse(bytes(text), limits=DEFAULT)
    except (MetadataMalformed, MetadataTooLarge):
        return
    assert read == json.loads(bytes(text))
