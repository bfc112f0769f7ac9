"""What is not recorded: the patterns mean what they mean to in-toto-run."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from pip_intoto.errors import CommandError
from pip_intoto.maintainer.steps.exclusion import Exclusion

_PIECES = ["a", "b", "*", "**", "?", "/", "[ab]", "[!a]", "[]a]", "[^b]", "[a-c]", ".", "\\*", "!"]
patterns = st.lists(st.sampled_from([*_PIECES, "/", "#", " ", "~", "\\a"]), min_size=1, max_size=6)
segments = st.text("abc.*!#]~\n", min_size=1, max_size=3)
paths = st.lists(segments, min_size=1, max_size=4).map("/".join)


def reference(lines: list[str], path: str) -> bool:
    with warnings.catch_warnings():
        # in-toto asks for the patterns under a name that is no longer liked.
        warnings.simplefilter("ignore", DeprecationWarning)
        return bool(GitIgnoreSpec.from_lines("gitwildmatch", lines).match_file(path))


@given(st.lists(patterns.map("".join), max_size=3), paths)
def test_patterns_mean_what_they_mean_to_the_reference(lines: list[str], path: str) -> None:
    try:
        exclusion = Exclusion(lines)
    except CommandError:
        assume(False)  # noqa: FBT003
    # There, no part of a pattern fits a line end.
    assume("\n" not in path and not path.startswith("./"))
    assert exclusion(path) == reference(lines, path)


@pytest.mark.parametrize(
    "path",
    [
        "build.1234abcd.link",
        ".build.1234abcd.link-unfinished",
        "links/build.1234abcd.link",
        ".git",
        ".git/hooks/pre-commit",
        "sub/.git",
        "a.pyc",
        "__pycache__/a.cpython-311.pyc",
        "a.py~",
    ],
)
def test_what_is_left_out_unless_somebody_says_otherwise(path: str) -> None:
    assert Exclusion()(path)


@pytest.mark.parametrize("path", ["a.py", "links", ".github/a.yml", ".gitignore", "pyc", "git"])
def test_what_looks_nearly_like_it_is_recorded(path: str) -> None:
    assert not Exclusion()(path)


def test_without_patterns_nothing_is_left_out() -> None:
    assert not Exclusion([])("a.pyc")
    assert not Exclusion(["", "# a comment", "/", "  "])("a.pyc")


def test_a_pattern_may_take_back_what_another_leaves_out() -> None:
    exclusion = Exclusion(["*.txt", "!keep.txt"])
    assert exclusion("a.txt")
    assert not exclusion("folder/keep.txt")


def test_names_with_line_ends_are_names_like_others() -> None:
    exclusion = Exclusion(["*.pyc", "build/"])
    assert exclusion("a\nb.pyc")
    assert exclusion("a\nb/build/x")
    assert not exclusion("a.pyc\n")


@pytest.mark.parametrize("pattern", ["[a", "a//b", "a\\", "[b-a]", "//"])
def test_a_pattern_that_cannot_be_read_is_an_error(pattern: str) -> None:
    with pytest.raises(CommandError, match="cannot be read") as caught:
        Exclusion(["*.pyc", pattern])
    assert repr(pattern) in caught.value.found
