"""Released projects, from their source archives: `init` writes a chain that fits their wheels.

One each on setuptools (with setup.py alone, and with a version out of git), flit, poetry-core and
hatchling, and one with a compiled extension. Everything is typed as the source says it. Small
projects of our own show what each backend makes of commands, licences and scripts.
"""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from pip_intoto.maintainer.layouts.layout_source import load_source
from tests.integration.maintaining import Desk, altered, members_of
from tests.integration.releases import archive_of, needs_registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Each of these builds a project several times, in environments of its own.
pytestmark = [pytest.mark.registry, pytest.mark.matrix]

#: Project and version; a file of its source that wheels hold; what nothing ties to the source.
PROJECTS = {
    "setuptools, setup.py alone": ("six==1.17.0", "six.py", set()),
    "setuptools, a version out of git": (
        "iniconfig==2.1.0",
        "iniconfig/__init__.py",
        {"iniconfig/_version.py"},
    ),
    "flit": ("tomli==2.2.1", "tomli/_parser.py", set()),
    "poetry-core": ("tomlkit==0.13.3", "tomlkit/api.py", set()),
    "hatchling": ("platformdirs==4.3.8", "platformdirs/unix.py", {"platformdirs/version.py"}),
    "compiled": ("markupsafe==3.0.2", "markupsafe/_native.py", {"markupsafe/_speedups.*.so"}),
}


@pytest.fixture(params=PROJECTS)
def released(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Desk, str, set[str]]:
    """A released project under git, tagged, as its author would have it."""
    needs_registry()
    requirement, member, generated = PROJECTS[request.param]
    desk = Desk(folder=tmp_path, isolated=True)
    unpacked = tmp_path / "unpacked"
    with tarfile.open(archive_of(requirement)) as archive:
        archive.extractall(unpacked, filter="data")
    (top,) = unpacked.iterdir()
    desk.project.rmdir()
    top.rename(desk.project)
    # What source archives have, and repositories do not.
    for left in [desk.project / "PKG-INFO", *desk.project.rglob("*.egg-info/*")]:
        left.unlink()
    desk.commit(tag=f"v{requirement.partition('==')[2]}")
    return desk, member, generated


def test_a_released_project_gets_a_chain_that_accepts_its_wheels_and_no_others(
    released: tuple[Desk, str, set[str]], tmp_path: Path
) -> None:
    desk, member, generated = released
    done = desk.init()
    assert done.status == 0, done.errors
    # What nothing ties to the source is said, all of it.
    untied = {line.rpartition(": ")[2] for line in done.errors.splitlines() if "not tied" in line}
    assert {name for name in untied if not name.endswith(".pyd")} == generated
    source = load_source(desk.project / "supply-chain.toml")
    assert [step.name for step in source.steps] == ["source", "build"]
    desk.sign_layout()
    desk.author()
    # Neither the look at the project nor the metadata leave anything else behind.
    new = {line[3:] for line in desk.git("status", "--porcelain").splitlines()}
    assert new == {"links/", "root.layout", "supply-chain.toml", "wheel-metadata/"}
    wheel = desk.build()
    verdict = desk.verdict(wheel)
    assert verdict.reason == "verified", verdict.summary

    # From here on, the builder's key is in the wrong hands.
    assert member in members_of(wheel)
    (info,) = {name.partition("/")[0] for name in members_of(wheel) if ".dist-info/RECORD" in name}
    evil = b"raise SystemExit('evil')\n"
    for index, (name, change) in enumerate(_changes(member, info, evil).items()):
        other = altered(wheel, tmp_path / f"altered-{index}", change)
        desk.report_build(other)
        verdict = desk.verdict(other)
        assert verdict.reason == "rule-violated", (name, verdict.summary)
        said = f"{verdict.summary} {verdict.found} {verdict.expected}"
        assert name in said
        assert "inspection wheel" in said


