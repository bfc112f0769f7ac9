"""Patterns of artifact rules (P1 to P8)."""

from __future__ import annotations

import fnmatch
import time

import pytest

from pip_intoto.verification.patterns import (
    compile_pattern,
    escape,
    literal_start_of_last_segment,
)


def matches(pattern: str, name: str) -> bool:
    return bool(compile_pattern(pattern).matches(name))


@pytest.mark.parametrize(
    ("requirement", "pattern", "name"),
    [
        ("P1", "*", "a/b/.c"),
        ("P1", "a*c", "a/b/c"),
        ("P1", "a?c", "a/c"),
        ("P1", "src/*", "src/.hidden/x"),
        ("P1", "*.whl", "dist/demo.whl"),
        ("P2", "[abc]", "b"),
        ("P2", "[a-z]x", "qx"),
        ("P2", "[!a]", "b"),
        ("P2", "[^a]", "^"),
        ("P2", "[^a]", "a"),
        ("P2", "[[]", "["),
        ("P2", "[]]", "]"),
        ("P3", "[abc", "[abc"),
        ("P3", "a[", "a["),
        ("P4", "README", "README"),
        ("P5", "caf\u00e9", "caf\u00e9"),
        ("P5", "caf?", "caf\u00e9"),
        ("P6", "a\\b", "a\\b"),
        ("P6", "\\*", "\\anything"),
        ("P7", "*", "line\nline"),
        ("P7", "a*b", "a\nb"),
        ("P8", "a*a*a*b", "aaab"),
    ],
)
def test_P_accepts(requirement: str, pattern: str, name: str) -> None:
    assert matches(pattern, name), requirement


@pytest.mark.parametrize(
    ("requirement", "pattern", "name"),
    [
        ("P1", "b", "a/b"),
        ("P1", "a", "ab"),
        ("P1", "a?c", "ac"),
        ("P2", "[abc]", "d"),
        ("P2", "[!a]", "a"),
        ("P2", "[^a]", "b"),
        ("P3", "[c-a]", "b"),
        ("P3", "[abc", "a"),
        ("P4", "readme", "README"),
        ("P4", "*.PY", "a.py"),
        ("P5", "caf\u00e9", "cafe\u0301"),
        ("P6", "a\\*", "a*"),
        ("P6", "a/b", "a\\b"),
        ("P7", "a", "a\n"),
        ("P7", "a?", "ab\n"),
        ("P8", "a*a*a*b", "aaaa"),
    ],
)
def test_P_rejects(requirement: str, pattern: str, name: str) -> None:
    assert not matches(pattern, name), requirement


@pytest.mark.rejects("P8")
def test_P8_hostile_patterns_take_no_time() -> None:
    started = time.process_time()
    assert not matches("a*" * 200 + "b", "a" * 4000)
    assert not matches("*?" * 100 + "[b]", "a" * 4000)
    assert time.process_time() - started < 5


NAMES = ["", "a", "b", "a/b", "src/demo.py", "src", "src/", "*", "[a]", "a\nb", "demo.whl", "]"]
PATTERNS = [
    "*", "a", "src/*", "*.py", "?", "a*", "*b", "[a]", "[!a]", "[[]a]", "**", "*/*", "s?c/*.p[xy]",
    "[]", "[!]", "[a", "*[", "a**", "**b",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_P_quick_forms_agree_with_the_standard_library(pattern: str) -> None:
    assert [matches(pattern, name) for name in NAMES] == [
        fnmatch.fnmatchcase(name, pattern) for name in NAMES
    ]


@pytest.mark.accepts("Q3")
@pytest.mark.rejects("Q3")
@pytest.mark.parametrize("text", ["*", "a[b]c", "[!x]", "what?", "plain", "[", "]", "{*}"])
def test_Q3_an_escaped_text_matches_itself_only(text: str) -> None:
    assert matches(escape(text), text)
    for other in ("a", "abc", "y", "whatX", "anything", ""):
        assert not matches(escape(text), other)


@pytest.mark.parametrize(
    ("pattern", "start"),
    [
        ("dist/demo-1.0*.whl", "demo-1.0"),
        ("demo-*", "demo-"),
        ("*", ""),
        ("*/demo-1.0.whl", "demo-1.0.whl"),
        ("demo-1.0/*", ""),
        ("[/demo-]*", ""),
        ("x[/]demo-*", "x"),
        ("[!/]demo-*", ""),
        ("[]/demo-]*", ""),
        ("[/demo-", "demo-"),
    ],
)
def test_what_the_last_segment_of_a_pattern_begins_with(pattern: str, start: str) -> None:
    assert literal_start_of_last_segment(pattern) == start
