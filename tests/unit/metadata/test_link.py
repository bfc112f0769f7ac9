"""L10, N, J2: links."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import MetadataMalformed, MetadataTooLarge
from pip_intoto.limits import DEFAULT, LOCAL
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.link import parse_link
from pip_intoto.metadata.node import Node
from tests.unit.metadata.documents import SHA256, SHA512, WITHOUT, link

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue


@pytest.mark.accepts("L10")
def test_L10_a_link_is_read() -> None:
    parsed = parse_link(Node(link()), DEFAULT)
    assert parsed.name == "build"
    assert parsed.command == ("python", "-m", "build")
    assert parsed.materials == {"pyproject.toml": {"sha256": SHA256}}
    assert parsed.products == {"demo-1.0-py3-none-any.whl": {"sha256": SHA256, "sha512": SHA512}}
    assert parsed.byproducts == {"return-value": 0, "stdout": "built\n", "stderr": ""}
    assert parsed.environment == {}


@pytest.mark.accepts("L10")
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("environment", None),
        ("environment", WITHOUT),
        ("byproducts", None),
        ("byproducts", WITHOUT),
    ],
)
def test_L10_byproducts_and_environment_may_be_null_or_absent(
    member: str, value: JsonValue
) -> None:
    parsed = parse_link(Node(link(**{member: value})), DEFAULT)
    assert getattr(parsed, member) == {}


@pytest.mark.accepts("J2")
def test_J2_opaque_members_may_hold_anything() -> None:
    opaque: JsonValue = {"seconds": 1.5, "deep": [None, {"x": -0.0}]}
    parsed = parse_link(Node(link(byproducts=opaque, environment=opaque)), DEFAULT)
    assert parsed.byproducts == parsed.environment == opaque


@pytest.mark.accepts("L8")
def test_L8_unknown_members_are_ignored() -> None:
    assert parse_link(Node(link(future={"x": 1})), DEFAULT) == parse_link(Node(link()), DEFAULT)


@pytest.mark.rejects("L10")
@pytest.mark.parametrize(
    ("member", "value", "place"),
    [
        ("_type", "layout", "_type"),
        ("_type", 1, "_type"),
        ("_type", WITHOUT, ""),
        ("name", WITHOUT, ""),
        ("name", 5, "name"),
        ("command", "make", "command"),
        ("command", ["make", 1], "command[1]"),
        ("command", None, "command"),
        ("materials", WITHOUT, ""),
        ("materials", None, "materials"),
        ("materials", [], "materials"),
        ("products", {"a": SHA256}, "products.a"),
        ("products", {"a.b": {"sha256": "00"}}, "products['a.b'].sha256"),
        ("products", {"a/../b": {"sha256": SHA256}}, "products"),
        ("products", {"": {"sha256": SHA256}}, "products"),
        ("byproducts", [], "byproducts"),
        ("environment", "x", "environment"),
    ],
)
def test_L10_another_shape_is_refused(member: str, value: JsonValue, place: str) -> None:
    with pytest.raises(MetadataMalformed) as caught:
        parse_link(Node(link(**{member: value})), DEFAULT)
    assert caught.value.place == place


def test_P9_an_abnormal_name_is_shown() -> None:
    with pytest.raises(MetadataMalformed) as caught:
        parse_link(Node(link(products={"dir/../evil": {"sha256": SHA256}})), DEFAULT)
    assert caught.value.found == "'dir/../evil'"


@pytest.mark.accepts("J4")
@pytest.mark.rejects("J4")
def test_J4_artifacts_are_counted() -> None:
    limits = dataclasses.replace(DEFAULT, artifacts=2)
    few: JsonValue = {"a": {}, "b": {}}
    assert len(parse_link(Node(link(materials=few)), limits).materials) == 2
    with pytest.raises(MetadataTooLarge):
        parse_link(Node(link(materials={"a": {}, "b": {}, "c": {}})), limits)


def test_ten_thousand_artifacts_cost_little_more_than_their_json() -> None:
    artifacts: JsonValue = {f"src/package/module_{n}.py": {"sha256": SHA256} for n in range(10_000)}
    data = json.dumps(link(materials=artifacts, products=artifacts)).encode()

    def ours() -> None:
        parse_link(Node(strict_json.parse(data, limits=LOCAL)), LOCAL)

    def theirs() -> None:
        json.loads(data)

    def best(run: object) -> float:
        assert callable(run)
        times = []
        for _ in range(5):
            start = time.process_time()
            run()
            times.append(time.process_time() - start)
        return min(times)

    # It is about three; the room is for busy machines.
    assert best(ours) < 10 * best(theirs)
