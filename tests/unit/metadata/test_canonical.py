"""C1: the bytes that the signatures of a Metablock cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import MetadataMalformed
from pip_intoto.metadata.canonical import encode

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue


@pytest.mark.accepts("C1")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [True, False, None, "x"]}, b'{"a":[true,false,null,"x"],"b":1}'),
        (
            {"é": 1, "z": 2, "\U0001f600": 3, "\uffff": 4},
            '{"z":2,"é":1,"\uffff":4,"😀":3}'.encode(),
        ),
        ('"\\', b'"\\"\\\\"'),
        ("\n\r\t\b\f\x00\x1f\x7f", b'"\n\r\t\b\f\x00\x1f\x7f"'),
        ("\\n\\u0001\n\\\\n", b'"\\\\n\\\\u0001\n\\\\\\\\n"'),
        ("\\\x01\\", b'"\\\\\x01\\\\"'),
        ('"\n"', b'"\\"\n\\""'),
        ("äöü\n", '"äöü\n"'.encode()),
        ([], b"[]"),
        ({}, b"{}"),
        (-12345678901234567890, b"-12345678901234567890"),
    ],
)
def test_C1_sorted_without_space_and_only_quotes_and_backslashes_escaped(
    value: JsonValue, expected: bytes
) -> None:
    assert encode(value) == expected


@pytest.mark.rejects("C1")
@pytest.mark.parametrize("value", [1.0, -0.0, [1.5], {"a": {"b": [0.1]}}])
def test_C1_floats_have_no_canonical_form(value: JsonValue) -> None:
    with pytest.raises(MetadataMalformed):
        encode(value)


@pytest.mark.rejects("C1", "J5")
@pytest.mark.parametrize("value", ["\ud800", {"\udc00": 1}, ["\\\ud800"]])
def test_C1_half_a_surrogate_pair_has_no_canonical_form(value: JsonValue) -> None:
    with pytest.raises(MetadataMalformed):
        encode(value)
