"""Values know their places, and errors say them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import MetadataMalformed
from pip_intoto.metadata.node import Node, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from pip_intoto.metadata.strict_json import JsonValue

DOCUMENT = Node({"steps": [{"expected products": [[1]], "name": None}], "n": 3})


def test_a_place_reads_like_the_way_to_the_value() -> None:
    step = next(DOCUMENT.member("steps").elements())
    assert step.member("name").place == "steps[0].name"
    rule = next(step.member("expected products").elements())
    assert next(rule.elements()).place == "steps[0]['expected products'][0][0]"
    assert [node.place for _, node in DOCUMENT.items()] == ["steps", "n"]


def test_null_is_a_value_and_absence_is_none() -> None:
    step = next(DOCUMENT.member("steps").elements())
    name = step.optional("name")
    assert name is not None
    assert name.value is None
    assert step.optional("threshold") is None


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({}, Node.mapping),
        ([], Node.sequence),
        ("x", Node.string),
        (-3, Node.integer),
        (["a"], Node.strings),
    ],
)
def test_the_right_type_is_handed_out(value: object, read: Callable[[Node], object]) -> None:
    result = read(Node(value))  # type: ignore[arg-type]
    assert result == (tuple(value) if read is Node.strings else value)  # type: ignore[arg-type]


@pytest.mark.rejects("J2")
@pytest.mark.parametrize(
    ("value", "read"),
    [
        ([], Node.mapping),
        (None, Node.mapping),
        ({}, Node.sequence),
        ("x", Node.sequence),
        (1, Node.string),
        ("1", Node.integer),
        (True, Node.integer),
        (1.0, Node.integer),
        ("ab", Node.strings),
        (["a", 1], Node.strings),
    ],
)
def test_J2_another_type_is_malformed(value: object, read: Callable[[Node], object]) -> None:
    with pytest.raises(MetadataMalformed) as caught:
        read(Node(value, "here"))  # type: ignore[arg-type]
    assert caught.value.place.startswith("here")
    assert caught.value.expected
    assert caught.value.found


def test_a_missing_member_is_named_with_its_place() -> None:
    with pytest.raises(MetadataMalformed, match=r"steps\[0\]: the member 'run' is missing"):
        next(DOCUMENT.member("steps").elements()).member("run")


def test_text_may_be_bounded() -> None:
    assert Node("abc").string(longest=3) == "abc"
    with pytest.raises(MetadataMalformed):
        Node("abcd").string(longest=3)


def test_what_is_shown_is_short_printable_and_on_one_line() -> None:
    assert shown("a\x1b[31m\u202e\nb") == "'a\\x1b[31m\\u202e\\nb'"
    assert len(shown("x" * 1_000_000)) < 100
    assert len(shown("\x00" * 1_000_000)) < 100
    values: list[JsonValue] = [{}, [], None, True, 1]
    assert [shown(value) for value in values] == [
        "an object",
        "a list",
        "null",
        "true",
        "1",
    ]
