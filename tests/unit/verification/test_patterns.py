"""Patterns of artifact rules (P1 to P8)."""

from __future__ import annotations

import fnmatch
import ntpath
import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pip_intoto.errors import LayoutFeatureUnsupported
from pip_intoto.verification.patterns import (
    compile_pattern,
    escape,
    in_brackets,
    literal_start_of_last_segment,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def matches(pattern: str, name: str) -> bool:
    return bool(compile_pattern(pattern).matches(name))


@pytest.mark.accepts("P1")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*", "a/b/.c"),
        ("a*c", "a/b/c"),
        ("a?c", "a/c"),
        ("src/*", "src/.hidden/x"),
        ("*.whl", "dist/demo.whl"),
        ("?", "."),
        ("*", ""),
    ],
)
def test_P1_stars_and_question_marks_cross_slashes_and_match_dots(pattern: str, name: str) -> None:
    assert matches(pattern, name)


@pytest.mark.rejects("P1")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("b", "a/b"),
        ("a", "ab"),
        ("a?c", "ac"),
        ("b*", "a/b"),
        ("*a", "a/b"),
        ("?", ""),
        ("[a]", "aa"),
    ],
)
def test_P1_a_pattern_is_about_the_whole_name(pattern: str, name: str) -> None:
    assert not matches(pattern, name)


@pytest.mark.accepts("P2")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("[abc]", "b"),
        ("[a-z]x", "qx"),
        ("[!a]", "b"),
        ("[!a]", "/"),
        ("[^a]", "^"),
        ("[^a]", "a"),
        ("[!^]", "a"),
        ("[[]", "["),
        ("[]]", "]"),
        ("[!]]", "a"),
        ("[a-]", "-"),
        ("[[]a]", "[a]"),
        ("[a&&b]", "&"),
    ],
)
def test_P2_sets_ranges_and_their_opposite(pattern: str, name: str) -> None:
    assert matches(pattern, name)


@pytest.mark.rejects("P2")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("[abc]", "d"),
        ("[a-z]", "Q"),
        ("[!a]", "a"),
        ("[^a]", "b"),
        ("[^a]", "x"),
        ("[!^]", "^"),
        ("[!]]", "]"),
        ("[a-c]", "-"),
        ("[[]a]", "a"),
    ],
)
def test_P2_what_is_not_in_the_set(pattern: str, name: str) -> None:
    assert not matches(pattern, name)


@pytest.mark.accepts("P3")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("[abc", "[abc"),
        ("a[", "a["),
        ("[", "["),
        ("[!", "[!"),
        ("[]", "[]"),
        ("[!]", "[!]"),
        ("[a*", "[ab"),
        ("[!c-a]", "x"),
    ],
)
def test_P3_an_unclosed_bracket_is_literal(pattern: str, name: str) -> None:
    assert matches(pattern, name)


@pytest.mark.rejects("P3")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("[abc", "a"),
        ("[]", "]"),
        ("[a", "a"),
        ("[c-a]", "b"),
        ("[c-a]", "c"),
        ("[c-a]", "a"),
        ("[c-a]", ""),
    ],
)
def test_P3_an_unclosed_bracket_is_no_set_and_an_empty_range_has_nothing(
    pattern: str, name: str
) -> None:
    assert not matches(pattern, name)


@pytest.mark.accepts("P4")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [("README", "README"), ("*.PY", "a.PY"), ("[A-Z]", "Q")],
)
def test_P4_case_as_written(pattern: str, name: str) -> None:
    assert matches(pattern, name)


@pytest.mark.rejects("P4")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("readme", "README"),
        ("*.PY", "a.py"),
        ("[a-z]", "Q"),
        ("A*", "a"),
        ("*A", "a"),
        ("?\u00c9", "x\u00e9"),
    ],
)
def test_P4_another_case_is_another_name(pattern: str, name: str) -> None:
    assert not matches(pattern, name)


@pytest.mark.accepts("P5")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("caf\u00e9", "caf\u00e9"),
        ("caf?", "caf\u00e9"),
        ("caf??", "cafe\u0301"),
        ("?", "\U0001f40d"),
        ("[\u00e0-\u00ff]", "\u00e9"),
    ],
)
def test_P5_code_points(pattern: str, name: str) -> None:
    assert matches(pattern, name)


