"""What the tests of policies share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.policy.folders import Folderful, pem

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Folderful:
    folder = Folderful(tmp_path)
    for name in ("alice", "bob", "carol"):
        folder.write(f"keys/{name}.pub", pem(name))
    return folder
