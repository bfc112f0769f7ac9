"""Patterns held against patterns; what is said is held against names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pip_intoto.maintainer.layouts.globs import covers, meets
from pip_intoto.verification.patterns import compile_pattern

PATTERNS = st.text("ab/*?[]!-", max_size=7)
NAMES = st.text("ab/*[]!-", max_size=6)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("*", "demo-*.whl"),
        ("*", ""),
        ("src/*", "src/demo.py"),
        ("src/*", "src/*.py"),
        ("src/*", "src/*/*"),
        ("*.py", "src/*.py"),
        ("demo-*", "demo-?.whl"),
        ("demo[-_]*", "demo-*"),
        ("demo[-_]x", "demo[_-]x"),
        ("[a-z]x", "qx"),
        ("?", "[ab]"),
        ("**", "*"),
        ("[!a]", "b"),
        ("a[", "a["),
    ],
)
def test_a_wide_pattern_takes_all_that_a_narrow_one_could(wide: str, narrow: str) -> None:
    assert covers(wide, narrow)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("demo-*.whl", "*"),
        ("src/*.py", "src/*"),
        ("src", "src/*"),
        ("demo-*", "demo*"),
        ("demo-*", "demo[-_]*"),
        ("[a-c]", "[a-z]"),
        ("[ab]", "?"),
        ("a", "b"),
        ("", "a"),
    ],
)
def test_a_narrow_pattern_does_not(wide: str, narrow: str) -> None:
    assert not covers(wide, narrow)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("demo-1.*", "demo-*.whl"),
        ("*.whl", "demo-*"),
        ("", "*"),
        ("demo[-_]pkg", "demo_pkg"),
        ("[a-z]", "[x]"),
        ("*/x", "wheel/*"),
    ],
)
def test_two_patterns_may_have_a_name_in_common(one: str, other: str) -> None:
    assert meets(one, other)
    assert meets(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("demo-*.whl", "demo-*.zip"),
        ("src/*", "wheel/*"),
        ("a", ""),
        ("[ab]", "c"),
        ("[ab]", "[cd]"),
    ],
)
def test_two_patterns_may_have_none(one: str, other: str) -> None:
    assert not meets(one, other)
    assert not meets(other, one)


@given(PATTERNS, PATTERNS, NAMES)
def test_what_a_covered_pattern_matches_the_other_matches(
    wide: str, narrow: str, name: str
) -> None:
    matched = compile_pattern(narrow).matches(name)
    assert not (covers(wide, narrow) and matched) or compile_pattern(wide).matches(name)


@given(PATTERNS, PATTERNS, NAMES)
def test_what_two_patterns_match_they_have_in_common(one: str, other: str, name: str) -> None:
    both = compile_pattern(one).matches(name) and compile_pattern(other).matches(name)
    assert meets(one, other) or not both


@given(PATTERNS, NAMES)
def test_a_name_is_covered_by_what_matches_it(pattern: str, name: str) -> None:
    if not set(name) & set("*?["):
        assert covers(pattern, name) == bool(compile_pattern(pattern).matches(name))
