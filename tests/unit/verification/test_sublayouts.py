"""Sublayouts (U) with thresholds, inspections, reports in their place, and parameters."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fixtures import openpgp
from fixtures.openpgp import OpenPGPKey
from pip_intoto.errors import (
    ArchiveAmbiguous,
    EvidenceError,
    EvidenceInvalid,
    InspectionFailed,
    InspectionNotAllowed,
    KeyRevoked,
    LayoutExpired,
    LayoutFeatureUnsupported,
    LinksDisagree,
    LinkThresholdUnmet,
    MetadataTooLarge,
    RuleViolated,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.verification.chain import wanted_names
from pip_intoto.verification.roots import root_layouts
from tests.unit.verification.authorities import SPIFFE, certify, constraint, listed, signed_with
from tests.unit.verification.supply import (
    BUILDER,
    NOW,
    OTHER_BUILDER,
    OWNER,
    PRODUCTS,
    SOURCES,
    STRANGER,
    TAGGER,
    VENDOR,
    WHEEL,
    FakeInspector,
    as_document,
    build_step,
    check,
    digests,
    document,
    ident,
    layout,
    passes,
    signing_key,
    tag_link,
    tag_step,
    trust,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import SigningKey
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.layout import Inspection
    from pip_intoto.verification.chain import Verified
    from pip_intoto.verification.record import Record

INNER = signing_key(20)
OTHER_INNER = signing_key(21)
SECOND_VENDOR = signing_key(22)
YESTERDAY = NOW.replace(day=NOW.day - 1)

#: Not a command that is known here, so that somebody else has to say what it found.
LOOK = authoring.inspection(
    "look",
    run=["./look", "at", "logs"],
    expected_materials=[["REQUIRE", "log"], ["ALLOW", "log"], ["DISALLOW", "*"]],
    expected_products=[["MATCH", "log", "WITH", "MATERIALS", "FROM", "look"], ["DISALLOW", "*"]],
)
LOG = {"log": digests("all is well")}


def inner_step(key: SigningKey = INNER, **changes: object) -> JsonObject:
    """Make the wheel out of the sources, in one step."""
    step = authoring.step(
        "make",
        functionaries=[key],
        expected_products=[["CREATE", "dist/demo-1.0*"], ["DISALLOW", "*"]],
    )
    return step | changes  # type: ignore[return-value]


def sublayout(
    *inspections: JsonObject, step: JsonObject | None = None, **changes: object
) -> JsonObject:
    return layout(
        step or inner_step(),
        keys=[INNER, OTHER_INNER],
        inspections=inspections,
        **changes,  # type: ignore[arg-type]
    )


def make_link(
    products: Mapping[str, Mapping[str, str]] = PRODUCTS, signer: SigningKey = INNER
) -> Document:
    return document(authoring.link("make", materials=SOURCES, products=products), signer)


def report(
    *signers: SigningKey,
    name: str = "look",
    artifacts: Mapping[str, Mapping[str, str]] = LOG,
    products: Mapping[str, Mapping[str, str]] | None = None,
) -> Document:
    """The link of an inspection, by the vendor unless somebody else is named."""
    link = authoring.link(
        name, materials=artifacts, products=artifacts if products is None else products
    )
    return document(link, *(signers or (VENDOR,)), origin="report")


def root(*, threshold: int = 1, functionaries: Iterable[SigningKey] = (VENDOR,)) -> Document:
    step = build_step(
        threshold=threshold,
        pubkeys=[key.keyid for key in functionaries],
        expected_products=[["CREATE", "dist/demo-1.0*.whl"], ["DISALLOW", "*"]],
    )
    keys = [TAGGER, BUILDER, OTHER_BUILDER, VENDOR, SECOND_VENDOR]
    return document(layout(tag_step(), step, keys=keys), OWNER, hint="root.layout")


def above(**changes: object) -> list[Document]:
    return [root(**changes), document(tag_link(), TAGGER)]  # type: ignore[arg-type]


def sub(payload: JsonObject, *signers: SigningKey) -> Document:
    return document(payload, *(signers or (VENDOR,)), origin="sub")


def vendor(*inspections: JsonObject) -> list[Document]:
    """A chain whose build step is the vendor's sublayout, with these inspections."""
    return [*above(), sub(sublayout(*inspections)), make_link()]


