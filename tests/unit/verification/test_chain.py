"""The workflow (V1 to V12), steps (S), thresholds (T), names (N), inspections (I), sublayouts (U).

L3 and H2 are here as far as expiry goes.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import (
    EvidenceInvalid,
    EvidenceMissing,
    InspectionFailed,
    InspectionNotAllowed,
    KeyRevoked,
    LayoutExpired,
    LayoutFeatureUnsupported,
    LayoutNotForProject,
    LayoutSignatureMissing,
    LinkMissing,
    LinksDisagree,
    LinkThresholdUnmet,
    MetadataMalformed,
    MetadataTooLarge,
    RuleViolated,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.verdict import Outcome
from pip_intoto.verification.chain import survey, verify_chain, wanted_names
from pip_intoto.verification.link_names import link_names
from pip_intoto.verification.roots import root_layouts
from tests.unit.verification.supply import (
    ALL_CREATED,
    BUILDER,
    EXPIRES,
    FROM_TAG,
    NOW,
    ONE_WHEEL,
    OTHER_BUILDER,
    OWNER,
    PRODUCTS,
    SECOND_OWNER,
    SOURCES,
    STRANGER,
    SUBJECT,
    TAGGER,
    THIRD_BUILDER,
    VENDOR,
    WHEEL,
    FakeInspector,
    as_document,
    build_link,
    build_step,
    chain,
    check,
    digests,
    document,
    ident,
    layout,
    passes,
    public,
    sha256,
    signing_key,
    tag_link,
    tag_step,
    trust,
)

if TYPE_CHECKING:
    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.bundle import Document

TWO_OF_THREE = build_step(
    threshold=2, pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid, THIRD_BUILDER.keyid]
)
OTHER_PRODUCTS = {f"dist/{WHEEL}": digests("another wheel")}


def with_builds(step: JsonObject, *builds: Document) -> list[Document]:
    """The chain with this build step, and these documents for it."""
    return [
        document(layout(tag_step(), step), OWNER),
        document(tag_link(), TAGGER),
        *builds,
    ]


def build(*signers: object, **link: object) -> Document:
    return document(build_link(**link), *signers)  # type: ignore[arg-type]


# --- the whole ----------------------------------------------------------------------------------


@pytest.mark.parametrize("envelope", list(Envelope))
def test_a_good_chain_verifies_and_says_what_it_rests_on(envelope: Envelope) -> None:
    documents = chain(envelope=envelope)
    verified = check(documents)
    assert verified.layout_sha256 == documents[0].envelope.sha256
    assert verified.links == tuple(found.envelope.sha256 for found in documents[1:])
    assert verified.functionaries == tuple(
        sorted(f"key {key.keyid[:8]}" for key in (TAGGER, BUILDER))
    )
    assert verified.binding is not None
    assert verified.binding.artifact == f"dist/{WHEEL}"
    assert [entry.what for entry in verified.trace] == [
        "layout",
        "step tag",
        "step build",
        "binding",
    ]
    assert {entry.outcome for entry in verified.trace} == {Outcome.OK}


def test_order_means_nothing_and_repetition_counts_once() -> None:
    documents = chain()
    assert check(documents[::-1] + documents).links == check(documents).links[::-1][::-1]


def test_without_a_subject_nothing_is_bound() -> None:
    assert check(chain(), subject=None).binding is None


def test_no_evidence_is_missing_not_invalid() -> None:
    with pytest.raises(EvidenceMissing):
        check([])


# --- V1: layout signatures ----------------------------------------------------------------------


@pytest.mark.accepts("V1", "L9")
def test_V1_accepts_a_layout_signed_by_all_owners_asked_for() -> None:
    documents = chain()
    documents[0] = document(layout(), OWNER, SECOND_OWNER)
    verified = check(documents, trusted=trust(OWNER, SECOND_OWNER))
    assert len(verified.signed_by) == 2


@pytest.mark.rejects("V1", "L9")
def test_V1_rejects_a_layout_that_an_owner_did_not_sign() -> None:
    with pytest.raises(LayoutSignatureMissing) as caught:
        check(chain(), trusted=trust(OWNER, SECOND_OWNER))
    assert " and " in caught.value.expected
    assert check(chain(), trusted=trust(OWNER, SECOND_OWNER, threshold=1)).signed_by


@pytest.mark.rejects("V1")
def test_V1_rejects_a_layout_signed_by_a_stranger() -> None:
    documents = chain()
    documents[0] = document(layout(), STRANGER)
    with pytest.raises(LayoutSignatureMissing):
        check(documents)


@pytest.mark.rejects("V1")
def test_V1_rejects_a_layout_changed_after_it_was_signed() -> None:
    content = authoring.sign(layout(), [OWNER], Envelope.METABLOCK)
    content["signed"]["readme"] = "changed"  # type: ignore[index, call-overload]
    with pytest.raises(LayoutSignatureMissing):
        check([as_document(content), *chain()[1:]])


@pytest.mark.rejects("V1", "L9")
def test_V1_trusting_nobody_accepts_nothing() -> None:
    nobody = replace(trust(), owners=(), threshold=0)
    with pytest.raises(LayoutSignatureMissing):
        check(chain(), trusted=nobody)
    unsigned = as_document({**authoring.sign(layout(), [OWNER]), "signatures": []})
    with pytest.raises(LayoutSignatureMissing):
        check([unsigned, *chain()[1:]], trusted=replace(trust(), threshold=0))


@pytest.mark.rejects("V1", "L1")
def test_V1_a_link_that_an_owner_signed_is_no_layout() -> None:
    with pytest.raises(LayoutSignatureMissing):
        check([document(tag_link(), OWNER)])


@pytest.mark.accepts("V1")
@pytest.mark.rejects("V1")
def test_V1_owners_of_one_principal_count_once() -> None:
    documents = chain()
    documents[0] = document(layout(), OWNER, SECOND_OWNER)
    both = trust(OWNER, SECOND_OWNER)
    one_party = replace(both, owners=tuple(replace(o, principal="alice") for o in both.owners))
    with pytest.raises(LayoutSignatureMissing):
        check(documents, trusted=one_party)
    assert passes(documents, trusted=replace(one_party, threshold=1))


def test_V1_a_pinned_layout_is_the_only_one() -> None:
    documents = chain()
    pin = documents[0].envelope.sha256
    assert passes(documents, trusted=trust(layout_sha256=(pin,)))
    with pytest.raises(LayoutNotForProject):
        check(documents, trusted=trust(layout_sha256=("0" * 64,)))


def test_V1_a_revoked_owner_does_not_count() -> None:
    revoked = trust(revoked=frozenset({ident(OWNER)}))
    with pytest.raises(KeyRevoked):
        check(chain(), trusted=revoked)
    documents = chain()
    documents[0] = document(layout(), OWNER, SECOND_OWNER)
    rest = trust(OWNER, SECOND_OWNER, threshold=1, revoked=frozenset({ident(OWNER)}))
    assert check(documents, trusted=rest).signed_by == (f"owner {SECOND_OWNER.keyid[:4]}",)


# --- V2, L3, H2: expiry ---------------------------------------------------------------------------


@pytest.mark.accepts("V2", "L3")
@pytest.mark.parametrize("early", [timedelta(0), timedelta(seconds=1), timedelta(days=9)])
def test_V2_L3_accepts_until_the_second_it_names(early: timedelta) -> None:
    assert passes(chain(), now=EXPIRES - early)


@pytest.mark.rejects("V2", "L3")
@pytest.mark.parametrize("late", [timedelta(microseconds=1), timedelta(seconds=1)])
def test_V2_L3_rejects_after_it(late: timedelta) -> None:
    with pytest.raises(LayoutExpired) as caught:
        check(chain(), now=EXPIRES + late)
    assert "2026-12-21T12:00:00Z" in caught.value.found


@pytest.mark.accepts("H2")
@pytest.mark.parametrize("expires", ["2027-01-01T00:00:00Z", "2999-12-31T23:59:59Z"])
def test_H2_accepts_dates_of_the_one_form(expires: str) -> None:
    assert passes(chain(root=layout(expires=EXPIRES) | {"expires": expires}))


@pytest.mark.rejects("L3", "H2")
@pytest.mark.parametrize(
    "expires",
    ["", None, "2027-01-01", "2027-01-01T00:00:00", "2027-01-01T00:00:00+00:00", 1798761600],
)
def test_L3_H2_rejects_all_other_dates(expires: object) -> None:
    root = layout()
    root["expires"] = expires  # type: ignore[assignment]
    with pytest.raises(MetadataMalformed):
        check(chain(root=root))


@pytest.mark.rejects("L3")
def test_L3_rejects_a_layout_without_expiry() -> None:
    root = layout()
    del root["expires"]
    for envelope in Envelope:
        with pytest.raises(MetadataMalformed):
            check(chain(root=root, envelope=envelope))


def test_V2_an_exception_may_waive_expiry_and_nothing_else() -> None:
    waived = trust(waived=frozenset({"layout-expired"}))
    late = EXPIRES + timedelta(days=1)
    verified = check(chain(), trusted=waived, now=late)
    assert "which an exception waives" in verified.trace[0].detail
    with pytest.raises(EvidenceInvalid):
        check(chain()[:2], trusted=waived, now=late)


def test_V2_a_newer_layout_is_found_beside_an_expired_one() -> None:
    old = document(layout(expires=NOW - timedelta(days=1)), OWNER)
    verified = check([old, *chain()])
    assert verified.layout_sha256 != old.envelope.sha256
    assert any("has expired" in entry.detail for entry in verified.trace)


# --- V3 -------------------------------------------------------------------------------------------


def parametrised() -> list[Document]:
    step = build_step(
        expected_products=[*FROM_TAG[:1], ["CREATE", "dist/demo-{VERSION}-*"], ["DISALLOW", "*"]]
    )
    return chain(root=layout(tag_step(), step))


@pytest.mark.accepts("V3", "Q1")
def test_V3_parameters_are_filled_in() -> None:
    assert passes(parametrised(), trusted=trust(parameters={"VERSION": "1.0"}))


@pytest.mark.rejects("V3", "Q3")
def test_V3_another_value_is_another_layout() -> None:
    with pytest.raises(RuleViolated):
        check(parametrised(), trusted=trust(parameters={"VERSION": "2.0"}))
    with pytest.raises(RuleViolated):
        check(parametrised(), trusted=trust(parameters={"VERSION": "*"}))


@pytest.mark.rejects("V3", "Q2")
def test_V3_a_parameter_without_value_blocks() -> None:
    with pytest.raises(LayoutFeatureUnsupported):
        check(parametrised())


# --- V4: loading ----------------------------------------------------------------------------------


@pytest.mark.accepts("V4")
@pytest.mark.rejects("V4")
def test_V4_documents_that_do_not_fit_are_skipped() -> None:
    malformed = as_document(authoring.sign({"_type": "link", "name": 5}, [BUILDER]))
    foreign = document(tag_link(), STRANGER)
    unknown = document(authoring.link("no-such-step"), BUILDER)
    verified = check([malformed, foreign, unknown, *chain()])
    notes = [entry.detail for entry in verified.trace if entry.outcome is Outcome.NOTE]
    assert any("was skipped" in note for note in notes)
    assert any("'no-such-step', which is no step here" in note for note in notes)


@pytest.mark.rejects("V4")
def test_V4_a_step_without_a_link_blocks() -> None:
    with pytest.raises(LinkMissing) as caught:
        check(chain()[:2])
    assert caught.value.place == "step build"
    assert f"build.{BUILDER.keyid[:8]}.link" in caught.value.expected


@pytest.mark.accepts("V4")
def test_V4_a_bad_signature_form_is_no_abort() -> None:
    content = authoring.sign(build_link(), [BUILDER], Envelope.METABLOCK)
    content["signatures"].insert(  # type: ignore[union-attr]
        0, {"keyid": BUILDER.keyid, "signature": "00", "other_headers": "04"}
    )
    assert passes([*chain()[:2], as_document(content)])


# --- V5, S, T: signatures and thresholds ----------------------------------------------------------


@pytest.mark.accepts("V5", "T1", "S6")
def test_V5_T1_accepts_the_link_of_an_authorised_functionary() -> None:
    assert check(chain()).functionaries


@pytest.mark.rejects("V5", "T1", "S6")
def test_V5_T1_rejects_the_link_of_another_functionary_of_the_layout() -> None:
    documents = [*chain()[:2], document(build_link(), TAGGER, origin="by tagger")]
    with pytest.raises(LinkThresholdUnmet) as caught:
        check(documents)
    assert "not authorised for this step" in caught.value.found
    assert "by tagger" in caught.value.found


@pytest.mark.rejects("V5", "T1")
def test_V5_rejects_a_link_changed_after_it_was_signed() -> None:
    content = authoring.sign(build_link(), [BUILDER], Envelope.METABLOCK)
    text = json.dumps(content).replace(sha256("the wheel of demo 1.0"), sha256("evil"))
    with pytest.raises(LinkThresholdUnmet) as caught:
        check([*chain()[:2], as_document(json.loads(text), origin="changed")])
    assert "its signature does not verify: changed" in caught.value.found


@pytest.mark.accepts("T1")
def test_T1_accepts_two_of_three() -> None:
    verified = check(with_builds(TWO_OF_THREE, build(BUILDER), build(THIRD_BUILDER)))
    assert len(verified.functionaries) == 3
    assert len(verified.links) == 3


@pytest.mark.accepts("T1")
@pytest.mark.parametrize("envelope", list(Envelope))
def test_T1_what_does_not_count_is_skipped_wherever_it_stands(envelope: Envelope) -> None:
    """Evil links, each wrong in another way, before and after those that are right."""
    evil = build_link(OTHER_PRODUCTS)
    changed = authoring.sign(build_link(), [BUILDER], Envelope.METABLOCK)
    changed["signed"] = evil
    renamed = authoring.sign(evil, [STRANGER], envelope)
    renamed["signatures"][0]["keyid"] = BUILDER.keyid  # type: ignore[index, call-overload]
    unsigned: JsonObject = {**authoring.sign(evil, [BUILDER], envelope), "signatures": []}
    wrong = [as_document(content) for content in (changed, renamed, unsigned)]
    wrong += [document(evil, STRANGER, envelope=envelope), document(evil, TAGGER)]
    right = [build(BUILDER), build(THIRD_BUILDER)]
    for builds in ([*wrong, *right], [*right, *wrong], [right[0], *wrong, right[1]]):
        verified = check(with_builds(TWO_OF_THREE, *builds))
        assert set(verified.links[1:]) == {each.envelope.sha256 for each in right}
    with pytest.raises(LinkThresholdUnmet):
        check(with_builds(TWO_OF_THREE, right[0], *wrong))


@pytest.mark.accepts("T1")
def test_T1_accepts_two_signatures_on_one_document() -> None:
    assert passes(with_builds(TWO_OF_THREE, build(BUILDER, OTHER_BUILDER)))


@pytest.mark.rejects("T1")
def test_T1_rejects_one_of_three() -> None:
    with pytest.raises(LinkThresholdUnmet) as caught:
        check(with_builds(TWO_OF_THREE, build(BUILDER), build(STRANGER)))
    assert caught.value.expected.startswith("a link signed by 2 of ")


@pytest.mark.rejects("T1", "T3")
def test_T1_rejects_the_same_functionary_twice() -> None:
    with pytest.raises(LinkThresholdUnmet):
        check(with_builds(TWO_OF_THREE, build(BUILDER), build(BUILDER, command=["again"])))


@pytest.mark.accepts("T2", "V8")
def test_T2_V8_accepts_a_group_that_agrees_and_notes_dissent() -> None:
    verified = check(
        with_builds(
            TWO_OF_THREE,
            document(build_link(OTHER_PRODUCTS), OTHER_BUILDER, origin="dissent"),
            build(BUILDER),
            build(THIRD_BUILDER),
        )
    )
    notes = [entry.detail for entry in verified.trace if entry.outcome is Outcome.NOTE]
    assert any("other artifacts are reported by dissent" in note for note in notes)


@pytest.mark.accepts("T2")
@pytest.mark.parametrize("dissent_comes", ["first", "last"])
def test_T2_where_one_link_is_enough_another_is_a_note(dissent_comes: str) -> None:
    step = build_step(pubkeys=[OTHER_BUILDER.keyid, BUILDER.keyid])
    dissent = document(build_link(OTHER_PRODUCTS), OTHER_BUILDER, origin="dissent")
    builds = [dissent, build(BUILDER)] if dissent_comes == "first" else [build(BUILDER), dissent]
    verified = check(with_builds(step, *builds))
    assert f"key {BUILDER.keyid[:8]}" in verified.functionaries
    assert f"key {OTHER_BUILDER.keyid[:8]}" not in verified.functionaries
    notes = [entry.detail for entry in verified.trace if entry.outcome is Outcome.NOTE]
    assert any("other artifacts are reported by dissent" in note for note in notes)


@pytest.mark.rejects("T2", "V8")
def test_T2_two_pairs_that_disagree_are_no_three() -> None:
    step = build_step(
        threshold=3, pubkeys=[key.keyid for key in (BUILDER, OTHER_BUILDER, THIRD_BUILDER, VENDOR)]
    )
    honest = [build(key) for key in (BUILDER, OTHER_BUILDER)]
    others = [build(key, products=OTHER_PRODUCTS) for key in (THIRD_BUILDER, VENDOR)]
    with pytest.raises(LinksDisagree):
        check(with_builds(step, *honest, *others))
    assert passes(with_builds(step, *honest, build(VENDOR), *others))


@pytest.mark.rejects("T2", "V8")
def test_T2_V8_rejects_functionaries_who_disagree() -> None:
    with pytest.raises(LinksDisagree) as caught:
        check(
            with_builds(TWO_OF_THREE, build(BUILDER), build(THIRD_BUILDER, products=OTHER_PRODUCTS))
        )
    assert f"'dist/{WHEEL}'" in caught.value.found
    # Who said what: both digests, each with its document and its signer.
    assert sha256("the wheel of demo 1.0") in caught.value.found
    assert sha256("another wheel") in caught.value.found
    assert f"(evidence, signed by key {THIRD_BUILDER.keyid[:8]})" in caught.value.found


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        ({"a": digests("1")}, {}, ("products, 'a': ", "sha256", "absent")),
        ({"a": {}}, {"a": {}}, ("products, 'a': ", "without a digest")),
        ({"a": {"md5": "00"}}, {"a": {"md5": "00"}}, ("products, 'a': ", "md5 00")),
        (
            {"a": {"sha512": "a" * 128}},
            {"a": {"sha256": "b" * 64}},
            ("sha512 aaaa", "sha256 bbbb"),
        ),
        (
            {"a": {"sha256": "c" * 64, "sha512": "a" * 128}},
            {"a": {"sha256": "c" * 64, "sha512": "b" * 128}},
            ("sha512 aaaa", "sha512 bbbb"),
        ),
        ({"a": digests("1"), "b": digests("1")}, {}, ("'a' and 1 other: ", "absent")),
    ],
)
def test_T2_disagreement_is_shown_on_one_artifact(
    ours: dict[str, dict[str, str]], theirs: dict[str, dict[str, str]], words: tuple[str, ...]
) -> None:
    one, other = {**PRODUCTS, **ours}, {**PRODUCTS, **theirs}
    with pytest.raises(LinksDisagree) as caught:
        check(
            with_builds(TWO_OF_THREE, build(BUILDER, products=one),
                        build(THIRD_BUILDER, products=other))
        )  # fmt: skip
    for word in words:
        assert word in caught.value.found


def test_T2_a_disagreement_over_ten_thousand_artifacts_is_a_few_lines() -> None:
    one, other = ({f"dist/{n}": digests(f"{n} {who}") for n in range(10_000)} for who in "ab")
    with pytest.raises(LinksDisagree) as caught:
        check(
            with_builds(TWO_OF_THREE, build(BUILDER, products=one),
                        build(THIRD_BUILDER, products=other))
        )  # fmt: skip
    assert "and 9999 others" in caught.value.found
    assert len(f"{caught.value}{caught.value.expected}{caught.value.found}") < 800


@pytest.mark.rejects("T2", "V8")
def test_T2_V8_materials_have_to_agree_too() -> None:
    step = build_step(**{**TWO_OF_THREE, "expected_materials": []})
    same, other = (
        authoring.link("build", materials=materials, products=PRODUCTS)
        for materials in (SOURCES, {**SOURCES, "src/demo.py": digests("other")})
    )
    assert passes(with_builds(step, document(same, BUILDER), document(same, THIRD_BUILDER)))
    with pytest.raises(LinksDisagree) as caught:
        check(with_builds(step, document(same, BUILDER), document(other, THIRD_BUILDER)))
    assert caught.value.found.startswith("different materials, 'src/demo.py': sha256 ")


@pytest.mark.accepts("T2", "V8")
def test_T2_V8_links_agree_when_they_share_an_algorithm() -> None:
    with_more = {f"dist/{WHEEL}": {**PRODUCTS[f"dist/{WHEEL}"], "sha512": "a" * 128}}
    assert passes(
        with_builds(TWO_OF_THREE, build(BUILDER), build(THIRD_BUILDER, products=with_more))
    )


@pytest.mark.rejects("T2", "V8")
@pytest.mark.parametrize("hashes", [{}, {"md5": "0" * 32}])
def test_T2_V8_what_has_no_accepted_digest_agrees_with_nothing(hashes: dict[str, str]) -> None:
    products = {**PRODUCTS, "dist/demo-1.0.1.whl": hashes}
    links = [build(key, products=products) for key in (BUILDER, THIRD_BUILDER)]
    with pytest.raises(LinksDisagree):
        check(with_builds(TWO_OF_THREE, *links))


@pytest.mark.rejects("T3")
def test_T3_rejects_one_key_under_two_ids() -> None:
    twice = {**layout(tag_step(), TWO_OF_THREE)}
    keys = dict(twice["keys"])  # type: ignore[arg-type]
    keys[OTHER_BUILDER.keyid] = {
        **authoring.key_object(BUILDER), "keyid": OTHER_BUILDER.keyid}  # fmt: skip
    twice["keys"] = keys
    documents = [
        document(twice, OWNER), document(tag_link(), TAGGER), build(BUILDER),
        build(BUILDER, command=["again"]),
    ]  # fmt: skip
    with pytest.raises(LinkThresholdUnmet):
        check(documents)


@pytest.mark.accepts("T3")
def test_T3_accepts_keys_that_the_policy_does_not_group() -> None:
    documents = with_builds(TWO_OF_THREE, build(BUILDER), build(THIRD_BUILDER))
    assert passes(documents, trusted=trust(principals={ident(BUILDER): "bob"}))


@pytest.mark.rejects("T3")
def test_T3_rejects_two_keys_of_one_principal() -> None:
    documents = with_builds(TWO_OF_THREE, build(BUILDER), build(THIRD_BUILDER))
    grouped = trust(principals={ident(BUILDER): "bob", ident(THIRD_BUILDER): "bob"})
    with pytest.raises(LinkThresholdUnmet):
        check(documents, trusted=grouped)


@pytest.mark.rejects("T3")
def test_T3_pubkeys_listed_twice_count_once() -> None:
    step = build_step(threshold=2, pubkeys=[BUILDER.keyid, BUILDER.keyid])
    with pytest.raises(LinkThresholdUnmet):
        check(with_builds(step, build(BUILDER)))


@pytest.mark.rejects("V5")
def test_V5_a_revoked_functionary_does_not_count() -> None:
    revoked = trust(revoked=frozenset({ident(BUILDER)}))
    with pytest.raises(KeyRevoked) as caught:
        check(chain(), trusted=revoked)
    assert caught.value.place == "step build"
    enough = with_builds(TWO_OF_THREE, *(build(k) for k in (BUILDER, OTHER_BUILDER, THIRD_BUILDER)))
    assert passes(enough, trusted=revoked)


@pytest.mark.accepts("S1", "S2", "S3")
def test_S1_S2_S3_accept_a_proper_step() -> None:
    assert passes(chain(root=layout(tag_step(), build_step(threshold=1))))


@pytest.mark.rejects("S1", "S2", "S3", "S4", "S5", "S6", "S7")
@pytest.mark.parametrize(
    ("requirement", "step"),
    [
        ("S1", build_step(_type="link")),
        ("S2", build_step(name="tag")),
        ("S2", build_step(name="")),
        ("S3", build_step(threshold=0)),
        ("S3", build_step(threshold=-1)),
        ("S3", build_step(threshold=True)),
        ("S3", build_step(threshold="1")),
        ("S3", build_step(threshold=1.0)),
        ("S4", build_step(expected_materials="DISALLOW *")),
        ("S5", build_step(expected_products=[[["CREATE", "*"]]])),
        ("S6", build_step(pubkeys="abc")),
        ("S7", build_step(expected_command="make")),
    ],
)
def test_S_rejects_steps_that_are_none(requirement: str, step: JsonObject) -> None:
    # Without canonical JSON, so that a threshold of 1.0 can be signed at all.
    with pytest.raises(MetadataMalformed):
        check(chain(root=layout(tag_step(), step)))
    assert requirement


@pytest.mark.accepts("S4", "S5")
def test_S4_S5_accept_rules_that_hold() -> None:
    step = build_step(
        expected_materials=[["REQUIRE", "pyproject.toml"], *FROM_TAG],
        expected_products=[["REQUIRE", f"dist/{WHEEL}"], *ONE_WHEEL],
    )
    assert passes(chain(root=layout(tag_step(), step)))


@pytest.mark.rejects("S4", "S5", "V9")
def test_S4_S5_V9_reject_artifacts_that_break_a_rule() -> None:
    tampered = {"src/demo.py": digests("import evil"), "pyproject.toml": digests("[project]")}
    with pytest.raises(RuleViolated) as caught:
        check(chain(build=build_link(materials=tampered)))
    assert caught.value.place == "step build, expected_materials[1]"
    with pytest.raises(RuleViolated):
        check(chain(build=build_link({**PRODUCTS, "dist/extra.whl": digests("x")})))


@pytest.mark.accepts("S6", "L5")
@pytest.mark.rejects("S6", "L5")
def test_S6_accepts_only_keys_that_the_layout_holds() -> None:
    step = build_step(pubkeys=["f" * 64, BUILDER.keyid])
    verified = check(chain(root=layout(tag_step(), step)))
    assert any("which the layout does not hold" in entry.detail for entry in verified.trace)
    with pytest.raises(LinkMissing):
        check(chain(root=layout(tag_step(), build_step(pubkeys=[STRANGER.keyid]))))


@pytest.mark.accepts("S6", "K3")
def test_S6_an_unusable_key_matters_only_when_needed() -> None:
    odd = "0dd" * 8
    root = layout(tag_step(), build_step(pubkeys=[odd, BUILDER.keyid]))
    value: JsonObject = {
        "keyid": odd,
        "keytype": "quantum",
        "scheme": "q",
        "keyval": {"public": "00"},
    }
    root["keys"][odd] = value  # type: ignore[index, call-overload]
    assert passes(chain(root=root))


@pytest.mark.accepts("S7", "V7")
def test_S7_V7_accepts_another_command_with_a_note() -> None:
    step = build_step(expected_command=["python", "-m", "build"])
    verified = check(chain(root=layout(tag_step(), step), build=build_link(command=["make"])))
    notes = [entry.detail for entry in verified.trace if entry.outcome is Outcome.NOTE]
    assert any("expected the command python -m build, found make" in note for note in notes)


@pytest.mark.accepts("V7")
def test_V7_says_nothing_when_the_command_is_as_expected() -> None:
    step = build_step(expected_command=["make"])
    verified = check(chain(root=layout(tag_step(), step), build=build_link(command=["make"])))
    assert all(entry.outcome is Outcome.OK for entry in verified.trace)


@pytest.mark.rejects("S7", "V7")
@pytest.mark.parametrize(
    ("expected", "found", "words"),
    [
        (["make", "all"], ["make"], "expected the command make all, found make"),
        (["make", "all"], ["make all"], "expected the command make all, found 'make all'"),
        (["make", ""], ["make"], "expected the command make '', found make"),
        (["make"], [], "expected the command make, found (none)"),
        (["make"], ["Make"], "expected the command make, found Make"),
    ],
)
def test_S7_V7_a_command_that_differs_in_any_word_is_said(
    expected: list[str], found: list[str], words: str
) -> None:
    step = build_step(expected_command=expected)
    verified = check(chain(root=layout(tag_step(), step), build=build_link(command=found)))
    (note,) = [entry.detail for entry in verified.trace if entry.outcome is Outcome.NOTE]
    assert note.startswith(f"step build: {words} (")


@pytest.mark.accepts("V9")
@pytest.mark.rejects("V9")
def test_V9_accepts_and_rejects_by_the_rules_of_every_step() -> None:
    assert passes(chain())
    with pytest.raises(RuleViolated) as caught:
        check(chain(tag=tag_link(SOURCES, materials=SOURCES)))
    assert caught.value.place == "step tag, expected_materials[0]"


# --- N: names -------------------------------------------------------------------------------------


@pytest.mark.accepts("N1")
def test_N1_the_directory_form_uses_eight_characters() -> None:
    root = root_layouts(chain(), trust(), NOW)[0]
    assert link_names(root.layout) == (
        f"tag.{TAGGER.keyid[:8]}.link",
        f"build.{BUILDER.keyid[:8]}.link",
    )


@pytest.mark.accepts("N1")
def test_N1_a_hint_of_another_form_does_not_matter() -> None:
    documents = [replace(found, hint="whatever") for found in chain()]
    assert passes(documents)


def colliding() -> tuple[list[Document], list[Document]]:
    """A chain but for its builds, and two builds whose keyids begin alike."""
    one, other = "ab" * 4 + "0" * 56, "ab" * 4 + "1" * 56
    root = layout(tag_step(), build_step(threshold=2, pubkeys=[one, other]))
    for keyid, key in ((one, BUILDER), (other, OTHER_BUILDER)):
        root["keys"][keyid] = {**authoring.key_object(key), "keyid": keyid}  # type: ignore[index, call-overload]
    hint = f"build.{one[:8]}.link"
    builds = [replace(build(key), hint=hint) for key in (BUILDER, OTHER_BUILDER)]
    return [document(root, OWNER), document(tag_link(), TAGGER)], builds


@pytest.mark.accepts("N2")
def test_N2_accepts_links_of_keys_whose_ids_begin_alike() -> None:
    documents, builds = colliding()
    assert passes([*documents, *builds])


@pytest.mark.rejects("N2")
def test_N2_rejects_one_of_them_in_place_of_both() -> None:
    documents, builds = colliding()
    with pytest.raises(LinkThresholdUnmet):
        check([*documents, builds[0]])


@pytest.mark.accepts("P9")
@pytest.mark.parametrize("name", ["dist/demo-1.0.whl", "..x", "a.b/.c", "pkg:pypi/demo@1.0"])
def test_P9_accepts_names_that_have_one_spelling(name: str) -> None:
    step = build_step(expected_products=[*ONE_WHEEL[:2], ["ALLOW", name], ["DISALLOW", "*"]])
    link = build_link({**PRODUCTS, name: digests("x")})
    assert passes(chain(root=layout(tag_step(), step), build=link))


@pytest.mark.rejects("P9")
@pytest.mark.parametrize("name", ["../x", "a/../b", "./x", "a//b", "/x", "a/.", ""])
def test_P9_rejects_names_that_have_another(name: str) -> None:
    step = build_step(expected_products=[*ONE_WHEEL[:2], ["ALLOW", "*"]])
    link = build_link({**PRODUCTS, name: digests("x")})
    with pytest.raises(MetadataMalformed) as caught:
        check(chain(root=layout(tag_step(), step), build=link))
    assert caught.value.place.startswith("step build, build link: ")


@pytest.mark.rejects("N3")
@pytest.mark.parametrize("name", ["../evil", "a/b", "", "..", "a\\b", "a\0b"])
def test_N3_rejects_step_names_that_leave_the_directory(name: str) -> None:
    with pytest.raises(MetadataMalformed):
        check(chain(root=layout(tag_step(), build_step(name=name))))


@pytest.mark.accepts("N3")
@pytest.mark.parametrize("name", ["build", "build-1.0", "Build it", "b\u00fcild"])
def test_N3_accepts_other_step_names(name: str) -> None:
    assert passes(
        chain(root=layout(tag_step(), build_step(name=name)), build=build_link(name=name))
    )


@pytest.mark.accepts("N4")
def test_N4_accepts_a_link_by_its_own_name() -> None:
    misnamed = [replace(found, hint=f"tag.{BUILDER.keyid[:8]}.link") for found in chain()]
    assert passes(misnamed)


@pytest.mark.rejects("N4")
def test_N4_rejects_a_link_of_another_step() -> None:
    step = tag_step(pubkeys=[BUILDER.keyid])
    documents = [
        document(layout(step, build_step()), OWNER),
        replace(document(tag_link(PRODUCTS), BUILDER), hint=f"build.{BUILDER.keyid[:8]}.link"),
    ]
    with pytest.raises(LinkMissing) as caught:
        check(documents)
    assert caught.value.place == "step build"


# --- I, V10, V11: inspections ---------------------------------------------------------------------

UNPACK = authoring.inspection(
    "unpack",
    run=["unzip", WHEEL],
    expected_materials=[
        ["MATCH", "*", "WITH", "PRODUCTS", "IN", "dist", "FROM", "build"],
        ["DISALLOW", "*"],
    ],
    expected_products=[
        ["MATCH", "*", "WITH", "MATERIALS", "FROM", "unpack"],
        ["MATCH", "demo.py", "WITH", "PRODUCTS", "IN", "src", "FROM", "tag"],
        ["DISALLOW", "*"],
    ],
)
FOREIGN = authoring.inspection("look", run=["python", "look.py"])


def found_in_wheel(content: str = "print('demo')") -> FakeInspector:
    return FakeInspector({WHEEL: PRODUCTS[f"dist/{WHEEL}"], "demo.py": digests(content)})


@pytest.mark.accepts("I1", "I2", "V10", "V11")
def test_I1_I2_V10_V11_accept_a_wheel_whose_content_matches_the_sources() -> None:
    inspector = found_in_wheel()
    verified = check(chain(root=layout(inspections=[UNPACK])), inspector=inspector)
    assert inspector.asked == ["unpack"]
    assert verified.binding is not None
    assert verified.binding.place == "inspection unpack"


@pytest.mark.rejects("V11")
def test_V11_rejects_a_wheel_whose_content_does_not() -> None:
    with pytest.raises(RuleViolated) as caught:
        check(chain(root=layout(inspections=[UNPACK])), inspector=found_in_wheel("import evil"))
    assert caught.value.place == "inspection unpack, expected_products[2]"


@pytest.mark.rejects("V10")
def test_V10_rejects_inspections_that_nobody_can_carry_out() -> None:
    with pytest.raises(InspectionFailed):
        check(chain(root=layout(inspections=[UNPACK])))


@pytest.mark.rejects("V10", "I4")
def test_V10_I4_rejects_when_the_inspection_fails() -> None:
    class Failing(FakeInspector):
        def inspect(self, inspection: object) -> object:  # type: ignore[override]
            raise InspectionFailed("exit status 1", found=repr(inspection))

    with pytest.raises(InspectionFailed):
        check(chain(root=layout(inspections=[UNPACK])), inspector=Failing())  # type: ignore[arg-type]


@pytest.mark.accepts("I4", "I5")
def test_I4_I5_accept_what_the_inspector_found_before_and_after() -> None:
    inspection = authoring.inspection(
        "look", run=["true"],
        expected_materials=[["REQUIRE", WHEEL], ["ALLOW", WHEEL], ["DISALLOW", "*"]],
        expected_products=[["REQUIRE", WHEEL], ["ALLOW", WHEEL], ["DISALLOW", "*"]],
    )  # fmt: skip
    assert passes(chain(root=layout(inspections=[inspection])), inspector=FakeInspector())


@pytest.mark.rejects("I5")
def test_I5_rejects_what_was_there_before() -> None:
    both = {WHEEL: digests("the wheel of demo 1.0"), "x": digests("x")}
    inspector = FakeInspector(materials=both)
    with pytest.raises(RuleViolated) as caught:
        check(chain(root=layout(inspections=[UNPACK])), inspector=inspector)
    assert caught.value.place == "inspection unpack, expected_materials[1]"


@pytest.mark.rejects("I1", "I2", "I3")
@pytest.mark.parametrize(
    ("requirement", "inspection"),
    [
        ("I1", {**UNPACK, "_type": "step"}),
        ("I2", {**UNPACK, "name": "build"}),
        ("I2", {**UNPACK, "name": "../x"}),
        ("I3", {**UNPACK, "run": []}),
        ("I3", {**UNPACK, "run": "unzip"}),
    ],
)
def test_I_rejects_inspections_that_are_none(requirement: str, inspection: JsonObject) -> None:
    with pytest.raises(MetadataMalformed):
        check(chain(root=layout(inspections=[inspection])), inspector=found_in_wheel())
    assert requirement


@pytest.mark.accepts("I3")
def test_I3_accepts_a_command_of_several_words() -> None:
    inspection: JsonObject = {**UNPACK, "run": ["python3", "-m", "zipfile", "-e", WHEEL, "."]}
    assert passes(chain(root=layout(inspections=[inspection])), inspector=found_in_wheel())


@pytest.mark.rejects("I7")
def test_I7_inspections_wait_for_the_rules_of_all_steps() -> None:
    inspector = found_in_wheel()
    documents = chain(
        root=layout(inspections=[UNPACK]),
        build=build_link({**PRODUCTS, "dist/extra.whl": digests("x")}),
    )
    with pytest.raises(RuleViolated):
        check(documents, inspector=inspector)
    assert inspector.asked == []


@pytest.mark.accepts("I7")
def test_I7_inspections_run_once_however_many_choices_there_are() -> None:
    inspector = found_in_wheel()
    root = layout(inspections=[UNPACK])
    documents = [*chain(root=root), document(build_link(OTHER_PRODUCTS), BUILDER)]
    assert passes(documents, inspector=inspector)
    assert inspector.asked == ["unpack"]


@pytest.mark.accepts("V10")
@pytest.mark.rejects("V10")
def test_V10_a_foreign_command_needs_the_policy() -> None:
    documents = chain(root=layout(inspections=[FOREIGN]))
    inspector = FakeInspector()
    with pytest.raises(InspectionNotAllowed) as caught:
        check(documents, inspector=inspector)
    assert caught.value.place == "inspection look"
    for near in (("python",), ("python", "look.py", "x"), ("python look.py",)):
        with pytest.raises(InspectionNotAllowed):
            check(documents, inspector=inspector, trusted=trust(allowed_commands=(near,)))
    assert inspector.asked == []
    allowed = trust(allowed_commands=(("python", "look.py"),))
    assert passes(documents, inspector=inspector, trusted=allowed)
    assert passes(documents, inspector=inspector, trusted=trust(run_all_inspections=True))


@pytest.mark.accepts("R9")
def test_R9_an_inspection_may_match_another() -> None:
    again = authoring.inspection(
        "again",
        run=["true"],
        expected_products=[
            ["MATCH", "*", "WITH", "PRODUCTS", "FROM", "unpack"],
            ["DISALLOW", "*"],
        ],
    )
    root = layout(inspections=[UNPACK, again])
    assert passes(chain(root=root), inspector=found_in_wheel())


@pytest.mark.rejects("R11")
def test_R11_a_step_matches_no_inspection() -> None:
    step = build_step(
        expected_materials=[["MATCH", "*", "WITH", "PRODUCTS", "FROM", "unpack"], ["DISALLOW", "*"]]
    )
    with pytest.raises(RuleViolated) as caught:
        check(
            chain(root=layout(tag_step(), step, inspections=[UNPACK])), inspector=found_in_wheel()
        )
    assert "there is no step 'unpack'" in caught.value.expected


# --- U, V6, V12: sublayouts -----------------------------------------------------------------------

COMPILER = signing_key(20)
PACKER = signing_key(21)


def sublayout(**changes: object) -> JsonObject:
    """How the vendor builds: compile, then pack."""
    compile_step = authoring.step(
        "compile", functionaries=[COMPILER], expected_products=[["CREATE", "*.o"], *FROM_SELF]
    )
    pack = authoring.step(
        "pack",
        functionaries=[PACKER],
        expected_materials=[["MATCH", "*.o", "WITH", "PRODUCTS", "FROM", "compile"], *END],
        expected_products=ONE_WHEEL_ONLY,
    )
    return layout(compile_step, pack, keys=[COMPILER, PACKER], **changes)  # type: ignore[arg-type]


END = [["DISALLOW", "*"]]
FROM_SELF = [["MATCH", "*", "WITH", "MATERIALS", "FROM", "compile"], *END]
ONE_WHEEL_ONLY = [["CREATE", "dist/demo-1.0*.whl"], ["DISALLOW", "*"]]
OBJECT = {"demo.o": digests("object")}


def compile_link(**changes: object) -> JsonObject:
    link = authoring.link("compile", materials=SOURCES, products={**SOURCES, **OBJECT})
    return link | changes  # type: ignore[return-value]


def pack_link(**changes: object) -> JsonObject:
    return authoring.link("pack", materials=OBJECT, products=PRODUCTS) | changes  # type: ignore[return-value]


VENDOR_BUILDS = build_step(
    pubkeys=[VENDOR.keyid],
    expected_products=[["CREATE", "dist/demo-1.0*.whl"], ["DISALLOW", "*"]],
)


def vendor_chain(
    *,
    sub: JsonObject | None = None,
    signer: object = VENDOR,
    pack: JsonObject | None = None,
    step: JsonObject = VENDOR_BUILDS,
) -> list[Document]:
    return [
        document(layout(tag_step(), step), OWNER),
        document(tag_link(), TAGGER),
        document(sub or sublayout(), signer, origin="sub"),  # type: ignore[arg-type]
        document(compile_link(), COMPILER),
        document(pack or pack_link(), PACKER),
    ]


@pytest.mark.accepts("U1", "U3", "V6", "V12")
def test_U1_U3_V6_V12_accept_a_sublayout_in_place_of_a_link() -> None:
    documents = vendor_chain()
    verified = check(documents)
    assert verified.links == tuple(found.envelope.sha256 for found in documents[1:])
    assert verified.functionaries == tuple(
        sorted(f"key {key.keyid[:8]}" for key in (TAGGER, VENDOR))
    )


@pytest.mark.rejects("U1")
@pytest.mark.parametrize("signer", [STRANGER, TAGGER, COMPILER])
def test_U1_rejects_a_sublayout_that_its_functionary_did_not_sign(signer: object) -> None:
    with pytest.raises((LinkMissing, LinkThresholdUnmet)):
        check(vendor_chain(signer=signer))


@pytest.mark.rejects("U1", "V6")
def test_U1_V6_rejects_a_sublayout_that_does_not_hold() -> None:
    with pytest.raises(RuleViolated) as caught:
        check(vendor_chain(pack=pack_link(products={"dist/other.whl": digests("x")})))
    assert caught.value.place == "step build, sublayout sub: step pack, expected_products[1]"


@pytest.mark.rejects("U1", "V6")
def test_U1_V6_rejects_an_expired_sublayout() -> None:
    with pytest.raises(LayoutExpired) as caught:
        check(vendor_chain(sub=sublayout(expires=NOW - timedelta(seconds=1))))
    assert "step build, sublayout" in caught.value.place or "sub" in caught.value.found


@pytest.mark.rejects("U1")
def test_U1_revoked_keys_do_not_count_in_sublayouts_either() -> None:
    for key in (VENDOR, PACKER):
        with pytest.raises(KeyRevoked):
            check(vendor_chain(), trusted=trust(revoked=frozenset({ident(key)})))


@pytest.mark.rejects("U3", "V12")
def test_U3_V12_rejects_when_the_summary_breaks_the_rules_above() -> None:
    tampered = compile_link(materials={"src/demo.py": digests("evil")},
                            products={"src/demo.py": digests("evil"), **OBJECT})  # fmt: skip
    documents = vendor_chain()
    documents[3] = document(tampered, COMPILER)
    with pytest.raises(RuleViolated) as caught:
        check(documents)
    assert caught.value.place == "step build, expected_materials[1]"
    assert "sublayout sub" in caught.value.found


@pytest.mark.rejects("U3", "V12")
@pytest.mark.parametrize("name", ["compile", "pack", "look"])
@pytest.mark.parametrize("side", ["MATERIALS", "PRODUCTS"])
def test_U3_what_happened_inside_is_not_presented_above(name: str, side: str) -> None:
    """Steps and inspections of a sublayout have no names in the layout above it."""
    inside = ["MATCH", "*", "WITH", side, "FROM", name]
    only = authoring.step(
        "use", functionaries=[BUILDER], expected_materials=[inside, ["DISALLOW", "*"]]
    )
    inner = sublayout(inspections=[authoring.inspection("look", run=["true"])])
    documents = vendor_chain(sub=inner)
    documents[0] = document(layout(tag_step(), VENDOR_BUILDS, only), OWNER)
    documents.append(document(authoring.link("use", materials=PRODUCTS), BUILDER))
    with pytest.raises(RuleViolated) as caught:
        check(documents, inspector=FakeInspector(products=PRODUCTS))
    assert caught.value.place == "step use, expected_materials[1]"
    assert f"there is no step '{name}'" in caught.value.expected


@pytest.mark.accepts("U3")
def test_U3_what_only_an_inner_step_had_is_no_artifact_above() -> None:
    """The object file is a product of the first step and a material of the last."""
    step: JsonObject = {
        **VENDOR_BUILDS,
        "expected_materials": [
            ["DISALLOW", "*.o"],
            ["MATCH", "*", "WITH", "PRODUCTS", "FROM", "tag"],
        ],
    }
    assert passes(vendor_chain(step=step))


@pytest.mark.rejects("Q1")
def test_Q1_parameters_are_those_of_the_root() -> None:
    rules = [["CREATE", "dist/demo-{VERSION}*"], ["DISALLOW", "*"]]
    pack = authoring.step("pack", functionaries=[PACKER], expected_products=rules)
    inner = layout(pack, keys=[PACKER])
    above = trust(parameters={"VERSION": "1.0"})
    with pytest.raises(LayoutFeatureUnsupported) as caught:
        check(vendor_chain(sub=inner), trusted=above)
    assert caught.value.place == "step build, sublayout sub: steps[0].expected_products[0]"
    named = authoring.step("pack", functionaries=[PACKER], expected_products=ONE_WHEEL_ONLY)
    link = pack_link(materials=SOURCES)
    assert passes(vendor_chain(sub=layout(named, keys=[PACKER]), pack=link), trusted=above)


@pytest.mark.accepts("U1")
def test_U1_a_bad_sublayout_does_not_sink_a_met_threshold() -> None:
    step: JsonObject = {**VENDOR_BUILDS, "pubkeys": [VENDOR.keyid, BUILDER.keyid]}
    good = document(build_link(), BUILDER)
    plain = build_step(pubkeys=[VENDOR.keyid, BUILDER.keyid])
    bad = [*vendor_chain(step=plain)[:3], good]
    verified = check(bad)
    assert any("does not count" in entry.detail for entry in verified.trace)
    with pytest.raises(LinkMissing):
        check(vendor_chain(step=step)[:3])


@pytest.mark.accepts("U1")
@pytest.mark.rejects("U1")
def test_U1_a_sublayout_counts_towards_a_threshold() -> None:
    step: JsonObject = {**VENDOR_BUILDS, "threshold": 2, "pubkeys": [VENDOR.keyid, BUILDER.keyid]}
    agreeing = document(authoring.link("build", materials=SOURCES, products=PRODUCTS), BUILDER)
    assert passes([*vendor_chain(step=step), agreeing])
    with pytest.raises(LinkThresholdUnmet):
        check(vendor_chain(step=step))


@pytest.mark.accepts("U2")
def test_U2_names_below_a_sublayout_are_asked_for() -> None:
    documents = vendor_chain()[:2]
    root = root_layouts(documents, trust(), NOW)[0]
    sub_name = f"build.{VENDOR.keyid[:8]}"
    assert wanted_names(root, documents, trust(), NOW) == (
        f"tag.{TAGGER.keyid[:8]}.link",
        f"{sub_name}.link",
    )
    have = [
        documents[0],
        replace(documents[1], hint=f"tag.{TAGGER.keyid[:8]}.link"),
        replace(vendor_chain()[2], hint=f"{sub_name}.link"),
    ]
    assert wanted_names(root, have, trust(), NOW) == (
        f"{sub_name}/compile.{COMPILER.keyid[:8]}.link",
        f"{sub_name}/pack.{PACKER.keyid[:8]}.link",
    )


@pytest.mark.rejects("U2")
def test_U2_nothing_is_asked_for_below_what_its_functionary_did_not_sign() -> None:
    documents = vendor_chain(signer=STRANGER)[:3]
    root = root_layouts(documents, trust(), NOW)[0]
    assert not any("/" in name for name in wanted_names(root, documents, trust(), NOW))


@pytest.mark.rejects("U4")
def test_U4_a_layout_that_holds_itself_ends() -> None:
    step = build_step(pubkeys=[OWNER.keyid])
    root = document(layout(tag_step(), step, keys=[TAGGER, OWNER]), OWNER)
    with pytest.raises(EvidenceInvalid):
        check([root, document(tag_link(), TAGGER)])


@pytest.mark.rejects("U4")
def test_U4_two_layouts_that_hold_each_other_end() -> None:
    one = layout(authoring.step("b", functionaries=[COMPILER]), keys=[COMPILER])
    two = layout(authoring.step("a", functionaries=[VENDOR]), keys=[VENDOR])
    documents = [
        document(layout(tag_step(), VENDOR_BUILDS), OWNER),
        document(tag_link(), TAGGER),
        document(one, VENDOR),
        document(two, COMPILER),
    ]
    with pytest.raises(EvidenceInvalid):
        check(documents)


def nested(depth: int) -> list[Document]:
    """A chain whose build step is a sublayout of a sublayout of a …"""
    keys = [signing_key(30 + level) for level in range(depth + 1)]
    documents = [
        document(
            layout(tag_step(), build_step(pubkeys=[keys[0].keyid]), keys=[TAGGER, keys[0]]), OWNER
        ),
        document(tag_link(), TAGGER),
    ]
    for level in range(depth):
        inner = authoring.step(f"inner-{level}", functionaries=[keys[level + 1]])
        documents.append(document(layout(inner, keys=[keys[level + 1]]), keys[level]))
    name = f"inner-{depth - 1}" if depth else "build"
    documents.append(document(build_link(name=name), keys[depth]))
    return documents


@pytest.mark.accepts("U4")
@pytest.mark.parametrize("depth", [0, 1, 3, 8])
def test_U4_accepts_some_depth(depth: int) -> None:
    assert passes(nested(depth))


@pytest.mark.rejects("U4")
def test_U4_rejects_more() -> None:
    with pytest.raises(MetadataTooLarge):
        check(nested(9))


@pytest.mark.rejects("U4")
def test_U4_rejects_too_many_sublayouts() -> None:
    with pytest.raises(MetadataTooLarge):
        check(vendor_chain(), limits=replace(DEFAULT, sublayouts=0))


def test_U5_accepts_a_native_inspection_in_a_sublayout() -> None:
    inspection = authoring.inspection("look", run=["true"])
    inspector = FakeInspector()
    assert passes(vendor_chain(sub=sublayout(inspections=[inspection])), inspector=inspector)
    assert inspector.asked == ["look"]


def test_U5_rejects_a_foreign_one_whatever_the_command_line_says() -> None:
    documents = vendor_chain(sub=sublayout(inspections=[FOREIGN]))
    inspector = FakeInspector()
    with pytest.raises(InspectionNotAllowed):
        check(documents, inspector=inspector, trusted=trust(run_all_inspections=True))
    assert inspector.asked == []
    named = trust(allowed_commands=(("python", "look.py"),))
    assert passes(documents, inspector=inspector, trusted=named)


# --- bounds ---------------------------------------------------------------------------------------


def test_too_many_documents_are_refused() -> None:
    with pytest.raises(MetadataTooLarge):
        check(chain() * 2, limits=replace(DEFAULT, documents=5))


def test_too_many_signatures_to_check_are_refused() -> None:
    with pytest.raises(MetadataTooLarge):
        check(chain(), limits=replace(DEFAULT, chain_signature_checks=1))


def test_verify_chain_works_on_one_layout() -> None:
    documents = chain()
    root = root_layouts(documents, trust(), NOW)[0]
    verified = verify_chain(root, documents, trust(), SUBJECT, None, now=NOW)
    assert verified.layout_sha256 == root.sha256


def test_an_owner_key_object_may_be_named_anything() -> None:
    named = trust()
    owner = replace(named.owners[0], key=public(OWNER, "nickname"))
    assert passes(chain(), trusted=replace(named, owners=(owner,)))
    assert ALL_CREATED[-1] == ["DISALLOW", "*"]


# --- what is seen of a chain that fails -----------------------------------------------------------


def test_the_survey_names_the_links_that_count_and_the_steps_without_one() -> None:
    without_build = [each for each in chain() if each.origin != "build link"]
    (root,) = root_layouts(without_build, trust(OWNER), NOW)
    entries = {entry.what: entry for entry in survey(root, without_build, trust(OWNER), NOW)}
    assert entries["step tag"].outcome is Outcome.OK
    assert "signed by" in entries["step tag"].detail
    assert entries["step build"].outcome is Outcome.FAIL


def test_a_layout_in_many_envelopes_is_verified_once() -> None:
    original = next(each for each in chain() if each.hint == "root.layout")
    copies = [
        replace(original, envelope=replace(original.envelope, sha256=f"{number:064x}"))
        for number in range(10)
    ]
    assert len(root_layouts(copies, trust(OWNER), NOW)) == 1
