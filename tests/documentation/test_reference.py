"""The reference is complete and current: codes, keys, commands and limits."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def check() -> ModuleType:
    """Give docs/check.py as a module."""
    spec = importlib.util.spec_from_file_location("docs_check", ROOT / "docs" / "check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = path
    return module


def test_the_documentation_is_complete_and_current(check: ModuleType) -> None:
    assert check.problems() == []


def test_the_codes_of_the_gate_and_of_the_package_are_found(check: ModuleType) -> None:
    codes = check.reason_codes()
    assert {"layout-expired", "would-overwrite-gate", "pip-unsupported", "verified"} <= codes
    assert not {"missing", "error", "pip-intoto"} & codes


def test_a_code_without_documentation_is_noticed(
    check: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "reason_codes", lambda: {"verified", "brand-new"})
    assert "reasons.md lacks `brand-new`" in check.problems()
    assert "reasons.md describes `usage`, which nothing gives" in check.problems()


def test_help_that_changed_is_noticed(check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(check._WRITTEN, "commands.md", lambda: "something else")
    assert "commands.md is out of date; run `python docs/check.py --write`" in check.problems()


def test_it_runs_as_a_script() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "check.py"], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