def build_link(signer: SigningKey = BUILDER) -> Document:
    link = authoring.link("build", materials=SOURCES, products=PRODUCTS)
    return document(link, signer, origin="plain link")


def notes(verified: Verified) -> list[str]:
    return [entry.detail for entry in verified.trace]


# --- thresholds ---------------------------------------------------------------------------------

BOTH = (VENDOR, SECOND_VENDOR)


@pytest.mark.accepts("U1", "T1")
def test_U1_sublayouts_of_two_functionaries_meet_a_threshold_of_two() -> None:
    documents = [
        *above(threshold=2, functionaries=BOTH),
        sub(sublayout()),
        sub(sublayout(readme="my own"), SECOND_VENDOR),
        make_link(),
    ]
    verified = check(documents)
    assert {f"key {key.keyid[:8]}" for key in BOTH} <= set(verified.functionaries)
    for missing in (2, 3):
        with pytest.raises(LinkThresholdUnmet):
            check([each for index, each in enumerate(documents) if index != missing])


@pytest.mark.accepts("U1", "T1")
def test_U1_one_sublayout_signed_by_two_functionaries_counts_for_both() -> None:
    twice = [*above(threshold=2, functionaries=BOTH), sub(sublayout(), *BOTH), make_link()]
    assert passes(twice)


@pytest.mark.rejects("U1", "T3")
def test_U1_two_sublayouts_of_one_functionary_count_once() -> None:
    documents = [
        *above(threshold=2, functionaries=BOTH),
        sub(sublayout()),
        sub(sublayout(readme="another one")),
        make_link(),
    ]
    with pytest.raises(LinkThresholdUnmet):
        check(documents)


@pytest.mark.accepts("U1", "T2")
def test_U1_a_sublayout_and_a_link_agree() -> None:
    functionaries = (VENDOR, BUILDER)
    documents = [*above(threshold=2, functionaries=functionaries), sub(sublayout()), make_link()]
    assert passes([*documents, build_link()])


@pytest.mark.rejects("U1", "T2")
def test_U1_a_sublayout_and_a_link_that_disagree_are_not_enough() -> None:
    functionaries = (VENDOR, BUILDER)
    documents = [*above(threshold=2, functionaries=functionaries), sub(sublayout()), build_link()]
    with pytest.raises(LinksDisagree):
        check([*documents, make_link({f"dist/{WHEEL}": digests("something else")})])


@pytest.mark.accepts("U1", "T1")
@pytest.mark.parametrize(
    "bad",
    [
        sublayout(expires=YESTERDAY),
        sublayout(LOOK),
        sublayout(step=inner_step(STRANGER)),
        sublayout(step=inner_step(expected_products=[["DISALLOW", "*"]])),
        sublayout(step=inner_step(expected_products=[["CREATE", "{NAME}"]])),
        sublayout(step=inner_step(name="never-done")),
        sublayout(steps=[]),
    ],
    ids=["expired", "not allowed", "not signed", "rule", "parameter", "no link", "no steps"],
)
def test_U1_a_bad_sublayout_is_one_link_less(bad: JsonObject) -> None:
    functionaries = (VENDOR, SECOND_VENDOR, BUILDER)
    two = [*above(threshold=2, functionaries=functionaries), make_link(), build_link()]
    documents = [*two, sub(bad), sub(sublayout(readme="a good one"), SECOND_VENDOR)]
    for order in itertools.islice(itertools.permutations(documents), 0, None, 97):
        assert passes(order)
    with pytest.raises(EvidenceInvalid) as caught:
        check([*two, sub(bad)])
    assert "step build" in caught.value.place


@pytest.mark.rejects("U1", "L3")
def test_U1_an_expired_sublayout_says_so() -> None:
    with pytest.raises(LayoutExpired) as caught:
        check([*above(), sub(sublayout(expires=YESTERDAY)), make_link()])
    assert "sub" in caught.value.found


