"""Attacks, each by its name. Everything here is signed for real, by keys that were trusted once.

Each test first shows that the honest evidence passes, so that what blocks is the attack.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import (
    ArtifactDigestMismatch,
    ArtifactNotBound,
    EvidenceError,
    EvidenceInvalid,
    InspectionNotAllowed,
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
from pip_intoto.verification.binding import Subject
from pip_intoto.verification.chain import wanted_names
from pip_intoto.verification.roots import root_layouts
from tests.unit.verification.supply import (
    BUILDER,
    EXPIRES,
    FROM_TAG,
    NOW,
    ONE_WHEEL,
    OTHER_BUILDER,
    OWNER,
    PRODUCTS,
    SOURCES,
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
    layout,
    passes,
    sha256,
    tag_link,
    tag_step,
    trust,
)

if TYPE_CHECKING:
    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.bundle import Document

EVIL = "a wheel with a backdoor"
#: The attacker's file, under the honest file's name.
EVIL_SUBJECT = replace(SUBJECT, sha256=sha256(EVIL))


def test_attack_early_step() -> None:
    """A stolen key of the first step lists the evil wheel among its products.

    The genuine later links of an older release lie beside it.
    """
    open_tag = tag_step(expected_products=[["CREATE", "*"]])
    root = layout(open_tag, build_step())
    stolen = tag_link({**SOURCES, WHEEL: digests(EVIL)})
    assert passes(chain(root=root))
    with pytest.raises(ArtifactDigestMismatch):
        check(chain(root=root, tag=stolen), subject=EVIL_SUBJECT)
    other_name = replace(EVIL_SUBJECT, filename="demo-1.1-py3-none-any.whl", version="1.1")
    stolen = tag_link({**SOURCES, other_name.filename: digests(EVIL)})
    with pytest.raises(ArtifactNotBound) as caught:
        check(chain(root=root, tag=stolen), subject=other_name)
    assert caught.value.place == "step build"


def test_attack_early_step_with_an_inspection() -> None:
    """The same, where an inspection decides: it asks the step that the layout names."""
    inspection = authoring.inspection(
        "look",
        run=["true"],
        expected_materials=[["MATCH", "*", "WITH", "PRODUCTS", "IN", "dist", "FROM", "build"]],
    )
    root = layout(tag_step(), build_step(), inspections=[inspection])
    assert passes(chain(root=root), inspector=FakeInspector())
    stolen = tag_link({**SOURCES, f"dist/{WHEEL}": digests(EVIL), WHEEL: digests(EVIL)})
    with pytest.raises(ArtifactNotBound):
        check(
            chain(root=root, tag=stolen, build=build_link()),
            subject=EVIL_SUBJECT,
            inspector=FakeInspector(materials={WHEEL: digests(EVIL)}),
        )


def approved(*, approve: JsonObject | None = None) -> list[Document]:
    """A chain whose last step is an approval: it only looks at the wheel."""
    step = authoring.step(
        "approve",
        functionaries=[VENDOR],
        expected_materials=[
            ["MATCH", "*", "WITH", "PRODUCTS", "FROM", "build"],
            ["DISALLOW", "*"],
        ],
    )
    link = approve or authoring.link("approve", materials=PRODUCTS)
    return [*chain(root=layout(tag_step(), build_step(), step)), document(link, VENDOR)]


def test_attack_skipped_approval() -> None:
    """The last step was not carried out for this file; the last release's link is replayed."""
    assert passes(approved())
    replayed = authoring.link(
        "approve", materials={"dist/demo-0.9-py3-none-any.whl": digests("0.9")}
    )
    # Also where the layout's rules would let the older link through.
    lax = authoring.step("approve", functionaries=[VENDOR])
    lax_root = document(layout(tag_step(), build_step(), lax), OWNER)
    for documents in (
        approved(approve=replayed),
        [lax_root, *chain()[1:], document(replayed, VENDOR)],
        [lax_root, *chain()[1:], document(authoring.link("approve"), VENDOR)],
    ):
        with pytest.raises((RuleViolated, ArtifactNotBound)):
            check(documents)


def test_attack_skipped_approval_that_nobody_signed() -> None:
    with pytest.raises(LinkMissing) as caught:
        check(approved()[:-1])
    assert caught.value.place == "step approve"


def test_attack_evidence_of_another_file() -> None:
    """Honest evidence, served beside another file of the same name."""
    assert passes(chain())
    with pytest.raises(ArtifactDigestMismatch) as caught:
        check(chain(), subject=EVIL_SUBJECT)
    assert sha256(EVIL) in caught.value.found


