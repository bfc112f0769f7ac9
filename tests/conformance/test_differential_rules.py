"""Patterns and the rules of one step, against `fnmatch` and the reference's rules."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pip_intoto.verification.patterns import compile_pattern
from tests.conformance.differential.amount import share
from tests.conformance.differential.drawing import (
    ITEM,
    NAMES,
    OTHERS,
    ItemCase,
    digest,
    item_cases,
    patterns,
    wild_names,
    wild_patterns,
)
from tests.conformance.differential.items import here, there
from tests.conformance.differential.known_in_rules import RULE_DIFFERENCES, explaining_rules

if TYPE_CHECKING:
    from tests.conformance.differential.known_in_rules import RuleDifference
    from tests.conformance.differential.tally import Tally


@share(20)
@given(patterns | wild_patterns, st.lists(wild_names, max_size=8))
def test_P_a_pattern_matches_what_fnmatch_matches(pattern: str, others: list[str]) -> None:
    compiled = compile_pattern(pattern)
    for name in (*NAMES, *others):
        assert bool(compiled.matches(name)) == fnmatch.fnmatchcase(name, pattern), (pattern, name)
        if compiled.literal is not None:
            assert (compiled.literal == name) == fnmatch.fnmatchcase(name, pattern)
        assert not compiled.everything or fnmatch.fnmatchcase(name, pattern)


def explained(case: ItemCase) -> list[str]:
    """Return which known differences the case could show."""
    sides = [side for report in case.reports.values() for side in report]
    return explaining_rules(
        (each for side in sides for each in side.values()),
        (name for side in sides for name in side),
        case.rules,
    )


@pytest.mark.parametrize("part", range(2))
def test_R_rules_consume_what_the_reference_consumes(part: int, tally: Tally) -> None:
    @share(22)
    @given(item_cases())
    def judge(case: ItemCase) -> None:
        theirs, ours = there(case), here(case)
        if theirs == ours:
            how = "fail at the same rule" if ours.fails_at else "hold"
            tally.count(f"rules: both {how}")
            rules = {type(rule) for side in ours.consumed.values() for rule in side.values()}
            for rule in rules:
                tally.count(f"rules that consumed something: {rule.KEYWORD}")
            return
        why = explained(case)
        assert why, (case, theirs, ours)
        for each in why:
            tally.count(f"rules: known difference, {each}")

    assert part >= 0
    judge()


def _work(
    rules: list[list[str]],
    materials: dict[str, dict[str, str]],
    products: dict[str, dict[str, str]],
    fetched: dict[str, dict[str, str]],
) -> ItemCase:
    reports = {ITEM: (materials, products), OTHERS[0]: ({}, fetched), OTHERS[1]: ({}, {})}
    return ItemCase(reports, [], [*rules, ["DISALLOW", "*"]])


FROM_FETCH = ["WITH", "PRODUCTS", "FROM", "fetch"]
X = digest("x")
BOTH = {**X, "sha512": "ab" * 64}

#: Difference → a case, and whether it holds there and here.
EXAMPLES: dict[str, tuple[ItemCase, bool, bool]] = {
    "no-common-digest": (
        _work([["MATCH", "a", *FROM_FETCH]], {}, {"a": {}}, {"a": {}}),
        True,
        False,
    ),
    "some-common-digests": (
        _work([["MATCH", "a", *FROM_FETCH]], {}, {"a": BOTH}, {"a": X}),
        False,
        True,
    ),
    "backslash-below-prefix": (
        _work([["MATCH", "*", "IN", "src", *FROM_FETCH]], {}, {"src/a\\b": X}, {"a\\b": X}),
        False,
        True,
    ),
    "slash-below-prefix": (
        _work(
            [["MATCH", "*", "IN", "https:", *FROM_FETCH]],
            {},
            {"https://host/a": X},
            {"/host/a": X},
        ),
        False,
        True,
    ),
}


@pytest.mark.parametrize("difference", RULE_DIFFERENCES, ids=lambda each: each.name)
def test_each_known_difference_in_rules_is_one(difference: RuleDifference) -> None:
    case, holds_there, holds_here = EXAMPLES[difference.name]
    assert explained(case) == [difference.name]
    theirs, ours = there(case), here(case)
    assert (not theirs.fails_at, not ours.fails_at) == (holds_there, holds_here)


def test_an_ordinary_step_shows_no_known_difference() -> None:
    case = _work([["MATCH", "*", "IN", "src", *FROM_FETCH]], {}, {"src/a": X}, {"a": X})
    assert explained(case) == []
    assert there(case) == here(case)