@pytest.mark.rejects("U4")
def test_U4_a_sublayout_below_itself_under_another_signature_ends() -> None:
    """The same layout signed again, as a link of its own step."""
    step = inner_step(pubkeys=[VENDOR.keyid, SECOND_VENDOR.keyid])
    own = layout(step, keys=[VENDOR, SECOND_VENDOR])
    documents = [*above(), sub(own), sub(own, SECOND_VENDOR), sub(own, *BOTH)]
    with pytest.raises(LinkThresholdUnmet) as caught:
        check(documents)
    assert "step make" in caught.value.place


@pytest.mark.accepts("U4")
def test_U4_a_sublayout_may_stand_in_two_places() -> None:
    """Its links are the same, which is what it says itself."""
    steps = [
        build_step(
            name=name,
            pubkeys=[VENDOR.keyid],
            expected_materials=[],
            expected_products=[["ALLOW", "dist/demo-1.0*.whl"], ["DISALLOW", "*"]],
        )
        for name in ("first", "second")
    ]
    top = document(layout(*steps, keys=[VENDOR]), OWNER)
    verified = check([top, sub(sublayout()), make_link()])
    assert len(verified.links) == 2


# --- inspections --------------------------------------------------------------------------------


@pytest.mark.accepts("U3")
def test_U3_what_inspections_found_is_not_presented_above() -> None:
    unpack = authoring.inspection("unpack", run=["unzip", WHEEL])
    inspector = FakeInspector({WHEEL: digests("x"), "evil.py": digests("evil")})
    # The step above disallows everything but the wheel, in dist/.
    assert passes(vendor(unpack), inspector=inspector)
    assert inspector.asked == ["unpack"]


@pytest.mark.rejects("U3")
def test_U3_nothing_above_can_match_an_inspection_of_a_sublayout() -> None:
    from_look = [["MATCH", "*", "WITH", "PRODUCTS", "FROM", "look"], ["DISALLOW", "*"]]
    step = build_step(pubkeys=[VENDOR.keyid], expected_products=from_look)
    top = document(layout(tag_step(), step), OWNER)
    artifacts = {f"dist/{WHEEL}": PRODUCTS[f"dist/{WHEEL}"]}
    free: JsonObject = {**LOOK, "expected_materials": [], "expected_products": []}
    documents = [*vendor(free)[1:], report(artifacts=artifacts)]
    with pytest.raises(RuleViolated) as caught:
        check([top, *documents])
    assert caught.value.place == "step build, expected_products[1]"


@pytest.mark.rejects("U5", "V11")
def test_U5_rules_of_an_inspection_that_is_carried_out_are_applied() -> None:
    unpack = authoring.inspection("u", run=["unzip", WHEEL], expected_products=[["DISALLOW", "*"]])
    with pytest.raises(RuleViolated) as caught:
        check(vendor(unpack), inspector=FakeInspector())
    assert caught.value.place == "step build, sublayout sub: inspection u, expected_products[0]"


# --- U5: reports in the place of inspections ----------------------------------------------------


@pytest.mark.accepts("U5")
def test_U5_a_link_by_the_sublayouts_key_stands_in() -> None:
    documents = [*vendor(LOOK), report()]
    for inspector in (FakeInspector(), None):
        verified = check(documents, inspector=inspector)
        assert documents[-1].envelope.sha256 in verified.links
        said = (
            f"inspection look: reported, not seen here (report, signed by key {VENDOR.keyid[:8]})"
        )
        assert said in notes(verified)
        assert not any("no step here" in note for note in notes(verified))
        assert not isinstance(inspector, FakeInspector) or inspector.asked == []


@pytest.mark.rejects("U5")
def test_U5_without_a_link_the_command_would_have_to_run() -> None:
    for trusted in (trust(), trust(run_all_inspections=True)):
        with pytest.raises(InspectionNotAllowed) as caught:
            check(vendor(LOOK), inspector=FakeInspector(), trusted=trusted)
        assert "a link of it by whoever signed the sublayout" in caught.value.expected


