"""Verdicts on what is installed: on the file that it came from, and on the files that it became.

The file is judged by its digest, now, against the policy in force. What the gate noted at the
install says which file that was, and decides nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pip_intoto.account import Checked
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import CommandError, EvidenceError, InstalledFilesChanged
from pip_intoto.sources.addresses import printable
from pip_intoto.sources.fetching import drive
from pip_intoto.verdict import Action, Outcome, Status, TraceEntry
from pip_intoto.verifier.judge import judge, refused
from pip_intoto.verifier.selecting import Selected
from pip_intoto.verifier.wanted import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from pip_intoto.policy.model import Policy
    from pip_intoto.verdict import Verdict
    from pip_intoto.verifier.finding_links import FoundFiles
    from pip_intoto.verifier.installed import Installed
    from pip_intoto.verifier.inventory import Files, Inventory
    from pip_intoto.verifier.wanted import Wanted

#: Files that one sentence names.
_NAMED = 5


def check_installed(
    inventory: Inventory,
    policy: Policy,
    check: Callable[[Sequence[Wanted]], Iterable[Checked]],
    *,
    wheels: Callable[[Installed], Path | None] = lambda _: None,
) -> Iterator[Checked]:
    """Judge every project of an environment, and its files.

    ``check`` judges distributions by their digests (:meth:`Batch.check`), ``wheels`` gives the
    wheel that a project was installed from, where there is one at hand (:func:`wheels_among`). Each
    verdict has the project's RECORD as its place.
    """
    by_place = {project.place: project for project in inventory.projects}
    wanted: list[Wanted] = [
        Known(distribution=project.distribution, place=project.place, notes=project.notes)
        for project in inventory.projects
        if project.distribution is not None
    ]
    for checked in check(wanted) if wanted else ():
        if checked.place is not None:
            project = by_place[checked.place]
            yield _checked(inventory, project, checked, policy, wheels(project))
    for project in inventory.projects:
        if project.distribution is None:
            verdict = without_file(project, policy)
            checked = Checked(verdict=verdict, place=project.place, notes=project.notes)
            yield _checked(inventory, project, checked, policy, None)


def wheels_among(found: FoundFiles) -> Callable[[Installed], Path | None]:
    """Give what finds the wheels of projects in folders on this machine, by their digests."""

    def wheel_of(installed: Installed) -> Path | None:
        distribution = installed.distribution
        if distribution is None or distribution.kind is not Kind.WHEEL:
            return None
        return found.serve(Selected(distribution=distribution)).distribution.path

    return wheel_of


def _checked(
    inventory: Inventory, project: Installed, checked: Checked, policy: Policy, wheel: Path | None
) -> Checked:
    try:
        files = inventory.check_files(project, wheel)
    except CommandError as error:
        note = f"{error.message}: {error.found}"
        files = inventory.check_files(project)
        checked = replace(checked, notes=(*checked.notes, printable(note)))
    return concluded(project, checked, files, policy)


class _FileUnknown(EvidenceError):
    """Nobody noted which file was installed."""

    code = "unverifiable"


def without_file(installed: Installed, policy: Policy) -> Verdict:
    """Judge a project of which nobody knows the file that it was installed from."""
    distribution = Distribution(
        name=installed.name, version=installed.version, filename="", kind=Kind.WHEEL
    )
    if installed.problem:
        error = InstalledFilesChanged(
            "what is installed is not what an installer writes", found=installed.problem
        )
        return refused(distribution, policy, error)
    unknown = _FileUnknown(
        "nobody noted which file it was installed from",
        expected=f"a record of the install, in {installed.folder}",
        found=installed.notes[-1] if installed.notes else "",
        advice="Verify the lock that it was installed from, or install it again with pip where"
        " verification is enabled.",
    )
    verdict = drive(judge(distribution, policy, problem=unknown), lambda _: ())
    if verdict.reason == unknown.code:
        verdict = replace(verdict, status=Status.UNVERIFIABLE)
    return verdict


def concluded(installed: Installed, checked: Checked, files: Files, policy: Policy) -> Checked:
    """Put together what is to be said of the file, and of what it wrote."""
    notes = (*checked.notes, *_notes(files))
    verdict = checked.verdict
    if not files.are_intact and verdict.status is not Status.INVALID:
        waived = verdict.exception is not None and not verdict.exception.waives
        if not (verdict.status is Status.EXEMPT and waived):
            verdict = _changed(installed, verdict, files, policy)
    return replace(checked, verdict=verdict, notes=notes)


def _changed(installed: Installed, verdict: Verdict, files: Files, policy: Policy) -> Verdict:
    parts = (
        ("changed", files.changed),
        ("missing", files.missing),
        ("in no list", files.unexpected),
    )
    found = "; ".join(f"{what}: {_listed(paths)}" for what, paths in parts if paths)
    error = InstalledFilesChanged(
        f"what is installed of {installed.name} is not what was installed",
        expected="the files of " + (installed.filename or f"{installed.name} {installed.version}"),
        found=found,
    )
    changed = refused(verdict.distribution, policy, error)
    action = changed.action
    if policy.rule_for(installed.name) is None and policy.unlisted != "deny":
        # The policy lets unlisted projects be; that one changed is said all the same.
        action = Action.WARN
    trace = (*verdict.trace, TraceEntry("installed files", Outcome.FAIL, found))
    return replace(changed, action=action, trace=trace, chain=verdict.chain)


def _notes(files: Files) -> tuple[str, ...]:
    notes = []
    for paths, what in ((files.changed, "changed"), (files.missing, "missing")):
        if paths:
            notes.append(f"{what} since it was installed: {_listed(paths)}")
    if files.unexpected:
        notes.append(f"can be imported, and is in no list of files: {_listed(files.unexpected)}")
    if files.against == "RECORD":
        notes.append(
            "its files were held against the installer's own list, which whoever changes files"
            " can change too"
        )
    elif not files.against:
        notes.append("there is no list of its files")
    return tuple(notes)


def _listed(paths: Sequence[str]) -> str:
    more = [f"{len(paths) - _NAMED} more"] if len(paths) > _NAMED else []
    return ", ".join([*paths[:_NAMED], *more])
