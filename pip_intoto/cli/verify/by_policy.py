"""``verify`` against the policy: files, releases, lockfiles, environments."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pip_intoto.account import Checked, PolicyUsed
from pip_intoto.cli.targets import Judge, expand
from pip_intoto.cli.verify.accounting import account_of
from pip_intoto.errors import CommandError, NothingVerified

if TYPE_CHECKING:
    import argparse

    from pip_intoto.account import Account
    from pip_intoto.cli.terminal import Terminal


def account(args: argparse.Namespace, terminal: Terminal) -> Account:
    """Verify every target. Raises the errors of this package."""
    began = datetime.now(timezone.utc)
    if not args.targets:
        raise NothingVerified(
            "there is nothing to verify", expected="a file, a directory, NAME==VERSION or a lock"
        )
    targets = list(expand(args.targets))
    judge = Judge.of(args)
    policy = judge.policy
    terminal.detail(f"policy {policy.path}, {len(policy.projects)} projects listed")
    checked: list[Checked] = []
    failures: list[CommandError] = []
    for target in targets:
        try:
            checked.append(Checked(verdict=judge.verdict(target)))
        except CommandError as error:
            failures.append(error)
    if not checked and not failures:
        raise NothingVerified("there was nothing to verify")
    return account_of(
        args,
        checked,
        began=began,
        policy=PolicyUsed(path=policy.path, sha256=policy.sha256, mode=policy.mode),
        failures=failures,
    )
