"""Exit statuses: what blocks, what could not be decided, and how much has to be verified."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pip_intoto.cli.outcomes import exit_status, summary_line
from pip_intoto.verdict import Action
from tests.unit.reports.accounts import (
    everything,
    exempt,
    invalid,
    missing,
    unlisted,
    unreachable,
    unverifiable,
    verified,
)

if TYPE_CHECKING:
    from pip_intoto.verdict import Verdict


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([verified()], 0),
        ([verified(), exempt(), unlisted(), unverifiable()], 0),
        # Decided, and blocked; whatever else could not be asked.
        ([verified(), missing()], 1),
        ([verified(), invalid(), unreachable()], 1),
        ([replace(unlisted(), action=Action.BLOCK)], 1),
        # Could not be decided.
        ([verified(), unreachable()], 2),
        ([unreachable(), exempt()], 2),
        # In warn mode as well: an outage says nothing.
        ([verified(), replace(unreachable(), action=Action.WARN)], 2),
    ],
)
def test_the_exit_status_tells_blocked_from_undecided(verdicts: list[Verdict], status: int) -> None:
    assert exit_status(verdicts) == status


@pytest.mark.parametrize(
    "verdicts",
    [
        [],
        [unlisted()],
        [unverifiable()],
        [replace(missing(), action=Action.WARN)],
        # What an exception lets through is not verified.
        [exempt()],
        [exempt(), exempt(), unlisted()],
    ],
)
def test_a_run_in_which_nothing_was_verified_is_no_success(verdicts: list[Verdict]) -> None:
    assert exit_status(verdicts) == 2
    # And nothing but the statuses themselves is asked: a low bar does not make it one.
    assert exit_status(verdicts, fail_under=0) == 2


@pytest.mark.parametrize(
    ("fail_under", "status"),
    [(None, 0), (0, 0), (66, 0), (66.6, 0), (66.7, 1), (67, 1), (100, 1)],
)
def test_a_coverage_below_the_wanted_one_fails(fail_under: float | None, status: int) -> None:
    assert exit_status([verified(), verified(), exempt()], fail_under=fail_under) == status


@pytest.mark.parametrize("wanted", [33.3, 50, 95, 98.5, 100])
def test_a_coverage_that_is_exactly_the_wanted_one_is_enough(wanted: float) -> None:
    good = round(wanted * 10)
    verdicts = [verified()] * good + [exempt()] * (1000 - good)
    assert exit_status(verdicts, fail_under=wanted) == 0
    assert exit_status([*verdicts, exempt()], fail_under=wanted) == 1


def test_an_outage_is_not_called_a_lack_of_coverage() -> None:
    assert exit_status([verified(), unreachable()], fail_under=100) == 2


def test_the_summary_counts_each_status_by_itself() -> None:
    assert summary_line([each.verdict for each in everything()]) == (
        "2 verified, 1 exempt, 1 unlisted, 2 missing, 1 unreachable, 2 invalid, 1 unverifiable"
    )
    assert summary_line([]) == "0 verified"
    assert summary_line([missing()]) == "0 verified, 1 missing"
