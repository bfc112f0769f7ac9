"""What belongs beside a release: the layout, exactly the links that it asks for, their names."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fixtures.sigstore import Sigstore
from pip_intoto.errors import CommandError, LinkMissing, LinksDisagree, LinkThresholdUnmet
from pip_intoto.limits import DEFAULT, LOCAL
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.maintainer.evidence import bundling
from pip_intoto.maintainer.evidence.bundling import Paper
from pip_intoto.metadata.bundle import documents_in, parse_bundle
from pip_intoto.metadata.names import link_filename
from pip_intoto.policy.publishers import parse_publisher
from tests.unit.verification.authorities import SPIFFE, certify, constraint, listed, sign_with
from tests.unit.verification.supply import (
    BUILDER,
    EXPIRES,
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
    as_document,
    build_link,
    build_step,
    digests,
    layout,
    passes,
    signing_key,
    tag_link,
    tag_step,
)

if TYPE_CHECKING:
    from datetime import datetime

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.evidence.bundling import Gathered
    from pip_intoto.maintainer.keys.signing import SigningKey
    from pip_intoto.verification.binding import Subject

INNER = signing_key(20)
TAG = link_filename("tag", TAGGER.keyid)
BUILD = link_filename("build", BUILDER.keyid)


def paper(
    payload: JsonObject,
    *signers: SigningKey,
    form: Envelope = Envelope.DSSE,
    origin: str = "",
    hint: str = "",
) -> Paper:
    return paper_of(authoring.sign(payload, signers, form), origin=origin, hint=hint)


def paper_of(content: JsonObject, *, origin: str = "", hint: str = "") -> Paper:
    return Paper(document=as_document(content, origin=origin, hint=hint), content=content)


ROOT = paper(layout(), OWNER, origin="root.layout")
TAG_LINK = paper(tag_link(), TAGGER, origin="tag")
BUILD_LINK = paper(build_link(), BUILDER, origin="build")


def gather(*papers: Paper, root: Paper = ROOT, subject: Subject | None = SUBJECT) -> Gathered:
    return bundling.gather(root, papers, subject, now=NOW)


def names(gathered: Gathered) -> list[str]:
    return [name for placed in gathered.placed for name in placed.names]


def verifies(gathered: Gathered) -> bool:
    return passes([placed.paper.document for placed in gathered.placed])


# --- what is chosen -------------------------------------------------------------------------


@pytest.mark.parametrize("form", Envelope)
def test_the_layout_and_the_links_of_its_steps_are_gathered(form: Envelope) -> None:
    root = paper(layout(), OWNER, form=form)
    gathered = gather(
        paper(build_link(), BUILDER, form=form), paper(tag_link(), TAGGER, form=form), root=root
    )
    assert names(gathered) == ["root.layout", BUILD, TAG]
    assert gathered.missing == ()
    assert gathered.unbound is None
    assert verifies(gathered)


def test_T1_E6_links_of_other_steps_and_other_keys_stay_where_they_are() -> None:
    gathered = gather(
        TAG_LINK,
        BUILD_LINK,
        paper(authoring.link("deploy"), BUILDER),
        paper(build_link(), STRANGER),
        paper(build_link(), TAGGER),
        paper(layout(), OWNER, OTHER_BUILDER),
    )
    assert names(gathered) == ["root.layout", BUILD, TAG]


def test_what_a_file_is_called_decides_nothing() -> None:
    misnamed = paper(build_link(), STRANGER, hint=BUILD)
    nameless = paper(build_link(), BUILDER, hint="whatever.json")
    gathered = gather(TAG_LINK, misnamed, nameless)
    assert names(gathered) == ["root.layout", BUILD, TAG]
    assert nameless.sha256 in {placed.paper.sha256 for placed in gathered.placed}


def test_X1_a_link_signed_by_certificate_is_gathered() -> None:
    authority = certify("Demo CA", authority=True)
    step = build_step(pubkeys=[], cert_constraints=[constraint(uris=[SPIFFE])])
    content = layout(tag_step(), step) | {"rootcas": listed(aa=authority)}
    link = paper_of(sign_with(build_link(), certify(by=authority, uris=[SPIFFE])))
    stranger = paper_of(sign_with(build_link(), certify("evil", uris=[SPIFFE])))
    gathered = gather(TAG_LINK, link, stranger, root=paper(content, OWNER))
    assert gathered.missing == ()
    assert len(gathered.placed) == 3
    assert link.sha256 in {placed.paper.sha256 for placed in gathered.placed}
    assert verifies(gathered)


def test_a_link_with_two_signatures_has_two_names_and_is_one_document() -> None:
    step = build_step(pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid], threshold=2)
    both = paper(build_link(), BUILDER, OTHER_BUILDER)
    gathered = gather(TAG_LINK, both, root=paper(layout(tag_step(), step), OWNER))
    assert gathered.missing == ()
    assert set(names(gathered)) == {
        "root.layout",
        TAG,
        BUILD,
        link_filename("build", OTHER_BUILDER.keyid),
    }
    assert bundling.lines(gathered.placed).count(b"\n") == 3


# --- several releases -----------------------------------------------------------------------

OLD_SOURCES = {**SOURCES, "src/demo.py": digests("print('demo 0.9')")}
OLD_WHEEL = {"dist/demo-0.9-py3-none-any.whl": digests("the wheel of demo 0.9")}
OLD_TAG = paper(tag_link(OLD_SOURCES), TAGGER, origin="old tag")
OLD_BUILD = paper(build_link(OLD_WHEEL, OLD_SOURCES), BUILDER, origin="old build")


def test_links_of_other_releases_are_left_out_and_said() -> None:
    gathered = gather(OLD_TAG, TAG_LINK, BUILD_LINK, OLD_BUILD)
    chosen = {placed.paper.sha256 for placed in gathered.placed}
    assert chosen == {ROOT.sha256, TAG_LINK.sha256, BUILD_LINK.sha256}
    assert verifies(gathered)
    assert len(gathered.left_out) == 2
    assert any("old tag" in text for text in gathered.left_out)


def test_the_order_of_the_documents_means_nothing() -> None:
    one = gather(OLD_TAG, TAG_LINK, BUILD_LINK, OLD_BUILD)
    other = gather(BUILD_LINK, OLD_BUILD, TAG_LINK, OLD_TAG)
    assert bundling.lines(one.placed) == bundling.lines(other.placed)


def test_a_release_with_a_file_less_is_told_from_the_one_before() -> None:
    more = paper(tag_link({**SOURCES, "src/gone.py": digests("gone")}), TAGGER)
    assert verifies(gather(more, TAG_LINK, BUILD_LINK))


def test_a_rebuilt_file_of_the_same_name_is_told_by_its_digest() -> None:
    other = paper(build_link({f"dist/{WHEEL}": digests("another wheel")}), BUILDER)
    gathered = gather(TAG_LINK, other, BUILD_LINK)
    assert gathered.unbound is None
    assert verifies(gathered)


def test_the_same_link_twice_is_one() -> None:
    copy = paper(tag_link(), TAGGER, form=Envelope.METABLOCK, origin="copy")
    gathered = gather(TAG_LINK, copy, BUILD_LINK)
    assert len(gathered.placed) == 3
    assert "says the same" in gathered.left_out[0]


def test_a_copy_with_fewer_signatures_takes_nothing_from_the_other() -> None:
    step = build_step(pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid], threshold=2)
    root = paper(layout(tag_step(), step), OWNER)
    both = paper(build_link(), BUILDER, OTHER_BUILDER)
    for papers in ((BUILD_LINK, both), (both, BUILD_LINK)):
        gathered = gather(TAG_LINK, *papers, root=root)
        assert gathered.missing == ()
        assert verifies(gathered)


def test_links_that_cannot_be_told_apart_all_stay() -> None:
    one = paper(tag_link({"a": digests("a")}), TAGGER, origin="one")
    two = paper(tag_link({"b": digests("b")}), TAGGER, origin="two")
    gathered = gather(one, two, BUILD_LINK)
    assert len(gathered.placed) == 4
    assert any("cannot be told" in note for note in gathered.notes)


# --- what is missing ------------------------------------------------------------------------


def test_T4_all_steps_without_enough_links_are_said_at_once() -> None:
    step = build_step(pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid], threshold=2)
    gathered = gather(BUILD_LINK, root=paper(layout(tag_step(), step), OWNER))
    assert [(each.step, type(each.error)) for each in gathered.missing] == [
        ("tag", LinkMissing),
        ("build", LinkThresholdUnmet),
    ]
    assert OTHER_BUILDER.keyid[:8] in gathered.missing[1].error.expected


def test_T5_builders_who_disagree_are_not_enough() -> None:
    step = build_step(pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid], threshold=2)
    other = paper(build_link({f"dist/{WHEEL}": digests("differs")}), OTHER_BUILDER)
    gathered = gather(TAG_LINK, BUILD_LINK, other, root=paper(layout(tag_step(), step), OWNER))
    assert [type(each.error) for each in gathered.missing] == [LinksDisagree]


def test_a_link_whose_signature_does_not_verify_is_missing() -> None:
    content = authoring.sign(build_link(), [BUILDER], Envelope.DSSE)
    content["signatures"] = authoring.sign(tag_link(), [BUILDER], Envelope.DSSE)["signatures"]
    gathered = gather(TAG_LINK, paper_of(content, origin="forged", hint=BUILD))
    (missing,) = gathered.missing
    assert missing.step == "build"
    assert "forged" in missing.error.found


def test_links_that_do_not_speak_of_the_file_are_not_its_evidence() -> None:
    other = paper(build_link({f"dist/{WHEEL}": digests("another wheel")}), BUILDER, origin="other")
    gathered = gather(TAG_LINK, other)
    assert gathered.missing == ()
    assert gathered.unbound is not None
    assert "other" in gathered.unbound.found
    assert gather(TAG_LINK, OLD_BUILD).unbound is not None


def test_the_layout_must_be_one() -> None:
    with pytest.raises(CommandError, match="is a link"):
        gather(BUILD_LINK, root=TAG_LINK)


# --- sublayouts -----------------------------------------------------------------------------

COMPILE = link_filename("compile", INNER.keyid)
REPORT = authoring.inspection("look", run=["./look"])


def sublayout(*, inspections: bool = False, expires: datetime = EXPIRES) -> JsonObject:
    step = authoring.step("compile", functionaries=[INNER])
    looks = [REPORT] if inspections else []
    return layout(step, keys=[INNER], inspections=looks, expires=expires)


VENDOR_STEP = build_step(pubkeys=[VENDOR.keyid])
VENDOR_ROOT = paper(layout(tag_step(), VENDOR_STEP), OWNER)
INNER_LINK = paper(
    authoring.link("compile", materials=SOURCES, products={**SOURCES, **PRODUCTS}), INNER
)
BELOW = f"build.{VENDOR.keyid[:8]}"


def test_U1_U2_sublayouts_and_their_links_lie_below() -> None:
    vendor = paper(sublayout(), VENDOR)
    gathered = gather(TAG_LINK, vendor, INNER_LINK, root=VENDOR_ROOT)
    assert names(gathered) == ["root.layout", f"{BELOW}.link", f"{BELOW}/{COMPILE}", TAG]
    assert gathered.missing == ()
    assert verifies(gathered)


def test_U5_reports_of_the_inspections_of_sublayouts_are_gathered() -> None:
    vendor = paper(sublayout(inspections=True), VENDOR)
    report = paper(authoring.link("look"), VENDOR)
    foreign = paper(authoring.link("look"), INNER)
    gathered = gather(TAG_LINK, vendor, INNER_LINK, report, foreign, root=VENDOR_ROOT)
    assert f"{BELOW}/{link_filename('look', VENDOR.keyid)}" in names(gathered)
    assert len(gathered.placed) == 5


def test_reports_of_the_inspections_of_the_root_layout_are_not() -> None:
    root = paper(layout(tag_step(), build_step(), inspections=[REPORT]), OWNER)
    gathered = gather(TAG_LINK, BUILD_LINK, paper(authoring.link("look"), OWNER), root=root)
    assert names(gathered) == ["root.layout", BUILD, TAG]


def test_what_is_missing_in_a_sublayout_is_said_with_its_step() -> None:
    gathered = gather(TAG_LINK, paper(sublayout(), VENDOR, origin="vendor"), root=VENDOR_ROOT)
    (missing,) = gathered.missing
    assert missing.step == "compile"
    assert "vendor" in missing.within


def test_of_two_sublayouts_the_one_that_lasts_longer_stays() -> None:
    short = sublayout(expires=NOW.replace(hour=13))
    papers = [paper(short, VENDOR, origin="short"), paper(sublayout(), VENDOR)]
    gathered = gather(TAG_LINK, INNER_LINK, *papers, root=VENDOR_ROOT)
    assert len(gathered.placed) == 4
    assert gathered.left_out[0].startswith("short is left out")


def test_U4_a_layout_that_names_itself_ends() -> None:
    step = build_step(pubkeys=[VENDOR.keyid])
    inner = paper(layout(tag_step(), step), VENDOR, origin="inner")
    root = paper(layout(tag_step(), step), OWNER)
    gathered = gather(TAG_LINK, inner, root=root)
    assert {each.step for each in gathered.missing} >= {"build"}


def test_whose_key_signs_for_two_steps_says_with_the_name_of_the_sublayout_which_one() -> None:
    tagged = tag_step(pubkeys=[VENDOR.keyid])
    root = paper(layout(tagged, VENDOR_STEP), OWNER)
    named = paper(sublayout(), VENDOR, hint=f"elsewhere/{BELOW}.link")
    assert names(gather(named, INNER_LINK, root=root)) == [
        *("root.layout", f"{BELOW}.link", f"{BELOW}/{COMPILE}")
    ]
    nameless = paper(sublayout(), VENDOR, hint="vendor.json")
    assert f"tag.{VENDOR.keyid[:8]}.link" in names(gather(nameless, INNER_LINK, root=root))


def test_sublayouts_deeper_than_anybody_follows_them_are_not_entered() -> None:
    papers = (TAG_LINK, paper(sublayout(), VENDOR), INNER_LINK)
    for depth, found in ((0, False), (1, True)):
        limits = replace(LOCAL, sublayout_depth=depth)
        gathered = bundling.gather(VENDOR_ROOT, papers, SUBJECT, now=NOW, limits=limits)
        assert (f"{BELOW}/{COMPILE}" in names(gathered)) is found


# --- bundles --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", Envelope)
def test_a_line_is_the_document_as_it_was_signed_and_its_name(form: Envelope) -> None:
    link = paper(build_link(), BUILDER, form=form)
    gathered = gather(TAG_LINK, link)
    data = bundling.lines(gathered.placed)
    line = next(line for line in data.splitlines() if json.loads(line)["name"] == BUILD)
    read = json.loads(line)
    assert read.pop("name") == BUILD
    assert list(read.items()) == list(link.content.items())
    assert json.dumps(read) == json.dumps(link.content)


def from_lines(data: bytes) -> list[Paper]:
    papers = []
    for line in data.splitlines():
        bundle = parse_bundle(line, origin="bundle", limits=DEFAULT)
        papers.append(Paper(document=bundle.documents[0], content=json.loads(line)))
    return papers


def test_names_come_out_of_documents_and_not_out_of_hints() -> None:
    vendor = paper(sublayout(inspections=True), VENDOR)
    report = paper(authoring.link("look"), VENDOR)
    gathered = gather(TAG_LINK, vendor, INNER_LINK, report, root=VENDOR_ROOT)
    lines = [json.loads(line) for line in bundling.lines(gathered.placed).splitlines()]
    for number, line in enumerate(lines):
        line["name"] = ("../../evil", "/etc/passwd", "root.layout", TAG, "x")[number]
    hostile = "".join(json.dumps(line) + "\n" for line in lines).encode()
    named = bundling.named(from_lines(hostile), now=NOW)
    assert set(named) == set(names(gathered))


def test_a_link_that_no_step_asks_for_has_the_name_that_it_says() -> None:
    extra = paper(authoring.link("deploy"), STRANGER)
    named = bundling.named([ROOT, TAG_LINK, extra], now=NOW)
    assert link_filename("deploy", STRANGER.keyid) in named


@pytest.mark.parametrize("name", ["../evil", "/etc/cron.d/evil", "a/b", "a\\b", "c:evil", "", ".."])
def test_N3_P9_names_of_steps_that_leave_the_directory_are_refused(name: str) -> None:
    evil = paper(authoring.link(name), STRANGER)
    with pytest.raises(Exception, match="file name"):
        bundling.named([ROOT, TAG_LINK, evil], now=NOW)


def test_keyids_that_are_none_are_refused() -> None:
    content = authoring.sign(authoring.link("deploy"), [STRANGER], Envelope.DSSE)
    signatures = content["signatures"]
    assert isinstance(signatures, list)
    assert isinstance(signatures[0], dict)
    signatures[0]["keyid"] = "../../e"
    with pytest.raises(CommandError, match="no name"):
        bundling.named([ROOT, paper_of(content)], now=NOW)


def test_two_documents_of_one_name_are_refused() -> None:
    with pytest.raises(CommandError, match="two documents"):
        bundling.named([ROOT, TAG_LINK, OLD_TAG], now=NOW)


def test_a_bundle_with_two_root_layouts_or_none_is_refused() -> None:
    other = paper(layout(readme="another"), OWNER)
    for papers in ([ROOT, other], [TAG_LINK]):
        with pytest.raises(CommandError, match="root layout"):
            bundling.named(papers, now=NOW)


def test_thousands_of_links_of_earlier_releases_are_told_apart_in_time() -> None:
    crowd = [
        paper(tag_link({"src/demo.py": {"sha256": hashlib.sha256(b"%d" % n).hexdigest()}}), TAGGER)
        for n in range(1000)
    ]
    gathered = gather(*crowd, TAG_LINK, BUILD_LINK)
    assert len(gathered.placed) == 3
    assert len(gathered.left_out) == 1000


# --- statements -----------------------------------------------------------------------------

TESTED = "https://in-toto.io/attestation/test-result/v0.1"
PROVENANCE = "https://slsa.dev/provenance/v1"
SCANNED = "https://in-toto.io/attestation/vulns/v0.2"
RELEASE = parse_publisher("github:acme/demo:release.yml")
OLD_DIGEST = "0" * 64


def said(kind: str, *signers: SigningKey, sha256: str = SUBJECT.sha256, origin: str = "") -> Paper:
    subject: list[JsonObject] = [{"name": WHEEL, "digest": {"sha256": sha256}}]
    return paper(authoring.statement(subject, kind, {"result": "PASSED"}), *signers, origin=origin)


def vouched(kind: str, sha256: str = SUBJECT.sha256, origin: str = "provenance") -> Paper:
    subject: list[JsonObject] = [{"name": WHEEL, "digest": {"sha256": sha256}}]
    data = Sigstore().bundle(
        authoring.statement(subject, kind, {}),
        repository="acme/demo",
        workflow="release.yml",
        ref="refs/tags/v1",
    )
    (document,) = documents_in(data, origin=origin, limits=LOCAL).documents
    return Paper(document=document, content=json.loads(data))


def stated_layout(threshold: int = 1) -> Paper:
    """A step with a link, one with provenance by a workflow, one with test results by two keys."""
    keys = (BUILDER.keyid, OTHER_BUILDER.keyid)
    provenance = authoring.predicate(PROVENANCE, functionaries=[RELEASE.keyid])
    tested = authoring.predicate(TESTED, functionaries=keys, threshold=threshold)
    steps = [
        tag_step(),
        authoring.step("build", functionaries=(), expected_predicates=[provenance]),
        authoring.step("test", functionaries=(), expected_predicates=[tested]),
    ]
    payload = authoring.layout(expires=EXPIRES, keys=[TAGGER, BUILDER, OTHER_BUILDER], steps=steps)
    listed = authoring.identity_object(RELEASE)
    payload["keys"] = {**payload["keys"], RELEASE.keyid: listed}  # type: ignore[dict-item]
    return paper(payload, OWNER, origin="root.layout")


def test_statements_that_a_layout_asks_for_are_gathered() -> None:
    gathered = gather(TAG_LINK, vouched(PROVENANCE), said(TESTED, BUILDER), root=stated_layout())
    assert set(names(gathered)) == {
        "root.layout",
        "slsa-provenance.sigstore.json",
        TAG,
        f"test-result.{BUILDER.keyid[:8]}.json",
    }
    assert (gathered.missing, gathered.unbound) == ((), None)


def test_statements_about_the_file_are_gathered_though_no_layout_asks_for_them() -> None:
    gathered = gather(TAG_LINK, BUILD_LINK, said(SCANNED, STRANGER), vouched(PROVENANCE))
    assert set(names(gathered)) == {
        *("root.layout", TAG, BUILD, "vulns.json", "slsa-provenance.json")
    }


def test_statements_about_other_files_are_left_out() -> None:
    gathered = gather(
        TAG_LINK,
        vouched(PROVENANCE),
        vouched(PROVENANCE, OLD_DIGEST, origin="old"),
        said(TESTED, BUILDER),
        said(TESTED, BUILDER, sha256=OLD_DIGEST, origin="older"),
        said(SCANNED, STRANGER, sha256=OLD_DIGEST),
        root=stated_layout(),
    )
    assert len(gathered.placed) == 4
    assert set(gathered.left_out) == {
        "old is left out: it is about other files",
        "older is left out: it is about other files",
    }


def test_T3_statements_that_are_missing_are_named() -> None:
    gathered = gather(TAG_LINK, said(TESTED, BUILDER), root=stated_layout(threshold=2))
    shortfalls = {each.step: each.error for each in gathered.missing}
    assert set(shortfalls) == {"build", "test"}
    assert all(each.of_statements for each in gathered.missing)
    assert "slsa-provenance" in shortfalls["build"].message
    assert "github:acme/demo:release.yml" in shortfalls["build"].expected
    assert shortfalls["test"].found == "1 of 2"
    # Neither somebody else's key nor the same one again is a second party.
    more = gather(
        TAG_LINK,
        said(TESTED, BUILDER),
        said(TESTED, BUILDER, sha256=OLD_DIGEST),
        said(TESTED, STRANGER),
        vouched(PROVENANCE),
        root=stated_layout(threshold=2),
    )
    assert [each.step for each in more.missing] == ["test"]


def test_N4_a_link_in_a_statement_takes_the_place_of_a_link() -> None:
    subjects, materials = (
        [{"name": name, "digest": {**each}} for name, each in side.items()]
        for side in (PRODUCTS, SOURCES)
    )
    predicate = {"name": "build", "command": [], "materials": materials}
    kind = "https://in-toto.io/attestation/link/v0.3"
    link = authoring.statement(subjects, kind, predicate)  # type: ignore[arg-type]
    gathered = gather(TAG_LINK, paper(link, BUILDER))
    assert names(gathered) == ["root.layout", BUILD, TAG]
    assert gathered.missing == ()
    assert verifies(gathered)


def test_statements_have_no_place_in_the_directory_form() -> None:
    gathered = gather(TAG_LINK, vouched(PROVENANCE), said(TESTED, BUILDER), root=stated_layout())
    with pytest.raises(CommandError, match="has no place in the directory form"):
        bundling.by_name(gathered.placed)