@pytest.mark.rejects("U5")
@pytest.mark.parametrize("signer", [STRANGER, INNER, TAGGER, BUILDER, OWNER, SECOND_VENDOR])
def test_U5_a_link_by_anybody_else_does_not(signer: SigningKey) -> None:
    with pytest.raises(InspectionNotAllowed):
        check([*vendor(LOOK), report(signer)], inspector=FakeInspector())


@pytest.mark.rejects("U5", "N4")
@pytest.mark.parametrize("name", ["make", "tag", "Look", "look "])
def test_U5_a_link_of_another_name_does_not(name: str) -> None:
    with pytest.raises(InspectionNotAllowed):
        check([*vendor(LOOK), report(name=name)], inspector=FakeInspector())


@pytest.mark.rejects("U5")
def test_U5_a_link_whose_signature_does_not_verify_does_not() -> None:
    genuine, other = report(), report(artifacts={"log": digests("forged")})
    forged = replace(
        other, envelope=replace(other.envelope, signatures=genuine.envelope.signatures)
    )
    with pytest.raises(InspectionNotAllowed):
        check([*vendor(LOOK), forged], inspector=FakeInspector())


@pytest.mark.rejects("U5", "V11")
@pytest.mark.parametrize(
    ("found", "place"),
    [
        (report(artifacts={}), "expected_materials[0]"),
        (report(artifacts={**LOG, "evil": digests("evil")}), "expected_materials[2]"),
        (report(products={"log": digests("changed")}), "expected_products[1]"),
    ],
)
def test_U5_the_rules_are_applied_to_what_is_reported(found: Document, place: str) -> None:
    with pytest.raises(RuleViolated) as caught:
        check([*vendor(LOOK), found], inspector=FakeInspector())
    assert caught.value.place == f"step build, sublayout sub: inspection look, {place}"


@pytest.mark.accepts("U5")
def test_U5_several_links_that_differ_are_each_tried() -> None:
    bad = [report(artifacts={f"log-{number}": digests("old")}) for number in range(20)]
    for documents in (
        [*vendor(LOOK), *bad, report()],
        [*vendor(LOOK), report(), *bad],
        [report(), report(products={}), *vendor(LOOK), report(VENDOR, STRANGER)],
    ):
        assert passes(documents, inspector=FakeInspector())


@pytest.mark.accepts("U5")
def test_U5_reports_of_many_releases_find_each_other() -> None:
    """Inspections that refer to each other, thirty releases side by side."""
    second = authoring.inspection(
        "again",
        run=["./look", "again"],
        expected_materials=[["MATCH", "*", "WITH", "PRODUCTS", "FROM", "look"], ["DISALLOW", "*"]],
    )
    first: JsonObject = {**LOOK, "expected_products": [["ALLOW", "*"]]}
    logs = [{"log": digests(f"release {number}")} for number in range(30)]
    reports = [report(name=name, artifacts=log) for log in logs for name in ("look", "again")]
    assert passes([*vendor(first, second), *reports], inspector=FakeInspector())
    only = [report(artifacts=logs[0]), report(name="again", artifacts=logs[1])]
    with pytest.raises(RuleViolated):
        check([*vendor(first, second), *only], inspector=FakeInspector())


@pytest.mark.rejects("U5")
def test_U5_reports_are_tried_up_to_a_limit() -> None:
    bad = [report(artifacts={f"log-{number}": digests("old")}) for number in range(70)]
    with pytest.raises(MetadataTooLarge):
        check([*vendor(LOOK), *bad], inspector=FakeInspector())


@pytest.mark.rejects("U5")
def test_U5_a_link_never_stands_in_for_an_inspection_of_the_root_layout() -> None:
    top = document(layout(inspections=[LOOK]), OWNER)
    documents = [top, document(tag_link(), TAGGER), build_link()]
    for signer in (OWNER, BUILDER, TAGGER):
        with pytest.raises(InspectionNotAllowed) as caught:
            check([*documents, report(signer)], inspector=FakeInspector())
        assert "link" not in caught.value.expected


