"""A4-A10, ITE-6, ITE-10, ITE-11: steps whose evidence is statements, signed by keys."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import (
    ArtifactDigestMismatch,
    ArtifactNotBound,
    AttributeMissing,
    AttributeViolated,
    EvidenceInvalid,
    EvidenceMissing,
    KeyRevoked,
    LayoutExpired,
    LayoutFeatureUnsupported,
    LinkMissing,
    LinksDisagree,
    LinkThresholdUnmet,
    MetadataMalformed,
    MetadataTooLarge,
    PredicateMissing,
    PredicateNegative,
    RuleViolated,
    StatementForAnotherFile,
    StatementForAnotherProject,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.layout import parse_layout
from pip_intoto.metadata.node import Node
from pip_intoto.verdict import Outcome
from pip_intoto.verification.chain import wanted_names
from pip_intoto.verification.roots import NEVER, root_layouts
from pip_intoto.verification.trust import OwnLayout, Trust
from tests.unit.verification.supply import (
    BUILDER,
    FROM_TAG,
    NOW,
    OTHER_BUILDER,
    OWNER,
    PRODUCTS,
    SOURCES,
    STRANGER,
    SUBJECT,
    TAGGER,
    THIRD_BUILDER,
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
    passes,
    sha256,
    tag_link,
    tag_step,
    trust,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import SigningKey
    from pip_intoto.metadata.bundle import Document

STATEMENT = "https://in-toto.io/Statement/v1"
LINK = "https://in-toto.io/attestation/link/v0.3"
PROVENANCE = "https://slsa.dev/provenance/v1"
OLD_PROVENANCE = "https://slsa.dev/provenance/v0.2"
TESTED = "https://in-toto.io/attestation/test-result/v0.1"
PUBLISHED = "https://docs.pypi.org/attestations/publish/v1"
SUMMARY = "https://slsa.dev/verification_summary/v1"
RESULT = "https://in-toto.io/attestation/svr/v0.2"
UNKNOWN = "https://example.com/licences/v1"

FILE = {WHEEL: {"sha256": SUBJECT.sha256}}
OLD_FILE = {"demo-0.9-py3-none-any.whl": digests("the wheel of demo 0.9")}


def resources(artifacts: Mapping[str, object]) -> list[object]:
    """List artifacts as statements do."""
    return [{"name": name, "digest": each} for name, each in artifacts.items()]


def statement(
    kind: str, predicate: object = None, subject: object = None, **changes: object
) -> JsonObject:
    """State something of the wheel, unless told otherwise."""
    value = {
        "_type": STATEMENT,
        "subject": resources(FILE) if subject is None else subject,
        "predicateType": kind,
        "predicate": predicate,
    }
    return value | changes  # type: ignore[return-value]


def provenance(
    products: Mapping[str, Mapping[str, str]] = FILE,
    materials: Mapping[str, Mapping[str, str]] = SOURCES,
    **changes: object,
) -> JsonObject:
    """State what was built, and of what."""
    predicate = {
        "buildDefinition": {
            "buildType": "https://build.example/v1",
            "resolvedDependencies": resources(materials),
        },
        "runDetails": {"builder": {"id": "https://builder.example"}},
    }
    return statement(PROVENANCE, predicate, resources(products)) | changes  # type: ignore[return-value]


def of_tests(
    result: object = "PASSED",
    subjects: Mapping[str, Mapping[str, str]] = FILE,
    **changes: object,
) -> JsonObject:
    """State how a test went."""
    predicate = {"result": result, "configuration": [], "failedTests": []}
    return statement(TESTED, predicate | changes, resources(subjects))


def expected(kind: str, *keys: SigningKey, threshold: int = 1, **changes: object) -> JsonObject:
    """Ask for a statement of a type."""
    predicate = {
        "predicateType": kind,
        "functionaries": [key.keyid for key in keys],
        "threshold": threshold,
    }
    return predicate | changes  # type: ignore[return-value]


def step(name: str, /, *predicates: JsonObject, **changes: object) -> JsonObject:
    """Describe a step over statements."""
    value = {
        "_type": "step",
        "name": name,
        "expected_materials": [],
        "expected_products": [],
        "expected_predicates": list(predicates),
    }
    return value | changes  # type: ignore[return-value]


def build(*predicates: JsonObject, **changes: object) -> JsonObject:
    """Describe the step that makes the wheel, by provenance unless told otherwise."""
    return step(
        "build",
        *(predicates or (expected(PROVENANCE, BUILDER),)),
        **{"expected_products": [["CREATE", "demo-1.0*"], ["DISALLOW", "*"]], **changes},
    )


def checking(*predicates: JsonObject, **changes: object) -> JsonObject:
    """Describe the step that tests what was built."""
    return step(
        "test",
        *(predicates or (expected(TESTED, VENDOR),)),
        **{
            "expected_materials": [
                ["MATCH", "*", "WITH", "PRODUCTS", "FROM", "build"],
                ["DISALLOW", "*"],
            ],
            **changes,
        },
    )


def release(*steps: JsonObject, evidence: Iterable[Document]) -> list[Document]:
    """Give a signed layout with these steps, and evidence beside it."""
    return [document(layout(*steps), OWNER, origin="root"), *evidence]


# --- one statement ------------------------------------------------------------------------------


@pytest.mark.accepts("A2")
def test_provenance_takes_the_place_of_a_link() -> None:
    verified = check(release(build(), evidence=[document(provenance(), BUILDER)]))
    assert verified.binding is not None
    assert (verified.binding.artifact, verified.binding.place) == (WHEEL, "step build, products")
    assert verified.chain.owner_keys == (ident(OWNER),)
    assert verified.functionaries == (f"key {BUILDER.keyid[:8]}",)


def test_provenance_0_2_and_statements_0_1_are_understood() -> None:
    predicate = {
        "builder": {"id": "https://builder.example"},
        "buildType": "https://build.example/v1",
        "materials": [{"uri": "git+https://git.example/demo", "digest": {"sha1": "ab" * 20}}],
    }
    old = statement(OLD_PROVENANCE, predicate, _type="https://in-toto.io/Statement/v0.1")
    asking = build(expected(OLD_PROVENANCE, BUILDER))
    assert passes(release(asking, evidence=[document(old, BUILDER)]))
    bare = old | {"subject": [{"digest": {"sha256": SUBJECT.sha256}}]}
    with pytest.raises(MetadataMalformed):
        check(release(asking, evidence=[document(bare, BUILDER)]))


@pytest.mark.accepts("A4")
@pytest.mark.rejects("A4")
@pytest.mark.parametrize(
    "kind", [PROVENANCE.upper(), PROVENANCE + "/", PROVENANCE + ".1", OLD_PROVENANCE, "provenance"]
)
def test_A4_predicate_types_are_compared_to_the_letter(kind: str) -> None:
    assert passes(release(build(), evidence=[document(provenance(), BUILDER)]))
    with pytest.raises(PredicateMissing):
        check(release(build(), evidence=[document(provenance(predicateType=kind), BUILDER)]))


@pytest.mark.rejects("A2")
def test_a_statement_by_somebody_else_does_not_count() -> None:
    with pytest.raises(PredicateMissing):
        check(release(build(), evidence=[document(provenance(), STRANGER)]))
    # A functionary, but not of this predicate.
    with pytest.raises(LinkThresholdUnmet) as caught:
        check(
            release(
                build(),
                checking(expected(TESTED, TAGGER)),
                evidence=[document(provenance(), TAGGER)],
            )
        )
    assert "not authorised" in caught.value.found
    with pytest.raises(KeyRevoked):
        check(
            release(build(), evidence=[document(provenance(), BUILDER)]),
            trusted=trust(revoked=frozenset({ident(BUILDER)})),
        )


def test_nothing_of_a_statement_is_read_before_its_signature_verified() -> None:
    forged = document(provenance(), STRANGER)
    with pytest.raises(EvidenceInvalid) as caught:
        check(release(build(), evidence=[forged]))
    assert caught.value.found == "2 documents, none of them such a statement by somebody known here"


@pytest.mark.accepts("T1", "T3")
@pytest.mark.rejects("T1", "T3")
def test_T3_a_threshold_of_a_predicate_counts_parties() -> None:
    two = build(expected(PROVENANCE, BUILDER, OTHER_BUILDER, threshold=2))
    once, again = provenance(), provenance(note="another document")
    assert passes(release(two, evidence=[document(once, BUILDER), document(again, OTHER_BUILDER)]))
    with pytest.raises(LinkThresholdUnmet):
        check(release(two, evidence=[document(once, BUILDER), document(again, BUILDER)]))
    same = trust(principals={ident(BUILDER): "team", ident(OTHER_BUILDER): "team"})
    with pytest.raises(LinkThresholdUnmet):
        check(
            release(two, evidence=[document(once, BUILDER), document(again, OTHER_BUILDER)]),
            trusted=same,
        )


@pytest.mark.rejects("T2")
def test_T2_those_who_attest_one_predicate_must_say_the_same() -> None:
    two = build(expected(PROVENANCE, BUILDER, OTHER_BUILDER, threshold=2))
    other = provenance({WHEEL: digests("another wheel")})
    with pytest.raises(LinksDisagree):
        check(
            release(two, evidence=[document(provenance(), BUILDER), document(other, OTHER_BUILDER)])
        )


# --- subjects -----------------------------------------------------------------------------------


@pytest.mark.accepts("A6", "A7")
@pytest.mark.rejects("A6", "A7")
def test_A6_A7_the_same_artifact_twice() -> None:
    right, wrong = {"sha256": SUBJECT.sha256}, digests("evil")
    named = {"name": WHEEL, "digest": right}
    asking = release(build(), evidence=[])
    twice = provenance(
        subject=[named, {"name": WHEEL, "digest": {**right, "sha512": "ab" * 64, "md5": "1"}}]
    )
    assert passes([*asking, document(twice, BUILDER)])
    for other in (wrong, {"sha512": "ab" * 64}):
        torn = provenance(subject=[named, {"name": WHEEL, "digest": other}])
        with pytest.raises(MetadataMalformed, match="twice"):
            check([*asking, document(torn, BUILDER)])


@pytest.mark.rejects("A6")
def test_A6_an_algorithm_that_is_not_accepted_binds_nothing() -> None:
    weak = provenance({WHEEL: {"sha1": "ab" * 20, "md5": "cd" * 16}})
    with pytest.raises(ArtifactNotBound):
        check(release(build(), evidence=[document(weak, BUILDER)]))


def test_a_subject_without_a_name_is_the_file_with_its_digest() -> None:
    nameless = provenance(subject=[{"digest": {"sha256": SUBJECT.sha256}}])
    assert passes(release(build(), evidence=[document(nameless, BUILDER)]))
    other = provenance(subject=[{"digest": digests("evil")}])
    with pytest.raises(RuleViolated):
        check(release(build(), evidence=[document(other, BUILDER)]))
    # Its own name says something else: that one is looked at.
    both = provenance(
        subject=[{"digest": {"sha256": SUBJECT.sha256}}, {"name": WHEEL, "digest": digests("x")}]
    )
    lax = build(expected_products=[["CREATE", "*"]])
    with pytest.raises(ArtifactDigestMismatch):
        check(release(lax, evidence=[document(both, BUILDER)]))


def test_a_digest_under_another_name_another_project_and_another_digest() -> None:
    lax = build(expected_products=[["CREATE", "*"]])

    def error(*subjects: Mapping[str, object]) -> EvidenceInvalid:
        stated = provenance(subject=list(subjects))
        with pytest.raises(EvidenceInvalid) as caught:
            check(release(lax, evidence=[document(stated, BUILDER)]))
        return caught.value

    renamed = {"name": "demo-1.1-py3-none-any.whl", "digest": {"sha256": SUBJECT.sha256}}
    assert isinstance(error(renamed), StatementForAnotherFile)
    foreign = {"name": "requests-2.0-py3-none-any.whl", "digest": digests("requests")}
    assert isinstance(error(foreign), StatementForAnotherProject)
    changed = {"name": f"dist/{WHEEL}", "digest": digests("evil")}
    assert isinstance(error(changed), ArtifactDigestMismatch)
    sibling = {"name": "demo-1.0.tar.gz", "digest": digests("sdist")}
    assert type(error(sibling)) is ArtifactNotBound
    assert type(error(foreign, sibling)) is ArtifactNotBound


@pytest.mark.rejects("P9")
@pytest.mark.parametrize("name", ["../x", "a/../b", "./x", "/x", "a//b", "C:x"])
def test_P9_names_in_statements_are_normal(name: str) -> None:
    odd = {**FILE, name: digests("x")}
    lax = build(expected_products=[["CREATE", "*"]])
    for stated in (provenance(odd), provenance(materials=odd)):
        with pytest.raises(MetadataMalformed):
            check(release(lax, evidence=[document(stated, BUILDER)]))


@pytest.mark.rejects("J4")
def test_J4_statements_are_bounded() -> None:
    few = dataclasses.replace(DEFAULT, artifacts=3)
    many = {f"demo-1.0.{number}": digests(str(number)) for number in range(4)}
    for stated in (provenance(many), provenance(materials=many)):
        with pytest.raises(MetadataTooLarge):
            check(release(build(), evidence=[document(stated, BUILDER)]), limits=few)


def test_a_statement_about_all_files_of_a_release_will_do() -> None:
    whole = {**OLD_FILE, **FILE} | {"demo-1.0.tar.gz": digests("sdist")}
    lax = build(expected_products=[["CREATE", "demo-*"], ["DISALLOW", "*"]])
    assert passes(release(lax, evidence=[document(provenance(whole), BUILDER)]))


# --- links --------------------------------------------------------------------------------------


def as_link(link: Mapping[str, object], kind: str = LINK, **changes: object) -> JsonObject:
    """Give a link in a statement."""
    materials = link["materials"]
    products = link["products"]
    assert isinstance(materials, dict)
    assert isinstance(products, dict)
    predicate = {
        "name": link["name"],
        "command": link["command"],
        "materials": resources(materials) if kind == LINK else materials,
        "byproducts": {"return-value": 0},
        "environment": {},
    }
    return statement(kind, predicate | changes, resources(products))


@pytest.mark.accepts("A10", "N4")
def test_A10_a_link_in_a_statement_serves_a_step_of_the_specification() -> None:
    documents = [
        document(layout(), OWNER),
        document(as_link(tag_link()), TAGGER),
        document(as_link(build_link()), BUILDER),
    ]
    assert passes(documents)
    # One of each kind.
    assert passes([documents[0], document(tag_link(), TAGGER), documents[2]])


@pytest.mark.rejects("N4")
def test_N4_the_name_in_the_statement_is_the_step() -> None:
    with pytest.raises(LinkMissing):
        check(
            [
                document(layout(), OWNER),
                document(as_link(tag_link()), TAGGER),
                document(as_link(build_link(), name="tag"), BUILDER),
            ]
        )
    asking = build(expected(LINK, BUILDER), expected_products=[["ALLOW", "*"]])
    assert passes(release(asking, evidence=[document(as_link(build_link()), BUILDER)]))
    with pytest.raises(PredicateMissing):
        check(release(asking, evidence=[document(as_link(build_link(), name="x"), BUILDER)]))


@pytest.mark.parametrize("kind", ["https://in-toto.io/Link/v0.2", "https://in-toto.io/Link/v1"])
def test_older_links_count_where_they_are_asked_for(kind: str) -> None:
    stated = document(as_link(build_link(), kind), BUILDER)
    asking = build(expected(kind, BUILDER), expected_products=[["ALLOW", "*"]])
    assert passes(release(asking, evidence=[stated]))
    with pytest.raises(LinkMissing):
        check([document(layout(), OWNER), document(tag_link(), TAGGER), stated])


@pytest.mark.rejects("A10")
@pytest.mark.parametrize(
    "materials",
    [
        [{"name": "x", "digest": digests("x")}] * 2,
        [{"uri": "x", "digest": digests("x")}],
        [{"name": "x", "uri": "x"}],
        [{"name": "x", "digest": {"md5": "ab"}}],
    ],
)
def test_A10_materials_of_a_link_have_one_name_and_a_digest(materials: list[object]) -> None:
    stated = as_link(build_link(), materials=materials)
    with pytest.raises(MetadataMalformed):
        check([document(layout(), OWNER), document(tag_link(), TAGGER), document(stated, BUILDER)])


@pytest.mark.rejects("A4")
def test_a_link_that_is_no_statement_does_not_serve_a_step_over_statements() -> None:
    asking = build(expected(LINK, BUILDER), expected_products=[["ALLOW", "*"]])
    with pytest.raises(PredicateMissing):
        check(release(asking, evidence=[document(build_link(), BUILDER)]))


# --- several steps ------------------------------------------------------------------------------


def test_statements_and_links_make_one_chain() -> None:
    made_of_the_tag = build(expected_materials=FROM_TAG)
    evidence = [
        document(tag_link(), TAGGER),
        document(provenance(), BUILDER),
        document(of_tests(), VENDOR),
    ]
    documents = release(tag_step(), made_of_the_tag, checking(), evidence=evidence)
    verified = check(documents)
    assert [station.name for station in verified.chain.stations] == ["tag", "build", "test"]
    assert len(verified.links) == 3
    assert passes(documents, trusted=trust(binds="build"))
    # Each piece is needed.
    for missing in evidence:
        with pytest.raises((PredicateMissing, LinkMissing)):
            check([each for each in documents if each is not missing])
    # Each piece is tied to the others.
    for forged in (
        document(tag_link({"src/demo.py": digests("evil")}), TAGGER),
        document(provenance(materials={"src/demo.py": digests("evil")}), BUILDER),
    ):
        swapped = [
            forged
            if forged.envelope.signatures[0].keyid == each.envelope.signatures[0].keyid
            else each
            for each in documents
        ]
        with pytest.raises(RuleViolated):
            check(swapped)


def test_a_replayed_statement_of_an_older_release_is_refused() -> None:
    evidence = [document(provenance(), BUILDER), document(of_tests(subjects=OLD_FILE), VENDOR)]
    lax = checking(expected_materials=[["ALLOW", "demo-*"]])
    for asking in (checking(), lax):
        with pytest.raises((RuleViolated, ArtifactNotBound)):
            check(release(build(), asking, evidence=evidence), trusted=trust(binds="build"))
    # Beside the right one it does no harm, in whichever order.
    more = [*evidence, document(of_tests(), VENDOR)]
    for documents in (more, more[::-1]):
        assert passes(release(build(), lax, evidence=documents), trusted=trust(binds="build"))


def test_an_informational_statement_about_other_files_is_not_tied() -> None:
    asking = build(expected(PROVENANCE, BUILDER), expected(TESTED, VENDOR))
    about_this = document(of_tests(), VENDOR)
    made = document(provenance(), BUILDER)
    assert passes(release(asking, evidence=[made, about_this]))
    for subjects, error in (
        (OLD_FILE, ArtifactNotBound),
        ({"other-1.0.tar.gz": digests("other")}, StatementForAnotherProject),
        ({WHEEL: digests("evil")}, ArtifactDigestMismatch),
    ):
        about_that = document(of_tests(subjects=subjects), VENDOR)
        with pytest.raises(error) as caught:
            check(release(asking, evidence=[made, about_that]))
        assert caught.value.station == "build"
        assert caught.value.chain is not None
        (station,) = caught.value.chain.stations
        assert (station.name, station.outcome) == ("build", Outcome.FAIL)


def test_what_ties_a_statement() -> None:
    made = document(provenance(), BUILDER)
    asking = build(expected(PROVENANCE, BUILDER), expected(TESTED, VENDOR))
    # An artifact of the provenance, here one of the sources.
    assert passes(release(asking, evidence=[made, document(of_tests(subjects=SOURCES), VENDOR)]))
    # A MATCH with another step, not with its own.
    reviewed = document(of_tests(subjects=SOURCES), VENDOR)
    tagged = document(tag_link(), TAGGER)

    def review(origin: str, side: str) -> JsonObject:
        return step(
            "review",
            expected(TESTED, VENDOR),
            expected_materials=[["MATCH", "*", "WITH", side, "FROM", origin], ["DISALLOW", "*"]],
        )

    bound = trust(binds="build")
    for_build = build(expected_materials=FROM_TAG)
    assert passes(
        release(
            tag_step(), review("tag", "PRODUCTS"), for_build, evidence=[made, reviewed, tagged]
        ),
        trusted=bound,
    )
    with pytest.raises(ArtifactNotBound):
        check(
            release(
                tag_step(),
                review("review", "MATERIALS"),
                for_build,
                evidence=[made, reviewed, tagged],
            ),
            trusted=bound,
        )


def test_statements_that_refer_to_each_other_in_a_circle_are_not_tied() -> None:
    def reviewing(name: str, origin: str) -> JsonObject:
        return step(
            name,
            expected(TESTED, VENDOR),
            expected_materials=[
                ["MATCH", "*", "WITH", "MATERIALS", "FROM", origin],
                ["DISALLOW", "*"],
            ],
        )

    made = document(provenance(), BUILDER)
    about_the_old = document(of_tests(subjects=OLD_FILE), VENDOR)
    circle = (reviewing("one", "two"), reviewing("two", "one"))
    bound = trust(binds="build")
    with pytest.raises(ArtifactNotBound):
        check(release(*circle, build(), evidence=[made, about_the_old]), trusted=bound)
    # One after the other, of which the first is tied.
    first = checking(expected_materials=[["MATCH", WHEEL, "WITH", "PRODUCTS", "FROM", "build"]])
    second = reviewing("again", str(first["name"]))
    tested = document(of_tests(), VENDOR)
    assert passes(release(build(), first, second, evidence=[made, tested]), trusted=bound)


def test_one_subject_of_several_ties_a_statement() -> None:
    more = {"demo-1.0.tar.gz": digests("the sdist of demo 1.0")}
    everything = [["ALLOW", "*"]]
    # The file in hand.
    beside = document(statement(PUBLISHED, None, resources({**FILE, **more})), BUILDER)
    assert passes(release(about(PUBLISHED, expected_materials=everything), evidence=[beside]))
    # An artifact of the step.
    asking = build(expected(PROVENANCE, BUILDER), expected(TESTED, VENDOR))
    made = document(provenance({**FILE, **more}), BUILDER)
    of_one = document(of_tests(subjects=more), VENDOR)
    assert passes(release(asking, evidence=[made, of_one]))
    # What a MATCH consumes; what another rule consumes beside it ties nothing.
    after = checking(
        expected_materials=[["MATCH", "*.tar.gz", "WITH", "PRODUCTS", "FROM", "build"], *everything]
    )
    with_others = document(of_tests(subjects={**more, **OLD_FILE}), VENDOR)
    assert passes(
        release(build(), after, evidence=[made, with_others]), trusted=trust(binds="build")
    )
    with pytest.raises(ArtifactNotBound):
        check(
            release(build(), after, evidence=[made, document(of_tests(subjects=OLD_FILE), VENDOR)]),
            trusted=trust(binds="build"),
        )


@pytest.mark.rejects("A7")
def test_A7_digests_that_differ_in_one_algorithm_tie_nothing() -> None:
    asking = build(expected(PROVENANCE, BUILDER), expected(TESTED, VENDOR))
    both = {"sha256": sha256("source"), "sha512": "ab" * 64}
    made = document(provenance(materials={"src/demo.py": both}), BUILDER)

    def reviewed(**changes: str) -> Document:
        return document(of_tests(subjects={"src/demo.py": both | changes}), VENDOR)

    assert passes(release(asking, evidence=[made, reviewed()]))
    with pytest.raises(ArtifactNotBound):
        check(release(asking, evidence=[made, reviewed(sha512="cd" * 64)]))


def test_rules_about_products_do_not_apply_to_informational_predicates() -> None:
    asking = build(
        expected(PROVENANCE, BUILDER),
        expected(TESTED, VENDOR),
        expected_products=[["REQUIRE", WHEEL], ["CREATE", WHEEL], ["DISALLOW", "*"]],
    )
    evidence = [document(provenance(), BUILDER), document(of_tests(), VENDOR)]
    assert passes(release(asking, evidence=evidence))


def test_what_is_wrong_with_the_statement_about_this_file_is_said_first() -> None:
    unfit = [
        document(of_tests("FAILED", subjects), BUILDER, origin=origin)
        for origin, subjects in (
            ("before", OLD_FILE),
            ("this", {**OLD_FILE, **FILE}),
            ("after", OLD_FILE),
        )
    ]
    for documents in (unfit, unfit[::-1]):
        with pytest.raises(PredicateNegative) as caught:
            check(release(about(TESTED, expected_materials=[["ALLOW", "*"]]), evidence=documents))
        assert "this" in caught.value.found


def test_one_statement_may_serve_two_steps_as_far_as_their_rules_let_it() -> None:
    both = [
        checking(name="fast"),
        checking(name="slow"),
    ]
    one = [document(provenance(), BUILDER), document(of_tests(), VENDOR)]
    assert passes(release(build(), *both, evidence=one), trusted=trust(binds="build"))
    apart = [
        checking(name="fast"),
        checking(expected(TESTED, THIRD_BUILDER), name="slow"),
    ]
    with pytest.raises(LinkThresholdUnmet):
        check(release(build(), *apart, evidence=one), trusted=trust(binds="build"))


def test_transformational_statements_of_one_step_must_agree() -> None:
    asking = build(
        expected(PROVENANCE, BUILDER), expected(LINK, OTHER_BUILDER), expected_materials=[]
    )
    link = as_link({**build_link(), "products": FILE})
    made = document(provenance(), BUILDER)
    assert passes(release(asking, evidence=[made, document(link, OTHER_BUILDER)]))
    others = [
        as_link({**build_link(), "products": {WHEEL: digests("evil")}}),
        as_link({**build_link(), "products": {**FILE, "demo-1.0.more": digests("x")}}),
        as_link({**build_link(), "products": FILE}, materials=[]),
    ]
    for other in others:
        with pytest.raises(LinksDisagree):
            check(release(asking, evidence=[made, document(other, OTHER_BUILDER)]))


def test_the_first_transformational_predicate_stands_for_the_step() -> None:
    asking = build(expected(TESTED, VENDOR), expected(PROVENANCE, BUILDER))
    evidence = [document(of_tests(), VENDOR), document(provenance(), BUILDER)]
    after = step(
        "after",
        expected(UNKNOWN, TAGGER),
        expected_materials=[["MATCH", "*", "WITH", "PRODUCTS", "FROM", "build"], ["DISALLOW", "*"]],
    )
    evidence.append(document(statement(UNKNOWN, {"any": "thing"}), TAGGER))
    verified = check(release(asking, after, evidence=evidence))
    assert verified.binding is not None
    assert verified.binding.place == "step after, materials"
    assert set(verified.chain.stations[0].functionaries) == {
        f"key {BUILDER.keyid[:8]}",
        f"key {VENDOR.keyid[:8]}",
    }


def test_the_same_predicate_may_be_asked_of_two_parties() -> None:
    asking = build(
        expected(PROVENANCE, BUILDER), expected(TESTED, VENDOR), expected(TESTED, TAGGER)
    )
    made, one = document(provenance(), BUILDER), document(of_tests(), VENDOR)
    assert passes(release(asking, evidence=[made, one, document(of_tests(), TAGGER)]))
    with pytest.raises(LinkThresholdUnmet):
        check(release(asking, evidence=[made, one]))


def test_rules_about_materials_apply_to_informational_predicates_as_well() -> None:
    asking = build(
        expected(PROVENANCE, BUILDER), expected(TESTED, VENDOR), expected_materials=FROM_TAG
    )
    evidence = [document(tag_link(), TAGGER), document(provenance(), BUILDER)]
    assert passes(
        release(
            tag_step(), asking, evidence=[*evidence, document(of_tests(subjects=SOURCES), VENDOR)]
        )
    )
    with pytest.raises(RuleViolated) as caught:
        check(release(tag_step(), asking, evidence=[*evidence, document(of_tests(), VENDOR)]))
    assert caught.value.station == "build"


# --- informational predicates alone -------------------------------------------------------------


def about(kind: str, **changes: object) -> JsonObject:
    """Ask for a statement about the file."""
    return step(
        "publish",
        expected(kind, BUILDER),
        **{"expected_materials": [["ALLOW", "demo-1.0*"], ["DISALLOW", "*"]], **changes},
    )


def test_a_statement_about_the_file_binds_it() -> None:
    published = document(statement(PUBLISHED), BUILDER)
    verified = check(release(about(PUBLISHED), evidence=[published]))
    assert verified.binding is not None
    assert verified.binding.place == "step publish, materials"
    assert passes(
        release(about(UNKNOWN), evidence=[document(statement(UNKNOWN, {"x": [1.5]}), BUILDER)])
    )


def test_what_no_rule_speaks_of_is_not_bound() -> None:
    published = document(statement(PUBLISHED), BUILDER)
    with pytest.raises(ArtifactNotBound):
        check(release(about(PUBLISHED, expected_materials=[]), evidence=[published]))
    with pytest.raises(RuleViolated):
        check(
            release(about(PUBLISHED, expected_materials=[["DISALLOW", "*"]]), evidence=[published])
        )


def test_materials_of_what_was_done_are_bound_by_match_alone() -> None:
    used = provenance({"out": digests("out")}, FILE)
    asking = build(expected_materials=[["ALLOW", "*"]], expected_products=[["CREATE", "*"]])
    with pytest.raises(ArtifactNotBound):
        check(release(asking, evidence=[document(used, BUILDER)]))


def test_without_a_file_a_statement_needs_something_else_to_be_about() -> None:
    published = document(statement(PUBLISHED), BUILDER)
    with pytest.raises(ArtifactNotBound):
        check(release(about(PUBLISHED), evidence=[published]), subject=None)
    evidence = [document(provenance(), BUILDER), document(of_tests(), VENDOR)]
    assert passes(release(build(), checking(), evidence=evidence), subject=None)


# --- results ------------------------------------------------------------------------------------

SUMMED = {
    "verifier": {"id": "https://verifier.example"},
    "timeVerified": "2026-11-01T00:00:00Z",
    "resourceUri": "pkg:pypi/demo@1.0",
    "policy": {"uri": "https://policy.example"},
    "verificationResult": "PASSED",
    "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
}
SIMPLE = {
    "verifier": {"id": "https://verifier.example", "policies": []},
    "timeCreated": "2026-11-01T00:00:00Z",
    "properties": ["GOOD"],
}
TEST = {"result": "WARNED", "configuration": []}


@pytest.mark.accepts("A5")
@pytest.mark.rejects("A5")
@pytest.mark.parametrize(
    ("kind", "good", "change"),
    [
        (SUMMARY, SUMMED, {"verificationResult": "FAILED"}),
        (SUMMARY, SUMMED, {"verifiedLevels": ["FAILED"]}),
        (RESULT, SIMPLE, {"properties": []}),
        (TESTED, TEST, {"result": "FAILED"}),
    ],
)
def test_A5_a_result_that_says_no_never_counts(
    kind: str, good: dict[str, object], change: dict[str, object]
) -> None:
    yes = document(statement(kind, good), BUILDER)
    no = document(statement(kind, good | change), BUILDER)
    assert passes(release(about(kind), evidence=[yes]))
    with pytest.raises(PredicateNegative):
        check(release(about(kind), evidence=[no]))
    # Removing it changes nothing; so it changes nothing that it is there.
    assert passes(release(about(kind), evidence=[yes, no]))


@pytest.mark.parametrize(
    ("kind", "good", "member"),
    [
        *((SUMMARY, SUMMED, member) for member in sorted(SUMMED.keys() - {"timeVerified"})),
        *((RESULT, SIMPLE, member) for member in SIMPLE),
        *((TESTED, TEST, member) for member in TEST),
    ],
)
def test_a_result_says_what_it_must(kind: str, good: dict[str, object], member: str) -> None:
    lacking = {name: value for name, value in good.items() if name != member}
    for predicate in (lacking, good | {member: 1}):
        with pytest.raises(MetadataMalformed):
            check(release(about(kind), evidence=[document(statement(kind, predicate), BUILDER)]))


@pytest.mark.accepts("A3")
def test_A3_members_that_nobody_knows_are_ignored() -> None:
    stated = statement(TESTED, TEST | {"mood": "good"}, signedBy="nobody")
    assert passes(release(about(TESTED), evidence=[document(stated, BUILDER)]))


@pytest.mark.rejects("A3")
def test_A3_an_unknown_member_does_not_stand_in_for_a_known_one() -> None:
    stated = statement(TESTED, {"configuration": [], "Result": "PASSED"})
    with pytest.raises(MetadataMalformed):
        check(release(about(TESTED), evidence=[document(stated, BUILDER)]))


# --- conditions ---------------------------------------------------------------------------------


def test_conditions_on_a_statement() -> None:
    asking = build(
        expected(PROVENANCE, BUILDER),
        expected(
            TESTED,
            VENDOR,
            expected_attributes=[
                "predicate.result == 'PASSED'",
                "size(predicate.failedTests) == 0",
            ],
        ),
    )
    made = document(provenance(), BUILDER)
    assert passes(release(asking, evidence=[made, document(of_tests(), VENDOR)]))
    with pytest.raises(AttributeViolated) as caught:
        check(release(asking, evidence=[made, document(of_tests("WARNED"), VENDOR)]))
    assert caught.value.station == "build"
    lacking = statement(TESTED, TEST | {"result": "PASSED"})
    with pytest.raises(AttributeMissing):
        check(release(asking, evidence=[made, document(lacking, VENDOR)]))
    # One that does not hold is passed over.
    good, bad = document(of_tests(), VENDOR), document(of_tests("WARNED"), VENDOR)
    assert passes(release(asking, evidence=[made, good, bad]))


def test_conditions_on_links_in_either_form_and_on_inspections() -> None:
    conditions = [
        "predicate.byproducts['return-value'] == 0",
        "subject.exists(s, s.name.endsWith('.whl'))",
        "predicate.name == 'build'",
    ]
    from tests.unit.verification.supply import build_step

    root = document(layout(tag_step(), build_step(expected_attributes=conditions)), OWNER)
    tag = document(tag_link(), TAGGER)
    for link in (build_link(byproducts={"return-value": 0}), as_link(build_link())):
        assert passes([root, tag, document(link, BUILDER)])
    with pytest.raises(AttributeViolated):
        check([root, tag, document(build_link(byproducts={"return-value": 1}), BUILDER)])
    with pytest.raises(AttributeMissing):
        check([root, tag, document(build_link(byproducts={}), BUILDER)])

    def inspected(condition: str) -> list[Document]:
        inspection: JsonObject = {
            "_type": "inspection",
            "name": "unpack",
            "run": ["unzip", WHEEL],
            "expected_materials": [],
            "expected_products": [],
            "expected_attributes": [condition],
        }
        return [
            document(layout(inspections=[inspection]), OWNER),
            tag,
            document(build_link(), BUILDER),
        ]

    assert passes(inspected("predicate.command[0] == 'unzip'"), inspector=FakeInspector())
    with pytest.raises(AttributeViolated) as caught:
        check(inspected("size(subject) > 5"), inspector=FakeInspector())
    assert caught.value.station == "unpack"


# --- sublayouts ---------------------------------------------------------------------------------


@pytest.mark.rejects("J4")
def test_J4_conditions_of_all_documents_and_sublayouts_are_bounded_together() -> None:
    # Whoever may sign for one step may write a sublayout, with as many conditions as they like.
    ones = f"[{', '.join('1' * 20)}]"
    costly = f"{ones}.all(x, {ones}.all(y, x == y))"
    hostile = layout(
        *(
            step(f"step {number}", expected(UNKNOWN, BUILDER, expectedAttributes=[costly]))
            for number in range(100)
        )
    )
    limits = dataclasses.replace(DEFAULT, chain_condition_steps=20_000)
    evidence = [
        document(hostile, BUILDER, origin="hostile"),
        document(statement(UNKNOWN), BUILDER, origin="statement"),
    ]
    root = [document(layout(tag_step(), build_step()), OWNER, origin="root")]
    links = [document(tag_link(), TAGGER)]
    with pytest.raises(MetadataTooLarge, match="conditions") as refused:
        check([*root, *links, *evidence], limits=limits)
    assert "20000" in refused.value.expected
    # They are no worse for others: the very same link makes it pass.
    built = document(build_link(), BUILDER, origin="built")
    assert passes([*root, *links, *evidence, built], limits=limits)


def sublayout() -> JsonObject:
    """Give the layout of a builder, who has his own people."""
    return layout(
        step(
            "inner",
            expected(PROVENANCE, OTHER_BUILDER),
            expected_products=[["CREATE", "demo-1.0*"], ["DISALLOW", "*"]],
        )
    )


@pytest.mark.accepts("U1")
@pytest.mark.rejects("U1")
def test_U1_a_sublayout_sums_up_to_a_link_and_to_nothing_else() -> None:
    evidence = [document(sublayout(), BUILDER), document(provenance(), OTHER_BUILDER)]
    assert passes(release(build(expected(LINK, BUILDER)), evidence=evidence))
    with pytest.raises(LayoutFeatureUnsupported, match="sublayout"):
        check(release(build(), evidence=evidence))
    with pytest.raises(PredicateMissing):
        check(release(build(expected(LINK, BUILDER)), evidence=evidence[:1]))


def test_conditions_hold_for_what_a_sublayout_sums_up_to() -> None:
    evidence = [document(sublayout(), BUILDER), document(provenance(), OTHER_BUILDER)]

    def asking(condition: str) -> JsonObject:
        return build(expected(LINK, BUILDER, expected_attributes=[condition]))

    assert passes(release(asking("size(subject) == 1"), evidence=evidence))
    with pytest.raises(AttributeViolated):
        check(release(asking("size(subject) == 2"), evidence=evidence))


# --- layouts of the consumer's own --------------------------------------------------------------


def own(value: JsonObject, **changes: object) -> Trust:
    """Trust a layout that nobody signed."""
    parsed = dataclasses.replace(parse_layout(Node(value), DEFAULT), **changes)  # type: ignore[arg-type]
    held = OwnLayout(layout=parsed, origin="policy.toml", sha256="ab" * 32)
    return Trust(owners=(), threshold=0, own_layout=held)


def test_a_layout_of_ones_own_needs_no_signature() -> None:
    published = document(statement(PUBLISHED), BUILDER)
    trusted = own(layout(about(PUBLISHED)))
    verified = check([published], trusted=trusted)
    assert verified.signed_by == ("policy",)
    assert verified.layout_sha256 == "ab" * 32
    assert verified.chain.owner_keys == ()
    # No layout among the documents is looked at.
    hostile = document(layout(step("x", expected(UNKNOWN, STRANGER))), OWNER)
    assert passes([published, hostile], trusted=trusted)
    with pytest.raises(PredicateMissing):
        check([document(statement(UNKNOWN), BUILDER)], trusted=trusted)
    with pytest.raises(EvidenceMissing):
        check([], trusted=trusted)


@pytest.mark.rejects("L3")
def test_L3_a_layout_of_ones_own_expires_unless_it_never_does() -> None:
    published = document(statement(PUBLISHED), BUILDER)
    past = datetime(2020, 1, 1, tzinfo=timezone.utc)
    with pytest.raises(LayoutExpired):
        check([published], trusted=own(layout(about(PUBLISHED)), expires=past))
    late = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
    verified = check([published], trusted=own(layout(about(PUBLISHED)), expires=NEVER), now=late)
    assert "does not expire" in verified.trace[0].detail


def test_a_sublayout_still_expires_below_a_layout_of_ones_own() -> None:
    evidence = [document(sublayout(), BUILDER), document(provenance(), OTHER_BUILDER)]
    trusted = own(layout(build(expected(LINK, BUILDER))), expires=NEVER)
    assert passes(evidence, trusted=trusted, now=NOW)
    with pytest.raises(LayoutExpired):
        check(evidence, trusted=trusted, now=datetime(2030, 1, 1, tzinfo=timezone.utc))


# --- order and size -----------------------------------------------------------------------------


@pytest.mark.accepts("A8")
def test_A8_statements_of_many_releases_lie_side_by_side() -> None:
    asking = build(expected(PROVENANCE, BUILDER), expected(TESTED, VENDOR))
    others = [
        {f"demo-0.{number}-py3-none-any.whl": digests(f"wheel {number}")} for number in range(150)
    ]
    evidence = [document(provenance(each), BUILDER) for each in others]
    evidence += [document(of_tests(subjects=each), VENDOR) for each in others]
    right = [document(provenance(), BUILDER), document(of_tests(), VENDOR)]
    assert passes(release(asking, evidence=[*evidence, *right]))
    assert passes(release(asking, evidence=[*right, *evidence]))
    with pytest.raises(EvidenceInvalid):
        check(release(asking, evidence=evidence))


def test_products_that_nobody_asked_about_are_refused_in_statements_too() -> None:
    more = {**FILE, "evil.txt": sha256("evil")}
    stated = provenance({**FILE, "evil.txt": digests("evil")})
    assert set(more) - set(PRODUCTS)
    with pytest.raises(RuleViolated):
        check(release(build(), evidence=[document(stated, BUILDER)]))


# --- how it is found, and what it costs ---------------------------------------------------------


@pytest.mark.accepts("N1")
def test_N1_statements_signed_by_keys_are_named_as_links_are() -> None:
    asking = build(expected(LINK, BUILDER), expected(TESTED, VENDOR))
    documents = [document(layout(asking), OWNER), document(sublayout(), BUILDER)]
    (root,) = root_layouts(documents, trust(), NOW)
    assert wanted_names(root, documents, trust(), NOW) == (
        f"build.{BUILDER.keyid[:8]}.link",
        f"build.{VENDOR.keyid[:8]}.link",
        f"build.{BUILDER.keyid[:8]}/inner.{OTHER_BUILDER.keyid[:8]}.link",
    )


def test_a_classic_chain_imports_nothing_of_statements() -> None:
    code = (
        "import sys; from tests.unit.verification.supply import *; documents = chain();"
        "del sys.modules['pip_intoto.metadata.statement']; assert passes(documents);"
        "print(*[name for name in sys.modules if name.startswith('pip_intoto.')])"
    )
    root = Path(__file__).parents[3]
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True, check=True
    )
    loaded = set(ran.stdout.split())
    assert "pip_intoto.verification.claims" in loaded
    assert not loaded & {
        "pip_intoto.metadata.predicates",
        "pip_intoto.metadata.statement",
        "pip_intoto.verification.attributes",
        "pip_intoto.verification.statements",
    }