def test_attack_evidence_of_another_version() -> None:
    newer = Subject(
        project="demo",
        distribution="demo",
        version="1.0.1",
        filename="demo-1.0.1-py3-none-any.whl",
        sha256=sha256("demo 1.0.1"),
    )
    with pytest.raises(ArtifactNotBound):
        check(chain(), subject=newer)


def test_attack_the_file_of_another_version_under_this_name() -> None:
    """The old, vulnerable wheel is served as the new one: its evidence names the old one."""
    old = "demo-0.9-py3-none-any.whl"
    link = build_link({f"dist/{old}": digests("demo 0.9")})
    step = build_step(expected_products=[FROM_TAG[0], ["CREATE", "dist/*.whl"], ["DISALLOW", "*"]])
    documents = chain(root=layout(tag_step(), step), build=link)
    with pytest.raises(ArtifactNotBound):
        check(documents, subject=replace(SUBJECT, sha256=sha256("demo 0.9")))


def test_attack_another_project_under_the_same_keys() -> None:
    """One owner, two projects: the layout of one must not carry files of the other."""
    lax = build_step(expected_products=[FROM_TAG[0], ["CREATE", "dist/*"], ["DISALLOW", "*"]])
    other = Subject(
        project="other",
        distribution="other",
        version="1.0",
        filename="other-1.0-py3-none-any.whl",
        sha256=sha256("other"),
    )
    link = build_link({f"dist/{other.filename}": digests("other"), **PRODUCTS})
    shared = trust(shared_keys=True)
    documents = chain(root=layout(tag_step(), lax), build=link)
    assert passes(documents, subject=other)
    with pytest.raises(LayoutNotForProject):
        check(documents, subject=other, trusted=shared)
    assert passes(chain(), trusted=shared), "a scoped rule is enough"
    pinned = replace(shared, layout_sha256=(documents[0].envelope.sha256,))
    assert passes(documents, subject=other, trusted=pinned), "and so is a pin"


@pytest.mark.parametrize("pattern", ["*", "dist/*", "dist/demo*", "dist/dem[o]-*", "[/demo-]*",
                                     "dist/demo-extra-*/*"])  # fmt: skip
def test_attack_a_pattern_that_only_looks_scoped(pattern: str) -> None:
    step = build_step(
        expected_products=[FROM_TAG[0], ["CREATE", "dist/other*"], ["ALLOW", pattern]]
    )
    with pytest.raises((LayoutNotForProject, ArtifactNotBound)):
        check(chain(root=layout(tag_step(), step)), trusted=trust(shared_keys=True))


def test_attack_sublayout_served_as_the_root() -> None:
    """A functionary signs a layout of their own, and serves it as the project's."""
    own = layout(build_step(expected_materials=[]), keys=[BUILDER])
    link = document(build_link(), BUILDER)
    with pytest.raises(LayoutSignatureMissing):
        check([document(own, BUILDER, hint="root.layout"), link])
    with pytest.raises(LayoutSignatureMissing):
        check([document(own, BUILDER, hint="root.layout"), *chain()[1:]])
    # Beside the real one it changes nothing.
    assert check([document(own, BUILDER, hint="root.layout"), *chain()]).layout_sha256 == (
        chain()[0].envelope.sha256
    )


@pytest.mark.rejects("N4")
def test_attack_N4_link_under_a_foreign_steps_name() -> None:
    """One functionary of two steps: the link of one is served as that of the other."""
    step = tag_step(pubkeys=[BUILDER.keyid])
    root = document(layout(step, build_step(expected_materials=[])), OWNER)
    evil = document(
        tag_link({f"dist/{WHEEL}": digests(EVIL)}),
        BUILDER,
        hint=f"build.{BUILDER.keyid[:8]}.link",
    )
    assert passes([root, document(tag_link(), BUILDER), document(build_link(), BUILDER)])
    with pytest.raises(LinkMissing):
        check([root, evil], subject=EVIL_SUBJECT)


@pytest.mark.rejects("T3")
@pytest.mark.parametrize("spelling", ["same", "pem"])
def test_attack_T3_one_key_under_two_ids(spelling: str) -> None:
    """A functionary who is listed twice, as hex and as PEM, is still one."""
    step = build_step(threshold=2, pubkeys=[BUILDER.keyid, "e" * 64])
    root = layout(tag_step(), step)
    twin = authoring.key_object(BUILDER)
    twin["keyid"] = "e" * 64
    if spelling == "pem":
        twin["keyval"] = {"public": BUILDER.public_pem().decode()}
    root["keys"]["e" * 64] = twin  # type: ignore[index, call-overload]
    content = authoring.sign(build_link(), [BUILDER])
    renamed = authoring.sign(build_link(command=["again"]), [BUILDER])
    renamed["signatures"][0]["keyid"] = "e" * 64  # type: ignore[index, call-overload]
    documents = [document(root, OWNER), document(tag_link(), TAGGER), as_document(content)]
    with pytest.raises(LinkThresholdUnmet):
        check([*documents, as_document(renamed)])