@pytest.mark.rejects("U5")
def test_U5_what_can_be_seen_here_is_not_taken_from_a_report() -> None:
    unpack: JsonObject = {**LOOK, "run": ["unzip", WHEEL]}
    inspector = FakeInspector()
    with pytest.raises(RuleViolated):
        check([*vendor(unpack), report()], inspector=inspector)
    assert inspector.asked == ["look"]
    listed = trust(allowed_commands=(("./look", "at", "logs"),))
    with pytest.raises(RuleViolated):
        check([*vendor(LOOK), report()], inspector=FakeInspector(), trusted=listed)


@pytest.mark.accepts("U5")
def test_U5_what_is_seen_here_is_not_spoilt_by_a_report() -> None:
    listed = trust(allowed_commands=(("./look", "at", "logs"),))
    bad = report(artifacts={"evil": digests("evil")})
    inspector = FakeInspector(materials=LOG)
    verified = check([*vendor(LOOK), bad], inspector=inspector, trusted=listed)
    assert inspector.asked == ["look"]
    assert not any("reported" in note for note in notes(verified))


class Failing(FakeInspector):
    """Finds the archive ambiguous."""

    def inspect(self, inspection: Inspection) -> Record:
        super().inspect(inspection)
        raise ArchiveAmbiguous("The archive has two readings")


@pytest.mark.rejects("U5", "I4")
def test_U5_an_inspection_that_fails_here_is_not_mended_by_a_report() -> None:
    unpack: JsonObject = {**LOOK, "run": ["unzip", WHEEL]}
    with pytest.raises(ArchiveAmbiguous):
        check([*vendor(unpack), report()], inspector=Failing())


@pytest.mark.accepts("U5")
def test_U5_an_inspection_of_another_file_is_reported() -> None:
    unpack: JsonObject = {**LOOK, "run": ["unzip", "part-of-it.zip"]}
    inspector = FakeInspector()
    inspector.unconcerned = {"look"}
    assert passes([*vendor(unpack), report()], inspector=inspector)
    assert inspector.asked == []


@pytest.mark.rejects("U5")
def test_U5_the_key_must_be_the_one_by_which_the_sublayout_counts() -> None:
    """Two signed the sublayout; who did not report the inspection does not count."""
    two = [*above(threshold=2, functionaries=BOTH), sub(sublayout(LOOK), *BOTH), make_link()]
    with pytest.raises(InspectionNotAllowed):
        check([*two, report()], inspector=FakeInspector())
    with pytest.raises(InspectionNotAllowed):
        check([*two, report(SECOND_VENDOR)], inspector=FakeInspector())


@pytest.mark.accepts("U5")
def test_U5_each_signer_of_a_sublayout_may_report_alone() -> None:
    two = [*above(threshold=2, functionaries=BOTH), sub(sublayout(LOOK), *BOTH), make_link()]
    assert passes([*two, report(), report(SECOND_VENDOR)], inspector=FakeInspector())
    assert passes([*two, report(*BOTH)], inspector=FakeInspector())
    # One of them is enough where the step needs one.
    one = [*above(functionaries=BOTH), *two[2:]]
    assert passes([*one, report()], inspector=FakeInspector())


@pytest.mark.rejects("U5")
def test_U5_a_revoked_key_reports_nothing() -> None:
    one = [*above(functionaries=BOTH), sub(sublayout(LOOK), *BOTH), make_link()]
    revoking = trust(revoked=frozenset({ident(SECOND_VENDOR)}))
    with pytest.raises(KeyRevoked):
        check([*one, report(SECOND_VENDOR)], inspector=FakeInspector(), trusted=revoking)
    assert passes([*one, report()], inspector=FakeInspector(), trusted=revoking)


@pytest.mark.accepts("U5")
def test_U5_reports_in_nested_sublayouts_are_by_the_inner_signer() -> None:
    middle = layout(inner_step(BUILDER, name="middle"), keys=[BUILDER])
    documents = [*above(), sub(middle), sub(sublayout(LOOK), BUILDER), make_link()]
    verified = check([*documents, report(BUILDER)], inspector=FakeInspector())
    assert any("reported, not seen here" in note for note in notes(verified))
    with pytest.raises(InspectionNotAllowed):
        check([*documents, report(VENDOR)], inspector=FakeInspector())


