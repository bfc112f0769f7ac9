"""Chains as reports draw them: every station of one that holds, and where others broke."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import (
    ArtifactDigestMismatch,
    ArtifactNotBound,
    EvidenceError,
    InspectionFailed,
    InspectionNotAllowed,
    KeyRevoked,
    LayoutExpired,
    LayoutNotForProject,
    LayoutSignatureMissing,
    LinkMissing,
    LinksDisagree,
    LinkThresholdUnmet,
    MetadataTooLarge,
    RuleViolated,
    SourceUnreachable,
)
from pip_intoto.limits import Limits
from pip_intoto.maintainer import authoring
from pip_intoto.verdict import Outcome
from pip_intoto.verification.chain import survey
from pip_intoto.verification.roots import root_layouts
from tests.unit.verification.supply import (
    BUILDER,
    EXPIRES,
    FROM_TAG,
    NOW,
    OTHER_BUILDER,
    OWNER,
    PRODUCTS,
    SOURCES,
    STRANGER,
    SUBJECT,
    TAGGER,
    VENDOR,
    WHEEL,
    FakeInspector,
    build_link,
    build_step,
    check,
    digests,
    document,
    ident,
    layout,
    sha256,
    tag_link,
    tag_step,
    trust,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.layout import Inspection
    from pip_intoto.verdict import Station, SupplyChain
    from pip_intoto.verification.record import Record

OK, NOTE, FAIL = Outcome.OK, Outcome.NOTE, Outcome.FAIL
LOOK = authoring.inspection(
    "look",
    run=["unzip", WHEEL],
    expected_materials=[
        ["MATCH", "*", "WITH", "PRODUCTS", "IN", "dist", "FROM", "release"],
        ["DISALLOW", "*"],
    ],
    expected_products=[["ALLOW", "*"]],
)
LAST = authoring.inspection("last", run=["true"])
ANOTHER = replace(SUBJECT, sha256=sha256("another"))


def release_step(**changes: object) -> JsonObject:
    """Describe a third step, which passes the wheel on."""
    step = authoring.step(
        "release",
        functionaries=[VENDOR],
        expected_materials=[["MATCH", "*", "WITH", "PRODUCTS", "FROM", "build"]],
        expected_products=[
            ["MATCH", "*", "WITH", "MATERIALS", "FROM", "release"],
            ["DISALLOW", "*"],
        ],
    )
    return step | changes  # type: ignore[return-value]


def release_link(**changes: object) -> JsonObject:
    """Report the third step."""
    link = authoring.link("release", materials=PRODUCTS, products=PRODUCTS)
    return link | changes  # type: ignore[return-value]


def documents(
    *without: str,
    steps: tuple[JsonObject, ...] = (),
    inspections: tuple[JsonObject, ...] = (),
    links: Mapping[str, JsonObject] = MappingProxyType({}),
) -> list[Document]:
    """Give a chain of three steps, some of its links replaced or left out."""
    root = layout(*(steps or (tag_step(), build_step(), release_step())), inspections=inspections)
    made = {"tag": (tag_link(), TAGGER), "build": (build_link(), BUILDER)}
    made["release"] = (release_link(), VENDOR)
    return [document(root, OWNER, origin="root")] + [
        document(links.get(name, link), signer, origin=f"{name} link")
        for name, (link, signer) in made.items()
        if name not in without
    ]


def broken(kind: type[EvidenceError], found: list[Document], **how: object) -> SupplyChain:
    """Verify what must fail, and give the chain as it was drawn."""
    with pytest.raises(kind) as raised:
        check(found, **how)  # type: ignore[arg-type]
    assert raised.value.chain is not None
    return raised.value.chain


def outcomes(chain: SupplyChain) -> list[tuple[str, Outcome]]:
    return [(station.name, station.outcome) for station in chain.stations]


def at(chain: SupplyChain, name: str) -> Station:
    return next(station for station in chain.stations if station.name == name)


def so(*how: Outcome, names: str = "tag build release") -> list[tuple[str, Outcome]]:
    return list(zip(names.split(), how, strict=True))


# --- chains that hold -----------------------------------------------------------------------


def test_a_chain_that_holds_has_every_step_with_who_counts_and_what_flowed() -> None:
    found = documents()
    chain = check(found).chain
    assert outcomes(chain) == so(OK, OK, OK)
    tag, build, release = chain.stations
    assert tag.functionaries == (f"key {TAGGER.keyid[:8]}",)
    assert (tag.wanted, tag.materials, tag.products) == (1, 0, len(SOURCES))
    assert (build.materials, build.products) == (len(SOURCES), len(SOURCES) + 1)
    assert [each.feeds for each in chain.stations] == [(), ("tag",), ("build",)]
    assert not any(each.is_inspection or each.detail for each in chain.stations)
    assert release.functionaries == (f"key {VENDOR.keyid[:8]}",)


def test_a_chain_that_holds_names_its_layout_owners_documents_and_where_the_file_is() -> None:
    found = documents()
    chain = check(found).chain
    assert chain.layout_sha256 == found[0].envelope.sha256
    assert chain.documents == tuple(each.envelope.sha256 for each in found[1:])
    assert chain.owners == (f"owner {OWNER.keyid[:4]}",)
    assert chain.expires == EXPIRES
    assert chain.binding == "step release, products"


def test_without_a_file_a_chain_says_nothing_of_where_it_is() -> None:
    assert check(documents(), subject=None).chain.binding == ""


def test_inspections_are_stations_with_what_they_found() -> None:
    found = documents(inspections=(LOOK,))
    inspector = FakeInspector({WHEEL: PRODUCTS[f"dist/{WHEEL}"], "demo.py": digests("x")})
    chain = check(found, inspector=inspector).chain
    assert outcomes(chain)[-1] == ("look", OK)
    look = chain.stations[-1]
    assert look.is_inspection
    assert (look.functionaries, look.wanted) == ((), 0)
    assert (look.materials, look.products) == (1, 2)
    assert look.feeds == ("release",)
    assert chain.binding == "inspection look"


def test_only_those_who_report_the_same_count_for_a_station() -> None:
    step = build_step(
        threshold=1, pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid], expected_materials=FROM_TAG
    )
    found = documents(steps=(tag_step(), step, release_step()))
    dissent = build_link(products={f"dist/{WHEEL}": digests("evil")})
    found.append(document(dissent, OTHER_BUILDER))
    chain = check(found).chain
    assert at(chain, "build").functionaries == (f"key {BUILDER.keyid[:8]}",)
    assert found[-1].envelope.sha256 not in chain.documents


# --- links ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tag", so(FAIL, NOTE, OK)),
        ("build", so(OK, FAIL, NOTE)),
        ("release", so(OK, OK, FAIL)),
    ],
)
def test_a_missing_link_breaks_the_chain_at_its_step(
    name: str, expected: list[tuple[str, Outcome]]
) -> None:
    chain = broken(LinkMissing, documents(name))
    assert outcomes(chain) == expected
    station = at(chain, name)
    assert station.functionaries == ()
    assert (station.materials, station.products) == (None, None)
    assert name in station.detail
    assert chain.binding == ""
    assert len(chain.documents) == 2


def test_what_refers_to_a_missing_step_was_not_looked_at_and_says_so() -> None:
    chain = broken(LinkMissing, documents("build"))
    assert at(chain, "release").detail == "its rules were not looked at: they refer to build"
    assert at(chain, "release").functionaries == (f"key {VENDOR.keyid[:8]}",)


def test_each_missing_link_is_a_break() -> None:
    chain = broken(LinkMissing, documents("build", "release"))
    assert outcomes(chain) == so(OK, FAIL, FAIL)
    assert at(chain, "release").detail == "links that count: 0 of 1 needed"


def test_a_layout_alone_is_drawn_without_anything_that_counts() -> None:
    chain = broken(LinkMissing, documents("tag", "build", "release"))
    assert outcomes(chain) == so(FAIL, FAIL, FAIL)
    assert chain.documents == ()


def two_builders() -> tuple[JsonObject, ...]:
    keyids = [BUILDER.keyid, OTHER_BUILDER.keyid]
    return tag_step(), build_step(threshold=2, pubkeys=keyids), release_step()


def test_too_few_signatures_break_the_chain_where_they_lack_and_say_who_signed() -> None:
    chain = broken(LinkThresholdUnmet, documents(steps=two_builders()))
    assert outcomes(chain) == so(OK, FAIL, NOTE)
    build = at(chain, "build")
    assert build.functionaries == (f"key {BUILDER.keyid[:8]}",)
    assert (build.wanted, build.products) == (2, len(SOURCES) + 1)


def test_those_who_disagree_break_the_chain_at_their_step() -> None:
    found = documents(steps=two_builders())
    other = build_link(products={f"dist/{WHEEL}": digests("another")})
    chain = broken(LinksDisagree, [*found, document(other, OTHER_BUILDER)])
    assert outcomes(chain) == so(OK, FAIL, NOTE)
    assert len(at(chain, "build").functionaries) == 2
    # What of it is true nobody knows.
    assert at(chain, "build").products is None


def test_a_second_step_of_those_who_disagree_says_so() -> None:
    found = documents("tag", steps=two_builders())
    other = build_link(products={f"dist/{WHEEL}": digests("another")})
    chain = broken(LinkMissing, [*found, document(other, OTHER_BUILDER)])
    assert outcomes(chain) == so(FAIL, FAIL, NOTE)
    assert at(chain, "build").detail == "those who signed report different results"


def test_a_revoked_key_breaks_the_chain_at_its_step_and_does_not_count() -> None:
    trusted = trust(revoked=frozenset({ident(BUILDER)}))
    chain = broken(KeyRevoked, documents(), trusted=trusted)
    assert outcomes(chain) == so(OK, FAIL, NOTE)
    assert at(chain, "build").functionaries == ()


def test_a_stranger_is_not_in_the_chain() -> None:
    found = documents("build")
    chain = broken(EvidenceError, [*found, document(build_link(), STRANGER, hint="build.link")])
    assert outcomes(chain) == so(OK, FAIL, NOTE)
    assert STRANGER.keyid[:8] not in repr(chain)


def test_a_sublayout_that_fails_breaks_the_chain_at_the_step_that_it_stands_for() -> None:
    # Its own step is called as a step of the root layout that holds.
    inner = layout(tag_step(pubkeys=[STRANGER.keyid]), keys=[STRANGER])
    found = documents("build")
    found.append(document(inner, BUILDER, origin="sublayout"))
    found.append(document(tag_link(materials=SOURCES), STRANGER, origin="inner link"))
    chain = broken(RuleViolated, found)
    assert outcomes(chain) == so(OK, FAIL, NOTE)
    assert "The step tag used" in at(chain, "build").detail


# --- rules ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ({"tag": tag_link(materials=SOURCES)}, so(FAIL, OK, OK)),
        ({"build": build_link(materials={"evil.py": digests("evil")})}, so(OK, FAIL, OK)),
        (
            {"release": release_link(products={**PRODUCTS, "evil": digests("evil")})},
            so(OK, OK, FAIL),
        ),
    ],
)
def test_a_violated_rule_breaks_the_chain_at_its_step(
    links: dict[str, JsonObject], expected: list[tuple[str, Outcome]]
) -> None:
    chain = broken(RuleViolated, documents(links=links))
    assert outcomes(chain) == expected
    station = next(each for each in chain.stations if each.outcome is FAIL)
    assert "which `DISALLOW *` in the layout forbids" in station.detail
    assert len(chain.documents) == 3


def test_inspections_behind_a_violated_rule_were_not_looked_at() -> None:
    found = documents(inspections=(LOOK,), links={"tag": tag_link(materials=SOURCES)})
    chain = broken(RuleViolated, found, inspector=FakeInspector())
    assert outcomes(chain)[-1] == ("look", NOTE)
    assert chain.stations[-1].detail == "not looked at"
    assert chain.stations[-1].materials is None


# --- inspections ----------------------------------------------------------------------------


NAMES = "tag build release look last"


def test_what_an_inspection_finds_breaks_the_chain_there() -> None:
    strict = LOOK | {"expected_products": [["DISALLOW", "evil.py"]]}
    found = documents(inspections=(strict, LAST))
    inspector = FakeInspector({"evil.py": digests("evil")})
    chain = broken(RuleViolated, found, inspector=inspector)
    assert outcomes(chain) == so(OK, OK, OK, FAIL, OK, names=NAMES)
    assert "evil.py" in at(chain, "look").detail
    assert at(chain, "look").products == 1


def test_another_file_of_the_name_breaks_the_chain_at_the_inspection() -> None:
    inspector = FakeInspector(materials={WHEEL: digests("another")})
    found = documents(inspections=(LOOK, LAST))
    chain = broken(ArtifactDigestMismatch, found, inspector=inspector, subject=ANOTHER)
    assert outcomes(chain) == so(OK, OK, OK, FAIL, OK, names=NAMES)


def test_without_a_file_the_chain_breaks_at_the_first_inspection() -> None:
    chain = broken(InspectionFailed, documents(inspections=(LOOK, LAST)))
    assert outcomes(chain) == so(OK, OK, OK, FAIL, NOTE, names=NAMES)


def test_a_command_that_may_not_run_breaks_the_chain_there() -> None:
    command = LOOK | {"run": ["sh", "-c", "true"]}
    found = documents(inspections=(LAST, command))
    chain = broken(InspectionNotAllowed, found, inspector=FakeInspector())
    assert outcomes(chain) == so(OK, OK, OK, OK, FAIL, names="tag build release last look")


def test_a_file_that_cannot_be_fetched_breaks_the_chain_at_its_inspection() -> None:
    class Unreachable(FakeInspector):
        def inspect(self, inspection: Inspection) -> Record:
            raise SourceUnreachable("the file could not be fetched", found=inspection.name)

    chain = broken(SourceUnreachable, documents(inspections=(LOOK,)), inspector=Unreachable())
    assert outcomes(chain) == so(OK, OK, OK, FAIL, names="tag build release look")


# --- the file -------------------------------------------------------------------------------


def test_another_file_than_the_chain_made_breaks_it_at_the_step_that_binds() -> None:
    chain = broken(ArtifactDigestMismatch, documents(), subject=ANOTHER)
    assert outcomes(chain) == so(OK, OK, FAIL)
    assert chain.binding == ""


def test_a_step_that_the_policy_names_is_where_the_chain_breaks() -> None:
    chain = broken(
        ArtifactDigestMismatch, documents(), subject=ANOTHER, trusted=trust(binds="build")
    )
    assert outcomes(chain) == so(OK, FAIL, OK)


def test_a_file_that_the_chain_does_not_know_breaks_it_at_the_step_that_binds() -> None:
    other = replace(SUBJECT, filename="other-1.0-py3-none-any.whl")
    assert outcomes(broken(ArtifactNotBound, documents(), subject=other)) == so(OK, OK, FAIL)


def test_a_layout_for_no_project_breaks_where_the_file_is() -> None:
    chain = broken(LayoutNotForProject, documents(), trusted=trust(shared_keys=True))
    assert outcomes(chain) == so(OK, OK, FAIL)
    found = documents(inspections=(LOOK, LAST))
    trusted = trust(shared_keys=True)
    chain = broken(LayoutNotForProject, found, inspector=FakeInspector(), trusted=trusted)
    assert outcomes(chain) == so(OK, OK, OK, FAIL, OK, names=NAMES)


def test_a_step_that_the_layout_does_not_have_breaks_no_station() -> None:
    chain = broken(ArtifactNotBound, documents(), trusted=trust(binds="publish"))
    assert outcomes(chain) == so(OK, OK, OK)
    assert chain.binding == ""


# --- choices, and limits --------------------------------------------------------------------


def test_of_several_releases_the_one_that_the_error_is_about_is_drawn() -> None:
    other_wheel = {f"dist/{WHEEL}": digests("the wheel of another release")}
    found = documents("release")
    found.append(document(build_link(products=other_wheel), BUILDER, origin="other build"))
    link = release_link(materials=other_wheel, products={**other_wheel, "x": digests("x")})
    found.append(document(link, VENDOR, origin="other release"))
    chain = broken(RuleViolated, found)
    assert outcomes(chain) == so(OK, OK, FAIL)
    assert found[-1].envelope.sha256 in chain.documents
    # The likeliest build is the one of the file, though the only release is not its own.
    assert found[2].envelope.sha256 in chain.documents


def test_when_the_work_is_too_much_the_rules_that_were_not_checked_are_no_success() -> None:
    chain = broken(MetadataTooLarge, documents(), limits=Limits(pattern_matches=8))
    assert OK not in {station.outcome for station in chain.stations[1:]}


def test_when_nothing_was_looked_at_every_station_says_so() -> None:
    chain = broken(MetadataTooLarge, documents(), limits=Limits(chain_signature_checks=1))
    assert outcomes(chain) == so(NOTE, NOTE, NOTE)
    assert {station.detail for station in chain.stations} == {"not looked at"}


# --- layouts that are not believed ----------------------------------------------------------


def test_a_layout_that_has_expired_is_not_drawn() -> None:
    with pytest.raises(LayoutExpired) as raised:
        check(documents(), now=EXPIRES + timedelta(seconds=1))
    assert raised.value.chain is None


def test_a_layout_whose_expiry_is_waived_is_drawn_with_its_date() -> None:
    trusted = trust(waived=frozenset({LayoutExpired.code}))
    assert (
        check(documents(), trusted=trusted, now=EXPIRES + timedelta(days=9)).chain.expires
        == EXPIRES
    )


def test_a_layout_that_no_owner_signed_is_not_drawn() -> None:
    with pytest.raises(LayoutSignatureMissing) as raised:
        check(documents(), trusted=trust(STRANGER))
    assert raised.value.chain is None


def test_of_several_layouts_the_one_that_the_error_is_about_is_drawn() -> None:
    found = documents("build")
    lasts_longer = layout(
        tag_step(threshold=2, pubkeys=[TAGGER.keyid, VENDOR.keyid]),
        build_step(),
        expires=EXPIRES + timedelta(days=1),
    )
    found.append(document(lasts_longer, OWNER))
    chain = broken(LinkThresholdUnmet, found)
    assert chain.layout_sha256 == found[-1].envelope.sha256
    assert outcomes(chain) == so(FAIL, FAIL, names="tag build")


def test_the_survey_is_of_the_same_layout() -> None:
    found = documents("build")
    chain = broken(LinkMissing, found)
    root = root_layouts(found, trust(), NOW)[0]
    assert chain.layout_sha256 == root.sha256
    failed = {e.what for e in survey(root, found, trust(), NOW) if e.outcome is FAIL}
    assert failed == {f"step {each.name}" for each in chain.stations if each.outcome is FAIL}
