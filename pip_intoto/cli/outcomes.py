"""What verdicts come to: an exit status, and one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.cli import BLOCKED, FAILED
from pip_intoto.verdict import Action, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.verdict import Verdict


def exit_status(verdicts: Sequence[Verdict]) -> int:
    """1 if any blocks for another reason than unreachable; else 2 if any is, or nothing verified.

    Nothing verified is never success: neither is a run in which every project is unlisted.
    """
    blocking = [verdict.status for verdict in verdicts if verdict.action is Action.BLOCK]
    if any(status is not Status.UNREACHABLE for status in blocking):
        return BLOCKED
    if blocking or not any(_counts(verdict) for verdict in verdicts):
        return FAILED
    return 0


def _counts(verdict: Verdict) -> bool:
    return verdict.status in {Status.VERIFIED, Status.EXEMPT}


def summary_line(verdicts: Sequence[Verdict]) -> str:
    """Count the verdicts by status: "3 verified, 1 missing"."""
    counts = dict.fromkeys(Status, 0)
    for verdict in verdicts:
        counts[verdict.status] += 1
    parts = [f"{counts.pop(Status.VERIFIED)} verified"]
    parts += [f"{count} {status.value}" for status, count in counts.items() if count]
    return ", ".join(parts)