@pytest.mark.rejects("P5")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("caf\u00e9", "cafe\u0301"),
        ("cafe\u0301*", "caf\u00e9"),
        ("caf?", "cafe\u0301"),
        ("\ufb01", "fi"),
        ("[\u00e9]", "e\u0301"),
    ],
)
def test_P5_nothing_is_normalised(pattern: str, name: str) -> None:
    assert not matches(pattern, name)


@pytest.mark.accepts("P6")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [("a\\b", "a\\b"), ("\\*", "\\anything"), ("[\\]", "\\"), ("[a\\]", "\\")],
)
def test_P6_a_backslash_is_a_backslash(pattern: str, name: str) -> None:
    assert matches(pattern, name)


@pytest.mark.rejects("P6")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("a\\*", "a*"),
        ("\\*", "*"),
        ("a/b", "a\\b"),
        ("a\\b", "a/b"),
        ("a\\b", "ab"),
        ("\\[a]", "[a]"),
    ],
)
def test_P6_a_backslash_escapes_nothing_and_is_no_slash(pattern: str, name: str) -> None:
    assert not matches(pattern, name)


@pytest.mark.accepts("P7")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [("*", "line\nline"), ("a*b", "a\nb"), ("a?b", "a\nb"), ("*b", "a\nb"), ("a\n", "a\n")],
)
def test_P7_a_star_matches_newlines(pattern: str, name: str) -> None:
    assert matches(pattern, name)


@pytest.mark.rejects("P7")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [("a", "a\n"), ("a?", "ab\n"), ("[a]", "a\n"), ("*a", "a\n"), ("a*b", "ab\n")],
)
def test_P7_a_newline_at_the_end_counts(pattern: str, name: str) -> None:
    assert not matches(pattern, name)


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if names were those of Windows, for all that asks the operating system."""
    monkeypatch.setattr(os.path, "normcase", ntpath.normcase)
    compile_pattern.cache_clear()
    yield
    compile_pattern.cache_clear()


@pytest.mark.rejects("P4", "P6")
@pytest.mark.usefixtures("on_windows")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [("README*", "readme.md"), ("src/*", "src\\a"), ("src\\?", "src/a"), ("[A]", "a")],
)
def test_P4_windows_has_no_say(pattern: str, name: str) -> None:
    assert fnmatch.fnmatch(name, pattern), "the standard library would ask the system"
    assert not matches(pattern, name)


@pytest.mark.accepts("P4")
@pytest.mark.usefixtures("on_windows")
def test_P4_names_are_the_same_on_windows() -> None:
    assert matches("SRC/*.PY", "SRC/a.PY")
    assert matches("?\\b", "a\\b")


@pytest.mark.rejects("P3")
def test_P3_what_an_old_python_cannot_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # Before 3.10.6, `[c-a]` was translated into an expression that does not compile.
    monkeypatch.setattr(fnmatch, "translate", lambda text: text)
    with pytest.raises(LayoutFeatureUnsupported):
        compile_pattern("[z-y]old")


@pytest.mark.accepts("P8")
def test_P8_many_stars_still_match() -> None:
    assert matches("a*a*a*b", "aaab")
    assert matches("a*" * 100 + "b", "a" * 2000 + "b")


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


@pytest.mark.accepts("P1", "P2", "P3")
@given(st.text("ab/*?[]!^-\\\n&|~", max_size=8), st.text("ab/[]!^-\\\n&c", max_size=6))
def test_P_any_pattern_agrees_with_the_standard_library(pattern: str, name: str) -> None:
    assert matches(pattern, name) == fnmatch.fnmatchcase(name, pattern)


@pytest.mark.parametrize("pattern", ["[x]", "[!x]", "[]x]", "[[x]", "a[x", "[x", "[a][x]"])
def test_what_lies_between_brackets(pattern: str) -> None:
    assert pattern.index("x") in in_brackets(pattern)


@pytest.mark.parametrize("pattern", ["x", "x[a]", "x[a", "[a]x", "[[]x", "[[]x]", "[]]x", "]x"])
def test_what_does_not(pattern: str) -> None:
    assert pattern.index("x") not in in_brackets(pattern)


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
