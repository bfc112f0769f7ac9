"""Released packages with commands, compiled modules and programs: their records, and no alarm."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fixtures.supply_chain import SupplyChain
from pip_intoto.environments import find_environment
from pip_intoto.verifier.inventory import Inventory
from tests.integration import interpreters
from tests.integration.locking import made_once

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import MakeEnvironment

#: A command and byte code; libraries; a program in .data/scripts; one in .data/data, and a .pth.
WANTED = ("pygments==2.18.0", "markupsafe==3.0.2", "ninja==1.11.1.3", "setuptools==75.3.0")

pytestmark = pytest.mark.registry


@pytest.fixture(scope="module")
def wheelhouse() -> Path:
    """Download the packages once; skip when that cannot be done."""

    def download(target: Path) -> None:
        target.mkdir()
        result = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"),
                *("--no-deps", "--dest", target, *WANTED),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        if result.returncode:
            pytest.skip(f"the registry cannot be reached: {result.stderr.strip()[-300:]}")

    folder = interpreters.CACHE / "released"
    folder.mkdir(parents=True, exist_ok=True)
    return made_once(folder / "-".join([interpreters.own().name, *WANTED]), download)


@pytest.mark.parametrize(
    "pip",
    [
        interpreters.NEWEST_PIP,
        *(pytest.param(pip, marks=pytest.mark.matrix) for pip in interpreters.PIPS[:-1]),
    ],
)
def test_released_packages_are_what_was_installed(
    make_environment: MakeEnvironment, wheelhouse: Path, tmp_path: Path, pip: str
) -> None:
    environment = make_environment(pip=pip)
    policy = SupplyChain(project="demo").policy(tmp_path / "policy")
    done = environment.pip(
        *("install", "--no-index", "--find-links", wheelhouse, *WANTED), policy=policy
    )
    assert done.status == 0, done.output
    inventory = Inventory(find_environment(str(environment.python)))
    recorded = {project.name: project for project in inventory.projects if project.record}
    assert set(recorded) == {wanted.partition("=")[0] for wanted in WANTED}
    for project in recorded.values():
        path = wheelhouse / project.filename
        for wheel in (None, path):
            files = inventory.check_files(project, wheel)
            assert files.are_intact, (project.name, files)
            assert files.compared > 10
