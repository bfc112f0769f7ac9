"""One version, said in three places: the gate has to know it without importing the package."""

from __future__ import annotations

from pathlib import Path

import pip_intoto
import pip_intoto_gate

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def test_gate_package_and_project_are_of_one_version() -> None:
    version = pip_intoto.__version__
    assert version == pip_intoto_gate.VERSION
    assert f'\nversion = "{version}"\n' in PROJECT.read_text("utf-8")