@pytest.mark.rejects("T3")
def test_attack_T3_one_owner_key_listed_for_two_parties() -> None:
    both = trust(OWNER, threshold=2)
    owner = both.owners[0]
    twice = replace(both, owners=(owner, replace(owner, principal="somebody else")))
    with pytest.raises(LayoutSignatureMissing):
        check(chain(), trusted=twice)


@pytest.mark.rejects("E7")
def test_attack_the_keyid_of_another_in_the_signature() -> None:
    """The keyid is a hint: a stranger's signature under a trusted name is a stranger's."""
    content = authoring.sign(build_link({f"dist/{WHEEL}": digests(EVIL)}), [VENDOR])
    content["signatures"][0]["keyid"] = BUILDER.keyid  # type: ignore[index, call-overload]
    with pytest.raises(LinkThresholdUnmet):
        check([*chain()[:2], as_document(content)], subject=EVIL_SUBJECT)


@pytest.mark.rejects("E1", "E5")
def test_attack_signature_of_one_envelope_in_the_other() -> None:
    """What was signed as a Metablock is no DSSE payload, and the other way round."""
    metablock = authoring.sign(build_link(), [BUILDER], Envelope.METABLOCK)
    dsse = authoring.sign(build_link(), [BUILDER], Envelope.DSSE)
    both = {**dsse, "signed": metablock["signed"], "signatures": metablock["signatures"]}
    with pytest.raises(EvidenceInvalid):
        check([*chain()[:2], as_document(both)])


def test_attack_dissent_cannot_be_silenced_by_removing_it() -> None:
    """Of a chain with dissenters, no part that lacks some documents passes where it does not."""
    keys = (BUILDER, OTHER_BUILDER, THIRD_BUILDER, VENDOR)
    step = build_step(threshold=2, pubkeys=[key.keyid for key in keys])
    fixed = [document(layout(tag_step(), step), OWNER), document(tag_link(), TAGGER)]
    name = f"dist/{WHEEL}"
    more = {**PRODUCTS[name], "sha512": "a" * 128}
    builds = [
        document(build_link(), BUILDER),
        document(build_link({name: more}), OTHER_BUILDER),
        document(build_link({name: {"sha512": "a" * 128}}), THIRD_BUILDER),
        document(build_link({name: digests(EVIL)}), THIRD_BUILDER),
        document(build_link({name: digests(EVIL)}), VENDOR),
        document(build_link({name: digests(EVIL)}), BUILDER),
    ]

    def blocked(chosen: tuple[Document, ...]) -> bool:
        try:
            check([*fixed, *chosen])
        except EvidenceError:
            return True
        return False

    subsets = [
        chosen for size in range(len(builds) + 1) for chosen in itertools.combinations(builds, size)
    ]
    verdicts = {tuple(map(id, chosen)): blocked(chosen) for chosen in subsets}
    assert len(set(verdicts.values())) == 2
    for chosen, is_blocked in verdicts.items():
        if is_blocked and chosen:
            for fewer in itertools.combinations(chosen, len(chosen) - 1):
                assert verdicts[fewer], "removing a document turned a block into a pass"


@pytest.mark.parametrize("index", range(3))
def test_attack_removing_any_document_of_a_chain_blocks(index: int) -> None:
    documents = chain()
    del documents[index]
    with pytest.raises(EvidenceError):
        check(documents)


def test_attack_one_of_two_functionaries_turns() -> None:
    """With a threshold of two, one stolen key carries nothing, whatever else is served."""
    step = build_step(threshold=2, pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid])
    evil = build_link({f"dist/{WHEEL}": digests(EVIL)})
    documents = [
        document(layout(tag_step(), step), OWNER),
        document(tag_link(), TAGGER),
        document(evil, BUILDER),
        document(build_link(), OTHER_BUILDER),
    ]
    for subject in (SUBJECT, EVIL_SUBJECT):
        with pytest.raises(LinksDisagree):
            check(documents, subject=subject)
    assert passes([*documents, document(build_link(), BUILDER)])