@pytest.mark.accepts("U5")
def test_U5_no_document_turns_a_pass_into_a_block_by_being_added() -> None:
    good = [*vendor(LOOK), report()]
    extras = [
        report(artifacts={}), report(STRANGER), report(INNER), report(name="make"),
        sub(sublayout()), sub(sublayout(expires=YESTERDAY)), sub(sublayout(LOOK), SECOND_VENDOR),
        document(authoring.link("look", products={}), STRANGER, VENDOR),
    ]  # fmt: skip
    for count in (1, 2):
        for extra in itertools.combinations(extras, count):
            assert passes([*good, *extra], inspector=FakeInspector())


@pytest.mark.rejects("U5")
def test_U5_no_document_turns_a_block_into_a_pass_by_being_removed() -> None:
    bad = [*vendor(LOOK), report(artifacts={}), report(STRANGER), report(INNER)]
    for index in range(len(bad)):
        with pytest.raises(EvidenceError):
            check([*bad[:index], *bad[index + 1 :]], inspector=FakeInspector())


@pytest.mark.accepts("U5", "U2", "N1")
def test_U5_the_directory_form_is_asked_for_reports() -> None:
    documents = [*above(), replace(sub(sublayout(LOOK)), hint=f"build.{VENDOR.keyid[:8]}.link")]
    (top,) = root_layouts(documents, trust(), NOW)
    names = wanted_names(top, documents, trust(), NOW)
    below = f"build.{VENDOR.keyid[:8]}"
    assert f"{below}/look.{VENDOR.keyid[:8]}.link" in names
    assert f"{below}/make.{INNER.keyid[:8]}.link" in names
    assert not any(name.startswith("look.") for name in names)
    # Never for the root layout.
    rooted = document(layout(inspections=[LOOK]), OWNER)
    (top,) = root_layouts([rooted], trust(), NOW)
    assert not any("look" in name for name in wanted_names(top, [rooted], trust(), NOW))


@pytest.mark.rejects("U5", "U4")
def test_U5_looking_for_reports_is_bounded() -> None:
    documents = [*vendor(LOOK), *(report(STRANGER, name=f"x{number}") for number in range(20))]
    with pytest.raises(MetadataTooLarge):
        check(documents, limits=replace(DEFAULT, chain_signature_checks=60))


@pytest.mark.accepts("U5", "K6")
def test_U5_K6_an_openpgp_key_reports_what_its_sublayout_asks_for() -> None:
    laptop, server = OpenPGPKey(name="laptop"), OpenPGPKey(name="server")
    master = OpenPGPKey(name="master", subkeys=(laptop, server))
    described = layout(tag_step(), build_step(pubkeys=[master.keyid]), keys=[TAGGER])
    described["keys"] |= {master.keyid: master.described()}  # type: ignore[operator]
    looked = authoring.link("look", materials=LOG, products=LOG)
    for signer, another in ((master, laptop), (laptop, server), (laptop, master)):
        documents = [
            document(described, OWNER),
            document(tag_link(), TAGGER),
            as_document(openpgp.sign(sublayout(LOOK), [signer])),
            make_link(),
        ]
        assert passes([*documents, as_document(openpgp.sign(looked, [signer]))])
        # "the same key"
        with pytest.raises(InspectionNotAllowed):
            check([*documents, as_document(openpgp.sign(looked, [another]))])


@pytest.mark.accepts("U5", "X1")
def test_U5_X1_the_holder_of_a_certificate_reports_what_the_sublayout_asks_for() -> None:
    authority = certify("root", authority=True)
    holder, another = (certify(by=authority, uris=[SPIFFE]) for _ in range(2))
    asking = build_step(pubkeys=[], cert_constraints=[constraint(uris=[SPIFFE])])
    documents = [
        document(layout(tag_step(), asking, rootcas=listed(aa=authority)), OWNER),
        document(tag_link(), TAGGER),
        signed_with(sublayout(LOOK), holder),
        make_link(),
    ]
    looked = authoring.link("look", materials=LOG, products=LOG)
    # With or without the certificate: the key is the same.
    assert passes([*documents, signed_with(looked, holder)])
    assert passes([*documents, document(looked, holder.signing_key)])
    with pytest.raises(InspectionNotAllowed):
        check([*documents, signed_with(looked, another)])


