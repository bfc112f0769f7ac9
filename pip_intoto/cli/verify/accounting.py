"""The account of a run, however its verdicts were come by."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pip_intoto import __version__
from pip_intoto.account import Account, Traffic
from pip_intoto.cli import FAILED, INTERRUPTED
from pip_intoto.cli.outcomes import exit_status

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pip_intoto.account import Change, Checked, LeftOut, LockUsed, PolicyUsed
    from pip_intoto.errors import PipIntotoError


def account_of(
    args: argparse.Namespace,
    checked: Sequence[Checked],
    *,
    began: datetime,
    policy: PolicyUsed | None = None,
    locks: tuple[LockUsed, ...] = (),
    failures: Sequence[PipIntotoError] = (),
    left_out: tuple[LeftOut, ...] = (),
    unchanged: int = 0,
    changes: tuple[Change, ...] | None = None,
    traffic: Traffic | None = None,
    interrupted: bool = False,
) -> Account:
    """Close a run: now, with the exit status that it comes to."""
    status = exit_status([each.verdict for each in checked], fail_under=args.fail_under)
    if not checked and unchanged and args.allow_unchanged:
        # The user said so: a lock that did not change was looked at when it did.
        status = 0
    if failures and status == 0:
        status = FAILED
    return Account(
        targets=tuple(args.targets),
        checked=tuple(checked),
        exit_status=INTERRUPTED if interrupted else status,
        began=began,
        ended=datetime.now(timezone.utc),
        version=__version__,
        policy=policy,
        locks=locks,
        failures=tuple(failures),
        left_out=left_out,
        unchanged=unchanged,
        changes=changes,
        traffic=traffic or Traffic(),
        fail_under=args.fail_under,
        interrupted=interrupted,
    )
