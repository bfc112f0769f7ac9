"""What changed in trust between two runs: the question of every pull request that moves a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.account import CHANGES, Change
from pip_intoto.verdict import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pip_intoto.account import Checked


def trust_changes(before: Iterable[Checked], after: Iterable[Checked]) -> tuple[Change, ...]:
    """Compare the verdicts of two states of a lock, project by project.

    A project counts as verified when all of its distributions are. One that is new counts as
    unverified before.
    """
    older, newer = _by_project(before), _by_project(after)
    changes = [
        change
        for project in newer
        if (change := _change(project, older.get(project, ()), newer[project])) is not None
    ]
    changes += [
        Change(project=project, kind="removed", before=_told(older[project]), after=_told(()))
        for project in older
        if project not in newer
    ]
    return tuple(sorted(changes, key=lambda each: (CHANGES.index(each.kind), each.project)))


def _by_project(checked: Iterable[Checked]) -> Mapping[str, Sequence[Checked]]:
    projects: dict[str, list[Checked]] = {}
    for each in checked:
        projects.setdefault(each.verdict.distribution.name, []).append(each)
    return projects


def _change(project: str, before: Sequence[Checked], after: Sequence[Checked]) -> Change | None:
    kind = _kind(before, after)
    if kind is None:
        return None
    return Change(
        project=project,
        kind=kind,
        before=_told(before),
        after=_told(after),
        place=after[0].place,
    )


def _kind(before: Sequence[Checked], after: Sequence[Checked]) -> str | None:
    """Say what changed; None when nothing of it matters to trust."""
    was, now = _is_verified(before), _is_verified(after)
    if now != was or not before:
        return "newly-verified" if now else "newly-unverified"
    if not now:
        return None if _statuses(before) == _statuses(after) else "status-changed"
    if _signers(before) != _signers(after):
        return "signer-changed"
    return None if _layouts(before) == _layouts(after) else "layout-changed"


def _is_verified(checked: Sequence[Checked]) -> bool:
    return bool(checked) and _statuses(checked) == {Status.VERIFIED}


def _statuses(checked: Sequence[Checked]) -> set[Status]:
    return {each.verdict.status for each in checked}


def _signers(checked: Sequence[Checked]) -> set[tuple[str, tuple[str, ...]]]:
    """Who signed the layout, and who carried out each step of it."""
    signers = set()
    for each in checked:
        if each.verdict.chain is not None:
            signers.add(("", tuple(sorted(each.verdict.chain.owners))))
            signers.update(
                (station.name, tuple(sorted(station.functionaries)))
                for station in each.verdict.chain.stations
            )
    return signers


def _layouts(checked: Sequence[Checked]) -> set[str]:
    return {each.verdict.chain.layout_sha256 for each in checked if each.verdict.chain is not None}


def _told(checked: Sequence[Checked]) -> str:
    """Say in words what was decided: "1.0 verified, layout signed by alice (3f2a91c0)"."""
    return "; ".join(dict.fromkeys(map(_told_of_one, checked))) or "not in the lock"


def _told_of_one(checked: Checked) -> str:
    verdict = checked.verdict
    said = f"{verdict.distribution.version} {verdict.status.value}".strip()
    if verdict.status is Status.VERIFIED and verdict.chain is not None:
        chain = verdict.chain
        steps = ", ".join(
            f"{station.name} by {' and '.join(sorted(station.functionaries))}"
            for station in chain.stations
            if station.functionaries
        )
        return (
            f"{said}: layout {chain.layout_sha256[:8]} signed by {', '.join(chain.owners)}; {steps}"
        )
    return said if verdict.reason == verdict.status.value else f"{said} [{verdict.reason}]"
