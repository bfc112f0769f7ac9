"""The page on recording steps can be followed."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.pages import commands
from tests.integration.programs import programs, variables
from tests.unit.maintainer.repositories import Repository, write

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "docs/how-to/record-steps.md"
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """\
import zipfile

WHEEL = "demo-1.0-py3-none-any.whl"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{folder}/{WHEEL}", "w") as archive:
        archive.write("src/demo.py", "demo.py")
        about = {
            "METADATA": "Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n",
            "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
            "RECORD": "",
        }
        for name, text in about.items():
            archive.writestr(f"demo-1.0.dist-info/{name}", text)
    return WHEEL
"""
TEST = "import unittest\n\nclass Demo(unittest.TestCase):\n    def test(self): pass\n"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the page is typed in a shell")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A project in git, and programs by their names."""
    folder = tmp_path / "work"
    write(folder / "pyproject.toml", PROJECT)
    write(folder / "backend.py", BACKEND)
    write(folder / "tests" / "test_demo.py", TEST)
    write(folder / "src" / "demo.py", "VERSION = 1\n")
    Repository(folder).track()
    programs(tmp_path / "bin")
    return folder


def types(work: Path, command: str) -> str:
    """Type one command, which must succeed; give what it said."""
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=work,
        env={**variables(work.parent / "bin"), "GIT_CONFIG_GLOBAL": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
    return done.stdout


def link(work: Path, step: str) -> dict[str, Any]:
    (path,) = (work / "links").glob(f"{step}.*.link")
    signed: dict[str, Any] = json.loads(path.read_bytes())["signed"]
    return signed


def test_every_command_of_the_page_can_be_typed(work: Path) -> None:
    # What stands below the last command is what it says.
    typed = list(commands(PAGE))
    said = [types(work, command.partition("\nall ")[0]) for command in typed]
    assert said[-1].startswith("all 1 files are products of links/build.")
    assert typed[-1].partition("\n")[2].split("build.")[0] == said[-1].split("build.")[0]
    tested, edited, built = (link(work, step) for step in ("test", "edit", "build"))
    assert sorted(tested["materials"]) == ["src/demo.py", "tests/test_demo.py"]
    assert tested["byproducts"]["return-value"] == 0
    assert edited["materials"] == tested["products"] != edited["products"]
    assert built["materials"] == edited["products"]
    assert list(built["products"]) == ["demo-1.0-py3-none-any.whl"]
    assert list(link(work, "review")["materials"]) == ["work/src/demo.py"]
