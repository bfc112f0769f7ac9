"""The order of the workflow (V1 to V12): which of two faults is met first.

It matters: a verifier that looks at links before the layout's expiry works for whoever replays an
old layout, and one that runs inspections before the rules of the steps runs them on files that
nobody vouches for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import (
    EvidenceInvalid,
    InspectionFailed,
    LayoutExpired,
    LayoutFeatureUnsupported,
    LayoutSignatureMissing,
    LinkMissing,
    LinksDisagree,
    RuleViolated,
)
from pip_intoto.maintainer import authoring
from pip_intoto.verdict import Outcome
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
    build_link,
    build_step,
    chain,
    check,
    digests,
    document,
    layout,
    passes,
    tag_link,
    tag_step,
)

if TYPE_CHECKING:
    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.layout import Inspection
    from pip_intoto.verification.record import Record

YESTERDAY = NOW - timedelta(days=1)
PARAMETRISED = build_step(expected_products=[["CREATE", "dist/demo-{VERSION}*"]])
#: Breaks the rules of the step ``tag``, which may have no materials.
BAD_TAG = tag_link(SOURCES, materials={"x": digests("x")})
TWO_BUILDERS = build_step(threshold=2, pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid])


class Recorder(FakeInspector):
    """Fails where it is told to."""

    def __init__(self, *failing: str) -> None:
        super().__init__()
        self.failing = failing

    def inspect(self, inspection: Inspection) -> Record:
        record = super().inspect(inspection)
        if inspection.name in self.failing:
            raise InspectionFailed("The command of an inspection failed", found="exit status 1")
        return record


def look(name: str, *expected_materials: list[str]) -> JsonObject:
    return authoring.inspection(name, run=["true"], expected_materials=expected_materials)


def root(*steps: JsonObject, signer: object = OWNER, **changes: object) -> Document:
    return document(layout(*steps, **changes), signer)  # type: ignore[arg-type]


def refusal(documents: list[Document], inspector: FakeInspector | None = None) -> EvidenceInvalid:
    with pytest.raises(EvidenceInvalid) as caught:
        check(documents, inspector=inspector or Recorder())
    return caught.value


@pytest.mark.rejects("V1")
def test_V1_comes_before_V2() -> None:
    stranger = root(signer=STRANGER, expires=YESTERDAY)
    assert isinstance(refusal([stranger, *chain()[1:]]), LayoutSignatureMissing)


@pytest.mark.rejects("V2")
def test_V2_comes_before_V3() -> None:
    expired = root(tag_step(), PARAMETRISED, expires=YESTERDAY)
    assert isinstance(refusal([expired, *chain()[1:]]), LayoutExpired)


@pytest.mark.rejects("V2")
def test_V2_comes_before_V4() -> None:
    assert isinstance(refusal([root(expires=YESTERDAY)]), LayoutExpired)


@pytest.mark.rejects("V3")
def test_V3_comes_before_V4() -> None:
    assert isinstance(refusal([root(tag_step(), PARAMETRISED)]), LayoutFeatureUnsupported)


@pytest.mark.rejects("V4", "V5")
def test_V4_and_V5_come_before_V9() -> None:
    error = refusal([root(), document(BAD_TAG, TAGGER)])
    assert isinstance(error, LinkMissing)
    assert error.place == "step build"


@pytest.mark.rejects("V6")
def test_V6_comes_before_V9() -> None:
    step = build_step(pubkeys=[VENDOR.keyid])
    expired = layout(build_step(name="inner"), keys=[BUILDER], expires=YESTERDAY)
    error = refusal([root(tag_step(), step), document(BAD_TAG, TAGGER), document(expired, VENDOR)])
    assert isinstance(error, LayoutExpired)


@pytest.mark.accepts("V7")
def test_V7_says_its_word_and_goes_on() -> None:
    commanded = root(tag_step(expected_command=["git", "tag"]), build_step())
    verified = check([commanded, *chain()[1:]])
    assert [entry.outcome for entry in verified.trace if "git tag" in entry.detail] == [
        Outcome.NOTE
    ]


@pytest.mark.rejects("V9")
def test_V7_is_never_why_a_chain_fails() -> None:
    commanded = root(tag_step(expected_command=["git", "tag"]), build_step())
    error = refusal([commanded, document(BAD_TAG, TAGGER), chain()[2]])
    assert isinstance(error, RuleViolated)
    assert error.place == "step tag, expected_materials[0]"


@pytest.mark.rejects("V8")
def test_V8_comes_before_V9() -> None:
    other = build_link({f"dist/{WHEEL}": digests("another")})
    error = refusal(
        [
            root(tag_step(), TWO_BUILDERS),
            document(BAD_TAG, TAGGER),
            document(build_link(), BUILDER),
            document(other, OTHER_BUILDER),
        ]
    )
    assert isinstance(error, LinksDisagree)


@pytest.mark.rejects("V9", "V10", "I7")
@pytest.mark.parametrize("tag", [BAD_TAG, tag_link({"src/demo.py": digests("other")})])
def test_V9_and_I7_no_inspection_runs_before_the_rules_of_every_step_held(tag: JsonObject) -> None:
    inspector = Recorder("one")
    documents = [root(inspections=[look("one")]), document(tag, TAGGER), chain()[2]]
    assert isinstance(refusal(documents, inspector), RuleViolated)
    assert inspector.asked == []


@pytest.mark.rejects("V10")
@pytest.mark.accepts("I7")
def test_V10_comes_before_V11() -> None:
    inspector = Recorder("two")
    inspections = [look("one", ["DISALLOW", "*"]), look("two")]
    error = refusal(chain(root=layout(inspections=inspections)), inspector)
    assert isinstance(error, InspectionFailed)
    assert inspector.asked == ["one", "two"]


@pytest.mark.rejects("V11")
def test_V11_comes_before_the_file_is_bound() -> None:
    # Nothing binds the file here, and a rule of the inspection is broken as well.
    unbound = {"dist/demo-1.0.0.whl": digests("x")}
    inspections = [look("one", ["DISALLOW", "*"])]
    error = refusal(chain(root=layout(inspections=inspections), build=build_link(unbound)))
    assert isinstance(error, RuleViolated)
    assert error.place == "inspection one, expected_materials[0]"


@pytest.mark.rejects("V12")
def test_V12_comes_after_all_of_the_sublayout() -> None:
    """The summary of a sublayout whose inspection fails is presented to nobody."""
    inner = layout(
        authoring.step("inner", functionaries=[BUILDER]),
        keys=[BUILDER],
        inspections=[look("within")],
    )
    above = root(tag_step(), build_step(pubkeys=[VENDOR.keyid]), inspections=[look("above")])
    link = authoring.link("inner", materials=SOURCES, products={**SOURCES, **PRODUCTS})
    documents = [above, chain()[1], document(inner, VENDOR), document(link, BUILDER)]
    inspector = Recorder()
    assert passes(documents, inspector=inspector)
    assert inspector.asked == ["within", "above"]
    inspector = Recorder("within")
    error = refusal(documents, inspector)
    assert isinstance(error, InspectionFailed)
    assert inspector.asked == ["within"]
