"""What changed in trust between two states of a lock."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pip_intoto.account import Checked
from pip_intoto.distribution import Distribution, Kind, Place
from pip_intoto.verdict import Action, Station, Status, SupplyChain, Verdict
from pip_intoto.verifier.changes import trust_changes

if TYPE_CHECKING:
    from pip_intoto.account import Change

EXPIRES = datetime(2030, 1, 1, tzinfo=timezone.utc)


def checked(
    name: str = "demo",
    version: str = "1.0",
    status: Status = Status.VERIFIED,
    *,
    reason: str = "",
    owner: str = "alice",
    builder: str = "ben",
    layout: str = "1" * 64,
) -> Checked:
    distribution = Distribution(
        name=name, version=version, filename=f"{name}-{version}-py3-none-any.whl", kind=Kind.WHEEL
    )
    chain = SupplyChain(
        layout_sha256=layout,
        owners=(owner,),
        expires=EXPIRES,
        stations=(Station(name="build", functionaries=(builder,), wanted=1),),
    )
    verdict = Verdict(
        distribution=distribution,
        status=status,
        reason=reason or status.value,
        action=Action.PASS if status is Status.VERIFIED else Action.BLOCK,
        summary="",
        chain=chain if status is Status.VERIFIED else None,
    )
    return Checked(verdict=verdict, place=Place(Path("pylock.toml"), 3))


def only(before: list[Checked], after: list[Checked]) -> Change:
    (change,) = trust_changes(before, after)
    return change


def test_what_stays_as_it_was_is_no_change() -> None:
    assert trust_changes([checked()], [checked()]) == ()
    missing = checked(status=Status.MISSING)
    assert trust_changes([missing], [missing]) == ()


def test_another_version_by_the_same_people_is_no_change_in_trust() -> None:
    assert trust_changes([checked()], [checked(version="1.1")]) == ()


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (checked(), checked(status=Status.MISSING), "newly-unverified"),
        (checked(), checked(status=Status.EXEMPT), "newly-unverified"),
        (checked(status=Status.MISSING), checked(), "newly-verified"),
        (checked(), checked(owner="mallory"), "signer-changed"),
        (checked(), checked(builder="mallory"), "signer-changed"),
        (checked(), checked(layout="2" * 64), "layout-changed"),
        (checked(status=Status.MISSING), checked(status=Status.INVALID), "status-changed"),
    ],
)
def test_each_kind_of_change(before: Checked, after: Checked, kind: str) -> None:
    change = only([before], [after])
    assert (change.project, change.kind) == ("demo", kind)
    assert change.place == after.place
    assert change.before != change.after


def test_words_name_both_signers() -> None:
    change = only([checked()], [checked(version="1.1", owner="mallory", builder="mo")])
    assert change.before == "1.0 verified: layout 11111111 signed by alice; build by ben"
    assert change.after == "1.1 verified: layout 11111111 signed by mallory; build by mo"


def test_words_name_the_reason() -> None:
    invalid = checked(status=Status.INVALID, reason="rule-violated")
    assert only([checked()], [invalid]).after == "1.0 invalid [rule-violated]"


def test_a_new_project_counts_as_unverified_before() -> None:
    assert only([], [checked()]).kind == "newly-verified"
    change = only([], [checked(status=Status.UNLISTED)])
    assert (change.kind, change.before) == ("newly-unverified", "not in the lock")


def test_a_project_that_went_is_told() -> None:
    change = only([checked()], [])
    assert (change.kind, change.after, change.place) == ("removed", "not in the lock", None)


def test_one_file_of_several_that_is_not_verified_decides() -> None:
    wheel = checked()
    sdist = checked(status=Status.MISSING)
    assert only([wheel, wheel], [wheel, sdist]).kind == "newly-unverified"


def test_the_worst_comes_first() -> None:
    before = [checked("a"), checked("b"), checked("c", status=Status.MISSING), checked("d")]
    after = [checked("a", layout="2" * 64), checked("b", owner="mallory"), checked("c")]
    after.append(replace(checked("e", status=Status.INVALID)))
    kinds = [change.kind for change in trust_changes(before, after)]
    assert kinds == [
        "newly-unverified",
        "signer-changed",
        "layout-changed",
        "newly-verified",
        "removed",
    ]
