"""N1, N3, P9: names that can be compared, and names that can become file names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import MetadataMalformed
from pip_intoto.metadata.names import (
    abnormal_artifact_name,
    check_step_name,
    is_normal_artifact_name,
    link_filename,
)
from pip_intoto.metadata.node import Node

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue

NORMAL = [
    "foo.py",
    "src/demo/__init__.py",
    ".hidden",
    "..data",
    "a...b/c..",
    "with space",
    "new\nline",
    "ünïcode/☃",
    "back\\slash",
    "pkg:pypi/demo@1.0",
    "git+https://example.org/demo",
    "dir:src/",
    "file:///srv/x",
    "https://example.org//double",
]
ABNORMAL = [
    "",
    ".",
    "..",
    "/",
    "/etc/passwd",
    "./foo",
    "../foo",
    "dir/../foo",
    "dir/./foo",
    "dir//foo",
    "dir/",
    "dir/..",
    "dir/.",
    "dir\\..\\foo",
    "..\\foo",
    "\\\\server\\share",
    "a\\",
    "C:\\foo",
    "c:/foo",
    "c:foo",
    "nul\x00",
    "pkg:pypi/../demo",
    "https://example.org/./x",
]


@pytest.mark.accepts("P9")
@pytest.mark.parametrize("name", NORMAL)
def test_P9_the_only_spelling_of_a_path_is_normal(name: str) -> None:
    assert is_normal_artifact_name(name)
    assert abnormal_artifact_name(["x", name, "y"], longest=100) is None


@pytest.mark.rejects("P9")
@pytest.mark.parametrize("name", ABNORMAL)
def test_P9_a_second_spelling_is_not(name: str) -> None:
    assert not is_normal_artifact_name(name)
    assert abnormal_artifact_name(["x", name, "y"], longest=100) == name
    assert abnormal_artifact_name([name], longest=100) == name


@pytest.mark.accepts("P9")
@pytest.mark.rejects("P9")
def test_P9_names_have_a_greatest_length() -> None:
    assert abnormal_artifact_name([], longest=3) is None
    assert abnormal_artifact_name(["abc", "b"], longest=3) is None
    assert abnormal_artifact_name(["abc", "abcd", "b"], longest=3) == "abcd"
    assert abnormal_artifact_name(["abc", "pkg:x", "b"], longest=3) == "pkg:x"


@pytest.mark.accepts("N3")
@pytest.mark.parametrize(
    "name", ["build", "re build_1.0+b2", "..a", "ünïcode", "build:wheel", "x" * 200]
)
def test_N3_a_name_that_can_be_part_of_a_file_name(name: str) -> None:
    assert check_step_name(Node(name)) == name


@pytest.mark.rejects("N3")
@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../evil",
        "a/b",
        "a\\b",
        "/a",
        "C:evil",
        "c:",
        "a\x00",
        "a\nb",
        "\x1b[2J",
        "x" * 201,
        None,
        5,
        [],
    ],
)
def test_N3_a_name_that_leaves_the_directory_of_the_links(name: JsonValue) -> None:
    with pytest.raises(MetadataMalformed):
        check_step_name(Node(name))


@pytest.mark.accepts("N1")
def test_N1_a_link_is_filed_under_the_first_eight_characters_of_the_keyid() -> None:
    assert link_filename("build", "776a00e29f3559e0") == "build.776a00e2.link"
