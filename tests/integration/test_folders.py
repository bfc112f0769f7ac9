"""Directories and editable installs: there is no file, so the policy alone decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from tests.integration.interpreters import NEWEST_PIP

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.supply_chain import SupplyChain
    from tests.integration.conftest import MakeEnvironment

BACKEND = """\
import base64, os

def build_wheel(directory, config_settings=None, metadata_directory=None):
    with open(os.path.join(directory, {filename!r}), "wb") as file:
        file.write(base64.b64decode({packed!r}))
    return {filename!r}

build_editable = build_wheel
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a source tree of the project `mine`, which no policy lists."""
    import base64

    path = tmp_path / "mine"
    path.mkdir()
    built = wheel("mine")
    (path / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        encoding="utf-8",
    )
    packed = base64.b64encode(built.data).decode("ascii")
    (path / "backend.py").write_text(
        BACKEND.format(filename=built.filename, packed=packed), encoding="utf-8"
    )
    return path


@pytest.mark.parametrize("pip", ["22.3.1", NEWEST_PIP])
@pytest.mark.parametrize("editable", [False, True], ids=["folder", "editable"])
@pytest.mark.parametrize(
    "head", ['unlisted = "allow"', 'unlisted = "warn"', 'mode = "warn"\nunlisted = "deny"']
)
def test_a_folder_is_installed_as_the_policy_says_of_the_unlisted(
    pip: str,
    head: str,
    folder: Path,
    chain: SupplyChain,
    tmp_path: Path,
    make_environment: MakeEnvironment,
    *,
    editable: bool,
) -> None:
    environment = make_environment(pip=pip)
    words = ["install", *(["--editable"] if editable else []), str(folder)]
    result = environment.pip(*words, policy=chain.policy(tmp_path / "policy", head=head))
    assert result.status == 0, result.output
    assert environment.installed() == {"mine-1.0"}
    assert "1 unverifiable" in result.output
