"""Any condition over any document ends soon: with a truth value that is right, or a clear error."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pip_intoto.errors import AttributeMissing, AttributeUnusable, AttributeViolated
from pip_intoto.limits import DEFAULT
from pip_intoto.verification.attributes import check
from tests.properties.thoroughness import tried_on

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue

pytest.importorskip("celpy")

_LIMITS = replace(DEFAULT, condition_steps=5_000, condition_made=20_000)
#: Generous: a busy machine. Without the count, many of these would take until the sun burns out.
_SECONDS = 5

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**19), 10**19),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=40),
)
_DOCUMENTS = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=40),
        st.dictionaries(st.sampled_from(["a", "b", "result", "text"]), inner, max_size=4),
    ),
    max_leaves=60,
)

_LEAVES = st.sampled_from(
    [
        "predicate", "predicate.a", "predicate.b", "predicate.a.b", "predicate['text']", "subject",
        "x", "type", "1", "0", "-1", "2.5", "3u", "9223372036854775807", "true", "false", "null",
        "'a'", "'aaaaaaaaaaaaaaaa'", "b'a'", "[]", "{}", "int", "'(a*)*b'", "'1h'", "r'\\d'",
        "'2026-01-01T00:00:00Z'", "has(predicate.a)", "nope",
    ]
)  # fmt: skip
_OPERATORS = st.sampled_from(
    ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in", "&&", "||"]
)
_FUNCTIONS = st.sampled_from(
    ["size", "string", "int", "uint", "double", "bool", "bytes", "type", "dyn", "timestamp",
     "duration"]
)  # fmt: skip
_METHODS = st.sampled_from(["contains", "startsWith", "endsWith", "matches"])
_MACROS = st.sampled_from(["all", "exists", "exists_one", "map", "filter"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, _OPERATORS, inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(_FUNCTIONS, inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, _METHODS, inner).map(lambda t: f"{t[0]}.{t[1]}({t[2]})"),
        st.tuples(inner, _MACROS, inner).map(lambda t: f"{t[0]}.{t[1]}(x, {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"{t[0]}[{t[1]}]"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"[{t[0]}, {t[1]}]"),
        inner.map(lambda t: f"[{t}].map(x, x + x).map(x, [x] + [x]).map(x, x + x)"),
        inner.map(lambda t: f"!{t}"),
        inner.map(lambda t: f"-{t}"),
    )


_EXPRESSIONS = st.recursive(_LEAVES, _larger, max_leaves=25)


def _judged(expression: str, predicate: JsonValue) -> str:
    started = time.process_time()
    document: dict[str, JsonValue] = {"type": "t", "subject": [], "predicate": predicate}
    try:
        check([expression], document, place="here", limits=_LIMITS)
        outcome = "holds"
    except (AttributeViolated, AttributeMissing, AttributeUnusable) as refused:
        outcome = refused.code
        for said in (refused.message, refused.expected, refused.found, refused.place):
            assert len(said) < 1_000
    assert time.process_time() - started < _SECONDS
    return outcome


@tried_on(150)
@given(_EXPRESSIONS, _DOCUMENTS)
def test_any_expression_over_any_document_ends_with_a_truth_value_or_a_clear_error(
    expression: str, predicate: JsonValue
) -> None:
    # What it costs is counted, and so it ends in the same way every time.
    assert _judged(expression, predicate) == _judged(expression, predicate)


@tried_on(150)
@given(st.text(st.sampled_from("predicate.a()[]{}'\"\\rbux1 0,.:?!&|=<>+-*/%\n#"), max_size=80))
def test_any_text_at_all_is_an_expression_or_none(text: str) -> None:
    assert _judged(text, {"a": 1}) in (
        "holds",
        "attribute-violated",
        "attribute-missing",
        "attribute-unusable",
    )


@tried_on(100)
@given(_EXPRESSIONS, _EXPRESSIONS, _DOCUMENTS)
def test_the_logical_operators_do_not_care_for_order(
    left: str, right: str, predicate: JsonValue
) -> None:
    for operator in ("&&", "||"):
        one = _judged(f"({left}) {operator} ({right})", predicate)
        other = _judged(f"({right}) {operator} ({left})", predicate)
        if "attribute-unusable" not in (one, other) and "attribute-missing" not in (one, other):
            assert one == other


@tried_on(100)
@given(_DOCUMENTS, _DOCUMENTS)
def test_equality_is_that_of_JSON_values(one: JsonValue, other: JsonValue) -> None:
    assert _judged("predicate.a == predicate.a", {"a": one}) == "holds"
    both: dict[str, JsonValue] = {"a": one, "b": other}
    equal = _judged("predicate.a == predicate.b", both)
    unequal = _judged("predicate.a != predicate.b", both)
    assert {equal, unequal} == {"holds", "attribute-violated"}
