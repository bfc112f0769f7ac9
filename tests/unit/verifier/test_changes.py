"""What changed in trust between two states of a lock."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pip_intoto.account import Checked
from pip_intoto.credential import Credential
from pip_intoto.distribution import Distribution, Kind, Place
from pip_intoto.lockfiles.locked import Locked, Recorded
from pip_intoto.metadata.identities import GITHUB
from pip_intoto.verdict import Action, Station, Status, SupplyChain, Verdict
from pip_intoto.verification.wording import publisher
from pip_intoto.verifier.changes import pin_changes, trust_changes
from pip_intoto.verifier.pins import identity_of

if TYPE_CHECKING:
    from pip_intoto.account import Change
    from pip_intoto.metadata.identities import Identity

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


# --- what the lock says of who vouches --------------------------------------------------------

RUN = Credential(
    issuer=GITHUB,
    subject="https://github.com/acme/demo/.github/workflows/release.yml@refs/tags/v1",
    signed_at=EXPIRES,
    repository="acme/demo",
    workflow="release.yml",
    ref="refs/tags/v1",
)
ACME = identity_of(RUN)
EVIL = replace(ACME, repository="evil/demo")


def entry(*identities: Identity, keys: tuple[str, ...] = (), name: str = "demo") -> Locked:
    recorded = Recorded(version="1.0", layout_keys=keys) if keys else None
    place = Place(Path("pylock.toml"), 5)
    return Locked(name=name, version="1.0", place=place, attested_by=identities, recorded=recorded)


def by_sigstore(credential: Credential) -> Checked:
    found = checked(builder=publisher(credential))
    assert found.verdict.chain is not None
    chain = replace(found.verdict.chain, credentials=(credential,))
    return replace(found, verdict=replace(found.verdict, chain=chain))


def test_whom_the_lock_pins_no_more_is_a_change() -> None:
    (change,) = pin_changes([entry(ACME)], [entry(EVIL)])
    assert (change.kind, change.project) == ("signer-changed", "demo")
    assert "github:acme/demo:release.yml" in change.before
    assert "github:evil/demo:release.yml" in change.after
    assert change.place == Place(Path("pylock.toml"), 5)
    (dropped,) = pin_changes([entry(keys=("a" * 64,))], [entry()])
    assert "key aaaaaaaaaaaaaaaa" in dropped.before
    assert dropped.after == "it pins nobody"


def test_whom_the_lock_pins_besides_is_none_nor_is_a_project_that_is_new_or_gone() -> None:
    assert pin_changes([entry(ACME)], [entry(ACME, EVIL)]) == ()
    assert pin_changes([entry()], [entry(ACME)]) == ()
    assert pin_changes([entry(ACME, name="other")], [entry(ACME)]) == ()


def test_a_change_of_pins_is_told_where_the_verdicts_tell_nothing() -> None:
    same = [checked(status=Status.UNLISTED)]
    pins = pin_changes([entry(ACME)], [entry(EVIL)])
    assert trust_changes(same, same, pins) == pins
    told = trust_changes([checked()], [checked(owner="mallory")], pins)
    assert [change.project for change in told] == ["demo"]
    assert "mallory" in told[0].after


def test_a_signer_whom_the_lock_does_not_pin_is_told_with_both() -> None:
    broken = checked(status=Status.INVALID, reason="signer-changed")
    verdict = replace(broken.verdict, expected="acme", found="evil")
    change = only([checked()], [replace(broken, verdict=verdict)])
    assert change.kind == "signer-changed"
    assert "evil, in the place of acme" in change.after


def test_the_same_workflow_at_another_tag_is_no_change() -> None:
    later = by_sigstore(replace(RUN, ref="refs/tags/v2"))
    assert trust_changes([by_sigstore(RUN)], [later]) == ()
    elsewhere = by_sigstore(replace(RUN, repository="evil/demo"))
    assert only([by_sigstore(RUN)], [elsewhere]).kind == "signer-changed"
