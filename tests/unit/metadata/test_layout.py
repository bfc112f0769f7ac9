"""L, S, I, H2, K, X: layouts."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import LayoutFeatureUnsupported, MetadataMalformed, MetadataTooLarge
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.layout import ExpectedPredicate, parse_layout
from pip_intoto.metadata.node import Node
from pip_intoto.metadata.rules import Create, Disallow
from tests.unit.metadata.documents import KEYID, WITHOUT, inspection, key, layout, step

if TYPE_CHECKING:
    from pip_intoto.metadata.layout import Layout
    from pip_intoto.metadata.strict_json import JsonValue

OTHER_KEYID = "cd" * 32


def read(value: JsonValue) -> Layout:
    return parse_layout(Node(value), DEFAULT)


def refused(value: JsonValue) -> MetadataMalformed:
    with pytest.raises(MetadataMalformed) as caught:
        read(value)
    return caught.value


# --- the layout -------------------------------------------------------------------------------


@pytest.mark.accepts("L1", "L2")
def test_L1_L2_a_layout_is_read() -> None:
    parsed = read(layout())
    assert parsed.expires == datetime(2031, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
    assert list(parsed.keys) == [KEYID]
    assert [each.name for each in parsed.steps] == ["build"]
    assert [each.name for each in parsed.inspections] == ["unpack"]


@pytest.mark.rejects("L1")
@pytest.mark.parametrize("kind", ["link", "Layout", "", None, 1, WITHOUT])
def test_L1_anything_else_is_no_layout(kind: JsonValue) -> None:
    refused(layout(_type=kind))


@pytest.mark.rejects("L2")
@pytest.mark.parametrize("member", ["expires", "keys", "steps", "inspect"])
def test_L2_no_member_but_the_readme_may_be_missing(member: str) -> None:
    assert member in str(refused(layout(**{member: WITHOUT})))


@pytest.mark.rejects("L5", "L6", "L7")
@pytest.mark.parametrize(
    ("member", "value"),
    [("keys", []), ("keys", None), ("steps", {}), ("steps", None), ("inspect", {}), ("inspect", 1)],
)
def test_L5_L6_L7_keys_are_an_object_steps_and_inspections_lists(
    member: str, value: JsonValue
) -> None:
    assert refused(layout(**{member: value})).place == member


@pytest.mark.accepts("L5", "L6", "L7")
def test_L5_L6_L7_order_is_kept() -> None:
    parsed = read(
        layout(
            keys={KEYID: key(), OTHER_KEYID: key(keyid=OTHER_KEYID)},
            steps=[step(name="b"), step(name="a")],
            inspect=[inspection(name="y"), inspection(name="x")],
        )
    )
    assert list(parsed.keys) == [KEYID, OTHER_KEYID]
    assert [each.name for each in parsed.steps] == ["b", "a"]
    assert [each.name for each in parsed.inspections] == ["y", "x"]


@pytest.mark.accepts("H2")
@pytest.mark.parametrize("text", ["2000-02-29T23:59:59Z", "9999-12-31T00:00:00Z"])
def test_L3_H2_a_date_in_utc(text: str) -> None:
    parsed = read(layout(expires=text))
    assert parsed.expires.strftime("%Y-%m-%dT%H:%M:%SZ") == text
    assert parsed.expires.utcoffset() is not None


@pytest.mark.rejects("L3", "H2")
@pytest.mark.parametrize(
    "value",
    [
        "",
        None,
        WITHOUT,
        1893456000,
        "2030-01-01",
        "2030-01-01T00:00:00",
        "2030-01-01T00:00:00+00:00",
        "2030-01-01 00:00:00Z",
        "2030-01-01T00:00:00.5Z",
        "2030-01-01T00:00:00z",
        "2030-1-1T0:0:0Z",
        "2030-02-30T00:00:00Z",
        "2030-01-01T24:00:00Z",
        "2030-01-01T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "２０３０-01-01T00:00:00Z",
        "2030-01-01T00:00:00Z\n",
    ],
)
def test_L3_H2_no_other_date(value: JsonValue) -> None:
    refused(layout(expires=value))


@pytest.mark.accepts("L2", "L4")
@pytest.mark.parametrize(("value", "text"), [("Hi", "Hi"), (None, ""), (WITHOUT, "")])
def test_L4_the_readme_is_optional_text(value: JsonValue, text: str) -> None:
    assert read(layout(readme=value)).readme == text


@pytest.mark.rejects("L4")
def test_L4_the_readme_is_nothing_else() -> None:
    assert refused(layout(readme=["Hi"])).place == "readme"


@pytest.mark.accepts("L8")
def test_L8_unknown_members_are_ignored() -> None:
    known = layout(steps=[step()], inspect=[inspection()], keys={KEYID: key()})
    unknown = layout(
        future=1,
        steps=[step(future=1)],
        inspect=[inspection(future=1)],
        keys={KEYID: key(keyid_hash_algorithms=["sha256", "sha512"])},
    )
    assert read(unknown) == read(known)


@pytest.mark.accepts("L7")
@pytest.mark.rejects("L6")
def test_a_layout_without_steps_verifies_nothing() -> None:
    assert refused(layout(steps=[])).place == "steps"
    assert read(layout(inspect=[])).inspections == ()


# --- steps ------------------------------------------------------------------------------------


@pytest.mark.accepts("S1", "S2", "S3", "S4", "S5", "S6", "S7")
def test_S_a_step_is_read() -> None:
    (parsed,) = read(layout()).steps
    assert parsed.name == "build"
    assert parsed.threshold == 1
    assert parsed.expected_materials == (Disallow("*"),)
    assert parsed.expected_products == (Create("demo-*.whl"), Disallow("*"))
    assert parsed.pubkeys == (KEYID,)
    assert parsed.expected_command == ("python", "-m", "build")


@pytest.mark.rejects("S1")
@pytest.mark.parametrize("kind", ["inspection", "", None, WITHOUT])
def test_S1_anything_else_is_no_step(kind: JsonValue) -> None:
    assert refused(layout(steps=[step(_type=kind)])).place.startswith("steps[0]")


@pytest.mark.rejects("S2", "I2")
@pytest.mark.parametrize(
    "changes",
    [
        {"steps": [step(), step()]},
        {"inspect": [inspection(), inspection()]},
        {"inspect": [inspection(name="build")]},
    ],
)
def test_S2_I2_names_are_unique_across_steps_and_inspections(
    changes: dict[str, JsonValue],
) -> None:
    assert "same name" in str(refused(layout(**changes)))


@pytest.mark.rejects("S2", "I2", "N3")
@pytest.mark.parametrize("name", ["", "../evil", "a/b", None, 5, WITHOUT])
def test_S2_N3_names_can_be_part_of_file_names(name: JsonValue) -> None:
    refused(layout(steps=[step(name=name)]))
    refused(layout(inspect=[inspection(name=name)]))


@pytest.mark.accepts("S3")
@pytest.mark.parametrize(("value", "threshold"), [(1, 1), (7, 7), (WITHOUT, 1)])
def test_S3_a_threshold_is_an_integer_and_one_unless_said(value: JsonValue, threshold: int) -> None:
    assert read(layout(steps=[step(threshold=value)])).steps[0].threshold == threshold


@pytest.mark.rejects("S3")
@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None, []])
def test_S3_nothing_else_is_a_threshold(value: JsonValue) -> None:
    assert refused(layout(steps=[step(threshold=value)])).place == "steps[0].threshold"


@pytest.mark.accepts("S4", "S5")
@pytest.mark.rejects("S4", "S5")
@pytest.mark.parametrize("side", ["expected_materials", "expected_products"])
def test_S4_S5_rules_are_lists_of_rules(side: str) -> None:
    assert getattr(read(layout(steps=[step(**{side: WITHOUT})])).steps[0], side) == ()
    others: list[JsonValue] = [["ALLOW", "*"], [[["ALLOW", "*"]]], {}, None, [{}], [["ALLOW"]]]
    for bad in others:
        assert refused(layout(steps=[step(**{side: bad})])).place.startswith(f"steps[0].{side}")


@pytest.mark.accepts("S6")
@pytest.mark.rejects("S6")
def test_S6_pubkeys_are_keyids_and_count_once() -> None:
    parsed = read(layout(steps=[step(pubkeys=[OTHER_KEYID, KEYID, OTHER_KEYID])]))
    assert parsed.steps[0].pubkeys == (OTHER_KEYID, KEYID)
    others: list[JsonValue] = [KEYID, [1], {}, None, ["../../.."], ["alice"]]
    for bad in others:
        assert refused(layout(steps=[step(pubkeys=bad)])).place.startswith("steps[0].pubkeys")


@pytest.mark.accepts("S7")
@pytest.mark.rejects("S7")
def test_S7_the_expected_command_is_a_list_of_words() -> None:
    assert read(layout(steps=[step(expected_command=WITHOUT)])).steps[0].expected_command == ()
    others: list[JsonValue] = ["make", [1], {}, None]
    for bad in others:
        refused(layout(steps=[step(expected_command=bad)]))


# --- inspections ------------------------------------------------------------------------------


@pytest.mark.accepts("I1", "I2", "I3")
def test_I1_an_inspection_is_read() -> None:
    parsed = read(layout(inspect=[inspection(expected_products=[["DISALLOW", "*"]])]))
    assert parsed.inspections[0].name == "unpack"
    assert parsed.inspections[0].expected_products == (Disallow("*"),)
    assert parsed.inspections[0].run == ("true",)


@pytest.mark.rejects("I1")
@pytest.mark.parametrize("kind", ["step", "inspect", None, WITHOUT])
def test_I1_anything_else_is_no_inspection(kind: JsonValue) -> None:
    refused(layout(inspect=[inspection(_type=kind)]))


@pytest.mark.rejects("I3")
@pytest.mark.parametrize("run", [[], "true", [1], None, WITHOUT])
def test_I3_an_inspection_runs_a_list_of_words(run: JsonValue) -> None:
    refused(layout(inspect=[inspection(run=run)]))


# --- extensions -------------------------------------------------------------------------------


@pytest.mark.rejects("L8")
@pytest.mark.parametrize(
    "changes",
    [
        {"rootcas": {"x": {}}},
        {"intermediatecas": {"x": {}}},
        {"trustBundles": {"x": {}}},
        {"rootCas": {"x": {}}},
        {"functionaries": {"x": {}}},
        {"steps": [step(cert_constraints=[{"common_name": "*", "ip_addresses": []}])]},
        {"inspect": [inspection(cert_constraints=[{"common_name": "*"}])]},
        {"subjects": [{"subject": ["x"]}]},
        {"steps": [step(expectedMaterials=["DISALLOW *"])]},
        {"steps": [step(expectedProducts=["DISALLOW *"])]},
        {"steps": [step(expectedAttributes=[{"rule": "false", "allowIfNoClaim": True}])]},
        {"steps": [step(expectedAttributes=[{"rule": "false", "warn": True}])]},
        {"steps": [step(expectedAttributes=[{"rule": "false", "warn": 1}])]},
        {"inspect": [inspection(expected_predicates=[{"predicateType": "x"}])]},
        {"inspect": [inspection(predicates=["x"])]},
    ],
)
def test_X1_what_another_verifier_would_enforce_is_refused(changes: dict[str, JsonValue]) -> None:
    with pytest.raises(LayoutFeatureUnsupported):
        read(layout(**changes))


@pytest.mark.parametrize("empty", [None, [], {}])
def test_X1_extensions_that_are_not_used_do_no_harm(empty: JsonValue) -> None:
    plain = read(layout())
    assert read(layout(rootcas=empty, steps=[step(cert_constraints=empty)])) == plain


# --- statements (ITE-10) and conditions (ITE-11) ------------------------------------------------


def expecting(*predicates: JsonValue, **changes: JsonValue) -> dict[str, JsonValue]:
    return layout(
        steps=[
            step(**{"pubkeys": [], "threshold": 1, "expected_predicates": [*predicates], **changes})
        ]
    )


@pytest.mark.parametrize("name", ["expected_predicates", "expectedPredicates"])
@pytest.mark.parametrize("conditions", ["expected_attributes", "expectedAttributes"])
def test_a_step_may_expect_statements(name: str, conditions: str) -> None:
    predicate: dict[str, JsonValue] = {
        "predicateType": "https://example.com/tests/v1",
        "functionaries": [KEYID, OTHER_KEYID, KEYID],
        "threshold": 2,
        conditions: [
            "predicate.passed",
            {"rule": "size(subject) > 0", "debug": "x", "warn": False},
        ],
    }
    listed: dict[str, JsonValue] = {name: [predicate]}
    (found,) = read(layout(steps=[step(pubkeys=[], **listed)])).steps
    assert found.expected_predicates == (
        ExpectedPredicate(
            predicate_type="https://example.com/tests/v1",
            functionaries=(KEYID, OTHER_KEYID),
            threshold=2,
            expected_attributes=("predicate.passed", "size(subject) > 0"),
        ),
    )


def test_links_and_inspections_may_have_conditions_as_well() -> None:
    found = read(
        layout(
            steps=[step(expected_attributes=["true"])],
            inspect=[inspection(expectedAttributes=[{"rule": "1 == 1"}])],
        )
    )
    assert found.steps[0].expected_attributes == ("true",)
    assert found.inspections[0].expected_attributes == ("1 == 1",)


@pytest.mark.parametrize(
    "wrong",
    [
        expecting({"functionaries": [KEYID]}),
        expecting({"predicateType": ""}),
        expecting({"predicateType": 1}),
        expecting({"predicateType": "x", "threshold": 0}),
        expecting({"predicateType": "x", "threshold": True}),
        expecting({"predicateType": "x", "functionaries": KEYID}),
        expecting({"predicateType": "x", "expectedAttributes": [], "expected_attributes": []}),
        expecting({"predicateType": "x", "expectedAttributes": "true"}),
        expecting({"predicateType": "x", "expectedAttributes": [" "]}),
        expecting({"predicateType": "x", "expectedAttributes": [{"warn": False}]}),
        expecting({"predicateType": "x"}, expectedPredicates=[]),
        expecting({"predicateType": "x"}, pubkeys=[KEYID]),
        expecting({"predicateType": "x"}, threshold=2),
        expecting({"predicateType": "x"}, expected_attributes=["true"]),
        expecting({"predicateType": "x"}, cert_constraints=[{"common_name": "*"}]),
        expecting("x"),
        layout(steps=[step(expected_predicates="x")]),
    ],
)
def test_what_a_step_expects_of_statements_is_said_once_and_in_full(
    wrong: dict[str, JsonValue],
) -> None:
    refused(wrong)


def test_J4_predicates_and_conditions_are_bounded() -> None:
    two = expecting(
        {"predicateType": "x", "expected_attributes": ["a", "b"]}, {"predicateType": "y"}
    )
    assert len(read(two).steps[0].expected_predicates) == 2
    for field in ("steps", "attributes"):
        with pytest.raises(MetadataTooLarge):
            parse_layout(Node(two), dataclasses.replace(DEFAULT, **{field: 1}))


# --- sizes ------------------------------------------------------------------------------------


@pytest.mark.accepts("J4")
@pytest.mark.rejects("J4")
@pytest.mark.parametrize(
    ("field", "most", "changes"),
    [
        ("steps", 2, {"steps": [step(name="a"), step(name="b")]}),
        ("keys", 1, {"keys": {KEYID: key(), OTHER_KEYID: key(keyid=OTHER_KEYID)}}),
        ("keys", 1, {"steps": [step(pubkeys=[KEYID, OTHER_KEYID])]}),
        ("rules", 3, {"inspect": [inspection(expected_products=[["ALLOW", "*"]])]}),
    ],
)
def test_J4_layouts_are_bounded(field: str, most: int, changes: dict[str, JsonValue]) -> None:
    limits = dataclasses.replace(DEFAULT, **{field: most})
    assert parse_layout(Node(layout()), limits).steps
    with pytest.raises(MetadataTooLarge):
        parse_layout(Node(layout(**changes)), limits)
