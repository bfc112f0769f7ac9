"""Verdicts on files whose layout has conditions (ITE-11)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from unittest.mock import patch

from tests.messages.judged import build_rules, judged, told, with_layout
from tests.messages.situations import situation

if TYPE_CHECKING:
    from pathlib import Path

RULES = [["CREATE", "demo-*"], ["DISALLOW", "*"]]


def _told(folder: Path, condition: str) -> str:
    """Give the verdict where the step ``build`` has a condition."""
    layout = build_rules(RULES, expected_attributes=[condition])
    return told(folder, judged(folder, with_layout(layout)))


@situation("attribute-violated")
def _(folder: Path) -> str:
    return _told(folder, "predicate.name == 'build' && size(predicate.command) == 7")


@situation("attribute-missing")
def _(folder: Path) -> str:
    return _told(folder, "predicate.byproducts['return-code'] == 0")


@situation("attribute-unusable")
def _(folder: Path) -> str:
    return _told(folder, "predicate.name = 'build'")


@situation("attribute-unusable.neither")
def _(folder: Path) -> str:
    return _told(folder, "predicate.name")


@situation("attribute-unusable.costly")
def _(folder: Path) -> str:
    return _told(folder, "['a']" + ".map(x, x + x)" * 40 + " == []")


@situation("attributes-unsupported")
def _(folder: Path) -> str:
    # As where the extra is not installed.
    with patch.dict(sys.modules, {"pip_intoto.verification.cel": None}):
        return _told(folder, "predicate.name == 'build'")
