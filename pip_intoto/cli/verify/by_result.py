"""``verify --result``: by an attestation of an earlier run, instead of by a policy.

Nothing is fetched: a file is looked up by the digest of its bytes, an entry of a lock by the
digests that the lock pins.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.account import Checked
from pip_intoto.cli.verify.accounting import account_of
from pip_intoto.cli.verify.targets import Targets
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import CommandError, NothingVerified
from pip_intoto.verifier.by_result import prepare
from pip_intoto.verifier.choosing import Choice
from pip_intoto.verifier.local import distribution_of
from pip_intoto.verifier.naming import kind_of
from pip_intoto.verifier.wanted import InLock

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pip_intoto.account import Account
    from pip_intoto.cli.terminal import Terminal
    from pip_intoto.distribution import Place
    from pip_intoto.lockfiles.locked import Interpreter, Locked, LockedFile
    from pip_intoto.verifier.wanted import Wanted


def account(args: argparse.Namespace, terminal: Terminal) -> Account:
    """Look every target up. Raises the errors of this package."""
    began = datetime.now(timezone.utc)
    if not args.targets:
        raise NothingVerified(
            "there is nothing to verify", expected="a file, a directory, or a lockfile"
        )
    results = prepare(
        Path(args.result),
        [Path(key) for key in args.result_keys],
        max_age=None if args.max_age is None else timedelta(days=args.max_age),
        now=began,
    )
    targets = Targets.of(args, terminal)
    checked: list[Checked] = []
    failures: list[CommandError] = []
    for wanted in targets.wanted:
        try:
            checked += [
                Checked(verdict=results.verdict(distribution), place=place)
                for distribution, place in _distributions(wanted, targets.interpreter)
            ]
        except CommandError as error:
            failures.append(error)
    return account_of(
        args,
        checked,
        began=began,
        locks=targets.locks_used,
        failures=failures,
        left_out=tuple(targets.left_out),
    )


def _distributions(
    wanted: Wanted, interpreter: Interpreter | None
) -> Iterator[tuple[Distribution, Place | None]]:
    if isinstance(wanted, Path):
        yield distribution_of(wanted), None
    elif isinstance(wanted, InLock):
        entry = wanted.entry
        for file in _chosen(entry, interpreter):
            yield _distribution(entry, file), file.place
        if not entry.files:
            yield _distribution(entry, None), entry.place
    else:
        raise CommandError(
            "a result is about files, and a release is looked up in an index",
            expected="a file, a directory, or a lockfile",
        )


def _chosen(entry: Locked, interpreter: Interpreter | None) -> tuple[LockedFile, ...]:
    """Choose the file that would be installed, where that can be told, or all of them."""
    named = [
        file
        for file in entry.files
        if (kind := kind_of(file.filename)) is not None and entry.form in {None, kind}
    ]
    chosen = [] if interpreter is None else Choice.of_interpreter(interpreter).all_of(named)
    return tuple(chosen) or entry.files


def _distribution(entry: Locked, file: LockedFile | None) -> Distribution:
    filename = "" if file is None else file.filename
    return Distribution(
        name=entry.name,
        version=entry.version,
        filename=filename,
        kind=entry.kind or kind_of(filename) or Kind.SDIST,
        sha256=(file and file.sha256) or None,
        url=(file and file.url) or entry.url or None,
        requested=True,
    )
