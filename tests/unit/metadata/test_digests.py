"""H1: which digests are accepted, and when two sets of them are equal."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import MetadataMalformed
from pip_intoto.metadata.digests import (
    ACCEPTED,
    agree,
    differ,
    parse_artifact_digests,
    parse_digests,
)
from pip_intoto.metadata.node import Node
from tests.unit.metadata.documents import SHA256, SHA512

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue

OTHER = "0" * 64
UNKNOWN = {"md5": "whatever", "gitCommit": "1"}


def test_H1_every_accepted_algorithm_has_the_length_of_its_digest() -> None:
    sizes = {name: 2 * hashlib.new(name).digest_size for name in ACCEPTED if name != "blake2b-256"}
    assert {**sizes, "blake2b-256": 2 * hashlib.blake2b(digest_size=32).digest_size} == ACCEPTED


GOOD: list[JsonValue] = [
    {"sha256": SHA256},
    {"sha256": SHA256, "sha512": SHA512},
    {"md5": "D41D8CD98F00B204E9800998ECF8427E", "sha256": SHA256},
    {},
]
BAD: list[JsonValue] = [
    {"sha256": SHA256.upper()},
    {"sha256": SHA256[:-1]},
    {"sha256": SHA256 + "0"},
    {"sha256": SHA512},
    {"sha256": ""},
    {"sha256": "é" * 64},
    {"sha256": f" {SHA256[1:]}"},
    {"sha256": "０" * 64},
    {"sha512": SHA256},
    {"sha256": 1},
    {"sha256": None},
    {"sha256": [SHA256]},
    {"md5": 5},
    [],
    [SHA256],
    SHA256,
    None,
]


@pytest.mark.accepts("H1")
@pytest.mark.parametrize("value", GOOD)
def test_H1_lower_case_hex_of_the_right_length_is_read(value: JsonValue) -> None:
    assert parse_digests(Node(value)) == value
    assert parse_artifact_digests(Node({"a": value, "b": {}})) == {"a": value, "b": {}}


@pytest.mark.rejects("H1")
@pytest.mark.parametrize("value", BAD)
def test_H1_anything_else_is_refused_alone_and_in_bulk(value: JsonValue) -> None:
    with pytest.raises(MetadataMalformed):
        parse_digests(Node(value))
    artifacts: JsonValue = {"a": {"sha256": SHA256}, "b": value}
    with pytest.raises(MetadataMalformed) as caught:
        parse_artifact_digests(Node(artifacts, "products"))
    assert caught.value.place.startswith("products.b")


@pytest.mark.accepts("H1")
def test_equal_when_one_is_shared_and_none_differs() -> None:
    assert agree({"sha256": SHA256}, {"sha256": SHA256, "sha512": SHA512})
    assert agree({"sha256": SHA256, **UNKNOWN}, {"sha256": SHA256, "md5": "something else"})


@pytest.mark.rejects("H1")
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"sha256": SHA256, "sha512": SHA512}, {"sha256": OTHER, "sha512": SHA512}),
        ({"sha256": SHA256}, {"sha512": SHA512}),
        ({}, {}),
        ({"sha256": SHA256}, {}),
        (UNKNOWN, UNKNOWN),
    ],
)
def test_never_equal(a: dict[str, str], b: dict[str, str]) -> None:
    assert not agree(a, b)
    assert not agree(b, a)


def test_different_only_when_it_can_be_told() -> None:
    assert differ({"sha256": SHA256, "sha512": SHA512}, {"sha256": OTHER, "sha512": SHA512})
    for a, b in (
        ({"sha256": SHA256}, {"sha256": SHA256}),
        ({"sha256": SHA256}, {"sha512": SHA512}),
        ({}, {}),
        ({"md5": "a"}, {"md5": "b"}),
    ):
        assert not differ(a, b)
