"""What verdicts come to: an exit status, and one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.account import counted, coverage_of
from pip_intoto.cli import BLOCKED, FAILED
from pip_intoto.reports.wording import buckets
from pip_intoto.verdict import Action, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.verdict import Verdict


def exit_status(verdicts: Sequence[Verdict], fail_under: float | None = None) -> int:
    """1 if any blocks for another reason than unreachable; else 2 if any is, or nothing verified.

    What could not be asked is no success in warn mode either: it says nothing. Nothing verified is
    never success: neither is a run in which every project is unlisted, nor one in which exceptions
    let all of them through. A run that is otherwise a success is 1 when fewer than ``fail_under``
    percent are verified.
    """
    statuses = {verdict.status for verdict in verdicts}
    blocking = {verdict.status for verdict in verdicts if verdict.action is Action.BLOCK}
    if blocking - {Status.UNREACHABLE}:
        return BLOCKED
    if Status.UNREACHABLE in statuses or Status.VERIFIED not in statuses:
        return FAILED
    if fail_under is not None and coverage_of(list(verdicts)) < fail_under:
        return BLOCKED
    return 0


def summary_line(verdicts: Sequence[Verdict]) -> str:
    """Count the verdicts by status: "3 verified, 1 missing"."""
    return buckets(counted(list(verdicts)))
