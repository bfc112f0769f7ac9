"""The tools of today write locks that come to the same distributions as the ones that are kept."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from fixtures import locks
from tests.integration.releases import environment_with, needs_registry
from tests.unit.lockfiles.real import FORKED, TOOLS, contents, expected, read

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.matrix,
    pytest.mark.registry,
    pytest.mark.skipif(sys.platform != "linux", reason="the locks that are kept are of Linux"),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lock with every tool, each in an environment of its own."""
    needs_registry()
    folder = tmp_path_factory.mktemp("locks")
    locks.make(folder, environment_with)
    return folder


@pytest.mark.parametrize("all_interpreters", [False, True], ids=["linux", "all"])
@pytest.mark.parametrize("tool", [*TOOLS, *FORKED])
def test_the_tool_writes_what_is_kept(written: Path, tool: str, *, all_interpreters: bool) -> None:
    today = contents(read(written, tool, all_interpreters=all_interpreters))
    assert today == contents(read(locks.LOCKS, tool, all_interpreters=all_interpreters))
    if tool in TOOLS:
        assert today == expected(tool, all_interpreters=all_interpreters)
