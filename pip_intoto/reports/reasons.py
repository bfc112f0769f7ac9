"""What each reason code means, with cause and cure, for reports that explain themselves.

The words are those of ``docs/reference/reasons.md``; ``docs/check.py --write`` copies them.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One code: what it says, why that may be, and what to do. Texts in Markdown, without links."""

    title: str
    cause: str
    cure: str


def reason(code: str) -> Reason:
    """Give what a code means; the code itself where nothing is written about it."""
    return _reasons().get(code) or Reason(title=f"`{code}`", cause="", cure="")


@functools.cache
def _reasons() -> dict[str, Reason]:
    # Read when it is wanted: few reports explain codes.
    text = Path(__file__).with_suffix(".json").read_text("utf-8")
    return {code: Reason(**parts) for code, parts in json.loads(text).items()}
