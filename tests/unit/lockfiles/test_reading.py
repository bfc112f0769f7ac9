"""Which file is a lock, and of which format."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from pip_intoto.errors import CommandError
from pip_intoto.lockfiles.reading import READERS, is_lockfile, read_lock, reader_for
from pip_intoto.lockfiles.trees import Disk

if TYPE_CHECKING:
    from pip_intoto.lockfiles.locked import Reader

NAMES = {
    "pylock.toml": "pylock",
    "pylock.dev.toml": "pylock",
    "uv.lock": "uv",
    "poetry.lock": "poetry",
    "pdm.lock": "pdm",
    "Pipfile.lock": "pipfile",
    "requirements.txt": "requirements",
    "constraints.txt": "requirements",
    "requirements-dev.in": "requirements",
}
OTHERS = ("pyproject.toml", "uv.toml", "Pipfile", "demo-1.0.tar.gz", "poetry.lock.bak", "pylock")


@pytest.mark.parametrize("name", NAMES)
def test_a_lockfile_is_known_by_its_name(name: str) -> None:
    assert is_lockfile(Path("anywhere") / name)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_called_otherwise_is_no_lockfile(name: str) -> None:
    assert not is_lockfile(Path(name))
    with pytest.raises(CommandError, match="not called as a lockfile"):
        read_lock(Path(name), Disk(), None)


@pytest.mark.parametrize("module", [module for _, module in READERS])
def test_the_table_and_the_readers_agree(module: str) -> None:
    reader = cast("Reader", import_module(f"pip_intoto.lockfiles.{module}"))
    mine = [name for name, owner in NAMES.items() if owner == module]
    assert mine
    assert [name for name in (*NAMES, *OTHERS) if reader_for(name) == module] == mine
    assert reader.FORMAT
