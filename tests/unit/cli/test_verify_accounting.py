"""What a run of ``verify`` comes to: an exit status, whatever its verdicts were."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pip_intoto.account import Checked
from pip_intoto.cli.verify.accounting import account_of
from pip_intoto.errors import CommandError
from tests.unit.reports.accounts import BEGAN, invalid, unreachable, verified

if TYPE_CHECKING:
    from pip_intoto.account import Account

GOOD = Checked(verdict=verified())
FAILURE = CommandError("gone.whl cannot be read")


def closed(
    *checked: Checked,
    allow_unchanged: bool = False,
    fail_under: float | None = None,
    failures: tuple[CommandError, ...] = (),
    unchanged: int = 0,
    interrupted: bool = False,
) -> Account:
    args = Namespace(
        targets=["pylock.toml"], allow_unchanged=allow_unchanged, fail_under=fail_under
    )
    return account_of(
        args,
        checked,
        began=BEGAN,
        failures=failures,
        unchanged=unchanged,
        interrupted=interrupted,
    )


def test_all_verified_is_a_success() -> None:
    account = closed(GOOD)
    assert (account.exit_status, account.targets) == (0, ("pylock.toml",))
    assert account.began < account.ended


def test_a_target_that_could_not_be_judged_is_no_success() -> None:
    assert closed(GOOD, failures=(FAILURE,)).exit_status == 2


def test_what_blocks_outweighs_what_could_not_be_judged() -> None:
    blocked = Checked(verdict=invalid())
    assert closed(GOOD, blocked, failures=(FAILURE,)).exit_status == 1


def test_a_run_that_was_ended_early_is_neither() -> None:
    assert closed(GOOD, interrupted=True).exit_status == 130


@pytest.mark.parametrize(
    ("unchanged", "allowed", "status"), [(3, True, 0), (3, False, 2), (0, True, 2)]
)
def test_nothing_changed_is_a_success_only_where_somebody_said_so(
    unchanged: int, allowed: bool, status: int
) -> None:
    assert closed(unchanged=unchanged, allow_unchanged=allowed).exit_status == status


def test_what_changed_is_not_excused_by_what_did_not() -> None:
    for verdict in (invalid(), unreachable(), replace(verified(), action=invalid().action)):
        checked = Checked(verdict=verdict)
        assert closed(checked, unchanged=3, allow_unchanged=True).exit_status != 0