def _changes(member: str, info: str, evil: bytes) -> dict[str, Callable[[dict[str, bytes]], None]]:
    def putting(name: str, content: bytes) -> Callable[[dict[str, bytes]], None]:
        return lambda members: members.update({name: content})

    package = member.partition("/")[0].removesuffix(".py")
    data = info.removesuffix(".dist-info") + ".data"
    return {
        member: putting(member, evil),
        f"{info}/METADATA": lambda members: members.update(
            {f"{info}/METADATA": members[f"{info}/METADATA"] + b"Requires-Dist: evil\n"}
        ),
        "evil.pth": putting("evil.pth", b"import evil\n"),
        "evil.dist-info/entry_points.txt": putting(
            "evil.dist-info/entry_points.txt", b"[console_scripts]\npip = evil:main\n"
        ),
        f"{package}/evil.py": putting(f"{package}/evil.py", evil),
        f"{data}/scripts/evil": putting(f"{data}/scripts/evil", evil),
        f"{data}/purelib/evil.dist-info/WHEEL": putting(
            f"{data}/purelib/evil.dist-info/WHEEL", b"Wheel-Version: 1.0\n"
        ),
    }


HEAD = """
[project]
name = "demo"
version = "1.0"
description = "A demonstration"
readme = "README.md"
license = "MIT"
license-files = ["LICENSE"]

[project.scripts]
demo = "demo:main"
"""
BACKENDS = {
    "setuptools>=77": "setuptools.build_meta",
    "flit_core>=3.11,<5": "flit_core.buildapi",
    "poetry-core>=2.2": "poetry.core.masonry.api",
    "hatchling>=1.27": "hatchling.build",
    "pdm-backend>=2.4": "pdm.backend",
}


def table(requirement: str, backend: str) -> str:
    return f'[build-system]\nrequires = ["{requirement}"]\nbuild-backend = "{backend}"\n'


@pytest.mark.parametrize("requirement", BACKENDS)
def test_commands_and_licences_are_tied_with_every_backend(
    tmp_path: Path, requirement: str
) -> None:
    needs_registry()
    desk = Desk(folder=tmp_path, isolated=True)
    desk.write(
        {
            "pyproject.toml": table(requirement, BACKENDS[requirement]) + HEAD,
            "README.md": "Demo\n",
            "LICENSE": "Do what you like.\n",
            "src/demo/__init__.py": "def main() -> None: ...\n",
        }
    )
    desk.commit()
    done = desk.init()
    assert done.status == 0, done.errors
    assert "not tied" not in done.errors
    assert "warning" not in done.errors
    for name in ("METADATA", "entry_points.txt", "licenses/LICENSE"):
        assert f'"MATCH demo-*.dist-info/{name} IN wheel' in desk.source
    desk.sign_layout()
    desk.author()
    wheel = desk.build()
    assert desk.verdict(wheel).reason == "verified"
    name = "demo-1.0.dist-info/entry_points.txt"
    other = altered(
        wheel, tmp_path / "evil", lambda members: members.update({name: b"[console_scripts]\n"})
    )
    desk.report_build(other)
    verdict = desk.verdict(other)
    assert verdict.reason == "rule-violated"
    assert name in verdict.summary


def test_scripts_that_setuptools_rewrites_are_refused_and_others_are_tied(tmp_path: Path) -> None:
    needs_registry()
    desk = Desk(folder=tmp_path, isolated=True)
    desk.write(
        {
            "pyproject.toml": table("setuptools>=77", "setuptools.build_meta"),
            "setup.py": "from setuptools import setup\n"
            "setup(name='demo', version='1.0', py_modules=['demo'],\n"
            "      scripts=['bin/shell', 'bin/snake'])\n",
            "demo.py": "",
            "bin/shell": "#!/bin/sh\n",
            "bin/snake": "#!/usr/bin/env python3\n",
        }
    )
    desk.commit()
    done = desk.init()
    assert done.status == 0, done.errors
    assert "demo-*.data/scripts/snake equals no source file" in done.errors
    assert '"MATCH shell IN wheel/demo-1.0.data/scripts WITH PRODUCTS IN bin' in desk.source
    desk.sign_layout()
    desk.author()
    verdict = desk.verdict(desk.build())
    assert verdict.reason == "rule-violated"
    assert "demo-1.0.data/scripts/snake" in verdict.summary