def test_an_inspection_of_another_file_without_a_report_fails_as_it_ever_did() -> None:
    class Elsewhere(FakeInspector):
        def inspect(self, inspection: Inspection) -> Record:
            raise InspectionFailed("The inspection unpacks another file", found=inspection.name)

    inspector = Elsewhere()
    inspector.unconcerned = {"look"}
    unpack: JsonObject = {**LOOK, "run": ["unzip", "part-of-it.zip"]}
    with pytest.raises(InspectionFailed):
        check(vendor(unpack), inspector=inspector)


# --- parameters ---------------------------------------------------------------------------------

PARAMETRISED = inner_step(
    expected_products=[["CREATE", "dist/demo-{VERSION}-*"], ["DISALLOW", "*"]]
)


@pytest.mark.rejects("Q1")
def test_Q1_parameters_do_not_flow_into_sublayouts_by_themselves() -> None:
    documents = [*above(), sub(sublayout(step=PARAMETRISED)), make_link()]
    for parameters in ({}, {"VERSION": "1.0"}):
        with pytest.raises(LayoutFeatureUnsupported) as caught:
            check(documents, trusted=trust(parameters=parameters))
        assert "parameters-in-sublayouts" in caught.value.advice
        assert caught.value.place == "step build, sublayout sub: steps[0].expected_products[0]"


@pytest.mark.accepts("Q1")
def test_Q1_parameters_flow_into_sublayouts_where_that_is_trusted() -> None:
    trusted = trust(parameters={"VERSION": "1.0"}, parameters_in_sublayouts=True)
    assert passes([*above(), sub(sublayout(step=PARAMETRISED)), make_link()], trusted=trusted)
    other = trust(parameters={"VERSION": "2.0"}, parameters_in_sublayouts=True)
    with pytest.raises(RuleViolated):
        check([*above(), sub(sublayout(step=PARAMETRISED)), make_link()], trusted=other)


@pytest.mark.rejects("Q2")
def test_Q2_a_parameter_of_a_sublayout_needs_a_value() -> None:
    trusted = trust(parameters={"NAME": "demo"}, parameters_in_sublayouts=True)
    with pytest.raises(LayoutFeatureUnsupported) as caught:
        check([*above(), sub(sublayout(step=PARAMETRISED)), make_link()], trusted=trusted)
    assert "VERSION" in caught.value.message


@pytest.mark.rejects("Q3")
def test_Q3_values_are_literal_in_sublayouts_too() -> None:
    trusted = trust(parameters={"VERSION": "*"}, parameters_in_sublayouts=True)
    with pytest.raises(RuleViolated):
        check([*above(), sub(sublayout(step=PARAMETRISED)), make_link()], trusted=trusted)


@pytest.mark.accepts("Q1")
def test_Q1_a_brace_between_brackets_is_no_parameter() -> None:
    step = inner_step(
        expected_products=[["DISALLOW", "[{]VERSION}"], ["CREATE", "*"], ["DISALLOW", "*"]]
    )
    assert passes([*above(), sub(sublayout(step=step)), make_link()])


@pytest.mark.accepts("U5", "Q1")
def test_U5_Q1_a_command_with_parameters_is_what_the_policy_lists() -> None:
    inspection = authoring.inspection("look", run=["./check", "{VERSION}"])
    trusted = trust(
        parameters={"VERSION": "1.0"},
        parameters_in_sublayouts=True,
        allowed_commands=(("./check", "1.0"),),
    )
    inspector = FakeInspector()
    assert passes(vendor(inspection), inspector=inspector, trusted=trusted)
    assert inspector.asked == ["look"]
    with pytest.raises(InspectionNotAllowed):
        check(
            vendor(inspection),
            inspector=inspector,
            trusted=replace(trusted, parameters_in_sublayouts=False),
        )
