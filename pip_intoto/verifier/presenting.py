"""Verdicts as they may be shown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pip_intoto.sources.addresses import printable
from pip_intoto.verdict import TraceEntry

if TYPE_CHECKING:
    from pip_intoto.verdict import Verdict


def presentable(verdict: Verdict) -> Verdict:
    """Make everything printable: much of it was an attacker's to choose."""
    return replace(
        verdict,
        summary=printable(verdict.summary),
        expected=printable(verdict.expected),
        found=printable(verdict.found),
        advice=printable(verdict.advice),
        trace=tuple(
            TraceEntry(printable(entry.what, 500), entry.outcome, printable(entry.detail, 1_000))
            for entry in verdict.trace
        ),
    )
