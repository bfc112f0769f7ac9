"""Each stored supply chain gets the verdict that stands beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import pip_intoto
from fixtures.make import CHAINS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("folder", sorted(CHAINS.iterdir()), ids=lambda folder: folder.name)
def test_a_stored_chain_gets_its_verdict(folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text("ascii"))
    (wheel,) = folder.glob("*.whl")
    verdict = pip_intoto.verify(wheel, policy=folder / "policy.toml")
    assert {"status": verdict.status.value, "reason": verdict.reason} == expected, verdict
