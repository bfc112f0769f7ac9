"""Binding: the six rules that tie the file in hand to the chain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import (
    ArtifactDigestMismatch,
    ArtifactNotBound,
    LayoutNotForProject,
    RuleViolated,
)
from pip_intoto.maintainer import authoring
from pip_intoto.verification.binding import Subject
from tests.unit.verification.supply import (
    FROM_TAG,
    PRODUCTS,
    SUBJECT,
    VENDOR,
    WHEEL,
    WHEEL_CONTENT,
    FakeInspector,
    build_link,
    build_step,
    chain,
    check,
    digests,
    document,
    layout,
    passes,
    tag_step,
    trust,
)

if TYPE_CHECKING:
    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.verification.chain import Verified

OTHER = digests("another wheel")


def inspection(name: str = "look", *materials: list[str]) -> JsonObject:
    return authoring.inspection(name, run=["true"], expected_materials=materials)


MATCH_BUILD = ["MATCH", "*", "WITH", "PRODUCTS", "IN", "dist", "FROM", "build"]
MATCH_TAG = ["MATCH", "*", "WITH", "PRODUCTS", "FROM", "tag"]


def inspected(*inspections: JsonObject, **links: JsonObject) -> Verified:
    documents = chain(root=layout(inspections=inspections), **links)  # type: ignore[arg-type]
    return check(documents, inspector=FakeInspector())


# --- 1: inspections decide ------------------------------------------------------------------------


def test_binding_1_an_inspection_that_matches_a_step_decides() -> None:
    binding = inspected(inspection("look", MATCH_BUILD)).binding
    assert binding is not None
    assert (binding.place, binding.artifact) == ("inspection look", WHEEL)


def test_binding_1_it_decides_although_the_last_step_would_bind() -> None:
    with pytest.raises(ArtifactNotBound) as caught:
        inspected(inspection("look", MATCH_TAG))
    assert "inspection look" in caught.value.place


def look_inside(*members: list[str]) -> JsonObject:
    """Describe an inspection that forbids files and members that nobody reported."""
    forbid = ["DISALLOW", "*"]
    return authoring.inspection(
        "look",
        run=["true"],
        expected_materials=[MATCH_BUILD, forbid],
        expected_products=[MATCH_BUILD, *members, forbid],
    )


FROM_SOURCE = ["MATCH", "*", "IN", "wheel", "WITH", "PRODUCTS", "IN", "src", "FROM", "tag"]


def test_binding_1_another_file_of_this_name_is_said_to_be_one_with_its_step() -> None:
    with pytest.raises(ArtifactDigestMismatch) as caught:
        inspected(look_inside(), build=build_link(products={f"dist/{WHEEL}": OTHER}))
    error = caught.value
    assert (error.code, error.place) == ("artifact-digest-mismatch", "step build, products")
    assert f"dist/{WHEEL}" in error.expected
    assert SUBJECT.sha256 in error.found
    assert "it holds" not in error.found


def test_binding_1_and_the_member_that_nobody_reported_is_named() -> None:
    members = {WHEEL: digests(WHEEL_CONTENT), "wheel/demo.py": digests("evil")}
    documents = chain(
        root=layout(inspections=[look_inside(FROM_SOURCE)]),
        build=build_link(products={f"dist/{WHEEL}": OTHER}),
    )
    inspector = FakeInspector(products=members)
    with pytest.raises(ArtifactDigestMismatch, match="another file of this name") as caught:
        check(documents, inspector=inspector)
    assert f"it holds 'wheel/demo.py', sha256 {digests('evil')['sha256']}" in caught.value.found


def test_binding_1_what_no_step_reported_is_told_by_the_rule() -> None:
    with pytest.raises(RuleViolated, match="DISALLOW") as caught:
        inspected(look_inside(), build=build_link(products={}))
    assert caught.value.place == "inspection look, expected_materials[1]"


def test_binding_1_every_such_inspection_must_consume_the_file() -> None:
    with pytest.raises(ArtifactNotBound):
        inspected(inspection("one", MATCH_BUILD), inspection("two", MATCH_TAG))


def test_binding_1_another_rule_that_consumes_the_file_first_is_not_enough() -> None:
    with pytest.raises(ArtifactNotBound) as caught:
        inspected(inspection("look", ["ALLOW", WHEEL], MATCH_BUILD))
    assert "consumed by `ALLOW" in caught.value.found


def test_binding_1_inspections_without_such_rules_leave_it_to_the_step() -> None:
    for rule in (["ALLOW", "*"], ["MATCH", "*", "WITH", "MATERIALS", "FROM", "look"]):
        binding = inspected(inspection("look", rule)).binding
        assert binding is not None
        assert binding.place == "step build, products"


def test_binding_1_what_was_inspected_is_the_file() -> None:
    documents = chain(root=layout(inspections=[inspection("look", MATCH_BUILD)]))
    for seen, error in (
        ({WHEEL: OTHER}, ArtifactDigestMismatch),
        ({"other.whl": digests(WHEEL_CONTENT)}, ArtifactNotBound),
    ):
        with pytest.raises(error):
            check(documents, inspector=FakeInspector(materials=seen))


# --- 2 and 5: the binding step, and no other ------------------------------------------------------


def released(*, link: JsonObject | None = None) -> list[Document]:
    """The chain with a last step that only publishes notes."""
    notes = authoring.step(
        "notes", functionaries=[VENDOR], expected_products=[["CREATE", "NOTES"], ["DISALLOW", "*"]]
    )
    return [
        *chain(root=layout(tag_step(), build_step(), notes)),
        document(link or authoring.link("notes", products={"NOTES": digests("n")}), VENDOR),
    ]


def test_binding_2_the_last_step_binds() -> None:
    binding = check(chain()).binding
    assert binding is not None
    assert binding.place == "step build, products"


def test_binding_2_the_policy_may_name_another() -> None:
    binding = check(released(), trusted=trust(binds="build")).binding
    assert binding is not None
    assert binding.place == "step build, products"


def test_binding_2_the_policy_cannot_name_a_step_that_is_not_there() -> None:
    with pytest.raises(ArtifactNotBound) as caught:
        check(chain(), trusted=trust(binds="biuld"))
    assert caught.value.found == "the steps 'tag', 'build'"


def test_binding_5_no_other_step_is_a_fallback() -> None:
    with pytest.raises(ArtifactNotBound) as caught:
        check(released())
    assert caught.value.place == "step notes"
    with pytest.raises(ArtifactNotBound):
        check(chain(), trusted=trust(binds="tag"))


# --- 3: every product of this name ----------------------------------------------------------------

ANY_WHEEL = build_step(
    expected_products=[FROM_TAG[0], ["CREATE", "*demo-1.0*.whl"], ["DISALLOW", "*"]]
)


def products(*pairs: tuple[str, dict[str, str]]) -> list[Document]:
    return chain(root=layout(tag_step(), ANY_WHEEL), build=build_link(dict(pairs)))


def test_binding_3_the_last_segment_is_what_counts() -> None:
    for name in (WHEEL, f"dist/{WHEEL}", f"a/b/{WHEEL}"):
        assert passes(products((name, digests(WHEEL_CONTENT))))
    for name in (f"x{WHEEL}", f"{WHEEL}/demo-1.0.whl", f"{WHEEL}x-demo-1.0.whl"):
        with pytest.raises(ArtifactNotBound):
            check(products((name, digests(WHEEL_CONTENT))))


def test_binding_3_several_products_of_the_name_must_all_be_the_file() -> None:
    right = digests(WHEEL_CONTENT)
    assert passes(products((f"a/{WHEEL}", right), (f"b/{WHEEL}", right)))
    with pytest.raises(ArtifactDigestMismatch) as caught:
        check(products((f"a/{WHEEL}", right), (f"b/{WHEEL}", OTHER)))
    assert f"'b/{WHEEL}'" in caught.value.expected


@pytest.mark.parametrize("hashes", [{}, {"sha512": "0" * 128}, {"md5": "0" * 32}])
def test_binding_3_sha256_has_to_be_there(hashes: dict[str, str]) -> None:
    with pytest.raises(ArtifactNotBound) as caught:
        check(products((WHEEL, hashes)))
    assert "without a sha256" in caught.value.message


def test_binding_3_a_wrong_sha256_is_not_mended_by_another_digest() -> None:
    with pytest.raises(ArtifactDigestMismatch):
        check(products((WHEEL, {**OTHER, "sha512": "0" * 128})))


def with_material(material: str, hashes: dict[str, str], rule: list[str]) -> list[Document]:
    """The chain with a last step that has the wheel as material only."""
    step = authoring.step("test", functionaries=[VENDOR], expected_materials=[rule])
    link = authoring.link("test", materials={material: hashes})
    return [*chain(root=layout(tag_step(), build_step(), step)), document(link, VENDOR)]


def test_binding_3_materials_count_when_no_product_has_the_name() -> None:
    match = ["MATCH", "*", "WITH", "PRODUCTS", "FROM", "build"]
    binding = check(with_material(f"dist/{WHEEL}", PRODUCTS[f"dist/{WHEEL}"], match)).binding
    assert binding is not None
    assert binding.place == "step test, materials"
    with pytest.raises(ArtifactDigestMismatch):
        check(with_material(f"dist/{WHEEL}", OTHER, match))


def test_binding_4_materials_must_have_been_consumed_by_match() -> None:
    for rule in (["ALLOW", "*"], ["DELETE", "*"]):
        with pytest.raises(ArtifactNotBound):
            check(with_material(f"dist/{WHEEL}", PRODUCTS[f"dist/{WHEEL}"], rule))


@pytest.mark.parametrize("spelling", ["Demo-1.0-py3-none-any.whl", "demo-1.0.0-py3-none-any.whl"])
def test_binding_filenames_that_mean_the_same_are_taken_with_a_note(spelling: str) -> None:
    step = build_step(expected_products=[FROM_TAG[0], ["CREATE", "*.whl"], ["DISALLOW", "*"]])
    link = build_link({spelling: digests(WHEEL_CONTENT)})
    binding = check(chain(root=layout(tag_step(), step), build=link)).binding
    assert binding is not None
    assert "was taken for" in binding.notes[0]


@pytest.mark.parametrize(
    "spelling",
    ["demo-1.0-1-py3-none-any.whl", "demo-1.0-py2-none-any.whl", "demo-1.0.tar.gz",
     "demo2-1.0-py3-none-any.whl"],
)  # fmt: skip
def test_binding_filenames_that_mean_something_else_are_not(spelling: str) -> None:
    step = build_step(expected_products=[["ALLOW", "*"]])
    link = build_link({spelling: digests(WHEEL_CONTENT)})
    with pytest.raises(ArtifactNotBound):
        check(chain(root=layout(tag_step(), step), build=link))


def test_binding_the_order_of_compressed_tags_is_a_spelling() -> None:
    several = replace(SUBJECT, filename="demo-1.0-py2.py3-none-any.whl")
    step = build_step(expected_products=[["ALLOW", "*"]])
    for spelling, is_other in (("py3.PY2-none-any", True), ("py3.py4-none-any", False)):
        link = build_link({f"demo-1.0-{spelling}.whl": digests(WHEEL_CONTENT)})
        documents = chain(root=layout(tag_step(), step), build=link)
        if is_other:
            assert passes(documents, subject=several)
        else:
            with pytest.raises(ArtifactNotBound):
                check(documents, subject=several)


def test_binding_names_with_tags_without_end_are_no_work() -> None:
    # Expanded, each name would stand for a million combinations of tags.
    tags = ".".join(f"t{index}" for index in range(100))
    names = [f"{index}/demo-1.0-{tags}-{tags}-{tags}.whl" for index in range(500)]
    step = build_step(expected_products=[["ALLOW", "*"]])
    link = build_link(dict.fromkeys(names, digests(WHEEL_CONTENT)))
    with pytest.raises(ArtifactNotBound):
        check(chain(root=layout(tag_step(), step), build=link))


def test_binding_two_other_spellings_are_one_too_many() -> None:
    step = build_step(expected_products=[["ALLOW", "*"]])
    link = build_link(
        {"Demo-1.0-py3-none-any.whl": digests(WHEEL_CONTENT),
         "demo-1.0.0-py3-none-any.whl": digests(WHEEL_CONTENT)}
    )  # fmt: skip
    with pytest.raises(ArtifactNotBound) as caught:
        check(chain(root=layout(tag_step(), step), build=link))
    assert "another spelling" in caught.value.message


def test_binding_sdists_too() -> None:
    sdist = Subject(
        project="demo-pkg", distribution="demo_pkg", version="1.0",
        filename="demo_pkg-1.0.tar.gz", sha256=digests("sdist")["sha256"],
    )  # fmt: skip
    step = build_step(expected_products=[["ALLOW", "*.tar.gz"]])
    for name in ("demo_pkg-1.0.tar.gz", "demo-pkg-1.0.tar.gz"):
        link = build_link({name: digests("sdist")})
        assert passes(chain(root=layout(tag_step(), step), build=link), subject=sdist)
    link = build_link({"demo_pkg-1.0.zip": digests("sdist")})
    with pytest.raises(ArtifactNotBound):
        check(chain(root=layout(tag_step(), step), build=link), subject=sdist)


# --- 4: an explicit rule --------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [["CREATE", "dist/*"], ["ALLOW", "*"], ["ALLOW", f"dist/{WHEEL}"]])
def test_binding_4_explicit_rules_that_bind_a_product(rule: list[str]) -> None:
    assert passes(chain(root=layout(tag_step(), build_step(expected_products=[rule]))))


def test_binding_4_match_and_modify_bind_too() -> None:
    sign = authoring.step(
        "sign",
        functionaries=[VENDOR],
        expected_products=[["MATCH", "*", "WITH", "PRODUCTS", "FROM", "build"]],
    )
    link = authoring.link("sign", products=PRODUCTS)
    root = layout(tag_step(), build_step(), sign)
    assert passes([*chain(root=root), document(link, VENDOR)])
    modify = {**sign, "expected_products": [["MODIFY", "*"]]}
    link = authoring.link("sign", materials={f"dist/{WHEEL}": OTHER}, products=PRODUCTS)
    root = layout(tag_step(), build_step(), modify)  # type: ignore[arg-type]
    assert passes([*chain(root=root), document(link, VENDOR)])


@pytest.mark.parametrize(
    "rules",
    [[], [["DISALLOW", "*.exe"]], [["REQUIRE", f"dist/{WHEEL}"]], [["CREATE", "other*"]],
     [["MATCH", "*", "WITH", "PRODUCTS", "FROM", "tag"]]],
)  # fmt: skip
def test_binding_4_what_only_the_implied_allow_lets_through_is_not_bound(
    rules: list[list[str]],
) -> None:
    with pytest.raises(ArtifactNotBound):
        check(chain(root=layout(tag_step(), build_step(expected_products=rules))))


# --- 6: scope -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [["CREATE", "dist/demo-1.0*"], ["ALLOW", "*/demo-*.whl"], ["CREATE", f"dist/{WHEEL}"]],
)
def test_binding_6_scoped_rules(rule: list[str]) -> None:
    root = layout(tag_step(), build_step(expected_products=[rule]))
    assert passes(chain(root=root), trusted=trust(shared_keys=True))


@pytest.mark.parametrize(
    "rule", [["CREATE", "*"], ["ALLOW", "dist/*"], ["CREATE", "dist/demo*"], ["CREATE", "dist/d*"]]
)
def test_binding_6_rules_that_are_not(rule: list[str]) -> None:
    root = layout(tag_step(), build_step(expected_products=[rule]))
    assert passes(chain(root=root))
    with pytest.raises(LayoutNotForProject) as caught:
        check(chain(root=root), trusted=trust(shared_keys=True))
    assert "'demo-'" in caught.value.expected


def test_binding_6_a_parameter_makes_a_rule_scoped() -> None:
    step = build_step(expected_products=[["CREATE", "dist/{NAME}-*"]])
    shared = trust(shared_keys=True, parameters={"NAME": "demo"})
    assert passes(chain(root=layout(tag_step(), step)), trusted=shared)
    with pytest.raises(ArtifactNotBound):
        check(
            chain(root=layout(tag_step(), step)), trusted=replace(shared, parameters={"NAME": "*"})
        )


def test_binding_6_holds_for_inspections_too() -> None:
    documents = chain(root=layout(inspections=[inspection("look", MATCH_BUILD)]))
    shared = trust(shared_keys=True)
    with pytest.raises(LayoutNotForProject):
        check(documents, inspector=FakeInspector(), trusted=shared)
    scoped = ["MATCH", "demo-*", "WITH", "PRODUCTS", "IN", "dist", "FROM", "build"]
    documents = chain(root=layout(inspections=[inspection("look", scoped)]))
    assert passes(documents, inspector=FakeInspector(), trusted=shared)


def test_binding_6_another_project_whose_name_begins_alike() -> None:
    extra = replace(SUBJECT, distribution="demo_extra", filename="demo_extra-1.0-py3-none-any.whl")
    root = layout(tag_step(), build_step(expected_products=[["CREATE", "dist/demo*"]]))
    link = build_link({f"dist/{extra.filename}": digests(WHEEL_CONTENT)})
    assert passes(chain(root=root, build=link), subject=extra)
    with pytest.raises(LayoutNotForProject):
        check(chain(root=root, build=link), subject=extra, trusted=trust(shared_keys=True))
