"""``verify`` against the policy: files, releases, lockfiles, environments."""

from __future__ import annotations

from contextlib import ExitStack, closing
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.account import PolicyUsed
from pip_intoto.cli.progress import progress_for
from pip_intoto.cli.verify.accounting import account_of
from pip_intoto.cli.verify.targets import Targets
from pip_intoto.errors import NothingVerified
from pip_intoto.limits import DEFAULT
from pip_intoto.sources.web import Web
from pip_intoto.verifier.batch import Batch
from pip_intoto.verifier.changes import pin_changes, trust_changes
from pip_intoto.verifier.finding_links import FoundFiles
from pip_intoto.verifier.local import policy_of
from pip_intoto.verifier.records import open_records
from pip_intoto.verifier.wanted import InLock
from pip_intoto_gate.settings import FILES as GATE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from pip_intoto.account import Account, Checked
    from pip_intoto.cli.terminal import Terminal
    from pip_intoto.lockfiles.locked import Locked
    from pip_intoto.policy.model import Policy
    from pip_intoto.sources.carrying import Export
    from pip_intoto.verifier.inventory import Inventory
    from pip_intoto.verifier.remembered import Caches
    from pip_intoto.verifier.wanted import Wanted


def account(args: argparse.Namespace, terminal: Terminal) -> Account:
    """Judge every target, and what is installed. Raises the errors of this package."""
    began = datetime.now(timezone.utc)
    if not args.targets and not args.installed:
        raise NothingVerified(
            "there is nothing to verify",
            expected="a file, a directory, NAME==VERSION, a lockfile, or --installed",
        )
    targets = Targets.of(args, terminal)
    policy = _policy(args)
    terminal.detail(f"policy {policy.path}, {len(policy.projects)} projects listed")
    with ExitStack() as stack:
        web = None if args.offline else Web(DEFAULT, credentials=(args.index_url or "",))
        caches = _caches(args, policy, web)
        if caches is not None:
            stack.enter_context(closing(caches))
        records = stack.enter_context(closing(open_records()))
        export = _export(args, stack)
        inventory = _inventory(args)
        total = len(targets.wanted) + len(targets.older)
        total += 0 if inventory is None else len(inventory.projects)
        advance = stack.enter_context(progress_for(terminal).task("Verifying", total))
        found = FoundFiles(map(Path, args.find_links)) if args.find_links else None
        batch = Batch(
            policy,
            web=web,
            fetch=None if caches is None else caches.fetch_many,
            index_url=args.index_url,
            interpreter=targets.interpreter,
            all_files=args.all_files,
            find_links=found,
            memory=None if caches is None else caches.memory,
            keeper=export,
            records=records,
            advance=advance,
        )
        checked = list(batch.check(targets.wanted))
        if inventory is not None and not batch.interrupted:
            checked += _installed(inventory, policy, batch, found)
            for path in inventory.unclaimed:
                terminal.warn(_of_nobody(path))
        # What cannot be judged of an older lock is nobody's trouble any more.
        failures = tuple(batch.failures)
        changes = None
        if args.trust_diff is not None and not batch.interrupted:
            pins = pin_changes(_entries(targets.older), _entries(targets.wanted))
            changes = trust_changes(list(batch.check(targets.older)), checked, pins)
        if export is not None and not batch.interrupted:
            count = export.finish(each.verdict for each in checked)
            terminal.tell(f"{args.export}: evidence of {count} files")
        for trouble in () if caches is None else caches.troubles:
            terminal.detail(trouble)
        if records.trouble:
            terminal.detail(f"layouts are not remembered: {records.trouble}")
    return account_of(
        args,
        checked,
        began=began,
        policy=PolicyUsed(path=policy.path, sha256=policy.sha256, mode=policy.mode),
        locks=targets.locks_used,
        failures=failures,
        left_out=tuple(targets.left_out),
        unchanged=targets.unchanged,
        changes=changes,
        traffic=batch.traffic,
        interrupted=batch.interrupted,
    )


def _entries(wanted: Iterable[Wanted]) -> list[Locked]:
    return [each.entry for each in wanted if isinstance(each, InLock)]


def _of_nobody(path: Path) -> str:
    said = f"{path} belongs to no project, and Python can run it"
    if {path.name, path.parent.name}.isdisjoint(GATE):
        return said
    return f"{said}; it is not the gate of this version, which `pip-intoto enable` writes anew"


def _policy(args: argparse.Namespace) -> Policy:
    policy = policy_of(args.policy)
    if args.imported is None:
        return policy
    # Imported here for start-up time: few networks are cut off.
    from pip_intoto.sources.carrying import importing

    return importing(policy, Path(args.imported), offline=args.offline)


def _inventory(args: argparse.Namespace) -> Inventory | None:
    if not args.installed:
        return None
    # Imported here for start-up time: most runs are about files.
    from pip_intoto.environments import find_environment
    from pip_intoto.verifier.inventory import Inventory

    return Inventory(find_environment(args.python))


def _installed(
    inventory: Inventory, policy: Policy, batch: Batch, found: FoundFiles | None
) -> Iterable[Checked]:
    from pip_intoto.verifier.judging_installed import check_installed, wheels_among

    wheels = wheels_among(found or FoundFiles(()))
    return check_installed(inventory, policy, batch.check, wheels=wheels)


def _caches(args: argparse.Namespace, policy: Policy, web: Web | None) -> Caches | None:
    """Open what is remembered; None where nobody is asked, or nothing is to be remembered."""
    if web is None or args.no_cache:
        return None
    # Imported here for start-up time.
    from pip_intoto.verifier.remembered import open_caches

    return open_caches(
        web.fetch_many,
        policy,
        folder=None if args.cache_dir is None else Path(args.cache_dir),
        refresh=args.refresh,
        # Whoever wants to carry the evidence away must see it.
        recalls=args.export is None,
    )


def _export(args: argparse.Namespace, stack: ExitStack) -> Export | None:
    if args.export is None:
        return None
    # Imported here for start-up time.
    from pip_intoto.sources.carrying import exporting

    return stack.enter_context(exporting(Path(args.export), args.targets))
