"""One version, said in three places: the gate has to know it without importing the package."""

from __future__ import annotations

from pathlib import Path

import pip_intoto
import pip_intoto_gate

ROOT = Path(__file__).resolve().parents[2]


def test_gate_package_and_project_are_of_one_version() -> None:
    assert pip_intoto_gate.VERSION == pip_intoto.__version__
    assert f'\nversion = "{pip_intoto.__version__}"\n' in (ROOT / "pyproject.toml").read_text(
        "utf-8"
    )
