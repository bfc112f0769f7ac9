"""Places in TOML text: the lines that errors name and that edits cut."""

from __future__ import annotations

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pip_intoto.policy.places import find_places

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXT = '''# a comment = 1
version = 1 # x
"mo\\"de" = 'enforce'
a.b . c = [1,
 # ] not yet
 "x]", {k = 1, j.l = """
 "" """"} , 2027-03-31 10:00:00 ]
[keys.alice]
public = """
-----BEGIN
[no]
""""
[[project]]
name = "x"
[project.parameters]
V = "1"

[[project]]
[[project.sub]]
z=1
[[project.sub]]
z=2
[keys."b.c"]
x = 1'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("version",), 2),
        (('mo"de',), 3),
        (("a",), 4),
        (("a", "b", "c", 0), 4),
        (("a", "b", "c", 1), 6),
        (("a", "b", "c", 2, "j", "l"), 6),
        (("a", "b", "c", 3), 7),
        (("keys",), 8),
        (("keys", "alice", "public"), 9),
        (("project", 0), 13),
        (("project", 0, "parameters", "V"), 16),
        (("project", 1), 18),
        (("project", 1, "sub", 1, "z"), 22),
        (("keys", "b.c", "x"), 24),
        (("absent",), 1),
        (("keys", "alice", "absent"), 8),
    ],
)
def test_every_value_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    assert find_places(TEXT).line_of(path) == line


def test_the_statements_are_whole_lines_in_order() -> None:
    statements = find_places(TEXT).statements
    assert [TEXT[found.start : found.end].split("\n", maxsplit=1)[0] for found in statements] == [
        "version = 1 # x",
        '"mo\\"de" = \'enforce\'',
        "a.b . c = [1,",
        "[keys.alice]",
        'public = """',
        "[[project]]",
        'name = "x"',
        "[project.parameters]",
        'V = "1"',
        "[[project]]",
        "[[project.sub]]",
        "z=1",
        "[[project.sub]]",
        "z=2",
        '[keys."b.c"]',
        "x = 1",
    ]
    assert statements[-1].end == len(TEXT)


def test_windows_newlines_count_once() -> None:
    places = find_places(TEXT.replace("\n", "\r\n"))
    assert places.line_of(("keys", "b.c", "x")) == 24


# Pieces of TOML that are easily mistaken for others.
_STRINGS = st.sampled_from(
    [
        '"plain"',
        "'lit # eral'",
        '"\\"] # ="',
        '"""\n[x]\n"""',
        "'''\na = 1\n'''",
        '""""""',
        '"\\\\"',
    ]
)
_VALUES = st.recursive(
    st.one_of(_STRINGS, st.sampled_from(["1", "true", "1.5e3", "2027-03-31 10:00:00", "0x1F"])),
    lambda values: st.lists(values, max_size=3).map(lambda all_: "[ " + ", ".join(all_) + " ]"),
    max_leaves=5,
)


@given(st.lists(st.tuples(st.booleans(), _VALUES), max_size=6))
def test_whatever_parses_is_placed(entries: list[tuple[bool, str]]) -> None:
    text = ""
    expected: dict[str, int] = {}
    for number, (commented, value) in enumerate(entries):
        text += "# [not a = table\n" if commented else "\n"
        key = f"k{number}"
        expected[key] = text.count("\n") + 1
        text += f"{key} = {value} # behind\n"
    assert set(tomllib.loads(text)) == set(expected)
    places = find_places(text)
    assert [found.path for found in places.statements] == [(key,) for key in expected]
    assert {key: places.line_of((key,)) for key in expected} == expected


@pytest.mark.parametrize("quotes", ['"', '"""'])
def test_a_string_of_escapes_takes_no_longer_than_another(quotes: str) -> None:
    escapes = '\\"' * 200_000
    began = time.process_time()
    places = find_places(f"a = {quotes}{escapes}{quotes}\nb = 1\n")
    assert places.line_of(("b",)) == 2
    assert time.process_time() - began < 2
