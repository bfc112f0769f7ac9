"""Released packages, with evidence made for them, in an environment that has nothing but pip."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from packaging.utils import parse_wheel_filename

from fixtures.distributions import Built
from fixtures.supply_chain import SupplyChain, write_policy
from tests.integration import environments, interpreters
from tests.integration.locking import made_once

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.environments import Environment
    from tests.integration.loopback import Index

#: Pure, with dependencies, and compiled.
WANTED = ("packaging==25.0", "requests==2.32.3", "markupsafe==3.0.2")

pytestmark = pytest.mark.registry


@pytest.fixture(scope="module")
def released() -> list[Built]:
    """Download the packages and what they depend on, once; skip when that cannot be done."""

    def download(target: Path) -> None:
        target.mkdir()
        result = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"),
                *("--dest", target, *WANTED),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        if result.returncode:
            pytest.skip(f"the registry cannot be reached: {result.stderr.strip()[-300:]}")

    folder = interpreters.CACHE / "released"
    folder.mkdir(parents=True, exist_ok=True)
    name = "-".join([interpreters.own().name, *WANTED])
    files = []
    for path in sorted(made_once(folder / name, download).glob("*.whl")):
        project, version, _, _ = parse_wheel_filename(path.name)
        files.append(
            Built(name=project, version=str(version), filename=path.name, data=path.read_bytes())
        )
    return files


@pytest.fixture
def bare(guard: Environment, tmp_path: Path) -> Environment:
    """Give an environment that holds pip and the gate, and none of our dependencies."""
    made = environments.create(
        tmp_path / "bare", interpreters.own(), interpreters.NEWEST_PIP, armed=False
    )
    return environments.enable(guard, made)


def chains(released: list[Built]) -> list[SupplyChain]:
    return [
        SupplyChain(project=file.name, spelled=file.filename.partition("-")[0]) for file in released
    ]


def test_released_packages_are_installed_verified(
    bare: Environment, released: list[Built], index: Index, tmp_path: Path
) -> None:
    for file, chain in zip(released, chains(released), strict=True):
        index.publish(file, chain)
    policy = write_policy(tmp_path / "policy", chains(released), head='unlisted = "deny"')
    result = bare.pip("install", "packaging", "requests", "markupsafe", index=index, policy=policy)
    assert result.status == 0, result.output
    assert len(bare.installed()) == len(released)
    assert f"{len(released)} verified" in result.output
    script = "import markupsafe._speedups, packaging, requests; print(requests.__version__)"
    assert bare.run([bare.python, "-c", script]).stdout == "2.32.3\n"


def test_one_dependency_without_evidence_blocks_all(
    bare: Environment, released: list[Built], index: Index, tmp_path: Path
) -> None:
    for file, chain in zip(released, chains(released), strict=True):
        if file.name == "idna":
            index.add(file)
        else:
            index.publish(file, chain)
    policy = write_policy(tmp_path / "policy", chains(released), head='unlisted = "deny"')
    result = bare.pip("install", "requests", index=index, policy=policy)
    assert result.status == 1, result.output
    assert bare.added() == frozenset()
    assert "layout-missing" in result.output
    assert "idna" in result.output
