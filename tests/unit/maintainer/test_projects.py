"""What a project's own files say: its backend, its name, and what the backend reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import CommandError
from pip_intoto.maintainer.projects.declared import read_project

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.maintainer.projects.declared import Project

LEGACY = "setuptools.build_meta:__legacy__"


def project(folder: Path, files: dict[str, str], *others: str) -> Project:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return read_project(folder, [*files, *others])


def test_the_backend_and_the_name_are_read(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        {
            "pyproject.toml": '[build-system]\nbuild-backend = "flit_core.buildapi"\n'
            '[project]\nname = "Demo.Pkg"\ndynamic = ["version"]\n'
        },
    )
    assert (found.name, found.backend) == ("Demo.Pkg", "flit_core.buildapi")
    assert found.dynamic == ("version",)
    assert not found.has_entry_points


def test_a_project_that_names_no_backend_has_the_one_of_old(tmp_path: Path) -> None:
    assert project(tmp_path, {"pyproject.toml": '[project]\nname = "demo"\n'}).backend == LEGACY


def test_setup_py_alone_is_a_project(tmp_path: Path) -> None:
    found = project(tmp_path, {"setup.py": "", "setup.cfg": "[metadata]\nname = demo\n"})
    assert (found.name, found.backend) == ("demo", LEGACY)
    assert found.reads == ("setup.cfg", "setup.py")


@pytest.mark.parametrize(
    "config",
    [
        "[metadata]\nname = attr: demo.NAME\n",
        "[metadata]\n",
        "no section\n",
        "[metadata]\nversion = %\n",
    ],
)
def test_a_name_that_only_the_backend_knows_is_left_to_the_wheel(
    tmp_path: Path, config: str
) -> None:
    assert project(tmp_path, {"setup.py": "", "setup.cfg": config}).name == ""


def test_poetry_has_a_place_of_its_own_for_names(tmp_path: Path) -> None:
    text = '[tool.poetry]\nname = "demo"\nreadme = ["one.md", "two.md"]\n'
    found = project(tmp_path, {"pyproject.toml": text}, "one.md", "two.md", "three.md")
    assert found.name == "demo"
    assert found.reads == ("one.md", "pyproject.toml", "two.md")


@pytest.mark.parametrize(
    ("table", "has"),
    [
        ('[project.scripts]\ndemo = "demo:main"\n', True),
        ('[project.entry-points.plugins]\ndemo = "demo"\n', True),
        ('[project]\nname = "demo"\ndynamic = ["gui-scripts"]\n', True),
        ('[project]\nname = "demo"\n', False),
    ],
)
def test_entry_points_are_announced(tmp_path: Path, table: str, has: bool) -> None:
    assert project(tmp_path, {"pyproject.toml": table}).has_entry_points == has


@pytest.mark.parametrize(
    ("table", "names", "read"),
    [
        ('[project]\nreadme = "docs/a.md"\n', ["docs/a.md", "README.md"], ["docs/a.md"]),
        ('[project]\nreadme = {file = "A.md"}\n', ["A.md", "README.md"], ["A.md"]),
        ("[project]\n", ["README.rst", "READ.md"], ["README.rst"]),
        ("[project]\n", ["LICENSE", "LICENCE.txt", "COPYING", "NOTICE", "src/LICENSE"],
         ["COPYING", "LICENCE.txt", "LICENSE", "NOTICE"]),
        ('[project]\nlicense-files = ["legal/*.txt"]\n', ["legal/a.txt", "legal/b/c.txt"],
         ["legal/a.txt"]),
        ('[project]\nlicense-files = ["legal/**"]\n', ["legal/b/c.txt"], ["legal/b/c.txt"]),
        ('[project]\nlicense = {file = "TERMS"}\n', ["TERMS"], ["TERMS"]),
        ('[tool.setuptools.dynamic]\nversion = {file = ["VERSION"]}\n', ["VERSION"], ["VERSION"]),
        ('[tool.hatch.version]\npath = "src/about.py"\n', ["src/about.py", "src/b.py"],
         ["src/about.py"]),
        ('[build-system]\nbuild-backend = "own.hooks:api"\nbackend-path = ["tools"]\n',
         ["tools/own/hooks.py", "tools/other.py", "own/hooks.py"], ["tools/own/hooks.py"]),
        ('[build-system]\nbuild-backend = "own"\nbackend-path = ["."]\n', ["own.py"], ["own.py"]),
        ("", ["MANIFEST.in", "setup.py", "hatch_build.py", "tox.ini"],
         ["MANIFEST.in", "hatch_build.py", "setup.py"]),
    ],
)  # fmt: skip
def test_what_the_backend_reads_is_found(
    tmp_path: Path, table: str, names: list[str], read: list[str]
) -> None:
    found = project(tmp_path, {"pyproject.toml": table}, *names)
    assert [name for name in found.reads if name != "pyproject.toml"] == read


@pytest.mark.parametrize(
    "table", ["project = 1\n", "[project]\nname = 1\ndynamic = 2\n", "[tool]\nhatch = []\n"]
)
def test_tables_of_another_kind_are_left_to_the_backend(tmp_path: Path, table: str) -> None:
    assert project(tmp_path, {"pyproject.toml": table}).name == ""


def test_where_there_is_no_project_nothing_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no Python project") as refused:
        project(tmp_path, {"demo.py": ""})
    assert refused.value.found == "neither"


def test_a_project_that_git_does_not_know_is_told_from_none(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    with pytest.raises(CommandError) as refused:
        read_project(tmp_path, ["README.md"])
    assert "git add" in refused.value.found


def test_a_pyproject_that_is_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"pyproject\.toml is not TOML"):
        project(tmp_path, {"pyproject.toml": "[project\n"})