def test_attack_digests_that_only_one_functionary_vouches_for() -> None:
    """A joined group vouches only for what all its members say."""
    step = build_step(threshold=2, pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid])
    name = f"dist/{WHEEL}"
    documents = [
        document(layout(tag_step(), step), OWNER),
        document(tag_link(), TAGGER),
        document(build_link({name: {"sha512": "a" * 128}}), OTHER_BUILDER),
        document(build_link({name: {"sha512": "a" * 128, **digests(EVIL)}}), BUILDER),
    ]
    with pytest.raises(ArtifactNotBound) as caught:
        check(documents, subject=EVIL_SUBJECT)
    assert "without a sha256" in caught.value.message


def test_attack_commands_in_a_layout_do_not_run() -> None:
    inspection = authoring.inspection("pwn", run=["sh", "-c", "touch pwned"])
    inspector = FakeInspector()
    with pytest.raises(InspectionNotAllowed):
        check(chain(root=layout(inspections=[inspection])), inspector=inspector)
    assert inspector.asked == []


def test_attack_a_feature_that_would_have_to_be_skipped() -> None:
    step = build_step(cert_constraints=[{"serial_number": "*"}])
    with pytest.raises(LayoutFeatureUnsupported):
        check(chain(root=layout(tag_step(), step)))


@pytest.mark.rejects("P9")
def test_attack_artifact_names_that_evade_a_rule() -> None:
    """CVE-2021-41087: ``dir/../foo`` must not slip by ``DISALLOW foo``."""
    for name in ("dist/../demo.py", "./demo.py", "/demo.py", "a//b"):
        with pytest.raises(EvidenceInvalid):
            check(chain(build=build_link({**PRODUCTS, name: digests("x")})))


@pytest.mark.rejects("L6")
def test_attack_an_empty_layout_verifies_nothing() -> None:
    for root in (layout() | {"steps": []}, layout() | {"steps": [], "inspect": []}):
        with pytest.raises(MetadataMalformed):
            check([document(root, OWNER)])


def test_attack_only_the_implied_allow_lets_the_file_through() -> None:
    step = build_step(expected_products=[])
    with pytest.raises(ArtifactNotBound) as caught:
        check(chain(root=layout(tag_step(), step)))
    assert "unsaid" in caught.value.found


def test_attack_links_without_end() -> None:
    """Very many valid links that all differ end in an error, not in endless work."""
    documents = chain()
    documents += [
        document(tag_link({"src/demo.py": digests(f"release {index}")}), TAGGER)
        for index in range(70)
    ]
    documents += [
        document(build_link({f"dist/demo-{index}.whl": digests("x")}), BUILDER)
        for index in range(70)
    ]
    assert passes(documents), "the links that name the file are tried first"
    with pytest.raises(MetadataTooLarge):
        check(documents, subject=EVIL_SUBJECT)


def test_attack_evidence_of_all_releases_side_by_side() -> None:
    """Links of forty releases do not multiply: each release's own links are found."""
    documents = [chain()[0]]
    for index in reversed(range(40)):
        sources = {"src/demo.py": digests(f"source {index}")}
        wheel = {f"dist/demo-1.0.{index}-py3-none-any.whl": digests(f"wheel {index}")}
        documents.append(document(tag_link(sources), TAGGER))
        documents.append(document(build_link(wheel, sources), BUILDER))
    for index in (0, 20, 39):
        filename = f"demo-1.0.{index}-py3-none-any.whl"
        subject = replace(SUBJECT, filename=filename, sha256=sha256(f"wheel {index}"))
        assert len(check(documents, subject=subject).links) == 2
    newest = "demo-1.0.39-py3-none-any.whl"
    swapped = replace(SUBJECT, filename=newest, sha256=sha256("wheel 0"))
    with pytest.raises((ArtifactDigestMismatch, MetadataTooLarge)):
        check(documents, subject=swapped)
    assert ONE_WHEEL[-1] == ["DISALLOW", "*"]


def test_attack_a_sublayout_that_names_millions_of_links() -> None:
    """Each of its steps asks for many keys, and each names the sublayout's signer once more."""
    keyids = [f"{number:08x}" for number in range(500)]
    steps = [
        authoring.step(
            f"step {number}", functionaries=[BUILDER], expected_materials=[], expected_products=[]
        )
        | {"pubkeys": [BUILDER.keyid, *keyids]}
        for number in range(20)
    ]
    inner = [
        authoring.layout(expires=EXPIRES + timedelta(hours=i), keys=[BUILDER], steps=steps)
        for i in range(3)
    ]
    documents = [*chain()[:2], *(document(each, BUILDER) for each in inner)]
    (root,) = root_layouts(documents, trust(), NOW)
    names = wanted_names(root, documents, trust(), NOW)
    assert f"build.{BUILDER.keyid[:8]}/step 0.{BUILDER.keyid[:8]}.link" in names
    assert len(names) <= DEFAULT.documents
