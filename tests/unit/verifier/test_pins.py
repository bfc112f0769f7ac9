"""What a lock pins beside digests, held against what is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pip_intoto.credential import Credential
from pip_intoto.distribution import Distribution, Kind, Place
from pip_intoto.errors import (
    AttestationMissing,
    EvidenceDowngrade,
    EvidenceMissing,
    LayoutExpired,
    LinkMissing,
    PredicateMissing,
    RepositoryMismatch,
    SignerChanged,
    SourceUnreachable,
)
from pip_intoto.lockfiles.locked import Locked, Recorded
from pip_intoto.metadata.identities import GITHUB, Identity
from pip_intoto.metadata.predicate_names import PUBLISH
from pip_intoto.policy.model import Beside, Folder, Pep740
from pip_intoto.verdict import SupplyChain
from pip_intoto.verifier.pins import Pin, identity_of, is_older, pin_of

WORKFLOW = Identity(keyid="", issuer=GITHUB, repository="acme/demo", workflow="release.yml")
OTHER = replace(WORKFLOW, repository="evil/demo")
ALICE, BOB, CAROL = "a" * 64, "b" * 64, "c" * 64
PLACE = Place(Path("/project/pylock.toml"), 7)
RECORDED = Recorded(version="1.0", identities=(WORKFLOW,), layout_keys=(ALICE,))
PIN = Pin(attested_by=(WORKFLOW,), recorded=RECORDED, place=PLACE)
RUN = Credential(
    issuer=GITHUB,
    subject="https://github.com/acme/demo/.github/workflows/release.yml@refs/tags/v1",
    signed_at=datetime(2026, 11, 22, tzinfo=timezone.utc),
    host="github.com",
    repository="acme/demo",
    workflow="release.yml",
    ref="refs/tags/v1",
)


def distribution(version: str = "1.0") -> Distribution:
    return Distribution(
        name="demo",
        version=version,
        filename=f"demo-{version}-py3-none-any.whl",
        kind=Kind.WHEEL,
        sha256="0" * 64,
    )


def chain(*keys: str, credentials: tuple[Credential, ...] = ()) -> SupplyChain:
    return SupplyChain(
        layout_sha256="0" * 64,
        owners=("alice",),
        expires=RUN.signed_at,
        stations=(),
        owner_keys=keys,
        credentials=credentials,
    )


def recorded(*keys: str, identities: tuple[Identity, ...] = ()) -> Pin:
    return Pin(recorded=Recorded(version="1.0", identities=identities, layout_keys=keys))


# --- what is pinned ---------------------------------------------------------------------------


def test_an_entry_that_says_nothing_pins_nothing() -> None:
    entry = Locked(name="demo", version="1.0", place=PLACE)
    assert pin_of(entry) is None
    assert pin_of(entry, first_use=True) == Pin(place=PLACE, first_use=True)
    assert pin_of(replace(entry, attested_by=(WORKFLOW,), recorded=RECORDED)) == PIN


def test_a_pin_is_a_layout_of_one_step_for_this_very_file() -> None:
    (trust,) = PIN.trusts(distribution(), listed=True)
    assert trust.own_layout is not None
    (step,) = trust.own_layout.layout.steps
    (predicate,) = step.expected_predicates
    assert (predicate.predicate_type, predicate.threshold) == (PUBLISH, 1)
    listed = trust.own_layout.layout.identities
    assert [listed[keyid] for keyid in predicate.functionaries] == [WORKFLOW]
    assert [rule.words for rule in step.expected_materials] == [
        ("ALLOW", "demo-1.0-py3-none-any.whl")
    ]
    assert trust.own_layout.layout.expires.year == 9999


def test_one_of_those_who_are_pinned_is_enough() -> None:
    (trust,) = replace(PIN, attested_by=(WORKFLOW, OTHER)).trusts(distribution(), listed=True)
    assert trust.own_layout is not None
    (step,) = trust.own_layout.layout.steps
    (predicate,) = step.expected_predicates
    assert (len(predicate.functionaries), predicate.threshold, step.threshold) == (2, 1, 1)


def test_who_was_recorded_stands_for_who_is_pinned_where_no_rule_asks() -> None:
    pin = Pin(recorded=RECORDED)
    assert pin.trusts(distribution(), listed=True) == ()
    assert len(pin.trusts(distribution(), listed=False)) == 1
    assert len(pin.trusts(distribution("2.0"), listed=False)) == 1
    assert pin.trusts(distribution("0.9"), listed=False) == ()
    # What the lock itself pins counts for whatever version it has.
    assert len(PIN.trusts(distribution("0.9"), listed=False)) == 1


def test_who_is_pinned_counts_and_not_who_was_recorded_where_both_are_said() -> None:
    pin = replace(PIN, attested_by=(OTHER,))
    for listed in (True, False):
        (trust,) = pin.trusts(distribution(), listed=listed)
        assert trust.own_layout is not None
        assert list(trust.own_layout.layout.identities.values()) == [OTHER]


@pytest.mark.parametrize(
    ("pin", "version", "bound"),
    [
        (Pin(attested_by=(WORKFLOW,)), "0.9", True),
        (recorded(ALICE), "1.0", True),
        (recorded(identities=(WORKFLOW,)), "1.1", True),
        (recorded(ALICE), "0.9", False),
        (recorded(), "1.0", False),
        (Pin(first_use=True), "1.0", False),
    ],
)
def test_a_checkout_is_bound_by_whoever_must_have_vouched(
    pin: Pin, version: str, bound: bool
) -> None:
    assert pin.binds(distribution(version)) is bound


def test_attestations_are_looked_for_where_publishers_put_them() -> None:
    stand_in = PIN.rule(None, "demo")
    assert stand_in.sources == (Beside(), Pep740())
    rule = replace(stand_in, sources=(Folder(Path("/evidence")),))
    assert PIN.rule(rule, "demo").sources == (Folder(Path("/evidence")), Beside(), Pep740())
    assert Pin(recorded=RECORDED).rule(rule, "demo") is rule


# --- who vouches now --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ((ALICE,), (ALICE,)),
        ((ALICE,), (ALICE, BOB)),
        ((ALICE, BOB), (BOB,)),
        ((), (BOB,)),
        ((ALICE,), ()),
    ],
)
def test_nobody_was_replaced(before: tuple[str, ...], now: tuple[str, ...]) -> None:
    pin = recorded(*before)
    pin.check(distribution(), chain(*now))
    assert pin.trusts(distribution(), listed=True) == ()


@pytest.mark.parametrize(
    ("before", "now"),
    [((ALICE,), (BOB,)), ((ALICE, BOB), (CAROL,)), ((ALICE, BOB), (ALICE, CAROL))],
)
def test_somebody_was_replaced(before: tuple[str, ...], now: tuple[str, ...]) -> None:
    with pytest.raises(SignerChanged) as caught:
        recorded(*before).check(distribution("1.1"), chain(*now))
    assert all(key[:16] in caught.value.expected for key in before)
    assert all(key[:16] in caught.value.found for key in now)
    recorded(*before).check(distribution("0.9"), chain(*now))


def test_the_same_workflow_at_another_tag_is_the_same_signer() -> None:
    pin = recorded(identities=(WORKFLOW,))
    pin.check(distribution(), chain(credentials=(replace(RUN, ref="refs/tags/v2", subject="x"),)))
    with pytest.raises(SignerChanged) as caught:
        pin.check(distribution(), chain(credentials=(replace(RUN, repository="evil/demo"),)))
    assert "acme/demo" in caught.value.expected
    assert "evil/demo" in caught.value.found


def test_a_key_in_the_place_of_an_identity_is_a_change() -> None:
    with pytest.raises(SignerChanged):
        recorded(ALICE).check(distribution(), chain(credentials=(RUN,)))


def test_keys_are_not_missed_where_no_rule_asks_for_a_layout() -> None:
    pin = recorded(ALICE, identities=(WORKFLOW,))
    pin.check(distribution(), chain(BOB, credentials=(RUN,)), listed=False)
    stranger = replace(RUN, repository="evil/demo")
    with pytest.raises(SignerChanged):
        pin.check(distribution(), chain(credentials=(stranger,)), listed=False)


def test_a_repository_alone_names_nobody() -> None:
    # As an identity it would be every workflow of the repository.
    nameless = identity_of(replace(RUN, workflow=""))
    assert nameless == Identity(keyid="", issuer=GITHUB, subject=RUN.subject)


def test_somebody_without_a_workflow_is_known_by_their_subject() -> None:
    person = replace(RUN, issuer="https://id.example", subject="a@a.example", repository="")
    assert identity_of(person) == Identity(
        keyid="", issuer="https://id.example", subject="a@a.example"
    )
    assert identity_of(RUN) == WORKFLOW


# --- what is missing --------------------------------------------------------------------------


def test_somebody_elses_attestation_is_a_change_of_signer_with_both_shown() -> None:
    error = PIN.explained(
        RepositoryMismatch("Somebody with another repository signed", found="evil/demo"),
        distribution(),
    )
    assert isinstance(error, SignerChanged)
    assert "github:acme/demo:release.yml" in error.expected
    assert "evil/demo" in error.found
    assert "pylock.toml:7" in error.message
    assert "--first-use demo" in error.advice


@pytest.mark.parametrize("missing", [EvidenceMissing, LinkMissing, PredicateMissing])
def test_a_missing_attestation_is_one_or_a_downgrade(missing: type[EvidenceMissing]) -> None:
    only_pinned = replace(PIN, recorded=None)
    error = only_pinned.explained(missing("none", found="nothing"), distribution())
    assert type(error) is AttestationMissing
    assert "github:acme/demo:release.yml" in error.expected
    assert isinstance(PIN.explained(missing("none"), distribution()), EvidenceDowngrade)
    assert isinstance(PIN.explained(missing("none"), distribution("1.1")), EvidenceDowngrade)
    assert type(PIN.explained(missing("none"), distribution("0.9"))) is AttestationMissing


def test_a_downgrade_says_who_vouched_before() -> None:
    error = PIN.downgraded(EvidenceMissing("none", found="nothing there"), distribution("1.1"))
    assert isinstance(error, EvidenceDowngrade)
    assert "demo 1.0 came with evidence, and 1.1 comes with none" in error.message
    assert "github:acme/demo:release.yml" in error.expected
    assert error.found == "nothing there"


@pytest.mark.parametrize(
    ("pin", "version"),
    [
        (PIN, "0.9"),
        (replace(PIN, recorded=None), "1.0"),
        (Pin(recorded=Recorded(version="1.0")), "1.1"),
    ],
)
def test_where_there_was_none_before_nothing_is_lost(pin: Pin, version: str) -> None:
    error = EvidenceMissing("none")
    assert pin.downgraded(error, distribution(version)) is error


def test_everything_else_stays_what_it_is() -> None:
    for error in (SourceUnreachable("no answer"), LayoutExpired("expired")):
        assert PIN.explained(error, distribution()) is error
        assert PIN.downgraded(error, distribution()) is error


@pytest.mark.parametrize(
    ("version", "other", "older"),
    [
        ("0.9", "1.0", True),
        ("1.0rc1", "1.0", True),
        ("9", "10", True),
        ("1.0", "1.0.0", False),
        ("1!0.1", "5.0", False),
        ("1.1", "1.0", False),
        ("no version", "1.0", False),
        ("1.0", "no version", False),
    ],
)
def test_which_version_is_older(version: str, other: str, older: bool) -> None:
    assert is_older(version, other) is older
