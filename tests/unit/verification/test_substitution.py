"""Parameter substitution (Q1 to Q4)."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import LayoutFeatureUnsupported
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.layout import parse_layout
from pip_intoto.metadata.node import Node
from pip_intoto.verification.patterns import compile_pattern
from pip_intoto.verification.substitution import substitute
from tests.unit.verification import supply
from tests.unit.verification.supply import build_step, tag_step

if TYPE_CHECKING:
    from pip_intoto.metadata.layout import Layout
    from pip_intoto.metadata.strict_json import JsonValue


def parsed(*steps: object, inspections: object = ()) -> Layout:
    value = supply.layout(*steps, inspections=inspections)  # type: ignore[arg-type]
    return parse_layout(Node(value), DEFAULT)


def match(pattern: str, source: str, destination: str, step: str) -> list[JsonValue]:
    """Write the longest form of MATCH."""
    return ["MATCH", pattern, "IN", source, "WITH", "PRODUCTS", "IN", destination, "FROM", step]


@pytest.mark.accepts("Q1")
def test_Q1_rules_commands_and_runs_are_filled_in() -> None:
    inspection = {
        "_type": "inspection",
        "name": "unpack",
        "run": ["unzip", "demo-{VERSION}.whl"],
        "expected_materials": [["REQUIRE", "demo-{VERSION}.whl"]],
        "expected_products": [],
    }
    layout = parsed(
        build_step(
            expected_materials=[["MATCH", "{N}", "IN", "{P}", "WITH", "PRODUCTS", "IN", "{P}/x",
                                 "FROM", "{S}"]],
            expected_products=[["CREATE", "demo-{VERSION}*"]],
            expected_command=["build", "{VERSION}"],
        ),
        inspections=[inspection],
    )  # fmt: skip
    filled = substitute(layout, {"VERSION": "1.0", "N": "n", "P": "p", "S": "build"})
    step = filled.steps[0]
    assert [str(rule) for rule in step.expected_materials] == [
        "MATCH n IN p WITH PRODUCTS IN p/x FROM build"
    ]
    assert [str(rule) for rule in step.expected_products] == ["CREATE demo-1.0*"]
    assert step.expected_command == ("build", "1.0")
    assert filled.inspections[0].run == ("unzip", "demo-1.0.whl")
    assert [str(rule) for rule in filled.inspections[0].expected_materials] == [
        "REQUIRE demo-1.0.whl"
    ]


@pytest.mark.accepts("Q1")
def test_Q1_a_layout_without_parameters_is_left_alone() -> None:
    layout = parsed(build_step(expected_command=["echo", "${HOME}"]))
    assert substitute(layout, {}) == layout


@pytest.mark.rejects("Q1")
def test_Q1_nothing_but_rules_and_commands_is_filled_in() -> None:
    layout = parsed(build_step(name="build-{V}"), inspections=[
        authoring.inspection("look-{V}", run=["true"])])  # fmt: skip
    filled = substitute(replace(layout, readme="{V}"), {"V": "1"})
    assert filled.steps[0].name == "build-{V}"
    assert filled.inspections[0].name == "look-{V}"
    assert filled.readme == "{V}"
    assert filled.steps[0].pubkeys == layout.steps[0].pubkeys


@pytest.mark.rejects("Q2")
@pytest.mark.parametrize("text", ["{V }", "{\u00e9}", "{V.x}", "{\u0661}", "{V\n}", "{{V}"])
def test_Q2_other_names_are_no_parameters(text: str) -> None:
    layout = parsed(build_step(expected_products=[["REQUIRE", text]]))
    others = ("V ", "\u00e9", "V.x", "\u0661", "V\n", "{V")
    values = {**dict.fromkeys(others, "SECRET"), "V": "1"}
    found = substitute(layout, values).steps[0].expected_products[0].words[1]
    assert found == text.replace("{V}", "1")


@pytest.mark.rejects("Q2")
def test_Q2_a_parameter_without_a_value_is_an_error_that_names_it() -> None:
    layout = parsed(tag_step(), build_step(expected_products=[["CREATE", "demo-{VERSION}*"]]))
    with pytest.raises(LayoutFeatureUnsupported) as caught:
        substitute(layout, {"VERSIO": "1"})
    assert "{VERSION}" in caught.value.message
    assert caught.value.place == "steps[1].expected_products[0]"
    with pytest.raises(LayoutFeatureUnsupported):
        substitute(layout, {})


@pytest.mark.rejects("Q2")
@pytest.mark.parametrize(
    ("member", "value", "place"),
    [
        ("expected_products", [["REQUIRE", "{X}"]], "expected_products[0]"),
        ("expected_products", [["ALLOW", "a"], ["DISALLOW", "{X}*"]], "expected_products[1]"),
        ("expected_materials", [match("{X}", "a", "b", "c")], "expected_materials[0]"),
        ("expected_materials", [match("*", "{X}", "b", "c")], "expected_materials[0]"),
        ("expected_materials", [match("*", "a", "{X}", "c")], "expected_materials[0]"),
        ("expected_materials", [match("*", "a", "b", "{X}")], "expected_materials[0]"),
        ("expected_command", ["make", "{X}"], "expected_command[1]"),
    ],
)
def test_Q2_a_value_is_missed_wherever_it_is_due(member: str, value: JsonValue, place: str) -> None:
    with pytest.raises(LayoutFeatureUnsupported) as caught:
        substitute(parsed(build_step(**{member: value})), {"V": "1"})
    assert caught.value.place == f"steps[0].{place}"


@pytest.mark.rejects("Q2")
def test_Q2_a_value_is_missed_in_the_command_of_an_inspection() -> None:
    layout = parsed(build_step(), inspections=[authoring.inspection("look", run=["sh", "{X}"])])
    with pytest.raises(LayoutFeatureUnsupported) as caught:
        substitute(layout, {"V": "1"})
    assert caught.value.place == "inspect[0].run[1]"


@pytest.mark.accepts("Q2")
@pytest.mark.parametrize("name", ["VERSION", "version-1", "a_b", "9"])
def test_Q2_names_that_are_parameters(name: str) -> None:
    layout = parsed(build_step(expected_products=[["CREATE", f"x{{{name}}}"]]))
    assert substitute(layout, {name: "y"}).steps[0].expected_products[0].words[1] == "xy"


@pytest.mark.rejects("Q4")
@pytest.mark.parametrize("text", ["{}", "{a b}", "{a.b}", "{a[0]}", "{0!r}", "{a:>9}", "{"])
def test_Q4_nothing_else_is_a_parameter(text: str) -> None:
    layout = parsed(build_step(expected_products=[["CREATE", text]]))
    filled = substitute(layout, {"a": "SECRET", "0": "SECRET"})
    assert filled.steps[0].expected_products[0].words[1] == text


@pytest.mark.accepts("Q3")
@pytest.mark.rejects("Q3")
def test_Q3_a_value_cannot_widen_a_rule() -> None:
    layout = parsed(build_step(expected_products=[["CREATE", "demo-{V}.whl"], ["REQUIRE", "{V}"]]))
    rules = substitute(layout, {"V": "*"}).steps[0].expected_products
    assert not compile_pattern(rules[0].words[1]).matches("demo-evil.whl")
    assert compile_pattern(rules[0].words[1]).matches("demo-*.whl")
    assert rules[1].words[1] == "*", "a name is no pattern, and needs no escape"


@pytest.mark.accepts("Q3")
@pytest.mark.parametrize("value", ["*", "?", "[a-z]", "[", "]", "!", "a*b", "\\", "..", "1.0+x"])
def test_Q3_a_value_stands_for_itself_in_every_pattern(value: str) -> None:
    patterns = [[word, "x{V}"] for word in ("CREATE", "DELETE", "MODIFY", "ALLOW", "DISALLOW")]
    patterns.append(["MATCH", "x{V}", "WITH", "PRODUCTS", "FROM", "tag"])
    layout = parsed(tag_step(), build_step(expected_products=patterns))
    for rule in substitute(layout, {"V": value}).steps[1].expected_products:
        pattern = compile_pattern(rule.words[1])
        assert pattern.matches(f"x{value}")
        assert [name for name in ("x", "xa", "xy", "xab", "xa-b") if pattern.matches(name)] == []


@pytest.mark.accepts("Q3")
def test_Q3_a_value_is_raw_where_there_is_no_pattern() -> None:
    rules = [match("*", "s{V}", "d{V}", "build{V}"), ["REQUIRE", "{V}"]]
    layout = parsed(
        build_step(expected_materials=rules, expected_command=["a", "{V}"]),
        inspections=[authoring.inspection("look", run=["sh", "{V}"])],
    )
    filled = substitute(layout, {"V": "[*]?"})
    step = filled.steps[0]
    assert [rule.words for rule in step.expected_materials] == [
        ("MATCH", "*", "IN", "s[*]?", "WITH", "PRODUCTS", "IN", "d[*]?", "FROM", "build[*]?"),
        ("REQUIRE", "[*]?"),
    ]
    assert step.expected_command == ("a", "[*]?")
    assert filled.inspections[0].run == ("sh", "[*]?")


@pytest.mark.rejects("Q3")
@pytest.mark.parametrize("pattern", ["[{V}]*", "[!{V}]", "x[a{V}", "[]{V}]", "[[]{V}[{V}"])
def test_Q3_a_value_in_brackets_would_be_a_set(pattern: str) -> None:
    # "a-z" between brackets is every letter, however it is escaped.
    layout = parsed(build_step(expected_products=[["CREATE", pattern]]))
    with pytest.raises(LayoutFeatureUnsupported) as caught:
        substitute(layout, {"V": "a-z"})
    assert caught.value.place == "steps[0].expected_products[0]"
    assert "[" in caught.value.found


def test_Q3_many_parameters_in_one_pattern_take_no_time() -> None:
    step = build_step(expected_products=[["CREATE", "{v}[a]" * 680]])
    described = parsed(*[step | {"name": f"build {number}"} for number in range(50)])
    begun = time.process_time()
    replaced = substitute(described, {"v": "1"})
    assert time.process_time() - begun < 1
    assert str(replaced.steps[0].expected_products[0]) == "CREATE " + "1[a]" * 680


@pytest.mark.accepts("Q3")
@pytest.mark.parametrize("pattern", ["[ab]{V}", "[[]{V}]", "{V}[a"])
def test_Q3_a_value_beside_brackets_is_itself(pattern: str) -> None:
    layout = parsed(build_step(expected_products=[["CREATE", pattern]]))
    rule = substitute(layout, {"V": "a-z"}).steps[0].expected_products[0]
    assert compile_pattern(rule.words[1]).matches(
        {"[ab]{V}": "ba-z", "[[]{V}]": "[a-z]", "{V}[a": "a-z[a"}[pattern]
    )


@pytest.mark.rejects("Q3")
def test_Q3_a_value_is_not_looked_at_again() -> None:
    layout = parsed(build_step(expected_products=[["CREATE", "{A}"]]))
    rules = substitute(layout, {"A": "{B}", "B": "x"}).steps[0].expected_products
    assert rules[0].words[1] == "{B}"


@pytest.mark.accepts("Q4")
def test_Q4_a_parameter_stands_beside_what_is_none() -> None:
    layout = parsed(build_step(expected_products=[["CREATE", "{a}{a.b}{}"]]))
    assert substitute(layout, {"a": "x"}).steps[0].expected_products[0].words[1] == "x{a.b}{}"
