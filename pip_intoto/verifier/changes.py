"""What changed in trust between two runs: the question of every pull request that moves a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.account import CHANGES, Change
from pip_intoto.errors import SignerChanged
from pip_intoto.verdict import Status
from pip_intoto.verification.wording import publisher
from pip_intoto.verifier.pins import identity_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pip_intoto.account import Checked
    from pip_intoto.lockfiles.locked import Locked


def trust_changes(
    before: Iterable[Checked],
    after: Iterable[Checked],
    pins: Iterable[Change] = (),
) -> tuple[Change, ...]:
    """Compare the verdicts of two states of a lock, project by project.

    A project counts as verified when all of its distributions are. One that is new counts as
    unverified before. ``pins`` are changes in what the lock says of who vouches
    (:func:`pin_changes`); they are told where the verdicts say nothing of the project.
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
    told = {change.project for change in changes}
    changes += [change for change in pins if change.project not in told]
    return tuple(sorted(changes, key=lambda each: (CHANGES.index(each.kind), each.project)))


def pin_changes(before: Sequence[Locked], after: Sequence[Locked]) -> tuple[Change, ...]:
    """Compare what two states of a lock say of who vouches, for the projects that both have.

    Whom an older lock pinned, and a newer one does not, is a change, whoever is pinned instead:
    every verdict by the newer lock may be as good as before.
    """
    older, newer = _pinned(before), _pinned(after)
    places = {entry.name: entry.place for entry in after}
    return tuple(
        Change(
            project=project,
            kind="signer-changed",
            before=f"the lock pins {' and '.join(sorted(older[project]))}",
            after=f"it pins {' and '.join(sorted(newer[project])) or 'nobody'}",
            place=places[project],
        )
        for project in newer
        if not older.get(project, frozenset()) <= newer[project]
    )


def _pinned(entries: Iterable[Locked]) -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for entry in entries:
        identities = {*entry.attested_by}
        keys: tuple[str, ...] = ()
        if entry.recorded is not None:
            identities |= {*entry.recorded.identities}
            keys = entry.recorded.layout_keys
        said = {publisher(each) for each in identities} | {f"key {key[:16]}" for key in keys}
        found[entry.name] = found.get(entry.name, frozenset()) | said
    return found


def _by_project(checked: Iterable[Checked]) -> Mapping[str, Sequence[Checked]]:
    projects: dict[str, list[Checked]] = {}
    for each in checked:
        projects.setdefault(each.verdict.distribution.name, []).append(each)
    return projects


def _change(project: str, before: Sequence[Checked], after: Sequence[Checked]) -> Change | None:
    kind = "signer-changed" if _is_changed(after) and not _is_changed(before) else None
    kind = kind or _kind(before, after)
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


def _is_changed(checked: Sequence[Checked]) -> bool:
    """Whether somebody else vouches than the lock pins."""
    return any(each.verdict.reason == SignerChanged.code for each in checked)


def _is_verified(checked: Sequence[Checked]) -> bool:
    return bool(checked) and _statuses(checked) == {Status.VERIFIED}


def _statuses(checked: Sequence[Checked]) -> set[Status]:
    return {each.verdict.status for each in checked}


def _signers(checked: Sequence[Checked]) -> set[tuple[str, tuple[str, ...]]]:
    """Who signed the layout, and who carried out each step of it."""
    signers = set()
    for each in checked:
        if each.verdict.chain is not None:
            # The same workflow, at whatever tag it ran.
            known = {
                publisher(credential): publisher(identity_of(credential))
                for credential in each.verdict.chain.credentials
            }
            signers.add(("", tuple(sorted(each.verdict.chain.owners))))
            signers.update(
                (station.name, tuple(sorted(known.get(who, who) for who in station.functionaries)))
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
    if verdict.reason == SignerChanged.code:
        return f"{said} [{verdict.reason}]: {verdict.found}, in the place of {verdict.expected}"
    return said if verdict.reason == verdict.status.value else f"{said} [{verdict.reason}]"
