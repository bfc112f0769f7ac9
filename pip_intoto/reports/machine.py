"""Verdicts as JSON, for programs. ``schema`` rises only when a member changes its meaning."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pip_intoto.sources.addresses import redacted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pip_intoto.verdict import Verdict

SCHEMA = 1


def render(verdicts: Iterable[Verdict], *, exit_status: int) -> str:
    """Render a report with one object a verdict, in the order of the targets."""
    report = {
        "schema": SCHEMA,
        "exit-status": exit_status,
        "verdicts": [_verdict(verdict) for verdict in verdicts],
    }
    # In ASCII: names of files may be no text, and hold what drives a terminal.
    return json.dumps(report, indent=2) + "\n"


def _verdict(verdict: Verdict) -> dict[str, object]:
    distribution = verdict.distribution
    return {
        "distribution": {
            "name": distribution.name,
            "version": distribution.version,
            "filename": distribution.filename,
            "kind": distribution.kind.value,
            "sha256": distribution.sha256,
            "url": None if distribution.url is None else redacted(distribution.url),
            "index": None if distribution.index is None else redacted(distribution.index),
        },
        "status": verdict.status.value,
        "reason": verdict.reason,
        "action": verdict.action.value,
        "summary": verdict.summary,
        "expected": verdict.expected,
        "found": verdict.found,
        "advice": verdict.advice,
        "trace": [
            {"what": entry.what, "outcome": entry.outcome.value, "detail": entry.detail}
            for entry in verdict.trace
        ],
    }
